"""
# pause: stop the cluster's hourly cost

A paused cluster keeps its data and costs only its storage. No one can connect until `resume`. A manual run pauses the
cluster at once.

**On a schedule, when idle.** Set the environment variable `SPARKIFY_PAUSE_SCHEDULE` to `@hourly`, `@daily`, `@weekly`
or a cron expression of five fields, in UTC. Scheduled runs pause the cluster only if no one was connected in the last
hour (CloudWatch metric `DatabaseConnections`). Without measurements, the cluster keeps running. A scheduled run that
starts more than an hour late, as the first run of a new schedule can, is skipped. Set `SPARKIFY_RESUME_SCHEDULE` so
that the cluster runs again before the pipeline needs it.

Running it again is safe: a cluster that is already paused is not changed. Serverless needs no pause.

| red task | meaning | what to do |
|---|---|---|
| `find_pausable` | the cluster does not exist or cannot be paused, or the schedule is malformed | see the message |
| `pause_cluster` | the cluster was not paused within an hour | see the cluster's events in AWS, then clear the task |
"""

from __future__ import annotations

from airflow.providers.amazon.aws.operators.redshift_cluster import RedshiftPauseClusterOperator
from airflow.providers.common.compat.sdk import dag, get_current_context, task

from include.cluster import pause as steps
from include.cluster import request, schedule
from include.cluster.defaults import DAG_ARGUMENTS, WAIT, WAITING_TIMEOUT
from include.sparkify import parameters
from include.sparkify.settings import AWS_CONN_ID


@dag(
    **DAG_ARGUMENTS,
    schedule=schedule.pause_schedule(),
    dagrun_timeout=2 * WAIT,
    params={"name": request.NAME},
    doc_md=__doc__,
)
def pause() -> None:
    @task.short_circuit
    def find_pausable() -> bool:
        """Check that the cluster exists and may be paused now."""
        context = get_current_context()
        params = parameters.of_run(context)
        return schedule.is_due(schedule.PAUSE, context) and steps.find_pausable(
            params, only_if_idle=schedule.is_scheduled(context)
        )

    find_pausable() >> RedshiftPauseClusterOperator(
        task_id="pause_cluster",
        aws_conn_id=AWS_CONN_ID,
        cluster_identifier="{{ params.name }}",
        wait_for_completion=True,
        deferrable=True,
        poll_interval=10,
        max_attempts=WAIT.seconds // 10,
        execution_timeout=WAITING_TIMEOUT,
        doc_md="Pause the cluster and wait until it is paused, without occupying a worker.",
    )


pause()
