"""The nodes and fields of PostgreSQL's parse tree that a statement may have. All others are refused.

The documentation of each statement and clause is below https://docs.aws.amazon.com/redshift/latest/dg/, most of it in
c_SQL_commands.html, r_SELECT_synopsis.html and c_expressions.html.
"""

from __future__ import annotations

from postgast import pg_query_pb2

_FIELDS = {
    # Queries: r_SELECT_synopsis.html, r_WITH_clause.html, r_FROM_clause30.html, r_UNION.html
    "SelectStmt": "distinctClause intoClause targetList fromClause whereClause groupClause havingClause valuesLists"
    " sortClause limitOffset limitCount limitOption withClause op all larg rarg",
    "WithClause": "ctes recursive",
    "CommonTableExpr": "ctename aliascolnames ctematerialized ctequery",
    "ResTarget": "name val",
    "RangeVar": "catalogname schemaname relname inh relpersistence alias",
    "RangeSubselect": "subquery alias",
    "RangeFunction": "functions alias coldeflist",
    "JoinExpr": "jointype isNatural larg rarg usingClause quals",
    "Alias": "aliasname colnames",
    "SortBy": "node sortby_dir sortby_nulls",
    "GroupingSet": "kind content",
    "IntoClause": "rel colNames onCommit",
    "List": "items",
    # Expressions: c_expressions.html, c_Supported_data_types.html, r_CASE_function.html, Window_functions.html
    "ColumnRef": "fields",
    "A_Star": "",
    "A_Const": "ival fval sval boolval isnull",
    "A_Expr": "kind name lexpr rexpr",
    "A_Indirection": "arg indirection",
    "A_Indices": "uidx",
    "A_ArrayExpr": "elements",
    "RowExpr": "args",
    "BoolExpr": "boolop args",
    "NullTest": "arg nulltesttype argisrow",
    "BooleanTest": "arg booltesttype",
    "CaseExpr": "arg args defresult",
    "CaseWhen": "expr result",
    "CoalesceExpr": "args",
    "MinMaxExpr": "op args",
    "FuncCall": "funcname args agg_order agg_within_group agg_star agg_distinct over",
    "WindowDef": "partitionClause orderClause frameOptions startOffset endOffset",
    "GroupingFunc": "args",
    "TypeCast": "arg typeName",
    "TypeName": "names typmods arrayBounds",
    "CollateClause": "arg collname",
    "SubLink": "subLinkType testexpr operName subselect",
    "SQLValueFunction": "op",
    "ParamRef": "number",
    "SetToDefault": "",
    "String": "sval",
    "Integer": "ival",
    "Boolean": "boolval",
    "Float": "fval",
    # Rows: r_INSERT_30.html, r_UPDATE.html, r_DELETE.html, r_MERGE.html
    "InsertStmt": "relation cols selectStmt override",
    "UpdateStmt": "relation targetList whereClause fromClause withClause",
    "DeleteStmt": "relation usingClause whereClause withClause",
    "MergeStmt": "relation sourceRelation joinCondition mergeWhenClauses",
    "MergeWhenClause": "matchKind commandType override targetList values",
    # Tables and views: r_CREATE_TABLE_NEW.html, r_CREATE_TABLE_AS.html, r_CREATE_VIEW.html, r_ALTER_TABLE.html
    "CreateStmt": "relation tableElts oncommit if_not_exists",
    "ColumnDef": "colname typeName constraints",
    "Constraint": "contype conname raw_expr generated_when options keys initially_valid is_enforced skip_validation",
    "DefElem": "defname arg",
    "TableLikeClause": "relation options relationOid",
    "CreateTableAsStmt": "query into objtype",
    "ViewStmt": "view aliases query replace withCheckOption",
    "AlterTableStmt": "relation cmds objtype",
    "AlterTableCmd": "subtype name def newowner behavior",
    "RenameStmt": "renameType relationType relation subname newname behavior object",
    "AlterOwnerStmt": "objectType relation object newowner",
    "DropStmt": "objects removeType behavior missing_ok",
    "ObjectWithArgs": "objname objargs objfuncargs args_unspecified",
    "CommentStmt": "objtype object comment",
    "RoleSpec": "roletype rolename",
    # Databases, schemas, users, privileges
    "CreateSchemaStmt": "schemaname authrole if_not_exists",
    "CreatedbStmt": "dbname options",
    "DropdbStmt": "dbname missing_ok",
    "AlterDatabaseStmt": "dbname options",
    "CreateRoleStmt": "stmt_type role options",
    "AlterRoleStmt": "role options action",
    "AlterRoleSetStmt": "role setstmt",
    "DropRoleStmt": "roles missing_ok",
    "GrantStmt": "is_grant targtype objtype objects privileges grantees grant_option behavior",
    "AccessPriv": "priv_name cols",
    "AlterDefaultPrivilegesStmt": "options action",
    "CreateFunctionStmt": "replace funcname parameters returnType options",
    "FunctionParameter": "argType mode",
    # Sessions, cursors and maintenance
    "TransactionStmt": "kind options",
    "VariableSetStmt": "kind name args is_local",
    "VariableShowStmt": "name",
    "ExplainStmt": "query options",
    "DeclareCursorStmt": "portalname options query",
    "FetchStmt": "direction howMany portalname",
    "ClosePortalStmt": "portalname",
    "PrepareStmt": "name argtypes query",
    "ExecuteStmt": "name params",
    "DeallocateStmt": "name",
    "LockStmt": "relations mode",
    "VacuumStmt": "rels is_vacuumcmd options",
    "VacuumRelation": "relation va_cols",
    "TruncateStmt": "relations behavior",
}
FIELDS = {node: frozenset(fields.split()) for node, fields in _FIELDS.items()}

