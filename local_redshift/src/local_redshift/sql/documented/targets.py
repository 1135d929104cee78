"""Check how UPDATE ... FROM and DELETE refer to their target.

https://docs.aws.amazon.com/redshift/latest/dg/r_UPDATE.html (usage notes), .../r_DELETE.html
"""

from __future__ import annotations

from ...errors import Refused
from ..refusals import redshift_lacks
from .parse import Node
from .scopes import conjuncts, from_items, is_equality, name_of, names_of, nodes

_NO_EQUALITY = "Target table must be part of an equijoin predicate"


def check_update(body: Node) -> None:
    """Raise Refused for an outer join in FROM, or if no equality compares the target with a table of FROM."""
    if "fromClause" not in body:
        return
    for kind, item in from_items(body["fromClause"]):
        if kind == "JoinExpr" and item["jointype"] != "JOIN_INNER":
            raise Refused(f"{_NO_EQUALITY} (an outer join in the FROM clause of UPDATE)")
    target = name_of("RangeVar", body["relation"])
    for condition in conjuncts(body.get("whereClause")):
        if is_equality(condition) and _joins(condition["A_Expr"], target):
            return
    raise Refused(f"{_NO_EQUALITY}: compare a column of {target} with one of FROM by = in WHERE")


def _joins(operation: Node, target: str) -> bool:
    """Return whether one side can be the target's and the other FROM's. An unqualified column can belong to both."""
    owners = []
    for side in ("lexpr", "rexpr"):
        columns = [names_of(node) for kind, node in nodes(operation[side]) if kind == "ColumnRef"]
        if not columns:
            return False
        owners.append({name[-2] if len(name) > 1 else "" for name in columns})
    return any(mine <= {target, ""} and other != {target} for mine, other in (owners, owners[::-1]))


def check_delete(body: Node) -> None:
    """Raise Refused if the target has an alias."""
    if "alias" in body["relation"]:
        raise redshift_lacks("alias for the target of DELETE (write the name of the table)")
