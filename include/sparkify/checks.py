"""Checks: declared in ``include/checks``, one file per table, and run by the provider's check operators.

A check with severity ``fail`` is part of SQLColumnCheckOperator or SQLTableCheckOperator and stops the run. A check
with severity ``warn`` is counted by the task `warnings`. The results of all are kept in ``quality_results``, with a
sample of the failing rows; only a check that failed costs a second query.
"""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import functools
import logging
from collections.abc import Iterable, Mapping
from typing import Any

import orjson
import yaml
from airflow.providers.common.sql.operators.sql import SQLColumnCheckOperator, SQLTableCheckOperator

from include.sparkify import notify, warehouse
from include.sparkify.errors import DataError
from include.sparkify.settings import ops
from include.sparkify.tables import CANDIDATES, INCLUDE, STAGING

FOLDER = INCLUDE / "checks"
# The provider's bounds, in words.
WORDS = {
    "equal_to": "exactly",
    "greater_than": "over",
    "less_than": "under",
    "geq_to": "at least",
    "leq_to": "at most",
}
# Failing rows kept with a result, and the bytes they may take.
SAMPLE_ROWS = 5
SAMPLE_BYTES = 8192

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Check:
    """One check of a table: it passes when ``failing_rows`` selects no row."""

    table: str
    name: str
    description: str
    severity: str
    """``fail`` stops the run, ``warn`` does not."""
    failing_rows: str
    """SQL template."""


@functools.cache
def declaration(table: str) -> dict[str, Any]:
    """Return the checks of a table: ``columns`` in the provider's words, ``rows`` as in the file."""
    found: dict[str, Any] = yaml.safe_load((FOLDER / f"{table}.yaml").read_text())
    return found


def row_checks(table: str) -> list[Check]:
    """Return the checks declared under ``rows``.

    :raises TypeError: a check lacks its description, severity or failing_rows, or has anything else.
    """
    return [Check(table, name, **check) for name, check in declaration(table)["rows"].items()]


def column_checks(table: str) -> list[Check]:
    """Return the checks declared under ``columns``, which all stop the run."""
    relation = f"{{{{ run_schema(run_id) }}}}.{table}"
    checks = []
    for column, kinds in declaration(table)["columns"].items():
        for kind, bound in kinds.items():
            if kind == "null_check":
                description = f"{column} is never null"
                failing_rows = f"select * from {relation} where {column} is null"
            elif kind == "unique_check":
                description = f"{column} is unique"
                failing_rows = (
                    f"select {column}, count(*) as copies from {relation} group by 1 having count(*) > 1"
                )
            else:
                limits = " and ".join(f"{WORDS[word]} {value}" for word, value in bound.items())
                description = f"the {kind} of {column} is {limits}"
                failing_rows = f"select {kind}({column}) as {kind}_{column} from {relation}"
            checks.append(Check(table, f"{column}.{kind}", description, "fail", failing_rows))
    return checks


def all_checks(tables: Iterable[str] = (*STAGING, *CANDIDATES)) -> list[Check]:
    """Return every check of the tables."""
    return [check for table in tables for check in column_checks(table) + row_checks(table)]


def required() -> list[tuple[str, str]]:
    """Return every (table, check) that has to pass before anything is published."""
    return [(check.table, check.name) for check in all_checks() if check.severity == "fail"]


def check_columns(table: str) -> SQLColumnCheckOperator:
    """Return the task that runs the checks declared under ``columns``."""
    return SQLColumnCheckOperator(
        task_id=f"{table}_columns",
        table=f"{{{{ run_schema(run_id) }}}}.{table}",
        # The provider writes its results into the mapping: each task gets a copy.
        column_mapping={
            column: {kind: dict(bound) for kind, bound in kinds.items()}
            for column, kinds in declaration(table)["columns"].items()
        },
        conn_id=warehouse.CONN_ID,
        retry_on_failure=False,
        post_execute=record_passed,
        on_failure_callback=record_failed,
        doc_md=f"The `columns` of include/checks/{table}.yaml",
    )


def check_rows(table: str) -> SQLTableCheckOperator:
    """Return the task that runs the checks declared under ``rows`` that stop the run."""
    return SQLTableCheckOperator(
        task_id=f"{table}_rows",
        table=f"{{{{ run_schema(run_id) }}}}.{table}",
        checks={
            check.name: {
                # The aggregate makes it one row: over an empty table the provider would find no result.
                "check_statement": f"count(*) >= 0 and (select count(*) from ({check.failing_rows}) as failing) = 0"
            }
            for check in row_checks(table)
            if check.severity == "fail"
        },
        conn_id=warehouse.CONN_ID,
        retry_on_failure=False,
        post_execute=record_passed,
        on_failure_callback=record_failed,
        doc_md=f"The `rows` of include/checks/{table}.yaml with severity fail",
    )


