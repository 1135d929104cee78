"""Compute the shape of a statement: its text in PostgreSQL's syntax, without the parts that no rule reads.

Statements with the same shape differ only in their constants, so each shape is parsed and checked once.
"""

from __future__ import annotations

import re

from ..refusals import redshift_lacks
from ..tokens import Token, Tokens, next_visible

_MONTHS = re.compile(
    r"\d\s*(?:mons?|months?|y|yrs?|years?|decades?|c|cent|century|centuries|mil|millenni\w+)\b", re.I
)
_ROWS = re.compile(r"(\((?:[^()]*)\))(?:\s*,\s*\1)+")


def shape(tokens: Tokens) -> str:
    """Return the text to parse, with constants replaced and Redshift's own words in PostgreSQL's form."""
    out: list[str] = []
    before = Token("space", "", "")  # the last visible token
    skipped = -1
    for i, token in enumerate(tokens):
        if i <= skipped:
            continue
        if token.kind == "space":
            out.append("\n" if "\n" in token.text else " ")
            continue
        if token.kind == "string":
            out.append(_string(tokens, i, before))
        elif token.kind == "number":
            out.append(token.text if before.text == "$" else "1")
        elif token.kind == "temp":
            out.append(f'"{token.low}"')
        elif token.kind == "word":
            skipped = _skip(tokens, i, before)
            if skipped < i:
                out.append(_word(tokens, i))
        else:
            out.append(token.text)
        before = token
    text = "".join(out)
    return _ROWS.sub(r"\1", text) if "values" in text else text


def _string(tokens: Tokens, i: int, before: Token) -> str:
    if before.low == "interval" and before.kind == "word":
        return "'1 month'" if _MONTHS.search(tokens[i].text) else "'1'"
    return "'x'"


def _skip(tokens: Tokens, i: int, before: Token) -> int:
    """Return the index of the last token to omit here because only Redshift has it and no rule needs it, or -1."""
    low = tokens[i].low
    following = next_visible(tokens, i)
    after = tokens[following] if following < len(tokens) else Token("space", "", "")
    if low in ("ignore", "respect") and after.low == "nulls":
        return following
    if low == "approximate" and after.kind == "word":
        return i
    if low == "distinct" and before.text == "(" and _called(tokens, i) in ("listagg", "approximate count"):
        return i
    return -1


def _called(tokens: Tokens, i: int) -> str:
    """Return the name before the parenthesis that precedes i, or an empty string if there is none."""
    seen = [token for token in tokens[max(0, i - 6) : i] if token.kind != "space"]
    if len(seen) < 2 or seen[-1].text != "(":
        return ""
    return "approximate count" if [t.low for t in seen[-3:-1]] == ["approximate", "count"] else seen[-2].low


def _word(tokens: Tokens, i: int) -> str:
    """Return a word. Raise Refused for a constant in a form that only PostgreSQL accepts."""
    token = tokens[i]
    if _called(tokens, i) == "extract":
        return "day"  # `dec` is a different keyword in PostgreSQL
    if token.low == "max" and _called(tokens, i) in ("varchar", "nvarchar", "varying"):
        return "1"
    glued = tokens[i + 1] if i + 1 < len(tokens) else Token("space", "", "")
    if glued.kind == "string":
        if token.low == "e":
            return ""
        if token.low in ("b", "x", "n"):
            raise redshift_lacks(f"constant {token.text}'...'")
    if (
        token.low == "u"
        and glued.text == "&"
        and i + 2 < len(tokens)
        and tokens[i + 2].kind in ("string", "name")
    ):
        raise redshift_lacks("constant U&'...'")
    return token.low
