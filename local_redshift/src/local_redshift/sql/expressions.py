"""Edit the expressions of a statement for PostgreSQL; all that needs no edit stays byte for byte."""

from __future__ import annotations

from collections.abc import Callable

from . import windows
from .refusals import redshift_lacks
from .tokens import Tokens, closing, next_visible, parts, visible


def render(tokens: Tokens) -> str:
    """Return the tokens as PostgreSQL should read them."""
    out: list[str] = []
    i, before = 0, ""
    while i < len(tokens):
        token = tokens[i]
        following = next_visible(tokens, i)
        called = following < len(tokens) and tokens[following].text == "("
        if token.kind == "temp":
            out.append(f'"{token.text.lower()}"')
        elif token.kind != "word" or before == ".":
            out.append(token.text)
        elif called and token.low in _CALLS:
            end = closing(tokens, following)
            text, i = _CALLS[token.low](tokens, i, following, end)
            out.append(text)
            before = ")"
            continue
        elif token.low == "sysdate" and not called:
            out.append("pg_catalog.sysdate()")
        elif token.low == "approximate":
            pass
        elif token.low in ("numeric", "decimal") and not called and _is_cast(tokens, before, following):
            out.append("numeric(18,0)")
        else:
            out.append(token.text)
        if token.kind != "space":
            before = token.low
        i += 1
    return "".join(out)


def _is_cast(tokens: Tokens, before: str, following: int) -> bool:
    return before == "::" or (before == "as" and following < len(tokens) and tokens[following].text == ")")


Call = Callable[[Tokens, int, int, int], tuple[str, int]]


def _renamed(name: str) -> Call:
    def edit(tokens: Tokens, i: int, opening: int, end: int) -> tuple[str, int]:
        return f"{name}({render(tokens[opening + 1 : end])})", end + 1

    return edit


def _quote_date_part(tokens: Tokens, i: int, opening: int, end: int) -> tuple[str, int]:
    """dateadd(day, ...) has a bare word in first place; a function needs a string."""
    first, *rest = parts(tokens[opening + 1 : end])
    word = visible(first)
    part = f"'{word[0].low}'" if len(word) == 1 and word[0].kind == "word" else render(first)
    return ",".join([f"{tokens[i].text}({part}", *(render(argument) for argument in rest)]) + ")", end + 1


def _decode(tokens: Tokens, i: int, opening: int, end: int) -> tuple[str, int]:
    """decode(value, a, b, ..., default), where NULL equals NULL."""
    value, *rest = (render(argument).strip() for argument in parts(tokens[opening + 1 : end]))
    default = f" else {rest.pop()}" if len(rest) % 2 else ""
    if not rest:
        raise redshift_lacks("decode() of two arguments")
    cases = "".join(
        f" when ({value}) is not distinct from ({a}) then {b}"
        for a, b in zip(rest[::2], rest[1::2], strict=True)
    )
    return f"(case{cases}{default} end)", end + 1


def _window(edit: Callable[[Callable[[Tokens], str], Tokens, int, int, int], tuple[str, int]]) -> Call:
    return lambda tokens, i, opening, end: edit(render, tokens, i, opening, end)


_CALLS: dict[str, Call] = {
    "nvl": _renamed("coalesce"),
    "isnull": _renamed("coalesce"),
    "dateadd": _quote_date_part,
    "datediff": _quote_date_part,
    "date_add": _quote_date_part,
    "date_diff": _quote_date_part,
    "date_part": _quote_date_part,
    "decode": _decode,
    "listagg": _window(windows.listagg),
    "ratio_to_report": _window(windows.ratio_to_report),
    "first_value": _window(windows.value_function),
    "last_value": _window(windows.value_function),
    "nth_value": _window(windows.value_function),
    "lag": _window(windows.value_function),
    "lead": _window(windows.value_function),
}
