"""Translate window functions with another form in PostgreSQL: IGNORE NULLS, RATIO_TO_REPORT, LISTAGG with OVER."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import Refused
from .refusals import not_covered
from .tokens import Tokens, closing, next_visible, parts, text_of, visible

Render = Callable[[Tokens], str]
_WHOLE = " rows between unbounded preceding and unbounded following"
_BEFORE, _BEHIND = (
    " rows between unbounded preceding and 1 preceding",
    " rows between 1 following and unbounded following",
)


def over(tokens: Tokens, end: int) -> tuple[Tokens, int] | None:
    """Return the tokens inside OVER (...) after `end` and the index of its last parenthesis, or None without OVER."""
    word = next_visible(tokens, end)
    if word >= len(tokens) or tokens[word].low != "over":
        return None
    opening = next_visible(tokens, word)
    if opening >= len(tokens) or tokens[opening].text != "(":
        return None
    close = closing(tokens, opening)
    return tokens[opening + 1 : close], close


def _without_nulls_clause(tokens: Tokens) -> tuple[Tokens, str]:
    """Return an argument list without a trailing IGNORE NULLS or RESPECT NULLS, and which word it had, if any."""
    at = [i for i, token in enumerate(tokens) if token.kind != "space"]
    if len(at) > 2 and tokens[at[-1]].low == "nulls" and tokens[at[-2]].low in ("ignore", "respect"):
        return tokens[: at[-2]], tokens[at[-2]].low
    return tokens, ""


def value_function(render: Render, tokens: Tokens, i: int, opening: int, end: int) -> tuple[str, int]:
    """Translate FIRST_VALUE, LAST_VALUE, LAG or LEAD with IGNORE NULLS to an aggregate over the frame's rows."""
    name = tokens[i].low
    inside, word = _without_nulls_clause(tokens[opening + 1 : end])
    following = next_visible(tokens, end)
    if not word and following < len(tokens) and tokens[following].low in ("ignore", "respect"):
        word, end = tokens[following].low, next_visible(tokens, following)
    if word != "ignore":
        return f"{text_of(tokens[i : opening + 1])}{render(inside)})", end + 1
    found = over(tokens, end)
    if found is None:
        raise Refused(f"syntax error: {name.upper()} ... IGNORE NULLS needs OVER (...)")
    window, close = found
    value, *rest = parts(inside)
    if name == "nth_value" or (rest and [token.text for token in visible(rest[0])] != ["1"]) or len(rest) > 1:
        raise not_covered(f"{name.upper()} of more than one row away with IGNORE NULLS")
    aggregate = "local_last_value" if name in ("last_value", "lag") else "local_first_value"
    frame = {"lag": _BEFORE, "lead": _BEHIND}.get(name, "")
    # Wrap the aggregate in a function with the original name, because the column gets the function's name.
    text = f"pg_catalog.{aggregate}({render(value)}) over ({render(window)}{frame})"
    return f"pg_catalog.{name}({text}, true)", close + 1


def ratio_to_report(render: Render, tokens: Tokens, i: int, opening: int, end: int) -> tuple[str, int]:
    """Translate ratio_to_report(x) over (w) to x / sum(x) over (w)."""
    found = over(tokens, end)
    if found is None:
        raise Refused("syntax error: RATIO_TO_REPORT needs OVER (...)")
    window, close = found
    value = render(tokens[opening + 1 : end])
    return f"pg_catalog.ratio_to_report({value}, sum({value}) over ({render(window)}))", close + 1


def listagg(render: Render, tokens: Tokens, i: int, opening: int, end: int) -> tuple[str, int]:
    """Translate listagg(x, ',') within group (order by y) to listagg(x, ',' order by y), our own aggregate."""
    first, *rest = parts(tokens[opening + 1 : end])
    distinct = visible(first)[0].low == "distinct"
    value = render(first[next_visible(first, next_visible(first, -1)) :] if distinct else first).strip()
    separator = render(rest[0]).strip() if rest else "''"
    order, after = "", next_visible(tokens, end)
    if after < len(tokens) and tokens[after].low == "within":
        bracket = next_visible(tokens, next_visible(tokens, after))
        close = closing(tokens, bracket)
        order, end = " " + render(tokens[bracket + 1 : close]), close
    found = over(tokens, end)
    if found is None:
        return f"pg_catalog.listagg({'distinct ' if distinct else ''}{value}, {separator}{order})", end + 1
    if distinct:
        raise not_covered("LISTAGG(DISTINCT ...) as a window function")
    window, close = found
    # If no frame were given, ORDER BY would end the list at the current row.
    frame = _WHOLE if order else ""
    return f"pg_catalog.listagg({value}, {separator}) over ({render(window)}{order}{frame})", close + 1
