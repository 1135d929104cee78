"""The working tables of the reports, made by plain operators: for where the Astro SDK is not installed (Airflow 3)."""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import task
from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator

from include.reports.publish import STATE
from include.sparkify import warehouse


def select_into(name: str, query: str) -> Any:
    """Return the task that makes working table ``name`` of what ``query`` (a template) selects."""
    return SQLExecuteQueryOperator(
        task_id=name,
        conn_id=warehouse.CONN_ID,
        sql=[f"drop table if exists {STATE}.{name}", f"create table {STATE}.{name} as\n{query}"],
        autocommit=False,
    )


def parse_agents(name: str, source: str) -> Any:
    """Return the task that makes working table ``name``: the families of the headers in table ``source``."""

    @task(task_id=name)
    def parse() -> None:
        from include.reports.agents import families

        found = [
            (agent_id, *families(user_agent))
            for agent_id, user_agent in warehouse.query(f"select agent_id, user_agent from {STATE}.{source}")
        ]

        def write(cursor: Any) -> None:
            cursor.execute(f"drop table if exists {STATE}.{name}")
            cursor.execute(
                f"create table {STATE}.{name} "
                "(agent_id char(32), device varchar(256), os varchar(256), browser varchar(256))"
            )
            warehouse.insert(cursor, f"{STATE}.{name}", ("agent_id", "device", "os", "browser"), found)

        warehouse.transaction(write, f"make {STATE}.{name}")

    return parse()
