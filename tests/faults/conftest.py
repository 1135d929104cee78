"""Worlds for tests that only fill and load one: the tables are made once a module, and emptied for every test."""

from __future__ import annotations

import io
import itertools
import json
import types
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from include.sparkify import lake, run_facts, run_report, source, tables, warehouse
from include.sparkify.lake import LakeObject
from include.sparkify.schema import schema_of
from include.sparkify.settings import settings
from tests import shortcuts
from tests.world import World

_names = itertools.count(1)


class FreshWorld(World):
    """A world that can be emptied, and tells what its loads left behind."""

    def empty(self) -> None:
        """Empty the lake and the warehouse; schemas of earlier runs stay and disturb no test."""
        for listed in self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.lake):
            for item in listed.get("Contents", []):
                self.delete(item["Key"])

        def empty(cursor) -> None:
            for table in tables.PUBLISHED:
                cursor.execute(f"delete from {schema_of(table)}.{table}")

        warehouse.transaction(empty, "empty the tables")

    def finish(self, context: Any) -> None:
        """Build and publish a staged run, without its checks."""
        self.build(context)
        self.pass_all(context)
        self.check_complete(context, self.publish(context))

    def items(self) -> list[int]:
        """item_in_session of every songplay: what identifies the lines of these tests."""
        return [item for (item,) in self.rows("select item_in_session from {s}.songplays order by 1")]

    def rejected(self) -> list[tuple[str, int, str, str]]:
        """(key, line number, column, reason) of every rejected line, in order."""
        return self.rows(
            "select source_key, line_number, column_name, reason from {o}.rejected_lines order by 1, 2"
        )

    def ledger(self) -> dict[str, tuple[int, int, int]]:
        """(lines, accepted, rejected) of every file in the ledger."""
        found = self.rows(
            "select source_key, lines, accepted, rejected from {o}.loaded_files where kind <> 'absent'"
        )
        return {key: (lines, accepted, rejected) for key, lines, accepted, rejected in found}

    def warnings(self) -> dict[str, str]:
        """Failing rows by the name of every ``warn`` check that did not pass."""
        return dict(
            self.rows(
                "select table_name || '.' || check_name, sample from {o}.quality_results "
                "where not passed and severity = 'warn'"
            )
        )

    def report(self, start: str, end: str) -> tuple[dict[str, Any], str]:
        """The report of the latest run, of this interval: its facts and its page."""
        (run_id,) = self.rows("select run_id from {o}.publish_log order by version desc limit 1")[0]
        now = datetime.now(UTC)
        plan, publish = (
            types.SimpleNamespace(
                task_id=task,
                state="success",
                start_date=now - timedelta(minutes=1),
                end_date=now,
                try_number=1,
            )
            for task in ("plan", "publish")
        )
        context = self.context(start, end, run_id=run_id)
        told = {"began_at": plan.start_date.isoformat(), "interval_start": start, "interval_end": end}
        context["ti"] = types.SimpleNamespace(
            task_id="run_report",
            dag_id="sparkify",
            xcom_pull=lambda task_ids, key="return_value": told if task_ids == "plan" else None,
        )
        context["dag_run"] = types.SimpleNamespace(
            start_date=plan.start_date, get_task_instances=lambda: [plan, publish]
        )
        facts = run_facts.gather(context)
        return facts, run_report.render(facts)


@pytest.fixture(scope="module")
def new_world(s3, connections):
    """Makes a world for the tests of a module, with its tables, and puts it in force."""
    with pytest.MonkeyPatch.context() as patch:
        # Thousands of connections: unnamed, the driver walks the stack for a name, which takes longest of all.
        warehouse_connection = json.loads(connections["AIRFLOW_CONN_REDSHIFT_DEFAULT"])
        warehouse_connection["extra"]["application_name"] = "tests"
        patch.setenv("AIRFLOW_CONN_REDSHIFT_DEFAULT", json.dumps(warehouse_connection))
        shortcuts.take(patch)

        def make() -> FreshWorld:
            world = FreshWorld(s3, f"f{next(_names)}")
            patch.setenv("AIRFLOW_VAR_SPARKIFY", world.settings())
            settings.cache_clear()
            world.create_tables()
            return world

        yield make
    settings.cache_clear()


@pytest.fixture(scope="module")
def module_world(new_world):
    return new_world()


@pytest.fixture
def enter(monkeypatch):
    """Puts a module's world in force for one test, with settings that are to differ from the defaults."""

    def enter(world, **more):
        monkeypatch.setenv("AIRFLOW_VAR_SPARKIFY", world.settings(**more))
        settings.cache_clear()
        return world

    yield enter
    settings.cache_clear()


@pytest.fixture
def fresh(module_world, enter):
    """The module's world, empty; called with settings that are to differ from the defaults."""
    enter(module_world).empty()
    return lambda **more: enter(module_world, **more)


@pytest.fixture
def read_lines():
    """Reads the lines of a file with this content, or with this stream as its content."""

    def read_lines(body: bytes | io.RawIOBase) -> list[bytes]:
        stream = io.BytesIO(body) if isinstance(body, bytes) else body

        class OneObject:
            def get_object(self, **_):
                return {
                    "Body": stream,
                    "ETag": '"e"',
                    "ContentLength": 10,
                    "LastModified": datetime.now(UTC),
                }

        item = LakeObject("log_data/2018/11/2018-11-01-events.json", "etag", 10, datetime.now(UTC))
        with lake.open_object(OneObject(), "lake", item) as (found, opened):
            return [line for lines in source._lines(opened, "lake", found) for line in lines]

    return read_lines
