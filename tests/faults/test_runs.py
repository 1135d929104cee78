"""Test faults of runs: killed processes, lost connections, conflicts, and tasks that run again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import pytest
import redshift_connector

from include.sparkify import tables
from include.sparkify.errors import DataError, TransientError
from include.sparkify.redshift import warehouse
from tests import shortcuts
from tests.model.replay import lose_acknowledgment

ROOT = Path(__file__).parents[2]
D1, D2 = datetime(2018, 11, 1, 12), datetime(2018, 11, 2, 12)

# A load in a separate process that kills itself with SIGKILL at the point that the test names.
DOOMED = """
import json, os, signal, sys
import redshift_connector
from tests.world import World

where, name = sys.argv[1:]
world = World.__new__(World)
world.name, world.schema = name, f"sparkify_{name}"
commit, execute = redshift_connector.Connection.commit, redshift_connector.Cursor.execute

def die():
    os.kill(os.getpid(), signal.SIGKILL)

class Doom:
    publishing = False

def doomed_commit(connection):
    if Doom.publishing and where == "before the commit":
        die()
    commit(connection)
    if Doom.publishing and where == "after the commit":
        die()

def doomed_execute(cursor, sql, *args, **kwargs):
    if "insert into" in sql and ".publish_log (" in sql:
        Doom.publishing = True
    if where == "in the COPY" and "COPY" in sql and "staging_songs" in sql:
        die()
    return execute(cursor, sql, *args, **kwargs)

