"""
# maintenance: the warehouse's weekly care

**What it does.** Drops the schemas that dead runs left; deletes rows of `quality_results`, `rejected_lines` and
`publications` older than `keep_days` (never the newest publication) and what runs wrote into the work bucket more than
`keep_run_days` ago (both keys of the Variable `sparkify`); then VACUUM and ANALYZE on every table of the star's
schema, one by one and outside any transaction.

**Running it again** is safe, at any time; loads go on beside it. It is not needed for right answers, but for fast ones
and for a small bill.

| red task | what it means | what to do |
|---|---|---|
| any | the warehouse cannot be reached, perhaps as it is paused | `resume`, then clear the task |
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.providers.common.compat.sdk import dag, task

from include.cluster import maintenance as steps
from include.sparkify import notify


@dag(
    schedule="@weekly",
    start_date=datetime(2018, 11, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={
        "owner": "sparkify",
        "retries": 2,
        "retry_delay": timedelta(minutes=1),
        "on_failure_callback": notify.failure,
    },
    tags=["sparkify", "redshift"],
    doc_md=__doc__,
)
def maintenance() -> None:
    @task
    def sweep() -> list[str]:
        """Drops the schemas that dead runs left."""
        return steps.sweep()

    @task
    def forget_old_rows() -> dict[str, int]:
        """Deletes old rows of the tables that tell of past runs."""
        return steps.forget_old_rows()

    @task
    def forget_old_files() -> int:
        """Deletes what old runs wrote into the work bucket."""
        return steps.forget_old_files()

    @task
    def vacuum_and_analyze() -> list[str]:
        """VACUUM and ANALYZE, table by table."""
        return steps.vacuum_and_analyze()

    [sweep(), forget_old_rows(), forget_old_files()] >> vacuum_and_analyze()


maintenance()
