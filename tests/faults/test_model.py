"""Test faults of the data model: copies, ties, variants, missing and late songs, changing levels, midnight sessions."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.pipeline import model
from tests.world import event, lines, log_key, song

D1, D2 = datetime(2018, 11, 1, 12), datetime(2018, 11, 2, 12)
BOTH_DAYS = ("2018-11-01", "2018-11-03")
YEAR = ("2018-01-01", "2019-01-01")
File = tuple[str, bytes]


def log(*events: dict, name: str = "events") -> File:
    """Return the log file of the day of the first event."""
    return log_key(f"{datetime.fromtimestamp(events[0]['ts'] / 1000, UTC):%Y-%m-%d}", f"{name}.json"), lines(
        *events
    )


def file(document: dict, name: str = "") -> File:
    """Return a song file, named after its song unless it has another name."""
    return f"song_data/{name or document['song_id']}.json", json.dumps(document).encode()


LAST_MOMENT, MIDNIGHT = datetime(2018, 11, 1, 23, 59, 59, 999000), datetime(2018, 11, 2)
NEAR = {
    "SO1": ("Song", "Artist", 200.5),
    "SO2": ("Song", "Artist", 100.5),
    "SO3": ("Song", "Other", 200.5),
    "SO4": ("Else", "Artist", 200.5),
    "SO5": ("Else", "Other", 100.5),
}
SONGS = [file(song(song_id, *names, artist_id=f"AR{song_id}")) for song_id, names in NEAR.items()]
PLAYS = log(
    *(event(D1, 1, 1, item, *names) for item, names in enumerate([("None", "Other", 300.5), *NEAR.values()]))
)
ALMOST = log(event(D1, song="song"), event(D1, item=1, artist="artist"), event(D1, item=2, length=200.50001))
# Known coordinates come first, then the latest year, then the first song_id. All values are of one variant.
VARIANTS = [
    [file(song("SO1", artist="None", artist_id="AR1", year=2018))],
    [file(song("SO2", artist="Old", artist_id="AR1", year=1990, artist_latitude=1.5, artist_longitude=2.5))],
    [file(song("SO4", artist="Tie", artist_id="AR1", year=2000, artist_latitude=1.5, artist_longitude=2.5))],
    [file(song("SO3", artist="Best", artist_id="AR1", year=2000, artist_latitude=3.5, artist_longitude=4.5))],
]
ONE_SONG = [[file(song("SO1", f"Song {n}", f"Artist {n}", artist_id="AR1"), f"{n}")] for n in (0, 1)]
TWO_ARTISTS = [[file(song("SO1", f"Song {n}", f"Artist {n}", artist_id=f"AR{n}"), f"{n}")] for n in (0, 1)]

# By title: the files that are delivered before each load.
CASES: dict[str, list[list[File]]] = {
    "copies that differ: the first file and line decide, whichever is loaded first": [
        [log(*(event(D1, location=f"{name}{n}", lastName=f"{name}{n}") for n in (1, 2)), name=name)]
        for name in ("b", "a")
    ],
    "two users at one instant are two plays and one moment": [[log(event(D1, user=1), event(D1, user=2))]],
    "plays of one session and item at two moments": [[log(event(D1), event(D1 + timedelta(seconds=1)))]],
    "variants of an artist, worst first": VARIANTS,
    "variants of an artist, best first": VARIANTS[::-1],
    "the artist of another file of a song stays: a run does not decide by the only song that it reads": [
        [
            file(song("SO1", artist="Plain", artist_id="AR2"), "2"),
            file(song("SO9", artist="Best", artist_id="AR2", artist_latitude=1.5, artist_longitude=2.5)),
        ],
        [file(song("SO1", artist="First", artist_id="AR1"), "1")],
    ],
    "a play has the song of its title, artist and length": [[*SONGS, PLAYS]],
    "songs, then plays": [SONGS, [PLAYS]],
    "plays, then songs": [[PLAYS], SONGS],
    "two files of a song: the first by key decides": ONE_SONG,
    "two files of a song, the first one last": ONE_SONG[::-1],
    "two files of a song by two artists": TWO_ARTISTS,
    "two files of a song by two artists, the first one last": TWO_ARTISTS[::-1],
    "plays that almost match a song are kept without ids": [[file(song("SO1")), ALMOST]],
    "several songs that match a play: the first by id is taken": [
        [log(event(D1)), *(file(song(song_id, artist_id=f"AR{song_id}")) for song_id in ("SO3", "SO2"))],
        [file(song(song_id, artist_id=f"AR{song_id}")) for song_id in ("SO1", "SO4")],
    ],
    # Another play of the old title, on an unchanged day, gets the song.
    "a play is corrected in the run that loads the song of its old title (F8)": [
        [log(event(D1)), log(event(D2))],
        [log(event(D2, song="Corrected")), file(song("SO1"))],
    ],
    "a play follows its song to another id and to another artist": [
        [log(event(D1)), file(song("SO2", artist_id="AR1"))],
        [file(song("SO1", artist_id="AR1"))],
        [file(song("SO1", artist_id="AR2"))],
    ],
    "a song that is renamed loses its plays": [
        [log(event(D1)), file(song("SO1"))],
        [file(song("SO1", title="Renamed"))],
    ],
    "a song file that names another song": [
        [log(event(D1)), file(song("SO1", artist_id="AR1"), "1")],
        [file(song("SO2", "Other", "Other", artist_id="AR2"), "1")],
    ],
    "the latest event decides a user's level, although an older day is loaded later": [
        [
            log(
                *(
                    event(D2 + timedelta(hours=n), item=n, level=level)
                    for n, level in enumerate(["paid", "free"] * 2)
                )
            )
        ],
        [log(event(D1, level="paid"), event(D1, user=2, level="free"))],
    ],
    "two plays of a user at one instant: the later session and item decide": [
        [
            log(
                event(D1, session=2, item=2),
                event(D1, session=2, item=3, level="paid", lastName="Last"),
                event(D1, session=1, item=9),
            )
        ]
    ],
    "a corrected latest play corrects its user": [
        [log(event(D1, level=level))] for level in ("free", "paid")
    ],
    "a user without a play leaves, and the others stay": [
        [log(event(D1.replace(hour=0), user=1), event(D1, user=2)), log(event(D2, user=3))],
        [log(event(D1, user=2))],
    ],
    "a user who loses the latest play is as of the one before": [
        [log(event(D1, user=1, level="paid"), event(D1, user=3)), log(event(D2, user=1))],
        [log(event(D2, user=2))],
    ],
    "a session over midnight, the second day first": [
        [log(event(MIDNIGHT, item=3), event(D2, item=4))],
        [log(event(D1, item=1), event(LAST_MOMENT, item=2, level="paid"))],
    ],
    "a file with lines of other days, replaced by one without them": [
        [
            log(event(D1 + timedelta(hours=2), item=5)),
            log(event(D2, item=1), event(D1), event(D2 + timedelta(days=1))),
        ],
        [log(event(D2, item=2))],
    ],
    "two files with the same moments and lines, one of them replaced": [
        [log(event(D1, item=n), event(D2, item=n), name=name) for n, name in enumerate(["events", "more"])],
        [log(event(D1, item=2), event(D2, item=2))],
    ],
    "a line of another day, delivered again in a file of its own day": [
        [log(event(D1, item=2)), log(event(D2, item=3), event(D1, item=1))],
        [log(event(D1, item=2), event(D1, item=1))],
    ],
    # Both weeks are the first, and both days are of one calendar year.
    "the second and the last day of a year": [
        [log(event(datetime(2018, 1, 2, 12)))],
        [log(event(datetime(2018, 12, 31, 12)))],
    ],
}


@pytest.mark.finding("F8")
@pytest.mark.parametrize("loads", CASES.values(), ids=CASES)
def test_after_every_load_the_star_is_that_of_the_oracle(fresh, loads):
    world, lake = fresh(absent="warn"), {}
    for delivered in loads:
        for key, body in delivered:
            lake[key] = body
            world.put(key, body)

        world.load(*YEAR, audited=False)

        logs, documents = model.read(lake)
        assert world.star() == model.star(logs, documents)
        assert world.count("events") == sum(map(len, logs.values()))


# Warnings and counts -------------------------------------------------------------------------------------------------


def test_a_play_delivered_twice_in_a_file_and_in_two_files_is_one_and_the_copies_are_counted(fresh):
    world = fresh()
    world.log("2018-11-01", event(D1, item=1), event(D1, item=2), event(D1, item=1))
    world.log("2018-11-01", event(D1, item=1), name="events-again")

    world.load("2018-11-01")

    assert world.rows("select item_in_session from {s}.songplays order by 1") == [(1,), (2,)]
    assert world.count("events") == 4
    (copies,) = world.warnings()["songplays.plays_are_delivered_once"].splitlines()
    assert (json.loads(copies)["item_in_session"], json.loads(copies)["deliveries"]) == (1, 3)


def test_the_match_rate_is_reported(fresh):
    world = fresh()
    world.song(song("SO1"))
    world.put(*ALMOST)
    world.log("2018-11-01", event(D1, item=9), name="match")

    world.load("2018-11-01", audited=False)

    facts, page = world.report("2018-11-01", "2018-11-02")
    assert [(day["plays"], day["matched"]) for day in facts["days"]] == [(4, 1)]
    assert "1 of 4 in the interval" in page


def test_a_song_that_comes_after_its_plays_is_pointed_to_and_counted(fresh):
    world = fresh()
    world.log("2018-11-01", event(D1, item=1), event(D1, item=2), event(D1, item=3, song="Other"))
    world.load("2018-11-01", audited=False)
    world.log("2018-11-02", event(D2, item=4))
    world.song(song("SO1"))

    changed = world.load("2018-11-02", "2018-11-03", audited=False)

    assert world.rows("select item_in_session, song_id, artist_id from {s}.songplays order by 1") == [
        (1, "SO1", "AR1"),
        (2, "SO1", "AR1"),
        (3, None, None),
        (4, "SO1", "AR1"),
    ]
    assert changed["changed"]["songplays"] == {"deleted": 0, "inserted": 1, "updated": 2}


def test_a_song_whose_plays_stay_changes_no_day(fresh):
    """The reports of a day are rebuilt only if one of its plays gains, changes or loses its song or artist."""
    world = fresh()
    world.log("2018-11-01", event(D1))
    world.song(song("SO1", year=1999))
    world.load("2018-11-01", audited=False)
    world.song(song("SO1", year=2000))

    changed = world.load("2018-11-01", audited=False)

    assert changed["changed"]["songs"] == {"deleted": 1, "inserted": 1, "updated": 0}
    assert changed["changed"]["songplays"] == {"deleted": 0, "inserted": 0, "updated": 0}
    assert world.count("changed_days", f"version = {changed['version']}") == 0


def test_only_a_user_whose_latest_play_may_go_is_looked_up_in_the_history(fresh):
    world = fresh()
    next_midnight = datetime(2018, 11, 2)
    stay = [event(D1, user=2, item=1), event(D1 + timedelta(hours=1), user=2, item=2)]
    world.log("2018-11-01", event(D1, user=1), *stay)
    world.log("2018-11-02", event(next_midnight, user=3))
    world.load(*BOTH_DAYS, audited=False)
    world.log("2018-11-01", *stay)

    context = world.prepare("2018-11-01", "2018-11-02")

    assert world.rows(f"select user_id from {world.run_schema(context)}.retracted_users") == [(1,)]
