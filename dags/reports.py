"""
# reports: precomputed tables for analysts, and the listening page

**Result.** The tables and views of schema `reports`, and the listening page that is built from them. For the questions
that they answer, see `docs/queries`. For columns, units and grain of each, see `docs/data/README.md`, or `COMMENT ON`
in the warehouse.

**When it runs.** After each publish of the DAG `sparkify` (which updates the Dataset `…/sparkify/songplays`). One run
may process several new versions of the star. If nothing is new, the run is skipped.

**What a run does.** It selects the events of the days that were published since the previous run (`due_events`, one
statement, so that all events are from one version of the star), replaces the aggregates of these days (`song_days`,
`session_days` and others) and of the periods that contain them, checks the result, and commits. All-time figures are
stored as sums (`song_listeners` and others), to which the changed days are applied. All other relations in the schema
are views. The cost depends on the change, not on the history. All report tables are rebuilt by the first run, by the
first run after a change of the code of the reports or after the star was recreated, and by a run that is triggered with
`remake`. The resulting rows are the same. Readers see the old rows until the run commits. Only tables and views with
changed columns are recreated. In this case, a running query may fail with `could not open relation with OID`.

**The listening page** is one HTML file, for readers who do not use SQL. `listening_page` writes it to the work bucket,
beside the run reports, and returns its address. It needs no server and loads no external resources.

**When it fails.** If `publish` or an earlier task fails, the tables are unchanged, and all contain the same version.
The next run adds the missing days. To retry immediately, clear `plan` with its downstream tasks.

| failed task | possible causes | next step |
|---|---|---|
| `plan` | a missing permission to create the schemas, or a lost connection | follow the message |
| `due_events`, `new_agents` | a working table was not created | clear `plan` with its downstream tasks |
| `publish` | a check failed, another run changed the tables, or a deployment changed the code | follow the message |
| `listening_page` | the tables were updated, but the page was not written | clear the task |
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

# Only this line determines which module is used: `sdk` if the Astro SDK is installed (Airflow 2), or else `plain`,
# which produces the same rows.
agents = import_module(f"include.reports.{'sdk' if find_spec('astro') else 'plain'}")


def remake(ti: Any) -> bool:
    """Return whether the run rebuilds all report tables."""
    return bool(ti.xcom_pull(task_ids="plan")["remake"])


@dag(
    schedule=[assets.STAR["songplays"]],
    start_date=datetime(2018, 11, 1, tzinfo=UTC),
    catchup=False,
    # The DAG is unpaused upon creation, because it runs only after the DAG `sparkify`.
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
    params={"remake": Param(False, type="boolean", title="Remake", description="Rebuild all report tables.")},
    tags=["sparkify", "redshift", "reports"],
    doc_md=__doc__,
)
def reports() -> None:
    @task
    def plan() -> report_tables.Plan:
        """Find the versions of the star that the tables do not contain yet, and skip the run if there are none."""
        return report_tables.make_plan(parameters.of_run(get_current_context())["remake"])

    @task(pre_execute=reach.before_task)
    def new_agents(query: str) -> None:
        """Create `new_agents` with include/sql/reports_state/new_agents.sql, and `new_families` from its rows."""
        agents.create(query)

    @task(templates_exts=[".sql"], outlets=[assets.report_asset(name) for name in report_tables.TABLES])
    def publish(plan: report_tables.Plan, scripts: dict[str, str]) -> None:
        """Update and check all report tables in one transaction."""
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
        doc_md="Create the working table `due_events` with include/sql/reports_state/due_events.sql.",
    )
    # Pass the text, not the path. The SDK would join the lines of a file, so that a comment would hide the query.
    parsed = new_agents((tables.SQL / "reports_state/new_agents.sql").read_text())
    published = publish(planned, report_tables.scripts())
    planned >> due_events >> parsed >> published >> listening_page()


reports()
