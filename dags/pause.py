"""
# pause: the cluster stops costing by the hour

A paused cluster keeps its data and costs its storage alone; nobody can connect until `resume`. Triggered by hand, it
pauses at once (or, with `only_if_idle`, only if nobody was connected for `idle_minutes`).

**On a schedule, when idle.** Set `SPARKIFY_PAUSE_SCHEDULE` in the environment to `@hourly`, `@daily` or a cron
expression: scheduled runs pause only a cluster to which nobody was connected for `idle_minutes` (CloudWatch's
`DatabaseConnections`; without measurements it is left running). Set `SPARKIFY_RESUME_SCHEDULE` so that it is up again
before the pipeline needs it.

A cluster that is paused already is left alone. Serverless needs no pausing.

| red task | what it means | what to do |
|---|---|---|
| `idle_or_asked` | no such cluster, or it is not in a state to pause | the message says |
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.providers.amazon.aws.operators.redshift_cluster import RedshiftPauseClusterOperator
from airflow.providers.common.compat.sdk import Param, dag, get_current_context, task

from include.cluster import pause as steps
from include.cluster import request
from include.sparkify import notify


@dag(
    schedule=request.schedule("SPARKIFY_PAUSE_SCHEDULE"),
    start_date=datetime(2018, 11, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    default_args={
        "owner": "sparkify",
        "retries": 2,
        "retry_delay": timedelta(seconds=30),
        "on_failure_callback": notify.failure,
    },
    params={
        "name": request.NAME,
        "region": request.REGION,
        "only_if_idle": Param(
            False, type="boolean", title="Only if idle", description="Scheduled runs always look first."
        ),
        "idle_minutes": Param(
            60,
            type="integer",
            minimum=10,
            maximum=1440,
            title="Idle minutes",
            description="Nobody connected for so long counts as idle.",
        ),
    },
    tags=["sparkify", "cluster"],
    doc_md=__doc__,
)
def pause() -> None:
    @task.short_circuit(multiple_outputs=True)
    def idle_or_asked() -> dict[str, str]:
        """Whether there is a running cluster that may be paused now."""
        context = get_current_context()
        return steps.to_pause(context["params"], scheduled=context["dag_run"].run_type == "scheduled")

    cluster = idle_or_asked()
    RedshiftPauseClusterOperator(
        task_id="pause_cluster",
        cluster_identifier=cluster["name"],
        region_name=cluster["region"],
        wait_for_completion=True,
        deferrable=True,
        max_attempts=60,
        doc_md="Pauses the cluster and waits until it is paused, without holding a worker.",
    )


pause()
