"""Test the bounds of the source lines' contract. tests/faults/test_values.py tests the contract through a load."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.sparkify.files import contract
from include.sparkify.files.contract import EVENT_FIELDS, SONG_FIELDS, Reject, Tally
from include.sparkify.tables import published

EVENT = {
    "artist": "A", "auth": "Logged In", "firstName": "F", "gender": "F", "itemInSession": 0, "lastName": "L",
    "length": 200.5, "level": "free", "location": "", "method": "PUT", "page": "NextSong", "registration": None,
    "sessionId": 1, "song": "S", "status": 200, "ts": 1541073600000, "userAgent": "x", "userId": "7",
}  # fmt: skip
SONG = {
    "song_id": "SO1", "title": "T", "artist_id": "AR1", "artist_name": "A", "artist_location": "", "year": 0,
    "artist_latitude": None, "artist_longitude": None, "duration": 1, "num_songs": 1,
}  # fmt: skip


def event(**changes) -> dict:
    return contract.event(json.dumps(EVENT | changes).encode(), Tally())


def song(**changes) -> dict:
    return contract.song(json.dumps(SONG | changes).encode(), Tally())


@pytest.mark.parametrize(
    ("read", "line"), [(contract.event, EVENT), (contract.song, SONG)], ids=["event", "song"]
)
def test_a_line_has_at_most_the_bytes_that_copy_takes(read, line):
    longest = json.dumps(line).encode().ljust(4 * 1024 * 1024)

    assert read(longest, Tally())
    with pytest.raises(Reject, match="longer than 4194304 bytes, the limit of COPY"):
        read(longest + b" ", Tally())
    with pytest.raises(Reject, match="longer than"):  # It is not parsed.
        read(b"x" * (len(longest) + 1), Tally())


INTEGER_MAX = 2**31 - 1
TIMES = tuple(
    int(datetime(year, 1, 1, tzinfo=UTC).timestamp() * 1000) - ms for year, ms in ((2005, 0), (2100, 1))
)
BOUNDS = {
    event: {
        "itemInSession": (0, INTEGER_MAX),
        "length": (0, 99_999),
        "registration": TIMES,
        "sessionId": (0, INTEGER_MAX),
        "status": (100, 599),
        "ts": TIMES,
        "userId": (1, INTEGER_MAX),
    },
    song: {
        "artist_latitude": (-90, 90),
        "artist_longitude": (-180, 180),
        "year": (0, 2100),
        "duration": (0, 99_999),
        "num_songs": (0, INTEGER_MAX),
    },
}


@pytest.mark.parametrize(
    ("read", "name", "bounds"), [(read, *one) for read, fields in BOUNDS.items() for one in fields.items()]
)
def test_a_number_is_taken_up_to_its_bounds(read, name, bounds):
    low, high = bounds
    for value in bounds:
        assert value in read(**{name: value}).values() or name == "num_songs"
    for value in (low - 1, high + 1):
        with pytest.raises(Reject, match=rf"is out of range \[{low}, {high}\]"):
            read(**{name: value})


@pytest.mark.parametrize(
    ("read", "name", "scale"),
    [
        (event, "length", 5),
        (song, "duration", 5),
        (song, "artist_latitude", 6),
        (song, "artist_longitude", 6),
    ],
)
def test_a_number_has_as_many_decimals_as_its_column(read, name, scale):
    assert 1 + 10**-scale in read(**{name: 1 + 10**-scale}).values()
    with pytest.raises(Reject, match=f"more than {scale} decimals"):
        read(**{name: 1 + 10 ** -(scale + 1)})


# Each field, with the function that reads a line and a line in which the field may be empty.
FIELDS = [
    pytest.param(read, line, field, id=f"{read.__name__} {field.source}")
    for read, line, fields in (
        (contract.event, EVENT | {"page": "Home"}, EVENT_FIELDS),
        (contract.song, SONG, SONG_FIELDS),
    )
    for field in fields
]


@pytest.mark.parametrize(("read", "line", "field"), FIELDS)
def test_a_key_that_is_left_out_is_a_null_unless_it_is_required(read, line, field):
    """COPY with JSON 'auto' does the same."""
    line = {key: value for key, value in line.items() if key != field.source}

    if field.required:
        with pytest.raises(Reject, match=f"field {field.source} is missing"):
            read(json.dumps(line).encode(), Tally())
    else:
        assert read(json.dumps(line).encode(), Tally()).get(field.column) is None
    if read is contract.song:  # The field may have been renamed.
        with pytest.raises(Reject, match=f"field {field.source} is missing"):
            read(json.dumps(line | {f"{field.source}_": 1}).encode(), Tally())


@pytest.mark.parametrize("name", [field.source for field in EVENT_FIELDS])
@pytest.mark.parametrize("value", [{"a": 1}, ["a"], True], ids=str)
def test_no_field_takes_an_object_or_an_array(name, value):
    with pytest.raises(Reject, match="expected, not (an object|an array|a boolean)"):
        event(**{name: value})


REQUIRED = {
    event: "itemInSession level page sessionId ts".split(),
    song: "song_id title artist_id artist_name year duration".split(),
}


@pytest.mark.parametrize(
    ("read", "name"), [(read, name) for read, names in REQUIRED.items() for name in names]
)
def test_a_field_that_identifies_a_line_must_not_be_null(read, name):
    with pytest.raises(Reject, match="empty"):
        read(**{name: None})


@given(st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=40))
def test_text_is_kept_or_cut_at_a_characters_edge(text):
    tally = Tally()
    line = EVENT | {"method": text, "page": "Home"}

    method = contract.event(json.dumps(line).encode(), tally)["method"]

    kept = text.rstrip(" ")
    assert kept.startswith(method)
    assert len(method.encode()) <= 16
    assert not method.endswith(" ")
    assert tally.cut_values == (text != method)
    rest = kept[len(method) :].lstrip(" ")
    assert not rest or len((kept[: kept.index(rest, len(method))] + rest[0]).encode()) > 16


def test_trailing_blanks_are_lost_and_counted():
    tally = Tally()
    line = json.dumps(EVENT | {"song": "Yellow  "}).encode()

    assert contract.event(line, tally)["song"] == "Yellow"
    assert tally.cut_values == 1
    assert contract.plain_events([line], 1, "key", "2018-11-01") == [None]
    song = SONG | {"song_id": f"{SONG['song_id']} "}
    assert contract.song(json.dumps(song).encode(), tally)["song_id"] == SONG["song_id"]


@pytest.mark.parametrize("text", ["0", "7", "200.5", "0.00001", "99999"])
def test_a_plain_number_in_quotes_is_that_number(text):
    assert event(length=text)["length"] == float(text)


@pytest.mark.parametrize(
    "text", ["", " ", "1e3", "1_0", "+1", ".5", "1.", "nan", "inf", "\u0663", "0x1", "1,5", "1\n"]
)
def test_nothing_else_in_quotes_is_a_number(text):
    with pytest.raises(Reject, match="length: number expected"):
        event(length=text)


@pytest.mark.parametrize("text", ["", " ", "1.5", "1_0", "+1", "\u0663", "1\n", "9" * 20])
def test_nothing_but_digits_in_quotes_is_a_whole_number(text):
    with pytest.raises(Reject, match="item_in_session: whole number expected"):
        event(itemInSession=text)


@pytest.mark.finding("R11")
@pytest.mark.parametrize("number", [1.1, 2**64, -(2**63) - 1], ids=str)
def test_a_number_whose_digits_are_not_kept_is_refused_as_text(number):
    assert event(song=2**64 - 1)["song"] == "18446744073709551615"
    with pytest.raises(Reject, match="not a number with a decimal point, an exponent or more than 64 bits"):
        event(song=number)


def test_a_whole_float_is_a_whole_number():
    assert event(registration=1540919166796.0)["registration"] == 1540919166796


def widths(table: str) -> dict[str, int]:
    """Return the length in bytes of each text column of a published table."""
    columns = [(column.name, column.type) for column in published(table).columns]
    return {
        name: int(kind.removeprefix("varchar(").removesuffix(")"))
        for name, kind in columns
        if kind.startswith("varchar")
    }


TEXTS = [
    pytest.param(read, field, widths(table)[field.column], id=field.column)
    for table, read, fields in (("events", event, EVENT_FIELDS), ("song_files", song, SONG_FIELDS))
    for field in fields
    if field.column in widths(table) and field.column != "level"  # Level has only two valid values.
]


@pytest.mark.parametrize(("read", "field", "width"), TEXTS)
def test_texts_are_cut_or_refused_where_the_warehouses_column_ends(read, field, width):
    """The contract and the SQL have the same widths."""
    assert read(**{field.source: "x" * width})[field.column] == "x" * width
    longer = {field.source: "x" * (width + 1)}
    if field.column in ("page", "song_id", "artist_id"):
        with pytest.raises(Reject, match=f"longer than {width} bytes"):
            read(**longer)
    else:
        assert read(**longer)[field.column] == "x" * width


@pytest.mark.finding("C6", "M3")
@pytest.mark.parametrize("value", ["Jane", 2125550123, -2125550123, 0.2125550123, "2125550123", 2125550123.0])
@pytest.mark.parametrize(("read", "line", "field"), FIELDS)
def test_a_reason_repeats_no_value_of_the_line(read, line, field, value):
    """Reasons are sent by email. A text may name people, and a number may be a telephone number in the wrong field."""
    for wrong in (value, f"{value}, 1 Main Street" * 200, [value], {value: value}):
        try:
            read(json.dumps(line | {field.source: wrong}).encode(), Tally())
        except Reject as reject:
            assert str(value) not in str(reject) and "2125550123" not in str(reject)
