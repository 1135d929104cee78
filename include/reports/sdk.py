"""The working tables of the reports, made by the Astro SDK: the one file that imports it.

The SDK creates its output table in separate transactions: drop, commit, create. So it makes the working tables,
each a named table that one run owns; the published tables change elsewhere, in one transaction.
"""
# No `from __future__ import annotations` here: the SDK compares annotations with pandas.DataFrame itself.

from typing import Any

import pandas as pd
from astro import sql as aql
from astro.table import Metadata, Table

from include.reports.publish import STATE
from include.sparkify import warehouse


def _table(name: str) -> Table:
    return Table(name, conn_id=warehouse.CONN_ID, metadata=Metadata(schema=STATE))


@aql.transform(conn_id=warehouse.CONN_ID)
def _select(query: str) -> str:
    return query


@aql.dataframe(conn_id=warehouse.CONN_ID)
def _families(new_agents: pd.DataFrame) -> pd.DataFrame:
    from include.reports.agents import families

    found = [families(user_agent) for user_agent in new_agents["user_agent"]]
    parsed = pd.DataFrame(found, columns=["device", "os", "browser"])
    return pd.concat([new_agents[["agent_id"]], parsed], axis="columns")


def select_into(name: str, query: str) -> Any:
    """Return the task that makes working table ``name`` of what ``query`` (a template) selects."""
    return _select.override(task_id=name)(query, output_table=_table(name))


def parse_agents(name: str, source: str) -> Any:
    """Return the task that makes working table ``name``: the families of the headers in table ``source``."""
    return _families.override(task_id=name)(_table(source), output_table=_table(name))
