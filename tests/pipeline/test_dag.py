"""The DAG itself, run by Airflow: wired as tests/world.py says, and safe when a part of it fails."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from include.sparkify.run import TABLES
from tests.world import BUILD, PUBLISH, STAGE, STAR, event, song

ROOT = Path(__file__).parents[2]
D1 = datetime(2018, 11, 1, 12)


@pytest.fixture(scope="session")
def dag(airflow_database):
    """The DAG `sparkify`."""
    from airflow.models import DagBag

    bag = DagBag(ROOT / "dags" / "sparkify.py", include_examples=False)
    assert not bag.import_errors
    return bag.dags["sparkify"]


_moments = iter(range(10_000))


def run(dag, **params):
    """Run it once over `params`; the state of the run, and of its tasks."""
    moment = datetime(2026, 1, 1, tzinfo=UTC).replace(microsecond=next(_moments))
    dag_run = dag.test(execution_date=moment, run_conf=params)
    return dag_run.state, {ti.task_id: ti.state for ti in dag_run.get_task_instances()}


def test_tests_world_runs_the_scripts_that_the_dag_runs(dag):
    def stems(task_id, name):
        return [path.split("/")[1].removesuffix(".sql") for path in dag.get_task(task_id).op_kwargs[name]]

    def given(task_id, position):
        return [path.split("/")[1].removesuffix(".sql") for path in dag.get_task(task_id).op_args[position]]

    assert sorted(given("create_tables", 0)) == sorted(TABLES)
    assert given("open_run", 1) == STAGE
    assert given("publish", 1) == BUILD
    assert sorted(given("publish", 2)) == sorted(PUBLISH)
    assert {task.task_id for task in dag.task_group.get_child_by_label("build").iter_tasks()} == {
        f"build.{table}" for table in BUILD
    }


def test_no_sql_file_is_without_a_task(dag):
    run_by_tasks = set()
    for task in dag.tasks:
        for value in [getattr(task, "sql", None), *getattr(task, "op_args", [])]:
            for path in value if isinstance(value, list) else [value]:
                if isinstance(path, str) and path.endswith(".sql"):
                    run_by_tasks.add(path)
    folders = {path.split("/")[0] for path in run_by_tasks}
    files = {
        path.relative_to(ROOT / "include/sql").as_posix()
        for folder in folders
        for path in (ROOT / "include/sql" / folder).glob("*.sql")
    }
    assert run_by_tasks == files


def test_a_run_loads_its_interval_and_leaves_no_schema(dag, world):
    world.song(song())
    world.log("2018-11-01", event(D1))
    state, tasks = run(dag, start="2018-11-01", end="2018-11-02")

    assert state == "success"
    assert set(tasks.values()) == {"success"}
    assert {table: world.count(table) for table in STAR} == dict.fromkeys(STAR, 1)
    assert world.rows(
        "select count(*) from pg_catalog.pg_namespace where nspname like '{s}_run_%'".replace("%", "%%")
    ) == [(0,)]


def test_with_nothing_new_the_run_is_skipped(dag, world):
    world.log("2018-11-01", event(D1))
    run(dag, start="2018-11-01", end="2018-11-02")
    before = world.state()
    state, tasks = run(dag, start="2018-11-01", end="2018-11-02")

    assert state == "success"
    assert tasks["plan"] == tasks["publish"] == tasks["stage.staging_events"] == "skipped"
    assert world.state() == before


def test_a_scheduled_day_owns_its_data_interval(dag, world):
    """@daily: the run of the 1st owns [1st, 2nd), on Airflow 3 as on 2."""
    from airflow.timetables.base import DataInterval

    interval = dag.timetable.infer_manual_data_interval(run_after=datetime(2018, 11, 2, tzinfo=UTC))
    assert isinstance(interval, DataInterval)
    assert (interval.start, interval.end) == (
        datetime(2018, 11, 1, tzinfo=UTC),
        datetime(2018, 11, 2, tzinfo=UTC),
    )


def test_a_run_by_hand_after_the_end_date_has_its_tasks(dag, world, monkeypatch):
    from airflow.models import DagBag

    monkeypatch.setenv("SPARKIFY_END_DATE", "2018-11-30")
    ended = DagBag(ROOT / "dags" / "sparkify.py", include_examples=False).dags["sparkify"]
    assert ended.end_date == datetime(2018, 11, 30, tzinfo=UTC)
    assert ended._time_restriction.latest == ended.end_date
    world.log("2018-11-01", event(D1))
    state, tasks = run(ended, start="2018-11-01", end="2018-11-02")

    assert state == "success"
    assert tasks["publish"] == "success"


def test_a_failed_audit_stops_the_run_and_leaves_the_star(dag, world, monkeypatch):
    world.log("2018-11-01", event(D1))
    run(dag, start="2018-11-01", end="2018-11-02")
    before = world.state()
    world.log("2018-11-02", event(datetime(2018, 11, 2, 12), user=2))
    spoiled = dag.get_task("build.songplays")
    monkeypatch.setattr(
        spoiled, "post_execute", lambda context, result=None: world.rows_changed(context, "update", spoiled)
    )
    monkeypatch.setattr(type(world), "rows_changed", _spoil, raising=False)
    state, tasks = run(dag, start="2018-11-02", end="2018-11-03")

    assert state == "failed"
    assert tasks["audit_star.songplays_rows"] == "failed"
    assert tasks["publish"] == "upstream_failed"
    assert tasks["close_run"] == "success"
    assert world.state() == before
    assert world.rows(
        "select table_name, severity, passed from {s}.quality_results where check_name = 'every_play_is_there' "
        "and not passed"
    ) == [("songplays", "fail", False)]


def _spoil(world, context, *_):
    from include.sparkify import warehouse
    from include.sparkify.settings import run_schema

    warehouse.transaction(
        lambda cursor: cursor.execute(f"delete from {run_schema(context['run_id'])}.songplays"), "spoil"
    )


def test_no_bucket_fails_at_once_and_says_what_to_mend(dag, make_world, caplog):
    world = make_world(source_bucket="there-is-no-such-bucket")
    state, tasks = run(dag, start="2018-11-01", end="2018-11-02")

    assert state == "failed"
    assert tasks["plan"] in ("failed", "upstream_failed")
    assert tasks["publish"] == "upstream_failed"
    assert "NoSuchBucket" in caplog.text
    assert world.count("songplays") == 0
