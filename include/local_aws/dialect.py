"""Redshift's SQL for PostgreSQL: small edits of tokens that leave the rest of a statement byte for byte.

A statement that only one of the two databases understands is refused, never guessed at.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Refused(Exception):
    """The statement is not for this database; str() says what and why."""


class Token(NamedTuple):
    kind: str  # space, string, name (quoted), temp (#name), word, number, other
    text: str
    low: str


Tokens = Sequence[Token]


@dataclass(frozen=True)
class Statement:
    """One statement: `kind` is plain (PostgreSQL's answer goes through), script, copy, truncate or refused.

    `text` is what to run, or the reason of a refusal. A script has more to run in the same transaction, unseen by
    the client.
    """

    kind: str
    text: str
    after: str = ""
    before: str = ""


_TOKEN = re.compile(
    r"""(?P<space>(?:\s+|--[^\n]*|/\*.*?\*/)+)
      | (?P<string>'(?:[^'\\]|\\.|'')*'|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)
      | (?P<name>"(?:[^"]|"")*")
      | (?P<temp>(?<![\w)])\#[A-Za-z_]\w*)
      | (?P<word>[A-Za-z_\x80-\uffff][\w$\x80-\uffff]*)
      | (?P<number>\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+)
      | (?P<other>::|->>?|\#>>?|.)""",
    re.VERBOSE | re.DOTALL,
)

# A message with none of these passes without being looked at.
_INTERESTING = re.compile(
    r"""\b(?:create|alter|copy|unload|truncate|vacuum|analyze|merge|lock|grant|user|set|show|reset|listen|notify
        |sysdate|dateadd|datediff|date_diff|date_part|date_trunc|nvl|isnull|decode|listagg|approximate|median
        |numeric|decimal|conflict|returning|distinct\s+on|lateral|filter|materialized|for\s+(?:update|share)
        |tablesample|now|clock_timestamp|generate_series|string_agg|array_agg|json_agg|jsonb?\w*|uuid|unnest
        |regexp_matches|regexp_split_to_\w+|make_\w+|to_json|row_to_json|concat_ws|format|array|gen_random_uuid
        |date_bin|serial|bytea|qualify|pivot|unpivot|prepare|do|call|comment|import|cluster|reindex|refresh)\b
      | [#]|->|\$\w*\$|;.*\S""",
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)

README = "see include/local_aws/README.md"


def _redshift_lacks(what: str) -> Refused:
    return Refused(
        f"Amazon Redshift has no {what}; PostgreSQL has, but the stand-in refuses what would fail there"
    )


def _not_covered(what: str) -> Refused:
    return Refused(f"the local stand-in for Amazon Redshift does not cover {what}: {README}")


def tokenize(sql: str) -> list[Token]:
    return [
        Token(m.lastgroup if m.lastgroup != "tag" else "string", m.group(), m.group().lower())  # type: ignore[arg-type]
        for m in _TOKEN.finditer(sql)
    ]


def translate(sql: str) -> list[Statement]:
    """Split a message into statements and say how to run each; an empty list for a message without any."""
    if not _INTERESTING.search(sql):
        return [Statement("plain", sql)]
    statements = []
    for tokens in _split(tokenize(sql)):
        try:
            statements.append(_translate(tokens))
        except Refused as refused:
            statements.append(Statement("refused", str(refused)))
    return statements


def _split(tokens: Tokens) -> list[list[Token]]:
    pieces: list[list[Token]] = [[]]
    for token in tokens:
        if token.text == ";":
            pieces.append([])
        else:
            pieces[-1].append(token)
    return [piece for piece in pieces if any(token.kind != "space" for token in piece)]


def visible(tokens: Tokens) -> list[Token]:
    """The tokens without white space and comments."""
    return [token for token in tokens if token.kind != "space"]


def _text(tokens: Tokens) -> str:
    return "".join(token.text for token in tokens)


