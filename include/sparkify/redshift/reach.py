"""Ask whether the warehouse answers, before anything waits for it.

The driver has no time limit for the login only: its ``timeout`` also applies to every later read, and would end a long
COPY. Without one, a paused cluster and a closed security group let a connect wait for about two minutes, because they
drop the packet, and the hook of Airflow's provider repeats it five times.
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
# Seconds for the connect, and for the answer.
PATIENCE = 10
# "Do you speak TLS?", to which every server of the PostgreSQL family answers with one byte before any login:
# https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-SSL
_QUESTION = struct.pack("!ii", 8, 80877103)


class UnreachableError(TransientError):
    """The warehouse does not answer: no statement was sent."""


def connect() -> redshift_connector.Connection:
    """Open a connection of ``redshift_default`` with autocommit off.

    It is tried once: the caller repeats its whole transaction, or Airflow the task.

    :raises UnreachableError: see :func:`assert_answers`.
    :raises redshift_connector.Error: the login is refused.
    """
    hook = RedshiftSQLHook(redshift_conn_id=CONN_ID)
    assert_hook_answers(hook)
    return RedshiftSQLHook.get_conn.retry_with(stop=tenacity.stop_after_attempt(1))(hook)


def before_task(context: Any) -> None:
    """Fail a task before its operator waits for a warehouse that does not answer: an operator's ``pre_execute``.

    :raises UnreachableError: see :func:`assert_answers`.
    """
    assert_hook_answers(RedshiftSQLHook(redshift_conn_id=CONN_ID))


def assert_hook_answers(hook: RedshiftSQLHook) -> None:
    """Ask the warehouse of a connection, unless the driver looks up its address by the name of the cluster.

    :raises UnreachableError: see :func:`assert_answers`.
    """
    if hook.conn.host:
        assert_answers(hook.conn.host, hook.conn.port or 5439)


def assert_answers(host: str, port: int) -> None:
    """Return once a server of the PostgreSQL family has answered.

    :raises UnreachableError: it has not, within :data:`PATIENCE` seconds for each of connect and answer. The message
        names the likely reason and the next step.
    """
    where = f"the warehouse at {host}:{port}"
    try:
        with contextlib.closing(socket.create_connection((host, port), PATIENCE)) as link:
            link.sendall(_QUESTION)
            if link.recv(1) in (b"S", b"N"):
                return
        raise UnreachableError(
            f"{where} closed the connection before the login. It restarts or is full, or another service has this "
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
            f"{where} cannot be reached ({error}). It restarts, or is paused or deleted. Next: see its status in AWS, "
            "and host and port of connection redshift_default; then clear the task."
        ) from error
