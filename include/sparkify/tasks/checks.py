"""Run the checks, which ``include/checks`` declares in one file per table, with the check operators of the provider.

A check with severity ``fail`` runs in a SQLColumnCheckOperator or SQLTableCheckOperator, and stops the run if it fails.
`publish` runs the checks with severity ``warn`` before it waits for the lock. If it must rebuild the candidates while
it holds the lock, all checks run again in the same transaction. The results of all checks are stored in
``quality_results``, with a sample of the failing rows.
"""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import functools
import itertools
import logging
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import orjson
import yaml
from airflow.providers.common.sql.operators.sql import SQLColumnCheckOperator, SQLTableCheckOperator

from include.sparkify.errors import DataError
from include.sparkify.redshift import warehouse
from include.sparkify.run_plan import plan_of
from include.sparkify.settings import ops
from include.sparkify.tables import INCLUDE, STAGING, STAR
from include.sparkify.tasks import notify

FOLDER = INCLUDE / "checks"
# The tables with checks: all tables of the star, and the staging tables for which a file of checks exists.
CHECKED = (*(table for table in STAGING if (FOLDER / f"{table}.yaml").exists()), *STAR)
# The bounds of the provider, each with its description and with the operator that is true for a value beyond the bound.
BOUNDS = {"geq_to": ("at least", "<"), "leq_to": ("at most", ">")}
# Key of the XCom that a passed check task pushes.
PASSED = "passed"
# Maximum number of failing rows that are stored with a result, and maximum size of these rows in bytes.
SAMPLE_ROWS = 5
SAMPLE_BYTES = 8192

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Check:
    """A check of a table, which passes if ``failing_rows`` selects no rows."""

    table: str
    name: str
    description: str
    severity: str
    """The effect of a failed check: ``fail`` stops the run, and ``warn`` does not."""
    failing_rows: str
    """A SQL template for a query that selects the failing rows."""


class Result(NamedTuple):
    """The result of a check, which passed if ``failing`` is 0."""

    check: Check
    failing: int
    sample: str
    """The first failing rows as JSON lines."""


# The results that this process wrote last, for the lineage of the task `publish`.
written: list[Result] = []


@functools.cache
def declaration(table: str) -> dict[str, Any]:
    """Return the declared checks of a table: ``columns`` in the format of the provider, and ``rows``."""
    path = FOLDER / f"{table}.yaml"
    if table in STAGING and not path.exists():
        return {}
    found: dict[str, Any] = yaml.load(path.read_text(), Loader=yaml.CSafeLoader)
    return found


def row_checks(table: str) -> list[Check]:
    """Return the checks that are declared under ``rows``.

    :raises TypeError: a check has no description, severity or failing_rows, or has an unknown key.
    """
    return [Check(table, name, **check) for name, check in declaration(table).get("rows", {}).items()]


def column_checks(table: str) -> list[Check]:
    """Return the checks that are declared under ``columns``, which all have severity ``fail``."""
    relation = f"{{{{ run_schema() }}}}.{table}"
    checks = []
    for column, kinds in declaration(table).get("columns", {}).items():
        for kind, bound in kinds.items():
            if kind == "unique_check":
                description = f"{column} is unique"
                failing_rows = (
                    f"select {column}, count(*) as copies from {relation} group by 1 having count(*) > 1"
                )
            else:
                limits = " and ".join(f"{BOUNDS[word][0]} {value}" for word, value in bound.items())
                description = f"the {kind} of {column} is {limits}"
                beyond = " or ".join(f"{column} {BOUNDS[word][1]} {value}" for word, value in bound.items())
                failing_rows = f"select * from {relation} where {beyond}"
            checks.append(Check(table, f"{column}.{kind}", description, "fail", failing_rows))
    return checks


def all_checks(tables: Iterable[str] = CHECKED) -> list[Check]:
    """Return all checks of the tables."""
    return [check for table in tables for check in column_checks(table) + row_checks(table)]


def required() -> list[Check]:
    """Return the checks that must pass before a run publishes."""
    return [check for check in all_checks() if check.severity == "fail"]