def _translate(tokens: Tokens) -> Statement:
    seen = visible(tokens)
    words = [token.low if token.kind in ("word", "other") else token.text for token in seen]
    # What psql, JDBC and SQLAlchemy ask the catalogue is PostgreSQL's own dialect.
    if any(word in ("pg_catalog", "information_schema") for word in words):
        return Statement("plain", _text(tokens))
    _refuse_postgres_only(seen, words)
    handler = _HANDLERS.get(words[0])
    if handler is not None:
        statement = handler(tokens, words)
        if statement is not None:
            return statement
    return Statement("plain", render(tokens))


# Refusals -------------------------------------------------------------------------------------------

_POSTGRES_ONLY_STARTS = {
    "listen", "notify", "unlisten", "do", "cluster", "reindex", "refresh", "import", "security", "checkpoint",
    "load", "reassign",
}  # fmt: skip
_POSTGRES_ONLY_PAIRS = {
    ("on", "conflict"): "ON CONFLICT (use MERGE, or DELETE and INSERT)",
    ("distinct", "on"): "DISTINCT ON (use ROW_NUMBER)",
    ("for", "update"): "SELECT ... FOR UPDATE (use LOCK)",
    ("for", "share"): "SELECT ... FOR SHARE (use LOCK)",
    ("as", "materialized"): "AS MATERIALIZED",
    ("not", "materialized"): "AS NOT MATERIALIZED",
    ("filter", "("): "FILTER (WHERE ...) on an aggregate (use CASE)",
    ("array", "["): "ARRAY[...]",
}
_POSTGRES_ONLY_WORDS = {"returning": "RETURNING", "lateral": "LATERAL", "tablesample": "TABLESAMPLE"}
_POSTGRES_ONLY_CALLS = {
    "string_agg", "array_agg", "json_agg", "jsonb_agg", "json_build_object", "jsonb_build_object", "to_json",
    "to_jsonb", "row_to_json", "json_to_record", "jsonb_to_record", "json_each", "json_each_text", "unnest",
    "regexp_matches", "regexp_split_to_table", "regexp_split_to_array", "make_date", "make_time", "make_interval",
    "make_timestamp", "make_timestamptz", "concat_ws", "format", "gen_random_uuid", "date_bin",
    "clock_timestamp", "json_extract_path", "num_nulls",
}  # fmt: skip
_LEADER_ONLY = {"generate_series", "now"}
_POSTGRES_ONLY_TYPES = {
    "json", "jsonb", "uuid", "serial", "bigserial", "smallserial", "bytea", "money", "inet", "cidr", "macaddr", "xml",
    "tsvector", "point", "bit",
}  # fmt: skip
_REDSHIFT_ONLY_TYPES = {"super", "geometry", "geography", "hllsketch", "varbyte", "varbinary", "intervaly2m"}


def _refuse_postgres_only(seen: Tokens, words: Sequence[str]) -> None:
    if words[0] in _POSTGRES_ONLY_STARTS:
        raise _redshift_lacks(words[0].upper())
    reads_a_table = words[0] != "select" or "from" in words
    for i, token in enumerate(seen):
        following = words[i + 1] if i + 1 < len(words) else ""
        if token.kind == "word":
            low = token.low
            if low in _POSTGRES_ONLY_WORDS:
                raise _redshift_lacks(_POSTGRES_ONLY_WORDS[low])
            if (low, following) in _POSTGRES_ONLY_PAIRS:
                raise _redshift_lacks(_POSTGRES_ONLY_PAIRS[(low, following)])
            if following == "(" and low in _POSTGRES_ONLY_CALLS:
                raise _redshift_lacks(f"function {low}()")
            if following == "(" and low in _LEADER_ONLY and reads_a_table:
                raise _redshift_lacks(
                    f"{low}() beside a table: it runs on the leader node alone (use GETDATE())"
                )
            before = words[i - 1] if i else ""
            if low in _POSTGRES_ONLY_TYPES and (before == "::" or (before == "as" and following == ")")):
                raise _redshift_lacks(f"type {low}")
        elif token.text in ("->", "->>", "#>", "#>>"):
            raise _redshift_lacks(f"operator {token.text} (use JSON_EXTRACT_PATH_TEXT)")
        elif token.kind == "string" and token.text.startswith("$") and words[0] != "create":
            raise _redshift_lacks("dollar-quoted string outside a routine")
    for word in ("qualify", "pivot", "unpivot"):
        if word in words:
            raise _not_covered(word.upper())