redshift_connector.Connection.commit = doomed_commit
redshift_connector.Cursor.execute = doomed_execute
world.publish(world.prepare("2018-11-02", "2018-11-03", run_id="doomed"))
"""


@pytest.fixture
def world(fresh):
    return fresh()


def staged(world):
    """Return the context of a run of the second day that is ready to be published."""
    return world.prepare("2018-11-02", "2018-11-03")


@pytest.mark.parametrize("where", ["in the COPY", "before the commit", "after the commit"])
def test_a_killed_run_leaves_all_or_nothing_and_its_rerun_repairs(two_days, where):
    world = two_days
    before = world.state()
    killed = subprocess.run(
        [sys.executable, "-c", DOOMED, where, world.name],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr[-2000:]

    published = world.count("publish_log", "run_id = 'doomed'")
    assert published == (1 if where == "after the commit" else 0)
    if not published:
        assert world.state() == before
    assert world.count("loaded_files", "source_key like 'log_data/2018/11/2018-11-02%%'") == published

    world.load("2018-11-02", "2018-11-03", mode="reload", audited=False)
    assert world.count("songplays") == 4
    assert world.count("songplays", "song_id = 'SO1'") == 4
    assert world.rows("select user_id, level from {s}.users order by 1") == [
        (1, "paid"),
        (2, "free"),
        (3, "free"),
    ]
    assert world.count("loaded_files") == 3


@pytest.fixture
def locked(monkeypatch):
    """Return the list of cursors that have requested the write lock."""
    cursors, lock = [], warehouse.lock
    monkeypatch.setattr(warehouse, "lock", lambda cursor: (cursors.append(cursor), lock(cursor)))
    return cursors


@pytest.mark.usefixtures("own_sessions")
def test_a_commit_whose_acknowledgment_is_lost_is_recognized(two_days):
    world = two_days
    context = staged(world)
    with lose_acknowledgment():
        published = world.publish(context)

    assert published["version"] == 2
    assert published["changed"]["songplays"]["inserted"] == 2
    assert world.rows("select version from {o}.publish_log order by 1") == [(1,), (2,)]
    assert world.count("songplays") == 4


def test_only_a_second_attempt_asks_whether_the_first_had_committed(world):
    answer = warehouse.transaction(lambda cursor: 1, "try", lambda cursor: pytest.fail("asked"))
    assert answer == 1


def conflict(state: str, message: str) -> redshift_connector.ProgrammingError:
    """Return an error as the driver raises it."""
    return redshift_connector.ProgrammingError({"S": "ERROR", "C": state, "M": message})


TRANSIENT = {
    "1023": conflict("XX000", "1023: Serializable isolation violation on table"),
    "deadlock": conflict("40P01", "deadlock detected"),
    "lost link": redshift_connector.InterfaceError("server socket closed"),
    "restart": conflict("57P01", "terminating connection due to administrator command"),
}


@pytest.mark.parametrize("error", TRANSIENT.values(), ids=TRANSIENT)
@pytest.mark.usefixtures("own_sessions")
def test_a_transient_error_is_survived_four_times(world, monkeypatch, error):
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda seconds: None)
    failures = [error] * (warehouse.ATTEMPTS - 1)

    def work(cursor):
        cursor.execute("select 1")
        if failures:
            raise failures.pop()
        return cursor.fetchone()[0]

    assert warehouse.transaction(work, "try") == 1


@pytest.mark.usefixtures("own_sessions")
def test_the_fifth_transient_error_fails_and_publishes_nothing(two_days, monkeypatch, locked):
    world = two_days
    context = staged(world)
    before = world.state()
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda seconds: None)
    commit, tries = redshift_connector.Connection.commit, []

    def conflicting(connection):
        if not locked:
            return commit(connection)
        tries.append(connection)
        raise TRANSIENT["1023"]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(redshift_connector.Connection, "commit", conflicting)
        with pytest.raises(TransientError, match="1023"):
            world.publish(context)

    assert len(tries) == 5
    assert len(set(map(id, tries))) == 5
    assert world.state() == before


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ("57014", TransientError),
        ("42501", "ConfigurationError"),
        ("42P01", "ConfigurationError"),
        ("22012", DataError),
    ],
    ids=["statement timeout", "no right", "no table", "bad value"],
)
def test_an_error_of_the_server_is_not_tried_again_and_is_classed(world, state, kind):
    calls = []

    def work(cursor):
        calls.append(1)
        raise conflict(state, "what the server said")

    with pytest.raises(Exception, match="could not try: what the server said") as raised:
        warehouse.transaction(work, "try")
    assert type(raised.value).__name__ == (kind if isinstance(kind, str) else kind.__name__)
    assert len(calls) == 1


@pytest.mark.usefixtures("own_sessions")
def test_a_paused_cluster_is_transient_and_says_so(world, monkeypatch):
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda seconds: None)
    unreachable = json.loads(os.environ["AIRFLOW_CONN_REDSHIFT_DEFAULT"]) | {"port": 1}
    monkeypatch.setenv("AIRFLOW_CONN_REDSHIFT_DEFAULT", json.dumps(unreachable))
    shortcuts.connect_again(monkeypatch)
    with pytest.raises(TransientError, match="cannot be reached .* paused"):
        world.rows("select 1")


@pytest.mark.usefixtures("own_sessions")
def test_a_task_logs_in_once_and_again_if_its_session_has_ended(world):
    """A cluster that restarts ends the session that a thread keeps between two transactions."""
    session = "select pg_backend_pid()"
    (kept,) = {world.rows(session)[0] for _ in range(3)}
    other = warehouse.connect()
    other.cursor().execute("select pg_terminate_backend(%s)", kept)
    other.close()

    (fresh,) = {world.rows(session)[0] for _ in range(3)}

    assert fresh != kept


@pytest.mark.usefixtures("own_sessions")
def test_a_session_is_not_shared_by_threads_nor_by_a_question_within_a_transaction(world):
    session = "select pg_backend_pid()"

    def ask_within(cursor):
        cursor.execute(session)
        return {cursor.fetchone()[0], warehouse.query(session)[0][0]}

    world.rows(session)
    within = warehouse.transaction(ask_within, "ask")
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(warehouse.query, session).result()[0][0]

    assert len(within | {other}) == 3


def test_any_step_run_again_is_safe(two_days):
    world = two_days
    context = world.context("2018-11-02", "2018-11-03")
    for step in (
        world.create_tables,
        lambda: world.stage(context),
        lambda: world.copy(context),
        lambda: world.audit(context, "audit_staging", tables.STAGING),
        lambda: world.build(context),
        lambda: world.audit_star(context),
        lambda: world.publish(context),
    ):
        step()
        step()
    assert world.count("songplays") == 4
    world.close_run(context)
    world.close_run(context)


def test_only_publishing_after_the_schema_was_created_again_is_refused(two_days):
    """If `open_run` and `publish` are cleared, but not the tasks between them, the staging tables are empty."""
    world = two_days
    context = world.context("2018-11-02", "2018-11-03")
    world.stage(context)
    world.audit(context, "audit_staging", tables.STAGING)
    world.build(context)
    world.audit_star(context)
    before = world.state()
    world.open_run(context)
    with pytest.raises(DataError, match="has 0 rows of 0 files"):
        world.publish(context)
    assert world.state() == before


def test_only_publishing_after_the_run_has_ended_is_refused(two_days):
    world = two_days
    context = staged(world)
    world.publish(context)
    world.close_run(context)
    with pytest.raises(DataError, match="the run has ended.*nothing was published.*clear the task `plan`"):
        world.publish(context)


@pytest.mark.parametrize(
    ("table", "has"), [("staging_files", "3 rows of 0 files"), ("staging_events", "1 rows of 2 files")]
)
def test_nothing_is_published_if_staged_rows_are_missing(two_days, table, has):
    world = two_days
    context = staged(world)
    before = world.state()
    warehouse.transaction(
        lambda cursor: cursor.execute(f"delete from {world.run_schema(context)}.{table}"), "lose rows"
    )
    with pytest.raises(DataError, match=has):
        world.publish(context)
    assert world.state() == before


def test_nothing_is_published_that_was_not_audited(two_days):
    world = two_days
    context = world.context("2018-11-02", "2018-11-03")
    world.stage(context)
    world.audit(context, "audit_staging", tables.STAGING)
    world.build(context)
    before = world.state()
    with pytest.raises(DataError, match=r"not passed in this run: artists\.coordinates_are_on_earth"):
        world.publish(context)
    assert world.state() == before


def test_a_worker_in_another_time_zone_makes_the_same_rows(two_days):
    world = two_days
    world.load("2018-11-02", "2018-11-03", audited=False)
    before = world.state()
    script = (
        "import sys; from tests.world import World\n"
        "world = World.__new__(World); world.name = sys.argv[1]; world.schema = f'sparkify_{world.name}'\n"
        "world.publish(world.prepare('2018-11-01', '2018-11-03', mode='reload', run_id='abroad'))\n"
    )
    subprocess.run(
        [sys.executable, "-c", script, world.name],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TZ": "America/New_York"},
        check=True,
        capture_output=True,
    )
    assert world.state() == before
