"""
# sparkify: load Sparkify's JSON from S3 into a checked star schema in Redshift

**Result.** `songplays`, `users`, `songs`, `artists`, `time` in schema `sparkify`, and the history that they are derived
from (`events`, `song_files`). The pipeline's own tables are in schema `sparkify_ops`: the ledger (`loaded_files`),
`refused_files`, `rejected_lines`, `quality_results` and others.

**Tasks.** In the order of the graph; docs/flow.md shows the graph and the function of each task.

1. `create_tables` creates missing tables, and fails if a table differs from its declaration.
2. `plan` waits for the log file of the interval's last day, compares the lake with the ledger, and decides which files
   are due.
3. `validate` compares their lines with the contract, in one task per chunk.
4. `open_run` creates the schema of the run.
5. `stage` COPYs the validated lines, one task per staging table.
6. `audit_staging` checks them, while the next two tasks run.
7. `build` derives the candidates: first `changes`, whose tables all others use, then one task per table.
8. `audit_star` checks the candidates.
9. `publish` replaces published rows with candidates, in one transaction.
10. `check_complete` fails if a file was left out.
11. `close_run` drops the schema and writes the run report, however the run ends. It runs beside `check_complete`.

**Interval.** A run owns its half-open data interval in UTC, `[start, end)`. It loads the log files of the interval's
days whose current version is not loaded, each as a whole, and song files likewise. In mode `load` without `start`, it
also looks back for late, changed and corrected files (`look_back_days`). If nothing is new, the run is skipped. An
hourly run reloads the file of its day if the file has grown. Of the scheduled runs, only the one that ends a day (UTC)
looks for song files; a manual run always does.

**Backfill and rerun.** Trigger with `start` and `end` to load any interval at once, such as a month or a year, or use
`airflow dags backfill`. Any number of runs, in any order and at the same time, produces the same rows.

| mode | reads |
|---|---|
| `load` | new and changed files |
| `reload` | every log file of the interval, changed or not |
| `replay` | files with rejected lines and refused files, after a fix |
| `full_refresh` | everything; rows of files that left the lake are deleted |

**Deletes.** A run that deletes more than `delete_threshold` of the loaded data fails in `audit_staging`. Check the
prefixes and the files. If they are correct, trigger the run again with `confirm_deletes`.

**Report.** The task `close_run` writes an HTML page and the same facts as JSON below `reports/` in the work bucket,
also for a failed run, and returns the address of the page.

**If a run fails** before `publish` commits, the star is unchanged.

| red task | meaning | next step |
|---|---|---|
| `create_tables` | the warehouse cannot be reached, perhaps because it is paused; a wrong setting; or a table differs \
from its declaration, or was dropped | the message names the fix: the DAG `resume` for a paused cluster, the DAG \
`upgrade_tables` for a table of an earlier version |
| `plan` | missing permission or bucket, a wrong setting, an absent or refused file, or too many \
refused song files | the message names the fix. The files: `select * from sparkify_ops.refused_files` |
| `validate` | a source file cannot be read | the message names the file and the fix |
| `open_run` | every file was refused, or too many song files were | `select * from sparkify_ops.refused_files` |
| `stage.*` | COPY failed | the message has the reason. The role of `aws_copy_role` must read the work bucket |
| `build.*` | the warehouse stopped a statement of include/sql/build | see the message; it names a blocking session |
| `audit_*` | a check failed | the log has the failing rows. See `select * from sparkify_ops.quality_results` |
| `publish` | a lost connection, a blocking session, a failed check of candidates that were rebuilt under the lock, a \
duplicate key, or checks that did not pass because tasks were cleared one by one | see the message, then clear `plan` \
with everything downstream |
| `check_complete` | the run is published, but files were left out: refused, or replaced meanwhile | the message names \
the files |
| `close_run` | the run report was not written, or the schema of the run was not dropped. The star is not affected | \
see the message, then clear the task. `maintenance` drops the schema |

To try again, clear `plan` with everything downstream (if `create_tables` failed, clear that task instead). The run
starts over, which is safe.

After ten failed runs in a row, Airflow pauses this DAG, and no more days are loaded. Fix the cause, then unpause it.
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
from include.sparkify.redshift import reach, warehouse
from include.sparkify.tasks import checks, notify
from include.sparkify.timetable import SparkifyTimetable

# The providers' operators would wait for a warehouse that does not answer: five times, two minutes each.
WAREHOUSE_POOL = {"pool": settings.pool(), "pre_execute": reach.before_task}


# Every task process parses this file, so each task imports what only it needs.
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
        "planned_version": run_plan.planned_version,
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
            description="First moment to load, UTC, for example 2018-11-01 or 2018-11-01T13:00. If start and end are "
            "empty, the run loads its data interval.",
        ),
        "end": Param(
            None,
            type=["null", "string"],
            title="End",
            description="First moment after the interval, UTC, for example 2018-12-01. Set both start and end, or "
            "neither.",
        ),
        "confirm_deletes": Param(
            False,
            type="boolean",
            title="Confirm deletes",
            description="Allow this run to delete more of the loaded data than delete_threshold permits.",
        ),
    },
    tags=["sparkify", "redshift"],
    doc_md=__doc__,
)
def sparkify() -> None:
    @task(templates_exts=[".sql"])
    def create_tables(scripts: dict[str, str]) -> None:
        """Create the published tables that are missing, and fail if one differs from its declaration."""
        from include.sparkify.redshift import schema

        mode = get_current_context()["params"]["mode"]
        schema.create_tables(scripts, allow_missing=mode == "full_refresh")

    # A sensor: a run that waits for its log file does not occupy a worker slot.
    @task.sensor(mode="reschedule", poke_interval=60, timeout=settings.run_limit().total_seconds())
    def plan() -> PokeReturnValue:
        """Compare the lake with the ledger, and write the due files to the work bucket, in chunks for `validate`.

        First, wait for the log file of the interval's last day, until `wait_minutes` after the end of the interval.
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
        """Validate the files of a chunk. Write accepted lines to the work bucket, and record the others."""
        from include.sparkify.tasks.validate import validate_chunk

        return validate_chunk(get_current_context()["run_id"], chunk)

    @task(templates_exts=[".sql"])
    def open_run(plan: Any, validated: Any, scripts: dict[str, str]) -> None:
        """Create the schema of this run with empty staging tables, and write the COPY manifests."""
        from include.sparkify.tasks import run

        run.open_run(get_current_context()["run_id"], plan, validated, scripts)

    @task_group(default_args=WAREHOUSE_POOL)
    def stage() -> None:
        """COPY the validated lines: one task per staging table."""
        for table in tables.STAGING:
            S3ToRedshiftOperator(
                task_id=table,
                schema="{{ run_schema() }}",
                table=table,
                s3_bucket="{{ settings().work_bucket }}",
                s3_key=f"{{{{ run_prefix() }}}}/{table}.manifest",
                # If a COPY is retried after it has committed, it must not load its lines twice.
                method="REPLACE",
                copy_options=list(tables.COPY_OPTIONS),
                redshift_conn_id=warehouse.CONN_ID,
                aws_conn_id="aws_copy_role",
                doc_md=f"COPY into `{table}` of the run's schema, with the role of connection aws_copy_role.",
            )

    @task_group(default_args=WAREHOUSE_POOL)
    def build() -> None:
        """Derive the candidates, the future rows of every table, from the staged files and the history."""
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
        """Run the checks on the candidates. If one fails, the published star is unchanged."""
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
        """Fail if a file of the interval was not loaded. All other files are already published."""
        from include.sparkify.tasks.publish import check_complete

        check_complete(published)

    @teardown
    @task
    def close_run() -> str:
        """Drop the schema of this run, and write the run report (HTML and JSON) below `reports/` in the work bucket.

        It runs however the run ends, and its failure does not fail the run.
        """
        from include.sparkify.tasks import run
        from include.sparkify.watching import run_report

        context = get_current_context()
        try:
            run.close_run(context, check_tasks(context))
        finally:
            # The report is written even if the warehouse does not answer.
            address = run_report.write(context)
        return address

    def check_tasks(context: Any) -> list[str]:
        return [name for name in context["dag"].task_ids if name.startswith(("audit_staging", "audit_star."))]

    chunks = plan()
    # The second XCom of `plan`, because a sensor returns one value.
    decision = chunks["plan"]
    validated = validate.expand(chunk=chunks)
    # Airflow renders the scripts that these tasks receive, because they end with .sql or are templates themselves.
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
    # Even after a failure, the schema is dropped only when no task reads it anymore.
    [staged, audit_staging, built, audited] >> closed


sparkify()
