"""Check that every part of a statement is documented."""

from __future__ import annotations

import contextlib
import re
from functools import lru_cache

from ...errors import Refused
from ..refusals import not_covered, redshift_lacks
from ..tokens import Tokens, next_visible
from .nodes import FIELDS
from .parse import parse
from .shape import shape
from .subqueries import Queries
from .tables import lacks
from .targets import check_delete, check_update
from .walk import Walk

_NUMBERED = re.compile(r"(?<![\w$])([a-z_]\w*\d\w*)\s*\.")
functions: set[str] = set()
"""Names of the functions that users of this server created."""


Rows = tuple[tuple[str, str], ...]
"""Pairs of a relation and its name in a query that uses that name as a column."""


def check(tokens: Tokens) -> Rows:
    """Raise Refused with the name of an undocumented feature. Return the pairs that only the database can check."""
    text = shape(tokens)
    renamed = _rename(text)
    try:
        if renamed != text:
            with contextlib.suppress(Refused):
                if not check_shape(renamed):
                    return ()
        # Check the original text, so that messages and rows have the statement's own names.
        return check_shape(text)
    except Refused as refused:
        if not str(refused).startswith(("syntax error", "Amazon Redshift has no")):
            raise
        if str(refused) == 'syntax error at or near "exclude"':
            raise not_covered("EXCLUDE (name the columns)") from None
        if re.search(r"\(\s*\+\s*\)", text):
            raise not_covered("(+) in a join (use LEFT JOIN)") from None
        # PostgreSQL's parser does not parse calls of some of Redshift's functions.
        for i, token in enumerate(tokens):
            following = next_visible(tokens, i)
            called = following < len(tokens) and tokens[following].text == "("
            if called and token.kind == "word" and lacks(token.low):
                raise not_covered(f"function {token.low}()") from None
        raise


def _rename(text: str) -> str:
    """Rename each qualifier that has a digit, such as the schema of a run or of a test, to qualifier_n.

    No rule depends on such a name, and with the new name, the statements of all runs have the same shape.
    """
    names = dict.fromkeys(_NUMBERED.findall(text))
    for number, name in enumerate(names):
        text = re.sub(rf"\b{name}\b", f"qualifier_{number}", text)
    return text


@lru_cache(maxsize=4096)
def check_shape(text: str) -> Rows:
    """Check a shape of statement once. Refusals are not cached, because a function may be created later."""
    rows: list[tuple[str, str]] = []
    for tree in parse(text):
        if "CallStmt" in tree:
            raise not_covered("CALL, and procedures")
        if not tree.keys() & FIELDS.keys():
            raise redshift_lacks(text.split()[0].upper())
        if Walk(functions).statement(tree):
            continue
        for kind, body in tree.items():
            if kind == "UpdateStmt":
                check_update(body)
            elif kind == "DeleteStmt":
                check_delete(body)
        queries = Queries()
        queries.statement(tree)
        rows += queries.rows
    return tuple(rows)
