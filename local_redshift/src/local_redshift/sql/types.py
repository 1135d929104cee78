"""Determine the types of a query's columns by Redshift's rules, where PostgreSQL's have no precision or length.

A table or a view that is created from a query has these types: `sum(price)` of NUMERIC(8,2) is NUMERIC(38,2), and
`'abc'` is VARCHAR(3). PostgreSQL's tree of the query, as text in its catalog, has the expression of every column. The
rules are from https://docs.aws.amazon.com/redshift/latest/dg/r_numeric_computations201.html.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Node = Any  # a dict with the node's kind under the key "", a list, a word or None


@dataclass(frozen=True)
class Type:
    """NUMERIC(size, scale), VARCHAR(size), or an integer of `size` digits."""

    name: str
    size: int
    scale: int = 0

    @property
    def spelled(self) -> str:
        if self.name == "integer":
            return "bigint"
        return f"{self.name}({self.size},{self.scale})" if self.name == "numeric" else f"varchar({self.size})"

    @property
    def number(self) -> int:
        """Return PostgreSQL's OID of the type."""
        return {"numeric": 1700, "varchar": 1043}.get(self.name, 20)

    @property
    def modifier(self) -> int:
        """Return PostgreSQL's type modifier: precision and scale, or length."""
        if self.name == "integer":
            return -1
        return (self.size << 16 | self.scale if self.name == "numeric" else self.size) + 4


_NULL = Type("null", 0)
_TOKEN = re.compile(r'[(){}]|"(?:\\.|[^"\\])*"|(?:\\.|[^\s(){}\\])+')
_NUMERIC, _VARCHAR = "1700", "1043"
_INTEGERS = {"21": Type("integer", 5), "23": Type("integer", 10), "20": Type("integer", 19)}
# OIDs of PostgreSQL's functions, aggregates and operators.
_SAME = {"1740", "1781", "1782", "1705"}  # conversion of an integer to NUMERIC, abs()
_EXTREMES = {"2130", "2146", "2129", "2145"}  # max and min of NUMERIC and text
_SUM, _SUM_OF_BIGINT, _AVERAGE = "2114", "2107", "2103"
_PLUS_MINUS, _TIMES, _DIVIDE, _NEGATE = ("1758", "1759"), "1760", "1761", "1751"
_MOST = 38


def column_types(tree: str, known: Mapping[tuple[str, str], Type]) -> list[Type | None]:
    """Return the type of each column of the query, or None where PostgreSQL's type applies.

    :param tree: pg_rewrite.ev_action of a view of the query.
    :param known: types of views' columns, by the relation's OID and the column's number.
    """
    ((query,),) = _read(iter(_TOKEN.findall(tree)))
    return [_Query([query], known).column(i) for i in range(len(_targets(query)))]


def of_modifier(type_: str, modifier: int) -> Type | None:
    """Return the type for PostgreSQL's type OID and modifier."""
    if modifier < 4:
        return None
    if type_ == _NUMERIC:
        return Type("numeric", (modifier - 4) >> 16 & 0xFFFF, (modifier - 4) & 0x7FF)
    return Type("varchar", modifier - 4) if type_ == _VARCHAR else None


def _read(tokens: Iterator[str]) -> list[Node]:
    """Read nodes up to the closing parenthesis or bracket."""
    nodes: list[Node] = []
    for token in tokens:
        if token in (")", "}"):
            break
        if token == "(":
            nodes.append(_read(tokens))
        elif token == "{":
            nodes.append(_fields(_read(tokens)))
        else:
            nodes.append(None if token == "<>" else token)
    return nodes


def _fields(parts: Sequence[Node]) -> dict[str, Node]:
    """Return `kind :field value :field value ...` as a dict. A value of several words becomes a list."""
    fields: dict[str, list[Node]] = {}
    name = ""
    for part in parts[1:]:
        if isinstance(part, str) and part.startswith(":"):
            name = part[1:]
            fields[name] = []
        else:
            fields[name].append(part)
    return {"": parts[0]} | {key: each[0] if len(each) == 1 else each for key, each in fields.items()}


