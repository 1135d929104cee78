"""Shortcuts for tests of many loads, which would otherwise spend most of their time on clients and on parsing SQL.

They change nothing but time. A DAG run (tests/running.py) goes the long way, and so does another process.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
from collections.abc import Iterator
from typing import Any

import pytest
from airflow.providers.amazon.aws.hooks.redshift_sql import RedshiftSQLHook

from include.sparkify import lake

_make_client, _parse = lake.client, RedshiftSQLHook.split_sql_string


@functools.cache
def _client(connection: str | None) -> Any:
    return _make_client()


def _split(script: str, strip_semicolon: bool = False) -> list[str]:
    """Split one of our own scripts, in which only a statement ends a line with a semicolon."""
    return [statement for statement in re.split(r";\s*\n", script + "\n") if statement.strip()]


def take(patch: pytest.MonkeyPatch) -> None:
    """Share the S3 clients of a process, and split scripts plainly."""
    patch.setattr(lake, "client", lambda: _client(os.environ.get("AIRFLOW_CONN_AWS_DEFAULT")))
    patch.setattr(RedshiftSQLHook, "split_sql_string", staticmethod(_split))


@contextlib.contextmanager
def leave() -> Iterator[None]:
    """Do as production does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lake, "client", _make_client)
        patch.setattr(RedshiftSQLHook, "split_sql_string", staticmethod(_parse))
        yield
