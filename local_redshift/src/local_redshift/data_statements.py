"""Bind and run the statements of the Data API, and return their results in the API's form."""

from __future__ import annotations

import re
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg2
import psycopg2.extensions

from .aws_json import Fault, Given
from .sql.statements import translate

# Types that the API returns as text keep the warehouse's spelling: numeric, date, time, timestamp, interval and others.
_AS_TEXT = psycopg2.extensions.new_type(
    (17, 1082, 1083, 1114, 1184, 1186, 1266, 1700), "AS_TEXT", lambda text, _: text
)

# The fields of Column: name, type, length, precision, scale, nullable, default, schema and table.
_COLUMN = (
    " a.attname::text, t.typname::text,"
    " case when a.atttypid in (1043, 1042) and a.atttypmod > 4 then a.atttypmod - 4 else a.attlen end,"
    " case when a.atttypid = 1700 then ((a.atttypmod - 4) >> 16) & 65535 else 0 end,"
    " case when a.atttypid = 1700 then (a.atttypmod - 4) & 2047 else 0 end,"
    " case when a.attnotnull then 0 else 1 end, pg_get_expr(d.adbin, d.adrelid), n.nspname::text, c.relname::text"
    " from pg_catalog.pg_class as c join pg_catalog.pg_namespace as n on n.oid = c.relnamespace"
    " join pg_catalog.pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped"
    " join pg_catalog.pg_type as t on t.oid = a.atttypid"
    " left join pg_catalog.pg_attrdef as d on d.adrelid = c.oid and d.adnum = a.attnum"
)
describe_columns = (
    "select" + _COLUMN + " where n.nspname like %s and c.relname = %s and c.relkind in ('r', 'v')"
    " order by n.nspname, a.attnum"
)
_sources = "select c.oid::bigint, a.attnum," + _COLUMN + " where c.oid = any(%s)"


@dataclass
class Column:
    """A column of a result or of a table."""

    name: str
    type: str
    length: int
    precision: int
    scale: int
    nullable: int  # 0 no, 1 yes, 2 unknown
    default: str | None = None
    schema: str = ""
    table: str = ""

    def metadata(self) -> Given:
        found = {
            "name": self.name,
            "label": self.name,
            "typeName": self.type,
            "length": max(0, self.length),
            "precision": self.precision,
            "scale": self.scale,
            "nullable": self.nullable,
            "schemaName": self.schema,
            "tableName": self.table,
            "isCaseSensitive": self.type in ("varchar", "bpchar", "text"),
            "isCurrency": False,
            "isSigned": self.type in ("int2", "int4", "int8", "float4", "float8", "numeric"),
        }
        return found if self.default is None else found | {"columnDefault": self.default}


@dataclass
class Statement:
    """One SQL statement. `sql` is the caller's text, and `text` has the values of its parameters."""

    sql: str
    text: str
    status: str = "SUBMITTED"
    error: str | None = None
    created_at: float = field(default_factory=time.time)
    updated_at: float = field(default_factory=time.time)
    seconds: float = 0.0
    rows: int = -1
    size: int = 0
    columns: list[Column] | None = None
    records: list[list[Given]] = field(default_factory=list)

    def execute(self, connection: Any) -> None:
        """Run the statement and keep its result. Raise psycopg2.Error if it fails."""
        began = time.perf_counter()
        self.status = "STARTED"
        if len(translate(self.text)) > 1:
            raise psycopg2.ProgrammingError(
                "ERROR: cannot insert multiple commands into a prepared statement"
            )
        with connection.cursor() as cursor:
            try:
                cursor.execute(self.text)
                self.rows = cursor.rowcount
                if cursor.description is not None:
                    self._keep(connection, cursor)
                self.status = "FINISHED"
            finally:
                self.seconds = time.perf_counter() - began
                self.updated_at = time.time()

    def _keep(self, connection: Any, cursor: Any) -> None:
        rows = cursor.fetchall()
        self.size = sum(len(str(value).encode()) for row in rows for value in row if value is not None)
        self.records = [[_field(value) for value in row] for row in rows]
        self.columns = _columns(connection, cursor.description)

    def describe(self, identifier: str) -> Given:
        found = {
            "Id": identifier,
            "Status": self.status,
            "QueryString": self.sql,
            "CreatedAt": self.created_at,
            "UpdatedAt": self.updated_at,
            "Duration": int(self.seconds * 1e9),
            "HasResultSet": self.columns is not None,
            "ResultRows": self.rows,
            "ResultSize": self.size,
            # PostgreSQL does not number queries.
            "RedshiftQueryId": 0,
        }
        return found if self.error is None else found | {"Error": self.error}


