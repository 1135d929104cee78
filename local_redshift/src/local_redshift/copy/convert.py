"""Generate the SQL that converts the text of loaded lines to the columns of a table, as COPY does."""

from __future__ import annotations

from dataclasses import dataclass, field

from .options import Copy

# The replacement for a byte that is not UTF-8: three code points that no text has in a row, and one for the byte.
INVALID = "\U0010ffff\U0010fffe\U0010ffff"
INVALID_BYTE = 0x10FE00
# Code points that are valid UTF-8 but not characters, by their number of bytes. Only ACCEPTINVCHARS replaces them.
# https://docs.aws.amazon.com/redshift/latest/dg/multi-byte-character-load-errors.html
_NO_CHARACTERS = {
    3: "\ufdd0-\ufdef\ufffe\uffff",
    4: "".join(chr(plane << 16 | end) for plane in range(1, 17) for end in (0xFFFE, 0xFFFF)),
}
# The default formats. TIMESTAMP also reads ISO 8601's T and Z.
# https://docs.aws.amazon.com/redshift/latest/dg/r_DATEFORMAT_and_TIMEFORMAT_strings.html
_DAY = "[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}"
_TIME = f"{_DAY}([ T][0-9]{{1,2}}:[0-9]{{2}}(:[0-9]{{2}}([.][0-9]{{1,6}})?)?)?"
_DEFAULT_FORMATS = {
    "date": _DAY,
    "timestamp": f"{_TIME}Z?",
    "timestamptz": f"{_TIME} ?([+-][0-9]{{1,2}}(:?[0-9]{{2}})?)?",
}
_DIGITS = "[+-]?[0-9]+"
_INTEGERS = ("int2", "int4", "int8")


@dataclass(frozen=True)
class Column:
    """A target column. `modifier` is PostgreSQL's type modifier: the length of a string, or precision and scale."""

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
    """Return the text as an SQL string literal."""
    return "E'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def quote_name(value: str) -> str:
    """Return the name as a quoted SQL identifier."""
    return '"' + value.replace('"', '""') + '"'


# A blank line is not a record. The first test is the cheaper one.
NOT_BLANK = "(l.raw ^@ '{' or btrim(l.raw, E' \\t') <> '')"


