"""
# recreate_tables: drop every table of the star and make it anew, empty

**What it does.** Drops the star, the history, the ledger, the rejected lines and the check results, and makes the
tables again as `include/sql/create` declares them, in one transaction. Everything is then to be loaded again: the
lake still has it. It is for a change of the tables' shape, and never runs by itself.

**How.** Trigger it with `confirm` set to the name of the schema (usually `sparkify`); anything else changes nothing.
Afterwards trigger `sparkify` with mode `full_refresh`. To rebuild the rows only, that mode alone is enough, and readers
see the old star until the new one is there.

**When it fails** nothing was changed. `confirm` is not the schema's name, or another run was publishing for long.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from airflow.providers.common.compat.sdk import Param, dag, get_current_context, task

from include.sparkify import notify, settings
from include.sparkify.run import TABLES


@dag(
    schedule=None,
    start_date=settings.start_date(),
    catchup=False,
    max_active_runs=1,
    default_args={
        "owner": "sparkify",
        "retries": 2,
        "retry_delay": timedelta(seconds=10),
        "on_failure_callback": notify.failure,
    },
    template_searchpath=[str(Path(__file__).parents[1] / "include" / "sql")],
    user_defined_macros={"star": settings.star},
    params={
        "confirm": Param(
            "",
            type="string",
            title="Confirm",
            description="The name of the schema whose tables are to be dropped, to show that you mean it.",
        )
    },
    tags=["sparkify", "redshift", "by hand"],
    doc_md=__doc__,
)
def recreate_tables() -> None:
    @task(templates_exts=[".sql"])
    def recreate(declarations: list[str]) -> None:
        """Drops and makes the tables in one transaction, if `confirm` is the schema's name."""
        from include.sparkify import run

        run.recreate_tables(declarations, get_current_context()["params"]["confirm"])

    recreate([f"create/{table}.sql" for table in TABLES])


recreate_tables()
