"""Test that a load produces the right rows, and that its work is proportional to the new data."""

from datetime import datetime, timedelta

import pytest
from airflow.providers.common.compat.sdk import AirflowSkipException

from tests.world import event, song

D1 = datetime(2018, 11, 1, 12)
D2 = datetime(2018, 11, 2, 12)


@pytest.fixture
def world(fresh):
    return fresh()


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
    world.log("2018-11-03", event(days[2], user=9))

    published = world.load("2018-11-01", "2018-12-01", audited=False)

    assert world.latest_plan["files"] == 1
    after = set(world.rows("select start_time, user_id from {s}.songplays"))
    assert before ^ after == {(days[2], 1), (days[2], 9)}
    for table in ("events", "songplays", "time"):
        assert published["changed"][table] == {"deleted": 1, "inserted": 1, "updated": 0}


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


@pytest.mark.finding("A4")
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