class Batch:
    """The statements of one request. They run in one transaction, or with `autocommit` each in its own transaction."""

    def __init__(
        self,
        statements: list[Statement],
        is_batch: bool,
        name: str | None,
        parameters: list[dict[str, str]],
        autocommit: bool,
    ) -> None:
        self._autocommit = autocommit
        self.id, self.created_at = str(uuid.uuid4()), time.time()
        self.statements, self.is_batch, self.name, self.parameters = statements, is_batch, name, parameters
        self.status, self.error, self.pid, self.updated_at = "SUBMITTED", "", 0, self.created_at
        self.done = threading.Event()
        self._connection: Any = None
        self._canceled = False

    def run(self, connect: Callable[[], Any]) -> None:
        """Run the statements until they succeed, fail or are canceled."""
        try:
            self._connection = connection = connect()
            try:
                self.status, self.pid = "STARTED", connection.get_backend_pid()
                psycopg2.extensions.register_type(_AS_TEXT, connection)
                connection.autocommit = self._autocommit
                for statement in self.statements:
                    if self._canceled:
                        raise psycopg2.errors.QueryCanceled
                    statement.execute(connection)
                if not self._autocommit:
                    connection.commit()
                self.status = "FINISHED"
            finally:
                connection.close()
        except (psycopg2.Error, Fault) as error:
            self.error = _error_text(error)
            self.status = "ABORTED" if self._canceled else "FAILED"
            for statement in self.statements:
                if statement.status == "STARTED":
                    statement.status, statement.error = self.status, self.error
                elif statement.status == "SUBMITTED":
                    statement.status = "ABORTED"
        finally:
            self.updated_at = time.time()
            self.done.set()

    def cancel(self) -> bool:
        """Stop the running statement, and return whether there was one."""
        if self.done.is_set():
            return False
        self._canceled = True
        if self._connection is not None and not self._connection.closed:
            self._connection.cancel()
        self.done.wait(10)
        return True

    def describe(self) -> Given:
        found = self.statements[-1].describe(self.id) | {
            "Status": self.status,
            "CreatedAt": self.created_at,
            "UpdatedAt": self.updated_at,
            "Duration": int(sum(statement.seconds for statement in self.statements) * 1e9),
            "RedshiftPid": self.pid,
            "ResultFormat": "JSON",
        }
        if self.error:
            found["Error"] = self.error
        if self.parameters:
            found["QueryParameters"] = self.parameters
        if self.is_batch:
            del found["QueryString"]
            found["HasResultSet"] = any(statement.columns is not None for statement in self.statements)
            found["SubStatements"] = [
                statement.describe(f"{self.id}:{number}")
                for number, statement in enumerate(self.statements, 1)
            ]
        return found

    def summary(self) -> Given:
        found: Given = {
            "Id": self.id,
            "Status": self.status,
            "CreatedAt": self.created_at,
            "UpdatedAt": self.updated_at,
            "IsBatchStatement": self.is_batch,
            "QueryString": self.statements[0].sql,
            "QueryStrings": [statement.sql for statement in self.statements],
            "ResultFormat": "JSON",
        }
        return found if self.name is None else found | {"StatementName": self.name}


def _error_text(error: Exception) -> str:
    """Return the message in the service's form: it begins with ERROR: and ends with the position."""
    if isinstance(error, psycopg2.errors.QueryCanceled) and not str(error):
        return "ERROR: Query cancelled on user's request"
    diagnosis = getattr(error, "diag", None)
    if diagnosis is None or diagnosis.message_primary is None:
        return str(error).strip()
    text = f"{diagnosis.severity}: {diagnosis.message_primary}"
    if diagnosis.message_detail:
        text += f"\n  Detail: {diagnosis.message_detail}"
    if diagnosis.message_hint:
        text += f"\n  Hint: {diagnosis.message_hint}"
    return text + (f"\n  Position: {diagnosis.statement_position}" if diagnosis.statement_position else "")


def _field(value: Any) -> Given:
    if value is None:
        return {"isNull": True}
    if isinstance(value, bool):
        return {"booleanValue": value}
    if isinstance(value, int):
        return {"longValue": value}
    if isinstance(value, float):
        return {"doubleValue": value}
    return {"stringValue": str(value)}


def _columns(connection: Any, description: Sequence[Any]) -> list[Column]:
    """Return the columns of a result. Columns of a table have their properties from the catalog."""
    with connection.cursor() as cursor:
        cursor.execute("select oid::bigint, typname::text from pg_catalog.pg_type where oid = any(%s)",
                       ([column.type_code for column in description],))  # fmt: skip
        types = dict(cursor.fetchall())
        cursor.execute(_sources, ([column.table_oid for column in description if column.table_oid],))
        sources = {(oid, number): Column(*rest) for oid, number, *rest in cursor.fetchall()}
    found = []
    for column in description:
        source = sources.get((column.table_oid, column.table_column))
        found.append(
            Column(
                column.name,
                types.get(column.type_code, ""),
                column.internal_size or 0,
                column.precision or 0 if column.type_code == 1700 else 0,
                column.scale or 0 if column.type_code == 1700 else 0,
                source.nullable if source else 2,
                None,
                source.schema if source else "",
                source.table if source else "",
            )
        )
    return found


_PARTS = re.compile(
    r"""'(?:[^'\\]|\\.|'')*' | "(?:[^"]|"")*" | --[^\n]* | /\*.*?\*/ | :: | :(?P<name>[A-Za-z_]\w*)""",
    re.VERBOSE | re.DOTALL,
)


def bind(sql: str, values: dict[str, str]) -> str:
    """Return the statement with each :name outside strings, quoted names and comments replaced by its value.

    Raise Fault for an unused value and, if any values are given, for a :name without a value.
    """
    used = set()

    def replace(match: re.Match[str]) -> str:
        name = match["name"]
        if name is None or not values:
            return match[0]
        if name not in values:
            raise Fault("ValidationException", f"Cannot find parameter: {name}")
        used.add(name)
        # Redshift reads a backslash in a string as an escape.
        return "'" + values[name].replace("\\", "\\\\").replace("'", "''") + "'"

    text = _PARTS.sub(replace, sql)
    if unused := sorted(set(values) - used):
        raise Fault(
            "ValidationException",
            f"Parameters list contains unused parameters. Unused parameters: [{', '.join(unused)}]",
        )
    return text