# Edits inside expressions ---------------------------------------------------------------------------


def _next(tokens: Tokens, i: int) -> int:
    """Index of the next visible token after i, or the length."""
    i += 1
    while i < len(tokens) and tokens[i].kind == "space":
        i += 1
    return i


def _closing(tokens: Tokens, i: int) -> int:
    """Index of the bracket that closes the one at i."""
    depth = 0
    for j in range(i, len(tokens)):
        if tokens[j].text == "(":
            depth += 1
        elif tokens[j].text == ")":
            depth -= 1
            if depth == 0:
                return j
    raise Refused("syntax error: a bracket is not closed")


def _parts(tokens: Tokens) -> list[Tokens]:
    """Split at the commas that lie outside brackets."""
    parts: list[list[Token]] = [[]]
    depth = 0
    for token in tokens:
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if token.text == "," and depth == 0:
            parts.append([])
        else:
            parts[-1].append(token)
    return list(parts)


def render(tokens: Tokens) -> str:
    """The tokens as PostgreSQL should read them."""
    out: list[str] = []
    i, before = 0, ""
    while i < len(tokens):
        token = tokens[i]
        following = _next(tokens, i)
        called = following < len(tokens) and tokens[following].text == "("
        if token.kind == "temp":
            out.append(f'"{token.text.lower()}"')
        elif token.kind != "word" or before == ".":
            out.append(token.text)
        elif called and token.low in _CALLS:
            end = _closing(tokens, following)
            text, i = _CALLS[token.low](tokens, i, following, end)
            out.append(text)
            before = ")"
            continue
        elif token.low == "sysdate" and not called:
            out.append("pg_catalog.sysdate()")
        elif token.low == "approximate":
            pass
        elif token.low in ("numeric", "decimal") and not called and _is_cast(tokens, before, following):
            out.append("numeric(18,0)")
        else:
            out.append(token.text)
        if token.kind != "space":
            before = token.low
        i += 1
    return "".join(out)


def _is_cast(tokens: Tokens, before: str, following: int) -> bool:
    return before == "::" or (before == "as" and following < len(tokens) and tokens[following].text == ")")


Call = Callable[[Tokens, int, int, int], tuple[str, int]]


def _renamed(name: str) -> Call:
    def edit(tokens: Tokens, i: int, opening: int, end: int) -> tuple[str, int]:
        return f"{name}({render(tokens[opening + 1 : end])})", end + 1

    return edit


def _quote_date_part(tokens: Tokens, i: int, opening: int, end: int) -> tuple[str, int]:
    """dateadd(day, ...) has a bare word in first place; a function needs a string."""
    first, *rest = _parts(tokens[opening + 1 : end])
    word = visible(first)
    part = f"'{word[0].low}'" if len(word) == 1 and word[0].kind == "word" else render(first)
    return ",".join([f"{tokens[i].text}({part}", *(render(argument) for argument in rest)]) + ")", end + 1


def _decode(tokens: Tokens, i: int, opening: int, end: int) -> tuple[str, int]:
    """decode(value, a, b, ..., default), where NULL equals NULL."""
    value, *rest = (render(argument).strip() for argument in _parts(tokens[opening + 1 : end]))
    default = f" else {rest.pop()}" if len(rest) % 2 else ""
    if not rest:
        raise _redshift_lacks("decode() of two arguments")
    cases = "".join(
        f" when ({value}) is not distinct from ({a}) then {b}"
        for a, b in zip(rest[::2], rest[1::2], strict=True)
    )
    return f"(case{cases}{default} end)", end + 1


