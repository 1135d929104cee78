"""Publish the candidates of a run in one transaction."""

from __future__ import annotations

import concurrent.futures
import logging
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple, TypedDict

from include.sparkify.errors import DataError
from include.sparkify.files import lake
from include.sparkify.files.source import READERS
from include.sparkify.redshift import warehouse
from include.sparkify.run_plan import CLEAR, Plan, plan_of
from include.sparkify.settings import ops, settings
from include.sparkify.tables import SOURCES, STAGING
from include.sparkify.tasks import checks
from include.sparkify.tasks.plan import describe_left_out
from include.sparkify.tasks.run import list_refused, results_of
from include.sparkify.tasks.validate import Validated

log = logging.getLogger(__name__)


class Published(TypedDict):
    """The result of the task `publish`."""

    run_schema: str
    version: int
    changed: dict[str, dict[str, int]]
    """Number of rows ``deleted``, ``inserted`` and ``updated``, by table."""
    refused: list[str]
    """The files that the run refused, as ``key: reason``."""
    replaced: list[str]
    """Keys of files that were left out because of a publish of another run since the plan."""


def publish(
    context: Mapping[str, Any],
    validated: list[Validated],
    passed: set[tuple[str, str]],
    build: Mapping[str, str],
    apply: Mapping[str, str],
    duplicate_keys: str,
) -> Published:
    """Publish the candidates of the run.

    Writers wait for one lock. If no other run has published since the plan, the audited candidates are published.
    Otherwise, the files that the other run has published are left out, the same SQL rebuilds the candidates from the
    staged lines while the lock is held, and all checks run on the result in the same transaction. Therefore, only
    audited rows are published, and any number of runs, in any order, produces the same rows.

    :param context: the Airflow context of the task.
    :param validated: the results of all chunks.
    :param passed: the checks that passed, as (table, check).
    :param build: rendered scripts of ``include/sql/build`` by table, in order.
    :param apply: rendered scripts of ``include/sql/publish`` by table, in order.
    :param duplicate_keys: rendered script that selects the duplicate keys of published rows, as (table, key).
    :raises DataError: the schema of the run does not contain the rows that were staged and audited, a check of rebuilt
        candidates failed, or a key would be published twice. Nothing is changed.
    :raises TransientError, ConfigurationError: the warehouse did not respond, or denied access. Nothing is changed.
    """
    run_id, plan = context["run_id"], plan_of(context)
    schema, commit_id = plan["run_schema"], uuid.uuid4().hex
    chunks = results_of(plan, validated)
    required = checks.required()
    missing = sorted(
        f"{check.table}.{check.name}" for check in required if (check.table, check.name) not in passed
    )
    if missing:
        raise DataError(f"not passed in this run: {', '.join(missing)}, so nothing was published. {CLEAR}")
    audited = [checks.Result(check, 0, "") for check in required]
    result: Published = {
        "run_schema": schema,
        "version": 0,
        "changed": {},
        "refused": list_refused(plan, chunks),
        "replaced": [],
    }

    def count_warnings(cursor: Any) -> list[checks.Result]:
        _assert_staged(cursor, schema, chunks)
        return checks.warnings(cursor, context)

    # Run these checks before the lock is acquired, so that no writer waits for them.
    warned = warehouse.transaction(count_warnings, "count warnings") or []

    def work(cursor: Any) -> None:
        warehouse.lock(cursor)
        cursor.execute(f"select version, commit_id from {ops()}.publish_log order by version desc limit 1")
        now, newest = cursor.fetchone() or (0, "")
        replaced: list[str] = []
        results = [*audited, *warned]
        if newest != plan["commit_id"]:
            log.info("another run has published since the plan: rebuilding the candidates under the lock")
            replaced = _leave_out(cursor, plan)
            for script in build.values():
                warehouse.execute(cursor, script)
            results = _audit_again(cursor, context)
        cursor.execute(
            f"insert into {ops()}.publish_log (version, commit_id, run_id, mode, published_at) "
            "values (%s, %s, %s, %s, getdate())",
            (now + 1, commit_id, run_id, plan["mode"]),
        )
        changed = {table: warehouse.execute(cursor, script) for table, script in apply.items()}
        _forget_rejects(cursor, plan)
        cursor.execute(duplicate_keys)
        doubled = cursor.fetchall()
        if doubled:
            keys = "; ".join(f"{table}: {key}" for table, key in doubled[:10])
            raise DataError(
                f"rows with the same key would be published, so nothing was changed. {keys}. {CLEAR}"
            )
        checks.insert_results(cursor, context, results)
        # Set the result here, because a return value would be lost with the acknowledgment of the commit.
        result.update({"version": now + 1, "changed": changed, "replaced": replaced})

    def is_done(cursor: Any) -> bool:
        cursor.execute(f"select count(*) from {ops()}.publish_log where commit_id = %s", (commit_id,))
        return bool(cursor.fetchone()[0])

    warehouse.transaction(work, f"publish {run_id}", is_done)
    for table, rows in result["changed"].items():
        log.info("%s: %s", table, ", ".join(f"{count} rows {kind}" for kind, count in rows.items()))
    return result


def check_complete(published: Published | None) -> None:
    """Check that the run has published all of its files.

    :param published: the result of `publish`, or None if a user marked that task as success.
    :raises DataError: the run did not publish, or files were left out. The message names these files.
    """
    if published is None:
        raise DataError(f"the task `publish` has published nothing. {CLEAR}")
    if left_out := describe_left_out(published["refused"], published["replaced"]):
        raise DataError(f"all other files are loaded, but {left_out}")


