"""Rewrite text records that PostgreSQL would read differently: ESCAPE, REMOVEQUOTES, FILLRECORD, blank lines."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from ..errors import SqlError
from .options import Copy


class BadRecord(SqlError):
    """A record that cannot be split: its first line (from 1), its text, and its error code in stl_load_errors."""

    def __init__(self, line: int, raw: str, reason: int) -> None:
        super().__init__(f"line {line}: {raw}")
        self.line, self.raw, self.reason = line, raw, reason


def is_needed(copy: Copy) -> bool:
    """Return whether an option requires records that PostgreSQL would parse differently."""
    return copy.escape or copy.remove_quotes or copy.fill_record or copy.ignore_blank_lines


def rewrite(copy: Copy, text: str, columns: int) -> str:
    """Return the records of a whole object as CSV with every value in quotes, and NULL as an unquoted \\N.

    Each record ends in a newline. FILLRECORD fills up to `columns` fields. A bad record raises BadRecord.
    """
    out = io.StringIO()
    for fields in _split_csv(copy, text) if copy.format == "csv" else _split_text(copy, text):
        if copy.ignore_blank_lines and len(fields) == 1 and not (fields[0] or "").strip():
            continue
        if copy.fill_record and len(fields) < columns:
            # An empty string is NULL for all types but VARCHAR.
            fields += [""] * (columns - len(fields))
        cells = ["\\N" if field is None else '"' + field.replace('"', '""') + '"' for field in fields]
        out.write(",".join(cells) + "\n")
    return out.getvalue()


def _split_csv(copy: Copy, text: str) -> Iterator[list[str | None]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=copy.delimiter, quotechar=copy.quote)
    for fields in reader:
        yield [None if field == copy.null else field for field in fields] or [""]


def _split_text(copy: Copy, text: str) -> Iterator[list[str | None]]:
    """Yield the fields of each record. A backslash escapes the next character, and quotes may enclose delimiters."""
    fields: list[str | None] = []
    field: list[str] = []
    quote, closed, escaped, line, begin, first = "", False, False, 1, 0, 1

    def end() -> None:
        value = "".join(field)
        fields.append(None if value == copy.null and not closed else value)
        field.clear()

    position = 0
    while position < len(text):
        character = text[position]
        position += 1
        line += character == "\n"
        if escaped:
            # \N, the null string, remains unchanged.
            field.append("\\N" if character == "N" else character)
            escaped = False
        elif copy.escape and character == "\\":
            escaped = True
        elif quote and character == quote and text[position : position + 1] in (copy.delimiter, "\n", ""):
            quote, closed = "", True
        elif character == "\n":
            if quote:
                raise BadRecord(first, text[begin : position - 1], 1214)
            end()
            yield fields
            fields, closed, begin, first = [], False, position, line
        elif character == copy.delimiter and not quote:
            end()
            closed = False
        elif copy.remove_quotes and not field and not closed and not quote and character in "\"'":
            quote = character
        else:
            field.append(character)
    if quote:
        raise BadRecord(first, text[begin:], 1214)
    if field or fields:
        end()
        yield fields
