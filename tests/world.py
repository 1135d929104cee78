"""A small Sparkify for one test: its own lake, schemas and loads, on the shared stand-in.

``World.load`` does the work of the DAG's tasks, with the same functions and the same rendered SQL but without the
scheduler, so that tests can run thousands of loads. tests/pipeline/test_dag.py proves that the DAG runs the same
functions in the same order.
"""

from __future__ import annotations

import functools
import hashlib
import json
import logging
import os
import threading
import types
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import jinja2
from airflow.providers.amazon.aws.transfers.s3_to_redshift import S3ToRedshiftOperator
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException

from include.sparkify import run_plan, tables
from include.sparkify.errors import DataError
from include.sparkify.redshift import ledger, schema, warehouse
from include.sparkify.settings import ops, run_prefix, settings, star
from include.sparkify.tasks import checks, plan, publish, run, validate

# Columns that say when and by which run a row was written.
_WHEN = {
    "run_id",
    "loaded_at",
    "last_modified",
    "rejected_at",
    "refused_at",
    "published_at",
    "checked_at",
    "commit_id",
}
# The tasks of the DAG that run checks.
CHECK_TASKS = ["audit_staging", "rows", "time_columns"]
# Tables whose rows depend only on the lake once everything is loaded.
STATE = (*tables.STAR, *tables.HISTORY, "loaded_files")

_SCRIPTS = jinja2.Environment(loader=jinja2.FileSystemLoader(tables.SQL))
_template = functools.lru_cache(maxsize=None)(_SCRIPTS.from_string)


def event(
    ts: datetime,
    user: int | None = 1,
    session: int = 1,
    item: int = 0,
    song: str = "Song",
    artist: str = "Artist",
    length: float = 200.5,
    **more: Any,
) -> dict[str, Any]:
    """Return a NextSong event. ``more`` replaces any field of the source line."""
    line = {
        "artist": artist,
        "auth": "Logged In",
        "firstName": f"First{user}",
        "gender": "F",
        "itemInSession": item,
        "lastName": f"Last{user}",
        "length": length,
        "level": "free",
        "location": "Springfield, ST",
        "method": "PUT",
        "page": "NextSong",
        "registration": 1540919166796.0,
        "sessionId": session,
        "song": song,
        "status": 200,
        "ts": int(ts.replace(tzinfo=UTC).timestamp() * 1000),
        "userAgent": '"Mozilla/5.0"',
        "userId": "" if user is None else str(user),
    }
    return line | more


def song(
    song_id: str = "SO1", title: str = "Song", artist: str = "Artist", duration: float = 200.5, **more: Any
):
    """Return a song's metadata. ``more`` replaces any field of the source file."""
    document = {
        "num_songs": 1,
        "artist_id": "AR1",
        "artist_latitude": None,
        "artist_longitude": None,
        "artist_location": "",
        "artist_name": artist,
        "song_id": song_id,
        "title": title,
        "duration": duration,
        "year": 2000,
    }
    return document | more


def log_key(day: str, name: str = "events.json") -> str:
    """Return the key of a log file of a day (ISO)."""
    return f"log_data/{day[:4]}/{day[5:7]}/{day}-{name}"


def lines(*events: dict[str, Any] | str) -> bytes:
    """Return JSON lines without a newline at the end, as the source writes them. Strings are used unchanged."""
    return "\n".join(e if isinstance(e, str) else json.dumps(e) for e in events).encode()


def plain(value: Any) -> Any:
    """Return a decimal as a float, as in the source."""
    return float(value) if isinstance(value, Decimal) else value


log = logging.getLogger(__name__)
# Share of statements that fail with a concurrency error or lose their connection (trouble.py in local_redshift).
TROUBLE = float(os.environ.get("SPARKIFY_TROUBLE", "0"))


def execute(operator: Any, context: Any) -> None:
    """Run an operator outside a DAG, bypassing the guard that Airflow puts around `execute`."""
    type(operator).execute.__wrapped__(operator, context)


