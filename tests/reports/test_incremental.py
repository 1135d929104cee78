"""The report tables after any changes hold the rows of a full remake, and no reader sees them half made."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from include.reports import publish
from include.sparkify import tables
from tests.pipeline.test_any_order import Schedule
from tests.reports.updating import update

SCHEDULES = int(os.environ.get("SPARKIFY_SCHEDULES", "4"))


def rows(world: Any) -> dict[str, list[str]]:
    """Return the rows of every report table and of what it is counted from, in no order."""
    found = {}
    for name, path in publish.scripts().items():
        if name != "tallies":
            schema = path.split("/")[0]
            columns = [column.name for column in tables.read_report(tables.SQL / path).columns]
            found[name] = sorted(
                repr(tuple(row)) for row in world.rows(f"select {', '.join(columns)} from {schema}.{name}")
            )
    return found


@pytest.mark.slow
def test_any_changes_end_in_the_rows_of_a_remake(make_world: Any) -> None:
    """Random files, late lines, corrections, new songs and retractions over three days, reported after each load."""
    world = make_world(absent="warn")
    world.create_tables()
    for seed in range(SCHEDULES):
        with ThreadPoolExecutor(1) as pool:
            schedule = Schedule(world, pool, seed)
            load = schedule.load

            def load_and_report(what: Any, load: Any = load, schedule: Any = schedule) -> None:
                load(what)
                if schedule.random.random() < 0.7:
                    update()

            schedule.load = load_and_report  # type: ignore[method-assign]
            schedule.run()
        update()
        incremental = rows(world)
        update(remake=True)
        remade = rows(world)
        for name in remade:
            assert incremental[name] == remade[name], f"{name}, seed {seed}: {'; '.join(schedule.told)}"
