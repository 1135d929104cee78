"""Define the Airflow Datasets of the star and the report tables, which show the dependencies between the DAGs."""

from __future__ import annotations

from airflow.providers.common.compat.sdk import Asset

from include.sparkify import tables

# This is a logical address in the format that Airflow 3 requires. The connection contains the real host.
_BASE = "redshift://sparkify:5439/dev"

STAR = {table: Asset(f"{_BASE}/sparkify/{table}") for table in tables.STAR}


def report_asset(table: str) -> Asset:
    """Return the Dataset of a table in the schema ``reports``."""
    return Asset(f"{_BASE}/reports/{table}")
