"""Refuse subqueries that Redshift cannot plan: some correlated ones, and uses of a subquery's untyped literals.

https://docs.aws.amazon.com/redshift/latest/dg/r_correlated_subqueries.html. Redshift leaves a literal without a cast
`unknown`, as PostgreSQL did before version 10: https://github.com/calogica/dbt-expectations/issues/99, and
https://github.com/snowplow/dbt-snowplow-attribution/issues/9 for NULL.
"""

from __future__ import annotations

import re
from typing import Any

from ...errors import Refused
from .parse import Node
from .scopes import Block, column_of, conjuncts, from_items, is_equality, name_of, names_of, nodes

_PATTERN = "This type of correlated subquery pattern is not supported yet"
_AGGREGATES = {
    "sum", "count", "avg", "listagg", "median", "stddev", "stddev_pop", "stddev_samp", "variance", "var_pop",
    "var_samp", "bool_and", "bool_or", "bit_and", "bit_or", "any_value",
}  # fmt: skip
_UNTYPED = "failed to find conversion function from \"unknown\" to text: cast the literal, as in 'x'::varchar"
_EXPRESSIONS = ("targetList", "whereClause", "groupClause", "havingClause", "sortClause")
_PLAIN = {
    "AEXPR_OP", "AEXPR_IN", "AEXPR_LIKE", "AEXPR_ILIKE", "AEXPR_SIMILAR", "AEXPR_BETWEEN", "AEXPR_NOT_BETWEEN",
}  # fmt: skip


