"""Create the working tables of the reports with plain operators, where the Astro SDK is not installed (Airflow 3)."""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import task
from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator

from include.sparkify.redshift import reach, warehouse
from include.sparkify.settings import reports_state

COLUMNS = ("agent_id", "device", "os", "browser")


def select_into(name: str, query: str) -> Any:
    """Return the task that creates working table ``name`` from the result of ``query``, a template."""
    target = "{{ reports_state() }}." + name
    return SQLExecuteQueryOperator(
        task_id=name,
        conn_id=warehouse.CONN_ID,
        sql=[f"drop table if exists {target}", f"create table {target} as\n{query}"],
        autocommit=False,
        pre_execute=reach.before_task,
        doc_md=f"Create the working table `{name}` as include/sql/reports_state/{name}.sql selects it.",
    )


def parse_agents(name: str, source: str) -> Any:
    """Return the task that creates working table ``name``: the families of the headers in table ``source``."""

    @task(
        task_id=name,
        pre_execute=reach.before_task,
        doc_md=f"Create the working table `{name}`: the families of the clients in `{source}`.",
    )
    def parse() -> None:
        warehouse.transaction(lambda cursor: parse_into(cursor, name, source), f"make {name}")

    return parse()


def parse_into(cursor: Any, name: str, source: str) -> None:
    """Create working table ``name`` from the headers in table ``source``."""
    from include.reports.agents import families

    cursor.execute(f"select agent_id, user_agent from {reports_state()}.{source}")
    found = [(agent_id, *families(user_agent)) for agent_id, user_agent in cursor.fetchall()]
    cursor.execute(f"drop table if exists {reports_state()}.{name}")
    cursor.execute(
        f"create table {reports_state()}.{name} "
        "(agent_id char(32), device varchar(256), os varchar(256), browser varchar(256))"
    )
    warehouse.insert(cursor, f"{reports_state()}.{name}", COLUMNS, found)
