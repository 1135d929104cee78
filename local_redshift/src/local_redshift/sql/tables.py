"""Translate CREATE TABLE and ALTER TABLE, and store in the catalog the clauses that PostgreSQL does not support."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from ..errors import Refused
from .documented.tables import TYPES
from .expressions import check_size, render, text_type
from .refusals import check_name, not_covered, redshift_lacks
from .statement import Result, Statement
from .tokens import Tokens, closing, identifier, literal, next_visible, parts, text_of, visible


def in_turn(words: Sequence[str], name: str) -> str:
    """Return SQL that serializes sessions that create the same object IF NOT EXISTS."""
    if "exists" not in words:
        return ""
    return f"select pg_advisory_xact_lock(hashtext({literal(name.lower())}))"


def create_table(tokens: Tokens, words: Sequence[str]) -> Statement:
    """Remove DISTSTYLE, DISTKEY, SORTKEY, ENCODE, BACKUP and foreign keys, but keep their values for the catalog."""
    at = next(j for j, token in enumerate(tokens) if token.low == "table")
    head = text_of(tokens[: at + 1])
    start = next_visible(tokens, at)
    while tokens[start].low in ("if", "not", "exists"):
        start = next_visible(tokens, start)
    name, i = table_name(tokens, start)
    if tokens[start].kind == "temp" and not any(token.low.startswith("temp") for token in tokens[:at]):
        head = re.sub(r"(?i)table$", "temp table", head)
    out = [head, text_of(tokens[at + 1 : start]) + name]

    layout = Layout(name)
    opening = next_visible(tokens, i - 1)
    if opening < len(tokens) and tokens[opening].text == "(":
        end = closing(tokens, opening)
        elements = [edit_element(part, layout) for part in parts(tokens[opening + 1 : end])]
        out.append(text_of(tokens[i:opening]) + "(" + ",".join(e for e in elements if e is not None) + ")")
        i = end + 1
    query = table_attributes(tokens[i:], layout)
    layout.check()
    if query and "exists" in words[: words.index("as")]:
        raise redshift_lacks(
            "CREATE TABLE IF NOT EXISTS ... AS (use DROP TABLE IF EXISTS, then CREATE TABLE ... AS)"
        )
    before, after = in_turn(words, name), lay_out(name, layout) if layout.worth_keeping else ""
    if before and after:
        # A table that already exists keeps its layout.
        table = f"coalesce(pg_catalog.to_regclass({literal(name)})::oid::text, '')"
        before += f", pg_catalog.set_config('local.table', {table}, true)"
        after += f" where {table} <> pg_catalog.current_setting('local.table')"

    def finish(columns: Sequence[Result]) -> Statement:
        text = "".join([*out, _typed(query, columns)])
        kept = after
        if any(column.type and column.type.name == "varchar" for column in columns):
            kept = "; ".join(filter(None, (after, types_of("local_set_types", name, columns))))
        return Statement("script" if before or kept else "plain", text, kept, before)

    if query and not PARAMETER.search(query):
        return Statement("query", query.strip()[2:], finish=finish)
    return finish([])


PARAMETER = re.compile(r"\$\d")  # a parameter of a prepared statement, whose type is known only when it runs


def types_of(function: str, name: str, columns: Sequence[Result]) -> str:
    """Return a call of a function whose arguments are a relation and the types of its columns."""
    types = ", ".join(str(column.type.number if column.type else 0) for column in columns)
    modifiers = ", ".join(str(column.type.modifier if column.type else 0) for column in columns)
    arrays = f"array[{types}]::oid[], array[{modifiers}]::integer[]"
    return f"select pg_catalog.{function}({literal(name)}::regclass, {arrays})"


def _typed(query: str, columns: Sequence[Result]) -> str:
    """Return `as query` with its numbers in Redshift's types. Strings already have the right length."""
    items, numbers = [], 0
    for column in columns:
        name = '"' + column.name.replace('"', '""') + '"'
        number = column.type if column.type and column.type.name != "varchar" else None
        items.append(f"{name}::{number.spelled} as {name}" if number else name)
        numbers += number is not None
    if not numbers:
        return query
    # The newline is needed because the query may end in a comment.
    return f" as select {', '.join(items)} from ({query.strip()[2:]}\n) as local_query"


