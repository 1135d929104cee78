"""The schema of a run: created when there is something to load, dropped when the run ends, swept if the run died."""

from __future__ import annotations

import gzip
import logging
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from include.sparkify import lake, warehouse
from include.sparkify.errors import DataError
from include.sparkify.plan import Plan, check_refused_songs, describe_left_out
from include.sparkify.settings import ops, run_prefix, run_schema, settings
from include.sparkify.tables import STAGING
from include.sparkify.validate import Validated

# No run lasts this long (SPARKIFY_RUN_HOURS), so older schemas are orphans.
ABANDONED_AFTER_DAYS = 2
_EMPTY_GZIP = gzip.compress(b"", mtime=0)

log = logging.getLogger(__name__)


def open_run(
    run_id: str, plan: Plan, validated: Iterable[Validated], scripts: Mapping[str, str]
) -> dict[str, str]:
    """Create the schema of the run with its empty tables, and write the COPY manifests of all chunks.

    :param scripts: rendered scripts of ``include/sql/open_run``.
    :returns: the key of the manifest in the work bucket by staging table.
    :raises DataError: no file is left to load because all were refused, or too many song files were.
    :raises TransientError, ConfigurationError: AWS or the warehouse did not answer, or refused access.
    """
    chunks = list(validated)
    refused = [*plan["refused"], *(file for chunk in chunks for file in chunk["refused"])]
    refused_songs = plan["refused_songs"] + sum(chunk["refused_songs"] for chunk in chunks)
    check_refused_songs(refused_songs, plan["listed_songs"], refused)
    if not sum(chunk["files"] for chunk in chunks):
        raise DataError(
            f"nothing was published. {describe_left_out(refused, [])}"
            if refused
            else (
                "every file of the run was deleted from the lake after it was listed. Next: run the interval again."
            )
        )
    schema = run_schema(run_id)
    sweep()

    def announce(cursor: Any) -> None:
        warehouse.lock(cursor)
        cursor.execute(f"delete from {ops()}.run_schemas where run_schema = %s", (schema,))
        cursor.execute(
            f"insert into {ops()}.run_schemas (run_schema, run_id, created_at) values (%s, %s, getdate())",
            (schema, run_id),
        )

    def create(cursor: Any) -> None:
        cursor.execute(f"drop schema if exists {schema} cascade")
        cursor.execute(f"create schema {schema}")
        for script in scripts.values():
            warehouse.execute(cursor, script)

    # Register the schema before creating it, so that `sweep` finds it if the worker dies in between.
    warehouse.transaction(announce, f"register schema {schema}")
    warehouse.transaction(create, f"create schema {schema}")
    return _write_manifests(run_id, chunks)


def _write_manifests(run_id: str, chunks: list[Validated]) -> dict[str, str]:
    """Write one COPY manifest per staging table; a table without rows gets an empty piece."""
    s3, bucket, prefix = lake.client(), settings().work_bucket, run_prefix(run_id)
    manifests = {}
    for table in STAGING:
        addresses = [address for chunk in chunks for address in chunk["pieces"][table]]
        if not addresses:
            addresses = [lake.put(s3, bucket, f"{prefix}/{table}.empty.json.gz", _EMPTY_GZIP)]
        entries = [{"url": address, "mandatory": True} for address in addresses]
        manifests[table] = f"{prefix}/{table}.manifest"
        lake.put(s3, bucket, manifests[table], orjson.dumps({"entries": entries}))
    return manifests


def close_run(run_id: str) -> None:
    """Drop the schema of the run, and its registration."""
    _drop(run_schema(run_id))


def sweep() -> list[str]:
    """Drop the schemas of dead runs, and return their names."""
    dead = warehouse.query(
        f"select run_schema from {ops()}.run_schemas "
        f"where created_at < dateadd(day, -{ABANDONED_AFTER_DAYS}, getdate()) order by run_schema"
    )
    for (schema,) in dead:
        log.warning("dropping schema %s of a dead run", schema)
        _drop(schema)
    return [schema for (schema,) in dead]


def _drop(schema: str) -> None:
    def drop(cursor: Any) -> None:
        cursor.execute(f"drop schema if exists {schema} cascade")

    def forget(cursor: Any) -> None:
        warehouse.lock(cursor)
        cursor.execute(f"delete from {ops()}.run_schemas where run_schema = %s", (schema,))

    # Two transactions: a session that still reads a table of the schema must not make the writers wait.
    warehouse.transaction(drop, f"drop schema {schema}")
    warehouse.transaction(forget, f"forget schema {schema}")
