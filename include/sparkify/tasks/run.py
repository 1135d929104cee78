"""Create the schema of a run, write the COPY manifests, and drop the schemas of ended and dead runs."""

from __future__ import annotations

import gzip
import logging
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

import orjson

from include.sparkify.errors import DataError
from include.sparkify.files import lake
from include.sparkify.redshift import warehouse
from include.sparkify.run_plan import CLEAR, Plan, of_run
from include.sparkify.settings import ops, run_limit, run_prefix, settings
from include.sparkify.tables import SOURCES, STAGING
from include.sparkify.tasks import checks
from include.sparkify.tasks.plan import check_refused, describe_left_out
from include.sparkify.tasks.validate import Validated

_EMPTY_GZIP = gzip.compress(b"", mtime=0)

log = logging.getLogger(__name__)


def results_of(plan: Plan, validated: Iterable[Validated] | None) -> list[Validated]:
    """Return the results of this try. Airflow may also keep results of an earlier try with more chunks.

    :param validated: the results of `validate`, or None if a user marked the task as success.
    :raises DataError: a result is missing.
    """
    prefix = f"{run_prefix(plan['run_schema'])}/"
    found = [result for result in validated or () if result["chunk"].startswith(prefix)]
    if len(found) != plan["chunks"]:
        raise DataError(f"{len(found)} of {plan['chunks']} chunks of the plan are validated. {CLEAR}")
    return found


def list_refused(plan: Plan, chunks: Iterable[Validated]) -> list[str]:
    """Return the files that the plan or `validate` refused, as ``key: reason``."""
    return [*plan["refused"], *(file for chunk in chunks for file in chunk["refused"])]


def open_run(
    run_id: str, plan: Plan, validated: Iterable[Validated] | None, scripts: Mapping[str, str]
) -> None:
    """Create the schema of the run with empty staging tables, and write the COPY manifests.

    :param scripts: rendered scripts of ``include/sql/open_run``.
    :raises DataError: no file remains to be loaded, or too many song files were refused.
    :raises TransientError, ConfigurationError: AWS or the warehouse did not respond, or denied access.
    """
    chunks = results_of(plan, validated)
    refused = list_refused(plan, chunks)
    for source in SOURCES:
        if not source.daily:
            count = plan["refused_of"].get(source.kind, 0)
            count += sum(chunk["refused_of"].get(source.kind, 0) for chunk in chunks)
            check_refused(source, count, plan["listed"].get(source.kind, 0), refused)
    if not sum(chunk["files"] for chunk in chunks):
        raise DataError(
            f"nothing was published. {describe_left_out(refused, [])}"
            if refused
            else (
                "every file of the run was deleted from the lake after it was listed. Next: run the interval again."
            )
        )
    schema = plan["run_schema"]
    # Use the timeout of this deployment, because another deployment that shares the star may have a shorter timeout.
    seconds = int((run_limit() + timedelta(days=1)).total_seconds())

    def create(cursor: Any) -> None:
        _sweep(cursor)
        _drop(cursor, schema)
        # Use one transaction, so that `sweep` finds the schema even if the worker dies.
        cursor.execute(
            f"insert into {ops()}.run_schemas (run_schema, run_id, expires_at) "
            f"values (%s, %s, dateadd(second, {seconds}, getdate()))",
            (schema, run_id),
        )
        cursor.execute(f"create schema {schema}")
        for script in scripts.values():
            warehouse.execute(cursor, script)

    warehouse.transaction(create, f"create schema {schema}")
    _write_manifests(plan, chunks)


def _write_manifests(plan: Plan, chunks: list[Validated]) -> None:
    """Write one COPY manifest per staging table. For a table without rows, also write an empty piece."""
    s3, bucket, prefix = lake.client(), settings().work_bucket, run_prefix(plan["run_schema"])
    for table in STAGING:
        addresses = [address for chunk in chunks for address in chunk["pieces"][table]]
        if not addresses:
            addresses = [lake.put(s3, bucket, f"{prefix}/{table}.empty.json.gz", _EMPTY_GZIP)]
        entries = [{"url": address, "mandatory": True} for address in addresses]
        lake.put(s3, bucket, f"{prefix}/{table}.manifest", orjson.dumps({"entries": entries}))


def close_run(context: Mapping[str, Any], check_tasks: Iterable[str]) -> None:
    """Drop the schema of the run. If `publish` did not record the passed checks, record them.

    :param check_tasks: the IDs of the check tasks.
    """
    plan = of_run(context)
    if plan is None:
        return
    published = context["ti"].xcom_pull(task_ids="publish")
    passed: set[tuple[str, str]] = set()
    if not published or published["run_schema"] != plan["run_schema"]:
        passed = checks.passed_checks(context, check_tasks)
    results = [
        checks.Result(check, 0, "") for check in checks.required() if (check.table, check.name) in passed
    ]

    def close(cursor: Any) -> None:
        _drop(cursor, plan["run_schema"])
        if results:
            checks.insert_results(cursor, context, results)

    warehouse.transaction(close, f"drop schema {plan['run_schema']}")


def sweep() -> list[str]:
    """Drop the schemas of dead runs, and return their names."""
    return warehouse.transaction(_sweep, "drop the schemas of dead runs") or []


def _sweep(cursor: Any) -> list[str]:
    cursor.execute(
        f"select run_schema from {ops()}.run_schemas where expires_at < getdate() order by run_schema"
    )
    dead = [schema for (schema,) in cursor.fetchall()]
    for schema in dead:
        log.warning("dropping schema %s of a dead run", schema)
        _drop(cursor, schema)
    return dead


def _drop(cursor: Any, schema: str) -> None:
    cursor.execute(f"drop schema if exists {schema} cascade")
    cursor.execute(f"delete from {ops()}.run_schemas where run_schema = %s", (schema,))
