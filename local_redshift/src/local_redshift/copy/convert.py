"""SQL that turns the text of loaded lines into the columns of a table, as COPY does."""

from __future__ import annotations

from dataclasses import dataclass, field

from .options import Copy

# Replaces a byte that is not UTF-8: a code point that no text contains.
INVALID = "\U0010ffff"


@dataclass(frozen=True)
class Column:
    """A target column; `size` is bytes of a string, or (precision, scale), or None."""

    name: str
    type: str
    modifier: int
    spelled: str
    not_null: bool

    @property
    def is_string(self) -> bool:
        return self.type in ("varchar", "bpchar", "text")

    @property
    def bytes(self) -> int:
        return self.modifier - 4 if self.modifier > 4 else 65535

    @property
    def scale(self) -> int:
        return (self.modifier - 4) & 0x7FF

    @property
    def precision(self) -> int:
        return ((self.modifier - 4) >> 16) & 0xFFFF


def literal(value: str) -> str:
    """Return a string of SQL."""
    return "E'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def quote_name(value: str) -> str:
    """Return an identifier of SQL."""
    return '"' + value.replace('"', '""') + '"'


# A blank line is not a record. (The first test is the cheap one.)
NOT_BLANK = "(l.raw ^@ '{' or btrim(l.raw, E' \\t') <> '')"


@dataclass
class Conversion:
    """How each column's text is found in the lines of `local_copy_lines l`, and becomes the column's type."""

    copy: Copy
    columns: list[Column]
    texts: list[str] = field(default_factory=list)  # SQL of each column's text
    record: str = ""  # FROM clause that yields them; {raw} is the line; empty where the line is split already
    # The same with the columns' types for their fields: JSON's own conversion, several times as fast as ours, and
    # the same wherever it succeeds. Empty if it cannot be used.
    typed_record: str = ""

    def by_path(self, paths: list[list[str]]) -> None:
        """Columns by path; the keys of the outermost object become a record, the rest is taken from JSON."""
        nested = {path[0] for path in paths if len(path) > 1}
        keys = dict.fromkeys(path[0] for path in paths)
        fields = ", ".join(f"{quote_name(key)} {'json' if key in nested else 'text'}" for key in keys)
        self.record = f"json_to_record({{raw}}::json) as r({fields})"
        if not nested and len(keys) == len(paths):
            types = ", ".join(
                f"{quote_name(path[0])} {self._field_type(column)}"
                for path, column in zip(paths, self.columns, strict=True)
            )
            self.typed_record = f"json_to_record({{raw}}::json) as r({types})"
        self.texts = [
            f"(r.{quote_name(path[0])} #>> array[{', '.join(map(literal, path[1:]))}]::text[])"
            if path[0] in nested
            else f"r.{quote_name(path[0])}"
            for path in paths
        ]

    def _field_type(self, column: Column) -> str:
        """Return the type of a column's field in `typed_record`."""
        if column.is_string or column.type == "numeric":
            return "text"
        if column.type in ("timestamp", "timestamptz", "date"):
            kind = self._time(column)
            return "bigint" if kind == "epoch" else "text" if kind else column.type
        return column.type

    def _time(self, column: Column) -> str:
        """Return how a date or time is read: epoch, a pattern, "any" for ACCEPTANYDATE, or nothing."""
        if column.type != "date" and self.copy.timeformat.lower().startswith("epoch"):
            return "epoch"
        pattern = self.copy.dateformat if column.type == "date" else self.copy.timeformat
        return pattern if pattern.lower() != "auto" else "any" if self.copy.accept_any_date else ""

    def value(self, column: Column, typed: bool = False) -> str:
        """Return SQL that turns `s.v` of this column, a text or a typed field, into its type, as COPY does."""
        text = f"s.{quote_name(column.name)}"
        if not typed or self._field_type(column) == "text":
            return self.converted(column, text)
        return self._epoch(column, text) if self._field_type(column) != column.type else text

    def _epoch(self, column: Column, number: str) -> str:
        unit = "second" if self.copy.timeformat.lower() == "epochsecs" else "millisecond"
        zone = " at time zone 'UTC'" if column.type == "timestamptz" else ""
        return f"((timestamp '1970-01-01' + {number} * interval '1 {unit}'){zone})"

    def converted(self, column: Column, text: str) -> str:
        """Return SQL that turns a text into the column's type."""
        if column.is_string:
            if self.copy.empty_as_null:
                text = f"nullif({text}, '')"
            if self.copy.blanks_as_null:
                text = f"(case when btrim({text}, E' \\t') <> '' then {text} end)"
            if self.copy.trim_blanks:
                text = f"rtrim({text}, E' \\t')"
            # The assignment to VARCHAR(n) refuses what is longer, an explicit cast cuts it off. (A CASE here would
            # keep the planner from writing that cast into the query, which costs nine tenths of the speed.)
            return f"{text}::{column.spelled}" if self.copy.truncate else text
        text = f"nullif({text}, '')"
        if column.type == "numeric":
            # Digits behind the scale are cut off, not rounded.
            return f"trunc({text}::numeric, {column.scale})" if column.modifier > 0 else f"{text}::numeric"
        if column.type in ("timestamp", "timestamptz", "date") and (kind := self._time(column)):
            if kind == "epoch":
                return self._epoch(column, f"{text}::bigint")
            if kind == "any":
                return (
                    f"(case when pg_input_is_valid({text}, '{column.type}') then {text}::{column.type} end)"
                )
            return f"local_parse_time({text}, {literal(kind)})::{column.type}"
        return f"{text}::{column.type}"

    def is_valid(self, column: Column, text: str) -> str:
        """Return SQL that is false for a text that `converted` cannot read; only for types that are not strings."""
        kind = self._time(column) if column.type in ("timestamp", "timestamptz", "date") else ""
        if kind == "any":
            return "true"
        if kind and kind != "epoch":
            return f"local_matches_time({text}, {literal(kind)})"
        spelled = column.spelled if column.type != "numeric" else "numeric"
        return f"pg_input_is_valid({text}, '{'bigint' if kind == 'epoch' else spelled}')"

    def selected(self, typed: bool = False) -> str:
        """Return a query of each column's text, or of its typed field."""
        fields = ", ".join(
            f"{source} as {quote_name(column.name)}"
            for source, column in zip(self.texts, self.columns, strict=True)
        )
        if self.copy.format != "json":
            return f"select {fields} from local_copy_lines l"
        record = (self.typed_record if typed else self.record).format(raw="l.raw")
        return f"select {fields} from local_copy_lines l, lateral {record} where {NOT_BLANK}"
