"""Parse SQL with PostgreSQL's own parser."""

from __future__ import annotations

import json
from typing import Any

from postgast.native import lib

from ...errors import Refused

Node = dict[str, Any]


def parse(text: str) -> list[Node]:
    """Return the tree of each statement in libpg_query's JSON form. Raise Refused for a syntax error.

    This does not use postgast.parse(), because protobuf refuses a tree as deep as that of 50 `||` in a row.
    """
    result = lib.pg_query_parse(text.encode())
    try:
        if result.error:
            raise Refused(result.error.contents.message.decode("utf-8", "replace"))
        parsed = json.loads(result.parse_tree)
    except RecursionError:
        raise Refused("memory exhausted: the statement is nested too deeply") from None
    finally:
        lib.pg_query_free_parse_result(result)
    return [statement["stmt"] for statement in parsed["stmts"]]
