"""Shortcuts for tests of many loads, which would otherwise spend most of their time on connecting and parsing SQL.

They change only the time that a test takes. DAG runs (tests/running.py) and other processes do not use them.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from airflow.providers.amazon.aws.hooks.redshift_sql import RedshiftSQLHook

from include.sparkify.files import lake
from include.sparkify.redshift import reach, warehouse

_make_client, _connect, _parse = lake.client, RedshiftSQLHook.get_conn, RedshiftSQLHook.split_sql_string


@functools.cache
def _client(connection: str | None) -> Any:
    return _make_client()


def _split(sql: str, strip_semicolon: bool = False) -> list[str]:
    """Split one of our own scripts, in which a semicolon at the end of a line always ends a statement."""
    return [statement for statement in re.split(r";\s*\n", sql + "\n") if statement.strip()]


def take(patch: pytest.MonkeyPatch) -> None:
    """Share S3 clients in a process, and one connection (also for operators) in a thread. Split scripts by a regex."""
    shared = threading.local()

    def get_conn(hook: RedshiftSQLHook) -> Any:
        if not hasattr(shared, "connection"):
            connection = shared.connection = _connect(hook)

            def reset() -> None:
                connection.rollback()
                connection.autocommit = False

            connection.close = reset
        return shared.connection

    connect_again(patch)
    patch.setattr(lake, "client", lambda: _client(os.environ.get("AIRFLOW_CONN_AWS_DEFAULT")))
    patch.setattr(RedshiftSQLHook, "get_conn", get_conn)
    patch.setattr(warehouse, "connect", lambda: get_conn(RedshiftSQLHook(redshift_conn_id=reach.CONN_ID)))
    patch.setattr(RedshiftSQLHook, "split_sql_string", staticmethod(_split))


def connect_again(patch: pytest.MonkeyPatch) -> None:
    """Connect as production does, for tests of sessions and of lost connections."""
    patch.setattr(warehouse, "_kept", threading.local())
    patch.setattr(RedshiftSQLHook, "get_conn", _connect)
    patch.setattr(warehouse, "connect", reach.connect)


@contextlib.contextmanager
def leave() -> Iterator[None]:
    """Disable the shortcuts, as in production."""
    with pytest.MonkeyPatch.context() as patch:
        connect_again(patch)
        patch.setattr(lake, "client", _make_client)
        patch.setattr(RedshiftSQLHook, "split_sql_string", staticmethod(_parse))
        yield
