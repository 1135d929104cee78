"""Checks: declared in ``include/checks``, one file a table, and run by the provider's check operators.

The operators are the provider's own; what is added is what they lack: a severity, a kept result, and a
sample of the offending rows.
"""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import functools
import pathlib
from typing import Any

import orjson
import yaml
from airflow.providers.common.sql.operators.sql import SQLColumnCheckOperator, SQLTableCheckOperator

from include.sparkify import warehouse
from include.sparkify.errors import DataError
from include.sparkify.settings import star

FOLDER = pathlib.Path(__file__).parents[1] / "checks"
STAGING = ("staging_files", "staging_events", "staging_songs")
STAR = ("songplays", "users", "songs", "artists", "time")
# The provider's bounds, for people.
WORDS = {
    "equal_to": "exactly",
    "greater_than": "over",
    "less_than": "under",
    "geq_to": "at least",
    "leq_to": "at most",
}
# Offending rows kept with a result, and the bytes they may take.
SAMPLE_ROWS = 5
SAMPLE_BYTES = 8192


@dataclasses.dataclass(frozen=True)
class Check:
    """One check of a table: it passes when ``offenders`` selects no row."""

    name: str
    says: str
    severity: str
    """``fail`` stops the run, ``warn`` does not."""
    offenders: str
    """SQL template."""


@functools.cache
def declared(table: str) -> dict[str, Any]:
    """The declaration of a table's checks: ``columns`` in the provider's words, ``rows`` as in the file."""
    declaration: dict[str, Any] = yaml.safe_load((FOLDER / f"{table}.yaml").read_text())
    return declaration


def row_checks(table: str) -> list[Check]:
    """The checks declared under ``rows``."""
    return [
        Check(name, check["says"], check["severity"], check["offenders"].strip())
        for name, check in declared(table)["rows"].items()
    ]


def column_checks(table: str) -> list[Check]:
    """The checks declared under ``columns``, which all stop the run."""
    relation = f"{{{{ run_schema(run_id) }}}}.{table}"
    checks = []
    for column, kinds in declared(table)["columns"].items():
        for kind, bound in kinds.items():
            if kind == "null_check":
                says = f"{column} is never null"
                offenders = f"select * from {relation} where {column} is null"
            elif kind == "unique_check":
                says = f"{column} has no value twice"
                offenders = (
                    f"select {column}, count(*) as copies from {relation} group by 1 having count(*) > 1"
                )
            else:
                limits = " and ".join(f"{WORDS[word]} {value}" for word, value in bound.items())
                says = f"the {kind} of {column} is {limits}"
                offenders = f"select {kind}({column}) as {kind}_{column} from {relation}"
            checks.append(Check(f"{column}.{kind}", says, "fail", offenders))
    return checks


def required() -> list[tuple[str, str]]:
    """Every (table, check) that has to pass before anything is published."""
    return [
        (table, check.name)
        for table in (*STAGING, *STAR)
        for check in column_checks(table) + row_checks(table)
        if check.severity == "fail"
    ]


class _Recorded:
    """Keeps the results of a check operator, with offending rows; a failed ``warn`` check does not stop the run.

    A base of two operators rather than one operator of ours: the checking stays the provider's.
    """

    table_name: str
    check_list: list[Check]
    offenders: list[str]

    def _raise_exception(self, exception_string: str) -> Any:
        # Not yet: what a failed check means depends on its severity, see post_execute.
        if not self.check_results:  # type: ignore[attr-defined]
            super()._raise_exception(exception_string)  # type: ignore[misc]

    def post_execute(self, context: Any, result: Any = None) -> None:
        """Keep every result; then stop the run if a ``fail`` check did not pass.

        :raises DataError: with the offending rows.
        """
        super().post_execute(context, result)  # type: ignore[misc]
        by_name = {result.name: result for result in self.check_results}  # type: ignore[attr-defined]
        failures = []
        rows = []
        for check, offenders in zip(self.check_list, self.offenders, strict=True):
            passed = bool(by_name[check.name].success)
            count, sample = (0, []) if passed else _offending(offenders)
            actual = "as expected" if passed else f"{count} offending rows"
            rows.append(
                (self.table_name, check.name, check.severity, check.says, actual, passed, _packed(sample))
            )
            if not passed:
                text = f"{self.table_name}.{check.name} ({check.severity}): {check.says}; {actual}:\n{_packed(sample)}"
                self.log.warning("%s", text)  # type: ignore[attr-defined]
                if check.severity == "fail":
                    failures.append(text)
        _record(context, rows)
        if failures:
            raise DataError(
                "the star is unchanged; failed: "
                + "\n".join(failures)
                + f"\nAll results: select * from {star()}.quality_results where run_id = '{context['run_id']}'"
            )


