"""Aliases of a select list that the same SELECT uses again, in later columns, WHERE or HAVING.

Redshift takes such a name for a column of FROM first, and only then for the alias. Only the database knows the
columns of FROM, so it is asked which name it misses, and that one is replaced.
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
)  # clauses in which PostgreSQL does not know an alias, or only a bare one


class AliasReuse:
    """A statement with a select list whose aliases may be used again."""

    def __init__(self, tokens: Tokens, rows: Sequence[tuple[str, str]] = ()) -> None:
        """:param rows: pairs of a relation and of a column of the same name that it must have."""
        self.tokens = list(tokens)
        self.rows = rows

    def query(self, render: Callable[[Tokens], str]) -> str:
        """Return the query of the statement as PostgreSQL reads it, without parameters, to be explained."""
        depth = 0
        for i, token in enumerate(self.tokens):
            depth += {"(": 1, ")": -1}.get(token.text, 0)
            if depth == 0 and token.kind == "word" and token.low in ("select", "with"):
                return re.sub(r"\$\d+", "null", render(self.tokens[i:]))
        return ""

    def substitute(self, name: str) -> bool:
        """Replace each use of this alias with its value. Return False if there is none."""
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
        # A column that is nothing but the alias keeps its name.
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
                # PostgreSQL knows an alias that is all of a GROUP BY item.
                if start == block.clause("group")[0] and not any(t.text == "(" for t in tokens[start:stop]):
                    continue
                if any(token.low == name or token.text == f'"{name}"' for token in tokens[start:stop]):
                    return True
    return False
