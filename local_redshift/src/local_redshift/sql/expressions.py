"""Edit the expressions of a statement for PostgreSQL. All other text stays byte for byte."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import Refused
from . import windows
from .refusals import redshift_lacks
from .tokens import Tokens, closing, next_visible, parts, text_of, visible


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
        elif called and token.low in _TEXT_TYPES and before != "function":
            end = closing(tokens, following)
            out.append(text_type(token.low, text_of(tokens[following + 1 : end]).strip().lower()))
            before, i = ")", end + 1
            continue
        elif called and token.low in ("numeric", "decimal") and before in ("::", "as"):
            end = closing(tokens, following)
            check_size(token.low, text_of(tokens[following + 1 : end]).strip())
            out.append(token.text)
        elif token.low == "nvarchar" and not called:
            out.append("varchar")
        elif token.low == "sysdate" and not called:
            out.append('pg_catalog."timestamp"()')
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


# Text types with a length, and for each PostgreSQL's spelling and the maximum length.
_TEXT_TYPES = {
    "varchar": ("varchar", 65535), "nvarchar": ("varchar", 65535), "varying": ("varying", 65535),
    "char": ("char", 4096), "character": ("character", 4096), "nchar": ("char", 4096), "bpchar": ("char", 4096),
}  # fmt: skip


def text_type(name: str, size: str) -> str:
    """Return a text type in PostgreSQL's spelling. Raise Refused for a length that Redshift does not support.

    https://docs.aws.amazon.com/redshift/latest/dg/r_Character_types.html
    """
    spelled, longest = _TEXT_TYPES[name]
    size = str(longest) if size == "max" else size
    if size.isdigit() and not 1 <= int(size) <= longest:
        kind = "character varying" if longest == 65535 else "character"
        raise Refused(f"length for type {kind} cannot exceed {longest}: {size}")
    return f"{spelled}({size})"


def check_size(type_: str, size: str) -> None:
    """Raise Refused for a precision or a scale that a type does not support."""
    first = size.split(",")[0].strip()
    if type_ in ("numeric", "decimal") and first.isdigit() and int(first) > 38:
        raise Refused(f"Precision exceeds maximum of 38: {type_}({size})")
    if type_ in ("numeric", "decimal") and "," in size and not 0 <= int(size.split(",")[1]) <= 37:
        raise Refused(f"Scale must be between 0 and 37: {type_}({size})")
    if type_.startswith(("timestamp", "time")):
        raise redshift_lacks(f"{type_.upper()} with a precision (it always has microseconds)")


def _is_cast(tokens: Tokens, before: str, following: int) -> bool:
    return before == "::" or (before == "as" and following < len(tokens) and tokens[following].text == ")")


Call = Callable[[Tokens, int, int, int], tuple[str, int]]


def _renamed(name: str) -> Call:
    def edit(tokens: Tokens, i: int, opening: int, end: int) -> tuple[str, int]:
        return f"{name}({render(tokens[opening + 1 : end])})", end + 1

    return edit


_YEARS = {
    "year", "years", "y", "yr", "yrs", "decade", "decades", "dec", "decs", "century", "centuries", "c", "cent", "cents",
    "millennium", "millennia", "mil", "mils",
}  # fmt: skip


def _date_function(name: str) -> Call:
    """Return an editor that quotes the first word of dateadd(day, ...). `name` becomes the function and column name."""

    def edit(tokens: Tokens, i: int, opening: int, end: int) -> tuple[str, int]:
        first, *rest = parts(tokens[opening + 1 : end])
        word = visible(first)
        part = f"'{word[0].low}'" if len(word) == 1 and word[0].kind == "word" else render(first)
        arguments = [part, *(render(argument) for argument in rest)]
        if name == "date_add" and part.strip("' ").lower() in _YEARS:
            arguments.append(" true")
        return f"{name}({','.join(arguments)})", end + 1

    return edit


def _extract(tokens: Tokens, i: int, opening: int, end: int) -> tuple[str, int]:
    """Translate extract(day from x) to date_part('day', x), because Redshift names the column date_part."""
    part = next_visible(tokens, opening)
    from_ = next_visible(tokens, part)
    if tokens[part].kind not in ("word", "string") or tokens[from_].low != "from":
        raise Refused("syntax error: EXTRACT needs the form EXTRACT(datepart FROM source)")
    word = tokens[part].text if tokens[part].kind == "string" else f"'{tokens[part].low}'"
    return f"pg_catalog.date_part({word},{render(tokens[from_ + 1 : end])})", end + 1


def _decode(tokens: Tokens, i: int, opening: int, end: int) -> tuple[str, int]:
    """Translate decode(value, a, b, ..., default), in which NULL equals NULL."""
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
    "dateadd": _date_function("date_add"),
    "datediff": _date_function("date_diff"),
    "date_add": _date_function("date_add"),
    "date_diff": _date_function("date_diff"),
    "date_part": _date_function("pgdate_part"),
    "pgdate_part": _date_function("pgdate_part"),
    "extract": _extract,
    "decode": _decode,
    "listagg": _window(windows.listagg),
    "ratio_to_report": _window(windows.ratio_to_report),
    "first_value": _window(windows.value_function),
    "last_value": _window(windows.value_function),
    "nth_value": _window(windows.value_function),
    "lag": _window(windows.value_function),
    "lead": _window(windows.value_function),
}
