"""
# maintenance: clean up the warehouse and the work bucket every week

**Result.** The DAG drops the schemas of dead runs. It deletes run reports and rows of `quality_results`,
`rejected_lines`, `publish_log` and `changed_days` that are older than `keep_days`, and files for COPY in the work
bucket that are older than `keep_run_days`. Both settings are keys of the Variable `sparkify`. Then the DAG runs VACUUM
and ANALYZE on each published table, outside any transaction.

**Repeated runs** are safe at any time, even during loads. The DAG is not required for correct results, but it improves
the performance of queries and reduces the cost of storage.

| failed task | possible causes | next step |
|---|---|---|
| `delete_old_files` | a permission on the work bucket is missing, or the bucket cannot be reached | see the message |
| any other | the warehouse cannot be reached, for example because it is paused | trigger the DAG `resume`, then \
clear the task |
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.providers.common.compat.sdk import dag, task

from include.defaults import DEFAULT_ARGS
from include.sparkify import settings
from include.sparkify.tasks import maintenance as steps
from include.sparkify.tasks import notify, run


@dag(
    schedule="@weekly",
    start_date=datetime(2018, 11, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=settings.run_limit(),
    on_failure_callback=notify.run_ended,
    default_args=DEFAULT_ARGS | {"retry_delay": timedelta(minutes=1)},
    tags=["sparkify", "redshift"],
    doc_md=__doc__,
)
def maintenance() -> None:
    @task
    def sweep() -> list[str]:
        """Drop the schemas of dead runs."""
        return run.sweep()

    @task
    def delete_old_rows() -> dict[str, int]:
        """Delete expired rows of the operations tables."""
        return steps.delete_old_rows()

    @task
    def delete_old_files() -> int:
        """Delete expired files of the work bucket."""
        return steps.delete_old_files()

    @task
    def vacuum_and_analyze() -> list[str]:
        """Run VACUUM and ANALYZE on each published table."""
        return steps.vacuum_and_analyze()

    [sweep(), delete_old_rows(), delete_old_files()] >> vacuum_and_analyze()


maintenance()