def table_name(tokens: Tokens, start: int) -> tuple[str, int]:
    """Return the name of one to three parts that begins at `start`, and the index after it."""
    i = start
    while i < len(tokens) and (tokens[i].kind in ("name", "word", "temp") or tokens[i].text == "."):
        following = next_visible(tokens, i)
        if tokens[i].text != "." and (following >= len(tokens) or tokens[following].text != "."):
            check_name(tokens[i])
            i += 1
            break
        i = following
    return render(tokens[start:i]).strip(), i


def lay_out(name: str, layout: Layout) -> str:
    """Return the SQL that stores the properties of a table that PostgreSQL does not support."""
    keep = [
        f"{literal(name)}::regclass",
        literal(layout.diststyle),
        literal(layout.distkey),
        "array[" + ", ".join(literal(key) for key in layout.sortkeys) + "]::text[]",
        f"{literal(layout.model)}::regclass" if layout.model else "null",
    ]
    calls = [f"pg_catalog.local_lay_out({', '.join(keep)})"]
    if layout.encodings:
        calls.append(encode(name, layout))
    if layout.interleaved:
        calls.append(f"pg_catalog.local_interleave({keep[0]})")
    for column in layout.nullable_identities:
        calls.append(f"pg_catalog.local_relax_identity({keep[0]}, {literal(column)})")
    for target, definition in layout.foreign_keys:
        reference = f"{keep[0]}, {literal(target)}::regclass, {literal(definition)}"
        calls.append(f"pg_catalog.local_add_foreign_key({reference})")
    return "select " + ",\n".join(calls)


def encode(name: str, layout: Layout) -> str:
    """Return a call of the function that keeps the encodings of columns."""
    encodings = literal(json.dumps(layout.encodings))
    return f"pg_catalog.local_encode({literal(name)}::regclass, {encodings})"


# Types by encoding, with the type names below: https://docs.aws.amazon.com/redshift/latest/dg/c_Compression_encodings.html
# A type that is not in the table on that page may have any encoding.
_NUMBERS, _DATES = "smallint integer bigint decimal", "date timestamp"
_ENCODINGS = {
    "raw": f"{_NUMBERS} {_DATES} timestamptz real float boolean char varchar",
    "az64": f"{_NUMBERS} {_DATES} timestamptz",
    "bytedict": f"{_NUMBERS} {_DATES} timestamptz real float char varchar",
    "delta": f"{_NUMBERS} {_DATES}",
    "delta32k": f"integer bigint decimal {_DATES}",
    "lzo": f"{_NUMBERS} {_DATES} timestamptz char varchar",
    "mostly8": _NUMBERS,
    "mostly16": "integer bigint decimal",
    "mostly32": "bigint decimal",
    "runlength": f"{_NUMBERS} {_DATES} timestamptz real float boolean char varchar",
    "text255": "varchar",
    "text32k": "varchar",
    "zstd": f"{_NUMBERS} {_DATES} timestamptz real float boolean char varchar",
}
_SPELLINGS = {
    "int2": "smallint", "int4": "integer", "int": "integer", "int8": "bigint", "numeric": "decimal", "float4": "real",
    "float8": "float", "double precision": "float", "bool": "boolean", "character": "char", "nchar": "char",
    "bpchar": "char", "text": "varchar", "nvarchar": "varchar", "character varying": "varchar",
}  # fmt: skip


