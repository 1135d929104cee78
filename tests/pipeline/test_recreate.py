"""Test that recreating the tables is explicit and guarded."""

import re
from datetime import datetime

import pytest
import redshift_connector

from include.sparkify.errors import ConfigurationError, TransientError
from include.sparkify.redshift import schema, warehouse
from include.sparkify.tables import PUBLISHED, STAR
from tests import shortcuts
from tests.world import event, song


@pytest.fixture
def loaded(world):
    world.song(song())
    world.log("2018-11-01", event(datetime(2018, 11, 1, 12)))
    world.create_tables()
    world.load("2018-11-01", "2018-11-02", audited=False)
    return world


@pytest.mark.parametrize("confirm", ["", "yes", "sparkify"])
def test_without_the_schemas_name_nothing_is_dropped(loaded, confirm):
    before = loaded.state()
    with pytest.raises(ConfigurationError, match="nothing was dropped"):
        schema.recreate_tables(loaded.rendered("create", PUBLISHED), confirm)
    assert loaded.state() == before


def test_recreated_tables_are_empty_and_load_to_the_same_rows(loaded):
    before = loaded.state()
    schema.recreate_tables(loaded.rendered("create", PUBLISHED), loaded.schema)
    assert {table: loaded.count(table) for table in STAR} == dict.fromkeys(STAR, 0)
    loaded.load(mode="full_refresh", audited=False)
    assert loaded.state(*STAR, "events", "song_files") == {
        table: value for table, value in before.items() if table != "loaded_files"
    }


def test_the_lock_outlives_recreated_tables(loaded):
    """If the lock were dropped, a writer that waits for it would get `could not open relation with OID`."""
    oid = (
        "select c.oid from pg_catalog.pg_class as c inner join pg_catalog.pg_namespace as n on c.relnamespace = n.oid "
        "where n.nspname = '{o}' and c.relname = 'publish_lock'"
    )
    before = loaded.rows(oid)
    schema.recreate_tables(loaded.rendered("create", PUBLISHED), loaded.schema)
    assert loaded.rows(oid) == before


@pytest.mark.finding("W13")
def test_a_run_that_was_planned_before_the_tables_were_recreated_rebuilds_its_candidates(loaded):
    """Another run has loaded the recreated star, which has the same number of versions as the star of the plan."""
    day = datetime(2018, 11, 1, 12)
    loaded.log("2018-11-01", event(day, item=1), name="late")
    context = loaded.context("2018-11-01", "2018-11-02")
    chunks = loaded.plan(context)
    schema.recreate_tables(loaded.rendered("create", PUBLISHED), loaded.schema)
    loaded.validate(context, chunks)
    loaded.build_validated(context)
    loaded.log("2018-11-01", event(day, item=2), name="other")
    loaded.load("2018-11-01", "2018-11-02", audited=False)
    loaded.audit_star(context)
    loaded.publish(context)

    assert loaded.rows("select item_in_session from {s}.songplays order by 1") == [(0,), (1,), (2,)]


def test_tables_are_recreated_where_none_are(world):
    schema.recreate_tables(world.rendered("create", PUBLISHED), world.schema)
    assert {table: world.count(table) for table in STAR} == dict.fromkeys(STAR, 0)


def test_recreating_waits_for_a_run_that_is_publishing(loaded, make_world, monkeypatch):
    shortcuts.connect_again(monkeypatch)
    before = loaded.state()
    make_world.enter(loaded, lock_minutes=0.02)
    holder = warehouse.connect()
    try:
        holder.cursor().execute(f"lock table {loaded.schema}_ops.publish_lock")
        with pytest.raises(TransientError, match="another session has held"):
            schema.recreate_tables(loaded.rendered("create", PUBLISHED), loaded.schema)
    finally:
        holder.close()
    assert loaded.state() == before


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("alter table {s}.users drop column gender", "users differs in gender varchar(16)"),
        ("alter table {s}.users add column nickname varchar(10)", "users differs in nickname varchar(10)"),
        (
            "alter table {s}.users drop column gender;\nalter table {s}.users add column gender varchar(16)",
            "users differs in the order of its columns",
        ),
        (
            # It is the last column, so the order stays the same.
            "alter table {s}.artists drop column longitude;\n"
            "alter table {s}.artists add column longitude decimal(9, 4)",
            "artists differs in longitude decimal(9, 4), longitude decimal(9, 6)",
        ),
    ],
    ids=["missing", "added", "in another order", "of another type"],
)
def test_a_table_that_is_not_as_declared_is_found_before_anything_is_changed(loaded, change, said):
    change = change.replace("{s}", loaded.schema)
    warehouse.transaction(lambda cursor: warehouse.execute(cursor, change), "alter")
    with pytest.raises(ConfigurationError, match=f"{re.escape(said)}.*Nothing was changed"):
        loaded.load("2018-11-01", "2018-11-02", mode="reload")
    assert loaded.count("songplays") == 1


def test_a_table_that_was_dropped_is_not_made_empty_in_silence(loaded):
    before = loaded.state()
    warehouse.transaction(lambda cursor: cursor.execute(f"drop table {loaded.schema}.artists"), "drop")
    with pytest.raises(
        ConfigurationError, match="missing tables: artists, although the ledger has 2 loaded files"
    ):
        loaded.create_tables()
    loaded.load(mode="full_refresh")
    del before["loaded_files"]
    assert loaded.state(*before) == before


@pytest.mark.parametrize("drops", [2, warehouse.ATTEMPTS])
def test_a_schema_that_another_session_drops_while_the_catalog_is_queried(world, monkeypatch, drops):
    """https://github.com/aws/amazon-redshift-jdbc-driver/issues/153"""
    shortcuts.connect_again(monkeypatch)
    execute, meant = redshift_connector.Cursor.execute, iter(range(drops))

    def interrupted(cursor, sql, *arguments):
        if "information_schema" in sql and next(meant, None) is not None:
            raise redshift_connector.ProgrammingError({"C": "3F000", "M": 'schema "another" does not exist'})
        return execute(cursor, sql, *arguments)

    monkeypatch.setattr(redshift_connector.Cursor, "execute", interrupted)
    if drops == 2:
        world.create_tables()
        assert world.count("songplays") == 0
    else:
        with pytest.raises(TransientError, match='schema "another" does not exist'):
            world.create_tables()
