"""Translate CREATE FUNCTION for Redshift's SQL functions."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..errors import Refused
from .documented import check
from .expressions import render
from .refusals import not_covered
from .statement import Statement
from .tokens import Tokens, identifier, tokenize, visible

_BEFORE_NAME = {"create", "or", "replace", "function"}


def create_function(tokens: Tokens, words: Sequence[str]) -> Statement:
    """Edit the body of an SQL function, a SELECT of its arguments $1, $2 and so on. Refuse other languages."""
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
        if not seen or seen[0].low != "select" or _has_from(seen):
            raise Refused(
                "The body of a SQL function is SELECT of an expression, without FROM, on Amazon Redshift"
            )
        check.check(body)
        out.append(found[1] + render(body) + found[1])
    name = next(token for token in visible(tokens) if token.low not in _BEFORE_NAME)
    at = visible(tokens).index(name)
    while visible(tokens)[at + 1].text == ".":
        at += 2
    check.functions.add(identifier(visible(tokens)[at]))
    return Statement("plain", "".join(out))


def _has_from(seen: Tokens) -> bool:
    """Return whether there is a FROM that is not part of extract(... from ...) or trim(... from ...)."""
    calls = [""]
    for before, token in zip(seen, seen[1:], strict=False):
        if token.text == "(":
            calls.append(before.low)
        elif token.text == ")" and len(calls) > 1:
            calls.pop()
        elif token.low == "from" and token.kind == "word" and calls[-1] not in ("extract", "trim"):
            return True
    return False
