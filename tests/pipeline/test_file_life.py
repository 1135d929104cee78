"""Test the life of a file: listed, due, validated, staged, loaded; refused, corrected; replaced, emptied, deleted.

Only the lake and the ledger determine which files are due, so no sequence of runs leaves a file behind.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from airflow.providers.common.compat.sdk import AirflowSkipException

from include.sparkify.errors import DataError
from include.sparkify.redshift import schema
from include.sparkify.tables import PUBLISHED, STAR
from tests.world import event, lines, log_key, song

D1, D2, D3 = (datetime(2018, 11, day) for day in (1, 2, 3))
BROKEN = "this is not JSON"


def hours(day: datetime, first: int, last: int) -> tuple[datetime, datetime]:
    return day + timedelta(hours=first), day + timedelta(hours=last)


def load(world, start: datetime, end: datetime) -> None:
    """Load an interval as a manual run does."""
    world.load(start.isoformat(), end.isoformat(), audited=False)


def scheduled(world, start: datetime, end: datetime, run_id: str = "") -> dict:
    """Return the context of a scheduled run, which looks back."""
    return world.context(f"{start:%Y-%m-%d}", run_id=run_id) | {
        "data_interval_start": start.replace(tzinfo=UTC),
        "data_interval_end": end.replace(tzinfo=UTC),
    }


def load_scheduled(world, start: datetime, end: datetime) -> None:
    world.load(audited=False, context=scheduled(world, start, end))


def load_day(world, day: datetime) -> None:
    load_scheduled(world, *hours(day, 0, 24))


def deliver(world, day: datetime, number: int, *at: datetime, name: str = "events") -> str:
    """Deliver version ``number`` of a day's file, with plays at the times ``at``; their item is ``number``."""
    return world.log(f"{day:%Y-%m-%d}", *(event(moment, item=number) for moment in at), name=name)


def plays(world) -> list[tuple[datetime, int]]:
    """Return the start time and the version of every published play."""
    return world.rows("select start_time, item_in_session from {s}.songplays order by 1, 2")


@pytest.fixture
def world(fresh):
    return fresh()


# Refused and corrected ------------------------------------------------------------------------------------


@pytest.mark.finding("W1")
@pytest.mark.parametrize("songs", [False, True], ids=["nothing else", "with songs published"])
def test_a_refused_file_that_comes_corrected_is_loaded_by_the_next_scheduled_run(world, songs):
    world.log("2018-11-01", event(D1), BROKEN)
    if songs:
        world.song(song())
    with pytest.raises(DataError, match="new versions are found automatically"):
        load_day(world, D1)
    assert plays(world) == []
    deliver(world, D1, 2, D1)
    deliver(world, D2, 1, D2)

    load_day(world, D2)

    assert plays(world) == [(D1, 2), (D2, 1)]


@pytest.mark.finding("W2")
def test_an_hourly_file_that_was_refused_is_loaded_whole_when_it_has_grown(fresh):
    world = fresh(reject_threshold=0.3)
    at = [D1 + timedelta(hours=hour, minutes=30) for hour in range(4)]
    for hour in range(4):
        grown = [event(moment, item=1) for moment in at[: hour + 1]]
        # One bad line in 1, 2 or 3 lines refuses the file. One in 4 does not.
        world.log("2018-11-01", *grown[1:], BROKEN)
        if hour < 3:
            with pytest.raises(DataError):
                load_scheduled(world, *hours(D1, hour, hour + 1))
        else:
            load_scheduled(world, *hours(D1, hour, hour + 1))
    assert plays(world) == [(moment, 1) for moment in at[1:]]


@pytest.mark.finding("W3")
@pytest.mark.parametrize("others", [False, True], ids=["the only file", "beside another"])
def test_a_file_that_is_replaced_by_delete_and_put_while_a_run_reads_stays_due(world, others):
    key = deliver(world, D1, 1, D1)
    if others:
        deliver(world, D1, 7, D1 + timedelta(hours=1), name="more")
    context = scheduled(world, *hours(D1, 0, 24))
    chunks = world.plan(context)
    world.delete(key)
    world.validate(context, chunks)
    if others:
        world.build_validated(context)
        world.publish(context)
    else:
        with pytest.raises(DataError, match="every file of the run was deleted.*run the interval again"):
            world.open_run(context)
    deliver(world, D1, 2, D1)

    load_day(world, D2)

    assert (D1, 2) in plays(world)


