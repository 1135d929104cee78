"""Determine which relations a query block can reference and which it references, from qualified names only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from .parse import Node


@dataclass
class Block:
    """One query block: the relations of its FROM, and for each its columns that are untyped literals."""

    untyped: dict[str, set[str]] = field(default_factory=dict)

    def is_untyped(self, fields: list[str]) -> bool:
        """Return whether a column, given by name or by relation and name, is an untyped literal of a subquery."""
        if len(fields) == 1:
            return any(fields[0] in columns for columns in self.untyped.values())
        return fields[-1] in self.untyped.get(fields[-2], ())


def names_of(column: Node) -> list[str]:
    """Return the parts of a column's name, with * for a star."""
    return [part["String"]["sval"] if "String" in part else "*" for part in column["fields"]]


def column_of(value: Any) -> list[str] | None:
    """Return the parts of the name if this expression is only a column, or else None."""
    return names_of(value["ColumnRef"]) if isinstance(value, dict) and "ColumnRef" in value else None


def nodes(value: Any, into_queries: bool = False) -> Iterator[tuple[str, Node]]:
    """Yield each node of an expression with its kind. Include nodes of subqueries only if `into_queries` is true."""
    pending = [value]
    while pending:
        each = pending.pop()
        if isinstance(each, list):
            pending.extend(each)
        elif isinstance(each, dict):
            for kind, body in each.items():
                if isinstance(body, dict) and kind[0].isupper():
                    yield kind, body
                if kind in ("subselect", "subquery") and not into_queries:
                    continue
                pending.append(body)


def from_items(clause: list[Node]) -> Iterator[tuple[str, Node]]:
    """Yield the kind and node of each relation of FROM, including relations in joins, and of the joins themselves."""
    pending = list(clause)
    while pending:
        for kind, body in pending.pop().items():
            yield kind, body
            if kind == "JoinExpr":
                pending += [body["larg"], body["rarg"]]


def name_of(kind: str, body: Node) -> str:
    """Return the name by which a query references an item of FROM."""
    alias = body.get("alias", {}).get("aliasname")
    return alias or (body["relname"] if kind == "RangeVar" else "")


def conjuncts(condition: Node | None) -> Iterator[Node]:
    """Yield the parts of a condition that are joined by AND."""
    if not condition:
        return
    boolean = condition.get("BoolExpr", {})
    if boolean.get("boolop") == "AND_EXPR":
        for each in boolean["args"]:
            yield from conjuncts(each)
    else:
        yield condition


def is_equality(node: Node) -> bool:
    """Return whether this is `a = b`."""
    operation = node.get("A_Expr", {})
    return operation.get("kind") == "AEXPR_OP" and operation["name"][-1]["String"]["sval"] == "="