# Fields with positions in the text, and fields that only PostgreSQL's analysis fills in.
UNREAD = frozenset(
    "location list_start list_end typemod typmod is_local defaction stmt_location stmt_len funcformat row_format"
    " rexpr_list_start rexpr_list_end jumble_args".split()
)

# Types of the fields whose node is not wrapped in the name of its type.
INSIDE = {
    (node.name, field.json_name): field.message_type.name
    for node in pg_query_pb2.DESCRIPTOR.message_types_by_name.values()
    for field in node.fields
    if field.message_type is not None and field.message_type.name != "Node"
}

# The allowed values of a field. A field that is not listed may have any value.
VALUES = {
    ("RangeVar", "relpersistence"): {"p", "t"},
    ("CreateStmt", "oncommit"): {"ONCOMMIT_NOOP"},
    ("IntoClause", "onCommit"): {"ONCOMMIT_NOOP"},
    ("SelectStmt", "limitOption"): {"LIMIT_OPTION_DEFAULT", "LIMIT_OPTION_COUNT"},
    ("A_Expr", "kind"): {
        "AEXPR_OP", "AEXPR_NULLIF", "AEXPR_IN", "AEXPR_LIKE", "AEXPR_ILIKE", "AEXPR_SIMILAR", "AEXPR_BETWEEN",
        "AEXPR_NOT_BETWEEN", "AEXPR_OP_ANY",
    },
    ("SubLink", "subLinkType"): {"EXISTS_SUBLINK", "EXPR_SUBLINK", "ANY_SUBLINK", "ARRAY_SUBLINK"},
    ("CommonTableExpr", "ctematerialized"): {"CTEMaterializeDefault"},
    ("InsertStmt", "override"): {"OVERRIDING_NOT_SET"},
    ("MergeWhenClause", "override"): {"OVERRIDING_NOT_SET"},
    ("MergeWhenClause", "commandType"): {"CMD_INSERT", "CMD_UPDATE", "CMD_DELETE"},
    ("SQLValueFunction", "op"): {
        "SVFOP_CURRENT_DATE", "SVFOP_CURRENT_USER", "SVFOP_USER", "SVFOP_SESSION_USER", "SVFOP_CURRENT_SCHEMA",
        "SVFOP_CURRENT_TIMESTAMP", "SVFOP_CURRENT_TIME", "SVFOP_LOCALTIME",
    },
    ("ViewStmt", "withCheckOption"): {"NO_CHECK_OPTION"},
    ("FetchStmt", "direction"): {"FETCH_FORWARD"},
    ("TransactionStmt", "kind"): {
        "TRANS_STMT_BEGIN", "TRANS_STMT_START", "TRANS_STMT_COMMIT", "TRANS_STMT_ROLLBACK",
    },
    ("DropStmt", "removeType"): {"OBJECT_TABLE", "OBJECT_VIEW", "OBJECT_SCHEMA", "OBJECT_FUNCTION"},
    ("CommentStmt", "objtype"): {
        "OBJECT_TABLE", "OBJECT_COLUMN", "OBJECT_TABCONSTRAINT", "OBJECT_DATABASE", "OBJECT_VIEW",
    },
    ("Constraint", "contype"): {
        "CONSTR_NULL", "CONSTR_NOTNULL", "CONSTR_DEFAULT", "CONSTR_IDENTITY", "CONSTR_PRIMARY", "CONSTR_UNIQUE",
    },
    ("AlterTableCmd", "subtype"): {
        "AT_AddColumn", "AT_DropColumn", "AT_AlterColumnType", "AT_DropConstraint", "AT_ChangeOwner",
    },
    ("RenameStmt", "renameType"): {
        "OBJECT_TABLE", "OBJECT_COLUMN", "OBJECT_SCHEMA", "OBJECT_DATABASE", "OBJECT_ROLE", "OBJECT_VIEW",
    },
    ("AlterOwnerStmt", "objectType"): {"OBJECT_SCHEMA", "OBJECT_DATABASE", "OBJECT_FUNCTION"},
    ("CreateRoleStmt", "stmt_type"): {"ROLESTMT_USER", "ROLESTMT_GROUP"},
    ("GrantStmt", "objtype"): {
        "OBJECT_TABLE", "OBJECT_SCHEMA", "OBJECT_DATABASE", "OBJECT_FUNCTION", "OBJECT_LANGUAGE", "OBJECT_PROCEDURE",
    },
}  # fmt: skip

