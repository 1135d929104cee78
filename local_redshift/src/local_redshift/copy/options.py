"""Parse a COPY statement and check its options."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import Refused, SqlError
from ..service import REGION
from ..sql.expressions import render
from ..sql.refusals import not_covered
from ..sql.tokens import Token, tokenize, visible


@dataclass
class Copy:
    """A parsed COPY. `columns` is None when the statement names none."""

    table: str
    columns: list[str] | None
    bucket: str
    key: str
    role: str = ""
    format: str = ""
    json: str = ""
    manifest: bool = False
    compression: str = ""  # gzip, bzip2 or zstd
    region: str = REGION
    timeformat: str = ""
    dateformat: str = ""
    invalid_characters: str = ""  # the replacement of ACCEPTINVCHARS
    truncate: bool = False
    empty_as_null: bool = False
    blanks_as_null: bool = False
    max_error: int = 0
    delimiter: str = ""
    quote: str = '"'
    null: str = "\\N"
    ignore_header: int = 0
    escape: bool = False
    remove_quotes: bool = False
    fill_record: bool = False
    ignore_blank_lines: bool = False
    trim_blanks: bool = False
    accept_any_date: bool = False
    round_decimals: bool = False
    options: set[str] = field(default_factory=set)


DEFAULT_ROLE = "default"


def unquote(token: Token) -> str:
    text = token.text[1:-1].replace("''", "'")
    return re.sub(r"\\(.)", lambda m: {"t": "\t", "n": "\n"}.get(m[1], m[1]), text)


class Reader:
    """A reader of a COPY's options, from left to right."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tokens
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._tokens)

    def peek(self) -> str:
        return self._tokens[self._at].low if self else ""

    def at_string(self) -> bool:
        return self._at < len(self._tokens) and self._tokens[self._at].kind == "string"

    def take(self) -> Token:
        if not self:
            raise SqlError("syntax error at the end of COPY", "42601")
        self._at += 1
        return self._tokens[self._at - 1]

    def skip(self, word: str) -> None:
        if self.peek() == word:
            self._at += 1

    def string(self, option: str) -> str:
        self.skip("as")
        token = self.take()
        if token.kind != "string":
            raise SqlError(
                f'syntax error at or near "{token.text}": {option} needs a string in quotes', "42601"
            )
        return unquote(token)

    def number(self, option: str) -> int:
        self.skip("as")
        token = self.take()
        text = unquote(token) if token.kind == "string" else token.text
        if not text.isdigit():
            raise SqlError(f'syntax error at or near "{token.text}": {option} needs a number', "42601")
        return int(text)


def parse(sql: str) -> Copy:
    """Parse the statement. Raise SqlError for an error, or with the name of a feature that is not covered."""
    reader = Reader(visible(tokenize(sql)))
    reader.take()
    name = [reader.take()]
    while reader.peek() == ".":
        name += [reader.take(), reader.take()]
    columns = None
    if reader.peek() == "(":
        reader.take()
        columns = []
        while (token := reader.take()).text != ")":
            if token.text != ",":
                columns.append(token.text[1:-1].replace('""', '"') if token.kind == "name" else token.low)
    if (token := reader.take()).low != "from":
        raise SqlError(f'syntax error at or near "{token.text}"', "42601")
    source = reader.string("FROM")
    match = re.fullmatch(r"s3://([^/]+)/(.*)", source)
    if match is None:
        if source.startswith("s3://"):
            raise SqlError(f"Invalid S3 path {source}: it needs a bucket and a key prefix")
        raise not_covered(f"COPY ... FROM '{source}' (only s3://)")
    copy = Copy(render(name), columns, match[1], match[2])
    reader.skip("with")
    while reader:
        _option(reader, copy)
    _check(copy)
    return copy


# Options of one word, and the fields that they set to true.
_FLAGS = {
    "manifest": "manifest",
    "truncatecolumns": "truncate",
    "emptyasnull": "empty_as_null",
    "blanksasnull": "blanks_as_null",
    "escape": "escape",
    "removequotes": "remove_quotes",
    "fillrecord": "fill_record",
    "ignoreblanklines": "ignore_blank_lines",
    "trimblanks": "trim_blanks",
    "acceptanydate": "accept_any_date",
    "roundec": "round_decimals",
}
COMPRESSIONS = ("gzip", "bzip2", "zstd")
# Options with one string, which are also the names of their fields.
_STRINGS = {"region", "timeformat", "dateformat", "delimiter", "quote", "null"}


def read_common(reader: Reader, option: str, into: Any, strings: set[str]) -> bool:
    """Read an option that COPY and UNLOAD have in common into its field. Return False for any other option."""
    if option in into.options or option in COMPRESSIONS and into.compression:
        raise SqlError(f"conflicting or redundant options: {option.upper()}", "42601")
    into.options.add(option)
    if option in ("credentials", "iam_role", "access_key_id", "secret_access_key", "session_token"):
        into.role = _role(reader, option)
    elif option in COMPRESSIONS:
        into.compression = option
    elif option in strings:
        setattr(into, option, reader.string(option.upper()))
    else:
        return False
    return True