def _listagg(tokens: Tokens, i: int, opening: int, end: int) -> tuple[str, int]:
    """listagg(x, ',') within group (order by y) is string_agg(x, ',' order by y)."""
    arguments = [render(argument).strip() for argument in _parts(tokens[opening + 1 : end])]
    distinct = re.match(r"distinct\s+", arguments[0], re.IGNORECASE)
    value = arguments[0][distinct.end() :] if distinct else arguments[0]
    separator = arguments[1] if len(arguments) > 1 else "''"
    order, after = "", _next(tokens, end)
    if after < len(tokens) and tokens[after].low == "within":
        bracket = _next(tokens, _next(tokens, after))
        close = _closing(tokens, bracket)
        order, end = " " + render(tokens[bracket + 1 : close]), close
    after = _next(tokens, end)
    if after < len(tokens) and tokens[after].low == "over":
        raise _not_covered("LISTAGG as a window function")
    return f"string_agg({'distinct ' if distinct else ''}({value})::text, {separator}{order})", end + 1


def _median(tokens: Tokens, i: int, opening: int, end: int) -> tuple[str, int]:
    value = render(tokens[opening + 1 : end])
    return f"percentile_cont(0.5) within group (order by {value})", end + 1


_CALLS: dict[str, Call] = {
    "nvl": _renamed("coalesce"),
    "isnull": _renamed("coalesce"),
    "dateadd": _quote_date_part,
    "datediff": _quote_date_part,
    "date_part": _quote_date_part,
    "decode": _decode,
    "listagg": _listagg,
    "median": _median,
}


# Statements -----------------------------------------------------------------------------------------


def _string(value: str | None) -> str:
    return "null" if value is None else "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def _create(tokens: Tokens, words: Sequence[str]) -> Statement | None:
    what = next(
        (w for w in words[1:] if w not in ("or", "replace", "temp", "temporary", "local", "unique")), ""
    )
    if what == "table":
        return _create_table(tokens, words)
    if what in ("user", "group"):
        return _user(tokens, words)
    if what == "view":
        if words[-4:] == ["with", "no", "schema", "binding"]:
            raise _not_covered("late binding views (WITH NO SCHEMA BINDING)")
        return None
    if what == "schema":
        if "quota" in words:
            raise _not_covered("CREATE SCHEMA ... QUOTA")
        before = _in_turn(words, words[5] if len(words) > 5 else "")
        return Statement("script", render(tokens), before=before) if before else None
    if what == "database":
        return None
    if what in ("function", "procedure", "library", "model", "external", "datashare", "materialized", "role"):
        raise _not_covered(f"CREATE {what.upper()}")
    raise _redshift_lacks(f"CREATE {what.upper()}")


def _in_turn(words: Sequence[str], name: str) -> str:
    """Sessions that create the same thing IF NOT EXISTS wait for each other; PostgreSQL's would trip over it."""
    if "exists" not in words:
        return ""
    return f"select pg_advisory_xact_lock(hashtext({_string(name.lower())}))"


