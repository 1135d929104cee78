"""
# sparkify: load Sparkify's JSON from S3 into a checked star schema in Redshift

**Result.** The tables `songplays`, `users`, `songs`, `artists` and `time` in the schema `sparkify`, and the history
tables from which they are derived (`events` and `song_files`). The operations tables are in the schema `sparkify_ops`.
They include the ledger (`loaded_files`), `refused_files`, `rejected_lines` and `quality_results`.

**Tasks.** The tasks run in the following order. docs/flow.md shows the graph and the function that implements each
task.

1. `create_tables` creates missing tables, and fails if a table differs from its declaration.
2. `plan` waits for the log file of the interval's last day, compares the lake with the ledger, and determines the due
   files.
3. `validate` compares the lines of the due files with the contract, in one task instance per chunk.
4. `open_run` creates the schema of the run.
5. `stage` loads the validated lines with COPY, in one task per staging table.
6. `audit_staging` checks the staged rows. It runs at the same time as `build` and `audit_star`.
7. `build` derives the candidates. The task `changes` creates the tables that the other tasks share, and then one task
   per table of the star runs.
8. `audit_star` checks the candidates.
9. `publish` replaces published rows with candidates, in one transaction.
10. `check_complete` fails if a file of the run was not loaded.
11. `close_run` drops the schema of the run and writes the run report, even if the run fails. It runs at the same time
    as `check_complete`.

**Interval.** A run loads data for a half-open interval in UTC, `[start, end)`. It loads each log file of the days in
the interval, and each song file, if the current version of the file is not loaded. Files are loaded as a whole. In mode
`load` without the parameter `start`, the run also loads late, changed and corrected files of the days before the
interval (`look_back_days`). If no file is due, the run is skipped. An hourly run reloads the file of its day if the
file has grown. Scheduled runs look for song files only if their interval ends at midnight UTC. Manual runs always look
for song files.

**Backfill and rerun.** To load an interval such as a month or a year in one run, trigger the DAG with `start` and
`end`. To load it in one run per day, use `airflow dags backfill`. Any number of runs, in any order and at the same
time, produces the same rows.

| mode | files that the run reads |
|---|---|
| `load` | new and changed files |
| `reload` | every log file of the interval, even if it has not changed |
| `replay` | refused files and files with rejected lines, for use after a fix |
| `full_refresh` | all files. The rows of files that are no longer in the lake are deleted |

**Deletes.** A run that would delete more than `delete_threshold` of the loaded data fails in `audit_staging`. Check the
prefixes and the files. If they are correct, trigger the run again with `confirm_deletes`.

**Report.** The task `close_run` writes an HTML page, and the same facts as JSON, under the prefix `reports/` in the
work bucket. It writes them for failed runs, too, and returns the address of the page.

**If a run fails** before `publish` commits, the star is unchanged.

| failed task | possible causes | next step |
|---|---|---|
| `create_tables` | the warehouse cannot be reached (for example, because the cluster is paused), a setting is \
invalid, or a table was dropped or differs from its declaration | follow the message. For a paused cluster, trigger \
the DAG `resume`. For a table of an earlier version, trigger the DAG `upgrade_tables` |
| `plan` | a permission or a bucket is missing, a setting is invalid, a file is absent or refused, or too many song \
files are refused | follow the message. To list refused files, run `select * from sparkify_ops.refused_files` |
| `validate` | a source file cannot be read | follow the message, which names the file |
| `open_run` | every file was refused, or too many song files were refused | run `select * from \
sparkify_ops.refused_files` |
| `stage.*` | COPY failed | see the reason in the message. The role of `aws_copy_role` must be able to read the work \
bucket |
| `build.*` | the warehouse stopped a statement of include/sql/build | see the message, which names a blocking session |
| `audit_*` | a check failed | see the failing rows in the log, or run `select * from sparkify_ops.quality_results` |
| `publish` | the connection was lost, another session holds a lock, a check of rebuilt candidates failed, a key is \
duplicated, or checks did not pass because tasks were cleared individually | see the message, and then clear `plan` \
with its downstream tasks |
| `check_complete` | the run is published, but files were refused, or replaced during the run | see the message, \
which names the files |
| `close_run` | the run report was not written, or the schema of the run was not dropped. The star is not affected | \
see the message, and then clear the task. `maintenance` also drops the schema |

To repeat a run, clear `plan` with its downstream tasks. If `create_tables` failed, clear `create_tables` with its
downstream tasks instead. The run then starts again with a new schema, and the star stays consistent.

After ten consecutive failed runs, Airflow pauses this DAG, and no more days are loaded. Fix the cause, and then unpause
the DAG.
"""

