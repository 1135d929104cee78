"""CREATE FUNCTION of Redshift's SQL functions."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..errors import Refused
from .expressions import render
from .refusals import not_covered, refuse_foreign
from .statement import Statement
from .tokens import Tokens, tokenize, visible


def create_function(tokens: Tokens, words: Sequence[str]) -> Statement:
    """Edit the body of a SQL function, a SELECT of its arguments $1, $2 ...; other languages are not covered."""
    if "language" not in words or words[words.index("language") + 1] != "sql":
        raise not_covered("CREATE FUNCTION in another language than SQL")
    if not set(words) & {"volatile", "stable", "immutable"}:
        raise Refused("CREATE FUNCTION needs VOLATILE, STABLE or IMMUTABLE on Amazon Redshift")
    out = []
    for token in tokens:
        found = re.fullmatch(r"(\$\w*\$)(.*)\1", token.text, re.DOTALL) if token.kind == "string" else None
        if found is None:
            out.append(token.text)
            continue
        body = tokenize(found[2])
        seen = visible(body)
        if not seen or seen[0].low != "select" or any(token.low == "from" for token in seen):
            raise Refused(
                "The body of a SQL function is SELECT of an expression, without FROM, on Amazon Redshift"
            )
        refuse_foreign(seen, [token.low for token in seen])
        out.append(found[1] + render(body) + found[1])
    return Statement("plain", "".join(out))
