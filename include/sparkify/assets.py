"""The tables as Airflow knows them between DAGs: one Dataset each, so that its view is the lineage."""

from __future__ import annotations

from airflow.providers.common.compat.sdk import Asset

# A logical address in the form that Airflow 3 asks for; the real host is the connection's business.
_BASE = "redshift://sparkify:5439/dev"

SONGPLAYS, USERS, SONGS, ARTISTS, TIME = STAR = tuple(
    Asset(f"{_BASE}/sparkify/{table}") for table in ("songplays", "users", "songs", "artists", "time")
)


def report(table: str) -> Asset:
    """A table of schema ``reports``."""
    return Asset(f"{_BASE}/reports/{table}")
