"""The contract of the source lines: which fields, which types, which ranges, and what happens otherwise.

A line is accepted or rejected as a whole; nothing is guessed. The only repairs are stated here: a number is accepted
for text and digits for a number (all-digit artist names arrive as numbers), and free text longer than its column is
truncated at the edge of a character and counted. Of a repeated JSON key the last value counts.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

# COPY accepts lines of JSON of at most 4 MB
# (https://docs.aws.amazon.com/redshift/latest/dg/copy-usage_notes-copy-from-json.html).
MAX_LINE_BYTES = 4 * 1024 * 1024
# Bytes of a rejected line that are kept; the file has all of them.
RAW_BYTES = 4096

_MIN_TS = int(datetime(2005, 1, 1, tzinfo=UTC).timestamp() * 1000)
_MAX_TS = int(datetime(2100, 1, 1, tzinfo=UTC).timestamp() * 1000)
_INTEGER_MAX = 2**31 - 1


class Reject(Exception):
    """A line breaks the contract: its ``column``, for ``reason``."""

    def __init__(self, column: str, reason: str) -> None:
        super().__init__(f"{column}: {reason}" if column else reason)
        self.column, self.reason = column, reason


@dataclasses.dataclass
class Tally:
    """Counts of truncated values, and the unknown fields, of one file."""

    cut_values: int = 0
    unknown_fields: set[str] = dataclasses.field(default_factory=set)


Reader = Callable[[Any, str, Tally], Any]


def _text(width: int, cut: bool = True) -> Reader:
    """Return a reader of text of at most ``width`` bytes of UTF-8; longer text is truncated, or rejected in a key."""

    def read(value: Any, name: str, tally: Tally) -> str:
        if not isinstance(value, str):
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise Reject(name, f"text expected, not {_kind(value)}")
            value = str(value)
        if "\x00" in value:
            raise Reject(name, "contains a NUL character")
        if len(value) * 4 > width and len(value.encode()) > width:
            if not cut:
                raise Reject(name, f"longer than {width} bytes")
            tally.cut_values += 1
            value = value.encode()[:width].decode(errors="ignore")
        return value

    return read


def _integer(low: int, high: int, unit: str = "") -> Reader:
    """Return a reader of whole numbers in ``[low, high]``; digits in quotes are accepted, a fraction is not."""

    def read(value: Any, name: str, tally: Tally) -> int:
        if (
            isinstance(value, float)
            and value.is_integer()
            or isinstance(value, str)
            and re.fullmatch("-?[0-9]{1,19}", value)
        ):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise Reject(name, f"whole number expected, not {_kind(value)}")
        if not low <= value <= high:
            raise Reject(name, f"{value} is out of range [{low}, {high}]{unit}")
        return value

    return read


def _decimal(low: float, high: float, scale: int) -> Reader:
    """Return a reader of numbers in ``[low, high]`` with at most ``scale`` decimals, which DECIMAL stores exactly."""

    def read(value: Any, name: str, tally: Tally) -> float:
        if isinstance(value, str):
            # float() would accept blanks, 1_000, nan and non-ASCII digits too.
            if not re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value):
                raise Reject(name, f"number expected, not {_kind(value)}")
            value = float(value)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Reject(name, f"number expected, not {_kind(value)}")
        if not low <= value <= high:
            raise Reject(name, f"{value} is out of range [{low}, {high}]")
        if round(value, scale) != value:
            raise Reject(name, f"{value} has more than {scale} decimals")
        return value

    return read


def _kind(value: Any) -> str:
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "an array"
    if isinstance(value, bool):
        return "a boolean"
    return "a number" if isinstance(value, int | float) else "null" if value is None else "text"


@dataclasses.dataclass(frozen=True)
class Field:
    """One field of a source line: its name, its column, and its reader."""

    source: str
    column: str
    read: Reader
    required: bool = False
    """Must not be null (nor, for text, empty)."""


_MS = " ms since 1970 (2005 to 2099)"

EVENT_FIELDS = (
    Field("artist", "artist", _text(1024)),
    Field("auth", "auth", _text(32)),
    Field("firstName", "first_name", _text(256)),
    Field("gender", "gender", _text(16)),
    Field("itemInSession", "item_in_session", _integer(0, _INTEGER_MAX), required=True),
    Field("lastName", "last_name", _text(256)),
    Field("length", "length", _decimal(0, 99999, 5)),
    Field("level", "level", _text(16, cut=False), required=True),
    Field("location", "location", _text(1024)),
    Field("method", "method", _text(16)),
    Field("page", "page", _text(64, cut=False), required=True),
    Field("registration", "registration", _integer(_MIN_TS, _MAX_TS, _MS)),
    Field("sessionId", "session_id", _integer(0, _INTEGER_MAX), required=True),
    Field("song", "song", _text(1024)),
    Field("status", "status", _integer(100, 599)),
    Field("ts", "ts", _integer(_MIN_TS, _MAX_TS, _MS), required=True),
    Field("userAgent", "user_agent", _text(2048)),
    Field("userId", "user_id", _integer(1, _INTEGER_MAX)),
)
SONG_FIELDS = (
    Field("song_id", "song_id", _text(32, cut=False), required=True),
    Field("title", "title", _text(1024), required=True),
    Field("artist_id", "artist_id", _text(32, cut=False), required=True),
    Field("artist_name", "artist_name", _text(1024), required=True),
    Field("artist_location", "artist_location", _text(1024)),
    Field("artist_latitude", "artist_latitude", _decimal(-90, 90, 6)),
    Field("artist_longitude", "artist_longitude", _decimal(-180, 180, 6)),
    Field("year", "year", _integer(0, 2100), required=True),
    Field("duration", "duration", _decimal(0, 99999, 5), required=True),
    Field("num_songs", "num_songs", _integer(0, _INTEGER_MAX)),
)
LEVELS = ("free", "paid")
# The page of a play.
PLAY = "NextSong"
# Required in a play, optional on other pages.
_PLAY_FIELDS = ("user_id", "artist", "song", "length")


def event(line: bytes, tally: Tally, latest: int = _MAX_TS) -> dict[str, Any]:
    """Return one activity event, as the columns of ``staging_events`` except ``source_key`` and ``line_number``.

    ``start_time`` repeats ``ts``, for COPY to read as a timestamp.

    :param latest: the latest possible ``ts`` in ms since 1970: an event cannot be younger than its file.
    :raises Reject: the line is not a JSON object, lacks a field, or a value breaks the contract.
    """
    source = _object(line)
    # Logged-out events have "" for the user; a play without a user is rejected below.
    if source.get("userId") == "":
        source["userId"] = None
    row = _row(source, EVENT_FIELDS, tally)
    if row["level"] not in LEVELS:
        raise Reject("level", f"is not one of {LEVELS}")
    if row["ts"] > latest:
        raise Reject("ts", f"{row['ts']} is more than a day after its file was written")
    if row["page"] != PLAY and row["page"].strip().lower() == PLAY.lower():
        raise Reject("page", f"must be written {PLAY}")
    if row["page"] == PLAY:
        for column in _PLAY_FIELDS:
            if row[column] in (None, ""):
                raise Reject(column, "empty in a play")
    row["start_time"] = row["ts"]
    return row


def song(document: bytes, tally: Tally) -> dict[str, Any]:
    """Return one song file, as the columns of ``staging_songs`` except ``source_key``.

    :raises Reject: the file is not a single JSON object, lacks a field, or a value breaks the contract.
    """
    row = _row(_object(document), SONG_FIELDS, tally)
    del row["num_songs"]
    return row


def _object(text: bytes) -> dict[str, Any]:
    if len(text) > MAX_LINE_BYTES:
        raise Reject("", f"longer than {MAX_LINE_BYTES} bytes, the limit of COPY")
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Reject("", f"not valid JSON: {error.msg}") from error
    if not isinstance(value, dict):
        raise Reject("", f"a JSON object expected, not {_kind(value)}")
    return value


def _row(source: Mapping[str, Any], fields: tuple[Field, ...], tally: Tally) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for field in fields:
        try:
            value = source[field.source]
        except KeyError:
            raise Reject(field.column, f"field {field.source} is missing") from None
        if value is not None:
            value = field.read(value, field.column, tally)
        if field.required and (value is None or value == ""):
            raise Reject(field.column, "empty")
        row[field.column] = value
    if len(source) > len(fields):
        tally.unknown_fields.update(source.keys() - {field.source for field in fields})
    return row
