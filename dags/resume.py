"""
# resume: resume a paused cluster

A resume takes some minutes. Then the cluster is available at the same endpoint, with the same users and data, and the
connection `redshift_default` works again. Repeated runs are safe, because a cluster that is already available is not
changed.

**Schedule.** To resume the cluster on a schedule, set the environment variable `SPARKIFY_RESUME_SCHEDULE` to `@hourly`,
`@daily`, `@weekly` or a cron expression of five fields, in UTC. Choose a time before the scheduled runs of the
pipeline. A scheduled run that starts more than an hour late, such as the first run of a new schedule, is skipped. To
pause the cluster on a schedule, see the DAG `pause`.

| failed task | possible causes | next step |
|---|---|---|
| `find_resumable` | the cluster does not exist or cannot be resumed, or the schedule is invalid | see the message |
| `wait_until_paused` | a pause did not complete within an hour | see the events of the cluster in AWS, then clear \
the task |
| `resume_cluster` | the cluster was not available within an hour | see the events of the cluster in AWS, then clear \
the task |
"""

from __future__ import annotations

from airflow.providers.amazon.aws.operators.redshift_cluster import RedshiftResumeClusterOperator
from airflow.providers.amazon.aws.sensors.redshift_cluster import RedshiftClusterSensor
from airflow.providers.common.compat.sdk import dag, get_current_context, task

from include.cluster import pause as steps
from include.cluster import request, schedule
from include.cluster.defaults import DAG_ARGUMENTS, POKE, WAIT, WAITING_TIMEOUT
from include.sparkify import parameters
from include.sparkify.settings import AWS_CONN_ID


@dag(
    **DAG_ARGUMENTS,
    schedule=schedule.resume_schedule(),
    dagrun_timeout=2 * WAIT,
    params={"name": request.NAME},
    doc_md=__doc__,
)
def resume() -> None:
    @task.short_circuit
    def find_resumable() -> bool:
        """Check that the cluster exists and is paused."""
        context = get_current_context()
        params = parameters.of_run(context)
        return schedule.is_due(schedule.RESUME, context) and steps.find_resumable(params)

    wait_until_paused = RedshiftClusterSensor(
        task_id="wait_until_paused",
        aws_conn_id=AWS_CONN_ID,
        cluster_identifier="{{ params.name }}",
        **POKE,
        target_status="paused",
        doc_md="Wait until a pause in progress is complete, because AWS cannot resume a cluster that is still pausing.",
    )
    resume_cluster = RedshiftResumeClusterOperator(
        task_id="resume_cluster",
        aws_conn_id=AWS_CONN_ID,
        cluster_identifier="{{ params.name }}",
        wait_for_completion=True,
        deferrable=True,
        poll_interval=10,
        max_attempts=WAIT.seconds // 10,
        execution_timeout=WAITING_TIMEOUT,
        doc_md="Resume the cluster, and wait in deferred mode, without a worker slot, until it is available.",
    )
    find_resumable() >> wait_until_paused >> resume_cluster


resume()
