"""Check that the warehouse answers before a task waits for it.

The driver has no timeout that applies only to the login. The parameter ``timeout`` also applies to every later read,
and would abort a long COPY. Without a timeout, a connection attempt to a paused cluster, or to a cluster whose security
group does not allow the connection, takes about two minutes, because the packets are dropped. The hook of Airflow's
provider makes five attempts.
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
# Timeout in seconds for the connection attempt, and for the response.
PATIENCE = 10
# SSLRequest, to which every server of the PostgreSQL family responds with one byte before the login:
# https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-SSL
_QUESTION = struct.pack("!ii", 8, 80877103)


class UnreachableError(TransientError):
    """The error if the warehouse does not respond. No statement was sent."""


def connect() -> redshift_connector.Connection:
    """Open a connection of ``redshift_default`` with autocommit off.

    This function makes only one attempt, because the caller retries the whole transaction, or Airflow retries the task.

    :raises UnreachableError: see :func:`assert_answers`.
    :raises redshift_connector.Error: the server rejected the login.
    """
    hook = RedshiftSQLHook(redshift_conn_id=CONN_ID)
    assert_hook_answers(hook)
    return RedshiftSQLHook.get_conn.retry_with(stop=tenacity.stop_after_attempt(1))(hook)


def before_task(context: Any) -> None:
    """Check that the warehouse responds. Use this function as ``pre_execute`` of an operator.

    :raises UnreachableError: see :func:`assert_answers`.
    """
    assert_hook_answers(RedshiftSQLHook(redshift_conn_id=CONN_ID))


def assert_hook_answers(hook: RedshiftSQLHook) -> None:
    """Check that the warehouse of a connection responds, unless the driver looks up the host by the cluster name.

    :raises UnreachableError: see :func:`assert_answers`.
    """
    if hook.conn.host:
        assert_answers(hook.conn.host, hook.conn.port or 5439)


def assert_answers(host: str, port: int) -> None:
    """Check that a server of the PostgreSQL family responds.

    :raises UnreachableError: the connection failed, or the connection attempt or the response took longer than
        :data:`PATIENCE` seconds. The message names the likely cause and the next step.
    """
    where = f"the warehouse at {host}:{port}"
    try:
        with contextlib.closing(socket.create_connection((host, port), PATIENCE)) as link:
            link.sendall(_QUESTION)
            if link.recv(1) in (b"S", b"N"):
                return
        raise UnreachableError(
            f"{where} closed the connection before the login. It is restarting or full, or another service uses this "
            "port. Next: check the host and port of the connection redshift_default, then clear the task."
        )
    except TimeoutError as error:
        raise UnreachableError(
            f"{where} did not answer within {PATIENCE} seconds: it is paused, or the security group does not allow "
            "the connection. Next: trigger the DAG `resume`, or add the address range of the workers to the security "
            "group (parameter `cidrs` of `provision`), then clear the task."
        ) from error
    except socket.gaierror as error:
        raise UnreachableError(
            f"{where}: the name is unknown ({error}). Next: check the host of the connection redshift_default, then "
            "clear the task."
        ) from error
    except OSError as error:
        raise UnreachableError(
            f"{where} cannot be reached ({error}). It is restarting, paused or deleted. Next: check its status in AWS, "
            "and the host and port of the connection redshift_default, then clear the task."
        ) from error
