"""Test faults of the data model: copies, ties, variants, missing and late songs, changing levels, midnight sessions."""

from __future__ import annotations

import itertools
import json
from datetime import datetime, timedelta

import pytest

from include.sparkify.tables import STAR
from tests.world import event, song

D1, D2 = datetime(2018, 11, 1, 12), datetime(2018, 11, 2, 12)
BOTH_DAYS = ("2018-11-01", "2018-11-03")


def load(world, *what: str, **how) -> dict[str, dict[str, int]]:
    """Load without the checks, which tests/faults/test_gates.py tests."""
    return world.load(*what, **how, audited=False)


# Copies ---------------------------------------------------------------------------------------------------


def test_a_play_delivered_twice_in_a_file_and_in_two_files_is_one_and_the_copies_are_counted(fresh):
    world = fresh()
    world.log("2018-11-01", event(D1, item=1), event(D1, item=2), event(D1, item=1))
    world.log("2018-11-01", event(D1, item=1), name="events-again")

    world.load("2018-11-01")

    assert world.rows("select item_in_session from {s}.songplays order by 1") == [(1,), (2,)]
    assert world.count("events") == 4
    (copies,) = world.warnings()["songplays.plays_are_delivered_once"].splitlines()
    assert (json.loads(copies)["item_in_session"], json.loads(copies)["deliveries"]) == (1, 3)


def test_of_copies_that_differ_the_first_file_decides_whichever_is_loaded_first(fresh):
    """Within a file, the first line decides. This applies to the play and to its user."""
    world = fresh()
    for name in ("b", "a"):
        copies = (event(D1, location=f"{name}{line}", lastName=f"{name}{line}") for line in (1, 2))
        world.log("2018-11-01", *copies, name=name)

        load(world, "2018-11-01")

        assert world.rows("select location from {s}.songplays") == [(f"{name}1",)]
        assert world.rows("select last_name from {s}.users") == [(f"{name}1",)]


def test_two_users_at_one_instant_are_two_plays_and_one_moment(fresh):
    world = fresh()
    world.log("2018-11-01", event(D1, user=1), event(D1, user=2))

    load(world, "2018-11-01")

    assert world.rows("select user_id, start_time from {s}.songplays order by 1") == [(1, D1), (2, D1)]
    assert world.rows("select start_time from {s}.time") == [(D1,)]


def test_plays_of_one_session_and_item_at_two_moments_are_two(fresh):
    world = fresh()
    world.log("2018-11-01", event(D1), event(D1 + timedelta(seconds=1)))

    load(world, "2018-11-01")

    assert world.count("songplays") == 2


# Songs and artists ----------------------------------------------------------------------------------------

VARIANTS = {
    "without coordinates, latest": song("SO1", artist="None", artist_id="AR1", year=2018),
    "with coordinates, older": song(
        "SO2", artist="Old", artist_id="AR1", year=1990, artist_latitude=1.5, artist_longitude=2.5
    ),
    "with coordinates, newer, second by song_id": song(
        "SO4", artist="Tie", artist_id="AR1", year=2000, artist_latitude=1.5, artist_longitude=2.5
    ),
    "with coordinates, newer, first by song_id": song(
        "SO3", artist="Best", artist_id="AR1", year=2000, artist_latitude=3.5, artist_longitude=4.5
    ),
}


@pytest.mark.parametrize(
    "order", [list(VARIANTS), list(reversed(VARIANTS))], ids=["worst first", "best first"]
)
def test_of_an_artists_variants_the_same_one_decides_in_any_order(fresh, order):
    """Known coordinates come first, then the latest year, then the first song_id. All values are of one variant."""
    world = fresh(absent="warn")

    for name in order:
        world.song(VARIANTS[name])
        load(world, "2018-11-01")

    assert world.rows("select artist_id, name, latitude, longitude from {s}.artists") == [
        ("AR1", "Best", 3.5, 4.5)
    ]


