"""Rewrite queries that PostgreSQL cannot parse: TOP, QUALIFY, MINUS, SELECT INTO #t, DELETE without FROM."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import Refused
from .documented.tables import TYPES
from .refusals import not_covered
from .tokens import Token, Tokens, closing, next_visible, parts, text_of, tokenize, visible

_SET_OPERATORS = {"union", "intersect", "except", "minus"}
_CLAUSES = {"into", "from", "where", "group", "having", "qualify", "order", "limit", "offset"}


@dataclass(frozen=True)
class Select:
    """One SELECT block inside a list of tokens: `start` is the word SELECT, and `end` follows its last token."""

    start: int
    end: int
    items: int  # index at which the select list begins
    clauses: dict[str, int]  # indexes at which the clauses begin
    in_set: bool  # part of a UNION, INTERSECT, EXCEPT or MINUS

    def clause(self, name: str) -> tuple[int, int]:
        """Return the range of a clause's tokens without its keyword, or an empty range if there is no such clause."""
        if name not in self.clauses:
            return self.end, self.end
        at = self.clauses[name]
        return at + 1, min([i for i in self.clauses.values() if i > at], default=self.end)

    @property
    def list_end(self) -> int:
        return min(self.clauses.values(), default=self.end)


def selects(tokens: Tokens) -> list[Select]:
    """Return every SELECT block, outer ones first."""
    return [
        _select(tokens, i) for i, token in enumerate(tokens) if token.low == "select" and token.kind == "word"
    ]


def _select(tokens: Tokens, start: int) -> Select:
    clauses: dict[str, int] = {}
    i, before, in_set = start + 1, "select", _follows_set_operator(tokens, start)
    while i < len(tokens):
        token = tokens[i]
        if token.text == "(":
            i = closing(tokens, i)
        elif token.text in (")", ";"):
            break
        elif token.kind == "word" and before != "." and token.low in _SET_OPERATORS:
            in_set = True
            break
        elif token.kind == "word" and token.low in _CLAUSES and before not in (".", "as"):
            clauses.setdefault(token.low, i)  # ignore a later FROM, as in IS DISTINCT FROM
        if tokens[i].kind != "space":
            before = tokens[i].low
        i += 1
    items = next_visible(tokens, start)
    if items < len(tokens) and tokens[items].low in ("distinct", "all"):
        items = next_visible(tokens, items)
    return Select(start, min(i, len(tokens)), items, clauses, in_set)


def _follows_set_operator(tokens: Tokens, start: int) -> bool:
    before = [token.low for token in visible(tokens[max(0, start - 8) : start])]
    return any(word in _SET_OPERATORS for word in before[-2:])


def rewrite(tokens: Tokens) -> list[Token]:
    """Return the statement with TOP, QUALIFY, MINUS and similar syntax rewritten."""
    found = list(tokens)
    first = next_visible(found, -1)
    words = {token.low for token in found if token.kind == "word"}
    if found[first].low == "delete" and found[next_visible(found, first)].low != "from":
        found[first : first + 1] = tokenize("delete from")
    if "convert" in words:
        found = _convert(found)
    if "into" in words and found[first].low in ("select", "with"):
        found = _into_temporary(found)
    if "top" in words:
        found = _rewrite_each(found, "top")
    if "qualify" in words:
        found = _rewrite_each(found, "qualify")
    if "minus" in words:
        found = [
            Token("word", "except", "except") if token.low == "minus" and _is_operator(found, i) else token
            for i, token in enumerate(found)
        ]
    return found


def _convert(tokens: list[Token]) -> list[Token]:
    """Rewrite CONVERT(type, value) as a cast: https://docs.aws.amazon.com/redshift/latest/dg/r_CONVERT_function.html"""
    for i in reversed(range(len(tokens))):
        opening = next_visible(tokens, i)
        if tokens[i].low == "convert" and opening < len(tokens) and tokens[opening].text == "(":
            end = closing(tokens, opening)
            found = parts(tokens[opening + 1 : end])
            if len(found) == 2 and visible(found[0])[0].low in TYPES:
                tokens = [
                    *tokens[:i],
                    *tokenize("cast("),
                    *found[1],
                    *tokenize(" as "),
                    *found[0],
                    *tokens[end:],
                ]
    return tokens