def _targets(query: Node) -> list[Node]:
    return [each["expr"] for each in query["targetList"] or [] if each["resjunk"] != "true"]


class _Query:
    """A query, with the queries that enclose it."""

    def __init__(self, around: list[Node], known: Mapping[tuple[str, str], Type]) -> None:
        self._around, self._known = around, known

    def _inside(self, query: Node, levels_up: int = 0) -> _Query:
        return _Query([*self._around[: len(self._around) - levels_up], query], self._known)

    def column(self, index: int) -> Type | None:
        query = self._around[-1]
        if query["setOperations"]:
            parts = [query["rtable"][number - 1] for number in _references(query["setOperations"])]
            return _union([self._inside(part["subquery"]).column(index) for part in parts])
        targets = _targets(query)
        return self.type(targets[index]) if index < len(targets) else None

    def type(self, node: Node) -> Type | None:
        """Return the type of an expression, or None if PostgreSQL's type applies."""
        if not isinstance(node, dict):
            return None
        read = _KINDS.get(node[""])
        return read(self, node) if read else None

    def variable(self, node: Node) -> Type | None:
        if node["vartype"] in _INTEGERS:
            return _INTEGERS[node["vartype"]]
        if int(node["vartypmod"]) >= 0:
            return of_modifier(node["vartype"], int(node["vartypmod"]))
        levels_up, index = int(node["varlevelsup"]), int(node["varattno"]) - 1
        around = _Query(self._around[: len(self._around) - levels_up], self._known)
        source = around._around[-1]["rtable"][int(node["varno"]) - 1]
        if index < 0:
            return None
        kind = source["rtekind"]
        if kind == "0":
            return self._known.get((source["relid"], node["varattno"]))
        if kind == "1":
            return around._inside(source["subquery"]).column(index)
        if kind == "2":
            return around.type(source["joinaliasvars"][index])
        if kind == "5":
            return _union([around.type(values[index]) for values in source["values_lists"]])
        if kind == "6" and source["self_reference"] != "true":
            up = int(source["ctelevelsup"])
            holder = around._around[: len(around._around) - up]
            for each in holder[-1]["cteList"]:
                if each["ctename"] == source["ctename"]:
                    return _Query([*holder, each["ctequery"]], self._known).column(index)
        if kind == "9":
            return around.type(source["groupexprs"][index])
        return None

    def constant(self, node: Node) -> Type | None:
        if node["constisnull"] == "true":
            return _NULL
        if node["consttype"] in _INTEGERS:
            return _INTEGERS[node["consttype"]]
        value = node["constvalue"]
        if not isinstance(value, list) or node["constbyval"] == "true":
            return None
        content = bytes(int(each) & 0xFF for each in value[2:-1])[4:]  # without the length
        if node["consttype"] == "25":
            return Type("varchar", max(1, len(content)))
        return _number(content) if node["consttype"] == _NUMERIC else None

    def call(self, node: Node) -> Type | None:
        arguments = node["args"] or []
        # A cast with a precision or length is a function call with the value and the modifier.
        if node["funcformat"] in ("1", "2") and len(arguments) > 1 and arguments[1][""] == "CONST":
            modifier = bytes(int(each) & 0xFF for each in arguments[1]["constvalue"][2:6])
            return of_modifier(node["funcresulttype"], int.from_bytes(modifier, "little", signed=True))
        return self.type(arguments[0]) if node["funcid"] in _SAME else None

    def aggregate(self, node: Node) -> Type | None:
        function = node.get("aggfnoid") or node["winfnoid"]
        if not node["args"]:
            return None
        argument = node["args"][0]
        of = self.type(argument["expr"] if argument[""] == "TARGETENTRY" else argument)
        if function == _SUM_OF_BIGINT and node[""] == "AGGREF":
            return _INTEGERS["20"]
        if of is None or of == _NULL:
            return None
        if function in (_SUM, _AVERAGE):
            return Type("numeric", _MOST, of.scale)
        return of if function in _EXTREMES else None

    def operation(self, node: Node) -> Type | None:
        types = [self.type(each) for each in node["args"]]
        if any(each is None or each.name not in ("numeric", "integer") for each in types):
            return None
        one = types[0]
        other = types[-1]
        assert one is not None and other is not None
        operator = node["opno"]
        if operator == _NEGATE:
            return one
        if operator in _PLUS_MINUS:
            scale = max(one.scale, other.scale)
            return _numeric(max(one.size - one.scale, other.size - other.scale) + 1 + scale, scale)
        if operator == _TIMES:
            return _numeric(one.size + other.size + 1, one.scale + other.scale)
        if operator == _DIVIDE:
            scale = max(4, one.scale + other.size - other.scale + 1)
            size = one.size - one.scale + other.scale + scale
            return _numeric(size, scale) if size <= _MOST else None
        return None

    def any_of(self, node: Node) -> Type | None:
        return _union([self.type(each) for each in node["args"]])

    def case(self, node: Node) -> Type | None:
        results = [each["result"] for each in node["args"]]
        return _union([self.type(each) for each in (*results, node["defresult"])])

    def relabeled(self, node: Node) -> Type | None:
        # On Redshift, an explicit cast has its own length.
        return self.type(node["arg"]) if node["relabelformat"] != "1" else None

    def first_argument(self, node: Node) -> Type | None:
        return self.type(node["args"][0])

    def scalar_query(self, node: Node) -> Type | None:
        return self._inside(node["subselect"]).column(0) if node["subLinkType"] == "4" else None


