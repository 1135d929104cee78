"""Update the report tables to the current version of the star in one transaction.

A run finds the days that were published since the previous run, and replaces the aggregates of these days. All other
figures are derived from these aggregates. The same transaction recomputes the periods that contain a changed day, and
views compute the rest when they are queried. The figures of all time are not recomputed. They are stored as sums, to
which a run applies the differences of the changed days.
"""

from __future__ import annotations

import hashlib
import logging
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypedDict

import yaml
from airflow.providers.common.compat.sdk import AirflowSkipException

from include.sparkify import tables
from include.sparkify.errors import DataError
from include.sparkify.redshift import analysts, warehouse
from include.sparkify.redshift.schema import find_columns, query_catalog, write_comments
from include.sparkify.run_plan import CLEAR
from include.sparkify.settings import ops, reports, reports_state

log = logging.getLogger(__name__)

STATE = "reports_state"
# By day: a run replaces the changed days.
DAYS = ("song_days", "session_days", "level_days", "part_days")
# Sums of these over all time: a run subtracts the old values of the changed days, and adds the new ones.
SUMS = ("song_listeners", "session_plays", "part_listeners")
WORKING = ("day_periods",)
PERIODS = ("period_totals", "period_tops", "period_parts")
# The views in the order of their creation, because a view can read only tables and earlier views.
VIEWS = (
    "daily",
    "user_days",
    "active_users",
    "sessions",
    "level_history",
    "user_weeks",
    "retention",
    "growth",
    "top_songs",
    "top_artists",
    "locations",
    "weekday_hours",
    "devices",
)
TABLES = ("agents", *DAYS, *SUMS, *PERIODS, "loads", *VIEWS)
CHECKS = Path(__file__).with_name("checks.yaml")
AGAIN = f"nothing was changed. {CLEAR}"


def scripts() -> dict[str, str]:
    """Return the script of each table and view below ``include/sql``, in their order, for Airflow to render."""
    names = ("agents", *DAYS, *SUMS, *WORKING, *PERIODS, "loads", *VIEWS)
    return {name: f"{STATE if name in WORKING else 'reports'}/{name}.sql" for name in names}


class Plan(TypedDict):
    """The plan of one run that updates the report tables."""

    commit_id: str
    """ID of this plan, which the table ``reported`` contains after the plan was published."""
    base: str | None
    """ID of the plan that ``reported`` contained when this plan was made, or None if it contained no ID."""
    version: int
    """Version of the star when the plan was made (``publish_log``)."""
    remake: bool
    """Whether the run rebuilds all report tables."""
    code: str
    """Hash of the code files that determine the content of the working tables."""


def make_plan(remake: bool = False) -> Plan:
    """Find the versions of the star that the report tables do not contain yet.

    The run rebuilds all report tables if this is requested, if it is the first run, if the code of the reports has
    changed, or if the star was recreated after the previous run.

    :raises AirflowSkipException: the star has no version yet, or none since the last run.
    :raises TransientError, ConfigurationError: see :func:`include.sparkify.redshift.warehouse.transaction`.
    """

    def work(cursor: Any) -> tuple[Any, Any, bool]:
        for schema in (reports(), reports_state()):
            cursor.execute(f"create schema if not exists {schema}")
        cursor.execute(
            f"create table if not exists {reports_state()}.reported (commit_id char(32) not null, version bigint "
            "not null, version_id char(32) not null, code char(32) not null, reported_at timestamp not null)"
        )
        cursor.execute(f"select commit_id, version, version_id, code from {reports_state()}.reported")
        reported = cursor.fetchone()
        newest = _value(cursor, f"select max(version) from {ops()}.publish_log")
        return reported, newest, reported is not None and _id_of(cursor, reported[1]) == reported[2]

    reported, newest, known = warehouse.transaction(work, "plan the report tables") or (None, None, False)
    if newest is None:
        raise AirflowSkipException(
            "nothing has been published to the star yet, so there is nothing to report"
        )
    base, shown, _, code = reported or (None, None, None, None)
    remake = remake or not known or code != _code()
    if not remake and shown == newest:
        raise AirflowSkipException(
            f"the report tables already contain version {newest} of the star, which is the newest version"
        )
    return {"commit_id": uuid.uuid4().hex, "base": base, "version": newest, "remake": remake, "code": _code()}