class Layout:
    """The parts of a CREATE TABLE that PostgreSQL does not support."""

    def __init__(self, table: str = "") -> None:
        self._table = table.rsplit(".", 1)[-1].strip('"')
        self.diststyle: str | None = None
        self.distkey: str | None = None
        self.sortkeys: list[str] = []
        self.model: str | None = None
        self.has_key = False
        self.interleaved = False
        self.nullable_identities: list[str] = []
        self.encodings: dict[str, str] = {}
        self.foreign_keys: list[tuple[str, str]] = []  # the referenced table and the constraint
        self.types: dict[str, str] = {}
        self.has_attributes = False  # whether attributes follow the list of columns

    def check(self) -> None:
        """Raise Refused for a layout that Amazon Redshift does not allow (catalog/tables.sql checks the keys' columns).

        https://docs.aws.amazon.com/redshift/latest/dg/r_CREATE_TABLE_NEW.html
        """
        for column, encoding in self.encodings.items():
            type_ = self.types.get(column, "")
            documented = type_ in _ENCODINGS["raw"].split()
            if encoding not in _ENCODINGS or documented and type_ not in _ENCODINGS[encoding].split():
                raise Refused(f'invalid encoding type specified for column "{column}": {encoding}')
        if self.diststyle == "KEY" and self.distkey is None:
            raise Refused("DISTSTYLE KEY must name a DISTKEY column")
        if self.diststyle in ("AUTO", "EVEN", "ALL") and self.distkey is not None:
            raise Refused(f"DISTSTYLE {self.diststyle} cannot have a DISTKEY")
        if self.model is not None and self.has_attributes:
            raise Refused(
                "CREATE TABLE ... LIKE inherits distribution style, sort keys and BACKUP, and cannot set them"
            )

    def distribute_by(self, column: str) -> None:
        """Set the distribution key. Raise Refused for a second one."""
        if self.distkey is not None:
            raise Refused("only one column in a table can be the distribution key")
        self.distkey = column

    def column(self, name: str) -> str:
        """Return a column's name in the form in which errors show it."""
        return f"{self._table}.{name}" if self._table else name

    @property
    def worth_keeping(self) -> bool:
        says = (self.diststyle, self.distkey, self.sortkeys, self.model, self.has_key, self.encodings)
        return any(says) or bool(self.foreign_keys or self.nullable_identities)


def edit_element(tokens: Tokens, layout: Layout) -> str | None:
    """Edit a column or table constraint in the parentheses of CREATE TABLE. Return None if nothing is left of it."""
    seen = visible(tokens)
    if not seen:
        raise Refused("syntax error: an empty column definition")
    first = seen[2].low if seen[0].low == "constraint" and len(seen) > 2 else seen[0].low
    if first == "foreign":
        at = next((j for j, token in enumerate(tokens) if token.low == "references"), None)
        if at is None:
            raise Refused("syntax error: FOREIGN KEY needs REFERENCES")
        target, _ = table_name(tokens, next_visible(tokens, at))
        layout.foreign_keys.append((target, render(tokens).strip()))
        return None
    if first in ("primary", "unique") and seen[0].kind == "word":
        layout.has_key = True
        return render(tokens)
    if first in ("check", "exclude"):
        raise redshift_lacks(f"{first.upper()} constraint")
    if seen[0].low == "like" and seen[0].kind == "word":
        if any(token.low == "including" for token in seen) and seen[-1].low != "defaults":
            raise redshift_lacks("LIKE ... INCLUDING " + seen[-1].low.upper())
        names = [t for t in seen[1:] if t.low not in ("including", "excluding", "defaults")]
        layout.model = render(names)
        return render(tokens)
    return _column(tokens, layout, identifier(seen[0]))


_BEHIND_DEFAULT = {
    "encode", "distkey", "sortkey", "not", "null", "unique", "primary", "references", "collate", "check", "constraint",
}  # fmt: skip