@pytest.mark.finding("W4")
def test_a_file_that_comes_after_its_day_was_skipped_and_the_tables_recreated_is_loaded(world):
    with pytest.raises(AirflowSkipException):
        load_day(world, D1)
    schema.recreate_tables(world.rendered("create", PUBLISHED), world.schema)
    with pytest.raises(AirflowSkipException):
        world.load(mode="full_refresh", audited=False)
    deliver(world, D1, 1, D1)
    deliver(world, D2, 1, D2)

    load_day(world, D2)

    assert plays(world) == [(D1, 1), (D2, 1)]


@pytest.mark.finding("W10")
def test_a_schedule_that_changes_at_noon_loses_no_hour(world):
    """Airflow creates no daily run for a day whose first hour has run, so the next day's run loads the other hours."""
    at = [D1 + timedelta(hours=hour, minutes=30) for hour in range(24)]
    for hour in range(13):
        deliver(world, D1, 1, *at[: hour + 1])
        load_scheduled(world, *hours(D1, hour, hour + 1))
    deliver(world, D1, 1, *at)
    deliver(world, D2, 1, D2)

    load_day(world, D2)

    assert plays(world) == [*((moment, 1) for moment in at), (D2, 1)]


def test_what_look_back_does_not_reach_is_left_for_a_run_with_start_and_end(fresh):
    world = fresh(look_back_days=1)
    for day in (D1, D2, D3):
        deliver(world, day, 1, day)
    load_day(world, D3)
    assert plays(world) == [(D2, 1), (D3, 1)]
    load(world, *hours(D1, 0, 24))
    assert plays(world) == [(D1, 1), (D2, 1), (D3, 1)]


# Replaced, emptied, deleted -------------------------------------------------------------------------------


@pytest.mark.finding("R4")
def test_a_full_refresh_forgets_the_refusals_of_files_that_left_the_lake(world):
    gone = world.log("2018-11-01", BROKEN)
    restored = deliver(world, D2, 1, D2)
    load(world, *hours(D2, 0, 24))
    world.log("2018-11-02", BROKEN)
    with pytest.raises(DataError, match="2 files are refused"):
        load(world, *hours(D1, 0, 48))
    world.delete(gone)
    deliver(world, D1, 1, D1, name="fixed")
    deliver(world, D2, 1, D2)
    load(world, *hours(D1, 0, 48))
    assert world.rows("select source_key from {o}.refused_files order by 1") == [(gone,), (restored,)]
    bad = world.log("2018-11-03", BROKEN)

    with pytest.raises(DataError, match=f"1 file is refused: {bad}"):
        world.load(mode="full_refresh", audited=False)

    assert world.rows("select source_key from {o}.refused_files") == [(bad,)]
    assert [key for key, *_ in world.rejected()] == [bad]


@pytest.mark.finding("W5")
def test_an_empty_file_takes_no_loaded_row_away(world):
    """tests/unit/test_source.py also tests a file of blank lines."""
    key = deliver(world, D1, 1, D1)
    load_day(world, D1)
    world.put(key, b"")
    with pytest.raises(DataError, match="it is empty, and a version of it is loaded.*mode=full_refresh"):
        load_day(world, D2)
    assert plays(world) == [(D1, 1)]
    deliver(world, D1, 2, D1)
    load_day(world, D2)
    assert plays(world) == [(D1, 2)]


@pytest.mark.finding("A2")
@pytest.mark.finding("W5")
@pytest.mark.parametrize("body", [b'{"song_id": null}', b""], ids=["broken", "emptied"])
def test_loaded_song_files_that_are_all_refused_stop_the_run(world, body):
    keys = [world.song(song(f"SO{number}", f"T{number}")) for number in range(5)]
    world.log("2018-11-01", event(D1, song="T1"))
    load_day(world, D1)
    before = world.state()
    for key in keys:
        world.put(key, body)
    deliver(world, D2, 1, D2)

    with pytest.raises(DataError, match="5 of 5 files of songs are refused"):
        load_day(world, D2)
    assert world.state() == before


@pytest.mark.finding("W6")
@pytest.mark.parametrize("empty", ["prefix", "bucket"])
def test_a_full_refresh_of_a_lake_that_looks_empty_fails_until_it_is_confirmed(fresh, empty):
    world = fresh(delete_threshold=0.1)
    for day in (D1, D2):
        deliver(world, day, 1, day)
    world.song(song())
    world.load(mode="full_refresh")
    before = world.state()
    if empty == "prefix":
        fresh(delete_threshold=0.1, log_prefix="logdata/")
    else:
        for key in (log_key("2018-11-01"), log_key("2018-11-02"), "song_data/A/A/A/TRSO1.json"):
            world.delete(key)

    with pytest.raises(DataError, match="little_is_taken_away.*confirm_deletes"):
        world.load(mode="full_refresh")
    assert world.state() == before

    context = world.context(mode="full_refresh")
    context["params"]["confirm_deletes"] = True
    world.load(context=context)
    assert world.count("songplays") == world.count("loaded_files", "kind = 'events'") == 0


