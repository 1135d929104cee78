"""
# maintenance: clean up the warehouse and the work bucket every week

**Result.** Drops the schemas of dead runs. Deletes rows of `quality_results`, `rejected_lines`, `publish_log` and
`changed_days`, and run reports, older than `keep_days`, and files for COPY in the work bucket older than
`keep_run_days` (both are keys of the Variable `sparkify`). Then runs VACUUM and ANALYZE on every published table, one
by one and outside any transaction.

**Running it again** is safe at any time, even during loads. Results are correct without it, but it keeps queries fast
and storage cheap.

| red task | meaning | next step |
|---|---|---|
| `delete_old_files` | a permission on the work bucket is missing, or the bucket cannot be reached | see the message |
| any other | the warehouse cannot be reached, perhaps because it is paused | trigger the DAG `resume`, then clear \
the task |
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
        """Delete expired rows of the pipeline's own tables."""
        return steps.delete_old_rows()

    @task
    def delete_old_files() -> int:
        """Delete expired files of the work bucket."""
        return steps.delete_old_files()

    @task
    def vacuum_and_analyze() -> list[str]:
        """VACUUM and ANALYZE, table by table."""
        return steps.vacuum_and_analyze()

    [sweep(), delete_old_rows(), delete_old_files()] >> vacuum_and_analyze()


maintenance()
