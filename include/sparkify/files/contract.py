"""Define the contract of the source lines, and validate lines against the contract.

A line is accepted or rejected as a whole. Only the following conversions are made. A whole number is accepted as text,
because all-digit artist names arrive as numbers. A string of digits is accepted as a number. Trailing blanks of text
are removed. Free text that is longer than its column is truncated at a character boundary. Values that lose characters
are counted. If a JSON key is repeated, the last value is used.

A missing key means null, as in COPY with JSON 'auto' and in the output of eventsim, which generated Sparkify's data. A
rule for the whole file detects renamed fields, see :class:`include.sparkify.files.source.Presence`.

The reason for a rejection never contains a value of the line, because reasons can be sent by email, and values may be
personal data. The rejected line is stored in ``rejected_lines``.

Trailing blanks are removed because Redshift ignores them in comparisons. A key with trailing blanks and a key without
them would identify the same row (https://docs.aws.amazon.com/redshift/latest/dg/r_Character_types.html, "Significance
of trailing blanks").

:func:`event` and :func:`song` implement the contract. Nearly all lines comply with the contract and need no conversion.
:func:`plain_events` recognizes and parses these lines in a fraction of the time.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Optional

import msgspec
import orjson

# COPY accepts lines of JSON of at most 4 MB
# (https://docs.aws.amazon.com/redshift/latest/dg/copy-usage_notes-copy-from-json.html).
MAX_LINE_BYTES = 4 * 1024 * 1024
# Maximum number of bytes of a rejected line that are stored. The source file contains the whole line.
RAW_BYTES = 4096

_MIN_TS = int(datetime(2005, 1, 1, tzinfo=UTC).timestamp() * 1000)
_MAX_TS = int(datetime(2100, 1, 1, tzinfo=UTC).timestamp() * 1000) - 1
_INTEGER_MAX = 2**31 - 1


class Reject(Exception):
    """The error of a line that violates the contract in ``column``, with the ``reason``."""

    def __init__(self, column: str, reason: str) -> None:
        super().__init__(f"{column}: {reason}" if column else reason)
        self.column, self.reason = column, reason


@dataclasses.dataclass
class Tally:
    """The unknown fields of a file, and the number of values that lost trailing blanks or were truncated."""

    cut_values: int = 0
    unknown_fields: set[str] = dataclasses.field(default_factory=set)


@dataclasses.dataclass(frozen=True)
class Text:
    """A text of at most ``width`` bytes in UTF-8, without trailing blanks.

    A longer text is truncated or, if ``cut`` is false, as for a key, rejected.
    """

    width: int
    cut: bool = True

    @property
    def plain(self) -> Any:
        """Return the type of values that :meth:`read` returns unchanged if they have no NUL and no trailing blank."""
        # A character has at most four bytes.
        return Annotated[str, msgspec.Meta(max_length=self.width // 4)]

    def read(self, value: Any, name: str, tally: Tally) -> str:
        if not isinstance(value, str):
            # A float does not preserve the digits of 1.10 or 1e5, or of a very long number.
            if isinstance(value, float):
                kind = "a number with a decimal point, an exponent or more than 64 bits"
                raise Reject(name, f"text expected, not {kind}")
            if isinstance(value, bool) or not isinstance(value, int):
                raise Reject(name, f"text expected, not {_kind(value)}")
            value = str(value)
        if "\x00" in value:
            raise Reject(name, "contains a NUL character")
        kept = value.rstrip(" ")
        if len(kept) * 4 > self.width and len(kept.encode()) > self.width:
            if not self.cut:
                raise Reject(name, f"longer than {self.width} bytes")
            kept = kept.encode()[: self.width].decode(errors="ignore").rstrip(" ")
        tally.cut_values += kept != value
        return kept


@dataclasses.dataclass(frozen=True)
class Integer:
    """A whole number in ``[low, high]``. A string of digits is accepted. A fraction is rejected."""

    low: int
    high: int
    unit: str = ""

    @property
    def plain(self) -> Any:
        """Return the type of values that :meth:`read` returns unchanged."""
        return Annotated[int, msgspec.Meta(ge=self.low, le=self.high)]

    def read(self, value: Any, name: str, tally: Tally) -> int:
        if (
            isinstance(value, float)
            and value.is_integer()
            or isinstance(value, str)
            and re.fullmatch("-?[0-9]{1,19}", value)
        ):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            of = f" of{self.unit}" if self.unit else ""
            raise Reject(name, f"whole number{of} expected, not {_kind(value)}")
        if not self.low <= value <= self.high:
            raise Reject(name, f"is out of range [{self.low}, {self.high}]{self.unit}")
        return value


@dataclasses.dataclass(frozen=True)
class Decimal:
    """A number in ``[low, high]`` with at most ``scale`` decimals, so that DECIMAL stores it exactly."""

    low: float
    high: float
    scale: int

    @property
    def plain(self) -> Any:
        """Return the type of values that :meth:`read` returns unchanged if they have at most ``scale`` decimals."""
        return Annotated[float, msgspec.Meta(ge=self.low, le=self.high)]

    def read(self, value: Any, name: str, tally: Tally) -> float:
        if isinstance(value, str):
            # float() would also accept blanks, 1_000, nan and non-ASCII digits.
            if not re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value):
                raise Reject(name, f"number expected, not {_kind(value)}")
            value = float(value)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Reject(name, f"number expected, not {_kind(value)}")
        if not self.low <= value <= self.high:
            raise Reject(name, f"is out of range [{self.low}, {self.high}]")
        if round(value, self.scale) != value:
            raise Reject(name, f"has more than {self.scale} decimals")
        return value


def _kind(value: Any) -> str:
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "an array"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, float) and not value.is_integer():
        return "a fraction"
    return "a number" if isinstance(value, int | float) else "null" if value is None else "text"


@dataclasses.dataclass(frozen=True)
class Field:
    """A field of a source line, with the name of the field, the column, and the rule for its values."""

    source: str
    column: str
    rule: Text | Integer | Decimal
    required: bool = False
    """True if the value must not be null or, for text, empty."""
    on_every_line: bool = False
    """True if every line of a log file has the field, even if the line is not a play and the value may be null."""


_MS = " ms since 1970 (2005 to 2099)"

EVENT_FIELDS = (
    Field("artist", "artist", Text(1024)),
    Field("auth", "auth", Text(32), on_every_line=True),
    Field("firstName", "first_name", Text(256)),
    Field("gender", "gender", Text(16)),
    Field("itemInSession", "item_in_session", Integer(0, _INTEGER_MAX), required=True),
    Field("lastName", "last_name", Text(256)),
    Field("length", "length", Decimal(0, 99999, 5)),
    Field("level", "level", Text(16, cut=False), required=True),
    Field("location", "location", Text(1024)),
    Field("method", "method", Text(16), on_every_line=True),
    Field("page", "page", Text(64, cut=False), required=True),
    Field("registration", "registration", Integer(_MIN_TS, _MAX_TS, _MS)),
    Field("sessionId", "session_id", Integer(0, _INTEGER_MAX), required=True),
    Field("song", "song", Text(1024)),
    Field("status", "status", Integer(100, 599), on_every_line=True),
    Field("ts", "ts", Integer(_MIN_TS, _MAX_TS, _MS), required=True),
    Field("userAgent", "user_agent", Text(2048)),
    Field("userId", "user_id", Integer(1, _INTEGER_MAX)),
)
SONG_FIELDS = (
    Field("song_id", "song_id", Text(32, cut=False), required=True),
    Field("title", "title", Text(1024), required=True),
    Field("artist_id", "artist_id", Text(32, cut=False), required=True),
    Field("artist_name", "artist_name", Text(1024), required=True),
    Field("artist_location", "artist_location", Text(1024)),
    Field("artist_latitude", "artist_latitude", Decimal(-90, 90, 6)),
    Field("artist_longitude", "artist_longitude", Decimal(-180, 180, 6)),
    Field("year", "year", Integer(0, 2100), required=True),
    Field("duration", "duration", Decimal(0, 99999, 5), required=True),
    Field("num_songs", "num_songs", Integer(0, _INTEGER_MAX)),
)
LEVELS = ("free", "paid")
# The value of ``page`` for a play.
PLAY = "NextSong"
# Columns that are required for plays and optional for other pages.
_PLAY_FIELDS = ("user_id", "artist", "song", "length")


def event(line: bytes, tally: Tally, latest: int = _MAX_TS) -> dict[str, Any]:
    """Return an activity event, with the columns of ``staging_events`` except those that identify the file and the
    line.

    ``start_time`` has the same value as ``ts``, and COPY reads it as a timestamp.

    :param latest: the latest ``ts`` to accept, in ms since 1970, because an event cannot be later than its file.
    :raises Reject: the line is not a JSON object, lacks a field, or a value breaks the contract.
    """
    source = _object(line)
    # The user ID of a logged-out event is an empty string. A play without a user is rejected below.
    if source.get("userId") == "":
        source["userId"] = None
    row = _row(source, EVENT_FIELDS, tally)
    if row["level"] not in LEVELS:
        raise Reject("level", f"is not one of {LEVELS}")
    if row["ts"] > latest:
        raise Reject("ts", "is more than a day after its file was written")
    if row["page"] != PLAY and row["page"].strip().lower() == PLAY.lower():
        raise Reject("page", f"must be written {PLAY}")
    if row["page"] == PLAY:
        for column in _PLAY_FIELDS:
            if row[column] in (None, ""):
                raise Reject(column, "empty in a play")
    row["start_time"] = row["ts"]
    return row


# Types that the source usually delivers, for columns where the type of the rule is too narrow: whole numbers with a
# decimal point, strings of digits, and texts that are longer than a quarter of their column.
_DELIVERED = {
    "registration": Annotated[float, msgspec.Meta(ge=_MIN_TS, le=_MAX_TS)],
    "user_id": Annotated[str, msgspec.Meta(max_length=10)]
    | Annotated[int, msgspec.Meta(ge=1, le=_INTEGER_MAX)],
    "auth": Literal["Logged In", "Logged Out", "Cancelled", "Guest"],
    "level": Literal[LEVELS],
}
# A row of staging_events.
EventRow: Any = msgspec.defstruct(
    "EventRow",
    ["source_key", "line_number", "file_date", *(field.column for field in EVENT_FIELDS), "start_time"],
    gc=False,
)
# Types of unknown fields that the fast path skips. These types exclude deeper nesting, because orjson and msgspec have
# different limits, and larger whole numbers, because orjson accepts none above the largest double.
_Scalar = str | Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)] | float | bool | None
_Ignored = _Scalar | list[_Scalar] | dict[str, _Scalar]
# Maximum number of unknown fields that the fast path skips in one file.
_MOST_UNKNOWN = 16


@functools.lru_cache(maxsize=64)
def _decoder(unknown: frozenset[str]) -> Callable[[bytes], Any]:
    """Return the decoder for plain events, which raises ValueError for any other line.

    :param unknown: fields without a column that a line may have. The exact rules, which report the field name, validate
        a line with any other unknown field.
    """
    # msgspec does not accept all field names.
    ignored = sorted(name for name in unknown if re.fullmatch(r"[\w -]+", name))[:_MOST_UNKNOWN]
    fields = [
        (field.column, plain) if field.required else (field.column, Optional[plain], None)  # noqa: UP045
        for field in EVENT_FIELDS
        for plain in [_DELIVERED.get(field.column, field.rule.plain)]
    ]
    names = {field.column: field.source for field in EVENT_FIELDS}
    names |= {f"ignored_{number}": name for number, name in enumerate(ignored)}
    line = msgspec.defstruct(
        "PlainEvent",
        [*fields, *((f"ignored_{number}", _Ignored, None) for number in range(len(ignored)))],
        rename=names,
        forbid_unknown_fields=True,
        kw_only=True,
        gc=False,
    )
    return msgspec.json.Decoder(line).decode


_COLUMNS = len(EVENT_FIELDS)
_SCALE = 10**5
# The end of a JSON string with a trailing blank. Other parts of a line rarely match these bytes.
_BLANK_ENDS = tuple(b' "' + end for end in (b",", b"}", b" ", b"\t", b"\r"))


def plain_events(
    lines: list[bytes],
    number: int,
    source_key: str,
    file_date: str,
    latest: int = _MAX_TS,
    unknown: Collection[str] = (),
) -> list[Any]:
    """Return a row for each line: either an :data:`EventRow` with the values that :func:`event` returns, or None.

    The row is None for every line that violates the contract or needs a conversion, and for a few other lines.
    :func:`event` must validate these lines.

    :param number: the number of the first line.
    :param latest: the latest ``ts`` that a row may have, in ms since 1970.
    :param unknown: the fields without a column that are known to be in the file.
    """
    decode = _decoder(frozenset(unknown))
    # Escapes and trailing blanks are rare, and a search in all lines at once is much faster.
    block = b"".join(lines)
    escapes = b"\\u00" in block
    blanks = any(end in block for end in _BLANK_ENDS)
    row_values = msgspec.structs.astuple
    longest = max(map(len, lines), default=0)
    rows: list[Any] = [None] * len(lines)
    for index, text in enumerate(lines):
        if longest > MAX_LINE_BYTES and len(text) > MAX_LINE_BYTES:
            continue
        if escapes and (b"\\u0000" in text or b"\\u0020" in text):
            continue
        if blanks and any(end in text for end in _BLANK_ENDS):
            continue
        try:
            line = decode(text)
        # The line is not UTF-8 or not JSON, or a value has another type or is out of bounds.
        except ValueError:
            continue
        length, user_id, registration = line.length, line.user_id, line.registration
        if line.page == PLAY:
            if not (user_id and line.artist and line.song) or length is None:
                continue
        elif not line.page or line.page.strip().lower() == PLAY.lower():
            continue
        if line.ts > latest:
            continue
        # Accept only a float that is the nearest float to a number with five decimals.
        if length is not None and int(length * _SCALE + 0.5) / _SCALE != length:
            continue
        if isinstance(user_id, str):
            line.user_id = _user_id(user_id)
            if line.user_id is None and user_id:
                continue
        if registration is not None:
            if not registration.is_integer():
                continue
            line.registration = int(registration)
        rows[index] = EventRow(source_key, number + index, file_date, *row_values(line)[:_COLUMNS], line.ts)
    return rows


@functools.lru_cache(maxsize=1 << 16)
def _user_id(text: str) -> int | None:
    """Return a string of digits as a number, or None if it contains other characters or is out of range."""
    return int(text) if re.fullmatch("[0-9]+", text) and 1 <= int(text) <= _INTEGER_MAX else None


def song(document: bytes, tally: Tally) -> dict[str, Any]:
    """Return the song of a file, with the columns of ``staging_songs`` except ``source_key``.

    :raises Reject: the file is not a single JSON object, lacks a field, or a value breaks the contract.
    """
    source = _object(document, "a song file is one object")
    row = _row(source, SONG_FIELDS, tally)
    # A file contains one song. If a field is missing and the file has an unknown field, the field may have been
    # renamed.
    absent = [field for field in SONG_FIELDS if field.source not in source]
    if absent and source.keys() - _names(SONG_FIELDS):
        raise Reject(
            absent[0].column, f"field {absent[0].source} is missing, and the song has a field that is unknown"
        )
    del row["num_songs"]
    return row


@dataclasses.dataclass(frozen=True)
class Contract:
    """The contract of a source."""

    fields: tuple[Field, ...]
    read: Callable[..., dict[str, Any]]
    """Return the columns of the staging table for a line or a document.

    For a line, also pass the latest time to accept.
    """
    read_plain: Callable[..., list[Any]] | None = None
    """Parse most lines of a block faster (see :func:`plain_events`)."""


CONTRACTS = {"events": Contract(EVENT_FIELDS, event, plain_events), "songs": Contract(SONG_FIELDS, song)}

# Errors of orjson for a line with a part of an object, and for a line with several objects.
_SPREAD = ("unexpected end of data", "unexpected content after document")


def _object(text: bytes, rule: str = "each object must be on its own line") -> dict[str, Any]:
    if len(text) > MAX_LINE_BYTES:
        raise Reject("", f"longer than {MAX_LINE_BYTES} bytes, the limit of COPY")
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        hint = f"; {rule}" if error.msg.startswith(_SPREAD) else ""
        if "valid UTF-8" in error.msg:
            hint = "; a file must be in UTF-8"
        raise Reject("", f"not valid JSON: {error.msg}{hint}") from None
    if not isinstance(value, dict):
        raise Reject("", f"a JSON object expected, not {_kind(value)}; {rule}")
    return value


@functools.cache
def _names(fields: tuple[Field, ...]) -> frozenset[str]:
    return frozenset(field.source for field in fields)


def _row(source: Mapping[str, Any], fields: tuple[Field, ...], tally: Tally) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for field in fields:
        value = source.get(field.source)
        if value is not None:
            value = field.rule.read(value, field.column, tally)
        if field.required and (value is None or value == ""):
            raise Reject(
                field.column, "empty" if field.source in source else f"field {field.source} is missing"
            )
        row[field.column] = value
    tally.unknown_fields.update(source.keys() - _names(fields))
    return row
