"""Test that a member of the analysts' group can read the tables and columns for analysts, and nothing else."""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import redshift_connector

from include.reports import listening, publish
from include.sparkify import settings, tables
from include.sparkify.redshift import analysts, schema, warehouse
from tests.pipeline.test_upgrade import go_back, upgrade
from tests.reports.updating import update
from tests.world import event

QUERIES = sorted((Path(__file__).parents[2] / "docs" / "queries").glob("*.sql"))
PASSWORD = "Analyst-1234"


@pytest.fixture
def ask(make_world: Any) -> Any:
    """Return a function that queries a new star as an analyst. The function has the world as an attribute."""
    world = make_world()
    world.log("2018-11-01", event(datetime(2018, 11, 1, 12)))
    world.load("2018-11-01", "2018-11-02")
    update()
    ask = log_in(f"ann_{world.name}", warehouse.connect())
    ask.world = world
    return ask


def log_in(user: str, owner: Any) -> Any:
    """Create an analyst, and return a function that runs each query as this user in a new session."""
    with owner:
        owner.cursor().execute(f"create user {user} password '{PASSWORD}' in group {analysts.group()}")
        owner.commit()

    def ask(sql: str) -> list[tuple[Any, ...]]:
        login = json.loads(os.environ["AIRFLOW_CONN_REDSHIFT_DEFAULT"])
        address = {"host": login["host"], "port": login["port"], "database": login["schema"], "ssl": False}
        # Without a name, the driver searches the call stack for one.
        address["application_name"] = "analyst"
        with redshift_connector.connect(user=user, password=PASSWORD, **address) as connection:
            cursor = connection.cursor()
            for statement in sql.split(";\n"):
                cursor.execute(statement)
            return [tuple(row) for row in cursor.fetchall()]

    return ask


def assert_open(ask: Any) -> None:
    star = settings.star()
    for path in QUERIES:
        ask(path.read_text().replace("reports.", f"{settings.reports()}.").replace("sparkify.", f"{star}."))
    page = listening.gather(lambda sql: ask(sql.replace("{r}", settings.reports())))
    assert page["until"] == "2018-11-01"
    for name in publish.TABLES:
        assert ask(f"select count(*) from {settings.reports()}.{name}")
    assert ask(f"select user_id, gender, level, updated_at from {star}.users")
    # Redshift's `select *` from users omits the names, and the stand-in refuses it. Neither shows them.
    hidden = [f"{star}.events", f"{star}.song_files"]
    hidden += [f"{settings.ops()}.{table}" for table in tables.OPS]
    hidden += [f"{settings.reports_state()}.{table}" for table in ("reported", "due_events", "day_periods")]
    for statement in (
        *(f"select * from {table}" for table in hidden),
        f"select first_name from {star}.users",
        f"select last_name from {star}.users",
        f"delete from {star}.songs",
        f"insert into {settings.reports()}.agents select * from {settings.reports()}.agents",
        f"create table {settings.reports()}.mine (a int)",
        "create schema mine",
    ):
        with pytest.raises(redshift_connector.Error, match="permission denied"):
            ask(statement)


def test_an_analyst_reads_what_is_meant_for_analysts(ask):
    assert_open(ask)


def test_the_door_outlives_its_tables(ask):
    world = ask.world
    schema.recreate_tables(world.rendered("create", tables.PUBLISHED), settings.star())
    assert ask(f"select count(*) from {settings.star()}.songplays") == [(0,)]
    world.load(mode="full_refresh")
    update()
    assert_open(ask)


def test_an_upgrade_leaves_the_door_open(ask):
    go_back(ask.world)
    analysts.open_door()
    assert "time" in upgrade(ask.world)
    assert ask(f"select iso_year from {settings.star()}.time") == [(2018,)]


def test_a_remake_locks_no_view_while_it_counts_and_checks(ask, monkeypatch):
    """CREATE OR REPLACE VIEW locks the view: https://docs.aws.amazon.com/redshift/latest/dg/r_CREATE_VIEW.html"""
    check, read = publish._check, []

    def check_while_an_analyst_reads(cursor: Any) -> None:
        check(cursor)
        read.extend(ask(f"set statement_timeout to 2000;\nselect count(*) from {settings.reports()}.daily"))

    monkeypatch.setattr(publish, "_check", check_while_an_analyst_reads)
    update(remake=True)
    assert read == [(1,)]


def test_a_group_that_is_newer_than_the_tables_is_let_in(ask):
    def close(cursor: Any) -> None:
        for schema_name in (settings.star(), settings.reports()):
            cursor.execute(f"revoke all on all tables in schema {schema_name} from group {analysts.group()}")
            cursor.execute(f"revoke usage on schema {schema_name} from group {analysts.group()}")

    warehouse.transaction(close, "close the door")
    with pytest.raises(redshift_connector.Error, match="permission denied"):
        ask(f"select * from {settings.reports()}.daily")
    ask.world.log("2018-11-01", event(datetime(2018, 11, 1, 13)))
    ask.world.load("2018-11-01", "2018-11-02")
    update()
    assert_open(ask)


def test_a_warehouse_in_which_our_user_may_not_create_groups_does_not_fail(make_world, monkeypatch):
    def refuse(cursor: Any) -> None:
        cursor.execute("set session authorization rdsdb")

    world = make_world()
    monkeypatch.setattr(analysts, "create_group", refuse)
    world.create_tables()
    assert world.count("songplays") == 0