def operators(
    task_id: str, *tables: str, **arguments: Any
) -> list[SQLColumnCheckOperator | SQLTableCheckOperator]:
    """Return operators that run the checks of the tables with severity ``fail``.

    Each task has an overhead of about a second in Airflow, so one task runs the row checks of all tables.
    SQLColumnCheckOperator checks only one table, so each table with column checks has a separate task.

    :param task_id: the ID of the task for the row checks. The IDs of the other tasks are ``<table>_columns``.
    :param arguments: further arguments of the operators.
    """
    found: list[SQLColumnCheckOperator | SQLTableCheckOperator] = []
    rows = [check for table in tables for check in row_checks(table) if check.severity == "fail"]
    common: dict[str, Any] = {"conn_id": warehouse.CONN_ID, "retry_on_failure": False, **arguments}
    if rows:
        found.append(
            SQLTableCheckOperator(
                task_id=task_id,
                # The operator reads this table once per check. The statement of each check names the tables to check.
                table="(select 1 as one) as one_row",
                checks={_alias(check): {"check_statement": _statement(check)} for check in rows},
                post_execute=functools.partial(keep_passed, rows),
                on_failure_callback=functools.partial(record_failed, rows),
                doc_md=f"The `rows` of include/checks/{{{','.join(tables)}}}.yaml with severity fail",
                **common,
            )
        )
    for table in tables:
        if columns := column_checks(table):
            found.append(
                SQLColumnCheckOperator(
                    task_id=f"{table}_columns",
                    table=f"{{{{ run_schema() }}}}.{table}",
                    # The provider writes its results to the mapping, so pass a copy to each task.
                    column_mapping={
                        column: {kind: dict(bound) for kind, bound in kinds.items()}
                        for column, kinds in declaration(table)["columns"].items()
                    },
                    post_execute=functools.partial(keep_passed, columns),
                    on_failure_callback=functools.partial(record_failed, columns),
                    doc_md=f"The `columns` of include/checks/{table}.yaml",
                    **common,
                )
            )
    return found


def _alias(check: Check) -> str:
    return f"{check.table}__{check.name}"


def _statement(check: Check) -> str:
    """Return the condition of a row check for SQLTableCheckOperator.

    If another run has published since the plan, a check that compares candidates with published rows is meaningless. In
    this case, the check passes, because `publish` rebuilds the candidates and runs all checks on the result.
    """
    # The aggregate returns one row even for an empty table. Without a row, the provider has no result.
    condition = f"count(*) >= 0 and ((select count(*) from ({check.failing_rows}) as failing) = 0"
    if "{{ star() }}" in check.failing_rows or "{{ ops() }}" in check.failing_rows:
        condition += " or {{ newest_commit() }} <> '{{ planned_commit() }}'"
    return condition + ")"


def keep_passed(checks: list[Check], context: Mapping[str, Any], result: Any = None) -> None:
    """Push the passed checks and the run schema to XCom for `publish`.

    Airflow calls this function as ``post_execute``.
    """
    passed = {
        "run_schema": plan_of(context)["run_schema"],
        "checks": [[check.table, check.name] for check in checks],
    }
    context["ti"].xcom_push(key=PASSED, value=passed)


def passed_checks(context: Mapping[str, Any], task_ids: Iterable[str]) -> set[tuple[str, str]]:
    """Return the checks that passed in the run schema, from the XComs of the check tasks, as (table, check)."""
    schema, found = plan_of(context)["run_schema"], set()
    for kept in context["ti"].xcom_pull(task_ids=list(task_ids), key=PASSED) or []:
        if kept and kept["run_schema"] == schema:
            found |= {(table, name) for table, name in kept["checks"]}
    return found


def record_failed(checks: list[Check], context: Mapping[str, Any]) -> None:
    """Store the results of a failed check task, with a sample of the failing rows, and send a notification."""
    task = context["task"]
    outcome = {result.name: bool(result.success) for result in getattr(task, "check_results", [])}
    ran = [check for check in checks if check.name in outcome or _alias(check) in outcome]
    failed = [check for check in ran if not outcome.get(check.name, outcome.get(_alias(check)))]
    if not failed:
        notify.failure(context)
        return

    def record(cursor: Any) -> list[Result]:
        found = run_checks(cursor, context, failed)
        rest = [Result(check, 0, "") for check in ran if check not in failed]
        insert_results(cursor, context, [*rest, *found])
        return found

    results = warehouse.transaction(record, "record check results") or []
    for result in results:
        log.error("%s", describe(result))
    error = DataError(
        "the star is unchanged. Failed checks: "
        + "\n".join(map(describe, results))
        + f"\nAll results: select * from {ops()}.quality_results where run_id = '{context['run_id']}'"
        + "\nNext: fix the cause, then clear the task `plan` with its downstream tasks."
    )
    notify.failure(context, error)


