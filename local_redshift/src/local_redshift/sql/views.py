"""CREATE VIEW and CREATE MATERIALIZED VIEW."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import Refused
from .expressions import render
from .statement import Result, Statement
from .tables import PARAMETER, Layout, lay_out, table_attributes, table_name, types_of
from .tokens import Tokens, literal, next_visible, text_of


def create_view(tokens: Tokens, words: Sequence[str]) -> Statement | None:
    """Keep the types of the columns (catalog/types.sql), and a late-binding view's definition.

    A late-binding view is made again when its tables change (catalog/views.sql).
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
    """Keep BACKUP, DISTSTYLE and the like for the catalog; AUTO REFRESH is read, REFRESH MATERIALIZED VIEW works."""
    at = next(i for i, token in enumerate(tokens) if token.low == "view")
    name, i = table_name(tokens, next_visible(tokens, at))
    start = _query(tokens, i, "MATERIALIZED VIEW")
    layout = Layout()
    attributes = tokens[i:start]
    end = max(j for j, token in enumerate(attributes) if token.low == "as")
    table_attributes(_without_auto_refresh(attributes[:end]), layout)
    query = render(tokens[start:])
    text = f"create materialized view {name} as {query}"

    def finish(columns: Sequence[Result]) -> Statement:
        return Statement(
            "script", text, "; ".join((lay_out(name, layout), types_of("local_keep_types", name, columns)))
        )

    return finish([]) if PARAMETER.search(query) else Statement("query", query, finish=finish)


def comment(tokens: Tokens, words: Sequence[str]) -> Statement | None:
    """COMMENT ON VIEW: a materialized view is one, and not to PostgreSQL."""
    if words[1:3] != ["on", "view"]:
        return None
    at = next(i for i, token in enumerate(tokens) if token.low == "view")
    name, i = table_name(tokens, next_visible(tokens, at))
    text = render(tokens[i:]).strip().removeprefix(tokens[next_visible(tokens, i - 1)].text).strip()
    change = f"select pg_catalog.local_comment_on_view({literal(name)}::regclass, {text})"
    return Statement("script", change, tag="COMMENT")


def _query(tokens: Tokens, i: int, what: str) -> int:
    """Return where the query behind AS begins."""
    at = next((j for j in range(i, len(tokens)) if tokens[j].low == "as"), None)
    if at is None:
        raise Refused(f"syntax error: CREATE {what} needs AS")
    return next_visible(tokens, at)


def _without_auto_refresh(tokens: Tokens) -> Tokens:
    for i, token in enumerate(tokens):
        if token.low == "auto":
            following = next_visible(tokens, i)
            if following < len(tokens) and tokens[following].low == "refresh":
                value = next_visible(tokens, following)
                return [*tokens[:i], *tokens[value + 1 :]]
    return tokens
