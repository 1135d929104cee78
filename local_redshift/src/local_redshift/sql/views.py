"""Translate the statements for views and materialized views."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import Refused
from .expressions import render
from .refusals import not_covered
from .statement import Result, Statement
from .tables import PARAMETER, Layout, lay_out, table_attributes, table_name, types_of
from .tokens import Tokens, literal, next_visible, parts, text_of, visible


def create_view(tokens: Tokens, words: Sequence[str]) -> Statement | None:
    """Translate CREATE VIEW. Store the columns' types (catalog/types.sql) and a late-binding view's definition.

    A late-binding view is recreated when its tables change (catalog/views.sql).
    """
    late = words[-4:] == ["with", "no", "schema", "binding"]
    end = max(i for i, token in enumerate(tokens) if token.low == "with") if late else len(tokens)
    at = next(i for i, token in enumerate(tokens) if token.low == "view")
    name, i = table_name(tokens, next_visible(tokens, at))
    start = _query(tokens, i, "VIEW")
    text, after = render(tokens[:end]), ""
    unbound = None
    if late:
        keep = f"{literal(render(tokens[i:end]))}, {literal(text_of(tokens).strip())}"
        after = f"select pg_catalog.local_bind_late({literal(name)}::regclass, {keep})"
        missing = f"pg_catalog.local_missing_relation({literal(name)})"
        unbound = Statement(
            "script",
            f"create view {name} as select null::integer as local_missing where {missing}",
            after,
            f"drop view if exists {name}" if "replace" in words else "",
        )

    def finish(columns: Sequence[Result]) -> Statement:
        return Statement(
            "script", text, "; ".join(filter(None, (after, types_of("local_keep_types", name, columns))))
        )

    query = render(tokens[start:end])
    if PARAMETER.search(query):
        return finish([])
    return Statement("query", query, finish=finish, unbound=unbound)


def create_materialized_view(tokens: Tokens) -> Statement:
    """Create a relation for the rows, with BACKUP, DISTSTYLE and so on, and a view of it (catalog/views.sql)."""
    at = next(i for i, token in enumerate(tokens) if token.low == "view")
    name, i = table_name(tokens, next_visible(tokens, at))
    start = _query(tokens, i, "MATERIALIZED VIEW")
    layout = Layout()
    attributes = tokens[i:start]
    end = max(j for j, token in enumerate(attributes) if token.low == "as")
    kept, refreshed = _without_auto_refresh(attributes[:end])
    table_attributes(kept, layout)
    layout.check()
    schema, dot, own = name.rpartition(".")
    rows = f'{schema}{dot}"mv_tbl__{own.strip(chr(34))}__0"'
    if len(own.strip('"').encode()) > 52:
        raise not_covered(
            f"a materialized view's name of more than 52 bytes (Amazon Redshift has up to 127): {own}"
        )
    query = render(tokens[start:])
    text = f"create materialized view {rows} as {query}"
    relations = f"{literal(name)}::regclass, {literal(rows)}::regclass"
    statement = literal(text_of(tokens).strip())
    keep = f"select pg_catalog.local_keep_materialized({relations}, {statement}, {refreshed})"
    view = f"create view {name} as select * from {rows}"

    def finish(columns: Sequence[Result]) -> Statement:
        types = types_of("local_keep_types", name, columns)
        return Statement("script", text, "; ".join((lay_out(rows, layout), view, keep, types)))

    return finish([]) if PARAMETER.search(query) else Statement("query", query, finish=finish)


def refresh(tokens: Tokens, words: Sequence[str]) -> Statement:
    """Translate REFRESH MATERIALIZED VIEW name."""
    at = next((i for i, token in enumerate(tokens) if token.low == "view"), len(tokens) - 1)
    name, end = table_name(tokens, next_visible(tokens, at))
    if words[:3] == ["refresh", "materialized", "view"] and words[-1] in ("cascade", "restrict"):
        # https://docs.aws.amazon.com/redshift/latest/dg/materialized-view-refresh-sql-command.html
        raise not_covered(f"REFRESH MATERIALIZED VIEW ... {words[-1].upper()}")
    if words[:3] != ["refresh", "materialized", "view"] or next_visible(tokens, end - 1) < len(tokens):
        raise Refused("syntax error: REFRESH MATERIALIZED VIEW name")
    call = f"select pg_catalog.local_refresh({literal(name)}::regclass)"
    return Statement("script", call, tag="REFRESH MATERIALIZED VIEW")


def alter_materialized_view(tokens: Tokens, words: Sequence[str]) -> Statement:
    """Translate ALTER MATERIALIZED VIEW name AUTO REFRESH YES | NO."""
    at = next(i for i, token in enumerate(tokens) if token.low == "view")
    name, end = table_name(tokens, next_visible(tokens, at))
    rest = [token.low for token in visible(tokens[end:])]
    if rest not in (["auto", "refresh", "yes"], ["auto", "refresh", "no"]):
        raise not_covered("ALTER MATERIALIZED VIEW of anything but AUTO REFRESH YES or NO")
    call = f"select pg_catalog.local_set_auto_refresh({literal(name)}::regclass, {rest[2] == 'yes'})"
    return Statement("script", call, tag="ALTER MATERIALIZED VIEW")


def drop_materialized_view(tokens: Tokens, words: Sequence[str]) -> Statement:
    """Translate DROP MATERIALIZED VIEW [IF EXISTS] name [, ...] [CASCADE | RESTRICT]."""
    if_exists, cascades = words[3:5] == ["if", "exists"], words[-1] == "cascade"
    start = next(i for i, token in enumerate(tokens) if token.low == ("exists" if if_exists else "view")) + 1
    calls = []
    for part in parts(tokens[start:]):
        name, _ = table_name(part, next_visible(part, -1))
        calls.append(f"pg_catalog.local_drop_materialized({literal(name)}, {if_exists}, {cascades})")
    return Statement("script", f"select {', '.join(calls)}", tag="DROP MATERIALIZED VIEW")


def _query(tokens: Tokens, i: int, what: str) -> int:
    """Return the index at which the query after AS begins."""
    at = next((j for j in range(i, len(tokens)) if tokens[j].low == "as"), None)
    if at is None:
        raise Refused(f"syntax error: CREATE {what} needs AS")
    return next_visible(tokens, at)


def _without_auto_refresh(tokens: Tokens) -> tuple[Tokens, bool]:
    """Return the attributes without AUTO REFRESH, and whether it is on."""
    for i, token in enumerate(tokens):
        if token.low == "auto":
            following = next_visible(tokens, i)
            if following < len(tokens) and tokens[following].low == "refresh":
                value = next_visible(tokens, following)
                return [*tokens[:i], *tokens[value + 1 :]], tokens[value].low == "yes"
    return tokens, False
