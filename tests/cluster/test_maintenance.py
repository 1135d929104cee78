"""Test weekly maintenance on the services of the test session."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from include.reports import listening
from include.sparkify.errors import ConfigurationError
from include.sparkify.redshift import warehouse
from include.sparkify.settings import environment, run_prefix
from include.sparkify.tables import PUBLISHED
from include.sparkify.tasks import maintenance, run
from tests.world import event, song

D1 = datetime(2018, 11, 1, 12)


def loaded(world):
    world.song(song())
    world.log("2018-11-01", event(D1), "not json")
    world.load("2018-11-01", "2018-11-02")


def age(world, table, column, days, where="true"):
    def work(cursor):
        cursor.execute(
            f"update {world.schema}_ops.{table} set {column} = dateadd(day, -{days}, getdate()) where {where}"
        )

    warehouse.transaction(work, "age rows")


def test_rows_of_past_runs_go_when_they_are_old(make_world):
    world = make_world(keep_days=30, reject_threshold=1.0)
    loaded(world)
    kept = {table: world.count(table) for table in maintenance.EXPIRING}
    assert all(kept.values())
    assert not any(maintenance.delete_old_rows().values())

    for table, column in maintenance.EXPIRING.items():
        age(world, table, column, 29)
    assert not any(maintenance.delete_old_rows().values())
    star = world.state()
    for table, column in maintenance.EXPIRING.items():
        age(world, table, column, 31)
    # The row of the newest version stays, because the next version's number is one higher.
    assert maintenance.delete_old_rows() == {**kept, "publish_log": 0, "changed_days": 0}
    assert world.count("publish_log") == 1
    assert world.state() == star


@pytest.mark.finding("R5")
def test_a_replay_finds_a_file_whose_rejected_lines_have_expired(make_world):
    world = make_world(keep_days=30, reject_threshold=1.0)
    loaded(world)
    age(world, "rejected_lines", "rejected_at", 31)
    assert maintenance.delete_old_rows()["rejected_lines"] == 1
    context = world.context(mode="replay")
    world.plan(context)
    assert context["pushed"]["plan", "plan"]["files"] == 1


def test_an_old_row_of_publish_log_is_deleted_when_there_is_a_newer_one(make_world):
    world = make_world(keep_days=30)
    world.log("2018-11-01", event(D1))
    world.load("2018-11-01", "2018-11-02")
    age(world, "publish_log", "published_at", 31)
    world.load("2018-11-01", "2018-11-02", mode="reload")
    assert maintenance.delete_old_rows()["publish_log"] == 1
    assert world.rows("select version from {o}.publish_log") == [(2,)]


class Tomorrow(datetime):
    """A clock that is two days ahead."""

    @classmethod
    def now(cls, tz=None):
        return datetime.now(tz) + timedelta(days=2)


@pytest.mark.finding("M7", "R7")
def test_files_of_past_runs_go_and_the_page_and_those_of_other_environments_stay(make_world, monkeypatch):
    world = make_world(keep_run_days=14)
    here, other = environment(), f"{environment()}2"
    kept = [listening.key(), *(f"{prefix}/{other}/a" for prefix in ("reports", "runs"))]
    report = f"reports/{here}/a/report.html"
    for key in (f"{run_prefix('a')}/staging_events.manifest", report, *kept):
        world.s3.put_object(Bucket=world.work, Key=key, Body=b"a")

    def left():
        return [item["Key"] for item in world.s3.list_objects_v2(Bucket=world.work)["Contents"]]

    assert maintenance.delete_old_files() == 0
    monkeypatch.setattr(maintenance, "datetime", Tomorrow)
    make_world.enter(world, keep_run_days=1, keep_days=3)
    assert maintenance.delete_old_files() == 1
    assert left() == sorted([report, *kept])
    make_world.enter(world, keep_run_days=1, keep_days=1)
    assert maintenance.delete_old_files() == 1
    assert left() == sorted(kept)


def test_schemas_of_dead_runs_go(world):
    world.create_tables()
    world.log("2018-11-01", event(D1))
    context = world.context("2018-11-01", "2018-11-02")
    world.stage(context)
    assert run.sweep() == []
    age(world, "run_schemas", "expires_at", 3)
    (dropped,) = run.sweep()
    assert world.rows(f"select count(*) from pg_catalog.pg_namespace where nspname = '{dropped}'") == [(0,)]


def vacuumed(world):
    """Return the vacuumed and analyzed tables. PostgreSQL counts both and refuses a VACUUM in a transaction."""
    tables = world.rows(
        "select relname from pg_catalog.pg_stat_user_tables "
        "where schemaname in ('{s}', '{s}_ops') and vacuum_count = 1 and analyze_count >= 1"
    )
    return {name for (name,) in tables}


def test_every_table_is_vacuumed_and_analyzed(make_world, monkeypatch):
    world = make_world(reject_threshold=1.0)
    loaded(world)
    with monkeypatch.context() as patch:
        # VACUUM could not finish within this timeout.
        patch.setattr(warehouse, "statement_timeout", lambda: "set statement_timeout to 1")
        tables = maintenance.vacuum_and_analyze()
    assert {"songplays", "users", "songs", "artists", "time", "events", "publish_log"} <= {
        table.partition(".")[2] for table in tables
    }
    assert len(vacuumed(world)) == len(tables)


def test_a_table_that_cannot_be_vacuumed_keeps_no_other_from_it(make_world):
    world = make_world(reject_threshold=1.0)
    loaded(world)
    warehouse.transaction(lambda cursor: cursor.execute(f"drop table {world.schema}.users"), "drop users")
    with pytest.raises(ConfigurationError, match=f"vacuum {world.schema}.users"):
        maintenance.vacuum_and_analyze()
    assert vacuumed(world) == set(PUBLISHED) - {"users"}
