"""
# recreate_tables: drop every table of the pipeline and recreate it, empty

**Result.** In one transaction, drops the star, the history and the pipeline's own tables (ledger, rejected lines, check
results and others), and creates them as `include/sql/create` declares them. Then everything has to be reloaded from
the lake. To change the columns of a table, use the DAG `upgrade_tables`; use this DAG only if no upgrade script fits.
It runs only if triggered manually.

**How.** Trigger it with `confirm` set to the name of the schema (usually `sparkify`). Any other value changes nothing.
Then trigger `sparkify` with mode `full_refresh`. To rebuild only the rows, that mode is enough, and readers see the old
star until the new one is published.

| red task | meaning | next step |
|---|---|---|
| `recreate` | nothing was changed: `confirm` is not the name of the schema, or another session holds a lock | the \
message names it |
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
            description="The name of the schema whose tables are to be dropped.",
        )
    },
    tags=["sparkify", "redshift", "manual"],
    doc_md=__doc__,
)
def recreate_tables() -> None:
    @task(templates_exts=[".sql"])
    def recreate(scripts: dict[str, str]) -> None:
        """Drop and create the tables in one transaction, if `confirm` is the name of the schema."""
        schema.recreate_tables(scripts, parameters.of_run(get_current_context())["confirm"])

    recreate(tables.scripts("create", tables.PUBLISHED))


recreate_tables()