def defaults(tokens: Tokens, words: Sequence[str]) -> list[Tokens]:
    """Return the DEFAULT expressions of CREATE TABLE or ALTER TABLE."""
    found: list[Tokens] = []
    for i, token in enumerate(tokens if "table" in words[:5] else []):
        start = next_visible(tokens, i)
        if token.kind != "word" or token.low != "default" or tokens[start].low in ("as", "identity"):
            continue
        end = start
        while end < len(tokens) and tokens[end].text not in (",", ")"):
            if end > start and tokens[end].kind == "word" and tokens[end].low in _BEHIND_DEFAULT:
                break
            end = closing(tokens, end) + 1 if tokens[end].text == "(" else end + 1
        found.append(tokens[start:end])
    return found


def _column(tokens: Tokens, layout: Layout, column: str) -> str:
    out: list[str] = []
    i = 0
    while tokens[i].kind == "space":
        i += 1
    check_name(tokens[i])
    out.append(text_of(tokens[: i + 1]))
    i, text = column_type(tokens, i + 1, layout.column(column))
    out.append(text)
    type_ = text.strip().lower().partition("(")[0].strip()
    layout.types[column] = type_ = _SPELLINGS.get(type_, type_)
    while i < len(tokens):
        token = tokens[i]
        following = next_visible(tokens, i)
        if token.kind != "word":
            # Part of a default: an operator, a string or parentheses.
            end = closing(tokens, i) + 1 if token.text == "(" else i + 1
            out.append(render(tokens[i:end]))
            i = end
        elif token.low == "encode":
            layout.encodings[column] = tokens[following].low
            i = following + 1
        elif token.low == "distkey":
            layout.distribute_by(column)
            i += 1
        elif token.low == "sortkey":
            layout.sortkeys.append(column)
            i += 1
        elif token.low == "default" and tokens[following].low == "identity":
            out.append("generated by default as ")
            i = following
        elif token.low == "references":
            end = _skip_reference(tokens, following)
            target, _ = table_name(tokens, following)
            key = "foreign key (" + '"' + column.replace('"', '""') + '") '
            layout.foreign_keys.append((target, key + render(tokens[i:end])))
            i = end
        elif token.low == "identity":
            if type_ not in ("integer", "bigint"):
                raise Refused(f'the data type of the IDENTITY column "{column}" must be either INT or BIGINT')
            seed, step, end = "1", "1", i
            if following < len(tokens) and tokens[following].text == "(":
                end = closing(tokens, following)
                seed, step = (text_of(part).strip() for part in parts(tokens[following + 1 : end]))
            start = f"(minvalue {min(0, int(seed))} start with {seed} increment by {step})"
            generated = out[-1].rstrip().lower().endswith("as") or any(
                o.lower().endswith("as") for o in out[-2:]
            )
            out.append(f"identity {start}" if generated else f"generated always as identity {start}")
            if all(other.low != "not" for other in tokens):
                layout.nullable_identities.append(column)
            i = end + 1
        elif token.low in ("check", "collate"):
            lacks = token.low == "check"
            raise redshift_lacks("CHECK constraint") if lacks else not_covered("COLLATE")
        else:
            if token.low in ("primary", "unique"):
                layout.has_key = True
            called = following < len(tokens) and tokens[following].text == "("
            end = closing(tokens, following) + 1 if called else i + 1
            out.append(render(tokens[i:end]))
            i = end
    return "".join(out)


def _skip_reference(tokens: Tokens, i: int) -> int:
    """Return the index after `schema.table (columns)`."""
    i += 1
    following = next_visible(tokens, i - 1)
    while following < len(tokens) and tokens[following].text == ".":
        i = next_visible(tokens, following) + 1
        following = next_visible(tokens, i - 1)
    if following < len(tokens) and tokens[following].text == "(":
        i = closing(tokens, following) + 1
    return i


