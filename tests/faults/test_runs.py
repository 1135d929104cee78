"""Faults of runs: killed processes, lost links, conflicts, several at once, tasks run again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import pytest
import redshift_connector

from include.sparkify import checks, chunks, publish, run, tables, warehouse
from include.sparkify.errors import DataError, TransientError
from tests import shortcuts
from tests.world import event, song

ROOT = Path(__file__).parents[2]
D1, D2 = datetime(2018, 11, 1, 12), datetime(2018, 11, 2, 12)

# A load in a separate process that kills itself like kill -9, where the test says.
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
    result = execute(cursor, sql, *args, **kwargs)
    if Doom.publishing and where == "in the transaction" and sql.lstrip().startswith("delete from") and ".time" in sql:
        die()
    return result

redshift_connector.Connection.commit = doomed_commit
redshift_connector.Cursor.execute = doomed_execute
world.publish(world.prepare("2018-11-02", "2018-11-03", run_id="doomed"))
"""


@pytest.fixture
def world(fresh):
    return fresh()


@pytest.fixture
def two_days(world):
    """A world whose first day is loaded and whose second day, with its song, waits; and what it must become."""
    world.log("2018-11-01", event(D1), event(D1, user=2, item=1))
    world.create_tables()
    world.load("2018-11-01", "2018-11-02", audited=False)
    world.song(song())
    world.log("2018-11-02", event(D2, level="paid"), event(D2, user=3))
    return world


def staged(world):
    """The context of a run of the second day that is ready to be published."""
    return world.prepare("2018-11-02", "2018-11-03")


@pytest.mark.parametrize(
    "where", ["in the COPY", "in the transaction", "before the commit", "after the commit"]
)
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
    """The cursors that have waited for the right to write."""
    cursors, lock = [], warehouse.lock
    monkeypatch.setattr(warehouse, "lock", lambda cursor: (cursors.append(cursor), lock(cursor)))
    return cursors


@pytest.mark.usefixtures("own_sessions")
def test_a_commit_whose_acknowledgement_is_lost_is_recognised(two_days, monkeypatch, locked):
    world = two_days
    context = staged(world)
    commit, lost = redshift_connector.Connection.commit, []

    def commit_and_lose_the_link(connection):
        commit(connection)
        if locked and not lost:
            lost.append(True)
            raise redshift_connector.InterfaceError("server socket closed")

    monkeypatch.setattr(redshift_connector.Connection, "commit", commit_and_lose_the_link)
    published = world.publish(context)

    assert lost
    assert published["version"] == 2
    assert published["changed"]["songplays"]["inserted"] == 2
    assert world.rows("select version from {o}.publish_log order by 1") == [(1,), (2,)]
    assert world.count("songplays") == 4


def test_only_a_second_attempt_asks_whether_the_first_had_committed(world):
    answer = warehouse.transaction(lambda cursor: 1, "try", lambda cursor: pytest.fail("asked"))
    assert answer == 1


def conflict(state: str, message: str) -> redshift_connector.ProgrammingError:
    """An error as the driver hands it on."""
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


def test_two_runs_of_one_interval_at_once_make_no_double(two_days):
    world = two_days
    start = threading.Barrier(2)

    def load(_):
        context = world.context("2018-11-02", "2018-11-03")
        world.stage(context)
        start.wait(30)
        world.build(context)
        world.pass_all(context)
        world.publish(context)
        world.close_run(context)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(load, range(2)))
    assert world.count("songplays") == 4
    assert world.count("loaded_files") == 3
    assert world.count("publish_log") == 3


def test_a_version_that_another_run_has_replaced_is_left_out(two_days):
    """Not the older LastModified loses, but the version that is not in the lake any more."""
    world = two_days
    slow = staged(world)
    world.log("2018-11-02", event(D2, user=9))
    world.load("2018-11-02", "2018-11-03", audited=False)
    before = world.state()
    published = world.publish(slow)
    assert published["replaced"] == ["log_data/2018/11/2018-11-02-events.json"]
    with pytest.raises(DataError, match="another version.*run the interval again"):
        world.check_complete(slow, published)
    assert world.state() == before


def test_a_song_file_that_another_run_has_replaced_is_left_out(two_days):
    world = two_days
    slow = staged(world)
    file = world.song(song(year=1999))
    world.load("2018-11-02", "2018-11-03", audited=False)
    before = world.state()

    assert world.publish(slow)["replaced"] == [file]
    assert world.state() == before


def test_a_file_that_leaves_the_lake_while_its_run_works_is_loaded_as_it_was_read(two_days):
    """Only a full refresh deletes rows, whatever else is published meanwhile."""
    world = two_days
    slow = staged(world)
    world.log("2018-11-03", event(datetime(2018, 11, 3)))
    world.load("2018-11-03", "2018-11-04", audited=False)
    world.delete("log_data/2018/11/2018-11-02-events.json")

    assert world.publish(slow)["replaced"] == []
    assert world.count("songplays") == 5


