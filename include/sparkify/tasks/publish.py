"""Publish the candidates of a run. They become the star in one transaction, or nothing changes."""

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
    """Rows ``deleted``, ``inserted`` and ``updated`` by table."""
    refused: list[str]
    """``key: reason`` of the files that the run refused."""
    replaced: list[str]
    """Keys of files that were left out, because this run's version is not the current one."""


def publish(
    context: Mapping[str, Any],
    validated: list[Validated],
    passed: set[tuple[str, str]],
    build: Mapping[str, str],
    apply: Mapping[str, str],
    duplicate_keys: str,
) -> Published:
    """Publish the candidates of the run.

    Writers queue up for one lock. The candidates are published as they were audited, unless another run has published
    since the plan. Then the files that it has published are left out, the same SQL rebuilds the candidates from the
    staged lines under the lock, and every check runs on the result in the same transaction. So only audited rows are
    published, and any number of runs, in any order, ends in the same rows.

    :param context: the Airflow context of the task.
    :param validated: the results of all chunks.
    :param passed: (table, check) of the checks that passed.
    :param build: rendered scripts of ``include/sql/build`` by table, in their order.
    :param apply: rendered scripts of ``include/sql/publish`` by table, in their order.
    :param duplicate_keys: rendered script that selects (table, key) of published rows that share a key.
    :raises DataError: the schema of the run does not have the rows that were staged and audited, a check failed under
        the lock, or a key would be published twice. Nothing is changed.
    :raises TransientError, ConfigurationError: the warehouse did not answer, or refused access. Nothing is changed.
    """
    run_id, plan = context["run_id"], plan_of(context)
    schema, commit_id = plan["run_schema"], uuid.uuid4().hex
    chunks = results_of(plan, validated)
    required = checks.required()
    missing = sorted(
        f"{check.table}.{check.name}" for check in required if (check.table, check.name) not in passed
    )
    if missing:
        raise DataError(f"not passed in this run: {', '.join(missing)}; nothing was published. {CLEAR}")
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

    # Before the lock is taken, so that no writer waits for these checks.
    warned = warehouse.transaction(count_warnings, "count warnings") or []

    def work(cursor: Any) -> None:
        warehouse.lock(cursor)
        cursor.execute(f"select coalesce(max(version), 0) from {ops()}.publish_log")
        now = cursor.fetchone()[0]
        replaced: list[str] = []
        results = [*audited, *warned]
        if now != plan["version"]:
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
                f"rows with the same key would be published; nothing was changed. {keys}. {CLEAR}"
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
    """Check that the run has published every file of its interval.

    :param published: None if the task was marked as successful by hand.
    :raises DataError: nothing was published, or a file was left out, which the message names.
    """
    if published is None:
        raise DataError(f"the task `publish` has published nothing. {CLEAR}")
    if left_out := describe_left_out(published["refused"], published["replaced"]):
        raise DataError(f"everything else is loaded, but {left_out}")


def _assert_staged(cursor: Any, schema: str, chunks: list[Validated]) -> None:
    """Refuse a schema that was dropped, or recreated and is empty, which happens if individual tasks are cleared.

    :raises DataError: the schema does not have all files and lines that were validated.
    """
    cursor.execute(f"select count(*) from {ops()}.run_schemas where run_schema = %s", (schema,))
    if not cursor.fetchone()[0]:
        raise DataError(f"the run has ended and {schema} is dropped; nothing was published. {CLEAR}")
    counts = [f"(select count(*) from {schema}.{source.staging})" for source in SOURCES]
    cursor.execute(f"select (select count(*) from {schema}.staging_files), {' + '.join(counts)}")
    files, rows = cursor.fetchone()
    wanted_files, wanted_rows = (sum(chunk[name] for chunk in chunks) for name in ("files", "rows"))
    if files != wanted_files or rows != wanted_rows:
        raise DataError(
            f"{schema} has {rows} rows of {files} files, but {wanted_rows} rows of {wanted_files} files were "
            f"validated; nothing was published. {CLEAR}"
        )


def _audit_again(cursor: Any, context: Mapping[str, Any]) -> list[checks.Result]:
    """Run every check on the candidates that were rebuilt.

    :raises DataError: a check that stops the run failed.
    """
    results = checks.run_checks(cursor, context, checks.all_checks())
    failed = [result for result in results if result.failing and result.check.severity == "fail"]
    if failed:
        # The rows may name people, so write them to the log, not to a message that is sent on.
        for result in failed:
            log.error("%s", checks.describe(result))
        described = ", ".join(f"{result.check.table}.{result.check.name}" for result in failed)
        raise DataError(
            "another run has published meanwhile, and the candidates that were rebuilt under the lock failed: "
            f"{described}. Nothing was published; the log has failing rows. {CLEAR}"
        )
    checks.log_warnings(results)
    return results


class StagedFile(NamedTuple):
    """A file of a run, as `publish` sees it when other runs have published since the plan."""

    key: str
    etag: str
    """The version that the run has read, or an empty string if the file has vanished from the lake."""
    planned: str
    """The version that the ledger had when the run was planned, or an empty string if it had none."""
    loaded: str
    """The version that the ledger has now."""
    is_empty: bool = False
    """Whether the version that the run has read has no line."""

    @property
    def is_loaded(self) -> bool:
        """Return whether another run has loaded the same version, so that it needs no second load."""
        return self.planned != self.loaded == self.etag

    @property
    def is_conflict(self) -> bool:
        """Return whether another run has loaded another version."""
        return self.loaded not in (self.planned, self.etag)

    def is_replaced(self, present: str | None) -> bool:
        """Return whether this run's version must not be published.

        :param present: the version in the lake now, or None if the file is not there.
        """
        # `validate` has not refused this empty version, because the run was planned before another one was loaded.
        if self.is_conflict and self.is_empty and self.loaded:
            return True
        return present != (self.etag or None) and (self.is_conflict or present is None)


def _leave_out(cursor: Any, plan: Plan) -> list[str]:
    """Leave out the files that another run has published since the plan, at the same version or another.

    If the two runs read different versions, this run's version stays only if it is the one in the lake now and has
    lines. After a full refresh, files that are no longer in the lake are also left out.

    :returns: the keys of the files whose current version is not this run's.
    """
    schema = plan["run_schema"]
    cursor.execute(
        f"select count(*) from {ops()}.publish_log where version > %s and mode = 'full_refresh'",
        (plan["version"],),
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
        log.warning(
            "%s was published by another run meanwhile, and this run's version is not the present one", key
        )
    left_out = sorted({*replaced, *(file.key for file in files if file.is_loaded)})
    for table in STAGING:
        warehouse.delete_keys(cursor, f"{schema}.{table}", left_out)
    return replaced


def _forget_rejects(cursor: Any, plan: Plan) -> None:
    """Delete the rejects and refusals of the loaded files if they have the loaded version or are older than the plan.

    Rows that another run has recorded since then may be of a newer version. A full refresh has read every file of the
    lake, so it deletes all rows that are older than its plan.
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
