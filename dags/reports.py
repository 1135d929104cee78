"""
# reports: precomputed tables for analysts, and the listening page

**Result.** The tables and views of schema `reports`, and the listening page that is built from them. For the questions
that they answer, see `docs/queries`. For columns, units and grain of each, see `docs/data/README.md`, or `COMMENT ON`
in the warehouse.

**When it runs.** Whenever the DAG `sparkify` has published (its Dataset `…/sparkify/songplays`). Several new versions
of the star may share one run. If nothing is new, the run is skipped.

**What a run does.** It selects the events of the days published since its last run (`due_events`, one statement and so
one version of the star), replaces the aggregates of these days (`song_days`, `session_days` and others) and of the
periods that contain them, checks the result, and commits. All-time figures are stored as sums (`song_listeners` and
others), to which the changed days are applied. Everything else in the schema is a view. The cost depends on the change,
not on the history. The first run, and the first after a change of the reports' code or after the star was recreated,
rebuilds everything. So does a run that is triggered with `remake`. The rows are the same either way, and readers see
the old ones until it commits. Only a table or view whose columns have changed is recreated: a query that has begun may
then fail with `could not open relation with OID`.

**The listening page** is one HTML file, for readers who do not use SQL. `listening_page` writes it to the work bucket,
beside the run reports, and returns its address. It needs no server and loads no external resources.

**When it fails.** If `publish` or an earlier task fails, the tables are unchanged, all of one version. The next run
adds the missing days. To try again at once, clear `plan` with everything downstream.

| red task | what it means | what to do |
|---|---|---|
| `plan` | no right to create the schemas, or a lost connection | the message names the reason |
| `due_events`, `new_agents` | a working table was not created | clear `plan` with everything downstream |
| `publish` | a check failed, another run changed the tables, or a deploy changed the code | see the message |
| `listening_page` | the page was not written: the tables are new, the page is old | clear the task |
"""

from __future__ import annotations

from datetime import UTC, datetime
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from airflow.providers.common.compat.sdk import Param, dag, get_current_context, task
from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator

from include.defaults import DEFAULT_ARGS
from include.reports import publish as report_tables
from include.sparkify import assets, parameters, settings, tables
from include.sparkify.redshift import reach, warehouse
from include.sparkify.tasks import notify

# Only this line decides which module is used: that of the Astro SDK if the SDK is installed (Airflow 2), or the plain
# one, which produces the same rows.
agents = import_module(f"include.reports.{'sdk' if find_spec('astro') else 'plain'}")


def remake(ti: Any) -> bool:
    """Return whether the run rebuilds everything."""
    return bool(ti.xcom_pull(task_ids="plan")["remake"])


@dag(
    schedule=[assets.STAR["songplays"]],
    start_date=datetime(2018, 11, 1, tzinfo=UTC),
    catchup=False,
    # It only follows the pipeline, so it is created unpaused.
    is_paused_upon_creation=False,
    # The working tables belong to one run.
    max_active_runs=1,
    dagrun_timeout=settings.run_limit(),
    on_failure_callback=notify.run_ended,
    default_args=DEFAULT_ARGS,
    template_searchpath=[str(tables.SQL)],
    user_defined_macros={
        "star": settings.star,
        "ops": settings.ops,
        "reports": settings.reports,
        "reports_state": settings.reports_state,
        "changed_days": report_tables.changed_days,
        "remake": remake,
    },
    params={
        "remake": Param(
            False, type="boolean", title="Remake", description="Rebuild all report tables from scratch."
        )
    },
    tags=["sparkify", "redshift", "reports"],
    doc_md=__doc__,
)
def reports() -> None:
    @task
    def plan() -> report_tables.Plan:
        """Find the versions of the star that the tables do not show yet, and skip the run if there are none."""
        return report_tables.make_plan(parameters.of_run(get_current_context())["remake"])

    @task(pre_execute=reach.before_task)
    def new_agents(query: str) -> None:
        """Create `new_agents`, as include/sql/reports_state/new_agents.sql selects it, and its `new_families`."""
        agents.create(query)

    @task(templates_exts=[".sql"], outlets=[assets.report_asset(name) for name in report_tables.TABLES])
    def publish(plan: report_tables.Plan, scripts: dict[str, str]) -> None:
        """Update and check every report table, in one transaction."""
        report_tables.publish(plan, scripts)

    @task
    def listening_page() -> str:
        """Write the listening page below `reports/` in the work bucket, and return its address."""
        from include.reports import listening

        return listening.write()

    planned = plan()
    due_events = SQLExecuteQueryOperator(
        task_id="due_events",
        conn_id=warehouse.CONN_ID,
        sql=[
            "drop table if exists {{ reports_state() }}.due_events",
            "create table {{ reports_state() }}.due_events as\n{% include 'reports_state/due_events.sql' %}",
        ],
        autocommit=False,
        pre_execute=reach.before_task,
        doc_md="Create the working table `due_events`, as include/sql/reports_state/due_events.sql selects it.",
    )
    # The text, not its path: the SDK would join the lines of a file, and a comment would hide the query.
    parsed = new_agents((tables.SQL / "reports_state/new_agents.sql").read_text())
    published = publish(planned, report_tables.scripts())
    planned >> due_events >> parsed >> published >> listening_page()


reports()
