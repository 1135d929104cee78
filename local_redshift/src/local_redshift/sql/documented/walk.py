"""Check that every node, field, function, operator and type in a statement's tree is documented."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from ...errors import Refused
from ..refusals import not_covered, redshift_lacks
from . import windows
from .nodes import CALLED, CATALOG, FIELDS, INSIDE, UNREAD, VALUES
from .parse import Node
from .places import Places
from .scopes import names_of, nodes
from .tables import FUNCTIONS, OPERATORS, TYPES, lacks

_NO_COLUMNS = {"ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"}
# https://docs.aws.amazon.com/redshift/latest/dg/r_Date_and_time_literals.html, .../r_interval_data_types.html
_LITERAL_TYPES = {"date", "time", "timetz", "timestamp", "timestamptz", "interval"}
# PostgreSQL's settings in https://docs.aws.amazon.com/redshift/latest/dg/cm_chap_ConfigurationRef.html and
# .../r_SET.html, and those that drivers set when they connect. settings.py has already renamed Redshift's own.
_SETTINGS = {
    "", "search_path", "statement_timeout", "datestyle", "timezone", "client_encoding", "extra_float_digits", "seed",
    "application_name", "session_authorization", "client_min_messages", "standard_conforming_strings", "TRANSACTION",
    "SESSION CHARACTERISTICS",
}  # fmt: skip
SHOWN = _SETTINGS | {
    "all", "transaction_isolation", "transaction_read_only", "server_version", "server_encoding", "is_superuser",
    "max_identifier_length",
}  # fmt: skip
_LEADER_WORDS = {
    "SVFOP_CURRENT_TIMESTAMP": "CURRENT_TIMESTAMP",
    "SVFOP_CURRENT_TIME": "CURRENT_TIME",
    "SVFOP_LOCALTIME": "LOCALTIME",
    "SVFOP_CURRENT_SCHEMA": "CURRENT_SCHEMA",
}


class Walk:
    """The check of one statement. `functions` has the names of the functions that users created."""

    def __init__(self, functions: set[str]) -> None:
        self._functions = functions
        self.places = Places()

    def statement(self, tree: Node) -> bool:
        """Check a statement, and return whether it reads only the catalog, on the leader node.

        Raise Refused with the name of a feature that Redshift does not have.
        """
        self._descend("", "", tree)
        return self.places.check()

    def _visit(self, kind: str, body: Node) -> None:
        allowed = FIELDS.get(kind)
        if allowed is None:
            raise _lacks(kind)
        rule = _RULES.get(kind)
        if rule is not None:
            rule(self, body)
        for field, value in body.items():
            if field in UNREAD:
                continue
            if field not in allowed:
                raise _lacks(f"{kind}.{field}")
            if isinstance(value, (dict, list)):
                if f"{kind}.{field}" in CATALOG:
                    self.places.catalog.append(CATALOG[f"{kind}.{field}"])
                self._descend(kind, field, value)
                continue
            values = VALUES.get((kind, field))
            if values is not None and value not in values:
                raise _lacks(f"{kind}.{field}={value}")
            if f"{kind}.{field}={value}" in CATALOG:
                self.places.catalog.append(CATALOG[f"{kind}.{field}={value}"])
        if kind in CATALOG:
            self.places.catalog.append(CATALOG[kind])

    def _descend(self, kind: str, field: str, value: Any) -> None:
        if isinstance(value, list):
            for each in value:
                self._descend(kind, field, each)
        elif (kind, field) in INSIDE:
            self._visit(INSIDE[(kind, field)], value)
        elif isinstance(value, dict):
            for inner, body in value.items():
                if not inner[0].isupper():
                    raise _lacks(f"{kind}.{field}")
                self._visit(inner, body)

    # Rules by node -----------------------------------------------------------------------------------------

    def _select(self, body: Node) -> None:
        if any(body.get("distinctClause", [])):
            raise redshift_lacks("DISTINCT ON (use ROW_NUMBER)")
        if body["op"] in ("SETOP_INTERSECT", "SETOP_EXCEPT") and body.get("all"):
            raise redshift_lacks(f"{body['op'][6:]} ALL")
        if "valuesLists" in body:
            raise redshift_lacks("VALUES as a table (use SELECT ... UNION ALL)")
        if body["op"] == "SETOP_NONE" and not body.get("targetList"):
            raise Refused("syntax error: SELECT without a select list")
        for clause, words in (("havingClause", "HAVING"), ("groupClause", "GROUP BY")):
            if _has_scalar_query(body.get(clause)):
                raise redshift_lacks(f"scalar subquery in {words}")
        for item in body.get("groupClause", []):
            for each in (item, *item.get("GroupingSet", {}).get("content", [])):
                _lists(each)
        for clause in ("limitCount", "limitOffset"):
            if not body.get(clause, {"A_Const": {}}).keys() & {"A_Const", "ParamRef", "TypeCast"}:
                raise _lacks(f"SelectStmt.{clause}")
        if "intoClause" in body:
            self.places.writes = True

    def _with(self, body: Node) -> None:
        names = [each["CommonTableExpr"]["ctename"] for each in body["ctes"]]
        self.places.queries.update(names)
        for each in body["ctes"]:
            name, query = each["CommonTableExpr"]["ctename"], each["CommonTableExpr"]["ctequery"]
            if "SelectStmt" not in query:
                raise redshift_lacks("INSERT, UPDATE, DELETE or MERGE inside of WITH")
            select = query["SelectStmt"]
            if "withClause" in select:
                raise redshift_lacks("WITH inside of a WITH clause's query (write both in one WITH clause)")
            if body.get("recursive") and _reads(select, name):
                if select["op"] != "SETOP_UNION" or not select.get("all"):
                    raise redshift_lacks("recursive query without UNION ALL")
                if "aliascolnames" not in each["CommonTableExpr"]:
                    raise redshift_lacks(f"recursive query without a list of its columns: {name} (...)")

    def _insert(self, body: Node) -> None:
        self.places.writes = True
        if "alias" in body["relation"]:
            raise redshift_lacks("alias for the target of INSERT")
        select = body.get("selectStmt", {}).get("SelectStmt", {})
        if len(select.get("valuesLists", [])) > 1 and any(
            "SubLink" in str(row) for row in select["valuesLists"]
        ):
            raise redshift_lacks("subquery in VALUES of several rows")
        if "valuesLists" in select and select.keys() <= {"valuesLists", "limitOption", "op"}:
            self._descend("InsertStmt", "selectStmt", select["valuesLists"])
            del body["selectStmt"]

    def _writes(self, body: Node) -> None:
        self.places.writes = True

    def _merge(self, body: Node) -> None:
        self.places.writes = True
        if "RangeVar" not in body["sourceRelation"]:
            raise redshift_lacks("MERGE ... USING (subquery): load it into a temporary table first")
        if "alias" in body["relation"]:
            raise redshift_lacks("alias for the target of MERGE")
        if len({clause["MergeWhenClause"]["matchKind"] for clause in body["mergeWhenClauses"]}) < 2:
            raise Refused("MERGE needs both WHEN MATCHED and WHEN NOT MATCHED THEN INSERT on Amazon Redshift")

    def _view(self, body: Node) -> None:
        if body["view"]["relpersistence"] != "p":
            raise redshift_lacks("TEMPORARY view")
        del body["view"]  # the view is created, not read

    def _relation(self, body: Node) -> None:
        if not body.get("inh"):
            raise redshift_lacks("ONLY (tables do not inherit)")
        self.places.relations.append((body.get("schemaname", ""), body["relname"]))

    def _table_function(self, body: Node) -> None:
        self.places.leader.append("a function in FROM")

    def _column(self, body: Node) -> None:
        last = body["fields"][-1].get("String", {}).get("sval")
        if last in _NO_COLUMNS:
            self.places.catalog.append(f"column {last}")

    def _target(self, body: Node) -> None:
        # The star that the parser generates for TABLE t has no position in the text.
        if body.get("location") == -1 and "A_Star" in body["val"].get("ColumnRef", {}).get("fields", [{}])[0]:
            raise redshift_lacks("TABLE t in the place of a query (use SELECT *)")

    def _indirection(self, body: Node) -> None:
        columns = [names_of(value["ColumnRef"]) for value in [body["arg"]] if "ColumnRef" in value]
        if columns and columns[0][-1].startswith("local_"):
            return  # the rewrite of QUALIFY with a star (queries.py)
        if any("String" in each or "A_Star" in each for each in body["indirection"]):
            self.places.catalog.append("field of a row")

    def _cast(self, body: Node) -> None:
        if (
            body.get("location") == -1
            and body["typeName"]["names"][-1]["String"]["sval"] not in _LITERAL_TYPES
        ):
            raise redshift_lacks(
                f"literal {body['typeName']['names'][-1]['String']['sval']} '...' (use CAST)"
            )

    def _constant(self, body: Node) -> None:
        if "bsval" in body:
            raise _lacks("A_Const.bsval")

    def _function(self, body: Node) -> None:
        *schema, name = (part["String"]["sval"] for part in body["funcname"])
        arguments = body.get("args", [])
        if name in self._functions:
            return
        ours = not schema or schema[-1] in ("pg_catalog", "information_schema")
        if ours and lacks(name):
            raise not_covered(f"function {name}()")
        function = FUNCTIONS.get(name)
        if function is None or not ours:
            raise Refused(
                f"function {'.'.join((*schema, name))}() does not exist: Amazon Redshift documents none of this name,"
                " and none was created here"
            )
        count = len(arguments) + bool(body.get("agg_star"))
        if name == "current_setting" and count == 2:
            raise not_covered("session context variables")
        if name in ("lag", "lead") and count > 2:
            raise Refused(f"Default parameter not be supported for window function {name}")
        if not function.takes(count):
            raise Refused(f"function {name}() with {count} arguments does not exist: see {function.page}")
        if (
            name in ("substring", "substr")
            and "A_Const" in arguments[1]
            and "sval" in arguments[1]["A_Const"]
        ):
            raise redshift_lacks("SUBSTRING(... FROM pattern) (use REGEXP_SUBSTR)")
        if name == "listagg" and count > 1 and not arguments[1].keys() & {"A_Const", "ParamRef"}:
            raise Refused("The delimiter of LISTAGG must be a constant")
        if "agg_order" in body and not body.get("agg_within_group"):
            raise redshift_lacks("ORDER BY inside of an aggregate (use WITHIN GROUP)")
        self.places.function(function)
        if "over" in body:
            windows.check(name, body["over"])

    def _word(self, body: Node) -> None:
        if body["op"] in _LEADER_WORDS:
            self.places.leader.append(_LEADER_WORDS[body["op"]])

    def _column_definition(self, body: Node) -> None:
        name = body.get("typeName", {}).get("names", [{}])[-1].get("String", {}).get("sval")
        if TYPES.get(name) == "declared":
            del body["typeName"]  # such a column may be declared, but has no values (tables.py)

    def _type(self, body: Node) -> None:
        *schema, name = (part["String"]["sval"] for part in body["names"])
        # The parser returns bpchar for the keyword CHAR, so this is the type "char" in quotes.
        name = '"char"' if name == "char" else name
        place = TYPES.get(name)
        if place is None or schema not in ([], ["pg_catalog"]):
            raise redshift_lacks(f"type {'.'.join((*schema, name))}")
        if place == "declared":
            raise not_covered(f"values of type {name.upper()}")
        if place:
            (self.places.leader if place == "leader" else self.places.catalog).append(f"type {name}")

    def _operation(self, body: Node) -> None:
        *schema, name = (part["String"]["sval"] for part in body["name"])
        if schema:
            self.places.catalog.append("OPERATOR(...)")
        if body["kind"] == "AEXPR_IN":
            _lists(body["lexpr"], *body["rexpr"]["List"]["items"])
        if name not in OPERATORS and body["kind"] not in _KEYWORDS:
            raise redshift_lacks(f"operator {name}")
        escape = body.get("rexpr", {}).get("FuncCall") if body["kind"] in _PATTERNS else None
        if escape and escape["funcname"][-1]["String"]["sval"] in ("like_escape", "similar_to_escape"):
            # The parser turns ESCAPE into a function call.
            del body["rexpr"]
            self._descend("A_Expr", "rexpr", escape["args"])
        if name in ("+", "-") and any(_is_months(body.get(side)) for side in ("lexpr", "rexpr")):
            self.places.apart.append(
                "Interval values with month or year parts are not supported (use DATEADD)"
            )

    def _sub_query(self, body: Node) -> None:
        link, operator = body["subLinkType"], body.get("operName", [{}])[0].get("String", {}).get("sval", "")
        if (link, operator) in (("ANY_SUBLINK", "="), ("ALL_SUBLINK", "<>")):
            # IN and NOT IN: https://docs.aws.amazon.com/redshift/latest/dg/r_comparison_condition.html
            body["subLinkType"] = "ANY_SUBLINK"
            del body["operName"]
        if "operName" in body:
            raise _lacks("SubLink.operName")

    def _upkeep(self, body: Node) -> None:
        if body.get("is_vacuumcmd") and "options" in body:
            raise _lacks("VacuumStmt.options")
        if len(body.get("rels", [])) > 1:
            raise redshift_lacks("ANALYZE of several tables")

    def _default_privileges(self, body: Node) -> None:
        objects = body["action"]["objtype"].removeprefix("OBJECT_")
        if objects not in ("TABLE", "FUNCTION", "PROCEDURE"):
            raise redshift_lacks(f"ALTER DEFAULT PRIVILEGES ... ON {objects}S")

    def _database(self, body: Node) -> None:
        for option in body.get("options", []):
            if option["DefElem"]["defname"] not in ("owner", "connection_limit"):
                raise redshift_lacks(f"{option['DefElem']['defname'].upper()} of a database")

    def _create_function(self, body: Node) -> None:
        for option in body["options"]:
            if option["DefElem"]["defname"] not in ("volatility", "language", "as"):
                raise redshift_lacks(f"{option['DefElem']['defname'].upper()} of a SQL function")

    def _function_name(self, body: Node) -> None:
        # Arguments can be named: https://docs.aws.amazon.com/redshift/latest/dg/r_DROP_FUNCTION.html, .../r_GRANT.html
        for argument in body.get("objfuncargs", []):
            argument["FunctionParameter"].pop("name", None)

    def _close(self, body: Node) -> None:
        if "portalname" not in body:
            raise _lacks("ClosePortalStmt")

    def _transaction(self, body: Node) -> None:
        for option in body.get("options", []):
            if option["DefElem"]["defname"] not in ("transaction_isolation", "transaction_read_only"):
                raise redshift_lacks(f"{option['DefElem']['defname'].upper()} of a transaction")

    def _setting(self, body: Node) -> None:
        name = body.get("name", "")
        _no_context(name)
        if body["kind"] == "VAR_SET_CURRENT" or not (name.startswith("local.") or name in _SETTINGS):
            raise redshift_lacks(f"setting {name}")

    def _shown(self, body: Node) -> None:
        _no_context(body["name"])
        if not (body["name"].startswith("local.") or body["name"] in SHOWN):
            raise redshift_lacks(f"setting {body['name']}")

    def _explain(self, body: Node) -> None:
        options = [option["DefElem"] for option in body.get("options", [])]
        if any(option["defname"] != "verbose" or "arg" in option for option in options):
            raise redshift_lacks("EXPLAIN ANALYZE or EXPLAIN (options) (use EXPLAIN [VERBOSE])")

    def _cursor(self, body: Node) -> None:
        if body.get("options", 0) & 0x3F:
            raise redshift_lacks("BINARY, SCROLL, INSENSITIVE or WITH HOLD of a cursor")


_PATTERNS = ("AEXPR_LIKE", "AEXPR_ILIKE", "AEXPR_SIMILAR")
# The parser turns these keywords into operators.
_KEYWORDS = (*_PATTERNS, "AEXPR_BETWEEN", "AEXPR_NOT_BETWEEN", "AEXPR_NULLIF", "AEXPR_IN")
_RULES: dict[str, Callable[[Walk, Node], None]] = {
    "SelectStmt": Walk._select,
    "WithClause": Walk._with,
    "InsertStmt": Walk._insert,
    "UpdateStmt": Walk._writes,
    "DeleteStmt": Walk._writes,
    "MergeStmt": Walk._merge,
    "CreateTableAsStmt": Walk._writes,
    "ViewStmt": Walk._view,
    "RangeVar": Walk._relation,
    "RangeFunction": Walk._table_function,
    "ResTarget": Walk._target,
    "A_Indirection": Walk._indirection,
    "TypeCast": Walk._cast,
    "ColumnRef": Walk._column,
    "A_Const": Walk._constant,
    "ColumnDef": Walk._column_definition,
    "FuncCall": Walk._function,
    "SQLValueFunction": Walk._word,
    "TypeName": Walk._type,
    "A_Expr": Walk._operation,
    "SubLink": Walk._sub_query,
    "ExplainStmt": Walk._explain,
    "VariableSetStmt": Walk._setting,
    "VariableShowStmt": Walk._shown,
    "TransactionStmt": Walk._transaction,
    "VacuumStmt": Walk._upkeep,
    "AlterDefaultPrivilegesStmt": Walk._default_privileges,
    "CreateFunctionStmt": Walk._create_function,
    "ObjectWithArgs": Walk._function_name,
    "CreatedbStmt": Walk._database,
    "AlterDatabaseStmt": Walk._database,
    "ClosePortalStmt": Walk._close,
    "DeclareCursorStmt": Walk._cursor,
}


def _lacks(what: str) -> Refused:
    """Return the refusal of a node, a field or a field's value."""
    return redshift_lacks(CALLED.get(what) or CATALOG.get(what) or _readable(what))