def _create_table(tokens: Tokens, words: Sequence[str]) -> Statement:
    """Take DISTSTYLE, DISTKEY, SORTKEY, ENCODE, BACKUP and foreign keys out; keep what they said for the catalogue."""
    i = next(j for j, token in enumerate(tokens) if token.low == "table")
    head = list(tokens[: i + 1])
    i = _next(tokens, i)
    while tokens[i].low in ("if", "not", "exists"):
        i = _next(tokens, i)
    name_start = i
    while i < len(tokens) and (tokens[i].kind in ("name", "word", "temp") or tokens[i].text == "."):
        following = _next(tokens, i)
        if tokens[i].text != "." and (following >= len(tokens) or tokens[following].text != "."):
            i += 1
            break
        i = following
    name = render(tokens[name_start:i]).strip()
    temporary = tokens[name_start].kind == "temp" and not any(t.low.startswith("temp") for t in head)
    out = [_text(head)]
    if temporary:
        out = [re.sub(r"(?i)table$", "temp table", out[0])]
    between = next(j for j, token in enumerate(tokens) if token.low == "table") + 1
    out.append(_text(tokens[between:name_start]) + name)

    layout = _Layout()
    opening = _next(tokens, i - 1)
    if opening < len(tokens) and tokens[opening].text == "(":
        end = _closing(tokens, opening)
        elements = [_element(part, layout) for part in _parts(tokens[opening + 1 : end])]
        out.append(_text(tokens[i:opening]) + "(" + ",".join(e for e in elements if e is not None) + ")")
        i = end + 1
    out.append(_table_attributes(tokens[i:], layout))
    text = "".join(out)
    before, after = _in_turn(words, name), ""
    if layout.worth_keeping:
        sortkeys = "array[" + ", ".join(_string(key) for key in layout.sortkeys) + "]::text[]"
        model = f"{_string(layout.model)}::regclass" if layout.model else "null"
        keep = [
            f"{_string(name)}::regclass",
            _string(layout.diststyle),
            _string(layout.distkey),
            sortkeys,
            model,
        ]
        after = f"select pg_catalog.local_lay_out({', '.join(keep)})"
    return Statement("script" if before or after else "plain", text, after, before)


class _Layout:
    """What a CREATE TABLE says that PostgreSQL does not know."""

    def __init__(self) -> None:
        self.diststyle: str | None = None
        self.distkey: str | None = None
        self.sortkeys: list[str] = []
        self.model: str | None = None
        self.has_key = False

    @property
    def worth_keeping(self) -> bool:
        return bool(self.diststyle or self.distkey or self.sortkeys or self.model or self.has_key)


def _identifier(token: Token) -> str:
    return token.text[1:-1].replace('""', '"') if token.kind == "name" else token.low


def _element(tokens: Tokens, layout: _Layout) -> str | None:
    """A column or table constraint inside the brackets of CREATE TABLE; None if nothing is left of it."""
    seen = visible(tokens)
    if not seen:
        raise Refused("syntax error: an empty column definition")
    first = seen[2].low if seen[0].low == "constraint" and len(seen) > 2 else seen[0].low
    if first == "foreign":
        return None
    if first in ("primary", "unique") and seen[0].kind == "word":
        layout.has_key = True
        return render(tokens)
    if first in ("check", "exclude"):
        raise _redshift_lacks(f"{first.upper()} constraint")
    if seen[0].low == "like" and seen[0].kind == "word":
        if any(token.low == "including" for token in seen) and seen[-1].low != "defaults":
            raise _redshift_lacks("LIKE ... INCLUDING " + seen[-1].low.upper())
        names = [t for t in seen[1:] if t.low not in ("including", "excluding", "defaults")]
        layout.model = render(names)
        return render(tokens)
    return _column(tokens, layout, _identifier(seen[0]))


def _column(tokens: Tokens, layout: _Layout, column: str) -> str:
    out: list[str] = []
    i = 0
    while tokens[i].kind == "space":
        i += 1
    out.append(_text(tokens[: i + 1]))
    i, text = _type(tokens, i + 1)
    out.append(text)
    while i < len(tokens):
        token = tokens[i]
        following = _next(tokens, i)
        if token.kind != "word":
            # Parts of a default: operators, strings, brackets.
            end = _closing(tokens, i) + 1 if token.text == "(" else i + 1
            out.append(render(tokens[i:end]))
            i = end
        elif token.low == "encode":
            i = following + 1
        elif token.low == "distkey":
            layout.distkey = column
            i += 1
        elif token.low == "sortkey":
            layout.sortkeys.append(column)
            i += 1
        elif token.low == "references":
            i = _skip_reference(tokens, following)
        elif token.low == "identity" and following < len(tokens) and tokens[following].text == "(":
            end = _closing(tokens, following)
            seed, step = (_text(part).strip() for part in _parts(tokens[following + 1 : end]))
            start = f"(minvalue {min(0, int(seed))} start with {seed} increment by {step})"
            generated = out[-1].rstrip().lower().endswith("as") or any(
                o.lower().endswith("as") for o in out[-2:]
            )
            out.append(f"identity {start}" if generated else f"generated always as identity {start}")
            i = end + 1
        elif token.low in ("check", "collate"):
            lacks = token.low == "check"
            raise _redshift_lacks("CHECK constraint") if lacks else _not_covered("COLLATE")
        else:
            if token.low in ("primary", "unique"):
                layout.has_key = True
            called = following < len(tokens) and tokens[following].text == "("
            end = _closing(tokens, following) + 1 if called else i + 1
            out.append(render(tokens[i:end]))
            i = end
    return "".join(out)


