"""Publish the candidates of a run: they become the star in one transaction, or nothing changes."""

from __future__ import annotations

import concurrent.futures
import logging
import uuid
from collections.abc import Mapping
from typing import Any, TypedDict

from include.sparkify import lake, warehouse
from include.sparkify.checks import required
from include.sparkify.errors import DataError
from include.sparkify.plan import Plan
from include.sparkify.settings import ops, run_schema, settings
from include.sparkify.source import READERS
from include.sparkify.tables import STAGING
from include.sparkify.validate import Validated

log = logging.getLogger(__name__)

_CLEAR = "Next: clear the task `plan` with everything downstream; the run starts over, which is safe."


class Published(TypedDict):
    """The result of the task `publish`."""

    version: int
    changed: dict[str, dict[str, int]]
    """Rows ``deleted``, ``inserted`` and ``updated`` by table."""
    replaced: list[str]
    """Keys of files that were left out: another run had loaded another version of them, and it is the present one."""


def publish(
    run_id: str,
    plan: Plan,
    validated: list[Validated],
    build: Mapping[str, str],
    apply: Mapping[str, str],
    duplicate_keys: str,
) -> Published:
    """Publish the candidates of the run.

    Writers queue up on one lock. The candidates are published as they were audited, unless another run has published
    since the schema of the run was created: then they are derived again, under the lock, by the same SQL from the same
    audited lines. So any order of any number of runs ends in the same rows.

    :param validated: the results of all chunks.
    :param build: rendered scripts of ``include/sql/build`` by table, in their order.
    :param apply: rendered scripts of ``include/sql/publish`` by table, in their order.
    :param duplicate_keys: rendered script that selects (table, key) of published rows that share a key.
    :raises DataError: the schema of the run is not what was staged and audited, or a key would be published twice.
    :raises TransientError, ConfigurationError: the warehouse did not answer, or refused access; nothing is changed.
    """
    schema, commit_id = run_schema(run_id), uuid.uuid4().hex
    result: Published = {"version": 0, "changed": {}, "replaced": []}

    def work(cursor: Any) -> None:
        warehouse.lock(cursor)
        _assert_staged_and_audited(cursor, schema, run_id, validated)
        cursor.execute(
            f"select (select coalesce(max(version), 0) from {ops()}.publish_log), "
            f"(select version from {schema}.base_version)"
        )
        now, base = cursor.fetchone()
        replaced: list[str] = []
        if now != base:
            log.info("another run has published since: deriving the candidates again under the lock")
            replaced = _leave_out_replaced(cursor, schema, base)
            for script in build.values():
                warehouse.execute(cursor, script)
        cursor.execute(
            f"insert into {ops()}.publish_log (version, commit_id, run_id, mode, published_at) "
            "values (%s, %s, %s, %s, getdate())",
            (now + 1, commit_id, run_id, plan["mode"]),
        )
        changed = {table: warehouse.execute(cursor, script) for table, script in apply.items()}
        cursor.execute(duplicate_keys)
        doubled = cursor.fetchall()
        if doubled:
            keys = "; ".join(f"{table}: {key}" for table, key in doubled[:10])
            raise DataError(
                f"rows with the same key would be published; nothing was changed. {keys}. {_CLEAR}"
            )
        # Not returned: the acknowledgement of the commit may be lost.
        result.update({"version": now + 1, "changed": changed, "replaced": replaced})

    def is_done(cursor: Any) -> bool:
        cursor.execute(f"select count(*) from {ops()}.publish_log where commit_id = %s", (commit_id,))
        return bool(cursor.fetchone()[0])

    warehouse.transaction(work, f"publish {run_id}", is_done)
    for table, rows in result["changed"].items():
        log.info("%s: %s", table, ", ".join(f"{count} rows {kind}" for kind, count in rows.items()))
    return result


def _assert_staged_and_audited(cursor: Any, schema: str, run_id: str, validated: list[Validated]) -> None:
    """Refuse a schema that was created again and is empty, which happens if single tasks are cleared.

    :raises DataError: not everything validated is staged, or a check did not pass since the schema was created.
    """
    cursor.execute(
        f"select (select count(*) from {schema}.staging_files), "
        f"(select count(*) from {schema}.staging_events) + (select count(*) from {schema}.staging_songs)"
    )
    files, rows = cursor.fetchone()
    wanted_files, wanted_rows = (sum(chunk[name] for chunk in validated) for name in ("files", "rows"))
    if files != wanted_files or rows != wanted_rows:
        raise DataError(
            f"{schema} has {rows} rows of {files} files, but {wanted_rows} rows of {wanted_files} files were "
            f"validated; nothing was published. {_CLEAR}"
        )
    cursor.execute(
        f"select q.table_name, q.check_name, q.passed from {ops()}.quality_results as q "
        f"inner join {ops()}.run_schemas as r on q.run_id = r.run_id and q.checked_at >= r.created_at "
        "where r.run_schema = %s and q.severity = 'fail'",
        (schema,),
    )
    results = {(table, check): passed for table, check, passed in cursor.fetchall()}
    missing = sorted(f"{table}.{check}" for table, check in required() if not results.get((table, check)))
    if missing:
        raise DataError(f"not passed in this run: {', '.join(missing)}; nothing was published. {_CLEAR}")


def _leave_out_replaced(cursor: Any, schema: str, base: int) -> list[str]:
    """Take files out of the run of which another run has published another version since the plan.

    The lake decides which of the two is the present version. After a full refresh, files that left the lake are taken
    out too.

    :param base: the version of the star when the schema of the run was created.
    :returns: the keys of the files that were left out.
    """
    cursor.execute(
        f"select count(*) from {ops()}.publish_log where version > %s and mode = 'full_refresh'", (base,)
    )
    refreshed = cursor.fetchone()[0] > 0
    cursor.execute(
        "select f.source_key, f.etag, f.vanished, "
        "coalesce(max(l.etag), '') <> f.ledger_etag and coalesce(max(l.etag), '') <> f.etag as is_conflict "
        f"from {schema}.staging_files as f left join {ops()}.loaded_files as l "
        "on f.source_key = l.source_key and l.kind = f.kind "
        "group by f.source_key, f.etag, f.vanished, f.ledger_etag"
    )
    files: list[tuple[str, str, bool, bool]] = [tuple(row) for row in cursor.fetchall()]
    suspects = [file for file in files if file[3] or refreshed]
    s3, bucket = lake.client(), settings().source_bucket
    with concurrent.futures.ThreadPoolExecutor(READERS) as pool:
        present = list(pool.map(lambda file: lake.find_etag(s3, bucket, file[0]), suspects))
    replaced = []
    for (key, etag, vanished, is_conflict), now in zip(suspects, present, strict=True):
        if now == (None if vanished else etag) or not (is_conflict or now is None):
            continue
        log.warning(
            "%s was published by another run meanwhile, and this run's version is not the present one", key
        )
        replaced.append(key)
    for table in STAGING:
        warehouse.delete_keys(cursor, f"{schema}.{table}", replaced)
    return replaced