def _readable(what: str) -> str:
    """Return a readable name of a node, field or value, such as DROP INDEX for DropStmt.removeType=OBJECT_INDEX."""
    kind, _, rest = what.partition(".")
    field, _, value = rest.partition("=")
    words = _words(re.sub(r"^A_|(?:Stmt|Expr|Def|Cmd)$", "", kind))
    value = _words(re.sub(r"^(?:OBJECT|AT|CMD|FETCH|CONSTR|SVFOP|SETOP|AEXPR|TRANS_STMT)_", "", value))
    if field and not value:
        return f"{_words(field.removesuffix('Clause'))} in {words}"
    return f"{words} {value}".strip()


def _words(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", name).upper()


def _no_context(setting: str) -> None:
    """Raise Refused for a session context variable: https://docs.aws.amazon.com/redshift/latest/dg/r_SET.html."""
    if "." in setting and not setting.startswith("local."):
        raise not_covered(f"session context variables ({setting})")


def _has_scalar_query(value: Any) -> bool:
    return any(kind == "SubLink" and body["subLinkType"] == "EXPR_SUBLINK" for kind, body in nodes(value))


def _reads(query: Node, relation: str) -> bool:
    tables = [body for kind, body in nodes(query, into_queries=True) if kind == "RangeVar"]
    return any(table["relname"] == relation and "schemaname" not in table for table in tables)


def _lists(*items: Node) -> None:
    """Treat rows as expression lists: https://docs.aws.amazon.com/redshift/latest/dg/r_expression_lists.html."""
    if all("RowExpr" in item for item in items):
        for item in items:
            item["List"] = {"items": item.pop("RowExpr")["args"]}


def _is_months(value: Node | None) -> bool:
    cast = (value or {}).get("TypeCast", {})
    constant = cast.get("arg", {}).get("A_Const", {}).get("sval", {}).get("sval")
    return constant == "1 month" and "typmods" not in cast["typeName"]
