"""Test faults of files: missing, late, damaged, misnamed, and replaced or deleted during a run."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime, timedelta

import pytest
from airflow.providers.common.compat.sdk import AirflowSkipException

from include.sparkify.errors import DataError
from tests.world import event, lines, log_key, song

D1, D2, D3 = datetime(2018, 11, 1, 12), datetime(2018, 11, 2, 12), datetime(2018, 11, 3, 12)
NOVEMBER = ("2018-11-01", "2018-12-01")


# The interval's file is missing ---------------------------------------------------------------------------


def test_a_day_whose_file_is_missing_is_skipped_and_keeps_its_rows(fresh):
    world = fresh()
    gone = world.log("2018-11-01", event(D1))
    world.load("2018-11-01", audited=False)
    before = world.state(*"songplays users time events".split())
    world.delete(gone)

    with pytest.raises(AirflowSkipException, match=r"no file of events for 1 day\(s\).*2018-11-01"):
        world.load("2018-11-01", audited=False)

    assert world.state(*before) == before


def test_policy_warn_goes_on_with_the_songs_of_a_day_without_a_file(fresh, caplog):
    world = fresh(absent="warn")
    world.song(song("SO1"))

    world.load("2018-11-01")

    assert world.count("songs") == 1
    assert "no file of events for 1 day(s)" in caplog.text


def test_policy_fail_stops_the_run_of_a_day_without_a_file(fresh):
    world = fresh(absent="fail")
    world.song(song("SO1"))

    with pytest.raises(DataError, match="2018-11-01.*Nothing was loaded.*run the interval again"):
        world.load("2018-11-01")

    assert world.count("songs") == 0


def test_a_song_that_hourly_runs_do_not_look_for_is_found_by_the_one_that_ends_the_day(fresh):
    world = fresh()
    world.log("2018-11-01", event(D1))
    world.song(song("SO1"))

    for hour, matched in ((12, [(None,)]), (23, [("SO1",)])):
        context = world.context("2018-11-01", run_id=f"scheduled__{hour}")
        start = datetime(2018, 11, 1, hour, tzinfo=UTC)
        context |= {"data_interval_start": start, "data_interval_end": start + timedelta(hours=1)}
        world.stage(context)
        world.finish(context)

        assert world.rows("select song_id from {s}.songplays") == matched


# Packed ---------------------------------------------------------------------------------------------------


PACKED = gzip.compress(lines(*(event(D1, item=item) for item in range(200))))


@pytest.mark.parametrize(
    "body",
    [
        PACKED[: len(PACKED) // 2],
        PACKED[:-4] + b"\0\0\0\0",
        PACKED + b"rubbish",
    ],
    ids=["half of it", "wrong length", "rubbish behind it"],
)
def test_a_damaged_gzip_file_is_named(fresh, body):
    world = fresh()
    broken = world.put(log_key("2018-11-01", "events.json.gz"), body)

    with pytest.raises(DataError, match=rf"{broken}: the file is corrupt after line \d+.*delivered again"):
        world.load("2018-11-01")

    assert world.count("loaded_files") == world.count("events") == 0
    assert world.count("refused_files") == 1


@pytest.mark.finding("R9")
@pytest.mark.parametrize("key", [log_key("2018-11-01"), "song_data/A/TR1.json"])
def test_a_misnamed_file_that_replaces_a_listed_one_is_refused_at_its_own_version(fresh, key):
    world = fresh(absent="warn")
    world.put(key, b"{}")
    context = world.context("2018-11-01", "2018-11-02")
    chunks = world.plan(context)
    world.put(key, PACKED)

    world.validate(context, chunks)

    etag = world.s3.head_object(Bucket=world.lake, Key=key)["ETag"].strip('"')
    assert world.rows("select source_key, etag from {o}.refused_files") == [(key, etag)]


# Overtaken ------------------------------------------------------------------------------------------------


def overtaken(world, context, change) -> None:
    """Stage a run, and call ``change`` after it has planned and before it reads."""
    planned = world.plan(context)
    change()
    world.validate(context, planned)
    world.open_run(context)
    world.copy(context)


def test_a_file_replaced_after_the_listing_is_loaded_whole_at_its_new_version(fresh):
    world = fresh()
    world.log("2018-11-01", event(D1, item=1))
    world.log("2018-11-02", event(D2, item=2))
    context = world.context(*NOVEMBER)
    overtaken(world, context, lambda: world.log("2018-11-02", event(D2, item=3), event(D2, item=4)))
    world.finish(context)

    assert world.items() == [1, 3, 4]
    with pytest.raises(AirflowSkipException, match="nothing is new"):
        world.load(*NOVEMBER)


def test_a_file_deleted_after_the_listing_does_not_fail_the_run(fresh):
    world = fresh()
    kept = {world.log("2018-11-02", event(D2, item=2)), world.song(song("SO2"))}
    gone = world.log("2018-11-01", event(D1, item=1)), world.song(song("SO1"))
    context = world.context(*NOVEMBER)
    overtaken(world, context, lambda: [world.delete(key) for key in gone])
    world.finish(context)

    assert world.items() == [2]
    assert set(world.ledger()) == kept


def test_a_deleted_piece_fails_the_copy(fresh):
    """The manifest's entries are mandatory: validated lines are loaded completely or not at all."""
    world = fresh()
    world.log("2018-11-01", event(D1))
    context = world.context("2018-11-01")
    world.validate(context, world.plan(context))
    world.open_run(context)
    (chunk,) = context["pushed"]["validate", "return_value"]
    for address in chunk["pieces"]["staging_events"]:
        world.s3.delete_object(Bucket=world.work, Key=address.split("/", 3)[3])
    with pytest.raises(Exception, match="(?i)specified key does not exist|NoSuchKey|not found"):
        world.copy(context)
