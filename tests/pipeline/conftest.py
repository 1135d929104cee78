"""Fixtures of the random schedules."""

from __future__ import annotations

import threading

import pytest
from airflow.providers.amazon.aws.hooks.redshift_sql import RedshiftSQLHook


@pytest.fixture
def quick(monkeypatch):
    """Thousands of loads: a thread has one connection."""
    kept, connect = threading.local(), RedshiftSQLHook.get_conn

    def get_conn(hook):
        if not hasattr(kept, "connection"):
            kept.connection = connect(hook)
            kept.connection.close = kept.connection.rollback
        kept.connection.autocommit = False
        return kept.connection

    monkeypatch.setattr(RedshiftSQLHook, "get_conn", get_conn)