def _skip_reference(tokens: Tokens, i: int) -> int:
    """The index behind `schema.table (columns)`."""
    i += 1
    following = _next(tokens, i - 1)
    while following < len(tokens) and tokens[following].text == ".":
        i = _next(tokens, following) + 1
        following = _next(tokens, i - 1)
    if following < len(tokens) and tokens[following].text == "(":
        i = _closing(tokens, following) + 1
    return i


_DEFAULT_TYPES = {
    "text": "varchar(256)",
    "varchar": "varchar(256)",
    "nvarchar": "varchar(256)",
    "character varying": "varchar(256)",
    "bpchar": "char(256)",
    "numeric": "numeric(18,0)",
    "decimal": "numeric(18,0)",
}


def _type(tokens: Tokens, i: int) -> tuple[int, str]:
    """Read a column's type at i; answers the index behind it and PostgreSQL's spelling with Redshift's lengths."""
    start = _next(tokens, i - 1)
    if start >= len(tokens):
        return i, ""  # CREATE TABLE t (a, b) AS ...
    low, end = tokens[start].low, start + 1
    following = _next(tokens, start)
    if low in _POSTGRES_ONLY_TYPES:
        raise _redshift_lacks(f"type {low}")
    if low in _REDSHIFT_ONLY_TYPES:
        raise _not_covered(f"type {low.upper()}")
    if (
        low in ("character", "double")
        and following < len(tokens)
        and tokens[following].low in ("varying", "precision")
    ):
        low, end = f"{low} {tokens[following].low}", following + 1
        following = _next(tokens, following)
    if following < len(tokens) and tokens[following].text == "[":
        raise _redshift_lacks("array column")
    if following < len(tokens) and tokens[following].text == "(" and low not in ("text", "bpchar"):
        close = _closing(tokens, following)
        size = _text(tokens[following + 1 : close]).strip().lower()
        if low in ("varchar", "nvarchar", "character varying"):
            size = "65535" if size == "max" else size
            if not size.isdigit() or not 1 <= int(size) <= 65535:
                raise Refused(f"length for type varchar cannot exceed 65535, and must be a number: {size}")
            return close + 1, _text(tokens[i:start]) + f"varchar({size})"
        return close + 1, _text(tokens[i : close + 1])
    return end, _text(tokens[i:start]) + _DEFAULT_TYPES.get(low, _text(tokens[start:end]))


def _table_attributes(tokens: Tokens, layout: _Layout) -> str:
    """What follows the column list; answers `as select ...` or nothing."""
    i = _next(tokens, -1)
    while i < len(tokens):
        low = tokens[i].low
        following = _next(tokens, i)
        if low == "as":
            return " " + render(tokens[i:])
        if low in ("compound", "interleaved"):
            i = following
        elif low in ("diststyle", "encode", "backup") and following < len(tokens):
            if low == "diststyle":
                layout.diststyle = tokens[following].text.upper()
                if layout.diststyle not in ("AUTO", "EVEN", "KEY", "ALL"):
                    raise Refused(f"syntax error: DISTSTYLE {layout.diststyle}")
            i = _next(tokens, following)
        elif low == "sortkey" and following < len(tokens) and tokens[following].low == "auto":
            i = _next(tokens, following)
        elif low in ("distkey", "sortkey") and following < len(tokens) and tokens[following].text == "(":
            end = _closing(tokens, following)
            columns = [
                _identifier(token) for token in visible(tokens[following + 1 : end]) if token.text != ","
            ]
            if low == "distkey":
                layout.distkey = columns[0]
            else:
                layout.sortkeys.extend(columns)
            i = _next(tokens, end)
        else:
            raise Refused(f"Amazon Redshift knows no table attribute {tokens[i].text}")
    return ""