def record_passed(context: Mapping[str, Any], result: Any = None) -> None:
    """Keep the results of a check task that succeeded: Airflow's ``post_execute``."""
    _record(context, [(check, 0, "") for check in _checks_of(context["task"])])


def record_failed(context: Mapping[str, Any]) -> None:
    """Keep the results of a check task that failed, with a sample of the failing rows, and notify."""
    task = context["task"]
    passed = {result.name: bool(result.success) for result in getattr(task, "check_results", [])}
    results, messages = [], []
    for check in _checks_of(task):
        if check.name not in passed:
            continue
        count, sample = (0, "") if passed[check.name] else _sample(_render(task, check, context))
        results.append((check, count, sample))
        if count:
            messages.append(_describe(check, count, sample))
            log.error("%s", messages[-1])
    if results:
        _record(context, results)
    if messages:
        error = DataError(
            "the star is unchanged; failed: "
            + "\n".join(messages)
            + f"\nAll results: select * from {ops()}.quality_results where run_id = '{context['run_id']}'"
        )
        notify.failure(context, error)
    else:
        notify.failure(context)


def count_warnings(context: Mapping[str, Any], tables: Iterable[str]) -> list[str]:
    """Run the checks with severity ``warn``, keep their results, and return the failed ones."""
    results, failed = [], []
    for table in tables:
        for check in row_checks(table):
            if check.severity == "warn":
                count, sample = _sample(_render(context["task"], check, context))
                results.append((check, count, sample))
                if count:
                    log.warning("%s", _describe(check, count, sample))
                    failed.append(f"{table}.{check.name}")
    _record(context, results)
    return failed


def _checks_of(task: Any) -> list[Check]:
    """Return the checks that a check task runs, from its id."""
    table, kind = task.task_id.rpartition(".")[2].rsplit("_", 1)
    if kind == "columns":
        return column_checks(table)
    return [check for check in row_checks(table) if check.severity == "fail"]


def _render(task: Any, check: Check, context: Mapping[str, Any]) -> str:
    return str(task.render_template(check.failing_rows, context))


def _describe(check: Check, count: int, sample: str) -> str:
    return (
        f"{check.table}.{check.name} ({check.severity}): {check.description}; {count} failing rows:\n{sample}"
    )


def _sample(failing_rows: str) -> tuple[int, str]:
    """Return the number of failing rows, and the first of them as JSON lines."""

    def look(cursor: Any) -> tuple[int, str]:
        cursor.execute(f"select count(*) from ({failing_rows}) as failing_rows")
        (count,) = cursor.fetchone()
        if not count:
            return 0, ""
        cursor.execute(f"select * from ({failing_rows}) as failing_rows limit {SAMPLE_ROWS}")
        names = [column[0] for column in cursor.description]
        return count, _pack([dict(zip(names, row, strict=True)) for row in cursor.fetchall()])

    return warehouse.transaction(look, "select failing rows") or (0, "")


def _pack(rows: list[dict[str, Any]]) -> str:
    """Return as many rows as fit, as JSON lines."""
    text = ""
    for row in rows:
        line = orjson.dumps(row, default=_plain).decode()
        if len((text + line).encode()) >= SAMPLE_BYTES:
            break
        text += line + "\n"
    return text.rstrip("\n")


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, decimal.Decimal) else str(value)


def _record(context: Mapping[str, Any], results: list[tuple[Check, int, str]]) -> None:
    """Replace the results of these checks in ``quality_results``."""
    table, run_id = f"{ops()}.quality_results", context["run_id"]
    plan = context["ti"].xcom_pull(task_ids="plan", key="plan")
    interval = [datetime.datetime.fromisoformat(plan[name]) for name in ("interval_start", "interval_end")]
    columns = (
        "table_name", "check_name", "severity", "description", "actual", "passed", "sample",
        "run_id", "interval_start", "interval_end", "checked_at",
    )  # fmt: skip
    rows = [
        (
            check.table, check.name, check.severity, check.description,
            f"{count} failing rows" if count else "passed", not count, sample,
        )
        for check, count, sample in results
    ]  # fmt: skip

    def record(cursor: Any) -> None:
        warehouse.lock(cursor)
        pairs = " or ".join(["(table_name = %s and check_name = %s)"] * len(rows))
        cursor.execute(
            f"delete from {table} where run_id = %s and ({pairs})",
            (run_id, *(value for row in rows for value in row[:2])),
        )
        cursor.execute("select getdate()")
        now = cursor.fetchone()[0]
        warehouse.insert(cursor, table, columns, [(*row, run_id, *interval, now) for row in rows])

    if rows:
        warehouse.transaction(record, "record check results")