def test_the_artist_of_another_file_of_a_song_stays_as_it_is(fresh):
    """The run reads only one of the artist's songs, and must not decide by that one."""
    world = fresh(absent="warn")
    world.song(song("SO1", artist="Plain", artist_id="AR2"), "song_data/A/2.json")
    world.song(song("SO9", artist="Best", artist_id="AR2", artist_latitude=1.5, artist_longitude=2.5))
    load(world, "2018-11-01")

    world.song(song("SO1", artist="First", artist_id="AR1"), "song_data/A/1.json")
    load(world, "2018-11-01")

    assert world.rows("select artist_id, name from {s}.artists order by 1") == [
        ("AR1", "First"),
        ("AR2", "Best"),
    ]
    assert world.rows("select song_id, artist_id from {s}.songs order by 1") == [
        ("SO1", "AR1"),
        ("SO9", "AR2"),
    ]


@pytest.mark.parametrize("steps", ["songs plays load", "songs load plays load", "plays load songs load"])
def test_a_play_has_the_song_of_its_title_artist_and_length(fresh, steps):
    world = fresh(absent="warn")
    near = {
        "SO1": ("Song", "Artist", 200.5),
        "SO2": ("Song", "Artist", 100.5),
        "SO3": ("Song", "Other", 200.5),
        "SO4": ("Else", "Artist", 200.5),
        "SO5": ("Else", "Other", 100.5),
    }
    none = ("None", "Other", 300.5)

    def deliver_songs() -> None:
        for song_id, names in near.items():
            world.song(song(song_id, *names, artist_id=f"AR{song_id}"))

    def deliver_plays() -> None:
        plays = enumerate([none, *near.values()])
        world.log("2018-11-01", *(event(D1, 1, 1, item, *names) for item, names in plays))

    step = {"songs": deliver_songs, "plays": deliver_plays, "load": lambda: load(world, "2018-11-01")}
    for name in steps.split():
        step[name]()

    found = world.rows("select song_id, artist_id from {s}.songplays order by item_in_session")
    assert found == [(None, None), *((song_id, f"AR{song_id}") for song_id in near)]


@pytest.mark.parametrize("artists", [("AR1", "AR1"), ("AR1", "AR2")], ids="-".join)
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_of_two_files_of_a_song_the_first_by_key_decides_in_any_order(fresh, order, artists):
    world = fresh(absent="warn")
    for file in order:
        document = song("SO1", f"Song {file}", f"Artist {file}", artist_id=artists[file])
        world.song(document, f"song_data/A/{file}.json")
        load(world, "2018-11-01")

    assert world.rows("select title, artist_id from {s}.songs") == [("Song 0", "AR1")]
    assert world.rows("select name from {s}.artists where artist_id = 'AR1'") == [("Artist 0",)]


def test_a_play_without_a_song_is_kept_without_ids_and_the_match_rate_is_reported(fresh):
    world = fresh()
    world.song(song("SO1", "Song", "Artist", 200.5))
    almost = {
        "other title": {"song": "song"},
        "other artist": {"artist": "artist"},
        "longer": {"length": 200.50001},
    }
    world.log(
        "2018-11-01", *(event(D1, item=item, **changes) for item, changes in enumerate(almost.values()))
    )
    world.log("2018-11-01", event(D1, item=9), name="match")

    load(world, "2018-11-01")

    assert world.rows("select song_id, artist_id, count(*) from {s}.songplays group by 1, 2 order by 3") == [
        ("SO1", "AR1", 1),
        (None, None, 3),
    ]
    facts, page = world.report("2018-11-01", "2018-11-02")
    assert [(day["plays"], day["matched"]) for day in facts["days"]] == [(4, 1)]
    assert "1 of 4 in the interval" in page


def test_of_two_songs_that_match_a_play_the_first_by_id_is_taken_in_any_order(fresh):
    world = fresh()
    world.log("2018-11-01", event(D1))
    for song_id in ("SO3", "SO2"):
        world.song(song(song_id, artist_id="AR" + song_id))
    load(world, "2018-11-01")
    assert world.rows("select song_id, artist_id from {s}.songplays") == [("SO2", "ARSO2")]

    world.song(song("SO1", artist_id="ARSO1"))
    world.song(song("SO4", artist_id="ARSO4"))
    load(world, "2018-11-01")

    assert world.rows("select song_id, artist_id from {s}.songplays") == [("SO1", "ARSO1")]


