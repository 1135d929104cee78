"""
# sparkify: Sparkify's JSON in S3 becomes a checked star schema in Redshift

**What it makes.** `songplays`, `users`, `songs`, `artists`, `time` in schema `sparkify`; beside them the history
(`events`, `catalogue`), the ledger (`loaded_files`), `rejected_lines` and `quality_results`.

**What a run owns.** A run owns its half-open data interval in UTC, `[start, end)`: rows are cut by `ts`, not by
file. It reads the log files of its interval that are new or changed, and new or changed song files; a scheduled run
also looks back three days for late and changed files. With nothing new it is skipped.

**Backfill and rerun.** Trigger with `start` and `end` to load any stretch at once, a month or a year; or
`airflow dags backfill`. Any number of runs in any order, several at once, ends in the same rows.

| mode | reads |
|---|---|
| `load` | what is new or changed in the interval |
| `reload` | every log file of the interval, changed or not |
| `replay` | files with rejected lines, after a fix |
| `full_refresh` | everything; rows of files that left the lake go |

**What came of a run** is told by its report: a page at the address that task `report` returns, below `reports/` in
the work bucket, and the same as JSON beside it.

**When it fails** the star is as it was.

| red task | what it means | what to do |
|---|---|---|
| `create_tables` | a table is not as declared, or was dropped | the message names table and column |
| `plan` | too many rejected lines, a broken file, no right, no bucket | `select * from sparkify.rejected_lines`; \
the message says what to mend |
| `stage.*` | COPY failed | its message names the reason; the role of `aws_copy_role` must read the work bucket |
| `audit_*` | a check failed | the log prints the offending rows; `select * from sparkify.quality_results` |
| `publish` | a lost link, or another run has newer files | clear `plan` with everything downstream |

A scheduled run also fails over a broken new version of a file of the last three days: it can wait for the corrected
file, or be run with `start` and `end`, which looks at its own days alone.

To try again, clear `plan` (with downstream): the run begins anew, safely.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.providers.amazon.aws.sensors.s3 import S3KeySensor
from airflow.providers.amazon.aws.transfers.s3_to_redshift import S3ToRedshiftOperator
from airflow.providers.common.compat.sdk import (
    Param,
    TriggerRule,
    dag,
    get_current_context,
    task,
    task_group,
)
from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator
from airflow.timetables.interval import CronDataIntervalTimetable

from include.sparkify import assets, notify, settings, wait
from include.sparkify.checks import STAGING, STAR, ColumnAudit, RowAudit
from include.sparkify.plan import MODES
from include.sparkify.run import TABLES

RUN = "{{ run_schema(run_id) }}"
HISTORY = ("events", "catalogue")
ON_WAREHOUSE = {"pool": settings.pool()}
BUILD = ("scope", "song_versions", "songplays", "time", "users", "songs", "artists")


def scripts(folder: str, *tables: str) -> list[str]:
    """The SQL files of a folder, for Airflow to render."""
    return [f"{folder}/{table}.sql" for table in tables]


@dag(
    schedule=CronDataIntervalTimetable(settings.schedule(), timezone="UTC"),
    start_date=settings.start_date(),
    end_date=settings.end_date(),
    catchup=True,
    max_active_runs=4,
    default_args={
        "owner": "sparkify",
        "retries": 2,
        "retry_delay": timedelta(seconds=10),
        "on_failure_callback": notify.failure,
    },
    template_searchpath=[str(Path(__file__).parents[1] / "include" / "sql")],
    user_defined_macros={
        "settings": settings.settings,
        "star": settings.star,
        "run_schema": settings.run_schema,
        "last_day": wait.last_day,
    },
    params={
        "mode": Param(
            "load",
            enum=list(MODES),
            title="Mode",
            description="What the run reads. "
            + "; ".join(f"{mode}: {reads}" for mode, reads in MODES.items()),
        ),
        "start": Param(
            None,
            type=["null", "string"],
            title="Start",
            description="First moment to load, UTC, for example 2018-11-01 or 2018-11-01T13:00. Empty: the run's own "
            "data interval.",
        ),
        "end": Param(
            None,
            type=["null", "string"],
            title="End",
            description="First moment not to load any more, UTC, for example 2018-12-01. Give both or neither.",
        ),
    },
    tags=["sparkify", "redshift"],
    doc_md=__doc__,
)
def sparkify() -> None:
    @task(templates_exts=[".sql"])
    def create_tables(declarations: list[str]) -> None:
        """Makes the published tables that are missing; fails if one is not as declared."""
        from include.sparkify import run

        run.create_tables(declarations, rebuild=get_current_context()["params"]["mode"] == "full_refresh")

    wait_for_events = S3KeySensor(
        task_id="wait_for_events",
        aws_conn_id="aws_default",
        bucket_name="{{ settings().source_bucket }}",
        bucket_key="{{ settings().log_prefix ~ last_day(params, data_interval_start, data_interval_end) }}*",
        wildcard_match=True,
        deferrable=True,
        soft_fail=True,
        poke_interval=60,
        pre_execute=wait.no_longer_than_set,
        doc_md="Waits for the log file of the interval's last day, without holding a worker. Whether its absence "
        "is a failure is for `plan` to say.",
    )

    @task(multiple_outputs=True, trigger_rule=TriggerRule.NONE_FAILED)
    def plan() -> dict[str, Any]:
        """Compares lake and ledger, screens the lines of new files into the work bucket, writes COPY manifests."""
        from include.sparkify.plan import make

        return make(get_current_context())

    @task(templates_exts=[".sql"])
    def open_run(plan: dict[str, Any], tables: list[str]) -> None:
        """Makes the schema that belongs to this run alone, with empty staging tables."""
        from include.sparkify import run

        run.open_run(get_current_context(), plan, tables)

    @task_group(default_args=ON_WAREHOUSE)
    def stage(manifests: Any) -> None:
        """COPY of the screened lines: one a table."""
        for table in STAGING:
            S3ToRedshiftOperator(
                task_id=table,
                schema=RUN,
                table=table,
                s3_bucket="{{ settings().work_bucket }}",
                s3_key=manifests[table],
                copy_options=["manifest", "gzip", "json 'auto'", "timeformat 'epochmillisecs'"],
                redshift_conn_id="redshift_default",
                aws_conn_id="aws_copy_role",
                doc_md=f"COPY into `{table}` of the run's schema, by the role of connection aws_copy_role.",
            )

    @task_group(default_args=ON_WAREHOUSE)
    def audit_staging() -> None:
        """What was staged is what was planned, and keeps the contract."""
        audit(STAGING)

    @task_group(default_args=ON_WAREHOUSE)
    def build() -> None:
        """Candidates: the rows of every table as they will be."""
        tables = {
            table: SQLExecuteQueryOperator(
                task_id=table,
                sql=f"build/{table}.sql",
                conn_id="redshift_default",
                split_statements=True,
                autocommit=False,
                doc_md=f"Runs include/sql/build/{table}.sql.",
            )
            for table in BUILD
        }
        tables["scope"] >> [tables["users"], tables["songplays"]]
        tables["song_versions"] >> [tables["songplays"], tables["songs"], tables["artists"]]
        tables["songplays"] >> tables["time"]

    @task_group(default_args=ON_WAREHOUSE)
    def audit_star() -> None:
        """The candidates are a sound star; a failed check leaves the published one as it is."""
        audit(STAR)

    @task(templates_exts=[".sql"], outlets=list(assets.STAR))
    def publish(plan: dict[str, Any], build: list[str], tables: list[str]) -> dict[str, dict[str, int]]:
        """One transaction: the candidates take the place of their rows, and the ledger says so."""
        from include.sparkify.publish import publish

        return publish(get_current_context(), plan, build, tables)

    @task
    def report() -> str:
        """Writes the run's report, a page and the same as JSON, below reports/ in the work bucket, whatever became of
        the run. A report that cannot be written leaves the run as it is."""
        from include.sparkify import run_report

        return run_report.write(get_current_context())

    @task
    def close_run() -> None:
        """Drops the run's schema."""
        from include.sparkify import run

        run.close_run(get_current_context()["run_id"])

    def audit(tables: tuple[str, ...]) -> None:
        for table in tables:
            ColumnAudit(
                task_id=f"{table}_columns", table_name=table, doc_md=f"`columns` of checks/{table}.yaml"
            )
            RowAudit(task_id=f"{table}_rows", table_name=table, doc_md=f"`rows` of checks/{table}.yaml")

    planned = plan()
    opened = open_run(planned, scripts("stage", "generation_seen", "windows", *STAGING)).as_setup()
    published = publish(
        planned, scripts("build", *BUILD), scripts("publish", *STAR, *HISTORY, "loaded_files")
    )
    closed = close_run().as_teardown(setups=opened)
    # A teardown too: it runs whatever failed, and does not decide whether the run did.
    reported = report().as_teardown()

    [create_tables(scripts("create", *TABLES)), wait_for_events] >> planned >> opened
    opened >> stage(planned) >> audit_staging() >> build() >> audit_star() >> published >> [reported, closed]


pipeline = sparkify()
# The end date bounds what is scheduled. Airflow hands it on to every task, and a run by hand after it would then be
# a success without a single task.
for each in pipeline.tasks:
    each.end_date = None
