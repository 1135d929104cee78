"""
# reports: what people listen to, in tables that answer at once

**What it makes.** The tables of schema `reports`, made anew from the star after every publication:

| question | table |
|---|---|
| How much was played, by whom, and how much of it finds its song? | `daily` |
| Which songs, which artists? (by the event's own text; the match rate stands beside) | `top_songs`, `top_artists` |
| Where, and on which level? | `locations` |
| When in the week? | `weekday_hours` |
| How much does each user play a day, and how long are sessions? | `user_days`, `sessions` |
| How many are active by day, week and month, and how sticky is it? | `active_users` |
| Who went from free to paid, and back? | `level_history` |
| Who comes again in the weeks after the first? | `retention` |
| With which devices, systems and browsers? | `devices` (made from `user_agents`) |

Columns, units and grain of each: `docs/data/README.md`, and `COMMENT ON` in the warehouse.

**When it runs.** Whenever the DAG `sparkify` has published (its Dataset `…/sparkify/songplays`); several publications
in a row may share one run. To make the tables again, trigger it by hand: it reads the star as it is.

**When it fails** the star is not touched. A table is dropped before it is made again, so the table of a red task may be
missing until the task has been cleared and has run; the others are whole. `create_schema` is skipped, and everything
with it, while the star holds no play.

This is the one file that uses the Astro SDK, which keeps it on Airflow 2. Of the SDK it takes what is sound there:
`transform` and `dataframe` with named tables and outlets of their own, nothing through XCom.
"""

# No `from __future__ import annotations` here: the SDK compares annotations with pandas.DataFrame itself.

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
from airflow.decorators import dag, task
from airflow.exceptions import AirflowSkipException
from astro import sql as aql
from astro.table import Metadata, Table

from include.sparkify import assets, declared, notify, settings, warehouse

SQL = Path(__file__).parents[1] / "include" / "sql" / "reports"
SCHEMA = "reports"
DECLARED = declared.reports()


def table(name: str) -> Table:
    """A report table, as the SDK knows it."""
    return Table(name, conn_id=warehouse.CONN_ID, metadata=Metadata(schema=SCHEMA))


def literal(text: str) -> str:
    """SQL text in quotes: COMMENT ON takes no bound values."""
    return "'" + text.replace("'", "''") + "'"


@dag(
    schedule=[assets.SONGPLAYS],
    start_date=datetime(2018, 11, 1, tzinfo=UTC),
    catchup=False,
    # It does nothing but follow the pipeline: on from the start.
    is_paused_upon_creation=False,
    # A table is dropped and made: two runs at once would do so under each other's hands.
    max_active_runs=1,
    # Statements at once, of the five that the warehouse's default queue runs.
    max_active_tasks=3,
    default_args={
        "owner": "sparkify",
        "retries": 2,
        "retry_delay": timedelta(seconds=10),
        "on_failure_callback": notify.failure,
    },
    user_defined_macros={"star": settings.star},
    tags=["sparkify", "redshift", "reports"],
    doc_md=__doc__,
)
def reports() -> None:
    @task
    def create_schema() -> None:
        """Makes schema reports where it is missing; skips the run while the star holds no play."""
        warehouse.transaction(
            lambda cursor: cursor.execute(f"create schema if not exists {SCHEMA}"), f"create schema {SCHEMA}"
        )
        ((plays,),) = warehouse.query(f"select count(*) from {settings.star()}.songplays")
        if not plays:
            raise AirflowSkipException("the star holds no play yet: there is nothing to report")

    @aql.transform(conn_id=warehouse.CONN_ID)
    def select(name: str) -> str:
        # The text, not its path: of a path the SDK would join the lines, and a comment would swallow the query.
        return (SQL / f"{name}.sql").read_text()

    @aql.dataframe(conn_id=warehouse.CONN_ID)
    def devices(user_agents: pd.DataFrame) -> pd.DataFrame:
        from include.reports.devices import families

        return families(user_agents)

    @aql.dataframe(conn_id=warehouse.CONN_ID)
    def retention(user_days: pd.DataFrame) -> pd.DataFrame:
        from include.reports.retention import by_first_week

        return by_first_week(user_days)

    @task
    def comment_on() -> None:
        """COMMENT ON every report table and column, from the headers of their files."""

        def comment(cursor: Any) -> None:
            for name, declaration in DECLARED.items():
                cursor.execute(f"comment on table {SCHEMA}.{name} is {literal(declaration.grain)}")
                for column in declaration.columns:
                    cursor.execute(
                        f"comment on column {SCHEMA}.{name}.{column.name} is {literal(column.meaning)}"
                    )

        warehouse.transaction(comment, "comment on the reports")

    def named(name: str) -> dict[str, Any]:
        """What every report's task has: its table's name, Dataset and meaning."""
        return {
            "task_id": name,
            "outlets": [assets.report(name)],
            "doc_md": f"`{SCHEMA}.{name}`: {DECLARED[name].grain}.",
        }

    schema, commented = create_schema(), comment_on()
    made = {
        path.stem: select.override(**named(path.stem))(path.stem, output_table=table(path.stem))
        for path in sorted(SQL.glob("*.sql"))
    }
    made["devices"] = devices.override(**named("devices"))(
        table("user_agents"), output_table=table("devices")
    )
    made["retention"] = retention.override(**named("retention"))(
        table("user_days"), output_table=table("retention")
    )
    schema >> [made[path.stem] for path in sorted(SQL.glob("*.sql"))]
    made["user_agents"] >> made["devices"]
    made["user_days"] >> made["retention"]
    list(made.values()) >> commented


reports()
