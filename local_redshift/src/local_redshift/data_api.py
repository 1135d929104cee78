"""The Redshift Data API (boto3 redshift-data), which runs statements in the same warehouse as all other clients.

https://docs.aws.amazon.com/redshift-data/latest/APIReference/Welcome.html. Not covered: sessions, results as CSV, and
events on EventBridge. Statements and results are kept until the services stop.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg2

from .aws_json import Caller, Fault, Given
from .data_statements import Batch, Column, Statement, bind, describe_columns

PAGE = 1000  # default number of rows per response
_LONGEST = 100 * 1024  # bytes per statement: the service's limit
_LIMIT = 500  # active statements: the service's quota


@dataclass(frozen=True)
class Target:
    """The target of a request: a cluster or workgroup, a database and a user."""

    caller: Caller
    database: str
    cluster: str | None = None
    workgroup: str | None = None
    db_user: str | None = None
    secret: str | None = None

    def public(self) -> Given:
        """Return the fields that the service repeats in its responses."""
        found = {
            "ClusterIdentifier": self.cluster,
            "WorkgroupName": self.workgroup,
            "Database": self.database,
            "DbUser": self.db_user,
            "SecretArn": self.secret,
        }
        return {name: value for name, value in found.items() if value is not None}


# Opens a connection to the warehouse. Raises Fault if the target does not exist, and psycopg2.Error if the login fails.
Connect = Callable[[Target], Any]


class DataApi:
    """The operations of the Data API, as methods, on connections that `connect` opens."""

    def __init__(self, check: Callable[[Target], None], connect: Connect) -> None:
        """:param check: raises Fault for a cluster, workgroup or secret that does not exist."""
        self._check, self._connect = check, connect
        self._batches: dict[str, tuple[Batch, Target]] = {}
        self._tokens: dict[str, str] = {}
        self._lock = threading.Lock()

    # Statements

    def execute_statement(self, caller: Caller, given: Given) -> Given:
        return self._submit(caller, given, [given["Sql"]], given.get("Parameters", []))

    def batch_execute_statement(self, caller: Caller, given: Given) -> Given:
        if given.get("Parameters"):
            raise _not_covered("Parameters of BatchExecuteStatement")
        if given.get("ExecutionMode", "TRANSACTION") not in ("TRANSACTION", "AUTO_COMMIT"):
            raise Fault("ValidationException", "ExecutionMode is TRANSACTION or AUTO_COMMIT.")
        return self._submit(caller, given, given["Sqls"], [], batch=True)

    def _submit(
        self,
        caller: Caller,
        given: Given,
        sqls: Sequence[str],
        parameters: list[dict[str, str]],
        batch: bool = False,
    ) -> Given:
        for name in ("SessionId", "SessionKeepAliveSeconds", "WithEvent"):
            if given.get(name):
                raise _not_covered(name)
        if given.get("ResultFormat", "JSON") != "JSON":
            raise _not_covered(f"ResultFormat {given['ResultFormat']}")
        target = self._target(caller, given)
        values = {parameter["name"]: parameter["value"] for parameter in parameters}
        texts = [bind(sql, values) for sql in sqls]
        if any(len(sql.encode()) > _LONGEST for sql in sqls):
            raise Fault("ValidationException", "The statement is longer than 100 KB.")
        with self._lock:
            token = given.get("ClientToken")
            if token is None or token not in self._tokens:
                if sum(not batch.done.is_set() for batch, _ in self._batches.values()) >= _LIMIT:
                    raise Fault(
                        "ActiveStatementsExceededException",
                        "The number of active statements exceeds the limit.",
                    )
                made = Batch(
                    [Statement(sql, text) for sql, text in zip(sqls, texts, strict=True)],
                    batch,
                    given.get("StatementName"),
                    parameters,
                    given.get("ExecutionMode") == "AUTO_COMMIT" or not batch,
                )
                self._batches[made.id] = (made, target)
                if token is not None:
                    self._tokens[token] = made.id
                threading.Thread(target=made.run, args=(lambda: self._connect(target),), daemon=True).start()
                identifier = made.id
            else:
                identifier = self._tokens[token]
        found, _ = self._batches[identifier]
        answer = {"Id": found.id, "CreatedAt": found.created_at} | target.public()
        if wait := given.get("WaitTimeSeconds"):
            found.done.wait(wait)
            answer |= {"Status": found.status, "HasResultSet": found.statements[-1].columns is not None}
        return answer

    def _target(self, caller: Caller, given: Given, database: str = "Database") -> Target:
        target = Target(
            caller,
            given.get(database) or given.get("Database") or "",
            given.get("ClusterIdentifier"),
            given.get("WorkgroupName"),
            given.get("DbUser"),
            given.get("SecretArn"),
        )
        if target.cluster is None and target.workgroup is None:
            raise Fault(
                "ValidationException", "Either ClusterIdentifier or WorkgroupName needs to be specified."
            )
        if target.cluster is not None and target.workgroup is not None:
            raise Fault(
                "ValidationException", "Only one of ClusterIdentifier and WorkgroupName can be specified."
            )
        if not target.database:
            raise Fault("ValidationException", "Database is required.")
        self._check(target)
        return target

    def _found(self, given: Given) -> tuple[Batch, Target, Statement | None]:
        """Find a request by its Id and, if the Id has a suffix such as :2, one statement of its batch."""
        identifier, _, number = given["Id"].partition(":")
        if identifier not in self._batches:
            raise Fault("ResourceNotFoundException", f"Statement {identifier} does not exist.")
        batch, target = self._batches[identifier]
        if number and not (number.isdigit() and 1 <= int(number) <= len(batch.statements)):
            raise Fault("ResourceNotFoundException", f"Statement {given['Id']} does not exist.")
        return batch, target, batch.statements[int(number) - 1] if number else None

    def describe_statement(self, caller: Caller, given: Given) -> Given:
        batch, target, statement = self._found(given)
        batch.done.wait(given.get("WaitTimeSeconds", 0))
        if statement is not None:
            return statement.describe(given["Id"])
        return batch.describe() | target.public()

    def get_statement_result(self, caller: Caller, given: Given) -> Given:
        batch, _, statement = self._found(given)
        batch.done.wait(given.get("WaitTimeSeconds", 0))
        if statement is None:
            if batch.is_batch:
                raise Fault(
                    "ValidationException", f"Name a statement of the batch: {batch.id}:1 for the first one."
                )
            (statement,) = batch.statements
        if batch.status != "FINISHED" or statement.columns is None:
            raise Fault(
                "ResourceNotFoundException",
                "Query does not have result. Please check query status with DescribeStatement.",
            )
        return {
            "ColumnMetadata": [column.metadata() for column in statement.columns],
            "TotalNumRows": len(statement.records),
        } | _page("Records", statement.records, given)

    def cancel_statement(self, caller: Caller, given: Given) -> Given:
        batch, _, _ = self._found(given)
        if not batch.cancel():
            raise Fault(
                "ValidationException",
                f"Could not cancel a query that is already in {batch.status} state with ID: {batch.id}",
            )
        return {"Status": True}

    def list_statements(self, caller: Caller, given: Given) -> Given:
        """List statements, newest first. Without `Status`, list only finished ones, as AWS does."""
        wanted = given.get("Status", "FINISHED")
        with self._lock:
            batches = [batch for batch, _ in reversed(self._batches.values())]
        found = [
            batch.summary()
            for batch in batches
            if wanted in ("ALL", batch.status)
            and (batch.name or "").startswith(given.get("StatementName", ""))
        ]
        return _page("Statements", found, {"MaxResults": 100, **given})

    # The catalog

    def _rows(self, caller: Caller, given: Given, sql: str, *values: str) -> list[tuple[Any, ...]]:
        target = self._target(caller, given, "ConnectedDatabase")
        if "ConnectedDatabase" in given and given.get("Database", target.database) != target.database:
            raise _not_covered("a Database other than ConnectedDatabase")
        try:
            connection = self._connect(target)
            try:
                with connection.cursor() as cursor:
                    cursor.execute(sql, values)
                    return list(cursor.fetchall())
            finally:
                connection.close()
        except psycopg2.Error as error:
            raise Fault("ValidationException", str(error).strip()) from None

    def list_databases(self, caller: Caller, given: Given) -> Given:
        sql = "select database_name from svv_redshift_databases order by 1"
        return _page("Databases", [name for (name,) in self._rows(caller, given, sql)], given)

    def list_schemas(self, caller: Caller, given: Given) -> Given:
        sql = "select schema_name from svv_all_schemas where schema_name like %s order by 1"
        rows = self._rows(caller, given, sql, given.get("SchemaPattern", "%"))
        return _page("Schemas", [name for (name,) in rows], given)

    def list_tables(self, caller: Caller, given: Given) -> Given:
        sql = (
            "select table_name, table_schema,"
            " case when table_schema in ('pg_catalog', 'information_schema') then 'SYSTEM ' else '' end"
            " || replace(table_type, 'BASE ', '')"
            " from svv_tables where table_schema like %s and table_name like %s and table_schema !~ '^pg_temp'"
            " order by 2, 1"
        )
        patterns = given.get("SchemaPattern", "%"), given.get("TablePattern", "%")
        rows = self._rows(caller, given, sql, *patterns)
        found = [{"name": name, "schema": schema, "type": kind} for name, schema, kind in rows]
        return _page("Tables", found, given)

    def describe_table(self, caller: Caller, given: Given) -> Given:
        if "Table" not in given:
            raise Fault("ValidationException", "Table is required.")
        rows = self._rows(caller, given, describe_columns, given.get("Schema", "%"), given["Table"])
        columns = [Column(*row).metadata() for row in rows]
        return {"TableName": given["Table"]} | _page("ColumnList", columns, given)


def _not_covered(what: str) -> Fault:
    return Fault("ValidationException", f"the local Redshift's Data API does not cover {what}")


def _page(name: str, found: Sequence[Any], given: Given) -> Given:
    """Return the page that `NextToken` names under a name, and the token of the next page."""
    try:
        first = int(given.get("NextToken") or 0)
    except ValueError:
        raise Fault("ValidationException", "Invalid NextToken.") from None
    last = first + int(given.get("MaxResults") or PAGE)
    return {name: list(found[first:last])} | ({"NextToken": str(last)} if last < len(found) else {})