_KINDS: dict[str, Callable[[_Query, Node], Type | None]] = {
    "VAR": _Query.variable,
    "CONST": _Query.constant,
    "FUNCEXPR": _Query.call,
    "AGGREF": _Query.aggregate,
    "WINDOWFUNC": _Query.aggregate,
    "OPEXPR": _Query.operation,
    "COALESCEEXPR": _Query.any_of,
    "MINMAXEXPR": _Query.any_of,
    "CASEEXPR": _Query.case,
    "RELABELTYPE": _Query.relabeled,
    "NULLIFEXPR": _Query.first_argument,
    "SUBLINK": _Query.scalar_query,
}


def _references(node: Node) -> list[int]:
    """Return the numbers of the queries that a UNION, INTERSECT or EXCEPT combines."""
    if node[""] == "RANGETBLREF":
        return [int(node["rtindex"])]
    return [*_references(node["larg"]), *_references(node["rarg"])]


def _numeric(size: int, scale: int) -> Type:
    return Type("numeric", min(size, _MOST), min(scale, _MOST))


def _union(types: Sequence[Type | None]) -> Type | None:
    """Return the smallest type that can hold the values of all of these."""
    found = [each for each in types if each != _NULL]
    if not found or any(each is None for each in found):
        return None
    known = [each for each in found if each is not None]
    names = {each.name for each in known}
    if names <= {"numeric", "integer"} and "numeric" in names:
        scale = max(each.scale for each in known)
        return _numeric(max(each.size - each.scale for each in known) + scale, scale)
    return max(known, key=lambda each: each.size) if len(names) == 1 else None


def _number(content: bytes) -> Type | None:
    """Return the type of a NUMERIC constant in PostgreSQL's short binary form."""
    header = int.from_bytes(content[:2], "little")
    if header & 0xC000 != 0x8000:
        return None
    scale = (header & 0x1F80) >> 7
    weight = (header & 0x3F) - (0x40 if header & 0x40 else 0)
    first = int.from_bytes(content[2:4], "little")
    whole = len(str(first)) + 4 * weight if first and weight >= 0 else 1
    return _numeric(whole + scale, scale)
