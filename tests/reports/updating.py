"""Update the report tables without Airflow."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import jinja2
import pytest
from airflow.providers.common.compat.sdk import AirflowSkipException

from include.reports import plain, publish
from include.sparkify import settings, tables
from include.sparkify.redshift import warehouse
from tests import shortcuts

_templates = jinja2.Environment(loader=jinja2.FileSystemLoader(tables.SQL))


def update(remake: bool = False, spoil: Callable[[dict[str, str]], None] | None = None) -> None:
    """Do the work of the tasks in the DAG `reports`, with the same functions and the same rendered SQL.

    Each transaction has its own session, because some transactions create temporary tables.

    :param spoil: a function that changes the SQL before it runs.
    """
    with contextlib.suppress(AirflowSkipException), pytest.MonkeyPatch.context() as patch:
        shortcuts.connect_again(patch)
        plan = publish.make_plan(remake)
        due_events = f"{settings.reports_state()}.due_events"
        query = render(f"{publish.STATE}/due_events.sql", plan["remake"])
        script = f"drop table if exists {due_events};\ncreate table {due_events} as\n{query}"
        warehouse.transaction(lambda cursor: warehouse.execute(cursor, script), "create due_events")
        plain.create(render(f"{publish.STATE}/new_agents.sql", plan["remake"]))
        scripts = {name: render(path, plan["remake"]) for name, path in publish.scripts().items()}
        if spoil:
            spoil(scripts)
        publish.publish(plan, scripts)


def render(path: str, remake: bool) -> str:
    """Return a script of the reports as Airflow renders it."""
    names = ("star", "ops", "reports", "reports_state")
    macros = {name: getattr(settings, name) for name in names} | {"changed_days": publish.changed_days}
    return _templates.get_template(path).render(macros, remake=lambda ti: remake, ti=None)
