"""Split SQL into tokens that keep every character, and navigate them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from ..errors import Refused


class Token(NamedTuple):
    kind: str  # space, string, name (quoted), temp (#name), word, number, other
    text: str
    low: str


Tokens = Sequence[Token]


_TOKEN = re.compile(
    r"""(?P<space>(?:\s+|--[^\n]*|/\*.*?\*/)+)
      | (?P<string>'(?:[^'\\]|\\.|'')*'|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)
      | (?P<name>"(?:[^"]|"")*")
      | (?P<temp>(?<![\w)])\#[A-Za-z_]\w*)
      | (?P<word>[A-Za-z_\x80-\uffff][\w$\x80-\uffff]*)
      | (?P<number>\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+)
      | (?P<other>::|->>?|\#>>?|.)""",
    re.VERBOSE | re.DOTALL,
)


def tokenize(sql: str) -> list[Token]:
    return [
        Token(m.lastgroup if m.lastgroup != "tag" else "string", m.group(), m.group().lower())  # type: ignore[arg-type]
        for m in _TOKEN.finditer(sql)
    ]


def split(tokens: Tokens) -> list[list[Token]]:
    pieces: list[list[Token]] = [[]]
    for token in tokens:
        if token.text == ";":
            pieces.append([])
        else:
            pieces[-1].append(token)
    return [piece for piece in pieces if any(token.kind != "space" for token in piece)]


def visible(tokens: Tokens) -> list[Token]:
    """Return the tokens without white space and comments."""
    return [token for token in tokens if token.kind != "space"]


# Words that may follow a number without a space, as in `case when x = 4then 1 end`.
_AFTER_NUMBER = {
    "and", "or", "then", "when", "else", "end", "as", "from", "where", "union", "order", "group", "having", "limit",
    "is", "in", "not", "between", "like", "asc", "desc", "offset", "on", "over", "select", "values", "rows", "percent",
    "following", "preceding",
}  # fmt: skip


def separate_numbers(tokens: Tokens) -> list[Token]:
    """Return the tokens with a space between a number and a word that follows it directly, as in 4WHEN.

    Raise Refused for PostgreSQL's forms 1_000 and 0x1F.
    """
    out: list[Token] = []
    for token in tokens:
        if token.kind == "word" and out and out[-1].kind == "number":
            if token.low not in _AFTER_NUMBER:
                raise Refused(f'syntax error at or near "{out[-1].text}{token.text}"')
            out.append(Token("space", " ", " "))
        out.append(token)
    return out


def fold(tokens: Tokens) -> list[Token]:
    """Return the tokens with quoted names in lower case, which is Redshift's default."""
    return [
        token._replace(text=_ascii_lower(token.text)) if token.kind == "name" else token for token in tokens
    ]


def _ascii_lower(text: str) -> str:
    return re.sub("[A-Z]+", lambda match: match[0].lower(), text)


def text_of(tokens: Tokens) -> str:
    return "".join(token.text for token in tokens)


def next_visible(tokens: Tokens, i: int) -> int:
    """Return the index of the next visible token after i, or the number of tokens."""
    i += 1
    while i < len(tokens) and tokens[i].kind == "space":
        i += 1
    return i


def closing(tokens: Tokens, i: int) -> int:
    """Return the index of the parenthesis that closes the one at i."""
    depth = 0
    for j in range(i, len(tokens)):
        if tokens[j].text == "(":
            depth += 1
        elif tokens[j].text == ")":
            depth -= 1
            if depth == 0:
                return j
    raise Refused("syntax error: a bracket is not closed")


def parts(tokens: Tokens) -> list[Tokens]:
    """Split the tokens at commas outside parentheses."""
    parts: list[list[Token]] = [[]]
    depth = 0
    for token in tokens:
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if token.text == "," and depth == 0:
            parts.append([])
        else:
            parts[-1].append(token)
    return list(parts)


def identifier(token: Token) -> str:
    return token.text[1:-1].replace('""', '"') if token.kind == "name" else token.low


def literal(value: str | None) -> str:
    return "null" if value is None else "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"
