"""Fixtures of the random schedules."""

from __future__ import annotations

import re
import threading

import pytest
from airflow.providers.amazon.aws.hooks.redshift_sql import RedshiftSQLHook

from include.sparkify import lake


@pytest.fixture
def quick(monkeypatch, s3):
    """Thousands of loads: clients are made once a thread, and our own regular scripts are split plainly."""
    kept, connect = threading.local(), RedshiftSQLHook.get_conn

    def get_conn(hook):
        if not hasattr(kept, "connection"):
            kept.connection = connect(hook)
            kept.connection.close = kept.connection.rollback
        kept.connection.autocommit = False
        return kept.connection

    monkeypatch.setattr(RedshiftSQLHook, "get_conn", get_conn)
    monkeypatch.setattr(lake, "client", lambda: s3)
    monkeypatch.setattr(
        RedshiftSQLHook,
        "split_sql_string",
        staticmethod(
            lambda script, strip_semicolon: [
                part for part in re.split(r";\s*\n", script + "\n") if part.strip()
            ]
        ),
    )