class Queries:
    """Checks the query blocks of one statement from the outside in."""

    def __init__(self) -> None:
        self._with: dict[str, set[str]] = {}  # the untyped columns of each query in WITH
        self.rows: list[tuple[str, str]] = []
        """Relations whose name is used as a column. It is the whole row in PostgreSQL, unless the column exists."""

    def statement(self, tree: Node) -> None:
        """Check every query of a statement, and raise Refused if Redshift could not plan it."""
        for kind, body in tree.items():
            if kind == "SelectStmt":
                self.select(body, [])
                return
            self._statement(kind, body)

    def _statement(self, kind: str, body: Node) -> None:
        if "withClause" in body:
            self._ctes(body["withClause"], [])
        if kind in ("UpdateStmt", "DeleteStmt"):
            others = body.get("fromClause", []) + body.get("usingClause", [])
            block = self._block([{"RangeVar": body["relation"]}, *others], [])
            for clause in ("whereClause", "targetList"):
                self._expression(body.get(clause), [block])
                self._reads_untyped(body.get(clause), block)
            return
        for inner in ("selectStmt", "query"):
            if isinstance(body.get(inner), dict):
                self.statement(body[inner])

    def select(self, select: Node, outer: list[Block]) -> set[str]:
        """Check a query, and return the names of its columns that are untyped literals."""
        if "withClause" in select:
            self._ctes(select["withClause"], outer)
        if select["op"] != "SETOP_NONE":
            self.select(select["larg"], outer)
            self.select(select["rarg"], outer)
            return set()
        block = self._block(select.get("fromClause", []), outer)
        for clause in _EXPRESSIONS:
            self._expression(select.get(clause), [*outer, block])
            self._reads_untyped(select.get(clause), block)
        self._refuse_untyped(_keys(select), block)
        self._note_rows(select)
        self._grouped(select, block)
        _sorts_once(select)
        return self._untyped_columns(select, block)

    def _ctes(self, clause: Node, outer: list[Block]) -> None:
        for each in clause["ctes"]:
            cte = each["CommonTableExpr"]
            query = cte["ctequery"]["SelectStmt"]
            untyped = self.select(query, [*outer, Block()])
            self._with[cte["ctename"]] = _renamed(query, untyped, cte.get("aliascolnames", []))

    def _block(self, clause: list[Node], outer: list[Block]) -> Block:
        """Check the subqueries and conditions of FROM, and return the names that it defines."""
        block = Block()
        for kind, item in from_items(clause):
            name = name_of(kind, item)
            if kind == "RangeSubselect":
                query = item["subquery"]["SelectStmt"]
                if outer:
                    self._correlated(query, [*outer, Block()])
                columns = item.get("alias", {}).get("colnames", [])
                # An empty block in place of this one: a derived table cannot reference other items of its FROM clause.
                block.untyped[name] = _renamed(query, self.select(query, [*outer, Block()]), columns)
            elif kind == "RangeVar":
                block.untyped[name] = (
                    set() if "schemaname" in item else self._with.get(item["relname"], set())
                )
            elif kind == "RangeFunction":
                block.untyped[name] = set()
        for kind, item in from_items(clause):
            if kind == "JoinExpr" and "quals" in item:
                outside = item["jointype"] != "JOIN_INNER"
                self._expression(item["quals"], [*outer, block], in_outer_join=outside)
                self._reads_untyped(item["quals"], block)
        return block

    # Correlation -------------------------------------------------------------------------------------------

    def _expression(self, value: Any, blocks: list[Block], in_outer_join: bool = False) -> None:
        for kind, body in nodes(value):
            if kind == "SubLink":
                query = body["subselect"]["SelectStmt"]
                correlated = self._correlated(query, blocks)
                if correlated:
                    if in_outer_join:
                        raise Refused(f"{_PATTERN}: a correlated subquery in the ON of an outer join")
                    self._pattern(body["subLinkType"], query, blocks)
                self.select(query, blocks)

    def _correlated(self, query: Node, blocks: list[Block]) -> bool:
        """Return whether a query names a column of the block around it.

        Refuse a reference to a block that is not the directly enclosing block.
        """
        known = [block.untyped.keys() for block in blocks]
        own = {name_of(kind, item) for kind, item in from_items(query.get("fromClause", []))}
        found = False
        clauses = [query.get(clause) for clause in (*_EXPRESSIONS, "larg", "rarg")]
        clauses += [
            item.get("quals") for kind, item in from_items(query.get("fromClause", [])) if kind == "JoinExpr"
        ]
        for kind, body in nodes(clauses):
            if kind != "ColumnRef" or len(names := names_of(body)) < 2 or names[-2] in own:
                continue
            levels = [i for i, each in enumerate(reversed(known)) if names[-2] in each]
            if levels and levels[0] > 0:
                raise Refused(f"{_PATTERN}: {'.'.join(names)} skips a query block")
            found = found or bool(levels)
        return found

    def _pattern(self, link: str, query: Node, blocks: list[Block]) -> None:
        """Raise Refused for a correlated subquery that cannot be turned into a join."""
        if "limitCount" in query or "limitOffset" in query:
            raise Refused(f"{_PATTERN}: LIMIT in a correlated subquery")
        clauses = [query.get("targetList"), query.get("whereClause")]
        calls = [body for kind, body in nodes(clauses) if kind == "FuncCall"]
        if any("over" in call for call in calls):
            raise Refused(f"{_PATTERN}: a window function in a correlated subquery")
        aggregates = [call for call in calls if call["funcname"][-1]["String"]["sval"] in _AGGREGATES]
        if link == "ANY_SUBLINK" and aggregates and "groupClause" in query:
            raise Refused(f"{_PATTERN}: IN with an aggregate and GROUP BY in a correlated subquery")
        outer = blocks[-1].untyped.keys() - {
            name_of(k, i) for k, i in from_items(query.get("fromClause", []))
        }
        conditions = [each for each in conjuncts(query.get("whereClause")) if _names(each, outer)]
        equal = [is_equality(each) for each in conditions]
        if conditions and (not any(equal) or (link == "EXPR_SUBLINK" and not all(equal))):
            raise Refused(f"{_PATTERN}: another comparison than = with the outer query")

    def _grouped(self, select: Node, block: Block) -> None:
        """Raise Refused for GROUP BY a column that is a correlated subquery."""
        targets = [each["ResTarget"] for each in select.get("targetList", [])]
        queries = {each.get("name"): each["val"]["SubLink"] for each in targets if "SubLink" in each["val"]}
        for names in map(column_of, select.get("groupClause", [])):
            link = queries.get(names[0]) if names is not None and len(names) == 1 else None
            if link is not None and self._correlated(link["subselect"]["SelectStmt"], [block]):
                raise Refused(f"{_PATTERN}: GROUP BY the result of a correlated subquery")

    def _note_rows(self, select: Node) -> None:
        relations = {
            name_of(kind, item): ".".join(
                f'"{item[part]}"' for part in ("schemaname", "relname") if part in item
            )
            for kind, item in from_items(select.get("fromClause", []))
            if kind == "RangeVar" and ("schemaname" in item or item["relname"] not in self._with)
        }
        targets = [each["ResTarget"] for each in select.get("targetList", [])]
        # The rewrite of QUALIFY with a star uses the whole row on purpose (queries.py).
        written = [each["val"] for each in targets if not each.get("name", "").startswith("local_")]
        for kind, body in nodes([written, *(select.get(clause) for clause in _EXPRESSIONS[1:])]):
            if kind == "ColumnRef" and len(names := names_of(body)) == 1 and names[0] in relations:
                self.rows.append((relations[names[0]], names[0]))

    # Untyped literals ----------------------------------------------------------------------------------------

    def _untyped_columns(self, select: Node, block: Block) -> set[str]:
        found = set()
        for target in (each["ResTarget"] for each in select.get("targetList", [])):
            names = column_of(target["val"])
            if target["val"].get("A_Const", {}).keys() & {"sval", "isnull"}:
                found.add(target.get("name", "?column?"))
            elif names is not None and names[-1] == "*":
                relations = [names[-2]] if len(names) > 1 else list(block.untyped)
                found.update(*(block.untyped.get(relation, set()) for relation in relations))
            elif names is not None and block.is_untyped(names):
                found.add(target.get("name", names[-1]))
        return found

    def _reads_untyped(self, value: Any, block: Block) -> None:
        """Raise Refused if such a column is compared, concatenated, sorted, used as a key, or aggregated by value."""
        if not any(block.untyped.values()):
            return
        for kind, body in nodes(value):
            operands: list[Any] = []
            if kind == "A_Expr" and body["kind"] in _PLAIN:
                operands = [body.get("lexpr"), body.get("rexpr")]
            elif kind == "SortBy":
                operands = [body["node"]]
            elif kind == "FuncCall":
                compares = body.get("agg_distinct") or body["funcname"][-1]["String"]["sval"] in (
                    "min",
                    "max",
                )
                operands = body.get("args", []) if compares else []
                operands = [*operands, *body.get("over", {}).get("partitionClause", [])]
            self._refuse_untyped(operands, block)

    def _refuse_untyped(self, operands: list[Any], block: Block) -> None:
        for operand in operands:
            names = column_of(operand)
            if names is not None and block.is_untyped(names):
                raise Refused(f"{_UNTYPED} (column {'.'.join(names)})")