def publish(plan: Plan, rendered: Mapping[str, str]) -> None:
    """Update and check all report tables in one transaction.

    :param rendered: the SQL of :func:`scripts` by table.
    :raises DataError: a check failed, or another run has changed the report tables or a deployment has changed the code
        since the plan was made.
    :raises TransientError, ConfigurationError: see :func:`include.sparkify.redshift.warehouse.transaction`. Nothing is
        changed.
    """

    def work(cursor: Any) -> None:
        cursor.execute(f"lock table {reports_state()}.reported")
        base = _commit_id(cursor)
        if base == plan["commit_id"]:
            log.info("already published")
            return
        if base != plan["base"]:
            raise DataError(f"another run has changed the report tables since this run was planned; {AGAIN}")
        # The working tables were filled by the code at the time of the plan, but the scripts are from the current code.
        if plan["code"] != _code():
            raise DataError(f"the code of the report tables has changed since this run was planned; {AGAIN}")
        if plan["remake"]:
            _create_tables(cursor)
        _record(cursor, plan)
        for name, script in _steps(rendered):
            rows = warehouse.execute(cursor, script)
            log.info("%s: %s", name, ", ".join(f"{count} rows {kind}" for kind, count in rows.items()))
        _check(cursor)
        if plan["remake"]:
            # The views come last, because a replaced view is locked until the commit, for readers, too:
            # https://docs.aws.amazon.com/redshift/latest/dg/r_CREATE_VIEW.html
            _create_views(cursor, rendered)

    warehouse.transaction(
        work, "publish the report tables", is_done=lambda cursor: _commit_id(cursor) == plan["commit_id"]
    )
    # Also grant access to existing tables, because the group may have been created later.
    analysts.open_door(TABLES)


def _value(cursor: Any, sql: str, *values: Any) -> Any:
    """Return the value that a query selects, or None if it selects no row."""
    cursor.execute(sql, values)
    row = cursor.fetchone()
    return row[0] if row else None


def _commit_id(cursor: Any) -> str | None:
    """Return the ID of the plan that the report tables contain."""
    return _value(cursor, f"select commit_id from {reports_state()}.reported")


def _id_of(cursor: Any, version: int) -> str | None:
    """Return a unique ID of a version of the star, because the numbers start again after the star is recreated."""
    return _value(cursor, f"select commit_id from {ops()}.publish_log where version = %s", version)


def _record(cursor: Any, plan: Plan) -> None:
    """Record the version from which the working tables were created, which may be newer than the plan."""
    version = _value(cursor, f"select max(version) from {reports_state()}.due_events") or plan["version"]
    version_id = _id_of(cursor, version)
    if version_id is None:
        raise DataError(
            f"version {version} of the star is no longer in publish_log: the tables were recreated meanwhile; {AGAIN}"
        )
    cursor.execute(f"delete from {reports_state()}.reported")
    cursor.execute(
        f"insert into {reports_state()}.reported (commit_id, version, version_id, code, reported_at) "
        "values (%s, %s, %s, %s, getdate())",
        (plan["commit_id"], version, version_id, _code()),
    )