from __future__ import annotations

from typing import Any

from airflow.providers.amazon.aws.transfers.s3_to_redshift import S3ToRedshiftOperator
from airflow.providers.common.compat.sdk import (
    AirflowSkipException,
    Param,
    PokeReturnValue,
    chain,
    dag,
    get_current_context,
    task,
    task_group,
    teardown,
)
from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator

from include.defaults import DEFAULT_ARGS
from include.sparkify import assets, run_plan, settings, tables
from include.sparkify.redshift import ledger, reach, warehouse
from include.sparkify.tasks import checks, notify
from include.sparkify.timetable import SparkifyTimetable

# Without this check, the operators of the providers wait for a warehouse that does not answer: five attempts of two
# minutes each.
WAREHOUSE_POOL = {"pool": settings.pool(), "pre_execute": reach.before_task}


# Every task process parses this file, so modules that only one task needs are imported inside that task.
@dag(
    schedule=SparkifyTimetable(settings.schedule(), settings.last_day()),
    start_date=settings.start_date(),
    catchup=True,
    max_active_runs=4,
    # A safeguard: Airflow pauses the DAG after this many consecutive failed runs.
    max_consecutive_failed_dag_runs=10,
    dagrun_timeout=settings.run_limit(),
    on_failure_callback=notify.run_ended,
    default_args=DEFAULT_ARGS,
    template_searchpath=[str(tables.SQL)],
    user_defined_macros={
        "settings": settings.settings,
        "star": settings.star,
        "ops": settings.ops,
        "run_schema": run_plan.run_schema,
        "run_prefix": run_plan.prefix_of_run,
        "planned_commit": run_plan.planned_commit,
        "newest_commit": ledger.newest_commit,
        "columns": tables.columns,
        "sources": {source.kind: source for source in tables.SOURCES},
        "guarded": tables.guarded(),
        "statement_timeout": warehouse.statement_timeout,
    },
    params={
        "mode": Param(
            "load",
            enum=list(run_plan.MODES),
            title="Mode",
            description="; ".join(f"{mode}: {reads}" for mode, reads in run_plan.MODES.items()),
        ),
        "start": Param(
            None,
            type=["null", "string"],
            title="Start",
            description="Start of the interval (inclusive), UTC, for example 2018-11-01 or 2018-11-01T13:00. If start "
            "and end are empty, the run loads its data interval.",
        ),
        "end": Param(
            None,
            type=["null", "string"],
            title="End",
            description="End of the interval (exclusive), UTC, for example 2018-12-01. Set both start and end, or "
            "neither of them.",
        ),
        "confirm_deletes": Param(
            False,
            type="boolean",
            title="Confirm deletes",
            description="Allow this run to delete a larger share of the loaded data than delete_threshold.",
        ),
    },
    tags=["sparkify", "redshift"],
    doc_md=__doc__,
)
def sparkify() -> None:
    @task(templates_exts=[".sql"])
    def create_tables(scripts: dict[str, str]) -> None:
        """Create missing published tables, and fail if a table differs from its declaration."""
        from include.sparkify.redshift import schema

        mode = get_current_context()["params"]["mode"]
        schema.create_tables(scripts, allow_missing=mode == "full_refresh")

    # This task is a sensor, so that a run does not occupy a worker slot while it waits for its log file.
    @task.sensor(mode="reschedule", poke_interval=60, timeout=settings.run_limit().total_seconds())
    def plan() -> PokeReturnValue:
        """Compare the lake with the ledger, and write the due files to the work bucket, in chunks for `validate`.

        Before that, wait for the log file of the interval's last day, until at most `wait_minutes` after the end of the
        interval.
        """
        from include.sparkify.tasks import plan

        context = get_current_context()
        if not plan.has_waited_enough(context):
            return PokeReturnValue(is_done=False)
        try:
            decision, chunks = plan.make_plan(context)
        except AirflowSkipException as skip:
            context["ti"].xcom_push(key="skipped", value=str(skip))
            raise
        context["ti"].xcom_push(key="plan", value=decision)
        return PokeReturnValue(is_done=True, xcom_value=chunks)

    @task
    def validate(chunk: str) -> Any:
        """Validate the files of a chunk, write accepted lines to the work bucket, and record rejected lines."""
        from include.sparkify.tasks.validate import validate_chunk

        return validate_chunk(get_current_context()["run_id"], chunk)

    @task(templates_exts=[".sql"])
    def open_run(plan: Any, validated: Any, scripts: dict[str, str]) -> None:
        """Create the schema of this run with empty staging tables, and write the COPY manifests."""
        from include.sparkify.tasks import run

        run.open_run(get_current_context()["run_id"], plan, validated, scripts)

    @task_group(default_args=WAREHOUSE_POOL)
    def stage() -> None:
        """Load the validated lines with COPY, in one task per staging table."""
        for table in tables.STAGING:
            S3ToRedshiftOperator(
                task_id=table,
                schema="{{ run_schema() }}",
                table=table,
                s3_bucket="{{ settings().work_bucket }}",
                s3_key=f"{{{{ run_prefix() }}}}/{table}.manifest",
                # A COPY that is retried after its commit must not load its lines twice.
                method="REPLACE",
                copy_options=list(tables.COPY_OPTIONS),
                redshift_conn_id=warehouse.CONN_ID,
                aws_conn_id="aws_copy_role",
                doc_md=f"COPY the validated lines into `{table}`, with the role of the connection aws_copy_role.",
            )

    @task_group(default_args=WAREHOUSE_POOL)
    def build() -> None:
        """Derive the candidates, which are the new rows of each table, from the staged files and the history."""
        tasks = {
            name: SQLExecuteQueryOperator(
                task_id=name,
                sql="\n".join(
                    [
                        "{{ statement_timeout() }};",
                        *(f"{{% include 'build/{table}.sql' %}}" for table in derived),
                    ]
                ),
                conn_id=warehouse.CONN_ID,
                split_statements=True,
                autocommit=False,
                doc_md=f"Run {', '.join(derived)} of include/sql/build in one transaction.",
            )
            for name, derived in tables.BUILD.items()
        }
        changes = tasks.pop("changes")
        changes >> list(tasks.values())

    @task_group(default_args=WAREHOUSE_POOL)
    def audit_star() -> None:
        """Run the checks on the candidates. If a check fails, the published star is unchanged."""
        checks.operators("rows", *tables.STAR)

    @task(templates_exts=[".sql"], outlets=list(assets.STAR.values()), pool=settings.pool())
    def publish(validated: Any, build: dict[str, str], apply: dict[str, str], duplicate_keys: str) -> Any:
        """Replace the affected rows with the candidates and write the ledger, in one transaction."""
        from include.sparkify.tasks import publish

        context = get_current_context()
        passed = checks.passed_checks(context, check_tasks(context))
        return publish.publish(context, list(validated), passed, build, apply, duplicate_keys)

    @task
    def check_complete(published: Any) -> None:
        """Fail if a file of the run was not loaded. All other files are already published."""
        from include.sparkify.tasks.publish import check_complete

        check_complete(published)

    @teardown
    @task
    def close_run() -> str:
        """Drop the schema of this run, and write the run report (HTML and JSON) to `reports/` in the work bucket.

        This task runs even if other tasks failed. A failure of this task does not fail the run.
        """
        from include.sparkify.tasks import run
        from include.sparkify.watching import run_report

        context = get_current_context()
        try:
            run.close_run(context, check_tasks(context))
        finally:
            # Write the report even if the warehouse does not answer.
            address = run_report.write(context)
        return address

    def check_tasks(context: Any) -> list[str]:
        return [name for name in context["dag"].task_ids if name.startswith(("audit_staging", "audit_star."))]

    chunks = plan()
    # `plan` pushes the plan as a second XCom, because a sensor returns only one value.
    decision = chunks["plan"]
    validated = validate.expand(chunk=chunks)
    # Airflow renders the scripts that these tasks receive, because the names end with .sql or the strings are
    # templates.
    opened = open_run(decision, validated, tables.scripts("open_run", tables.STAGING))
    (audit_staging,) = checks.operators("audit_staging", *tables.STAGING, **WAREHOUSE_POOL)
    published = publish(
        validated,
        tables.scripts("build", tables.DERIVED),
        tables.scripts("publish", tables.PUBLISH),
        "guard/duplicate_keys.sql",
    )
    closed = close_run()

    staged, built, audited = stage(), build(), audit_star()
    chain(
        create_tables(tables.scripts("create", tables.PUBLISHED)),
        chunks,
        validated,
        opened,
        staged,
        built,
        audited,
        published,
        [check_complete(published), closed],
    )
    chain(staged, audit_staging, published)
    # Even after a failure, drop the schema only when no task reads it anymore.
    [staged, audit_staging, built, audited] >> closed


sparkify()
