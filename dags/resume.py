"""
# resume: a paused cluster comes back

Takes some minutes; then `redshift_default` works again, at the same address with the same users and data. A cluster
that runs already is left alone.

**On a schedule.** Set `SPARKIFY_RESUME_SCHEDULE` in the environment to `@daily` or a cron expression, some time before
the pipeline's: the counterpart of `SPARKIFY_PAUSE_SCHEDULE` (see `pause`).

| red task | what it means | what to do |
|---|---|---|
| `paused` | no such cluster, or it is not in a state to resume | the message says |
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.providers.amazon.aws.operators.redshift_cluster import RedshiftResumeClusterOperator
from airflow.providers.common.compat.sdk import dag, get_current_context, task

from include.cluster import pause as steps
from include.cluster import request
from include.sparkify import notify


@dag(
    schedule=request.schedule("SPARKIFY_RESUME_SCHEDULE"),
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
    params={"name": request.NAME, "region": request.REGION},
    tags=["sparkify", "cluster"],
    doc_md=__doc__,
)
def resume() -> None:
    @task.short_circuit(multiple_outputs=True)
    def paused() -> dict[str, str]:
        """Whether there is a cluster to resume."""
        return steps.to_resume(get_current_context()["params"])

    cluster = paused()
    RedshiftResumeClusterOperator(
        task_id="resume_cluster",
        cluster_identifier=cluster["name"],
        region_name=cluster["region"],
        wait_for_completion=True,
        deferrable=True,
        max_attempts=60,
        doc_md="Resumes the cluster and waits until it is available, without holding a worker.",
    )


resume()
