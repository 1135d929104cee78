"""Translate ALTER TABLE, of which Redshift has fewer forms than PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import Refused
from .expressions import render
from .refusals import check_name, not_covered, redshift_lacks
from .statement import Statement
from .tables import Layout, column_type, edit_element, encode, table_name
from .tokens import Tokens, identifier, literal, next_visible, parts, text_of, visible


def alter_table(tokens: Tokens, words: Sequence[str]) -> Statement | None:
    """Refuse the forms of ALTER TABLE that are not covered. Edit a new column or type as in CREATE TABLE."""
    for word in ("append", "sortkey", "distkey", "diststyle", "encode"):
        if word in words and "add" not in words:
            raise not_covered(f"ALTER TABLE ... {word.upper()}")
    action, start = _action(tokens)
    for i, token in enumerate(parts(tokens[start:])):
        if i and visible(token):
            raise redshift_lacks("ALTER TABLE with several actions (use one statement per action)")
    if action == "add":
        return _add(tokens, start)
    if action == "alter":
        return _alter_column(tokens, words)
    if action == "drop":
        return _drop(tokens, start)
    if action == "rename":
        return _rename(tokens, start)
    return None


def _action(tokens: Tokens) -> tuple[str, int]:
    """Return the verb of `ALTER TABLE name verb`, and its index."""
    at = next(i for i, token in enumerate(tokens) if token.low == "table")
    i = next_visible(tokens, at)
    if i < len(tokens) and tokens[i].low == "only":
        i = next_visible(tokens, i)
    _, i = table_name(tokens, i)
    i = next_visible(tokens, i - 1)
    return (tokens[i].low if i < len(tokens) else ""), i


def _add(tokens: Tokens, at: int) -> Statement:
    start = next_visible(tokens, at)
    table = [t for t in visible(tokens[:at]) if t.low not in ("alter", "table")]
    if tokens[start].low == "column":
        start = next_visible(tokens, start)
    if tokens[start].low == "if":
        raise redshift_lacks("ALTER TABLE ... ADD COLUMN IF NOT EXISTS (look into pg_table_def first)")
    words = [token.low for token in visible(tokens[start:])]
    kind = words[2:3] if words[0] == "constraint" else words[:1]
    if tokens[start].kind == "word" and kind in (["primary"], ["unique"], ["foreign"]):
        raise not_covered("ALTER TABLE ... ADD of a key (declare it in CREATE TABLE)")
    layout = Layout(render(table))
    element = edit_element(tokens[start:], layout)
    for word in words[1:]:
        # https://docs.aws.amazon.com/redshift/latest/dg/r_ALTER_TABLE.html
        if word in ("distkey", "sortkey", "references", "identity", "unique", "primary"):
            raise Refused(
                f"ALTER TABLE ADD COLUMN cannot add a column with {word.upper()} on Amazon Redshift"
            )
    if "not" in words and "null" in words and "default" not in words:
        raise Refused("ALTER TABLE ADD COLUMN defined as NOT NULL must have a non-null default expression")
    text = text_of(tokens[:start]) + (element or "")
    if layout.encodings:
        layout.check()
        return Statement("script", text, f"select {encode(render(table), layout)}")
    return Statement("plain", text)


def _drop(tokens: Tokens, at: int) -> Statement | None:
    """Drop a column that is not a distribution or sort key. PostgreSQL handles DROP CONSTRAINT."""
    seen = [token for token in visible(tokens[at + 1 :]) if token.low != "column"]
    if not seen or seen[0].low == "constraint":
        return None
    table = render([t for t in visible(tokens[:at]) if t.low not in ("alter", "table")])
    column = literal(identifier(seen[0]))
    check = f"select pg_catalog.local_require_no_key({literal(table)}::regclass, {column})"
    return Statement("script", render(tokens), before=check)


def _rename(tokens: Tokens, at: int) -> Statement | None:
    """Rename the table, or a column also in the layout."""
    seen = [token for token in visible(tokens[at + 1 :]) if token.low != "column"]
    check_name(seen[-1])
    if len(seen) < 3 or seen[0].low == "constraint":
        return None
    table = render([t for t in visible(tokens[:at]) if t.low not in ("alter", "table")])
    names = f"{literal(identifier(seen[0]))}, {literal(identifier(seen[2]))}"
    after = f"select pg_catalog.local_rename_column({literal(table)}::regclass, {names})"
    return Statement("script", render(tokens), after)


def _alter_column(tokens: Tokens, words: Sequence[str]) -> Statement:
    """Change the length of a VARCHAR column, and refuse every other change."""
    if "type" not in words:
        raise redshift_lacks("ALTER COLUMN ... SET or DROP DEFAULT or NOT NULL (add a new column and copy)")
    at = next(j for j, token in enumerate(tokens) if token.low == "type")
    column = identifier([token for token in tokens[:at] if token.kind != "space"][-1])
    end, spelled = column_type(tokens, at + 1, column)
    start = next(j for j, token in enumerate(tokens) if token.low == "table")
    name, _ = table_name(tokens, next_visible(tokens, start))
    if not spelled.strip().startswith("varchar"):
        raise redshift_lacks("ALTER COLUMN TYPE to another type than VARCHAR(n) (add a new column and copy)")
    check = f"select pg_catalog.local_require_varchar({literal(name)}::regclass, {literal(column)})"
    text = text_of(tokens[: at + 1]) + spelled + render(tokens[end:])
    return Statement("script", text, before=check, outside="ALTER TABLE ALTER COLUMN")