def _assert_staged(cursor: Any, schema: str, chunks: list[Validated]) -> None:
    """Fail if the schema was dropped, or is empty because it was recreated, after individual tasks were cleared.

    :raises DataError: the schema does not contain all validated files and lines.
    """
    cursor.execute(f"select count(*) from {ops()}.run_schemas where run_schema = %s", (schema,))
    if not cursor.fetchone()[0]:
        raise DataError(f"the run has ended and {schema} was dropped, so nothing was published. {CLEAR}")
    counts = [f"(select count(*) from {schema}.{source.staging})" for source in SOURCES]
    cursor.execute(f"select (select count(*) from {schema}.staging_files), {' + '.join(counts)}")
    files, rows = cursor.fetchone()
    wanted_files, wanted_rows = (sum(chunk[name] for chunk in chunks) for name in ("files", "rows"))
    if files != wanted_files or rows != wanted_rows:
        raise DataError(
            f"{schema} has {rows} rows of {files} files, but {wanted_rows} rows of {wanted_files} files were "
            f"validated, so nothing was published. {CLEAR}"
        )


def _audit_again(cursor: Any, context: Mapping[str, Any]) -> list[checks.Result]:
    """Run every check on the candidates that were rebuilt.

    :raises DataError: a check that stops the run failed.
    """
    results = checks.run_checks(cursor, context, checks.all_checks())
    failed = [result for result in results if result.failing and result.check.severity == "fail"]
    if failed:
        # The rows may contain names of people, so write them to the log and not to the message, which may be sent by
        # email.
        for result in failed:
            log.error("%s", checks.describe(result))
        described = ", ".join(f"{result.check.table}.{result.check.name}" for result in failed)
        raise DataError(
            "another run has published meanwhile, and the candidates that were rebuilt under the lock failed: "
            f"{described}. Nothing was published. For the failing rows, see the log. {CLEAR}"
        )
    checks.log_warnings(results)
    return results


class StagedFile(NamedTuple):
    """A file of a run, with the versions that `publish` compares if other runs have published since the plan."""

    key: str
    etag: str
    """The version that the run read, or an empty string if the file is no longer in the lake."""
    planned: str
    """The version in the ledger when the run was planned, or an empty string if the file was not in the ledger."""
    loaded: str
    """The version that is now in the ledger."""
    is_empty: bool
    """Whether the version that the run read has no line."""

    @property
    def is_loaded(self) -> bool:
        """Return whether another run has loaded the same version, so that this run does not load it again."""
        return self.planned != self.loaded == self.etag

    @property
    def is_conflict(self) -> bool:
        """Return whether another run has loaded another version."""
        return self.loaded not in (self.planned, self.etag)

    def is_replaced(self, present: str | None) -> bool:
        """Return whether the version of this run must not be published.

        :param present: the version that is now in the lake, or None if the file does not exist.
        """
        # `validate` has not refused this empty version, because the run was planned before another one was loaded.
        if self.is_conflict and self.is_empty and self.loaded:
            return True
        return present != (self.etag or None) and (self.is_conflict or present is None)


def _leave_out(cursor: Any, plan: Plan) -> list[str]:
    """Delete files that another run has published since the plan from the staging tables.

    If the two runs read different versions of a file, the version of this run is kept only if it is now in the lake and
    has lines. After a full refresh, files that are no longer in the lake are also left out.

    :returns: the keys of the files whose version in this run must not be published.
    """
    schema = plan["run_schema"]
    cursor.execute(
        f"select count(*) from {ops()}.publish_log where mode = 'full_refresh' and version > "
        f"(select coalesce(max(version), 0) from {ops()}.publish_log where commit_id = %s)",
        (plan["commit_id"],),
    )
    refreshed = cursor.fetchone()[0] > 0
    cursor.execute(
        "select f.source_key, f.etag, f.ledger_etag, coalesce(l.etag, ''), f.lines = 0 and not f.vanished "
        f"from {schema}.staging_files as f left join {ops()}.loaded_files as l "
        "on f.source_key = l.source_key and l.kind = f.kind"
    )
    files = [StagedFile(*row) for row in cursor.fetchall()]
    suspects = [file for file in files if file.is_conflict or refreshed]
    s3, bucket = lake.client(), settings().source_bucket
    with concurrent.futures.ThreadPoolExecutor(READERS) as pool:
        present = list(pool.map(lambda file: lake.find_etag(s3, bucket, file.key), suspects))
    replaced = [file.key for file, now in zip(suspects, present, strict=True) if file.is_replaced(now)]
    for key in replaced:
        log.warning("another run has published meanwhile, so the version of this run is left out: %s", key)
    left_out = sorted({*replaced, *(file.key for file in files if file.is_loaded)})
    for table in STAGING:
        warehouse.delete_keys(cursor, f"{schema}.{table}", left_out)
    return replaced


def _forget_rejects(cursor: Any, plan: Plan) -> None:
    """Delete the rejects and refusals of loaded files that have the loaded version or are older than the plan.

    Rows that another run has recorded since the plan may belong to a newer version, so they are kept. A full refresh
    reads every file of the lake, so it deletes all rows that are older than its plan.
    """
    read_at = datetime.fromisoformat(plan["read_at"])
    for table, kept_at, only in (
        ("refused_files", "refused_at", ""),
        ("rejected_lines", "rejected_at", "and f.rejected = 0 "),
    ):
        cursor.execute(
            f"delete from {ops()}.{table} using {plan['run_schema']}.staging_files as f "
            f"where {table}.source_key = f.source_key {only}and ({table}.etag = f.etag or {kept_at} < %s)",
            (read_at,),
        )
        if plan["mode"] == "full_refresh":
            cursor.execute(f"delete from {ops()}.{table} where {kept_at} < %s", (read_at,))