def test_of_several_files_those_that_a_full_refresh_dropped_are_left_out(two_days):
    world = two_days
    files = [world.log("2018-11-02", event(D2, item=item), name=f"{item}") for item in range(10, 16)]
    slow = staged(world)
    for file in files[::2]:
        world.delete(file)
    world.load(mode="full_refresh", audited=False)

    assert sorted(world.publish(slow)["replaced"]) == files[::2]
    played = world.rows("select item_in_session from {s}.songplays where item_in_session >= 10 order by 1")
    assert played == [(11,), (13,), (15,)]


# Runs at once that change what the other has derived or checked ---------------------------------------------


@pytest.fixture
def overtaken(two_days):
    """A built run whose plays match a song, and then another run that renames that song."""
    world = two_days
    world.song(song())
    world.load("2018-11-01", "2018-11-02", audited=False)
    world.log("2018-11-02", event(D2, user=9))
    slow = world.context("2018-11-02", "2018-11-03")
    world.stage(slow)
    world.audit(slow, "audit_staging", tables.STAGING)
    world.build(slow)
    assert world.rows(f"select song_id from {world.run_schema(slow)}.songplays") == [("SO1",)]
    world.song(song(title="Renamed"))
    world.load("2018-11-01", "2018-11-02", audited=False)
    return world, slow


@pytest.mark.finding("F1")
def test_a_song_that_another_run_corrects_after_the_build_fails_no_audit(overtaken):
    """The run derives and audits again, under the lock, what it compares with the star."""
    world, slow = overtaken

    world.audit_star(slow)
    world.publish(slow)

    assert world.rows("select user_id, song_id from {s}.songplays order by 1") == [
        (1, None),
        (2, None),
        (9, None),
    ]
    kept = world.rows(
        f"select table_name, check_name from {{o}}.quality_results where run_id = '{slow['run_id']}' and passed"
    )
    assert set(kept) == {(check.table, check.name) for check in checks.all_checks()}


def test_a_check_that_compares_with_the_star_stops_a_run_that_no_other_has_overtaken(overtaken):
    world, slow = overtaken
    warehouse.transaction(
        lambda cursor: cursor.execute(
            f"update {world.run_schema(slow)}.base_version "
            f"set version = (select max(version) from {world.schema}_ops.publish_log)"
        ),
        "pretend",
    )

    with pytest.raises(DataError, match="songplays.song_exists"):
        world.audit_star(slow)


@pytest.mark.parametrize(
    ("table", "spoiler", "failed"),
    [
        ("time", "delete from {run}.time", "songplays.moment_exists"),
        ("time", "insert into {run}.time select * from {run}.time", "time.start_time.unique_check"),
        ("users", "update {run}.users set level = 'gold'", "users.level_is_known"),
    ],
)
def test_candidates_that_are_derived_again_and_fail_a_check_change_nothing(
    overtaken, monkeypatch, table, spoiler, failed
):
    world, slow = overtaken
    world.audit_star(slow)
    before = world.state(*tables.PUBLISHED)
    rendered = world.rendered

    def spoiled(folder, names, context=None):
        scripts = rendered(folder, names, context)
        if folder == "build":
            scripts[table] += f"\n{spoiler.format(run=world.run_schema(slow))};"
        return scripts

    monkeypatch.setattr(world, "rendered", spoiled)
    with pytest.raises(
        DataError,
        match=rf"(?s)derived again under the lock failed. Nothing was published. {failed}.*clear the task `plan`",
    ):
        world.publish(slow)

    assert world.state(*tables.PUBLISHED) == before


def test_a_warning_about_candidates_that_are_derived_again_is_kept(overtaken):
    world, slow = overtaken
    world.log("2018-11-02", event(D2, user=9, item=1), name="more")
    world.load("2018-11-02", "2018-11-03", audited=False)

    world.audit_star(slow)
    world.log("2018-11-02", event(D2, user=9, item=0), name="again")
    world.load("2018-11-02", "2018-11-03", audited=False)
    world.publish(slow)

    assert "songplays.plays_are_delivered_once" in world.warnings()


# Tries and deployments --------------------------------------------------------------------------------------


@pytest.mark.finding("W7")
def test_two_deployments_whose_runs_have_one_id_share_nothing(two_days):
    world, run_id = two_days, "scheduled__2018-11-02T00:00:00+00:00"
    ours, theirs = (world.context("2018-11-02", "2018-11-03", run_id=run_id) for _ in range(2))
    world.stage(ours)
    world.build(ours)
    world.pass_all(ours)
    # Theirs begins with empty tables.
    world.validate(theirs, world.plan(theirs))
    world.open_run(theirs)

    world.publish(ours)
    world.close_run(ours)
    assert world.count("songplays") == world.count("events") == 4

    world.copy(theirs)
    world.build(theirs)
    world.pass_all(theirs)
    assert world.publish(theirs)["replaced"] == []
    world.close_run(theirs)
    assert (world.count("songplays"), world.count("loaded_files"), world.count("run_schemas")) == (4, 3, 0)


@pytest.mark.finding("W7")
def test_checks_that_passed_in_another_try_do_not_count(two_days):
    world = two_days
    context = staged(world)
    passed = dict(context["pushed"])
    world.stage(context)
    world.build(context)
    assert passed["audit_staging", checks.PASSED] == context["pushed"]["audit_staging", checks.PASSED]

    with pytest.raises(DataError, match="not passed in this run"):
        world.publish(context)


