"""Shortcuts for tests of many loads, which would otherwise spend most of their time on connecting and on parsing SQL.

They change nothing but time. A DAG run (tests/running.py) does not take them, and neither does another process.
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

from include.sparkify import lake, reach, warehouse

_make_client, _connect, _parse = lake.client, RedshiftSQLHook.get_conn, RedshiftSQLHook.split_sql_string
_open = reach.connect
_kept = threading.local()


@functools.cache
def _client(connection: str | None) -> Any:
    return _make_client()


def _connection(hook: RedshiftSQLHook) -> Any:
    """Return the one connection of this thread, in a new transaction."""
    name = os.environ.get("AIRFLOW_CONN_REDSHIFT_DEFAULT")
    if getattr(_kept, "name", None) != name:
        _kept.name, _kept.connection = name, _connect(hook)
        _kept.connection.close = _kept.connection.rollback
    _kept.connection.autocommit = False
    return _kept.connection


def _split(script: str, strip_semicolon: bool = False) -> list[str]:
    """Split one of our own scripts, in which only a statement ends a line with a semicolon."""
    return [statement for statement in re.split(r";\s*\n", script + "\n") if statement.strip()]


def take(patch: pytest.MonkeyPatch) -> None:
    """Share the S3 clients of a process and the connection of a thread, and split scripts plainly."""
    patch.setattr(lake, "client", lambda: _client(os.environ.get("AIRFLOW_CONN_AWS_DEFAULT")))
    patch.setattr(RedshiftSQLHook, "get_conn", _connection)
    patch.setattr(warehouse, "connect", lambda: _connection(RedshiftSQLHook(redshift_conn_id=reach.CONN_ID)))
    patch.setattr(RedshiftSQLHook, "split_sql_string", staticmethod(_split))


def connect_anew(patch: pytest.MonkeyPatch) -> None:
    """Connect for every transaction, for tests of sessions and of lost connections."""
    patch.setattr(RedshiftSQLHook, "get_conn", _connect)
    patch.setattr(warehouse, "connect", _open)


@contextlib.contextmanager
def leave() -> Iterator[None]:
    """Do as production does."""
    with pytest.MonkeyPatch.context() as patch:
        connect_anew(patch)
        patch.setattr(lake, "client", _make_client)
        patch.setattr(RedshiftSQLHook, "split_sql_string", staticmethod(_parse))
        yield
