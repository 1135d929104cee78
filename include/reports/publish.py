"""The report tables move from one version of the star to the next in one transaction.

Schema ``reports_state`` keeps the plays that they count. A run asks which days were published since, compares
the plays of these days with the plays that the tables count (``changes``), and applies only the difference.
"""

from __future__ import annotations

import hashlib
import logging
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict

from airflow.providers.common.compat.sdk import AirflowSkipException

from include.sparkify import tables, warehouse
from include.sparkify.errors import DataError
from include.sparkify.settings import ops

log = logging.getLogger(__name__)

SCHEMA = "reports"
STATE = "reports_state"
# In the order in which they are written: each reads those before it.
STATE_TABLES = ("plays", "tallies", "listeners", "totals", "agents")
TABLES = (
    "daily",
    "user_days",
    "active_users",
    "sessions",
    "level_history",
    "retention",
    "top_songs",
    "top_artists",
    "locations",
    "weekday_hours",
    "user_agents",
    "devices",
)


def scripts() -> dict[str, str]:
    """Return the script of each table below ``include/sql``, in their order, for Airflow to render."""
    return tables.scripts(STATE, STATE_TABLES) | tables.scripts(SCHEMA, TABLES)


class Plan(TypedDict):
    """The work of one run of the report tables."""

    commit_id: str
    """Identity of this plan: table ``reported`` carries it once it is published."""
    base: str | None
    """Identity of the plan that ``reported`` carried when this one was made; None if nothing."""
    version: int
    """Version of the star that the tables will show (``publish_log``)."""
    version_id: str
    """Its ``commit_id`` in ``publish_log``: a recreated star has the same versions again."""
    remake: bool
    """Whether everything is counted again, from nothing."""


def make_plan(remake: bool = False) -> Plan:
    """Decide which versions of the star the report tables do not show yet.

    Everything is counted again if asked for, on the first run, after a change of the code that counts, and if the
    star was recreated since.

    :raises AirflowSkipException: the star has no version yet, or none since the last run.
    :raises TransientError, ConfigurationError: as the warehouse says.
    """

    def work(cursor: Any) -> tuple[Any, Any, bool]:
        for schema in (SCHEMA, STATE):
            cursor.execute(f"create schema if not exists {schema}")
        cursor.execute(
            f"create table if not exists {STATE}.reported (commit_id char(32) not null, version bigint not null, "
            "version_id char(32) not null, code char(32) not null, reported_at timestamp not null)"
        )
        cursor.execute(f"select commit_id, version, version_id, code from {STATE}.reported")
        reported = cursor.fetchone()
        cursor.execute(f"select version, commit_id from {ops()}.publish_log order by version desc limit 1")
        newest = cursor.fetchone()
        if reported is None:
            return None, newest, False
        cursor.execute(
            f"select count(*) from {ops()}.publish_log where version = %s and commit_id = %s",
            (reported[1], reported[2]),
        )
        return reported, newest, bool(cursor.fetchone()[0])

    reported, newest, known = warehouse.transaction(work, "plan the report tables") or (None, None, False)
    if newest is None:
        raise AirflowSkipException("the star has no version yet: there is nothing to report")
    version, version_id = newest
    base, shown, _, code = reported or (None, None, None, None)
    remake = remake or not known or code != _code()
    if not remake and shown == version:
        raise AirflowSkipException(
            f"the report tables show version {version} of the star, the newest, already"
        )
    return {
        "commit_id": uuid.uuid4().hex,
        "base": base,
        "version": version,
        "version_id": version_id,
        "remake": remake,
    }


def publish(plan: Plan, rendered: Mapping[str, str]) -> None:
    """Apply the changes to every report table, in one transaction.

    :param rendered: the SQL of :func:`scripts` by table.
    :raises DataError: another run has changed the report tables since the plan was made.
    :raises TransientError, ConfigurationError: as the warehouse says; nothing is changed.
    """

    def work(cursor: Any) -> None:
        cursor.execute(f"lock table {STATE}.reported")
        base = _commit_id(cursor)
        if base == plan["commit_id"]:
            log.info("already published")
            return
        if base != plan["base"]:
            raise DataError(
                "another run has changed the report tables since this one was planned; nothing was changed. "
                "Clear the task `plan` with everything downstream."
            )
        if plan["remake"]:
            _create_tables(cursor)
        for name in scripts():
            rows = warehouse.execute(cursor, rendered[name])
            log.info("%s: %s", name, ", ".join(f"{count} rows {kind}" for kind, count in rows.items()))
        cursor.execute(f"delete from {STATE}.reported")
        cursor.execute(
            f"insert into {STATE}.reported (commit_id, version, version_id, code, reported_at) "
            "values (%s, %s, %s, %s, getdate())",
            (plan["commit_id"], plan["version"], plan["version_id"], _code()),
        )

    warehouse.transaction(
        work, "publish the report tables", is_done=lambda cursor: _commit_id(cursor) == plan["commit_id"]
    )


def _commit_id(cursor: Any) -> str | None:
    """Return the identity of the plan that the report tables show."""
    cursor.execute(f"select commit_id from {STATE}.reported")
    row = cursor.fetchone()
    return row[0] if row else None


def _code() -> str:
    """Return a hash of the files that decide what the report tables hold."""
    files = [*sorted(tables.SQL.glob("reports*/*.sql")), Path(__file__).with_name("agents.py")]
    return hashlib.md5(b"".join(path.read_bytes() for path in files)).hexdigest()


def _create_tables(cursor: Any) -> None:
    """Create every table empty, in the place of the one that may be there, with the meaning of its columns."""
    for path in scripts().values():
        schema = path.split("/")[0]
        table = tables.read_report(tables.SQL / path)
        columns = ", ".join(f"{column.name} {column.type}" for column in table.columns)
        cursor.execute(f"drop table if exists {schema}.{table.name}")
        cursor.execute(f"create table {schema}.{table.name} ({columns}) sortkey ({table.key})")
        cursor.execute(f"comment on table {schema}.{table.name} is {_literal(table.grain)}")
        for column in table.columns:
            cursor.execute(
                f"comment on column {schema}.{table.name}.{column.name} is {_literal(column.meaning)}"
            )


def _literal(text: str) -> str:
    """Return SQL text in quotes: COMMENT ON takes no bound values."""
    return "'" + text.replace("'", "''") + "'"