def test_a_song_that_comes_after_its_plays_is_pointed_to_and_counted(fresh):
    world = fresh()
    world.log("2018-11-01", event(D1, item=1), event(D1, item=2), event(D1, item=3, song="Other"))
    load(world, "2018-11-01")
    world.log("2018-11-02", event(D2, item=4))
    world.song(song("SO1"))

    changed = load(world, "2018-11-02", "2018-11-03")

    assert world.rows("select item_in_session, song_id, artist_id from {s}.songplays order by 1") == [
        (1, "SO1", "AR1"),
        (2, "SO1", "AR1"),
        (3, None, None),
        (4, "SO1", "AR1"),
    ]
    assert changed["changed"]["songplays"] == {"deleted": 0, "inserted": 1, "updated": 2}


@pytest.mark.finding("F8")
def test_a_corrected_play_does_not_get_the_song_of_its_old_title(fresh):
    """The run that corrects the play also loads the song. Another play of that title, on an unchanged day, gets it."""
    world = fresh()
    world.log("2018-11-01", event(D1))
    world.log("2018-11-02", event(D2))
    load(world, *BOTH_DAYS)
    world.log("2018-11-02", event(D2, song="Corrected"))
    world.song(song("SO1"))

    load(world, *BOTH_DAYS)

    assert world.rows("select song, song_id, artist_id from {s}.songplays order by start_time") == [
        ("Song", "SO1", "AR1"),
        ("Corrected", None, None),
    ]


def test_a_play_follows_its_song_to_another_id_and_to_another_artist(fresh):
    """First, the same artist's song with a smaller id arrives, then the artist of that song changes."""
    world = fresh()
    world.log("2018-11-01", event(D1))
    for song_id, artist_id in (("SO2", "AR1"), ("SO1", "AR1"), ("SO1", "AR2")):
        world.song(song(song_id, artist_id=artist_id))

        load(world, "2018-11-01")

        assert world.rows("select song_id, artist_id from {s}.songplays") == [(song_id, artist_id)]


def test_a_song_whose_plays_stay_changes_no_day(fresh):
    """The reports of a day are rebuilt only if one of its plays gains, changes or loses its song or artist."""
    world = fresh()
    world.log("2018-11-01", event(D1))
    world.song(song("SO1", year=1999))
    load(world, "2018-11-01")
    world.song(song("SO1", year=2000))

    changed = load(world, "2018-11-01")

    assert changed["changed"]["songs"] == {"deleted": 1, "inserted": 1, "updated": 0}
    assert changed["changed"]["songplays"] == {"deleted": 0, "inserted": 0, "updated": 0}
    assert world.count("changed_days", f"version = {changed['version']}") == 0


def test_a_song_that_is_renamed_loses_its_plays(fresh):
    world = fresh()
    world.log("2018-11-01", event(D1))
    world.song(song("SO1"))
    load(world, "2018-11-01")
    world.song(song("SO1", title="Renamed"))

    load(world, "2018-11-01")

    assert world.rows("select song_id, artist_id from {s}.songplays") == [(None, None)]
    assert world.rows("select song_id, title from {s}.songs") == [("SO1", "Renamed")]


def test_a_song_file_that_names_another_song_takes_the_old_one_away(fresh):
    world = fresh()
    world.log("2018-11-01", event(D1))
    key = world.song(song("SO1", artist_id="AR1"))
    load(world, "2018-11-01")
    world.song(song("SO2", "Other", "Other", artist_id="AR2"), key)

    load(world, "2018-11-01")

    assert world.rows("select song_id from {s}.songs") == [("SO2",)]
    assert world.rows("select artist_id from {s}.artists") == [("AR2",)]
    assert world.rows("select song_id, artist_id from {s}.songplays") == [(None, None)]


# Users ----------------------------------------------------------------------------------------------------


def test_the_latest_event_decides_a_users_level_whatever_day_is_loaded_last(fresh):
    """The level changes several times in a day, and an older day is loaded after a newer one."""
    world = fresh()
    flips = [
        event(D2 + timedelta(hours=hour), item=hour, level=level)
        for hour, level in enumerate(["paid", "free"] * 2)
    ]
    world.log("2018-11-02", *reversed(flips), event(D2, user=2, level="paid"))
    world.log("2018-11-01", event(D1, level="paid"), event(D1, user=2, level="free"))
    expected = [(1, "free", D2 + timedelta(hours=3)), (2, "paid", D2)]

    for interval in (("2018-11-02", "2018-11-03"), ("2018-11-01", "2018-11-02")):
        load(world, *interval)
        assert world.rows("select user_id, level, updated_at from {s}.users order by 1") == expected