def _keys(select: Node) -> list[Any]:
    """Return the expressions of GROUP BY or DISTINCT, and the expressions of the aliases in GROUP BY or ORDER BY."""
    values = [each["ResTarget"]["val"] for each in select.get("targetList", [])]
    if "distinctClause" in select:
        return values
    keys: list[Any] = list(select.get("groupClause", []))
    named = {each["ResTarget"].get("name"): each["ResTarget"]["val"] for each in select.get("targetList", [])}
    for key in [*keys, *(each["SortBy"]["node"] for each in select.get("sortClause", []))]:
        names = column_of(key)
        if names is not None and len(names) == 1 and names[0] in named:
            keys.append(named[names[0]])
    return keys


def _sorts_once(select: Node) -> None:
    """Raise Refused for aggregates that sort by different values, or next to a DISTINCT aggregate.

    https://docs.aws.amazon.com/redshift/latest/dg/r_MEDIAN.html, usage notes
    """
    orders, distinct = set(), False
    for kind, body in nodes([select.get(clause) for clause in ("targetList", "havingClause", "sortClause")]):
        if kind != "FuncCall" or "over" in body:
            continue
        name = body["funcname"][-1]["String"]["sval"]
        if name == "median":
            orders.add(_spelled([{"SortBy": {"node": body["args"][0], "sortby_dir": "SORTBY_DEFAULT",
                                             "sortby_nulls": "SORTBY_NULLS_DEFAULT"}}]))  # fmt: skip
        elif name in ("listagg", "percentile_cont") and "agg_order" in body:
            orders.add(_spelled(body["agg_order"]))
        else:
            distinct = distinct or bool(body.get("agg_distinct"))
    if len(orders) > 1:
        raise Refused("within group ORDER BY clauses for aggregate functions must be the same")
    if orders and distinct:
        raise Refused("LISTAGG, PERCENTILE_CONT or MEDIAN with another distinct aggregate is not supported")


def _spelled(value: Any) -> str:
    """Return a tree as text, without its positions in the statement."""
    return re.sub(r",? ?'(?:location|rexpr_list_\w+)': -?\d+", "", repr(value))


def _names(condition: Node, relations: set[str]) -> bool:
    """Return whether a condition names a column of one of these relations."""
    columns = [names_of(body) for kind, body in nodes(condition) if kind == "ColumnRef"]
    return any(len(names) > 1 and names[-2] in relations for names in columns)


def _renamed(query: Node, untyped: set[str], names: list[Node]) -> set[str]:
    """Return the names of the untyped columns after renaming by an alias such as `as q (a, b)`."""
    if not names or not untyped:
        return untyped
    own = [
        each["ResTarget"].get("name") or (column_of(each["ResTarget"]["val"]) or ["?column?"])[-1]
        for each in query.get("targetList", [])
    ]
    new = [each["String"]["sval"] for each in names]
    return {new[i] if i < len(new) else name for i, name in enumerate(own) if name in untyped}