def _is_operator(tokens: Tokens, i: int) -> bool:
    following = next_visible(tokens, i)
    return following < len(tokens) and tokens[following].low in ("select", "(", "all")


def _into_temporary(tokens: list[Token]) -> list[Token]:
    for block in selects(tokens):
        name = next_visible(tokens, block.clauses.get("into", len(tokens)))
        if name < len(tokens) and tokens[name].kind == "temp":
            return [*tokens[:name], *tokenize("temp "), *tokens[name:]]
    return tokens


def _rewrite_each(tokens: list[Token], word: str) -> list[Token]:
    """Rewrite the blocks that have this word one by one, innermost first."""
    while True:
        blocks = [block for block in selects(tokens) if _has(tokens, block, word)]
        if not blocks:
            return tokens
        block = blocks[-1]
        edit = _without_top if word == "top" else _without_qualify
        tokens = [*tokens[: block.start], *edit(tokens, block), *tokens[block.end :]]


def _has(tokens: Tokens, block: Select, word: str) -> bool:
    if word == "qualify":
        return "qualify" in block.clauses
    return (
        block.items < len(tokens) and tokens[block.items].low == "top" and tokens[block.items].kind == "word"
    )


def _without_top(tokens: Tokens, block: Select) -> list[Token]:
    if block.in_set or "limit" in block.clauses:
        raise Refused(
            "TOP together with UNION, INTERSECT, EXCEPT or LIMIT: put the SELECT with TOP into a subquery"
        )
    count = next_visible(tokens, block.items)
    end = closing(tokens, count) + 1 if tokens[count].text == "(" else count + 1
    limit = text_of(tokens[count:end])
    rest = text_of(tokens[block.start : block.items]) + text_of(tokens[end : block.end]).strip()
    return tokenize(f"{rest} limit {limit} ")


def _without_qualify(tokens: Tokens, block: Select) -> list[Token]:
    """Move the block to a subquery that computes QUALIFY's condition, and return a query that filters by it."""
    if "from" not in block.clauses:
        raise Refused("syntax error: QUALIFY needs a FROM clause")
    names = {name: value for _, name, value in aliases(tokens, block)}
    start, end = block.clause("qualify")
    condition = text_of(spelled(tokens[start:end], names))
    inner: list[str] = []
    outer: list[str] = []
    for number, item in enumerate(parts(tokens[block.items : block.list_end]), 1):
        value, name = split_alias(item)
        shown = visible(value)
        if shown[-1].text == "*" and (len(shown) == 1 or len(shown) == 3):
            relations = [shown[0].text] if len(shown) == 3 else _relations(tokens, block)
            for relation in relations:
                inner.append(f"{relation} as local_{number}_{len(inner)}")
                outer.append(f"(local_{number}_{len(outer)}).*")
            continue
        inner.append(f"{text_of(value).strip()} as local_{number}")
        outer.append(f'local_{number} as "{name or _own_name(value)}"')
    distinct = "distinct " if tokens[next_visible(tokens, block.start)].low == "distinct" else ""
    body = text_of(tokens[block.list_end : block.clauses["qualify"]])
    after = text_of(tokens[end : block.end])
    return tokenize(
        f"select {distinct}{', '.join(outer)} from (select {', '.join(inner)}, ({condition}) as local_keep {body})"
        f" as local_qualified where local_keep {after}"
    )