# Nodes and fields that are allowed only in a query that reads only the catalog. The leader node has them from
# PostgreSQL 8.0 (https://docs.aws.amazon.com/redshift/latest/dg/c_unsupported-postgresql-datatypes.html).
CATALOG = {
    "A_ArrayExpr": "ARRAY[...]",
    "RowExpr": "row constructor (write the comparisons one by one)",
    "A_Indices": "array subscript",
    "CollateClause": "COLLATE",
    "SubLink.subLinkType=ARRAY_SUBLINK": "ARRAY(SELECT ...)",
    "A_Expr.kind=AEXPR_OP_ANY": "ANY (array)",
    "TypeName.arrayBounds": "array type",
}

# Names of nodes, fields and values in refusals, where PostgreSQL's own (walk.py) are unclear or lack the alternative.
CALLED = {
    "SelectStmt.limitCount": "LIMIT of anything but a number",
    "SelectStmt.limitOffset": "OFFSET of anything but a number",
    "ClosePortalStmt": "CLOSE ALL",
    "DeallocateStmt.isall": "DEALLOCATE ALL (name the statement)",
    "SelectStmt.lockingClause": "SELECT ... FOR UPDATE or FOR SHARE (use LOCK)",
    "RangeSubselect.lateral": "LATERAL",
    "RangeFunction.lateral": "LATERAL",
    "RangeTableSample": "TABLESAMPLE",
    "RangeTableFunc": "XMLTABLE",
    "JoinExpr.join_using_alias": "alias for JOIN ... USING",
    "SortBy.useOp": "ORDER BY ... USING operator",
    "JsonIsPredicate": "IS JSON",
    "NamedArgExpr": "argument by name",
    "ResTarget.indirection": "qualified column in SET or INSERT (write only its name)",
    "A_Const.bsval": "bit string",
    "MultiAssignRef": "SET (columns) = ...",
    "FuncCall.agg_filter": "FILTER (WHERE ...) on an aggregate (use CASE)",
    "WindowDef.name": "WINDOW clause (write the window in OVER)",
    "WindowDef.refname": "WINDOW clause (write the window in OVER)",
    "A_Expr.kind=AEXPR_OP_ALL": "ALL (array)",
    "SQLValueFunction.op=SVFOP_CURRENT_ROLE": "CURRENT_ROLE",
    "SQLValueFunction.op=SVFOP_CURRENT_CATALOG": "CURRENT_CATALOG",
    "A_Expr.kind=AEXPR_DISTINCT": "IS DISTINCT FROM (compare, and test for NULL)",
    "A_Expr.kind=AEXPR_NOT_DISTINCT": "IS NOT DISTINCT FROM (compare, and test for NULL)",
    "SubLink.subLinkType=ROWCOMPARE_SUBLINK": "row constructor (write the comparisons one by one)",
    "SubLink.operName": "comparison other than = with ANY or SOME (subquery), or other than <> with ALL (subquery)",
    "InsertStmt.onConflictClause": "ON CONFLICT (use MERGE, or DELETE and INSERT)",
    "InsertStmt.withClause": "WITH in front of INSERT (write it behind the name of the table)",
    "MergeWhenClause.condition": "WHEN MATCHED AND condition",
    "MergeWhenClause.commandType=CMD_NOTHING": "DO NOTHING in MERGE",
    "CreateStmt.inhRelations": "INHERITS",
    "ColumnDef.compression": "COMPRESSION of a column (use ENCODE)",
    "RangeVar.relpersistence=u": "UNLOGGED table",
    "FunctionParameter.name": "name for the argument of a SQL function (use $1, $2 ...)",
    "FunctionParameter.defexpr": "default for the argument of a function",
    "AlterTableStmt.missing_ok": "ALTER TABLE IF EXISTS",
    "RenameStmt.missing_ok": "ALTER ... IF EXISTS",
    "AlterTableCmd.missing_ok": "IF EXISTS of a column or constraint",
    "AlterObjectSchemaStmt": "ALTER ... SET SCHEMA",
    "FetchStmt.ismove": "MOVE",
    "GrantRoleStmt": "GRANT or REVOKE of a PostgreSQL role",
}
