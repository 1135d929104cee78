"""
# upgrade_tables: migrate the tables of an earlier version, and keep their rows

**Result.** In one transaction, the DAG runs the scripts of `include/sql/upgrade`, which migrate tables of an earlier
version to the current declarations in `include/sql/create`. The DAG does not read the lake. Tables that are up to date
are not changed, so repeated runs are safe.

**Procedure.** Deploy the new version. If the task `create_tables` of `sparkify` fails and names this DAG, first pause
`sparkify`, because its tasks fail if they wait for a table that is replaced. Trigger this DAG. Then unpause `sparkify`
and clear the failed task.

| failed task | possible causes | next step |
|---|---|---|
| `upgrade` | no script upgrades a table from its current columns, or another session holds a lock. Nothing was \
changed | see the message, which names the table or the session |
"""

from __future__ import annotations

from airflow.providers.common.compat.sdk import dag, task

from include.defaults import DEFAULT_ARGS
from include.sparkify import settings, tables
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
    tags=["sparkify", "redshift", "manual"],
    doc_md=__doc__,
)
def upgrade_tables() -> None:
    @task(templates_exts=[".sql"])
    def upgrade(scripts: dict[str, str], create: dict[str, str]) -> list[str]:
        """Upgrade the tables in one transaction, and return their names."""
        return schema.upgrade_tables(scripts, create)

    upgrade(tables.scripts("upgrade", tables.UPGRADED), tables.scripts("create", tables.UPGRADED))


upgrade_tables()