def _relations(tokens: Tokens, block: Select) -> list[str]:
    """Return the names or aliases of the tables in FROM, to expand `*`."""
    start, end = block.clause("from")
    found, i, expected = [], next_visible(tokens, start - 1), True
    while i < end:
        token = tokens[i]
        if token.low in ("natural", "using"):
            raise not_covered("QUALIFY with `*` over JOIN ... USING or NATURAL JOIN (name the columns)")
        if expected:
            i = closing(tokens, i) if token.text == "(" else i
            while (dot := next_visible(tokens, i)) < end and tokens[dot].text == ".":
                i = next_visible(tokens, dot)
            name, following = tokens[i].text, next_visible(tokens, i)
            if following < end and tokens[following].low == "as":
                following = next_visible(tokens, following)
            if (
                following < end
                and tokens[following].kind in ("word", "name")
                and tokens[following].low not in _JOINS
            ):
                name, i = tokens[following].text, following
            found.append(name)
            expected = False
        elif token.text == "," or token.low == "join":
            expected = True
        elif token.text == "(":
            i = closing(tokens, i)
        i = next_visible(tokens, i)
    return found


_JOINS = {"join", "inner", "left", "right", "full", "cross", "natural", "on", "using"}


def _own_name(value: Tokens) -> str:
    """Return the name that a column has without an alias."""
    shown = visible(value)
    if shown[-1].kind in ("word", "name") and (len(shown) == 1 or shown[-2].text == "."):
        return shown[-1].text.strip('"').lower() if shown[-1].kind == "word" else shown[-1].text.strip('"')
    if len(shown) > 1 and shown[0].kind == "word" and shown[1].text == "(":
        return shown[0].low
    return "?column?"


def split_alias(item: Tokens) -> tuple[Tokens, str]:
    """Return an item of a select list without its alias, and the alias or an empty string."""
    at = [i for i, token in enumerate(item) if token.kind != "space"]
    if len(at) < 2 or item[at[-1]].kind not in ("word", "name"):
        return item, ""
    last, previous = item[at[-1]], item[at[-2]]
    name = last.text[1:-1] if last.kind == "name" else last.low
    if previous.low == "as" and previous.kind == "word":
        return item[: at[-2]], name
    if last.low == "end" or last.low in _NO_ALIAS:
        return item, ""
    if previous.kind in ("name", "number", "string") or previous.text == ")" or previous.low == "end":
        return item[: at[-1]], name
    if (
        previous.kind == "word"
        and previous.low not in _NO_NAME
        and (len(at) < 3 or item[at[-3]].text != "::")
    ):
        return item[: at[-1]], name
    return item, ""


_NO_ALIAS = {"null", "true", "false", "precision", "varying", "zone"}
_NO_NAME = {
    "and", "or", "not", "is", "in", "like", "ilike", "similar", "between", "case", "when", "then", "else", "interval",
    "date", "timestamp", "timestamptz", "time", "double", "character", "distinct", "from", "by", "over",
}  # fmt: skip


def aliases(tokens: Tokens, block: Select) -> list[tuple[int, str, Tokens]]:
    """Return the aliases of a select list: the index after the item, the name, and the value."""
    found = []
    at = block.items
    for item in parts(tokens[block.items : block.list_end]):
        value, name = split_alias(item)
        at += len(item)
        if name:
            found.append((at, name, value))
        at += 1
    return found


def spelled(tokens: Tokens, values: dict[str, Tokens]) -> list[Token]:
    """Return the tokens with each unqualified name in `values` replaced by its value in parentheses."""
    out: list[Token] = []
    before = ""
    for i, token in enumerate(tokens):
        following = next_visible(tokens, i)
        after = tokens[following].text if following < len(tokens) else ""
        name = token.text[1:-1] if token.kind == "name" else token.low
        if (
            token.kind in ("word", "name")
            and name in values
            and before not in (".", "as")
            and after not in ("(", ".")
        ):
            out += [Token("other", "(", "("), *visible_ends(values[name]), Token("other", ")", ")")]
        else:
            out.append(token)
        if token.kind != "space":
            before = token.low
    return out


def visible_ends(tokens: Tokens) -> list[Token]:
    """Return the tokens without leading and trailing white space."""
    at = [i for i, token in enumerate(tokens) if token.kind != "space"]
    return list(tokens[at[0] : at[-1] + 1]) if at else []