def test_of_two_plays_of_a_user_at_one_instant_the_later_session_and_item_decide(fresh):
    world = fresh()
    world.log(
        "2018-11-01",
        event(D1, session=2, item=3, level="paid", lastName="Last"),
        event(D1, session=2, item=2),
        event(D1, session=1, item=9),
    )

    load(world, "2018-11-01")

    assert world.rows("select level, last_name from {s}.users") == [("paid", "Last")]


def test_a_corrected_latest_play_corrects_its_user(fresh):
    world = fresh()
    for level in ("free", "paid"):
        world.log("2018-11-01", event(D1, level=level))

        load(world, "2018-11-01")

        assert world.rows("select level, updated_at from {s}.users") == [(level, D1)]


def test_a_user_without_a_play_left_leaves_and_the_others_stay(fresh):
    world = fresh()
    midnight = datetime(2018, 11, 1)
    world.log("2018-11-01", event(midnight, user=1), event(D1, user=2))
    world.log("2018-11-02", event(D2, user=3))
    load(world, *BOTH_DAYS)
    world.log("2018-11-01", event(D1, user=2))

    load(world, "2018-11-01")

    assert world.rows("select user_id, updated_at from {s}.users order by 1") == [(2, D1), (3, D2)]


def test_a_user_who_loses_the_latest_play_is_as_of_the_one_before(fresh):
    world = fresh()
    world.log("2018-11-01", event(D1, user=1, level="paid"), event(D1, user=3))
    world.log("2018-11-02", event(D2, user=1))
    load(world, *BOTH_DAYS)
    world.log("2018-11-02", event(D2, user=2))

    context = world.prepare("2018-11-02", "2018-11-03")
    candidates = world.rows(f"select user_id from {world.run_schema(context)}.users order by 1")
    world.publish(context)

    assert candidates == [(1,), (2,)]
    assert world.rows("select user_id, level, updated_at from {s}.users order by 1") == [
        (1, "paid", D1),
        (2, "free", D2),
        (3, "free", D1),
    ]


def test_only_a_user_whose_latest_play_may_go_is_looked_up_in_the_history(fresh):
    world = fresh()
    next_midnight = datetime(2018, 11, 2)
    stay = [event(D1, user=2, item=1), event(D1 + timedelta(hours=1), user=2, item=2)]
    world.log("2018-11-01", event(D1, user=1), *stay)
    world.log("2018-11-02", event(next_midnight, user=3))
    load(world, *BOTH_DAYS)
    world.log("2018-11-01", *stay)

    context = world.prepare("2018-11-01", "2018-11-02")

    assert world.rows(f"select user_id from {world.run_schema(context)}.retracted_users") == [(1,)]


# Midnight -------------------------------------------------------------------------------------------------


def over_midnight(world) -> None:
    last, first = datetime(2018, 11, 1, 23, 59, 59, 999000), datetime(2018, 11, 2)
    world.log("2018-11-01", event(D1, item=1), event(last, item=2, level="paid"))
    world.log("2018-11-02", event(first, item=3), event(D2, item=4))


def test_a_session_over_midnight_is_the_same_rows_by_day_by_hour_and_at_once(fresh):
    world = fresh()
    over_midnight(world)
    load(world, *BOTH_DAYS)
    at_once = world.state(*STAR)
    assert world.rows("select start_time, day, hour from {s}.time order by 1")[1:3] == [
        (datetime(2018, 11, 1, 23, 59, 59, 999000), 1, 23),
        (datetime(2018, 11, 2), 2, 0),
    ]

    by_day = [("2018-11-02", "2018-11-03"), ("2018-11-01", "2018-11-02")]
    # A run over any hour of a day loads the day's whole file.
    cuts = ["2018-11-01T22", "2018-11-01T23", "2018-11-02T12"]
    for parts in (by_day, list(itertools.pairwise(cuts))):
        world.empty()
        over_midnight(world)
        for start, end in parts:
            load(world, start, end)
        assert world.state(*STAR) == at_once