_INTERVAL_FIELDS = {"year", "month", "day", "hour", "minute", "second"}
_NOT_DECLARED = {"geography", "varbyte", "varbinary", "interval", "intervaly2m", "intervald2s"}
_DEFAULT_TYPES = {
    "text": "varchar(256)",
    "varchar": "varchar(256)",
    "nvarchar": "varchar(256)",
    "character varying": "varchar(256)",
    "bpchar": "char(256)",
    "numeric": "numeric(18,0)",
    "decimal": "numeric(18,0)",
}


def column_type(tokens: Tokens, i: int, column: str) -> tuple[int, str]:
    """Parse a column's type at i. Return the index after it, and the type in PostgreSQL's spelling."""
    start = next_visible(tokens, i - 1)
    if start >= len(tokens):
        return i, ""  # CREATE TABLE t (a, b) AS ...
    low, end = tokens[start].low, start + 1
    following = next_visible(tokens, start)
    if TYPES.get(low) not in ("", "declared"):
        raise Refused(f'Column "{column}" has unsupported type "{low}".')
    if low == "interval" and (following >= len(tokens) or tokens[following].low not in _INTERVAL_FIELDS):
        raise Refused(f'Column "{column}" has unsupported type "interval".')
    if low in _NOT_DECLARED:
        raise not_covered(f"type {low.upper()}")
    if (
        low in ("character", "double")
        and following < len(tokens)
        and tokens[following].low in ("varying", "precision")
    ):
        low, end = f"{low} {tokens[following].low}", following + 1
        following = next_visible(tokens, following)
    if following < len(tokens) and tokens[following].text == "[":
        raise Refused(f'Column "{column}" has unsupported type "{low}[]".')
    if following < len(tokens) and tokens[following].text == "(" and low != "text":
        close = closing(tokens, following)
        size = text_of(tokens[following + 1 : close]).strip().lower()
        check_size(low, size)
        if low in ("varchar", "nvarchar", "character varying", "char", "character", "nchar", "bpchar"):
            spelled = text_type("varchar" if low.endswith("varying") else low, size)
            return close + 1, text_of(tokens[i:start]) + spelled
        return close + 1, text_of(tokens[i : close + 1])
    return end, text_of(tokens[i:start]) + _DEFAULT_TYPES.get(low, text_of(tokens[start:end]))


def table_attributes(tokens: Tokens, layout: Layout) -> str:
    """Parse the clauses after the column list. Return `as select ...`, or an empty string."""
    i = next_visible(tokens, -1)
    while i < len(tokens):
        low = tokens[i].low
        following = next_visible(tokens, i)
        if low == "as":
            return " " + render(tokens[i:])
        layout.has_attributes = True
        if low in ("compound", "interleaved"):
            layout.interleaved = low == "interleaved"
            i = following
        elif low in ("diststyle", "encode", "backup") and following < len(tokens):
            if low == "diststyle":
                layout.diststyle = tokens[following].text.upper()
                if layout.diststyle not in ("AUTO", "EVEN", "KEY", "ALL"):
                    raise Refused(f"syntax error: DISTSTYLE {layout.diststyle}")
            elif tokens[following].low not in (("auto",) if low == "encode" else ("yes", "no")):
                raise Refused(f'syntax error at or near "{tokens[following].text}": {low.upper()}')
            i = next_visible(tokens, following)
        elif low == "sortkey" and following < len(tokens) and tokens[following].low == "auto":
            i = next_visible(tokens, following)
        elif low in ("distkey", "sortkey") and following < len(tokens) and tokens[following].text == "(":
            end = closing(tokens, following)
            columns = [
                identifier(token) for token in visible(tokens[following + 1 : end]) if token.text != ","
            ]
            if low == "distkey":
                layout.distribute_by(", ".join(columns))
            else:
                layout.sortkeys.extend(columns)
            i = next_visible(tokens, end)
        else:
            raise Refused(f"Amazon Redshift knows no table attribute {tokens[i].text}")
    return ""
