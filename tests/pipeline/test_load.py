"""Test that a load produces the right rows, and that its work is proportional to the new data."""

from datetime import datetime, timedelta

import pytest
from airflow.providers.common.compat.sdk import AirflowSkipException

from local import sample
from tests.world import event, song

D1 = datetime(2018, 11, 1, 12)
D2 = datetime(2018, 11, 2, 12)


@pytest.fixture
def world(fresh):
    return fresh()


def files_read(world, *load, **more):
    """Load, and return the keys of the files that the load read, according to the ledger."""
    world.published = world.load(*load, audited=False, **more)
    run_id = f"manual__{world._runs}"
    return [
        key
        for (key,) in world.rows(
            f"select source_key from {{o}}.loaded_files where run_id = '{run_id}' and kind <> 'absent' order by 1"
        )
    ]


def test_a_day_becomes_a_star(world):
    world.song(song("SO1", "Song", "Artist", 200.5))
    world.log(
        "2018-11-01",
        event(D1, user=7, item=1),
        event(D1, user=8, session=2, song="Other"),
        event(D1, user=None, page="Home", artist=None, song=None, length=None),
    )
    world.load("2018-11-01", "2018-11-02")

    assert world.rows(
        "select start_time, user_id, level, song_id, artist_id, session_id, item_in_session, song, length "
        "from {s}.songplays order by user_id"
    ) == [
        (D1, 7, "free", "SO1", "AR1", 1, 1, "Song", pytest.approx(200.5)),
        (D1, 8, "free", None, None, 2, 0, "Other", pytest.approx(200.5)),
    ]
    assert world.rows("select * from {s}.time") == [(D1, 12, 1, 44, 11, 2018, 4, 2018)]
    assert world.rows("select user_id, first_name, updated_at from {s}.users order by 1") == [
        (7, "First7", D1),
        (8, "First8", D1),
    ]
    assert world.count("events") == 3


def test_nothing_new_reads_nothing_and_changes_nothing_and_a_reload_ends_in_the_same(world):
    both_days = ("2018-11-01", "2018-11-03")
    world.song(song())
    world.log("2018-11-01", event(D1))
    world.log("2018-11-02", event(D2))
    world.load(*both_days)
    before = world.state()
    with pytest.raises(AirflowSkipException, match="nothing is new"):
        world.load(*both_days)
    world.load(*both_days, mode="reload")
    assert world.state() == before


def test_a_changed_log_file_changes_only_its_day_in_a_load_of_the_month(world):
    days = [D1 + timedelta(days=n) for n in range(5)]
    for day in days:
        world.log(f"{day:%Y-%m-%d}", event(day))
    world.load("2018-11-01", "2018-12-01", audited=False)
    before = set(world.rows("select start_time, user_id from {s}.songplays"))
    changed = world.log("2018-11-03", event(days[2], user=9))

    assert files_read(world, "2018-11-01", "2018-12-01") == [changed]
    after = set(world.rows("select start_time, user_id from {s}.songplays"))
    assert before ^ after == {(days[2], 1), (days[2], 9)}
    for table in ("events", "songplays", "time"):
        assert world.published["changed"][table] == {"deleted": 1, "inserted": 1, "updated": 0}


def test_every_version_of_the_star_names_the_days_that_it_changed_once(world):
    """This includes days whose plays gained or lost their song, because the reports follow these days."""
    for day in (D1, D2):
        world.log(f"{day:%Y-%m-%d}", event(day))
    world.load("2018-11-01", "2018-11-03", audited=False)
    world.log("2018-11-01", event(D1), event(D1, item=1))
    world.song(song())
    world.load("2018-11-01", "2018-11-02", audited=False)

    days = [D1.date(), D2.date()]
    assert world.rows("select version, day from {o}.changed_days order by 1, 2") == [
        (version, day) for version in (1, 2) for day in days
    ]


def test_a_change_beyond_look_back_is_taken_up_by_a_run_with_start_and_end(world):
    world.log("2018-11-01", event(D1))
    world.load("2018-11-01", audited=False)
    world.log("2018-11-01", event(D1, user=9))
    world.log("2018-11-20", event(datetime(2018, 11, 20, 1)))
    world.load("2018-11-20", audited=False)
    assert world.count("users", "user_id = 9") == 0
    world.load("2018-11-01", "2018-11-02", audited=False)

    assert world.rows("select user_id from {s}.users order by 1") == [(1,), (9,)]
    assert world.rows("select user_id from {s}.songplays order by start_time") == [(9,), (1,)]


def test_hours_make_the_day(make_world):
    """A growing file, loaded every six hours, ends in the same rows as its last version, loaded by a daily run."""
    plays = [event(datetime(2018, 11, 1, hour, 59, 59), item=hour) for hour in range(0, 24, 5)]
    states = []
    for step in (24, 6):
        world = make_world()
        world.create_tables()
        for hour in range(0, 24, step):
            start = datetime(2018, 11, 1) + timedelta(hours=hour)
            so_far = [play for play in plays if play["itemInSession"] < hour + step]
            world.log("2018-11-01", *so_far)
            world.load(start.isoformat(), (start + timedelta(hours=step)).isoformat(), audited=False)
            assert world.count("songplays") == len(so_far)
        states.append(world.state("songplays", "users", "time", "events"))
    assert states[0] == states[1]


@pytest.mark.slow
def test_a_week_at_once_and_day_by_day_both_ways_are_the_same_star(make_world, tmp_path):
    sample.write(tmp_path, sample.Spec(days=7, scale=0.1))
    files = {path.relative_to(tmp_path).as_posix(): path.read_bytes() for path in tmp_path.rglob("*.json")}
    first = datetime(2018, 11, 1)
    days = [
        (f"{day:%Y-%m-%d}", f"{day + timedelta(days=1):%Y-%m-%d}")
        for day in (first + timedelta(n) for n in range(7))
    ]
    states = []
    for intervals in ([("2018-11-01", "2018-11-08")], days, days[::-1]):
        world = make_world()
        world.create_tables()
        for key, body in files.items():
            world.put(key, body)
        for interval in intervals:
            world.load(*interval, audited=False)
        states.append(world.state())

    assert not states[0]["songplays"].startswith("0 ")
    assert states[0] == states[1] == states[2]


def test_a_corrected_file_that_takes_events_away_is_squared_with_every_table(world):
    """A full refresh is not needed: the history still has the users' other events."""
    world.log("2018-11-01", event(D1), event(D1 + timedelta(hours=1), user=2, level="free"))
    world.log("2018-11-02", event(D2, level="paid"), event(D2 + timedelta(hours=1), user=3))
    world.load("2018-11-01", "2018-11-03", audited=False)
    world.log("2018-11-02", event(D2 + timedelta(hours=2), user=2, level="paid"))
    world.load("2018-11-01", "2018-11-03", audited=False)
    corrected = world.state()

    assert world.rows("select user_id, level, updated_at from {s}.users order by 1") == [
        (1, "free", D1),
        (2, "paid", D2 + timedelta(hours=2)),
    ]
    world.load(mode="full_refresh", audited=False)
    refreshed = world.state()
    del corrected["loaded_files"], refreshed["loaded_files"]
    assert refreshed == corrected
