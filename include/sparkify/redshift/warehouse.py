"""Run queries and transactions on the warehouse with timeouts, and retry them after transient errors."""

from __future__ import annotations

import contextlib
import logging
import re
import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import redshift_connector
import tenacity
from airflow.providers.amazon.aws.hooks.redshift_sql import RedshiftSQLHook

from include.sparkify.errors import STATEMENT_TIMEOUT, TransientError, answer, is_transient, warehouse_error
from include.sparkify.redshift import reach
from include.sparkify.redshift.reach import connect
from include.sparkify.settings import ops, settings

CONN_ID = reach.CONN_ID
# Maximum number of attempts per transaction, including the first. More failures indicate an outage.
ATTEMPTS = 5
# Maximum number of rows per INSERT. With at most 14 columns, a statement has far fewer than the maximum of 32,767 bound
# values.
ROWS_PER_INSERT = 500

log = logging.getLogger(__name__)
T = TypeVar("T")


def statement_timeout() -> str:
    """Return the SET statement for the timeout of later statements in a session, for scripts and transactions."""
    return f"set statement_timeout to {int(settings().statement_minutes * 60_000)}"


# Each thread keeps its connection between transactions, so that a task logs in only once.
_kept = threading.local()


def _take() -> redshift_connector.Connection:
    """Return the stored connection of this thread and remove it from the store, or return a new connection."""
    connection, _kept.connection = getattr(_kept, "connection", None), None
    return connection or connect()


def transaction(
    work: Callable[[redshift_connector.Cursor], T],
    doing: str,
    is_done: Callable[[redshift_connector.Cursor], bool] | None = None,
) -> T | None:
    """Run ``work`` in one transaction, and commit. After a transient error, repeat the transaction on a new connection.

    A stored connection that was closed in the meantime also causes a transient error.

    :param work: a function that receives a cursor in an open transaction. It may be called several times.
    :param doing: a short description of the action, for error messages.
    :param is_done: a function that returns, on a new connection, whether an earlier attempt committed although the
        acknowledgment was lost. If it returns true, ``work`` is not called again, and the result is None.
    :raises TransientError: the last attempt also failed, or a statement exceeded its timeout. Nothing is committed.
    :raises ConfigurationError, DataError: the server returned a final error. Nothing is committed.
    """

    def attempt() -> T | None:
        connection = _take()
        try:
            cursor = connection.cursor()
            cursor.execute(statement_timeout())
            if is_done is not None and attempts.statistics["attempt_number"] > 1:
                if is_done(cursor):
                    log.info("%s: an earlier attempt committed, but its acknowledgment was lost", doing)
                    connection.close()
                    return None
                # End the snapshot of this query, because the snapshot of the work must begin after the wait for the
                # lock.
                connection.commit()
            result = work(cursor)
            connection.commit()
        except BaseException:
            # Closing the connection rolls back uncommitted changes. For a lost connection, closing may fail.
            with contextlib.suppress(redshift_connector.Error, OSError):
                connection.close()
            raise
        if getattr(_kept, "connection", None) is None:
            _kept.connection = connection
        else:
            connection.close()
        return result

    attempts = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(ATTEMPTS),
        wait=tenacity.wait_random_exponential(multiplier=0.2, max=10),
        retry=tenacity.retry_if_exception(lambda error: isinstance(error, Exception) and is_transient(error)),
        before_sleep=tenacity.before_sleep_log(log, logging.WARNING),
        reraise=True,
    )
    try:
        return attempts(attempt)
    except (redshift_connector.Error, OSError) as error:
        raise warehouse_error(error, doing) from error


def query(sql: str, *values: Any) -> list[tuple[Any, ...]]:
    """Return the rows of a SELECT statement, whose ``%s`` placeholders are bound to ``values``.

    :raises TransientError, ConfigurationError, DataError: see :func:`transaction`.
    """

    def work(cursor: redshift_connector.Cursor) -> list[tuple[Any, ...]]:
        cursor.execute(sql, values)
        return [tuple(row) for row in cursor.fetchall()]

    return transaction(work, "query the warehouse") or []


KINDS = {"delete": "deleted", "insert": "inserted", "update": "updated"}


