"""
# pause: pause the cluster to stop its hourly charges

A paused cluster keeps its data and incurs only storage charges. Clients cannot connect until the DAG `resume` has run.
A manual run of this DAG pauses the cluster immediately.

**Schedule.** To pause an idle cluster on a schedule, set the environment variable `SPARKIFY_PAUSE_SCHEDULE` to
`@hourly`, `@daily`, `@weekly` or a cron expression of five fields, in UTC. A scheduled run pauses the cluster only if
the cluster had no connection in the last hour (CloudWatch metric `DatabaseConnections`). If the metric has no data, the
cluster is not paused. A scheduled run that starts more than an hour late, such as the first run of a new schedule, is
skipped. Set `SPARKIFY_RESUME_SCHEDULE` so that the cluster is available before the pipeline needs it.

Repeated runs are safe, because a cluster that is already paused is not changed. Serverless does not need to be paused.

| failed task | possible causes | next step |
|---|---|---|
| `find_pausable` | the cluster does not exist or cannot be paused, or the schedule is invalid | see the message |
| `pause_cluster` | the cluster was not paused within an hour | see the events of the cluster in AWS, then clear the \
task |
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
        doc_md="Pause the cluster, and wait in deferred mode, without a worker slot, until it is paused.",
    )


pause()
