"""Create the working tables of new User-Agent headers where the Astro SDK is not installed (Airflow 3)."""

from __future__ import annotations

from typing import Any

from include.sparkify.redshift import warehouse
from include.sparkify.settings import reports_state

COLUMNS = ("agent_id", "device", "os", "browser")


def create(query: str) -> None:
    """Create the working tables `new_agents` from ``query``, and `new_families` by parsing its rows."""
    from include.reports.agents import families

    state = reports_state()

    def work(cursor: Any) -> None:
        cursor.execute(f"drop table if exists {state}.new_agents")
        cursor.execute(f"create table {state}.new_agents as\n{query}")
        cursor.execute(f"select agent_id, user_agent from {state}.new_agents")
        found = [(agent_id, *families(user_agent)) for agent_id, user_agent in cursor.fetchall()]
        cursor.execute(f"drop table if exists {state}.new_families")
        cursor.execute(
            f"create table {state}.new_families "
            "(agent_id char(32), device varchar(256), os varchar(256), browser varchar(256))"
        )
        warehouse.insert(cursor, f"{state}.new_families", COLUMNS, found)

    warehouse.transaction(work, "create new_agents and new_families")
