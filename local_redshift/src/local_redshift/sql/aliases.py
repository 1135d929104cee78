"""Resolve aliases of a select list that the same SELECT uses in later columns, WHERE or HAVING.

In Redshift, a column of FROM takes precedence over an alias with the same name. Only the database knows the columns of
FROM. Therefore, the front asks the database for a name that is not a column, and replaces that name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from .queries import Select, aliases, selects, spelled
from .tokens import Token, Tokens, identifier, parts, text_of, tokenize, visible

_AFTER = (
    "where",
    "having",
    "group",
)  # clauses in which PostgreSQL does not accept an alias, or accepts it only as a whole item


class AliasReuse:
    """A statement that may use the aliases of its select list again."""

    def __init__(self, tokens: Tokens, rows: Sequence[tuple[str, str]] = ()) -> None:
        """:param rows: pairs of a relation and the name of a column that it must have."""
        self.tokens = list(tokens)
        self.rows = rows

    def query(self, render: Callable[[Tokens], str]) -> str:
        """Return the statement's query in PostgreSQL's SQL, with NULL for parameters, so that it can be analyzed."""
        depth = 0
        for i, token in enumerate(self.tokens):
            depth += {"(": 1, ")": -1}.get(token.text, 0)
            if depth == 0 and token.kind == "word" and token.low in ("select", "with"):
                return re.sub(r"\$\d+", "null", render(self.tokens[i:]))
        return ""

    def substitute(self, name: str) -> bool:
        """Replace each use of this alias with its value. Return False if there is no use."""
        for block in reversed(selects(self.tokens)):
            for end, alias, value in aliases(self.tokens, block):
                if alias == name:
                    changed = self._spell(block, end, {name: value})
                    if visible(changed) != visible(self.tokens):
                        self.tokens = changed
                        return True
        return False

    def _spell(self, block: Select, item_end: int, values: dict[str, Tokens]) -> list[Token]:
        out = list(self.tokens)
        ranges = [block.clause(clause) for clause in _AFTER]
        for start, end in sorted(ranges, reverse=True):
            if start < end:
                out[start:end] = spelled(out[start:end], values)
        # A column that consists only of the alias keeps its name.
        items = ",".join(
            f'{text_of(spelled(item, values))} as "{_only_name(item)}"'
            if _only_name(item) in values
            else text_of(spelled(item, values))
            for item in parts(out[item_end : block.list_end])
        )
        out[item_end : block.list_end] = tokenize(items + " ")
        return out


def _only_name(item: Tokens) -> str:
    seen = visible(item)
    return identifier(seen[0]) if len(seen) == 1 else ""


def reuses_aliases(tokens: Tokens) -> bool:
    """Return whether a select list of this statement may reuse one of its aliases."""
    for block in selects(tokens):
        for end, name, _ in aliases(tokens, block):
            ranges = [block.clause(clause) for clause in _AFTER] + [(end, block.list_end)]
            for start, stop in ranges:
                # PostgreSQL accepts an alias that is a whole GROUP BY item.
                if start == block.clause("group")[0] and not any(t.text == "(" for t in tokens[start:stop]):
                    continue
                if any(token.low == name or token.text == f'"{name}"' for token in tokens[start:stop]):
                    return True
    return False
