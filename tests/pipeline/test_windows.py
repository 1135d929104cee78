"""Which part of a log file a run loads, rewrites and notes in the ledger: to the hour, at its bounds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from airflow.providers.common.compat.sdk import AirflowSkipException

from tests.world import event, log_key, song

D1, D2, D3 = (datetime(2018, 11, day) for day in (1, 2, 3))


def hours(day: datetime, first: int, last: int) -> tuple[datetime, datetime]:
    return day + timedelta(hours=first), day + timedelta(hours=last)


def load(world, start: datetime, end: datetime) -> None:
    """Load hours as a run by hand does."""
    world.load(start.isoformat(), end.isoformat(), audited=False)


def scheduled(world, start: datetime, end: datetime, run_id: str = "") -> dict:
    """The context of a run of the scheduler, which looks back."""
    return world.context(f"{start:%Y-%m-%d}", run_id=run_id) | {
        "data_interval_start": start.replace(tzinfo=UTC),
        "data_interval_end": end.replace(tzinfo=UTC),
    }


def load_scheduled(world, start: datetime, end: datetime) -> None:
    world.load(audited=False, context=scheduled(world, start, end))


def ledger(world) -> list[tuple]:
    """The parts of the ledger: the day of the file, or `absent`; begin and end; which delivery of the file."""
    versions = world.versions
    return [
        (
            "absent" if kind == "absent" else int(key.rpartition("/")[2][8:10]),
            start,
            end,
            versions.get(etag, 0),
        )
        for key, kind, start, end, etag in world.rows(
            "select source_key, kind, interval_start, interval_end, etag from {o}.loaded_files order by 3, 1"
        )
    ]


def deliver(world, day: datetime, number: int, *at: datetime, name: str = "events") -> None:
    """Deliver a file of a day for the n-th time, with plays at these moments; their item is the delivery."""
    key = world.log(f"{day:%Y-%m-%d}", *(event(moment, item=number) for moment in at), name=name)
    etag = world.s3.head_object(Bucket=world.lake, Key=key)["ETag"].strip('"')
    world.versions[etag] = number


def plays(world) -> list[tuple[datetime, int]]:
    """Moment and delivery of the published plays."""
    return world.rows("select start_time, item_in_session from {s}.songplays order by 1, 2")


@pytest.fixture
def world(fresh):
    world = fresh()
    world.versions = {}
    return world


@pytest.mark.parametrize(
    ("before", "own"),
    [(hours(D1, 10, 11), hours(D2, 0, 1)), (hours(D1, 22, 24), hours(D2, 10, 11))],
    ids=[
        "the second window begins where the first file ends",
        "the first window ends where the second file begins",
    ],
)
def test_a_file_has_no_part_in_a_window_that_only_touches_its_day(world, before, own):
    moments = [D1 + timedelta(hours=10, minutes=30), D1 + timedelta(hours=22, minutes=30)]
    deliver(world, D1, 1, *moments)
    load(world, *before)
    deliver(world, D1, 2, *moments)
    deliver(world, D2, 1, D2 + timedelta(minutes=30), D2 + timedelta(hours=10, minutes=30))

    load_scheduled(world, *own)

    assert ledger(world) == [(1, *before, 2), (2, *own, 1)]
    assert plays(world) == [
        (moment, delivery)
        for moment, delivery in (
            *((moment, 2) for moment in moments),
            *((own[0] + timedelta(minutes=30), 1),),
        )
        if before[0] <= moment < before[1] or delivery == 1
    ]


def test_parts_beside_the_windows_come_to_the_version_that_is_read(world):
    at = [D1 + timedelta(hours=hour) for hour in range(10, 14)]
    deliver(world, D1, 1, *at)
    load(world, *hours(D1, 10, 11))
    load(world, *hours(D1, 12, 13))
    deliver(world, D1, 2, *at)

    load(world, *hours(D1, 11, 12))

    assert ledger(world) == [(1, *hours(D1, 10 + hour, 11 + hour), 2) for hour in range(3)]
    assert plays(world) == [(moment, 2) for moment in at[:3]]


def test_a_window_over_loaded_parts_takes_their_place(world):
    at = [D1 + timedelta(hours=hour) for hour in range(10, 15)]
    deliver(world, D1, 1, *at)
    load(world, *hours(D1, 10, 12))
    load(world, *hours(D1, 13, 15))

    load(world, *hours(D1, 11, 14))

    assert ledger(world) == [
        (1, *hours(D1, 10, 11), 1),
        (1, *hours(D1, 11, 14), 1),
        (1, *hours(D1, 14, 15), 1),
    ]
    assert plays(world) == [(moment, 1) for moment in at]


@pytest.mark.parametrize(("first", "last", "songs"), [(22, 23, 0), (23, 24, 1)])
def test_only_the_last_hour_of_a_day_lists_songs(world, first, last, songs):
    world.song(song())
    deliver(world, D1, 1, D1 + timedelta(hours=first))
    context = scheduled(world, *hours(D1, first, last), run_id=f"scheduled__{first}")

    world.plan(context)

    plan = context["pushed"]["plan"]
    assert (plan["files"], plan["listed_songs"], plan["refused_songs"]) == (1 + songs, songs, 0)


def test_each_of_several_windows_takes_the_place_of_what_is_loaded(world):
    for day in (D1, D2, D3):
        deliver(world, day, 1, day)
    load(world, *hours(D1, 0, 72))
    for day in (D1, D3):
        deliver(world, day, 2, day)

    load(world, *hours(D1, 0, 72))

    assert ledger(world) == [(1, *hours(D1, 0, 24), 2), (2, *hours(D2, 0, 24), 1), (3, *hours(D3, 0, 24), 2)]
    assert plays(world) == [(D1, 2), (D2, 1), (D3, 2)]


def test_absent_time_stays_in_the_ledger_where_a_late_file_is_not_loaded(world):
    with pytest.raises(AirflowSkipException):
        load(world, *hours(D1, 8, 44))
    deliver(world, D1, 1, *(D1 + timedelta(hours=hour) for hour in (9, 11, 12)))
    deliver(world, D1, 2, D1 + timedelta(hours=11), name="more")

    load(world, *hours(D1, 10, 12))

    rest = ("absent", *hours(D2, 0, 20), 0)
    assert ledger(world) == [
        ("absent", *hours(D1, 8, 10), 0),
        (1, *hours(D1, 10, 12), 1),
        (1, *hours(D1, 10, 12), 2),
        ("absent", *hours(D1, 12, 24), 0),
        rest,
    ]
    assert plays(world) == [(D1 + timedelta(hours=11), 1), (D1 + timedelta(hours=11), 2)]
    assert world.rows(
        "select distinct etag, size, lines, accepted, rejected from {o}.loaded_files where kind = 'absent'"
    ) == [("", 0, 0, 0, 0)]
    load(world, *hours(D1, 0, 24))
    assert ledger(world) == [(1, *hours(D1, 0, 24), 1), (1, *hours(D1, 0, 24), 2), rest]


def test_a_file_with_strays_on_both_sides_keeps_what_is_loaded_of_its_own_day(world):
    at = (D1 + timedelta(hours=1), D2 + timedelta(hours=6), D2 + timedelta(hours=18), D3 + timedelta(hours=1))
    deliver(world, D2, 1, *at)

    for first, last in ((0, 12), (12, 24)):
        load(world, *hours(D2, first, last))

    assert plays(world) == [(moment, 1) for moment in at]
    assert world.count("events") == 4


def test_a_user_who_loses_a_play_keeps_the_earlier_one_of_a_file_that_is_read_in_parts(world):
    """The second part of the file has only a stray, so that its own day is not affected."""
    earlier, later = D1 + timedelta(hours=6), D2 + timedelta(hours=2)
    world.log("2018-11-01", event(earlier, user=1), event(D2, user=9))
    world.log("2018-11-02", event(later, user=1))
    load(world, *hours(D1, 0, 12))
    load(world, *hours(D2, 0, 24))
    world.log("2018-11-02", event(later, user=2))

    load(world, *hours(D1, 12, 48))

    users = world.rows("select user_id, updated_at from {s}.users order by 1")
    assert users == [(1, earlier), (2, later), (9, D2)]


def test_a_file_that_is_read_again_leaves_the_events_of_another_at_the_same_moments_and_lines(world):
    """The second moment is of another day than the files'."""
    at = (D1, D2 + timedelta(hours=1))
    deliver(world, D1, 1, *at)
    deliver(world, D1, 2, *at, name="more")
    load(world, *hours(D1, 0, 24))
    deliver(world, D1, 3, *at)
    load(world, *hours(D1, 0, 24))

    events = world.rows("select start_time, item_in_session from {s}.events order by 1, 2")
    assert events == plays(world) == [(moment, number) for moment in at for number in (2, 3)]


def test_a_full_refresh_takes_away_what_left_the_lake_and_nothing_else(world):
    at = [day + timedelta(hours=hour) for day in (D1, D2) for hour in (10, 12)]
    deliver(world, D1, 1, *at[:2])
    deliver(world, D2, 1, *at[2:])
    load(world, *hours(D1, 0, 48))
    assert ledger(world) == [(1, *hours(D1, 0, 24), 1), (2, *hours(D2, 0, 24), 1)]
    world.delete(log_key("2018-11-01"))

    world.load(mode="full_refresh", audited=False)

    assert [key for key, *_ in ledger(world)] == [2]
    assert plays(world) == [(moment, 1) for moment in at[2:]]
    assert world.count("events") == 2
