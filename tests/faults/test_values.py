"""Test faults of values: too long, of the wrong type, out of range, renamed, nested or hostile."""

from __future__ import annotations

import json
import types
from datetime import datetime
from decimal import Decimal

import pytest

from include.sparkify.errors import DataError
from include.sparkify.settings import settings
from tests.world import event, lines, song

D1, D2, D3 = datetime(2018, 11, 1, 12), datetime(2018, 11, 2, 12), datetime(2018, 11, 3, 12)
MS = int(event(D1)["ts"])
ABSENT = object()
NO_PLAY = {"page": "Home", "artist": None, "song": None, "length": None}
HOSTILE = (
    'Robert\'); DROP TABLE songplays; -- <script>alert("x")</script> {{ run_id }} %s %(x)s \\ \t\n\u2028 𝄞'
)

# COPY reads a JSON number as a double, and truncates it unless ROUNDEC is set.
LENGTHS = ("269.58322", "0.00001", "9999.99999", "200.1")
# The change to an event, and the column and the reason that its reject must name.
REJECTED = {
    "userId empty in a play": ({"userId": ""}, "user_id", "empty in a play"),
    "userId null in a play": ({"userId": None}, "user_id", "empty in a play"),
    "userId absent in a play": ({"userId": ABSENT}, "user_id", "empty in a play"),
    "userId blank": ({"userId": " "}, "user_id", "whole number expected, not text"),
    "userId zero": ({"userId": "0"}, "user_id", "is out of range"),
    "userId in other digits": ({"userId": "\u0663"}, "user_id", "whole number expected"),
    "ts in seconds": ({"ts": MS // 1000}, "ts", "is out of range"),
    "ts in microseconds": ({"ts": MS * 1000}, "ts", "is out of range"),
    "ts negative": ({"ts": -MS}, "ts", "is out of range"),
    "ts null": ({"ts": None}, "ts", "empty"),
    "ts text": ({"ts": "2018-11-01"}, "ts", "whole number of ms since 1970 (2005 to 2099) expected, not text"),
    "ts in the year 3000": ({"ts": 32503680000000}, "ts", "is out of range"),
    "ts with a fraction": ({"ts": MS + 0.5}, "ts", "whole number of ms since 1970 (2005 to 2099) expected"),
    "ts true": ({"ts": True}, "ts", "whole number of ms since 1970 (2005 to 2099) expected, not a boolean"),
    "song an object": ({"song": {"title": "x"}}, "song", "text expected, not an object"),
    "artist an array": ({"artist": ["x"]}, "artist", "text expected, not an array"),
    "artist true": ({"artist": True}, "artist", "text expected, not a boolean"),
    "length an object": ({"length": {"s": 1}}, "length", "number expected, not an object"),
    "length text": ({"length": "long"}, "length", "number expected, not text"),
    "length no number": ({"length": "nan"}, "length", "number expected, not text"),
    "length with a group mark": ({"length": "1_000"}, "length", "number expected, not text"),
    "length in blanks": ({"length": " 200.5 "}, "length", "number expected, not text"),
    "length negative": ({"length": -1}, "length", "is out of range"),
    "length of too many decimals": ({"length": 200.123456}, "length", "more than 5 decimals"),
    "length null in a play": ({"length": None}, "length", "empty in a play"),
    "song null in a play": ({"song": None}, "song", "empty in a play"),
    "itemInSession with a fraction": ({"itemInSession": 1.5}, "item_in_session", "whole number expected"),
    "itemInSession too large": ({"itemInSession": 2**31}, "item_in_session", "is out of range"),
    "sessionId null": ({"sessionId": None}, "session_id", "empty"),
    "status of no meaning": ({"status": 99}, "status", "is out of range"),
    "level unknown": ({"level": "gold"}, "level", "is not one of"),
    "level too long": ({"level": "x" * 17}, "level", "longer than 16 bytes"),
    "page too long": ({"page": "é" * 33}, "page", "longer than 64 bytes"),
    "page in another spelling": ({"page": "nextsong"}, "page", "must be written NextSong"),
    "song empty in a play": ({"song": ""}, "song", "empty in a play"),
    "page empty": ({"page": ""}, "page", "empty"),
    "field renamed": ({"level": ABSENT, "Level": "free"}, "level", "field level is missing"),
}  # fmt: skip
# The change to an event, and the resulting values of its row.
ACCEPTED = {
    "number for an artist's name": ({"artist": 311}, {"artist": "311"}),
    "number for a location": ({"location": 90210}, {"location": "90210"}),
    "text for a length": ({"length": "200.25"}, {"length": Decimal("200.25")}),
    **{f"length {length}": ({"length": float(length)}, {"length": Decimal(length)}) for length in LENGTHS},
    "text for a ts": ({"ts": str(MS)}, {"ts": MS}),
    "number for a userId": ({"userId": 7}, {"user_id": 7}),
    "userId empty on another page": ({"userId": "", **NO_PLAY}, {"user_id": None}),
    "location null": ({"location": None}, {"location": None}),
    "hostile text": ({"song": HOSTILE, "lastName": HOSTILE}, {"song": HOSTILE, "last_name": HOSTILE}),
    "key left out": ({"userAgent": ABSENT}, {"user_agent": None}),
    "new field": ({"device": {"os": "x"}}, {"song": "Song"}),
    "new field of a hostile name": ({"\x00'; --": 1}, {"song": "Song"}),
}
CUT = {
    "blank after the page": ({"page": "NextSong "}, {"page": "NextSong"}),
    "user agent": ({"userAgent": "x" * 2049}, {"user_agent": "x" * 2048}),
    "location of two-byte characters": ({"location": "é" * 600}, {"location": "é" * 512}),
    "title of four-byte characters": ({"song": "a" + "🎵" * 256}, {"song": "a" + "🎵" * 255}),
    "title that just fits": ({"song": "🎵" * 256}, {"song": "🎵" * 256}),
}
SONGS_REJECTED = {
    "title null": ({"title": None}, "title", "empty"),
    "title empty": ({"title": ""}, "title", "empty"),
    "title an object": ({"title": {}}, "title", "text expected, not an object"),
    "song_id too long": ({"song_id": "S" * 33}, "song_id", "longer than 32 bytes"),
    "artist_id absent": ({"artist_id": ABSENT}, "artist_id", "field artist_id is missing"),
    "latitude off the globe": ({"artist_latitude": 90.5}, "artist_latitude", "is out of range"),
    "longitude text": ({"artist_longitude": "west"}, "artist_longitude", "number expected, not text"),
    "year 3000": ({"year": 3000}, "year", "is out of range"),
    "duration null": ({"duration": None}, "duration", "empty"),
}
SONGS_ACCEPTED = {
    "number for a title": ({"title": 1999}, {"title": "1999"}),
    "number for an artist's name": ({"artist_name": 311}, {"artist_name": "311"}),
    "coordinates as text": (
        {"artist_latitude": "36.16778", "artist_longitude": "-86.77836"},
        {"artist_latitude": Decimal("36.167780"), "artist_longitude": Decimal("-86.778360")},
    ),
    "location an anchor": (
        {"artist_location": '<a href="http://x">New York</a>'},
        {"artist_location": '<a href="http://x">New York</a>'},
    ),
    "title of four-byte characters": ({"title": "🎵" * 257}, {"title": "🎵" * 256}),
}
KEY = "log_data/2018/11/2018-11-01-events.json"


def changed(document: dict, changes: dict) -> dict:
    return {name: value for name, value in (document | changes).items() if value is not ABSENT}


# The column that identifies the rows of a history table in these tests.
KEYS = {"events": "line_number", "song_files": "source_key"}


def song_key(name: str) -> str:
    return f"song_data/{name.replace(' ', '_')}.json"


@pytest.fixture(scope="module")
def loaded(module_world):
    """Load every value above in one run, each in its own line or song file."""
    world = module_world
    lines = [changes for changes, *_ in [*REJECTED.values(), *ACCEPTED.values(), *CUT.values()]]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_VAR_SPARKIFY", world.settings(reject_threshold=1.0))
        settings.cache_clear()
        world.empty()
        world.log(
            "2018-11-01",
            *(changed(event(D1, session=number), changes) for number, changes in enumerate(lines, 1)),
        )
        for number, (name, (changes, *_)) in enumerate([*SONGS_REJECTED.items(), *SONGS_ACCEPTED.items()]):
            world.song(changed(song(f"SO{number}", artist_id=f"AR{number}"), changes), song_key(name))
        with pytest.raises(DataError, match="all other files are loaded, but"):
            world.load("2018-11-01")
        events, song_files = ({row[key]: row for row in named(world, table)} for table, key in KEYS.items())
        yield types.SimpleNamespace(
            rows={(KEY, number): row for number, row in events.items()}
            | {(key, 1): row for key, row in song_files.items()},
            rejects={(key, number): (column, reason) for key, number, column, reason in world.rejected()},
            songplays=named(world, "songplays"),
            users=named(world, "users"),
            ledger=world.ledger(),
            warnings=world.warnings(),
        )
    settings.cache_clear()


def named(world, table: str) -> list[dict]:
    """Return every row of a table, by column."""
    columns = world.rows(
        "select column_name from information_schema.columns "
        f"where table_schema = '{{s}}' and table_name = '{table}' order by ordinal_position"
    )
    names = [name for (name,) in columns]
    return [dict(zip(names, row, strict=True)) for row in world.rows(f"select * from {{s}}.{table}")]


# By title: where the value is, and what is expected of it.
BAD = {
    **{title: ((KEY, number), *told) for number, (title, (_, *told)) in enumerate(REJECTED.items(), 1)},
    **{f"song: {title}": ((song_key(title), 1), *told) for title, (_, *told) in SONGS_REJECTED.items()},
}
ODD = {
    **{
        title: ((KEY, number), row)
        for number, (title, (_, row)) in enumerate((ACCEPTED | CUT).items(), len(REJECTED) + 1)
    },
    **{f"song: {title}": ((song_key(title), 1), row) for title, (_, row) in SONGS_ACCEPTED.items()},
}


@pytest.mark.finding("A10")
@pytest.mark.parametrize(("place", "column", "reason"), BAD.values(), ids=BAD)
def test_a_line_with_a_bad_value_is_rejected_by_name(loaded, place, column, reason):
    assert loaded.rejects[place][0] == column
    assert reason in loaded.rejects[place][1]
    assert place not in loaded.rows


@pytest.mark.parametrize(("place", "expected"), ODD.values(), ids=ODD)
def test_a_line_with_an_odd_value_is_loaded_as_the_contract_says(loaded, place, expected):
    assert place not in loaded.rejects
    assert {column: loaded.rows[place][column] for column in expected} == expected


def test_every_line_is_accounted_for(loaded):
    accepted = len(ACCEPTED) + len(CUT)

    assert loaded.ledger[KEY] == (len(REJECTED) + accepted, accepted, len(REJECTED))
    assert sum(key == KEY for key, _ in loaded.rows) == accepted
    assert len(loaded.songplays) == accepted - 1  # one is not a play
    assert len(loaded.rejects) == len(REJECTED) + len(SONGS_REJECTED)


def test_a_length_is_published_as_it_was_delivered(loaded):
    assert set(map(Decimal, LENGTHS)) < {row["length"] for row in loaded.songplays}


def test_cut_values_are_counted_and_warned_about(loaded):
    warned = loaded.warnings["staging_files.no_value_is_cut"].splitlines()

    assert [(row["source_key"], row["cut_values"]) for row in map(json.loads, warned)] == [
        (KEY, 4),
        (song_key("title of four-byte characters"), 1),
    ]


def test_a_new_field_is_reported_by_name(loaded):
    (warned,) = loaded.warnings["staging_files.no_field_is_unknown"].splitlines()

    assert json.loads(warned) == {"source_key": KEY, "unknown_fields": "\\u0000'; --, device"}


def test_no_user_is_loaded_under_an_empty_key(loaded):
    assert {row["user_id"] for row in loaded.songplays} == {row["user_id"] for row in loaded.users} == {1, 7}


def test_hostile_text_is_stored_as_text_and_escaped_in_reports(fresh, caplog):
    world = fresh(reject_threshold=1.0)
    world.log(
        "2018-11-01",
        event(D1, firstName="", lastName=HOSTILE, song=HOSTILE, artist=HOSTILE),
        event(D1, user=2, level=HOSTILE[:15]),
    )
    world.song(song("SO1", HOSTILE, HOSTILE))

    world.load("2018-11-01")

    assert world.rows("select song, artist, song_id from {s}.songplays") == [(HOSTILE, HOSTILE, "SO1")]
    assert world.rows("select title from {s}.songs") == [(HOSTILE,)]
    assert world.rows("select name from {s}.artists") == [(HOSTILE,)]
    (sample,) = world.warnings()["users.names_are_given"].split("\n")
    assert json.loads(sample)["last_name"] == HOSTILE
    ((_, _, column, reason),) = world.rejected()
    assert (column, reason) == ("level", "is not one of ('free', 'paid')")
    assert HOSTILE not in caplog.text  # Its line breaks and tab never reach a log unescaped.


def test_hostile_text_is_escaped_in_the_run_report(fresh):
    world = fresh(reject_threshold=1.0)
    script = "<script>alert('x')</script>"
    key = f"log_data/2018/11/2018-11-01-{script.replace('/', '')}.json"
    world.put(
        key, lines(event(D1, firstName=script, lastName="", **{script: 1}), script, event(D1, level=script))
    )
    world.load("2018-11-01")

    facts, page = world.report("2018-11-01", "2018-11-02")

    told = json.dumps(facts)
    assert told.count(script) >= 3 and key in told  # a check's sample, an unknown field, a raw line
    assert "<script" not in page
    assert page.count("&lt;script&gt;alert") >= 4


# ts outside its file's day --------------------------------------------------------------------------------


def plays(world) -> list[tuple[datetime, int]]:
    return world.rows("select start_time, item_in_session from {s}.songplays order by 1, 2")


def test_a_line_of_another_day_is_a_play_of_its_own_day_whatever_is_loaded_when(fresh):
    world = fresh()
    file = world.log("2018-11-02", event(D1, item=1), event(D2, item=2), event(D3, item=3))
    all_of_them = [(D1, 1), (D2, 2), (D3, 3), (D3, 4)]

    world.load("2018-11-02")
    assert plays(world) == all_of_them[:3]
    warned = world.warnings()["staging_events.events_are_of_their_files_day"].splitlines()
    assert {(row["source_key"], row["line_number"]) for row in map(json.loads, warned)} == {
        (file, 1),
        (file, 3),
    }

    world.log("2018-11-03", event(D3, item=4))
    world.load("2018-11-03")
    assert plays(world) == all_of_them

    for start, end in (
        ("2018-11-03", "2018-11-04"),
        ("2018-11-02", "2018-11-03"),
        ("2018-11-02", "2018-11-04"),
    ):
        world.load(start, end, mode="reload", audited=False)
        assert plays(world) == all_of_them

    world.log("2018-11-02", event(D2, item=2))
    world.load("2018-11-02", "2018-11-03", audited=False)
    assert plays(world) == [(D2, 2), (D3, 4)]
