"""Check that the warehouse answers before a task waits for it.

The driver has no time limit for the login only: its ``timeout`` also applies to every later read, and would end a long
COPY. Without a time limit, a connection attempt to a paused cluster, or through a closed security group, waits for
about two minutes, because the packets are dropped. The hook of Airflow's provider makes five attempts.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from typing import Any

import redshift_connector
import tenacity
from airflow.providers.amazon.aws.hooks.redshift_sql import RedshiftSQLHook

from include.sparkify.errors import TransientError

CONN_ID = "redshift_default"
# Time limit in seconds for the connection attempt, and again for the answer.
PATIENCE = 10
# SSLRequest, which every server of the PostgreSQL family answers with one byte before any login:
# https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-SSL
_QUESTION = struct.pack("!ii", 8, 80877103)


class UnreachableError(TransientError):
    """The warehouse does not answer, so no statement was sent."""


def connect() -> redshift_connector.Connection:
    """Open a connection of ``redshift_default`` with autocommit off.

    There is only one attempt: the caller retries its whole transaction, or Airflow retries the task.

    :raises UnreachableError: see :func:`assert_answers`.
    :raises redshift_connector.Error: the login is refused.
    """
    hook = RedshiftSQLHook(redshift_conn_id=CONN_ID)
    assert_hook_answers(hook)
    return RedshiftSQLHook.get_conn.retry_with(stop=tenacity.stop_after_attempt(1))(hook)


def before_task(context: Any) -> None:
    """Fail a task before its operator waits for a warehouse that does not answer, as the operator's ``pre_execute``.

    :raises UnreachableError: see :func:`assert_answers`.
    """
    assert_hook_answers(RedshiftSQLHook(redshift_conn_id=CONN_ID))


def assert_hook_answers(hook: RedshiftSQLHook) -> None:
    """Check that the warehouse of a connection answers, unless the driver looks up its address by cluster name.

    :raises UnreachableError: see :func:`assert_answers`.
    """
    if hook.conn.host:
        assert_answers(hook.conn.host, hook.conn.port or 5439)


def assert_answers(host: str, port: int) -> None:
    """Return once a server of the PostgreSQL family has answered.

    :raises UnreachableError: the connection failed, or the connection attempt or the answer took longer than
        :data:`PATIENCE` seconds. The message names the likely reason and the next step.
    """
    where = f"the warehouse at {host}:{port}"
    try:
        with contextlib.closing(socket.create_connection((host, port), PATIENCE)) as link:
            link.sendall(_QUESTION)
            if link.recv(1) in (b"S", b"N"):
                return
        raise UnreachableError(
            f"{where} closed the connection before the login. It is restarting or full, or another service has this "
            "port. Next: check host and port of connection redshift_default; then clear the task."
        )
    except TimeoutError as error:
        raise UnreachableError(
            f"{where} did not answer within {PATIENCE} seconds: it is paused, or the security group does not let us "
            "in. Next: trigger the DAG `resume`, or add the address range of the workers to the security group "
            "(parameter `cidrs` of `provision`); then clear the task."
        ) from error
    except socket.gaierror as error:
        raise UnreachableError(
            f"{where}: the name is unknown ({error}). Next: check the host of connection redshift_default; then clear "
            "the task."
        ) from error
    except OSError as error:
        raise UnreachableError(
            f"{where} cannot be reached ({error}). It is restarting, paused or deleted. Next: check its status in AWS, "
            "and host and port of connection redshift_default; then clear the task."
        ) from error
