"""Test that a warehouse of an earlier version is upgraded in place and is then equal to a new warehouse.

``before/`` has the earlier declarations of published tables that have changed.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path

import jinja2
import pytest

from include.sparkify import tables
from include.sparkify.errors import ConfigurationError
from include.sparkify.redshift import schema, warehouse
from include.sparkify.settings import ops, star
from tests.world import event, log_key, song

BEFORE = Path(__file__).with_name("before")
DAYS = [datetime(2018, 11, day) for day in (1, 2, 3)]
ALL = ("2018-11-01", "2018-11-05")


def deliver(world) -> None:
    """Deliver three days of plays, one with a line of another day, and two songs."""
    for number, day in enumerate(DAYS):
        at = [day + timedelta(hours=hour) for hour in (1, 13)]
        world.log(f"{day:%Y-%m-%d}", *(event(moment, user=number + 1, item=number) for moment in at))
    world.log("2018-11-03", event(DAYS[0] + timedelta(hours=5), user=7), name="late")
    world.song(song())
    world.song(song("SO2", "Other"))


def go_back(world) -> None:
    """Restore the previous version's tables: the first file is loaded up to noon, a day is absent, a schema is left."""
    scripts = {
        path.stem: jinja2.Template(path.read_text()).render(star=star, ops=ops)
        for path in BEFORE.glob("*.sql")
    }
    ledger = f"{world.schema}_ops.loaded_files"
    columns = "source_key, kind, etag, size, last_modified"
    more = "lines, accepted, rejected"
    statements = [
        f"alter table {ledger} rename to loaded_files_now",
        f"alter table {world.schema}.time rename to time_now",
        f"drop table {world.schema}_ops.run_schemas",
        *scripts.values(),
        f"insert into {ledger} ({columns}, interval_start, interval_end, {more}, run_id, loaded_at) "
        f"select {columns}, file_date::timestamp, dateadd(day, 1, file_date::timestamp), {more}, run_id, loaded_at "
        f"from {ledger}_now",
        f"drop table {ledger}_now",
        f"insert into {world.schema}.time select start_time, hour, day, week, month, year, weekday "
        f"from {world.schema}.time_now",
        f"drop table {world.schema}.time_now",
        f"update {ledger} set interval_end = dateadd(hour, 12, interval_start) "
        f"where source_key = '{log_key('2018-11-01')}'",
        f"delete from {world.schema}.events where start_time = '2018-11-01 13:00'",
        f"delete from {world.schema}.songplays where start_time = '2018-11-01 13:00'",
        f"delete from {world.schema}.time where start_time = '2018-11-01 13:00'",
        # Add a file that is loaded in two parts, and a day without a file.
        f"insert into {ledger} ({columns}, interval_start, interval_end, {more}, run_id, loaded_at) "
        f"select {columns}, dateadd(hour, 12, interval_start), interval_end, {more}, run_id, loaded_at "
        f"from {ledger} where source_key = '{log_key('2018-11-02')}'",
        f"update {ledger} set interval_end = dateadd(hour, 12, interval_start) "
        f"where source_key = '{log_key('2018-11-02')}' and extract(hour from interval_start) = 0",
        f"insert into {ledger} ({columns}, interval_start, interval_end, {more}, run_id, loaded_at) values "
        "('log_data/2018/11/2018-11-04', 'absent', '', 0, null, '2018-11-04', '2018-11-05', 0, 0, 0, 'r', getdate())",
        f"insert into {world.schema}_ops.run_schemas values ('{world.schema}_run_dead', 'r', '2018-11-01')",
    ]

    def work(cursor) -> None:
        for statement in statements:
            cursor.execute(statement)

    warehouse.transaction(work, "go back")


def upgrade(world) -> list[str]:
    return schema.upgrade_tables(
        world.rendered("upgrade", tables.UPGRADED), world.rendered("create", tables.UPGRADED)
    )


def test_a_warehouse_of_the_version_before_is_upgraded_and_ends_equal_to_a_fresh_one(make_world):
    fresh, old = make_world(), make_world()
    for world in (fresh, old):
        make_world.enter(world)
        world.create_tables()
        deliver(world)
        world.load(*ALL, audited=False)
    go_back(old)

    with pytest.raises(
        ConfigurationError, match="run the DAG upgrade_tables, which keeps the rows"
    ) as raised:
        old.create_tables()
    assert "loaded_files differs in" in str(raised.value) and "run_schemas differs in" in str(raised.value)
    assert upgrade(old) == list(tables.UPGRADED)
    old.create_tables()
    assert upgrade(old) == []
    assert old.rows(
        'select "table", diststyle from svv_table_info where "schema" = \'{s}\' '
        "and \"table\" in ('events', 'songplays', 'time') order by 1"
    ) == [("events", "KEY(start_time)"), ("songplays", "KEY(start_time)"), ("time", "KEY(start_time)")]
    # Only the file that was loaded in part is due.
    context = old.context(*ALL)
    old.plan(context)
    assert context["pushed"]["plan", "plan"]["files"] == 1
    assert old.rows("select run_schema, expires_at from {o}.run_schemas") == [
        (f"{old.schema}_run_dead", datetime(2018, 11, 3))
    ]

    old.load(*ALL, audited=False)

    found = old.state()
    make_world.enter(fresh)
    assert found == fresh.state()


def test_a_table_that_differs_otherwise_is_not_upgraded(make_world):
    world = make_world()
    world.create_tables()
    deliver(world)
    world.load(*ALL, audited=False)
    go_back(world)
    warehouse.transaction(
        lambda cursor: cursor.execute(f"alter table {world.schema}.users add column nickname varchar(10)"),
        "alter",
    )
    with pytest.raises(ConfigurationError, match="alter the tables manually"):
        world.create_tables()
    with pytest.raises(ConfigurationError, match="users differs in nickname"):
        upgrade(world)
    assert world.count("loaded_files", "kind = 'absent'") == 1


def test_every_replaced_declaration_has_its_upgrade(airflow_database):
    from tests.running import dag_of

    assert {path.stem for path in BEFORE.glob("*.sql")} == set(tables.UPGRADED)
    for table in tables.UPGRADED:
        # Other sessions may see a rename before its commit: https://github.com/dbt-labs/dbt-adapters/issues/2162
        assert "rename" not in (tables.SQL / "upgrade" / f"{table}.sql").read_text()
        assert schema.upgraded_from(table) == declared_columns(BEFORE / f"{table}.sql")
    assert dag_of("upgrade_tables").get_task("upgrade").op_args[0].keys() == set(tables.UPGRADED)


def declared_columns(path: Path) -> list[tuple[str, str]]:
    return re.findall(r"^    (?!primary key)(\w+) (\w+(?:\([\d, ]+\))?)", path.read_text(), re.MULTILINE)
