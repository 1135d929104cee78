"""Test attacks on the pipeline that once succeeded.

docs/findings.md lists them. The marker of a test names its finding.
"""

from __future__ import annotations

import threading
import time
from datetime import datetime, timedelta

import pytest

from include.sparkify.errors import DataError, TransientError
from include.sparkify.redshift import warehouse
from include.sparkify.tables import HISTORY, STAR
from include.sparkify.tasks import plan
from tests.world import event, song

D1, D2 = datetime(2018, 11, 1, 12), datetime(2018, 11, 2, 12)
DAY1 = ("2018-11-01", "2018-11-02")
MONTH = ("2018-11-01", "2018-12-01")


@pytest.fixture
def world(fresh):
    return fresh()


@pytest.mark.finding("A1")
def test_a_version_published_in_between_is_superseded(world):
    world.log("2018-11-01", event(D1, item=1), event(D1, item=2))
    older = world.prepare(*DAY1)
    world.log("2018-11-01", event(D1, item=3))
    newer = world.prepare(*DAY1)
    world.publish(older)
    world.publish(newer)

    assert (world.items(), world.count("users"), world.count("events")) == ([3], 1, 1)


@pytest.mark.finding("A1")
def test_overlapping_runs_over_one_file_do_not_double_the_history(world):
    stray = event(D1 - timedelta(days=2), item=9)
    world.log("2018-11-01", *(event(D1 + timedelta(hours=hour), item=hour) for hour in range(4)), stray)
    hours = [world.prepare(f"2018-11-01T{12 + hour}:00", f"2018-11-01T{13 + hour}:00") for hour in range(4)]
    month = world.prepare(*MONTH)
    for context in (*hours, month):
        world.publish(context)

    assert world.count("events") == world.count("songplays") == 5


@pytest.mark.finding("A2")
def test_song_files_that_are_all_broken_stop_the_run_again_and_again(world):
    for number in range(5):
        world.put(f"song_data/A/TR{number}.json", b'{"song_id": null}')
    world.log("2018-11-01", *(event(D1, item=item) for item in range(600)))

    for _ in range(2):
        with pytest.raises(
            DataError, match="5 of 5 files of songs are refused.*nothing was published.*delivered again"
        ):
            world.load(*DAY1, audited=False)
    assert world.count("events") == world.count("songs") == 0


@pytest.mark.finding("A2")
def test_one_bad_song_file_of_many_is_left_out_and_named(fresh):
    world = fresh(reject_threshold=0.2)
    for number in range(9):
        world.song(song(f"SO{number}", f"T{number}"))
    bad = world.put("song_data/A/BAD.json", b"[]")
    world.log("2018-11-01", event(D1, song="T1"))

    with pytest.raises(DataError, match=f"all other files are loaded, but 1 file is refused: {bad}"):
        world.load(*DAY1, audited=False)
    assert (world.count("songs"), world.count("songplays", "song_id = 'SO1'")) == (9, 1)
    # It is not read again, and does not fail every later run.
    world.log("2018-11-02", event(D2))
    world.load("2018-11-02", audited=False)
    world.log("2018-11-03", event(D2 + timedelta(days=1)))
    fresh(reject_threshold=0.1)
    context = world.context("2018-11-03")
    world.plan(context)
    plan = context["pushed"]["plan", "plan"]
    assert (plan["files"], plan["listed"], plan["refused_of"]) == (1, {"songs": 10}, {"songs": 1})
    fresh(reject_threshold=0.09)
    with pytest.raises(DataError, match=f"1 of 10 files of songs are refused.*First: {bad}: "):
        world.plan(context)


@pytest.mark.finding("A5")
def test_load_and_full_refresh_see_the_same_files_and_name_the_others(world):
    world.log("2018-11-01", event(D1, item=1))
    body = b'{"not": "read"}'
    others = [
        world.put(f"log_data/{name}", body)
        for name in (
            "2018/12/2018-11-01-events.json",
            "2018/11/2018-11-01-events.JSON",
            "2018/11/2018-11-01-events.jsonl",
            "2018/2018-11-01-events.json",
            "2018-11-01-events.json",
        )
    ]
    folder = world.put("log_data/2018-11-01/part-0.json", body)
    context = world.context("2018-11-01", "2018-12-02")
    world.plan(context)
    assert sorted(context["pushed"]["plan", "plan"]["unrecognized"]) == sorted(
        [*others, "log_data/2018-11-01/"]
    )
    world.load(*MONTH, audited=False)
    before = world.state(*STAR, *HISTORY)
    context = world.context(mode="full_refresh")
    world.plan(context)
    assert sorted(context["pushed"]["plan", "plan"]["unrecognized"]) == sorted([*others, folder])
    world.load(mode="full_refresh", audited=False)
    assert world.state(*STAR, *HISTORY) == before


