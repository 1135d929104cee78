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
from .tables import FUNCTIONS
from .targets import check_delete, check_update
from .walk import Walk

_NUMBERED = re.compile(r"(?<![\w$])([a-z_]\w*\d\w*)\s*\.")
functions: set[str] = set()
"""Names of the functions that users of this server created."""


Rows = tuple[tuple[str, str], ...]
"""Pairs of a relation and of its name in a query, which is used as the name of a column."""


def check(tokens: Tokens) -> Rows:
    """Raise Refused with the name of anything undocumented. Return what only the database can decide."""
    text = shape(tokens)
    try:
        with contextlib.suppress(Refused):
            if not check_shape(_rename(text)):
                return ()
        # Messages and rows have the names of the statement.
        return check_shape(text)
    except Refused as refused:
        if not str(refused).startswith(("syntax error", "Amazon Redshift has no")):
            raise
        if str(refused) == 'syntax error at or near "exclude"':
            raise not_covered("EXCLUDE (name the columns)") from None
        if re.search(r"\(\s*\+\s*\)", text):
            raise not_covered("(+) in a join (use LEFT JOIN)") from None
        # PostgreSQL's parser does not read some of Redshift's functions as functions.
        for i, token in enumerate(tokens):
            function = FUNCTIONS.get(token.low) if token.kind == "word" else None
            following = next_visible(tokens, i)
            if function and not function.here and following < len(tokens) and tokens[following].text == "(":
                raise not_covered(f"function {function.name}()") from None
        raise


def _rename(text: str) -> str:
    """Return the shape with one name for each qualifier that has a digit, such as the schema of a run or of a test.

    No rule looks at such a name, and without it the statements of all runs have one shape.
    """
    names = dict.fromkeys(_NUMBERED.findall(text))
    for number, name in enumerate(names):
        text = re.sub(rf"\b{name}\b", f"qualifier_{number}", text)
    return text


@lru_cache(maxsize=4096)
def check_shape(text: str) -> Rows:
    """Check one shape of statement, once. (A refusal is not kept: a function may be created later.)"""
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
