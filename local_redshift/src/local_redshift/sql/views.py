"""CREATE VIEW and CREATE MATERIALIZED VIEW."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import Refused
from .expressions import render
from .statement import Statement
from .tables import Layout, lay_out, table_attributes, table_name
from .tokens import Tokens, literal, next_visible, text_of


def create_view(tokens: Tokens, words: Sequence[str]) -> Statement | None:
    """Keep a late-binding view's definition, to make the view again when its tables change (catalog/views.sql)."""
    if words[-4:] != ["with", "no", "schema", "binding"]:
        return None
    end = max(i for i, token in enumerate(tokens) if token.low == "with")
    at = next(i for i, token in enumerate(tokens) if token.low == "view")
    name, i = table_name(tokens, next_visible(tokens, at))
    keep = f"{literal(name)}::regclass, {literal(render(tokens[i:end]))}, {literal(text_of(tokens).strip())}"
    return Statement("script", render(tokens[:end]), f"select pg_catalog.local_bind_late({keep})")


def create_materialized_view(tokens: Tokens) -> Statement:
    """Keep BACKUP, DISTSTYLE and the like for the catalog; AUTO REFRESH is read, REFRESH MATERIALIZED VIEW works."""
    at = next(i for i, token in enumerate(tokens) if token.low == "view")
    name, i = table_name(tokens, next_visible(tokens, at))
    end = next((j for j in range(i, len(tokens)) if tokens[j].low == "as"), None)
    if end is None:
        raise Refused("syntax error: CREATE MATERIALIZED VIEW needs AS")
    layout = Layout()
    table_attributes(_without_auto_refresh(tokens[i:end]), layout)
    text = f"create materialized view {name} {render(tokens[end:])}"
    return Statement("script", text, after=lay_out(name, layout))


def _without_auto_refresh(tokens: Tokens) -> Tokens:
    for i, token in enumerate(tokens):
        if token.low == "auto":
            following = next_visible(tokens, i)
            if following < len(tokens) and tokens[following].low == "refresh":
                value = next_visible(tokens, following)
                return [*tokens[:i], *tokens[value + 1 :]]
    return tokens
