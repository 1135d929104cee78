"""Update the report tables without Airflow."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import jinja2
import pytest
from airflow.providers.common.compat.sdk import AirflowSkipException

from include.reports import agents, publish
from include.sparkify import warehouse
from include.sparkify.settings import ops, star
from tests import shortcuts

ROOT = Path(__file__).parents[2]
_templates = jinja2.Environment(loader=jinja2.FileSystemLoader(ROOT / "include/sql"))


def update(remake: bool = False) -> None:
    """Do what the tasks of the DAG `reports` do, with the same functions and the same rendered SQL.

    Each transaction has its own session, because some make temporary tables.
    """
    with contextlib.suppress(AirflowSkipException), pytest.MonkeyPatch.context() as patch:
        shortcuts.connect_again(patch)
        plan = publish.make_plan(remake)
        warehouse.transaction(lambda cursor: _working_tables(cursor, plan), "make the working tables")
        publish.publish(plan, {name: _rendered(path, plan) for name, path in publish.scripts().items()})


def _working_tables(cursor: Any, plan: publish.Plan) -> None:
    for name in ("changes", "new_agents"):
        cursor.execute(f"drop table if exists {publish.STATE}.{name}")
        query = _rendered(f"{publish.STATE}/{name}.sql", plan)
        cursor.execute(f"create table {publish.STATE}.{name} as\n{query}")
    cursor.execute(f"select agent_id, user_agent from {publish.STATE}.new_agents")
    found = [(agent_id, *agents.families(user_agent)) for agent_id, user_agent in cursor.fetchall()]
    columns = ("agent_id", "device", "os", "browser")
    cursor.execute(f"drop table if exists {publish.STATE}.new_families")
    kinds = ", ".join(f"{column} varchar(256)" for column in columns)
    cursor.execute(f"create table {publish.STATE}.new_families ({kinds})")
    warehouse.insert(cursor, f"{publish.STATE}.new_families", columns, found)


def _rendered(path: str, plan: publish.Plan) -> str:
    macros = {"star": star, "ops": ops, "remake": lambda ti: plan["remake"], "ti": None}
    return _templates.get_template(path).render(macros)