def execute(cursor: redshift_connector.Cursor, script: str) -> dict[str, int]:
    """Run the statements of a script one at a time, because the driver accepts one statement per call.

    :returns: the number of rows ``deleted``, ``inserted`` and ``updated``.
    """
    changed = dict.fromkeys(KINDS.values(), 0)
    for statement in RedshiftSQLHook.split_sql_string(script, strip_semicolon=True):
        cursor.execute(statement)
        verb = re.match(r"(?:\s|--.*\n)*(\w+)", statement)
        kind = KINDS.get(verb[1] if verb else "")
        if kind:
            changed[kind] += max(cursor.rowcount, 0)
    return changed


def insert(
    cursor: redshift_connector.Cursor, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]
) -> None:
    """Insert a few rows with bound values. For bulk data, use COPY."""
    row = "(" + ", ".join(["%s"] * len(columns)) + ")"
    for start in range(0, len(rows), ROWS_PER_INSERT):
        batch = rows[start : start + ROWS_PER_INSERT]
        cursor.execute(
            f"insert into {table} ({', '.join(columns)}) values {', '.join([row] * len(batch))}",
            [value for values in batch for value in values],
        )


def delete_keys(cursor: redshift_connector.Cursor, table: str, keys: Sequence[str]) -> None:
    """Delete the rows whose ``source_key`` is one of ``keys``."""
    for start in range(0, len(keys), ROWS_PER_INSERT):
        batch = keys[start : start + ROWS_PER_INSERT]
        cursor.execute(f"delete from {table} where source_key in ({', '.join(['%s'] * len(batch))})", batch)


def lock(cursor: redshift_connector.Cursor) -> None:
    """Acquire the lock for writers. Every transaction that changes published tables begins with this function.

    The lock is on a table that no query reads. Therefore, writers wait for each other, while readers do not wait and do
    not block a writer. The snapshot of the transaction begins after the wait, and includes the changes of the previous
    writer.

    :raises TransientError: the lock was not granted within ``lock_minutes``. The message names the sessions that hold
        the lock, if the warehouse shows them.
    """
    minutes = settings().lock_minutes
    cursor.execute(f"set statement_timeout to {int(minutes * 60_000)}")
    try:
        cursor.execute(f"lock table {ops()}.publish_lock")
    except redshift_connector.Error as error:
        if answer(error)[0] != STATEMENT_TIMEOUT:
            raise
        raise TransientError(
            f"another session has held {ops()}.publish_lock for {minutes:g} minutes: {describe_blockers()}. Nothing "
            "was changed. Next: end that session, or wait for it, then clear the task."
        ) from error
    cursor.execute(statement_timeout())


def describe_blockers() -> str:
    """Return the sessions that hold locks on the published tables, if the warehouse shows them to the user.

    The documentation of SVV_TRANSACTIONS states that regular users see only their own data
    (https://docs.aws.amazon.com/redshift/latest/dg/r_SVV_TRANSACTIONS.html). The documentation of ALTER USER states
    that all users see all rows (https://docs.aws.amazon.com/redshift/latest/dg/r_ALTER_USER.html). `make first-contact`
    tests this on a cluster.
    """
    try:
        rows = query(
            "select distinct t.pid, t.txn_owner, t.txn_start, n.nspname || '.' || c.relname, t.lock_mode "
            "from svv_transactions as t inner join pg_class as c on t.relation = c.oid "
            "inner join pg_namespace as n on c.relnamespace = n.oid "
            "where t.granted and t.pid <> pg_backend_pid() and n.nspname like %s order by 3, 1",
            f"{settings().star_schema}%",
        )
    except Exception as error:  # the error of the caller has priority
        return f"svv_transactions could not be read ({error})"
    return "; ".join(
        f"session {pid} of user {owner} since {since} holds {mode} on {table}"
        for pid, owner, since, table, mode in rows
    ) or ("svv_transactions shows no other session: it has ended, or only a superuser can see it")


def describe_load_error(prefix: str) -> str:
    """Return the reason why the last COPY of objects under ``prefix`` failed, which the error of COPY does not contain.

    See https://docs.aws.amazon.com/redshift/latest/dg/SYS_LOAD_ERROR_DETAIL.html. The result contains no values,
    because they may be personal data.
    """
    try:
        rows = query(
            "select trim(file_name), line_number, trim(column_name), trim(error_message) from sys_load_error_detail "
            "where file_name like %s order by start_time desc, line_number limit 1",
            f"%/{prefix}/%",
        )
    except Exception as error:  # the message of the caller has priority
        return f"sys_load_error_detail could not be read ({error})"
    return (
        "".join(
            f"{file} line {line}{f', column {column}' if column else ''}: {reason}"
            for file, line, column, reason in rows
        )
        or "sys_load_error_detail shows no error of this run to this user"
    )
