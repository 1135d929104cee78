"""Ask PostgreSQL for the columns of a query before creating a table or a view from it."""

from __future__ import annotations

from .backend import Backend
from .errors import SqlError, as_sql_error
from .sql.statement import Result
from .sql.types import Type, column_types, of_modifier

# A view of the query holds its parse tree. The first column says to which of the three SELECTs a row belongs.
_QUESTIONS = """
select 'column', attname, atttypid, atttypmod from pg_catalog.local_attribute
where attrelid = 'pg_temp.local_query'::regclass and attnum > 0 order by attnum;
select 'known', relid, attnum, atttypid, atttypmod from pg_catalog.local_types;
select 'tree', ev_action from pg_catalog.pg_rewrite where ev_class = 'pg_temp.local_query'::regclass;
drop view pg_temp.local_query
"""
# PostgreSQL's types without precision or length, and the types that may replace them on Redshift.
_VARCHAR = "1043"
_OPEN = {"1700": ("numeric", "integer"), "25": ("varchar",), _VARCHAR: ("varchar",)}


_UNDEFINED = ("42P01", "42703")  # table, column


async def results(backend: Backend, query: str, may_fail: bool = False) -> list[Result] | None:
    """Return the columns of a query, with Redshift's types where PostgreSQL's are less precise, or raise SqlError.

    :param may_fail: return None if a relation or a column of the query does not exist.
    """
    if backend.status == "E":
        return []
    in_block = may_fail and backend.status == "T"
    if in_block:
        await backend.query("savepoint local_query")
    try:
        rows = await backend.query(f"create temp view local_query as {query}\n;{_QUESTIONS}")
    except SqlError as error:
        if not may_fail or error.code not in _UNDEFINED:
            raise
        if in_block:
            await backend.query("rollback to savepoint local_query")
        return None
    finally:
        if in_block and backend.status == "T":
            await backend.query("release savepoint local_query")
    columns = [row[1:] for row in rows if row[0] == "column"]
    types: list[Type | None] = [None] * len(columns)
    if any(type_ in _OPEN and modifier == "-1" for _, type_, modifier in columns):
        [tree] = [row[1] for row in rows if row[0] == "tree"]
        known = {
            (row[1] or "", row[2] or ""): _type(row[3] or "", int(row[4] or 0))
            for row in rows
            if row[0] == "known"
        }
        try:
            types = column_types(tree or "", known)
        except (LookupError, TypeError, ValueError) as error:
            raise as_sql_error(error) from error
    return [
        Result(name or "", _chosen(type_ or "", int(modifier or -1), found))
        for (name, type_, modifier), found in zip(columns, types, strict=True)
    ]


def _chosen(type_: str, modifier: int, found: Type | None) -> Type | None:
    """Return the type to declare for a column: its own VARCHAR(n) or else the type found, or None."""
    if modifier >= 0:
        return of_modifier(type_, modifier) if type_ == _VARCHAR else None
    return found if found is not None and found.name in _OPEN.get(type_, ()) else None


def _type(type_: str, modifier: int) -> Type:
    return of_modifier(type_, modifier) or Type("integer", 19)
