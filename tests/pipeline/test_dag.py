"""Test the DAG itself, run by Airflow: it is wired like tests/world.py, and a failed task leaves the star unchanged."""

from __future__ import annotations

import re
from datetime import datetime

import pytest

from include.sparkify import tables
from include.sparkify.redshift import reach, warehouse
from include.sparkify.run_plan import plan_of
from include.sparkify.tables import STAR
from include.sparkify.tasks import plan
from tests.running import dag_of, run
from tests.world import event, song

D1 = datetime(2018, 11, 1, 12)


@pytest.fixture(scope="session")
def dag(airflow_database):
    return dag_of("sparkify")


def test_every_table_has_its_file_and_its_task(dag):
    """Every file is named after its table, and the tasks match the declared tables, so no file is without a task."""
    groups = {
        "create": tables.PUBLISHED,
        "open_run": tables.STAGING,
        "build": tables.DERIVED,
        "publish": tables.PUBLISH,
    }
    # In each of these two folders, one script serves the tables of all sources.
    groups["open_run"] = {*groups["open_run"], "staging"} - {source.staging for source in tables.SOURCES}
    groups["publish"] = {*groups["publish"], "history"} - set(tables.HISTORY)
    for folder, names in groups.items():
        assert {path.stem for path in (tables.SQL / folder).glob("*.sql")} == set(names)
    assert {path.name for path in tables.SQL.iterdir()} == {
        *groups,
        "guard",
        "reports",
        "reports_state",
        "upgrade",
    }
    for group, names in {"build": tables.BUILD, "stage": tables.STAGING}.items():
        found = {task.task_id for task in dag.task_group.get_child_by_label(group).iter_tasks()}
        assert found == {f"{group}.{name}" for name in names}


def test_a_run_is_few_tasks(dag):
    """Airflow's overhead is per task (docs/scale.md). A run has 19 tasks, 10 of them in sequence.

    Each further source or table of the star adds one task.
    """
    depth: dict[str, int] = {}
    for task in dag.topological_sort():
        depth[task.task_id] = 1 + max((depth[name] for name in task.upstream_task_ids), default=0)
    assert (len(depth), max(depth.values())) == (10 + len(tables.STAGING) + len(tables.BUILD), 10)


def test_operators_of_the_providers_ask_first_whether_the_warehouse_answers(dag):
    """Otherwise, they would wait for a connection five times, two minutes each time."""
    for group in ("stage.", "build.", "audit_star.", "audit_staging"):
        tasks = [task for task in dag.tasks if task.task_id.startswith(group)]
        assert tasks, group
        assert {task._pre_execute_hook for task in tasks} == {reach.before_task}, group
    for name in ("due_events", "new_agents"):
        assert dag_of("reports").get_task(name)._pre_execute_hook == reach.before_task, name


@pytest.mark.parametrize("folder", ["create", "open_run", "build"])
def test_a_file_creates_the_table_that_it_is_named_after_and_no_other(folder):
    for path in (tables.SQL / folder).glob("*.sql"):
        created = re.findall(r"create table (?:if not exists )?\{\{ [^}]+ \}\}\.(\S+|\{\{)", path.read_text())
        assert created == ["{{" if path.stem == "staging" else path.stem], path


def test_a_table_reads_only_what_is_built_before_it():
    """The tasks after the first one run at the same time, so none of them may read a table that another one builds."""
    shared = set(tables.BUILD["changes"])
    for name, derived in tables.BUILD.items():
        done = set() if name == "changes" else set(shared)
        for table in derived:
            text = (tables.SQL / "build" / f"{table}.sql").read_text()
            reads = set(re.findall(r"(?:from|join) \{\{ run_schema\(\) \}\}\.(\w+)", text)) & set(
                tables.DERIVED
            )
            assert reads <= done, f"{table} reads {reads - done}, which is not derived before it"
            done.add(table)


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


def test_a_run_does_not_plan_before_its_file_is_there(dag, world, monkeypatch):
    """tests/faults/test_waiting.py tests how long it waits."""
    tried = []

    def deliver_at_last(context):
        if tried:
            world.log("2018-11-01", event(D1))
        tried.append(context["params"]["start"])
        return len(tried) > 1

    monkeypatch.setattr(plan, "has_waited_enough", deliver_at_last)
    monkeypatch.setattr(dag.get_task("plan"), "poke_interval", 0.1)
    state, _ = run(dag, start="2018-11-01", end="2018-11-02")

    assert (state, tried) == ("success", ["2018-11-01"] * 2)
    assert world.count("songplays") == 1


def test_with_nothing_new_the_run_is_skipped(dag, world):
    world.log("2018-11-01", event(D1))
    run(dag, start="2018-11-01", end="2018-11-02")
    before = world.state()
    state, tasks = run(dag, start="2018-11-01", end="2018-11-02")

    assert state == "success"
    assert tasks["plan"] == tasks["publish"] == tasks["stage.staging_events"] == "skipped"
    assert world.state() == before


def test_a_failed_audit_stops_the_run_and_leaves_the_star(dag, world, monkeypatch):
    world.log("2018-11-01", event(D1))
    run(dag, start="2018-11-01", end="2018-11-02")
    before = world.state()
    world.log("2018-11-02", event(datetime(2018, 11, 2, 12), user=2))
    monkeypatch.setattr(dag.get_task("build.songplays"), "post_execute", _spoil)
    state, tasks = run(dag, start="2018-11-02", end="2018-11-03")

    assert state == "failed"
    assert tasks["audit_star.rows"] == "failed"
    assert tasks["publish"] == "upstream_failed"
    assert tasks["close_run"] == "success"
    assert world.state() == before
    assert world.rows(
        "select table_name, severity, passed from {o}.quality_results where check_name = 'every_play_is_there' "
        "and not passed"
    ) == [("songplays", "fail", False)]


def _spoil(context, result=None):
    warehouse.transaction(
        lambda cursor: cursor.execute(f"delete from {plan_of(context)['run_schema']}.songplays"), "spoil"
    )


def test_no_bucket_fails_at_once_and_says_what_to_fix(dag, make_world, caplog, capfd):
    world = make_world(source_bucket="there-is-no-such-bucket")
    state, tasks = run(dag, start="2018-11-01", end="2018-11-02")

    assert state == "failed"
    assert tasks["plan"] in ("failed", "upstream_failed")
    assert tasks["publish"] == "upstream_failed"
    # On Airflow 3, the error of a task is only in the task's log, which goes to the output here.
    assert "NoSuchBucket" in caplog.text + capfd.readouterr().out
    assert world.count("songplays") == 0