class World:
    """The buckets and schemas of one test."""

    # Tries per task: with trouble, failed tasks are retried, like in Airflow.
    attempts = 8 if TROUBLE else 1

    def __init__(self, s3: Any, name: str) -> None:
        # Several test processes may share one stand-in (tests/mutants).
        name = f"{name}p{os.getpid()}"
        self.s3, self.name = s3, name
        self.lake, self.work, self.schema = f"lake-{name}", f"work-{name}", f"sparkify_{name}"
        s3.create_bucket(Bucket=self.lake, CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
        s3.create_bucket(Bucket=self.work, CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
        self._runs = 0
        self._counting = threading.Lock()

    def settings(self, **more: Any) -> str:
        """Return the Variable `sparkify` of this world."""
        return json.dumps(
            {
                "source_bucket": self.lake,
                "work_bucket": self.work,
                "schema": self.schema,
                "wait_minutes": 0,
                # These lakes have few files, so deleting one would exceed the default threshold.
                "delete_threshold": 1,
                **more,
            }
        )

    # The lake -------------------------------------------------------------------------------------------

    def put(self, key: str, body: bytes) -> str:
        self.s3.put_object(Bucket=self.lake, Key=key, Body=body)
        return key

    def log(self, day: str, *events: dict[str, Any] | str, name: str = "events") -> str:
        """Write the log file of a day (ISO), and return its key."""
        return self.put(log_key(day, f"{name}.json"), lines(*events))

    def song(self, document: dict[str, Any], key: str | None = None) -> str:
        key = key or f"song_data/A/A/A/TR{document['song_id']}.json"
        return self.put(key, json.dumps(document).encode())

    def delete(self, key: str) -> None:
        self.s3.delete_object(Bucket=self.lake, Key=key)

    def empty(self) -> None:
        """Empty the lake and the tables, and drop the schemas of earlier runs."""
        for listed in self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.lake):
            for item in listed.get("Contents", []):
                self.delete(item["Key"])

        def empty(cursor: Any) -> None:
            cursor.execute(f"select run_schema from {self.schema}_ops.run_schemas")
            for (run_schema,) in cursor.fetchall():
                cursor.execute(f"drop schema if exists {run_schema} cascade")
            for table in tables.PUBLISHED:
                cursor.execute(f"delete from {schema.schema_of(table)}.{table}")

        self.task(warehouse.transaction, empty, "empty the tables")

    # A load ---------------------------------------------------------------------------------------------

    def context(
        self, start: str | None = None, end: str | None = None, mode: str = "load", run_id: str = ""
    ) -> Any:
        """Return an Airflow context with the keys that tasks read. ``start`` without ``end`` means a scheduled day."""
        if not run_id:
            with self._counting:
                self._runs += 1
                run_id = f"manual__{self._runs}"
        params = {"mode": mode, "start": start if end else None, "end": end, "confirm_deletes": False}
        day = datetime.fromisoformat(start).replace(tzinfo=UTC) if start and not end else None
        pushed: dict[str, Any] = {}

        def pull(task_ids: str | list[str], key: str = "return_value", **_: Any) -> Any:
            if isinstance(task_ids, list):
                return [pushed.get((task, key)) for task in task_ids]
            return pushed.get((task_ids, key))

        context = {
            "run_id": run_id,
            "params": params,
            "data_interval_start": day,
            "data_interval_end": day + timedelta(days=1) if day else None,
            "pushed": pushed,
        }
        render = lambda text, context: _template(text).render(self._macros(context))  # noqa: E731
        context["task"] = types.SimpleNamespace(task_id="", render_template=render)
        context["ti"] = types.SimpleNamespace(
            xcom_pull=pull,
            xcom_push=lambda key, value: pushed.update({(context["task"].task_id, key): value}),
        )
        return context

    def closing(self, context: Any, **states: str) -> Any:
        """Return a context as the task `close_run` has it in a run whose other tasks ended in these states."""
        began = datetime(2026, 1, 1, tzinfo=UTC)
        tasks = [
            types.SimpleNamespace(
                task_id=name,
                map_index=-1,
                state=state,
                start_date=began,
                end_date=began,
                try_number=1,
                log_url="http://localhost/log",
            )
            for name, state in states.items()
        ]
        context["dag_run"] = types.SimpleNamespace(start_date=began, get_task_instances=lambda: tasks)
        vars(context["ti"]).update(task_id="close_run", dag_id="sparkify")
        return context

    def load(
        self,
        start: str | None = None,
        end: str | None = None,
        mode: str = "load",
        audited: bool = True,
        context: Any = None,
    ) -> publish.Published:
        """Do one complete run. If it is skipped or fails, raise the exception of its task.

        ``audited=False`` records every check as passed instead of running it, for tests that are not about checks.
        ``context`` replaces the one that the other parameters describe.
        """
        context = context or self.context(start, end, mode)
        if audited:
            self.create_tables(allow_missing=mode == "full_refresh")
        self.stage(context)
        try:
            if audited:
                self.audit(context, "audit_staging", tables.STAGING)
            self.build(context)
            if audited:
                self.audit_star(context)
            else:
                self.pass_all(context)
            published = self.publish(context)
        finally:
            self.close_run(context)
        publish.check_complete(published)
        return published

    def task(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """Run one task of a DAG, and retry it after an error that Airflow retries."""
        for _ in range(self.attempts - 1):
            try:
                return work(*arguments)
            except (AirflowFailException, AirflowSkipException):
                raise
            except Exception as error:
                log.info("%s is tried again: %s", work, error)
        return work(*arguments)

    def prepare(self, *interval: str, mode: str = "load", run_id: str = "") -> Any:
        """Stage and build a run, record every check as passed, and return its context, ready to be published."""
        context = self.context(*interval, mode=mode, run_id=run_id)
        self.validate(context, self.plan(context))
        self.build_validated(context)
        return context

    def build_validated(self, context: Any) -> None:
        """Stage and build a run whose files are validated, and record every check as passed."""
        self.open_run(context)
        self.copy(context)
        self.build(context)
        self.pass_all(context)

    def create_tables(self, allow_missing: bool = False) -> None:
        self.task(schema.create_tables, self.rendered("create", tables.PUBLISHED), allow_missing)

    def plan(self, context: Any) -> list[str]:
        context["pushed"]["plan", "plan"], chunks = self.task(plan.make_plan, context)
        return chunks

    def validate(self, context: Any, chunks: list[str]) -> None:
        context["pushed"]["validate", "return_value"] = [
            self.task(validate.validate_chunk, context["run_id"], chunk) for chunk in chunks
        ]

    def run_schema(self, context: Any) -> str:
        return run_plan.plan_of(context)["run_schema"]

    def open_run(self, context: Any) -> None:
        pushed = context["pushed"]
        scripts = self.rendered("open_run", tables.STAGING, context)
        self.task(
            run.open_run,
            context["run_id"],
            pushed["plan", "plan"],
            pushed["validate", "return_value"],
            scripts,
        )

    def stage(self, context: Any) -> None:
        """Run plan, validate, open_run and the COPYs."""
        self.validate(context, self.plan(context))
        self.open_run(context)
        self.copy(context)

    def copy(self, context: Any) -> None:
        for table in tables.STAGING:
            copy = S3ToRedshiftOperator(
                task_id=table,
                schema=self.run_schema(context),
                table=table,
                s3_bucket=settings().work_bucket,
                s3_key=f"{run_prefix(self.run_schema(context))}/{table}.manifest",
                method="REPLACE",
                copy_options=list(tables.COPY_OPTIONS),
                aws_conn_id="aws_copy_role",
            )
            self.task(execute, copy, {})

    def audit_star(self, context: Any) -> None:
        self.audit(context, "rows", tables.STAR)

    def audit(self, context: Any, task_id: str, names: Iterable[str]) -> None:
        """Run every check that can stop a run. If one fails, raise :class:`DataError` with its task's message."""
        for operator in checks.operators(task_id, *names):
            operator.sql = _template(operator.sql).render(self._macros(context))
            context["task"].task_id = operator.task_id
            context["task"].check_results = []
            # Airflow, too, deletes a task's XComs before it runs the task again.
            context["pushed"].pop((operator.task_id, checks.PASSED), None)
            try:
                execute(operator, context)
            except AirflowFailException as error:
                context["task"].check_results = operator.check_results
                context["exception"] = error
                callbacks = operator.on_failure_callback
                # On Airflow 3, this is a list.
                for callback in callbacks if isinstance(callbacks, list) else [callbacks]:
                    callback(context)
                raise DataError(context["pushed"][operator.task_id, "failure"]) from error
            # Call the hook, not `post_execute`: on Airflow 3, the task runner calls the hook.
            operator._post_execute_hook(context, None)

    def pass_all(self, context: Any) -> None:
        """Record every required check as passed."""
        passed = [[check.table, check.name] for check in checks.required()]
        context["pushed"]["audit_staging", checks.PASSED] = {
            "run_schema": self.run_schema(context),
            "checks": passed,
        }

    def build(self, context: Any) -> None:
        def work(cursor: Any) -> None:
            for script in self.rendered("build", tables.DERIVED, context).values():
                warehouse.execute(cursor, script)

        self.task(warehouse.transaction, work, "build")

    def publish(self, context: Any) -> publish.Published:
        pushed = context["pushed"]
        published = self.task(
            publish.publish,
            context,
            pushed["validate", "return_value"],
            checks.passed_checks(context, CHECK_TASKS),
            self.rendered("build", tables.DERIVED, context),
            self.rendered("publish", tables.PUBLISH, context),
            _SCRIPTS.get_template("guard/duplicate_keys.sql").render(self._macros(context)),
        )
        pushed["publish", "return_value"] = published
        return published

    def close_run(self, context: Any) -> None:
        self.task(run.close_run, context, CHECK_TASKS)

    def rendered(self, folder: str, names: Iterable[str], context: Any = None) -> dict[str, str]:
        macros = self._macros(context)
        return {
            name: (_SCRIPTS.get_template if script.endswith(".sql") else _template)(script).render(macros)
            for name, script in tables.scripts(folder, names).items()
        }

    def _macros(self, context: Any) -> dict[str, Any]:
        return {
            "star": star,
            "ops": ops,
            "settings": settings,
            "run_schema": lambda: self.run_schema(context),
            "planned_commit": lambda: run_plan.plan_of(context)["commit_id"],
            "newest_commit": ledger.newest_commit,
            "columns": tables.columns,
            "sources": {source.kind: source for source in tables.SOURCES},
            "guarded": tables.guarded(),
            "params": context["params"] if context else {},
        }

    # The warehouse --------------------------------------------------------------------------------------

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query. ``{s}`` is the schema of the star, ``{o}`` that of the pipeline's own tables."""
        return warehouse.query(sql.replace("{s}", self.schema).replace("{o}", f"{self.schema}_ops"))

    def count(self, table: str, where: str = "true") -> int:
        return int(self.rows(f"select count(*) from {schema.schema_of(table)}.{table} where {where}")[0][0])

    def star(self) -> dict[str, set[tuple[Any, ...]]]:
        """Return the rows of the star as tests/pipeline/model.py does. Assert that none occurs twice."""
        found = {}
        for table in tables.STAR:
            rows = [tuple(map(plain, row)) for row in self.rows(f"select * from {{s}}.{table}")]
            found[table] = set(rows)
            assert len(found[table]) == len(rows), table
        return found

    def state(self, *names: str) -> dict[str, str]:
        """Return a checksum of every table's rows, without the columns on when and by which run a row was written."""
        result = {}
        for table in names or STATE:
            columns = [
                name
                for (name,) in self.rows(
                    "select column_name from information_schema.columns "
                    f"where table_schema = '{schema.schema_of(table)}' and table_name = '{table}' "
                    "order by ordinal_position"
                )
                if name not in _WHEN
            ]
            rows = sorted(
                map(repr, self.rows(f"select {', '.join(columns)} from {schema.schema_of(table)}.{table}"))
            )
            result[table] = f"{len(rows)} rows {hashlib.sha256(chr(10).join(rows).encode()).hexdigest()[:16]}"
        return result