def _alter(tokens: Tokens, words: Sequence[str]) -> Statement | None:
    what = words[1] if len(words) > 1 else ""
    if what == "user":
        return _user(tokens, words)
    if what in ("group", "schema", "default", "database"):
        return None
    if what != "table":
        raise _not_covered(f"ALTER {what.upper()}")
    for word in ("append", "sortkey", "distkey", "diststyle", "encode"):
        if word in words and "add" not in words:
            raise _not_covered(f"ALTER TABLE ... {word.upper()}")
    if "foreign" in words:
        raise _not_covered("ALTER TABLE ... ADD FOREIGN KEY")
    if "add" in words:
        at = next(j for j, token in enumerate(tokens) if token.low == "add")
        start = _next(tokens, at)
        table = [t for t in visible(tokens[:at]) if t.low not in ("alter", "table")]
        if tokens[start].low == "column":
            start = _next(tokens, start)
        layout = _Layout()
        element = _element(tokens[start:], layout)
        text = _text(tokens[:start]) + str(element)
        if layout.has_key:
            name = _string(render(table))
            return Statement(
                "script", text, f"select pg_catalog.local_lay_out({name}::regclass, null, null, null, null)"
            )
        return Statement("plain", text)
    if words[-2:-1] == ["type"] or "type" in words:
        at = next(j for j, token in enumerate(tokens) if token.low == "type")
        end, spelled = _type(tokens, at + 1)
        return Statement("plain", _text(tokens[: at + 1]) + spelled + render(tokens[end:]))
    return None


def _user(tokens: Tokens, words: Sequence[str]) -> Statement | None:
    """CREATE/ALTER USER: Redshift's rules for a password, which PostgreSQL does not have."""
    for word, reason in (
        ("createuser", "CREATEUSER (a superuser)"),
        ("nocreateuser", "NOCREATEUSER"),
        ("syslog", "SYSLOG ACCESS"),
        ("session", "SESSION TIMEOUT"),
        ("externalid", "EXTERNALID"),
    ):
        if word in words:
            raise _not_covered(reason)
    for word in ("superuser", "replication", "bypassrls", "login", "createrole", "encrypted"):
        if word in words:
            raise _redshift_lacks(f"user option {word.upper()}")
    seen = visible(tokens)
    for i, token in enumerate(seen[:-1]):
        if token.low == "password":
            if seen[i + 1].low == "disable":
                return Statement(
                    "plain", re.sub(r"(?i)\bpassword\s+disable\b", "password null", _text(tokens))
                )
            _check_password(seen[i + 1].text[1:-1])
    return None


def _check_password(password: str) -> None:
    if re.fullmatch(r"md5[0-9a-f]{32}", password):
        return
    if not 8 <= len(password) <= 64:
        raise Refused("password must be between 8 and 64 characters")
    for pattern, what in (
        ("[a-z]", "a lowercase letter"),
        ("[A-Z]", "an uppercase letter"),
        ("[0-9]", "a number"),
    ):
        if not re.search(pattern, password):
            raise Refused(f"password must contain {what}")


def _copy(tokens: Tokens, words: Sequence[str]) -> Statement:
    if "stdin" in words or "stdout" in words or words[1] == "(" or "to" in words:
        raise _redshift_lacks("COPY from or to the client")
    return Statement("copy", _text(tokens))


def _truncate(tokens: Tokens, words: Sequence[str]) -> Statement:
    if set(words) & {",", "cascade", "restrict", "identity", "only"}:
        raise _redshift_lacks("TRUNCATE of several tables, or with an option")
    return Statement("truncate", render(tokens))