def _steps(rendered: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the scripts that change the tables, in the order in which they run, each with the name of its table."""
    state = reports_state()
    yield "agents", rendered["agents"]
    for name in SUMS:
        yield name, _add(name, rendered[name], "-")
    for name in DAYS:
        yield name, _replace(name, rendered[name], changed_days())
    for name in SUMS:
        yield name, _add(name, rendered[name], "+")
    for name in WORKING:
        # Queries that join this small table need its statistics for a good plan.
        yield name, f"{_replace(name, rendered[name], 'true')};\nanalyze {_target(name)}"
    # One condition per DELETE, so that each finds its rows by the sort key.
    due = [
        f"period = '{period}' and start in (select d.start from {state}.day_periods as d where d.period = '{period}')"
        for period in ("month", "week")
    ]
    for name in PERIODS:
        yield name, _replace(name, rendered[name], "period in ('all', 'last_7', 'last_28')", *due)
    yield "loads", _replace("loads", rendered["loads"], "true")


def changed_days() -> str:
    """Return the condition for the rows of the days that the run replaces."""
    events = f"{reports_state()}.due_events"
    # IN has the same result, but only a comparison of the column allows a scan to skip blocks.
    return f"day >= (select min(d.day) from {events} as d) and day in (select d.day from {events} as d)"


def _replace(name: str, select: str, *due: str) -> str:
    """Return the script that replaces the rows of a table that meet a condition with the selected ones."""
    deleted = "".join(f"delete from {_target(name)} where {condition};\n" for condition in due)
    return f"{deleted}insert into {_target(name)} ({', '.join(_columns(name))})\n{select}"


def _add(name: str, select: str, sign: str) -> str:
    """Return the script that adds the changed days to the sums of a table, or subtracts them."""
    columns, keys, target = _columns(name), _declared(name).key.split(", "), _target(name)
    counts = [column for column in columns if column not in keys]
    same = " and ".join(f"{name}.{key} = c.{key}" for key in keys)
    update = (
        f"update {target} set {', '.join(f'{one} = {name}.{one} {sign} c.{one}' for one in counts)}\n"
        f"from (\n{select}\n) as c where {same}"
    )
    if sign == "-":
        return update
    return (
        f"{update};\ninsert into {target} ({', '.join(columns)}) select {', '.join(f'c.{one}' for one in columns)}\n"
        f"from (\n{select}\n) as c left join {target} on {same} where {name}.{keys[0]} is null;\n"
        f"delete from {target} where {' and '.join(f'{one} = 0' for one in counts)}"
    )


def _check(cursor: Any) -> None:
    """Run the checks of ``checks.yaml`` on the rows that are about to be committed.

    :raises DataError: a check found failing rows. The message contains the first of these rows.
    """
    names = {
        "reports": reports(),
        "state": reports_state(),
        "changed_days": changed_days(),
        "due_periods": f"(select period, start from {reports_state()}.day_periods group by period, start)",
    }
    for check in yaml.safe_load(CHECKS.read_text()):
        cursor.execute(check["failing"].format(**names))
        failing = [tuple(row) for row in cursor.fetchmany(5)]
        if failing:
            raise DataError(
                f"the report tables are unchanged; failed: {check['name']}: {check['description']}; for example "
                f"{failing}. Run the DAG `reports` with remake; if it fails again, its SQL is wrong."
            )


def _code() -> str:
    """Return a hash of the files that determine the content of the report tables."""
    files = [
        *sorted(tables.SQL.glob("reports*/*.sql")),
        Path(__file__),
        Path(__file__).with_name("agents.py"),
    ]
    return hashlib.md5(b"".join(path.read_bytes() for path in files)).hexdigest()


def _create_tables(cursor: Any) -> None:
    """Empty all tables, create missing tables, and drop tables and views that differ from their declaration.

    A table that matches its declaration is not recreated, because a reader with an older snapshot would find the new
    table empty.
    """
    kinds = query_catalog(
        cursor,
        "select table_schema, table_name, table_type from information_schema.tables where table_schema in (%s, %s)",
        (reports(), reports_state()),
    )
    columns = find_columns(cursor, (reports(), reports_state()))
    found = {
        f"{schema}.{name}": ("view" if kind == "VIEW" else "table", columns.get((schema, name)))
        for schema, name, kind in kinds
    }
    for name in scripts():
        table, target = _declared(name), _target(name)
        declared = [(column.name, column.type) for column in table.columns]
        if target in found and found[target] != ("view" if name in VIEWS else "table", declared):
            # A view does not exist anymore if one of its tables was dropped.
            cursor.execute(f"drop {found.pop(target)[0]} if exists {target} cascade")
        if name in VIEWS:
            continue
        if target in found:
            cursor.execute(f"delete from {target}")
        else:
            # All rows of a user are on one slice, so the views group by user and count users without moving rows.
            distkey = "user_id" if name in (*DAYS, *SUMS) else ""
            body = ", ".join(
                f"{column.name} {column.type}{' distkey' if column.name == distkey else ''}"
                for column in table.columns
            )
            cursor.execute(f"create table {target} ({body}) sortkey ({table.key})")
        write_comments(cursor, "table", target, table)


def _create_views(cursor: Any, rendered: Mapping[str, str]) -> None:
    """Create or replace all views, which neither a script nor a check reads."""
    for name in VIEWS:
        cursor.execute(f"create or replace view {_target(name)} as\n{rendered[name]}")
        write_comments(cursor, "view", _target(name), _declared(name))


def _declared(name: str) -> tables.Table:
    return tables.read_report(tables.SQL / scripts()[name])


def _columns(name: str) -> list[str]:
    return [column.name for column in _declared(name).columns]


def _target(name: str) -> str:
    return f"{reports_state() if name in WORKING else reports()}.{name}"