@pytest.mark.finding("F4")
def test_results_of_an_earlier_try_with_more_chunks_are_not_read(two_days, monkeypatch):
    """Airflow keeps them."""
    monkeypatch.setattr(chunks, "CHUNK_FILES", 1)
    world = two_days
    refused = world.log("2018-11-02", "oops", name="refused")
    context = world.context("2018-11-02", "2018-11-03")
    world.validate(context, world.plan(context))
    earlier = list(context["pushed"]["validate", "return_value"])
    assert len(earlier) == 3
    world.delete(refused)
    world.validate(context, world.plan(context))
    context["pushed"]["validate", "return_value"] += earlier

    world.open_run(context)
    world.copy(context)
    world.build(context)
    world.pass_all(context)
    world.check_complete(context, world.publish(context))

    assert world.count("songplays") == 4
    assert world.count("loaded_files") == 3


def test_a_run_of_which_a_chunk_is_not_validated_is_not_opened(two_days, monkeypatch):
    monkeypatch.setattr(chunks, "CHUNK_FILES", 1)
    world = two_days
    context = world.context("2018-11-02", "2018-11-03")
    world.validate(context, world.plan(context)[:1])

    with pytest.raises(DataError, match="1 of 2 chunks of the plan are validated.*clear the task `plan`"):
        world.open_run(context)


def age(world, run_id: str, hours: int) -> None:
    """Let so many hours pass for the schema of a run."""
    warehouse.transaction(
        lambda cursor: cursor.execute(
            f"update {world.schema}_ops.run_schemas set expires_at = dateadd(hour, -{hours}, expires_at) "
            f"where run_id = '{run_id}'"
        ),
        "age",
    )


@pytest.mark.finding("F3")
@pytest.mark.parametrize("limit", ["24", "72"])
def test_the_schema_of_a_run_is_swept_a_day_after_its_limit_whoever_sweeps(two_days, monkeypatch, limit):
    world = two_days
    dead = world.context("2018-11-02", "2018-11-03", run_id="dead")
    monkeypatch.setenv("SPARKIFY_RUN_HOURS", limit)
    world.stage(dead)
    schema = world.run_schema(dead)
    # Another deployment, whose runs are shorter.
    monkeypatch.setenv("SPARKIFY_RUN_HOURS", "1")

    age(world, "dead", hours=int(limit) + 23)
    assert run.sweep() == []
    age(world, "dead", hours=2)
    assert run.sweep() == [schema]
    assert world.rows(f"select count(*) from pg_catalog.pg_namespace where nspname = '{schema}'") == [(0,)]
    assert world.count("run_schemas") == 0


def test_a_run_that_opens_sweeps_the_schemas_of_dead_runs(two_days):
    world = two_days
    dead = world.context("2018-11-02", "2018-11-03", run_id="dead")
    world.stage(dead)
    age(world, "dead", hours=49)

    world.load("2018-11-02", "2018-11-03", audited=False)

    assert world.count("run_schemas") == 0


def test_a_try_begins_with_empty_tables_of_its_own(two_days):
    world = two_days
    context = world.context("2018-11-02", "2018-11-03", run_id="again")
    schemas = []
    for _ in range(2):
        world.stage(context)
        schemas.append(world.run_schema(context))
    assert [
        world.rows(f"select count(*) from {schema}.staging_events") for schema in dict.fromkeys(schemas)
    ] == [[(2,)], [(2,)]]


def test_a_task_of_a_run_without_a_plan_says_what_to_clear(two_days):
    """The tasks were cleared one by one, and Airflow has deleted what `plan` had returned."""
    world = two_days
    context = staged(world)
    del context["pushed"]["plan", "plan"]

    with pytest.raises(DataError, match="the run has no plan; nothing was published.*clear the task `plan`"):
        publish.publish(context, [], set(), {}, {}, "")
    with pytest.raises(DataError, match="the run has no plan.*clear the task `plan`"):
        world.run_schema(context)
    world.close_run(context)


def test_any_step_run_again_is_safe(two_days):
    world = two_days
    context = world.context("2018-11-02", "2018-11-03")
    for step in (
        world.create_tables,
        lambda: world.stage(context),
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


def test_a_copy_that_is_tried_again_loads_its_lines_once(two_days):
    world = two_days
    context = world.context("2018-11-02", "2018-11-03")
    world.validate(context, world.plan(context))
    world.open_run(context)
    world.copy(context)
    world.copy(context)
    world.audit(context, "audit_staging", tables.STAGING)
    assert world.rows(f"select count(*) from {world.run_schema(context)}.staging_events") == [(2,)]


def test_publishing_alone_after_the_schema_was_made_anew_is_refused(two_days):
    """Clearing `publish` in the UI clears the set-up with it, which empties the staging tables."""
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


def test_publishing_alone_after_the_run_has_ended_is_refused(two_days):
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
    with pytest.raises(DataError, match=r"not passed in this run: artists\.artist_id"):
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
