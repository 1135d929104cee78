"""Run queries and transactions on the warehouse with time limits, and retry them after a lost connection."""

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
# Attempts per transaction, including the first. More failures mean an outage.
ATTEMPTS = 5
# Rows per INSERT. With at most 14 columns, this is well below the 32,767 values that a statement can bind.
ROWS_PER_INSERT = 500

log = logging.getLogger(__name__)
T = TypeVar("T")


def statement_timeout() -> str:
    """Return the statement that limits the time of later statements in its session, for scripts and transactions."""
    return f"set statement_timeout to {int(settings().statement_minutes * 60_000)}"


# A task logs in once: each thread keeps its connection between transactions.
_kept = threading.local()


def _take() -> redshift_connector.Connection:
    """Return the connection that this thread keeps, or a new one. A connection in use is not kept."""
    connection, _kept.connection = getattr(_kept, "connection", None), None
    return connection or connect()


def transaction(
    work: Callable[[redshift_connector.Cursor], T],
    doing: str,
    is_done: Callable[[redshift_connector.Cursor], bool] | None = None,
) -> T | None:
    """Run ``work`` in one transaction and commit. After a transient error, run it again on a new connection.

    A kept connection that has died in the meantime causes such an error.

    :param work: gets a cursor inside an open transaction, and may be called several times.
    :param doing: the action in a few words, for error messages.
    :param is_done: returns, on a new connection, whether an earlier attempt committed although its acknowledgment was
        lost. If so, ``work`` is not called again, and None is returned.
    :raises TransientError: the last attempt failed too, or a statement took too long. Nothing is committed.
    :raises ConfigurationError, DataError: the server's answer is final. Nothing is committed.
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
                # End the snapshot of this query: the snapshot of the work must begin after its wait for the lock.
                connection.commit()
            result = work(cursor)
            connection.commit()
        except BaseException:
            # Closing rolls back uncommitted changes. Closing a dead connection may fail.
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
    """Return the rows of one SELECT, in which ``%s`` are bound to ``values``.

    :raises TransientError, ConfigurationError, DataError: see :func:`transaction`.
    """

    def work(cursor: redshift_connector.Cursor) -> list[tuple[Any, ...]]:
        cursor.execute(sql, values)
        return [tuple(row) for row in cursor.fetchall()]

    return transaction(work, "query the warehouse") or []


KINDS = {"delete": "deleted", "insert": "inserted", "update": "updated"}


def execute(cursor: redshift_connector.Cursor, script: str) -> dict[str, int]:
    """Run the statements of a script one by one, because the driver takes one per call.

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
    """Insert a few rows with bound values. Bulk data goes through COPY."""
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
    """Wait for the lock on writes. Every transaction that changes published tables begins with this.

    The lock is on one table that no query reads, so writers queue up, and readers neither wait nor make a writer wait.
    The snapshot of the transaction begins after the wait and includes the changes of the previous writer.

    :raises TransientError: the lock was not granted within ``lock_minutes``. The message names the sessions that hold
        it, as far as the warehouse shows them.
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
            "was changed. Next: end that session, or wait for it; then clear the task."
        ) from error
    cursor.execute(statement_timeout())


def describe_blockers() -> str:
    """Return the sessions that hold locks on our tables, as far as the warehouse shows them to our user.

    The page of SVV_TRANSACTIONS says that regular users see only their own data; the page of ALTER USER says that all
    users see all rows: https://docs.aws.amazon.com/redshift/latest/dg/r_SVV_TRANSACTIONS.html,
    https://docs.aws.amazon.com/redshift/latest/dg/r_ALTER_USER.html. `make first-contact` tests it on a cluster.
    """
    try:
        rows = query(
            "select distinct t.pid, t.txn_owner, t.txn_start, n.nspname || '.' || c.relname, t.lock_mode "
            "from svv_transactions as t inner join pg_class as c on t.relation = c.oid "
            "inner join pg_namespace as n on c.relnamespace = n.oid "
            "where t.granted and t.pid <> pg_backend_pid() and n.nspname like %s order by 3, 1",
            f"{settings().star_schema}%",
        )
    except Exception as error:  # the message that we are about to raise matters more
        return f"svv_transactions could not be read ({error})"
    return "; ".join(
        f"session {pid} of user {owner} since {since} holds {mode} on {table}"
        for pid, owner, since, table, mode in rows
    ) or ("svv_transactions shows no other session: it has ended, or only a superuser can see it")


def describe_load_error(prefix: str) -> str:
    """Return why the last COPY of objects below ``prefix`` failed. COPY's own error only says where to find the reason.

    SYS_LOAD_ERROR_DETAIL: https://docs.aws.amazon.com/redshift/latest/dg/SYS_LOAD_ERROR_DETAIL.html. Values are left
    out, because they may name people.
    """
    try:
        rows = query(
            "select trim(file_name), line_number, trim(column_name), trim(error_message) from sys_load_error_detail "
            "where file_name like %s order by start_time desc, line_number limit 1",
            f"%/{prefix}/%",
        )
    except Exception as error:  # the message that we are about to give matters more
        return f"sys_load_error_detail could not be read ({error})"
    return (
        "".join(
            f"{file} line {line}{f', column {column}' if column else ''}: {reason}"
            for file, line, column, reason in rows
        )
        or "sys_load_error_detail shows no error of this run to this user"
    )