def _vacuum(tokens: Tokens, words: Sequence[str]) -> Statement:
    """VACUUM [FULL | SORT ONLY | DELETE ONLY | REINDEX | RECLUSTER] [table [TO n PERCENT]] [BOOST]."""
    if "(" in words:
        raise _redshift_lacks("VACUUM (options)")
    noise = {"vacuum", "full", "sort", "delete", "only", "reindex", "recluster", "boost"}
    name = [token for token in visible(tokens) if token.low not in noise]
    for i, token in enumerate(name):
        if token.low == "to":
            name = name[:i]
            break
    return Statement("plain", "vacuum " + render(name))


def _analyze(tokens: Tokens, words: Sequence[str]) -> Statement | None:
    if len(words) > 1 and words[1] == "compression":
        raise _not_covered("ANALYZE COMPRESSION")
    if words[-1] == "columns" and words[-2] in ("predicate", "all"):
        kept = list(tokens)
        for _ in range(2):
            while kept[-1].kind == "space":
                kept.pop()
            kept.pop()
        return Statement("plain", render(kept))
    return None


def _merge(tokens: Tokens, words: Sequence[str]) -> Statement | None:
    """PostgreSQL's MERGE can do more than Redshift's; only Redshift's form passes."""
    if words[-2:] == ["remove", "duplicates"]:
        raise _not_covered("MERGE ... REMOVE DUPLICATES")
    using = words.index("using") if "using" in words else 0
    if words[using + 1] == "(":
        raise _redshift_lacks("MERGE ... USING (sub-query): load it into a temporary table first")
    target = words[2:using]
    if len([word for word in target if word != "."]) > 2:
        raise _redshift_lacks("alias for the target of MERGE")
    clauses = " ".join(words)
    for extra, what in (
        (r"\bmatched and\b", "WHEN MATCHED AND condition"),
        (r"\bmatched by\b", "WHEN NOT MATCHED BY"),
        (r"\bdo nothing\b", "DO NOTHING in MERGE"),
    ):
        if re.search(extra, clauses):
            raise _redshift_lacks(what)
    if not (
        re.search(r"when matched then (update|delete)", clauses) and "when not matched then insert" in clauses
    ):
        raise Refused(
            "MERGE needs both WHEN MATCHED THEN ... and WHEN NOT MATCHED THEN INSERT ... on Amazon Redshift"
        )
    return None


def _lock(tokens: Tokens, words: Sequence[str]) -> Statement | None:
    if "mode" in words or "nowait" in words or "only" in words:
        raise _redshift_lacks("LOCK ... IN mode MODE / NOWAIT / ONLY")
    return None


_SESSION_SETTINGS = {"query_group", "enable_result_cache_for_session", "wlm_query_slot_count"}


def _setting(tokens: Tokens, words: Sequence[str]) -> Statement | None:
    """Settings that only Redshift has are kept under a name of ours."""
    text = render(tokens)
    for word in words[1:3]:
        if word in _SESSION_SETTINGS:
            return Statement("plain", re.sub(rf"(?i)\b{word}\b", f"local.{word}", text, count=1))
    return None


def _grant(tokens: Tokens, words: Sequence[str]) -> Statement | None:
    if len(words) > 1 and words[1] in ("role", "assumerole") or "role" in words[-2:]:
        raise _not_covered(f"{words[0].upper()} with roles (use groups)")
    return None


_HANDLERS: dict[str, Callable[[Tokens, Sequence[str]], Statement | None]] = {
    "create": _create,
    "alter": _alter,
    "copy": _copy,
    "truncate": _truncate,
    "vacuum": _vacuum,
    "analyze": _analyze,
    "merge": _merge,
    "lock": _lock,
    "set": _setting,
    "show": _setting,
    "reset": _setting,
    "grant": _grant,
    "revoke": _grant,
}


def _unload(tokens: Tokens, words: Sequence[str]) -> Statement:
    raise _not_covered("UNLOAD")


_HANDLERS["unload"] = _unload
