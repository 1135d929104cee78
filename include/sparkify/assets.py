"""Airflow Datasets for the star and the report tables, so that the Datasets view shows how the DAGs depend on them."""

from __future__ import annotations

from airflow.providers.common.compat.sdk import Asset

from include.sparkify import tables

# A logical address in the form that Airflow 3 requires. The connection has the real host.
_BASE = "redshift://sparkify:5439/dev"

STAR = {table: Asset(f"{_BASE}/sparkify/{table}") for table in tables.STAR}


def report_asset(table: str) -> Asset:
    """Return the Dataset of a table of schema ``reports``."""
    return Asset(f"{_BASE}/reports/{table}")
