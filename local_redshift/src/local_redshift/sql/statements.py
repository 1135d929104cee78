"""Translate Redshift's SQL for PostgreSQL by small edits of tokens. The rest of a statement stays byte for byte."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from ..errors import Refused
from .aliases import AliasReuse, reuses_aliases
from .alterations import alter_table
from .documented.check import Rows, check
from .expressions import render
from .functions import create_function
from .queries import rewrite
from .refusals import not_covered, redshift_lacks, refuse_words
from .settings import setting
from .show import show
from .statement import Names, Statement
from .tables import create_table, defaults, in_turn
from .tokens import Tokens, fold, identifier, separate_numbers, split, text_of, tokenize, visible
from .users import check_grant, create_or_alter_user
from .views import (
    alter_materialized_view,
    create_materialized_view,
    create_view,
    drop_materialized_view,
    refresh,
)

# An INSERT of literals needs no edit and no check, so it is not tokenized.
_LITERAL = (
    r"(?:E?'(?:[^'\\]|\\.|'')*+'|[-+]?\d++(?:\.\d*+)?+|null|true|false|default|\$\d++|getdate\(\)|current_date|(?:date|timestamp)\s*'[^'\\]*+')"
    r"(?:::(?:date|timestamp|timestamptz|varchar|int|integer|bigint|boolean|float8))?+"
)
_PLAIN_INSERT = re.compile(
    rf"\s*+insert\s++into\s++[a-z_]\w{{0,62}}+(?:\.[a-z_]\w{{0,62}}+)?+\s*+(?:\((?:\s*+[a-z_]\w{{0,62}}+\s*+,?+)++\)\s*+)?+values"
    rf"(?:\s*+\((?:\s*+{_LITERAL}\s*+,?+)++\)\s*+,?+)++\s*+;?+\s*+",
    re.IGNORECASE,
)
# The check of these statements reads their original text. For all others, it reads the text sent to PostgreSQL.
_QUERIES = {"select", "with", "insert", "update", "delete", "merge", "explain", "declare", "prepare", "("}
_DEFAULT_NAMES = Names()
_LONGEST = 16_777_216  # bytes: https://docs.aws.amazon.com/redshift/latest/dg/c_redshift-sql.html
_KEPT, _KEPT_STATEMENTS = 20_000, 1_000  # limits of the cache: characters per statement, and statements
_translated: dict[tuple[str, str, bool], list[Statement]] = {}


def translate(sql: str, names: Names = _DEFAULT_NAMES) -> list[Statement]:
    """Split a message into statements and return how to run each. The list is empty if the message has none."""
    if len(sql) > _LONGEST // 4 and (size := len(sql.encode())) > _LONGEST:
        too_long = f"Statement is too large. Statement Size: {size} bytes. Maximum Allowed: {_LONGEST} bytes"
        return [Statement("refused", too_long)]
    if _PLAIN_INSERT.fullmatch(sql):
        return [Statement("plain", sql)]
    key = (sql, names.database, names.case_sensitive)
    if key in _translated:
        return _translated[key]
    found = [translate_one(tokens, names) for tokens in split(tokenize(sql))]
    # Do not cache refusals, because CREATE FUNCTION may make the statement valid. Do not cache objects in which aliases
    # are resolved.
    if len(sql) < _KEPT and all(each.kind != "refused" and each.reuse is None for each in found):
        if len(_translated) >= _KEPT_STATEMENTS:
            _translated.clear()
        _translated[key] = found
    return found


def translate_one(tokens: Tokens, names: Names, settled: bool = False) -> Statement:
    """Return how to run one statement. If `settled` is true, its aliases are already resolved."""
    try:
        return _translate(tokens, names, settled)
    except Refused as refused:
        return Statement("refused", str(refused))
    except (IndexError, StopIteration, ValueError):
        # A handler searched for a word that an incomplete statement does not contain.
        return Statement("refused", f"syntax error at end of input: {text_of(tokens).strip()[:60]}")


def _translate(tokens: Tokens, names: Names, settled: bool) -> Statement:
    tokens = separate_numbers(tokens)
    words = _words(tokens)
    if words[0] == "show" and (shown := show(tokens, words, names.database)) is not None:
        return shown
    if not names.case_sensitive:
        tokens = fold(tokens)
    if words[0] == "unload":
        # Its query is a string that is translated separately.
        return Statement("unload", text_of(tokens))
    refuse_words(visible(tokens), words)
    tokens = rewrite(tokens)
    words = _words(tokens)
    rows: Rows = ()
    if words[0] in _QUERIES:
        rows = check(tokens)
    elif words[0] == "create":
        rows = check(_query(tokens, words))
    if not settled and (rows or reuses_aliases(tokens)):
        return Statement("aliases", text_of(tokens), reuse=AliasReuse(tokens, rows))
    if words[0] in ("create", "drop") and "schema" in words[1:2]:
        tokens = _without_database(tokens, names.database)
        words = _words(tokens)
    handler = _HANDLERS.get(words[0])
    statement = handler(tokens, words) if handler is not None else None
    if statement is None:
        statement = Statement("plain", render(tokens))
    if words[0] not in _QUERIES and statement.kind in ("plain", "script"):
        sent = tokenize(_without_checked(statement.text, tokens, words))
        if visible(sent)[0].low == words[0]:
            check(sent)
    return statement


def _without_checked(text: str, tokens: Tokens, words: Sequence[str]) -> str:
    """Return the text with placeholders for an edited query and edited defaults, which are already checked."""
    query = _query(tokens, words) if words[0] == "create" else []
    checked = [(query, "select 1"), *((default, "null") for default in defaults(tokens, words))]
    for part, instead in checked:
        edited = render(part).strip()
        if instead == "null":
            check([*tokenize("select "), *part])
        if edited != text_of(part).strip():
            text = text.replace(edited, instead)
    return text


def _query(tokens: Tokens, words: Sequence[str]) -> Tokens:
    """Return the query of CREATE TABLE AS or CREATE MATERIALIZED VIEW, the whole CREATE VIEW, or else no tokens."""
    if not {"table", "view"} & set(words[1:5]):
        return []
    depth, plain_view = 0, "view" in words[1:5] and "materialized" not in words[1:3]
    for i, token in enumerate(tokens):
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if depth == 0 and token.kind == "word" and token.low == "as":
            late = next((j for j, word in enumerate(words) if words[j:] == _LATE), None)
            end = max(j for j, t in enumerate(tokens) if t.low == "with") if late is not None else len(tokens)
            return tokens[0 if plain_view else i + 1 : end]
    return []


_LATE = ["with", "no", "schema", "binding"]


def _words(tokens: Tokens) -> list[str]:
    return [token.low if token.kind in ("word", "other") else token.text for token in visible(tokens)]


def _without_database(tokens: Tokens, database: str) -> Tokens:
    """Remove the database from CREATE and DROP SCHEMA "dev"."name". Refuse any database but the current one."""
    for i, token in enumerate(tokens):
        if token.text == ".":
            if identifier(tokens[i - 1]) != database:
                raise not_covered(f"a schema of another database ({tokens[i - 1].text})")
            return [*tokens[: i - 1], *tokens[i + 1 :]]
    return tokens


def _create(tokens: Tokens, words: Sequence[str]) -> Statement | None:
    what = next(
        (w for w in words[1:] if w not in ("or", "replace", "temp", "temporary", "local", "unique")), ""
    )
    if what == "table":
        return create_table(tokens, words)
    if what in ("user", "group"):
        return create_or_alter_user(tokens, words)
    if what == "view":
        return create_view(tokens, words)
    if what == "materialized":
        return create_materialized_view(tokens)
    if what == "schema":
        if "quota" in words:
            raise not_covered("CREATE SCHEMA ... QUOTA")
        if {"create", "grant"} & set(words[1:]):
            # https://docs.aws.amazon.com/redshift/latest/dg/r_CREATE_SCHEMA.html
            raise not_covered("CREATE SCHEMA with schema elements")
        before = in_turn(words, words[5] if len(words) > 5 else "")
        return Statement("script", render(tokens), before=before) if before else None
    if what == "database":
        return None
    if what == "function":
        return create_function(tokens, words)
    if not what:
        raise Refused("syntax error at end of input: create")
    raise redshift_lacks(f"CREATE {what.upper()}")


def _alter(tokens: Tokens, words: Sequence[str]) -> Statement | None:
    what = words[1]
    if what == "user":
        return create_or_alter_user(tokens, words)
    if what == "table":
        return alter_table(tokens, words)
    if words[1:3] == ["materialized", "view"]:
        return alter_materialized_view(tokens, words)
    if what in ("group", "schema", "default", "database"):
        return None
    raise redshift_lacks(f"ALTER {what.upper()}")


def _drop(tokens: Tokens, words: Sequence[str]) -> Statement | None:
    return drop_materialized_view(tokens, words) if words[1:3] == ["materialized", "view"] else None


def _copy(tokens: Tokens, words: Sequence[str]) -> Statement:
    if "stdin" in words or "stdout" in words or words[1] == "(" or "to" in words:
        raise redshift_lacks("COPY from or to the client")
    return Statement("copy", text_of(tokens))


def _truncate(tokens: Tokens, words: Sequence[str]) -> Statement:
    if set(words) & {",", "cascade", "restrict", "identity", "only"}:
        raise redshift_lacks("TRUNCATE of several tables, or with an option")
    return Statement("truncate", render(tokens))


def _vacuum(tokens: Tokens, words: Sequence[str]) -> Statement:
    """Translate VACUUM [FULL | SORT ONLY | DELETE ONLY | REINDEX | RECLUSTER] [table [TO n PERCENT]] [BOOST]."""
    form = re.fullmatch(
        r"vacuum(?: full| sort only| delete only| reindex| recluster)?"
        r"(?P<table>(?: (?!to\b|analyze\b)(?:\w+|\"[^\"]+\")(?: \. (?:\w+|\"[^\"]+\"))*)?)"
        r"(?: to \d+ percent)?(?: boost)?",
        " ".join(words),
    )
    if form is None:
        raise redshift_lacks(" ".join(words).upper())
    return Statement("vacuum", "vacuum" + form["table"].replace(" . ", "."))


def _analyze(tokens: Tokens, words: Sequence[str]) -> Statement | None:
    if words[1:2] == ["("]:
        raise redshift_lacks("ANALYZE (options)")
    if len(words) > 1 and words[1] == "compression":
        raise not_covered("ANALYZE COMPRESSION")
    if words[-1] == "columns" and words[-2] in ("predicate", "all"):
        kept = list(tokens)
        for _ in range(2):
            while kept[-1].kind == "space":
                kept.pop()
            kept.pop()
        return Statement("plain", render(kept))
    return None


def _declare(tokens: Tokens, words: Sequence[str]) -> Statement:
    """Allow a session one cursor at a time: https://docs.aws.amazon.com/redshift/latest/dg/declare.html"""
    return Statement("script", render(tokens), before="select pg_catalog.local_one_cursor()")


_HANDLERS: dict[str, Callable[[Tokens, Sequence[str]], Statement | None]] = {
    "create": _create,
    "alter": _alter,
    "copy": _copy,
    "declare": _declare,
    "drop": _drop,
    "refresh": refresh,
    "truncate": _truncate,
    "vacuum": _vacuum,
    "analyze": _analyze,
    "set": setting,
    "show": setting,
    "reset": setting,
    "grant": check_grant,
    "revoke": check_grant,
}
