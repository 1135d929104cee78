"""Compare a run of 180,000 events with psql, its COPY with psql, and `validate` in two processes with one."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import redshift_connector

from include.sparkify import tables
from include.sparkify.redshift import warehouse
from include.sparkify.settings import run_prefix
from include.sparkify.tasks import validate
from local import sample
from tests.bench.row import Row, median, seconds
from tests.bench.setting import Setting, StandIn
from tests.bench.usual import MONTH
from tests.world import World

# The number of songs in the public data's small edition. This part measures events, so few songs are enough.
BIG = sample.Spec(scale=20, songs=71)
TRIES = 3


def measure(setting: Setting) -> Iterator[Row]:
    """Yield the rows of this part."""
    folder = setting.sample(BIG)
    with setting.stand_in() as stand_in:
        world = stand_in.world("events", folder)
        context = world.context(*MONTH)
        chunks: list[str] = []
        phases = {
            "create_tables": seconds(world.create_tables),
            "plan": seconds(lambda: chunks.extend(world.plan(context))),
        }
        phases["validate"] = seconds(lambda: world.validate(context, chunks))
        phases["open_run"] = seconds(lambda: world.open_run(context))
        phases["copy"] = seconds(lambda: world.copy(context))
        phases["audit_staging"] = seconds(lambda: world.audit(context, "audit_staging", tables.STAGING))
        phases["build"] = seconds(lambda: world.build(context))
        phases["audit_star"] = seconds(lambda: world.audit_star(context))
        phases["publish"] = seconds(lambda: world.publish(context))
        ours, count = sum(phases.values()), world.count("events")
        psql = psql_script(setting, stand_in, world, context)
        plain = median(lambda: stand_in.psql(psql), TRIES)
        yield Row(
            f"{count:,} events in one run: events per second by psql's",
            plain / ours,
            0.45,
            0.08,
            less_is_better=False,
            details=f"{ours:.1f} s by {plain:.1f} s: "
            + ", ".join(f"{name} {spent:.1f}" for name, spent in phases.items()),
        )
        copy = median(lambda: copy_events(stand_in, world, context), TRIES)
        yield Row(
            "COPY of these events: events per second by psql's",
            plain / copy,
            0.9,
            0.35,
            less_is_better=False,
            details=f"{copy:.2f} s by {plain:.2f} s (\\copy into one text column, and INSERT)",
        )
        times = [validate_seconds(context["run_id"], chunks, workers) for workers in (1, 2)]
        yield Row(
            f"validate of these events, {len(chunks)} chunks: 2 workers by 1",
            times[0] / times[1],
            1.6,
            0.9,
            less_is_better=False,
            details=f"{times[0]:.1f} s by 1, {times[1]:.1f} s by 2, on {os.cpu_count()} cores",
        )
        world.close_run(context)


def psql_script(setting: Setting, stand_in: StandIn, world: World, context: Any) -> Path:
    """Return the psql script that loads a run's lines into one text column, and from there into typed columns."""
    lines, script = setting.home / "events.json", setting.home / "plain.sql"
    one_column = "(format csv, quote E'\\x01', delimiter E'\\x02')"
    script.write_text(
        f"\\copy (select row_to_json(e) from {world.run_schema(context)}.staging_events as e) "
        f"to '{lines}' with {one_column}\n"
    )
    stand_in.psql(script)
    columns = world.rows(
        "select column_name, data_type from information_schema.columns "
        "where table_schema = '{s}' and table_name = 'events' order by ordinal_position"
    )
    script.write_text(
        "begin;\n"
        "create temp table raw (line text);\n"
        f"\\copy raw from '{lines}' with {one_column}\n"
        f"create temp table copied (like {world.schema}.events);\n"
        f"insert into copied select {', '.join(name for name, _ in columns)} from raw, "
        f"json_to_record(line::json) as parsed ({', '.join(f'{name} {kind}' for name, kind in columns)});\n"
        "rollback;\n"
    )
    return script


def copy_events(stand_in: StandIn, world: World, context: Any) -> None:
    """Load the validated lines of a run into a temporary table with COPY."""
    manifest = f"s3://{world.work}/{run_prefix(world.run_schema(context))}/staging_events.manifest"

    def work(cursor: redshift_connector.Cursor) -> None:
        cursor.execute(f"create temp table copied (like {world.schema}.events)")
        cursor.execute(
            f"copy copied from '{manifest}' iam_role '{stand_in.copy_role}' "
            "manifest gzip json 'auto' timeformat 'epochmillisecs'"
        )
        cursor.execute("drop table copied")

    warehouse.transaction(work, "COPY of the benchmark")


def validate_seconds(run_id: str, chunks: list[str], workers: int) -> float:
    """Return the seconds that this number of processes needs to validate the chunks, excluding imports."""
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        # Each call sleeps, so that every process gets one and imports this module before the measurement.
        list(pool.map(wait, [1.0] * workers))
        return seconds(lambda: list(pool.map(validate.validate_chunk, [run_id] * len(chunks), chunks)))


def wait(duration: float) -> None:
    """Sleep for this number of seconds."""
    time.sleep(duration)
