"""Create the working tables of new User-Agent headers with the Astro SDK. Only this file imports the SDK.

The import is inside the task, because with pandas, it would take each process that parses the DAG more than a second
and 95 MB. The parser would have to import the decorators of the SDK, so this file calls the database classes that they
call. One task creates both tables, because the import takes most of the time of the task.

The SDK drops its output table, commits, and recreates it. Therefore, it creates only the working tables, which only one
run uses. The module `publish` changes the published tables in one transaction.
"""

from __future__ import annotations

from include.sparkify.redshift import warehouse
from include.sparkify.settings import reports_state


def create(query: str) -> None:
    """Create the working tables `new_agents` from ``query``, and `new_families` by parsing its rows."""
    import pandas as pd
    from astro.databases import create_database
    from astro.table import Metadata, Table

    from include.reports.agents import families

    new_agents, new_families = (
        Table(name, conn_id=warehouse.CONN_ID, metadata=Metadata(schema=reports_state()))
        for name in ("new_agents", "new_families")
    )
    database = create_database(warehouse.CONN_ID, new_agents)
    database.drop_table(new_agents)
    database.create_table_from_select_statement(query, new_agents)
    headers = database.export_table_to_pandas_dataframe(new_agents)
    found = [families(user_agent) for user_agent in headers["user_agent"]]
    parsed = pd.DataFrame(found, columns=["device", "os", "browser"])
    both = pd.concat([headers[["agent_id"]], parsed], axis="columns")
    database.load_pandas_dataframe_to_table(both, new_families)