def _option(reader: Reader, copy: Copy) -> None:
    token = reader.take()
    option = token.low
    if read_common(reader, option, copy, _STRINGS):
        return
    if option == "format":
        reader.skip("as")
        copy.options.discard(reader.peek())
        _option(reader, copy)
    elif option == "json":
        reader.skip("as")
        copy.format = "json"
        copy.json = reader.string("JSON") if reader.at_string() else "auto"
    elif option in ("csv", "parquet"):
        copy.format = option
    elif option in _FLAGS:
        setattr(copy, _FLAGS[option], True)
    elif option == "encoding":
        reader.skip("as")
        if (value := reader.take().low.strip("'")) not in ("utf8", "auto"):
            raise not_covered(f"COPY ... ENCODING '{value}' (only UTF8)")
    elif option == "acceptinvchars":
        reader.skip("as")
        copy.invalid_characters = reader.string("ACCEPTINVCHARS") if reader.at_string() else "?"
    elif option in ("maxerror", "ignoreheader"):
        setattr(copy, {"maxerror": "max_error"}.get(option, "ignore_header"), reader.number(option.upper()))
    elif option in ("compupdate", "statupdate"):
        # Both options affect only speed. The local Redshift always analyzes.
        if reader.peek() in ("on", "off", "true", "false", "preset"):
            reader.take()
    else:
        raise not_covered(f"COPY ... {token.text.upper()}")


def _role(reader: Reader, option: str) -> str:
    """Return the role that IAM_ROLE or CREDENTIALS names (DEFAULT_ROLE for DEFAULT), or raise SqlError for keys."""
    if option == "iam_role":
        if reader.peek() == "default":
            reader.take()
            return DEFAULT_ROLE
        return reader.string("IAM_ROLE")
    if option == "credentials":
        value = reader.string("CREDENTIALS")
        if value.lower().startswith("aws_iam_role="):
            return value.split("=", 1)[1]
    raise Refused(
        "COPY with access keys is refused: keys in SQL end up in logs and in the query history",
        hint="Write IAM_ROLE 'arn:aws:iam::...' (Airflow: an AWS connection whose extra has role_arn).",
    )


def _check(copy: Copy) -> None:
    if not copy.role:
        raise SqlError("COPY needs IAM_ROLE 'arn:...' or CREDENTIALS 'aws_iam_role=arn:...'", "42601")
    if copy.max_error > 100000:
        raise SqlError("MAXERROR must be between 0 and 100000", "22023")
    if len(copy.invalid_characters.encode()) > 1:
        raise SqlError("ACCEPTINVCHARS needs one ASCII character", "22023")
    if "\0" in copy.null or copy.null == "0":
        raise not_covered("COPY ... NULL AS '\\0' (PostgreSQL stores no NUL)")
    copy.format = copy.format or "text"
    copy.delimiter = copy.delimiter or {"csv": ","}.get(copy.format, "|")
    if octal := re.fullmatch(r"([0-7]{3})", copy.delimiter):
        copy.delimiter = chr(int(octal[1], 8))
    if copy.format == "parquet":
        # https://docs.aws.amazon.com/redshift/latest/dg/copy-usage_notes-copy-from-columnar.html; dlt sends MAXERROR 0.
        allowed = {
            "parquet", "format", "manifest", "iam_role", "credentials", "statupdate", "compupdate", "fillrecord",
            "acceptinvchars", *(["maxerror"] if not copy.max_error else []),
        }  # fmt: skip
        for option in sorted(copy.options - allowed):
            raise SqlError(f"{option.upper()} option is not supported for PARQUET", "42601")
    _check_format(copy)


def _check_format(copy: Copy) -> None:
    only_text = {"escape", "removequotes"}
    not_json = only_text | {
        "delimiter", "quote", "ignoreheader", "fillrecord", "ignoreblanklines", "null", "trimblanks",
    }  # fmt: skip
    refused = {"json": not_json, "csv": only_text, "text": {"quote"}}.get(copy.format, set())
    for option in sorted(copy.options & refused):
        raise SqlError(f"{option.upper()} option is not supported with {copy.format.upper()}", "42601")
    for option in ("quote", "delimiter"):
        if len(getattr(copy, option).encode()) != 1:
            raise SqlError(f"COPY {option} must be a single character", "22023")
    if (
        copy.format == "json"
        and not copy.json.startswith("s3://")
        and copy.json not in ("auto", "auto ignorecase")
    ):
        raise not_covered(f"COPY ... JSON '{copy.json}' (only 'auto', 'auto ignorecase', 's3://...')")
    # These values are case-sensitive.
    if copy.timeformat not in ("", "auto", "epochsecs", "epochmillisecs"):
        copy.timeformat = read_pattern("TIMEFORMAT", copy.timeformat)
    if copy.dateformat not in ("", "auto"):
        copy.dateformat = read_pattern("DATEFORMAT", copy.dateformat)


_PATTERN = re.compile(r"YYYY|YY|MM|MON|DD|HH24|HH12|HH|MI|SS|AM|PM|[-/,.:; _T]", re.IGNORECASE)


def read_pattern(option: str, pattern: str) -> str:
    """Return PostgreSQL's spelling of a date or time pattern. A plain HH is an hour from 1 to 12."""
    parts, position = [], 0
    while position < len(pattern):
        part = _PATTERN.match(pattern, position)
        if part is None:
            raise not_covered(f"COPY ... {option} '{pattern}' (its part {pattern[position:]!r})")
        position = part.end()
        low = part[0].upper()
        half = re.search(r"AM|PM", pattern, re.IGNORECASE)
        parts.append("HH24" if low == "HH" and not half else '"T"' if low == "T" else low)
    return "".join(parts)