class ColumnAudit(_Recorded, SQLColumnCheckOperator):
    """SQLColumnCheckOperator over the ``columns`` declared for a table of the run's schema."""

    template_fields = (*SQLColumnCheckOperator.template_fields, "offenders")

    def __init__(self, *, table_name: str, **kwargs: Any) -> None:
        self.table_name = table_name
        self.check_list = column_checks(table_name)
        self.offenders = [check.offenders for check in self.check_list]
        super().__init__(
            table=f"{{{{ run_schema(run_id) }}}}.{table_name}",
            # The provider writes its results into the mapping: give it a copy of its own.
            column_mapping={
                column: {kind: dict(bound) for kind, bound in kinds.items()}
                for column, kinds in declared(table_name)["columns"].items()
            },
            conn_id=warehouse.CONN_ID,
            retry_on_failure=False,
            **kwargs,
        )


class RowAudit(_Recorded, SQLTableCheckOperator):
    """SQLTableCheckOperator over the ``rows`` declared for a table of the run's schema."""

    template_fields = (*SQLTableCheckOperator.template_fields, "offenders")

    def __init__(self, *, table_name: str, **kwargs: Any) -> None:
        self.table_name = table_name
        self.check_list = row_checks(table_name)
        self.offenders = [check.offenders for check in self.check_list]
        super().__init__(
            table=f"{{{{ run_schema(run_id) }}}}.{table_name}",
            checks={
                check.name: {
                    # An aggregate makes it one row: over an empty table the provider would find no result.
                    "check_statement": (
                        f"count(*) >= 0 and (select count(*) from ({check.offenders}) as offenders) = 0"
                    )
                }
                for check in self.check_list
            },
            conn_id=warehouse.CONN_ID,
            retry_on_failure=False,
            **kwargs,
        )


def _offending(offenders: str) -> tuple[int, list[dict[str, Any]]]:
    """How many rows offend, and the first of them."""

    def look(cursor: Any) -> tuple[int, list[dict[str, Any]]]:
        cursor.execute(f"select count(*) from ({offenders}) as offenders")
        (count,) = cursor.fetchone()
        cursor.execute(f"select * from ({offenders}) as offenders limit {SAMPLE_ROWS}")
        names = [column[0] for column in cursor.description]
        return count, [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    return warehouse.transaction(look, "select offending rows") or (0, [])


def _packed(sample: list[dict[str, Any]]) -> str:
    """JSON lines, as many as fit."""
    text = ""
    for row in sample:
        line = orjson.dumps(row, default=_plain).decode()
        if len((text + line).encode()) >= SAMPLE_BYTES:
            break
        text += line + "\n"
    return text.rstrip("\n")


def _plain(value: Any) -> Any:
    if isinstance(value, decimal.Decimal):
        return float(value)
    if isinstance(value, datetime.date):
        return value.isoformat()
    return str(value)


def _record(context: Any, rows: list[tuple[Any, ...]]) -> None:
    """Replace the results of these checks in ``quality_results``."""
    table, run_id = f"{star()}.quality_results", context["run_id"]
    plan = context["ti"].xcom_pull(task_ids="plan")
    interval = [datetime.datetime.fromisoformat(plan[name]) for name in ("interval_start", "interval_end")]
    columns = (
        "table_name", "check_name", "severity", "expected", "actual", "passed", "sample",
        "run_id", "interval_start", "interval_end", "checked_at",
    )  # fmt: skip

    def record(cursor: Any) -> None:
        warehouse.lock(cursor)
        names = ", ".join(["%s"] * len(rows))
        cursor.execute(
            f"delete from {table} where run_id = %s and table_name = %s and check_name in ({names})",
            (run_id, rows[0][0], *(row[1] for row in rows)),
        )
        cursor.execute("select getdate()")
        now = cursor.fetchone()[0]
        warehouse.insert(cursor, table, columns, [(*row, run_id, *interval, now) for row in rows])

    warehouse.transaction(record, "record check results")