@pytest.mark.finding("A5")
@pytest.mark.parametrize(("logs", "songs"), [(3, 3), (1, 3), (0, 3)])
def test_a_plan_names_the_first_files_of_very_many_that_it_does_not_recognize(
    world, monkeypatch, logs, songs
):
    monkeypatch.setattr(plan, "KEPT_KEYS", 2)
    odd = [world.put(f"log_data/{number}.json", b"") for number in range(logs)]
    odd += [world.put(f"song_data/{number}.txt", b"") for number in range(songs)]
    world.log("2018-11-01", event(D1))
    context = world.context(*DAY1)
    world.plan(context)

    assert context["pushed"]["plan", "plan"]["unrecognized"] == odd[:2]


@pytest.mark.finding("A8")
@pytest.mark.parametrize("interval", [DAY1, MONTH])
def test_the_verdict_on_a_file_does_not_depend_on_the_interval(world, interval):
    bad = world.log("2018-11-01", *(event(D1, item=item) for item in range(100)), "oops", "oops", "oops")
    world.log("2018-11-02", *(event(D2, item=item) for item in range(900)))

    with pytest.raises(DataError, match=f"{bad}: 3 of 103 lines were rejected"):
        world.load(*interval, audited=False)
    assert world.count("events", "source_key like '%%2018-11-01%%'") == 0
    assert world.count("events") == (900 if interval == MONTH else 0)


@pytest.mark.finding("A9")
@pytest.mark.finding("B2")
def test_a_restored_older_version_is_loaded_whatever_its_age(world):
    world.log("2018-11-01", event(D1, item=1))
    world.load(*DAY1, audited=False)
    world.log("2018-11-01", event(D1, item=2))
    world.load(*DAY1, audited=False)
    world.log("2018-11-01", event(D1, item=1))
    warehouse.transaction(
        lambda cursor: cursor.execute(
            f"update {world.schema}_ops.loaded_files set last_modified = '2099-01-01'"
        ),
        "age",
    )
    world.load(*DAY1, audited=False)
    assert world.items() == [1]


@pytest.mark.finding("B1")
@pytest.mark.usefixtures("own_sessions")
def test_a_reader_of_any_table_keeps_no_writer_waiting(world):
    world.log("2018-11-01", event(D1))
    reader = warehouse.connect()
    try:
        cursor = reader.cursor()
        for table in (*STAR, *HISTORY):
            cursor.execute(f"select count(*) from {world.schema}.{table}")
        for table in ("publish_log", "run_schemas", "loaded_files", "quality_results", "rejected_lines"):
            cursor.execute(f"select count(*) from {world.schema}_ops.{table}")
        world.load(*DAY1)
    finally:
        reader.close()
    assert world.items() == [0]


@pytest.mark.finding("B1")
@pytest.mark.usefixtures("own_sessions")
def test_a_held_lock_ends_in_a_message_that_names_the_session(fresh):
    world = fresh(lock_minutes=0.02)
    holder = warehouse.connect()
    try:
        cursor = holder.cursor()
        cursor.execute("select pg_backend_pid()")
        (pid,) = cursor.fetchone()
        cursor.execute(f"lock table {world.schema}_ops.publish_lock")
        began = time.monotonic()
        with pytest.raises(
            TransientError, match=rf"held .*publish_lock.*session {pid} of user.*end that session"
        ):
            warehouse.transaction(warehouse.lock, "try")
        assert time.monotonic() - began < 60
    finally:
        holder.close()


@pytest.mark.finding("B1")
@pytest.mark.usefixtures("own_sessions")
def test_a_statement_that_waits_for_a_locked_table_ends(fresh):
    world = fresh(statement_minutes=0.02)
    holder = warehouse.connect()
    try:
        holder.cursor().execute(f"lock table {world.schema}.songplays")
        with pytest.raises(TransientError, match="statement_minutes"):
            world.count("songplays")
    finally:
        holder.close()
    assert "holds" not in warehouse.describe_blockers()


@pytest.mark.finding("B3")
def test_years_of_absent_days_are_one_statement_each_way(world, monkeypatch):
    world.log("2018-11-01", event(D1))
    statements = []
    transaction = warehouse.transaction
    monkeypatch.setattr(
        warehouse, "transaction", lambda *given: statements.append(given[1]) or transaction(*given)
    )
    began = threading.active_count()
    world.plan(world.context("2010-01-01", "2019-12-01"))
    assert len(statements) < 10 and threading.active_count() <= began + 1
