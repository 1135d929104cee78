"""Redshift's SQL for PostgreSQL: small edits of tokens that leave the rest of a statement byte for byte."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from ..errors import Refused
from .aliases import AliasReuse, reuses_aliases
from .alterations import alter_table
from .expressions import render
from .functions import create_function
from .queries import rewrite
from .refusals import not_covered, redshift_lacks, refuse_foreign
from .settings import setting
from .show import show
from .statement import Names, Statement
from .tables import create_table, in_turn
from .tokens import Tokens, fold, identifier, separate_numbers, split, text_of, tokenize, visible
from .users import check_grant, create_or_alter_user
from .views import (
    alter_materialized_view,
    create_materialized_view,
    create_view,
    drop_materialized_view,
    refresh,
)

# A long INSERT of values that needs no edit is not taken to pieces.
_PLAIN_INSERT = re.compile(r"\s*insert\s+into\s+[\w.]+\s*(?:\([\w\s,]*\)\s*)?values\b", re.IGNORECASE)
_NEEDS_EDIT = re.compile(
    r"""["#\$]|->|;.*\S|\w{64}|\b(?:select|conflict|returning|sysdate|date\w+|nvl2?|isnull|decode|now|numeric|decimal|array|age
        |generate_series|current_timestamp|\w+_(?:agg|uuid|to_json)|json\w*|uuid|make_\w+|to_\w+|format|unnest)\b""",
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
_DEFAULT_NAMES = Names()


def translate(sql: str, names: Names = _DEFAULT_NAMES) -> list[Statement]:
    """Split a message into statements and return how to run each; an empty list for a message without any."""
    if _PLAIN_INSERT.match(sql) and not _NEEDS_EDIT.search(sql):
        return [Statement("plain", sql)]
    return [translate_one(tokens, names) for tokens in split(tokenize(sql))]


def translate_one(tokens: Tokens, names: Names, settled: bool = False) -> Statement:
    """Return how to run one statement; `settled`: its aliases need no further look."""
    try:
        return _translate(tokens, names, settled)
    except Refused as refused:
        return Statement("refused", str(refused))


def _translate(tokens: Tokens, names: Names, settled: bool) -> Statement:
    tokens = separate_numbers(tokens)
    words = _words(tokens)
    if words[0] == "show" and (shown := show(tokens, words, names.database)) is not None:
        return shown
    # psql, JDBC and SQLAlchemy query the catalog in PostgreSQL's own dialect.
    asks_catalog = any(word in ("pg_catalog", "information_schema") for word in words)
    if not asks_catalog:
        if not names.case_sensitive:
            tokens = fold(tokens)
        if words[0] == "unload":
            # Its query is a string, and translated on its own.
            return Statement("unload", text_of(tokens))
        refuse_foreign(visible(tokens), words)
        tokens = rewrite(tokens)
        words = _words(tokens)
    if not settled and reuses_aliases(tokens):
        return Statement("aliases", text_of(tokens), reuse=AliasReuse(tokens))
    if asks_catalog:
        return Statement("plain", text_of(tokens))
    if words[0] in ("create", "drop") and "schema" in words[1:2]:
        tokens = _without_database(tokens, names.database)
        words = _words(tokens)
    handler = _HANDLERS.get(words[0])
    statement = handler(tokens, words) if handler is not None else None
    return statement if statement is not None else Statement("plain", render(tokens))


def _words(tokens: Tokens) -> list[str]:
    return [token.low if token.kind in ("word", "other") else token.text for token in visible(tokens)]


def _without_database(tokens: Tokens, database: str) -> Tokens:
    """CREATE and DROP SCHEMA "dev"."name": the database may only be this one."""
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
        before = in_turn(words, words[5] if len(words) > 5 else "")
        return Statement("script", render(tokens), before=before) if before else None
    if what == "database":
        return None
    if what == "function":
        return create_function(tokens, words)
    if what in ("procedure", "library", "model", "external", "datashare", "role"):
        raise not_covered(f"CREATE {what.upper()}")
    raise redshift_lacks(f"CREATE {what.upper()}")


def _alter(tokens: Tokens, words: Sequence[str]) -> Statement | None:
    what = words[1] if len(words) > 1 else ""
    if what == "user":
        return create_or_alter_user(tokens, words)
    if what == "table":
        return alter_table(tokens, words)
    if words[1:3] == ["materialized", "view"]:
        return alter_materialized_view(tokens, words)
    if what in ("group", "schema", "default", "database"):
        return None
    raise not_covered(f"ALTER {what.upper()}")


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
    """VACUUM [FULL | SORT ONLY | DELETE ONLY | REINDEX | RECLUSTER] [table [TO n PERCENT]] [BOOST]."""
    if "(" in words:
        raise redshift_lacks("VACUUM (options)")
    noise = {"vacuum", "full", "sort", "delete", "only", "reindex", "recluster", "boost"}
    name = [token for token in visible(tokens) if token.low not in noise]
    for i, token in enumerate(name):
        if token.low == "to":
            name = name[:i]
            break
    return Statement("vacuum", "vacuum " + render(name))


def _analyze(tokens: Tokens, words: Sequence[str]) -> Statement | None:
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


def _merge(tokens: Tokens, words: Sequence[str]) -> Statement | None:
    """PostgreSQL's MERGE can do more than Redshift's; only Redshift's form passes."""
    if words[-2:] == ["remove", "duplicates"]:
        raise not_covered("MERGE ... REMOVE DUPLICATES")
    using = words.index("using") if "using" in words else 0
    if words[using + 1] == "(":
        raise redshift_lacks("MERGE ... USING (sub-query): load it into a temporary table first")
    target = words[2:using]
    if target[1::2] != ["."] * (len(target) // 2):
        raise redshift_lacks("alias for the target of MERGE")
    clauses = " ".join(words)
    for extra, what in (
        (r"\bmatched and\b", "WHEN MATCHED AND condition"),
        (r"\bmatched by\b", "WHEN NOT MATCHED BY"),
        (r"\bdo nothing\b", "DO NOTHING in MERGE"),
    ):
        if re.search(extra, clauses):
            raise redshift_lacks(what)
    if not (
        re.search(r"when matched then (update|delete)", clauses) and "when not matched then insert" in clauses
    ):
        raise Refused(
            "MERGE needs both WHEN MATCHED THEN ... and WHEN NOT MATCHED THEN INSERT ... on Amazon Redshift"
        )
    return None


def _lock(tokens: Tokens, words: Sequence[str]) -> Statement | None:
    if "mode" in words or "nowait" in words or "only" in words:
        raise redshift_lacks("LOCK ... IN mode MODE / NOWAIT / ONLY")
    return None


_HANDLERS: dict[str, Callable[[Tokens, Sequence[str]], Statement | None]] = {
    "create": _create,
    "alter": _alter,
    "copy": _copy,
    "drop": _drop,
    "refresh": refresh,
    "truncate": _truncate,
    "vacuum": _vacuum,
    "analyze": _analyze,
    "merge": _merge,
    "lock": _lock,
    "set": setting,
    "show": setting,
    "reset": setting,
    "grant": check_grant,
    "revoke": check_grant,
}
