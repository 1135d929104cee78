"""
# recreate_tables: drop all tables of the pipeline, and create empty tables

**Result.** In one transaction, the DAG drops the star, the history and the operations tables (the ledger, rejected
lines, check results and others), and creates them as declared in `include/sql/create`. After that, all data must be
reloaded from the lake. To change the columns of a table, use the DAG `upgrade_tables`. Use this DAG only if no upgrade
script applies. The DAG runs only if you trigger it.

**Procedure.** Trigger the DAG with `confirm` set to the name of the schema (usually `sparkify`). With any other value,
the run changes nothing. Then trigger `sparkify` with mode `full_refresh`. If you only want to rebuild the rows,
`full_refresh` is sufficient, and readers see the old star until the new star is published.

| failed task | possible causes | next step |
|---|---|---|
| `recreate` | `confirm` is not the name of the schema, or another session holds a lock. Nothing was changed | see \
the message, which names the schema or the session |
"""

from __future__ import annotations

from airflow.providers.common.compat.sdk import Param, dag, get_current_context, task

from include.defaults import DEFAULT_ARGS
from include.sparkify import parameters, settings, tables
from include.sparkify.redshift import schema
from include.sparkify.tasks import notify


@dag(
    schedule=None,
    start_date=settings.start_date(),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=settings.run_limit(),
    on_failure_callback=notify.run_ended,
    default_args=DEFAULT_ARGS,
    template_searchpath=[str(tables.SQL)],
    user_defined_macros={"star": settings.star, "ops": settings.ops},
    params={
        "confirm": Param(
            "",
            type="string",
            title="Confirm",
            description="The name of the schema whose tables the run drops.",
        )
    },
    tags=["sparkify", "redshift", "manual"],
    doc_md=__doc__,
)
def recreate_tables() -> None:
    @task(templates_exts=[".sql"])
    def recreate(scripts: dict[str, str]) -> None:
        """Drop and create the tables in one transaction if `confirm` is the name of the schema."""
        schema.recreate_tables(scripts, parameters.of_run(get_current_context())["confirm"])

    recreate(tables.scripts("create", tables.PUBLISHED))


recreate_tables()
