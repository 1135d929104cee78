"""
# upgrade_tables: bring the tables of an earlier version up to date, and keep their rows

**Result.** In one transaction, changes the tables that an earlier version of this project created to what
`include/sql/create` declares now, by the scripts of `include/sql/upgrade`. Nothing is read from the lake. Tables that
are up to date stay as they are, so running it twice is safe.

**How.** Deploy the new version. If the task `create_tables` of `sparkify` fails and names this DAG, pause `sparkify`
first, because its tasks fail if they wait for a table that is replaced. Trigger this DAG. Then unpause `sparkify` and
clear the failed task.

| red task | meaning | next step |
|---|---|---|
| `upgrade` | nothing was changed: a table differs in a way that no script upgrades from, or another session holds a \
lock | the message names it |
"""

from __future__ import annotations

from airflow.providers.common.compat.sdk import dag, task

from include.defaults import DEFAULT_ARGS
from include.sparkify import settings, tables
from include.sparkify.redshift import schema


@dag(
    schedule=None,
    start_date=settings.start_date(),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=settings.run_limit(),
    default_args=DEFAULT_ARGS,
    template_searchpath=[str(tables.SQL)],
    user_defined_macros={"star": settings.star, "ops": settings.ops},
    tags=["sparkify", "redshift", "manual"],
    doc_md=__doc__,
)
def upgrade_tables() -> None:
    @task(templates_exts=[".sql"])
    def upgrade(scripts: dict[str, str]) -> list[str]:
        """Upgrade the tables in one transaction, and return their names."""
        return schema.upgrade_tables(scripts, tables.PUBLISHED)

    upgrade(tables.scripts("upgrade", tables.UPGRADED))


pipeline = upgrade_tables()

if __name__ == "__main__":
    pipeline.test()