def warnings(cursor: Any, context: Mapping[str, Any]) -> list[Result]:
    """Run the checks with severity ``warn`` on the candidates, and log the failed checks."""
    results = run_checks(cursor, context, [check for check in all_checks() if check.severity == "warn"])
    log_warnings(results)
    return results


def log_warnings(results: Iterable[Result]) -> None:
    """Log the results of failed checks."""
    for result in results:
        if result.failing:
            log.warning("%s", describe(result))


def run_checks(cursor: Any, context: Mapping[str, Any], checks: Iterable[Check]) -> list[Result]:
    """Run checks in the transaction of a cursor, with one statement per table and another one per failed check."""
    results = []
    for _, of_table in itertools.groupby(checks, key=lambda check: check.table):
        group = list(of_table)
        rendered = {
            check.name: str(context["task"].render_template(check.failing_rows, context)) for check in group
        }
        cursor.execute(
            " union all ".join(
                f"select '{name}' as name, count(*) as failing from ({rows}) as failing_rows"
                for name, rows in rendered.items()
            )
        )
        counts = dict(cursor.fetchall())
        results += [
            Result(
                check, counts[check.name], _sample(cursor, rendered[check.name]) if counts[check.name] else ""
            )
            for check in group
        ]
    return results


def insert_results(cursor: Any, context: Mapping[str, Any], results: Iterable[Result]) -> None:
    """Replace the results of the given checks in ``quality_results``, in the transaction of a cursor."""
    results = list(results)
    written[:] = results
    table, run_id = f"{ops()}.quality_results", context["run_id"]
    plan = context["ti"].xcom_pull(task_ids="plan", key="plan")
    interval = [datetime.datetime.fromisoformat(plan[name]) for name in ("interval_start", "interval_end")]
    columns = (
        "table_name", "check_name", "severity", "description", "actual", "passed", "sample",
        "run_id", "interval_start", "interval_end", "checked_at",
    )  # fmt: skip
    cursor.execute("select getdate()")
    now = cursor.fetchone()[0]
    rows = [
        (
            check.table, check.name, check.severity, check.description,
            _failing(count) if count else "passed", not count, sample, run_id, *interval, now,
        )
        for check, count, sample in results
    ]  # fmt: skip
    pairs = " or ".join(["(table_name = %s and check_name = %s)"] * len(rows))
    cursor.execute(
        f"delete from {table} where run_id = %s and ({pairs})",
        (run_id, *(value for row in rows for value in row[:2])),
    )
    warehouse.insert(cursor, table, columns, rows)


def _failing(count: int) -> str:
    return f"{count} failing row{'' if count == 1 else 's'}"


def describe(result: Result) -> str:
    """Return a description of a failed check, with a sample of the failing rows."""
    check, count, sample = result
    return f"{check.table}.{check.name} ({check.severity}): {check.description}; {_failing(count)}:\n{sample}"


def _sample(cursor: Any, failing_rows: str) -> str:
    """Return the first failing rows as JSON lines."""
    cursor.execute(f"select * from ({failing_rows}) as failing_rows limit {SAMPLE_ROWS}")
    names = [column[0] for column in cursor.description]
    return _pack([dict(zip(names, row, strict=True)) for row in cursor.fetchall()])


def _pack(rows: list[dict[str, Any]]) -> str:
    """Return the rows as JSON lines, as many as fit in :data:`SAMPLE_BYTES`."""
    text = ""
    for row in rows:
        line = orjson.dumps(row, default=_plain).decode()
        if len((text + line).encode()) >= SAMPLE_BYTES:
            break
        text += line + "\n"
    return text.rstrip("\n")


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, decimal.Decimal) else str(value)