@pytest.mark.finding("W6")
def test_a_run_may_take_away_as_much_as_the_threshold(fresh):
    """Two of twenty lines are a tenth. Added lines offset deleted ones of the same day."""
    world = fresh(delete_threshold=0.1)
    at = [D1 + timedelta(minutes=minute) for minute in range(20)]
    deliver(world, D1, 1, *at)
    world.load(*map(str, hours(D1, 0, 24)))
    deliver(world, D1, 2, *at[:17])
    with pytest.raises(DataError, match="little_is_taken_away"):
        world.load(*map(str, hours(D1, 0, 24)))
    deliver(world, D1, 4, *at[17:18], name="more")
    world.load(*map(str, hours(D1, 0, 24)))
    assert plays(world) == [*((moment, 2) for moment in at[:17]), (at[17], 4)]


@pytest.mark.finding("W12")
def test_a_new_day_does_not_offset_the_lines_that_another_day_loses(fresh):
    world = fresh(delete_threshold=0.1)
    at = [timedelta(minutes=minute) for minute in range(20)]
    deliver(world, D1, 1, *(D1 + since for since in at))
    world.load(*map(str, hours(D1, 0, 24)))
    before = world.state(*STAR)
    deliver(world, D1, 2, D1)
    deliver(world, D2, 1, *(D2 + since for since in at))
    with pytest.raises(DataError, match="little_is_taken_away"):
        world.load(f"{D2:%Y-%m-%d}")
    assert world.state(*STAR) == before


@pytest.mark.finding("W12")
def test_a_day_whose_file_is_renamed_loses_no_lines(fresh):
    world = fresh(delete_threshold=0.1)
    key = deliver(world, D1, 1, D1)
    world.load(*map(str, hours(D1, 0, 24)))
    world.delete(key)
    deliver(world, D1, 1, D1, name="renamed")
    world.load(mode="full_refresh")
    assert plays(world) == [(D1, 1)]


@pytest.mark.finding("F2")
def test_a_file_of_an_impossible_day_is_unrecognized(world):
    """Python has no day after 9999-12-31."""
    keys = [
        world.put(f"log_data/{day[:7].replace('-', '/')}/{day}-events.json", lines(event(D1)))
        for day in ("1999-12-31", "2018-11-31", "2101-01-01", "9999-12-31")
    ]
    deliver(world, D1, 1, D1)
    for context in (world.context(mode="full_refresh"), world.context(mode="replay")):
        if context["params"]["mode"] == "full_refresh":
            world.plan(context)
            assert context["pushed"]["plan", "plan"]["unrecognized"] == keys
        else:
            with pytest.raises(AirflowSkipException):
                world.plan(context)


# Beside other runs ----------------------------------------------------------------------------------------


def test_a_version_that_another_run_has_loaded_meanwhile_is_not_loaded_twice(world):
    """The runs of a catch-up overlap, and each looks back."""
    for day in (D1, D2):
        deliver(world, day, 1, day)
    first = world.prepare(f"{D1:%Y-%m-%d}")
    second = world.prepare(f"{D2:%Y-%m-%d}")
    world.publish(first)
    published = world.publish(second)

    assert (plays(world), published["replaced"]) == ([(D1, 1), (D2, 1)], [])
    # The second run changes only the second day.
    assert world.rows("select day from {o}.changed_days where version = 2") == [(D2.date(),)]
    assert published["changed"]["events"] == {"deleted": 0, "inserted": 1, "updated": 0}


@pytest.mark.finding("W11")
@pytest.mark.parametrize("source", ["events", "songs"])
def test_an_empty_version_takes_nothing_away_that_another_run_has_loaded_since_the_plan(world, source):
    """When this run was planned, no version of the file was loaded, so `validate` accepts the empty one."""
    log, song_file = deliver(world, D1, 1, D1), world.song(song())
    context = scheduled(world, *hours(D1, 0, 24))
    chunks = world.plan(context)
    load_day(world, D1)
    before = world.state()
    emptied = log if source == "events" else song_file
    world.put(emptied, b"")
    world.validate(context, chunks)
    world.open_run(context)
    world.copy(context)
    world.build(context)
    world.pass_all(context)

    assert world.publish(context)["replaced"] == [emptied]
    assert world.state() == before
    with pytest.raises(DataError, match="it is empty|1 of 1 files of songs are refused"):
        load_day(world, D1)