@dataclass
class Conversion:
    """SQL that reads the text of each column from `local_copy_lines l`, and converts it to the column's type."""

    copy: Copy
    columns: list[Column]
    texts: list[str] = field(default_factory=list)  # SQL of each column's text
    record: str = ""  # FROM clause that extracts them from the line {raw}; empty if the line is already split
    # The same clause, but PostgreSQL's JSON functions convert the fields to the columns' types. That is several times
    # as fast as our conversion and has the same result where it succeeds. Empty if it cannot be used.
    typed_record: str = ""
    arrays: bool = False  # whether the records are JSON arrays

    def by_position(self, paths: list[list[str]]) -> None:
        """Read the columns from records that are arrays, by paths such as `$[0]`."""
        self.arrays = True
        self.record = "(select {raw}::json as j) as r"
        for path, column in zip(paths, self.columns, strict=True):
            place = f"array[{', '.join(map(literal, path))}]::text[]"
            by_double = self.is_by_double(column)
            self.texts.append(f"local_by_double(r.j #> {place})" if by_double else f"(r.j #>> {place})")

    def by_path(self, paths: list[list[str]]) -> None:
        """Read the columns by path: the outermost keys become fields of a record, deeper keys are read from JSON."""
        nested = {path[0] for path in paths if len(path) > 1}
        by_double = {
            path[0] for path, column in zip(paths, self.columns, strict=True) if self.is_by_double(column)
        }
        keys = dict.fromkeys(path[0] for path in paths)
        fields = ", ".join(
            f"{quote_name(key)} {'json' if key in nested | by_double else 'text'}" for key in keys
        )
        self.record = f"json_to_record({{raw}}::json) as r({fields})"
        if not nested and len(keys) == len(paths):
            types = ", ".join(
                f"{quote_name(path[0])} {self._field_type(column)}"
                for path, column in zip(paths, self.columns, strict=True)
            )
            self.typed_record = f"json_to_record({{raw}}::json) as r({types})"
        self.texts = []
        for path, column in zip(paths, self.columns, strict=True):
            field, rest = f"r.{quote_name(path[0])}", f"array[{', '.join(map(literal, path[1:]))}]::text[]"
            if self.is_by_double(column):
                self.texts.append(f"local_by_double({field} #> {rest})")
            else:
                self.texts.append(f"({field} #>> {rest})" if path[0] in nested | by_double else field)

    def by_name_ignoring_case(self) -> None:
        """Read the columns by name from objects whose keys are in lowercase."""
        self.by_path([[column.name.lower()] for column in self.columns])
        self.typed_record = ""
        self.record = (
            "(select coalesce(local_json_object_agg(lower(key), value), '{{}}') as j from json_each({raw}::json)) as o,"
            f" lateral {self.record.format(raw='o.j')}"
        )

    def is_by_double(self, column: Column) -> bool:
        """Return whether COPY reads an unquoted JSON number for this column as a double, and so truncates it."""
        return (
            self.copy.format == "json"
            and column.type == "numeric"
            and column.modifier > 0
            and not self.copy.round_decimals
        )

    def _field_type(self, column: Column) -> str:
        """Return the type of a column's field in `typed_record`."""
        if self.is_by_double(column):
            return "json"
        if column.is_string or column.type == "numeric":
            return "text"
        if column.type in ("timestamp", "timestamptz", "date"):
            kind = self._time(column)
            return "bigint" if kind == "epoch" else "text" if kind else column.type
        return column.type

    def _time(self, column: Column) -> str:
        """Return how to read a date or time: epoch, a pattern, "default", "any" (ACCEPTANYDATE), or an empty string."""
        if column.type != "date" and self.copy.timeformat.startswith("epoch"):
            return "epoch"
        pattern = self.copy.dateformat if column.type == "date" else self.copy.timeformat
        if pattern not in ("", "auto"):
            return pattern
        return "any" if self.copy.accept_any_date else "" if pattern else "default"

    def value(self, column: Column, typed: bool = False) -> str:
        """Return SQL that converts this column's `s.v`, a text or a typed field, to the column's type, as COPY does."""
        text = f"s.{quote_name(column.name)}"
        if not typed or self._field_type(column) in ("text", "json"):
            return self.converted(column, text)
        return self._epoch(column, text) if self._field_type(column) != column.type else text

    def _epoch(self, column: Column, number: str) -> str:
        unit = "second" if self.copy.timeformat == "epochsecs" else "millisecond"
        zone = " at time zone 'UTC'" if column.type == "timestamptz" else ""
        return f"((timestamp '1970-01-01' + {number} * interval '1 {unit}'){zone})"

    def converted(self, column: Column, text: str) -> str:
        """Return SQL that converts a text to the column's type."""
        if column.is_string:
            for size, characters in _NO_CHARACTERS.items() if self.copy.invalid_characters else ():
                other = self.copy.invalid_characters.replace("\\", "\\\\") * size
                text = f"local_regexp_replace({text}, '[{characters}]', {literal(other)}, 'g')"
            if self.copy.empty_as_null:
                text = f"nullif({text}, '')"
            if self.copy.blanks_as_null:
                text = f"(case when btrim({text}, E' \\t') <> '' then {text} end)"
            if self.copy.trim_blanks:
                text = f"rtrim({text}, E' \\t')"
            # Assignment to VARCHAR(n) refuses a longer string, and an explicit cast truncates it. A CASE here would
            # prevent the planner from inlining that cast, and the load would be ten times slower.
            return f"{text}::{column.spelled}" if self.copy.truncate else text
        text = f"nullif({text}, '')"
        if column.type == "numeric":
            # COPY truncates decimals beyond the scale, or rounds them with ROUNDEC.
            cuts = column.modifier > 0 and not self.copy.round_decimals
            return f"trunc({text}::numeric, {column.scale})" if cuts else f"{text}::numeric"
        if column.type in ("timestamp", "timestamptz", "date") and (kind := self._time(column)):
            if kind == "epoch":
                return self._epoch(column, f"{text}::bigint")
            if kind == "any":
                return (
                    f"(case when pg_input_is_valid({text}, '{column.type}') then {text}::{column.type} end)"
                )
            if kind == "default":
                return f"local_of_form({text}, {literal(_DEFAULT_FORMATS[column.type])})::{column.type}"
            return f"local_parse_time({text}, {literal(kind)})::{column.type}"
        if column.type in _INTEGERS:
            # PostgreSQL would also accept 0x1F and 1_000.
            return f"local_of_form({text}, {literal(_DIGITS)})::{column.type}"
        return f"{text}::{column.type}"

    def is_valid(self, column: Column, text: str) -> str:
        """Return SQL that is false for a text that `converted` cannot read. Only for types that are not strings."""
        kind = self._time(column) if column.type in ("timestamp", "timestamptz", "date") else ""
        if kind == "any":
            return "true"
        if kind not in ("", "epoch", "default"):
            return f"local_matches_time({text}, {literal(kind)})"
        spelled = column.spelled if column.type != "numeric" else "numeric"
        form = (
            _DIGITS
            if column.type in _INTEGERS
            else _DEFAULT_FORMATS[column.type]
            if kind == "default"
            else ""
        )
        valid = f"pg_input_is_valid({text}, '{'bigint' if kind == 'epoch' else spelled}')"
        return f"({text} ~ {literal(f'^ *({form}) *$')} and {valid})" if form else valid

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
