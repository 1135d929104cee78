"""Publishing: the candidates become the star in one transaction, or nothing changes."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from include.sparkify import warehouse
from include.sparkify.checks import required
from include.sparkify.errors import DataError
from include.sparkify.settings import run_schema, star

log = logging.getLogger(__name__)


def publish(
    context: Mapping[str, Any], plan: Mapping[str, Any], build: Sequence[str], apply: Sequence[str]
) -> dict[str, dict[str, int]]:
    """Publish the run's candidates; rows ``deleted``, ``inserted`` and ``updated`` in each table.

    Writers queue up on one lock. The candidates are published as they were audited, unless another run has
    published since the run's schema was made: then they are derived again, under the lock, by the same SQL
    from the same audited lines. So any order of any number of runs ends in the same rows.

    :param plan: what :func:`include.sparkify.plan.make` returned.
    :param build: rendered scripts of ``include/sql/build``, in their order.
    :param apply: rendered scripts of ``include/sql/publish``, in their order; each inserts into its own table.
    :raises DataError: the run's schema is not what was staged and audited, or another run has published a newer
        version of one of its files.
    :raises TransientError, ConfigurationError: as the warehouse says; nothing is changed.
    """
    run_id = context["run_id"]
    schema, token = run_schema(run_id), uuid.uuid4().hex

    def work(cursor: Any) -> dict[str, dict[str, int]]:
        warehouse.lock(cursor)
        _assert_staged_and_audited(cursor, schema, run_id, plan)
        _assert_newest(cursor, schema)
        cursor.execute(
            f"select coalesce(max(generation), 0) from {star()}.publications "
            f"union all select coalesce(max(generation), 0) from {schema}.generation_seen"
        )
        (now,), (seen,) = sorted(cursor.fetchall(), reverse=True)
        if now != seen:
            log.info("another run has published since: deriving the candidates again under the lock")
            for script in build:
                warehouse.execute(cursor, script)
        changed = {}
        for script in apply:
            changed[_table(script)] = warehouse.execute(cursor, script)
        cursor.execute(
            f"insert into {star()}.publications (generation, token, run_id, published_at) "
            "values (%s, %s, %s, getdate())",
            (now + 1, token, run_id),
        )
        return changed

    def done(cursor: Any) -> bool:
        cursor.execute(f"select count(*) from {star()}.publications where token = %s", (token,))
        return bool(cursor.fetchone()[0])

    changed = warehouse.transaction(work, f"publish {run_id}", done) or {}
    for table, rows in changed.items():
        log.info("%s: %s", table, ", ".join(f"{count} rows {kind}" for kind, count in rows.items()))
    return changed


def _table(script: str) -> str:
    """The table that a publish script writes: the one it inserts into."""
    return script.split("insert into ", 1)[1].split("(", 1)[0].strip().rsplit(".", 1)[1]


def _assert_staged_and_audited(cursor: Any, schema: str, run_id: str, plan: Mapping[str, Any]) -> None:
    """Clearing a task alone makes the run's schema anew and empty; publishing that would delete rows.

    :raises DataError: not everything planned is staged, or a check did not pass since the schema was made.
    """
    again = "Clear the task `plan` with everything downstream: the run begins anew, safely."
    cursor.execute(
        f"select count(*), coalesce(sum(staged), 0) from {schema}.staging_files where not vanished"
    )
    files, staged = cursor.fetchone()
    cursor.execute(
        f"select (select count(*) from {schema}.staging_events) + (select count(*) from {schema}.staging_songs)"
    )
    (rows,) = cursor.fetchone()
    if files != plan["files"] or rows != staged:
        raise DataError(
            f"{schema} holds {rows} rows of {files} files, but {staged} rows of {plan['files']} files were planned; "
            f"nothing was published. {again}"
        )
    cursor.execute(
        f"select q.table_name, q.check_name, q.passed from {star()}.quality_results as q "
        f"inner join {star()}.run_schemas as r on q.run_id = r.run_id and q.checked_at >= r.created_at "
        "where r.run_schema = %s and q.severity = 'fail'",
        (schema,),
    )
    results = {(table, check): passed for table, check, passed in cursor.fetchall()}
    missing = sorted(f"{table}.{check}" for table, check in required() if not results.get((table, check)))
    if missing:
        raise DataError(f"not passed in this run: {', '.join(missing)}; nothing was published. {again}")


def _assert_newest(cursor: Any, schema: str) -> None:
    """:raises DataError: the star holds a newer version of a file than the run read."""
    cursor.execute(
        f"select f.source_key, l.run_id from {schema}.staging_files as f "
        f"inner join {star()}.loaded_files as l on f.source_key = l.source_key "
        "where l.last_modified > f.last_modified order by 1 limit 1"
    )
    newer = cursor.fetchone()
    if newer:
        raise DataError(
            f"{newer[0]} was loaded in a newer version by run {newer[1]} meanwhile; nothing was published. "
            "Run the interval again: it takes the new version."
        )
