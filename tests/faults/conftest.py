"""Worlds for tests that only fill and load one: the tables are made once a module, and emptied for every test."""

from __future__ import annotations

import itertools
import json

import pytest

from include.sparkify import lake, run, warehouse
from include.sparkify.settings import settings
from tests.world import World

_names = itertools.count(1)


class FreshWorld(World):
    """A world that can be emptied, and tells what its loads left behind."""

    def empty(self) -> None:
        """Nothing in the lake, no row in the warehouse; schemas of earlier runs stay and are in nobody's way."""
        for listed in self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.lake):
            for item in listed.get("Contents", []):
                self.delete(item["Key"])

        def empty(cursor) -> None:
            for table in run.TABLES:
                cursor.execute(f"delete from {self.schema}.{table}")

        warehouse.transaction(empty, "empty the tables")

    def rejected(self) -> list[tuple[str, int, str, str]]:
        """(key, line number, column, reason) of every rejected line, in order."""
        return self.rows(
            "select source_key, line_number, column_name, reason from {s}.rejected_lines order by 1, 2"
        )

    def ledger(self) -> dict[str, tuple[int, int, int]]:
        """(lines, accepted, rejected) of every file in the ledger."""
        found = self.rows(
            "select source_key, lines, accepted, rejected from {s}.loaded_files where kind <> 'absent'"
        )
        return {key: (lines, accepted, rejected) for key, lines, accepted, rejected in found}

    def warnings(self) -> dict[str, str]:
        """Offending rows by the name of every ``warn`` check that did not pass."""
        return dict(
            self.rows(
                "select table_name || '.' || check_name, sample from {s}.quality_results "
                "where not passed and severity = 'warn'"
            )
        )


@pytest.fixture(scope="module")
def new_world(s3, connections):
    """Makes a world for the tests of a module, with its tables, and puts it in force."""
    with pytest.MonkeyPatch.context() as patch:
        # Thousands of connections: unnamed, the driver walks the stack for a name, which takes longest of all.
        warehouse_connection = json.loads(connections["AIRFLOW_CONN_REDSHIFT_DEFAULT"])
        warehouse_connection["extra"]["application_name"] = "tests"
        patch.setenv("AIRFLOW_CONN_REDSHIFT_DEFAULT", json.dumps(warehouse_connection))
        patch.setattr(lake, "client", lambda: s3)

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
