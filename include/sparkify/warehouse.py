"""The warehouse: queries, and transactions that survive a lost link."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import redshift_connector
import tenacity

from include.sparkify.errors import is_transient, warehouse_error
from include.sparkify.settings import star

CONN_ID = "redshift_default"
# Tries of one transaction, the first included; more than that is no hiccup any more.
ATTEMPTS = 5
# Rows of one INSERT: with at most 12 columns well below the 32,767 values that a statement can bind.
ROWS_PER_INSERT = 500

log = logging.getLogger(__name__)
T = TypeVar("T")


def connect() -> redshift_connector.Connection:
    """A new connection of ``redshift_default``, autocommit off."""
    from airflow.providers.amazon.aws.hooks.redshift_sql import RedshiftSQLHook

    return RedshiftSQLHook(redshift_conn_id=CONN_ID).get_conn()


def transaction(
    work: Callable[[redshift_connector.Cursor], T],
    doing: str,
    done: Callable[[redshift_connector.Cursor], bool] | None = None,
) -> T | None:
    """Run ``work`` in one transaction and commit; on a transient error again, whole, on a new connection.

    :param work: gets a cursor inside an open transaction; may be called several times.
    :param doing: the action in a few words, for error messages.
    :param done: tells on a new connection whether an earlier try did commit although its acknowledgement was
        lost; then ``work`` is not called again and None is returned.
    :raises TransientError: the fifth try failed too; nothing is committed.
    :raises ConfigurationError, DataError: the server's answer is final; nothing is committed.
    """

    def attempt() -> T | None:
        connection = connect()
        try:
            cursor = connection.cursor()
            if done is not None and tries.statistics["attempt_number"] > 1 and done(cursor):
                log.info("%s: an earlier try had committed; its acknowledgement was lost", doing)
                return None
            result = work(cursor)
            connection.commit()
            return result
        finally:
            # Closing rolls back what was not committed; a dead link has nothing left to close.
            try:
                connection.close()
            except (redshift_connector.Error, OSError):
                log.debug("the connection was gone already")

    tries = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(ATTEMPTS),
        wait=tenacity.wait_random_exponential(multiplier=0.2, max=10),
        retry=tenacity.retry_if_exception(lambda error: isinstance(error, Exception) and is_transient(error)),
        before_sleep=tenacity.before_sleep_log(log, logging.WARNING),
        reraise=True,
    )
    try:
        return tries(attempt)
    except (redshift_connector.Error, OSError) as error:
        raise warehouse_error(error, doing) from error


def query(sql: str, *values: Any) -> list[tuple[Any, ...]]:
    """The rows of one SELECT; ``%s`` in it are bound to ``values``.

    :raises TransientError, ConfigurationError, DataError: as :func:`transaction`.
    """

    def work(cursor: redshift_connector.Cursor) -> list[tuple[Any, ...]]:
        cursor.execute(sql, values)
        return [tuple(row) for row in cursor.fetchall()]

    return transaction(work, "query the warehouse") or []


def execute(cursor: redshift_connector.Cursor, script: str) -> dict[str, int]:
    """Run a script's statements one by one (the driver takes one a call).

    :returns: the rows they ``deleted``, ``inserted`` and ``updated``.
    """
    from airflow.providers.amazon.aws.hooks.redshift_sql import RedshiftSQLHook

    changed = {"deleted": 0, "inserted": 0, "updated": 0}
    for statement in RedshiftSQLHook.split_sql_string(script, strip_semicolon=True):
        cursor.execute(statement)
        verb = re.match(r"(?:\s|--.*\n)*(\w+)", statement)
        kind = {"delete": "deleted", "insert": "inserted", "update": "updated"}.get(verb[1] if verb else "")
        if kind:
            changed[kind] += max(cursor.rowcount, 0)
    return changed


def insert(
    cursor: redshift_connector.Cursor, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]
) -> None:
    """Insert few rows with bound values; bulk data goes through COPY."""
    row = "(" + ", ".join(["%s"] * len(columns)) + ")"
    for start in range(0, len(rows), ROWS_PER_INSERT):
        batch = rows[start : start + ROWS_PER_INSERT]
        cursor.execute(
            f"insert into {table} ({', '.join(columns)}) values {', '.join([row] * len(batch))}",
            [value for values in batch for value in values],
        )


def lock(cursor: redshift_connector.Cursor) -> None:
    """Wait for the right to write: the first statement of every transaction that changes published tables.

    One table stands for all, so writers queue up and readers of the star are never locked out; taken first,
    the transaction's snapshot begins after the wait and sees what the one before it committed.
    """
    cursor.execute(f"lock table {star()}.publications")
