"""Compare one more day at 1,000,000 known songs with one at 1,000, and measure a worker's memory.

The songs are only in the tables and the ledger. The figures exclude listing the lake, one request per 1,000 keys.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import redshift_connector

from include.sparkify.redshift import warehouse
from include.sparkify.redshift.ledger import read_pages
from include.sparkify.redshift.schema import schema_of
from include.sparkify.tasks import plan, validate
from tests.bench.history import LAKE, NEW_DAYS, forget, load_days
from tests.bench.row import Row, seconds
from tests.bench.setting import Setting, analyze
from tests.world import World

FEW, MANY = 1_000, 1_000_000


def measure(setting: Setting) -> Iterator[Row]:
    """Yield the rows of this part."""
    folder = setting.sample(LAKE)
    with setting.stand_in() as stand_in:
        world = stand_in.world("songs", folder)
        world.load("2018-11-01", NEW_DAYS[0])
        times = {}
        for songs in (FEW, MANY):
            add_songs(world, songs - world.count("songs"))
            analyze(world)
            (times[songs],) = load_days(world)
            forget(world)
        ledger = seconds(lambda: [len(page) for page in read_pages("songs")])
        yield Row(
            f"one more day at {MANY:,} songs by {FEW:,}",
            times[MANY] / times[FEW],
            1.2,
            15,
            details=f"{times[MANY]:.2f} s by {times[FEW]:.2f} s, {ledger:.2f} s of it for reading the ledger; "
            "without the listing of the song files",
        )
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            context = world.context(NEW_DAYS[0])
            given = {
                name: context[name]
                for name in ("run_id", "params", "data_interval_start", "data_interval_end")
            }
            megabytes = pool.submit(peak_memory, given).result()
        yield Row(
            f"memory of a worker's process at {MANY:,} songs: plan and validate",
            megabytes,
            250,
            900,
            unit="MB",
            details="at the most, all of Airflow's imports included; without the listing of the song files",
        )


def add_songs(world: World, number: int) -> None:
    """Add this number of songs to the tables and the ledger, two per artist and each with one file."""
    if not number:
        return
    digits = " union all ".join(f"select {digit} as n" for digit in range(10))
    powers = [10**place for place in range(len(str(number - 1)))]
    numbers = "select {} as n from {}".format(
        " + ".join(f"d{power}.n * {power}" for power in powers),
        " cross join ".join(f"({digits}) as d{power}" for power in powers),
    )
    source_key = "'song_data/B/' || md5(text) || '.json'"
    song = {
        "song_id": "'SOB' || text",
        "title": "'Title ' || text",
        "artist_id": "'ARB' || (n / 2)::varchar",
        "artist_name": "'Artist ' || (n / 2)::varchar",
        "year": "0",
        "duration": "200 + n % 100",
    }
    rows = {
        "song_files": {"source_key": source_key} | song,
        "songs": song,
        "artists": {"artist_id": song["artist_id"], "name": song["artist_name"]},
        "loaded_files": {
            "source_key": source_key,
            "kind": "'songs'",
            "etag": "md5(text)",
            "size": "300",
            "lines": "1",
            "accepted": "1",
            "rejected": "0",
            "run_id": "'bench'",
            "loaded_at": "getdate()",
        },
    }

    def work(cursor: redshift_connector.Cursor) -> None:
        for table, values in rows.items():
            first_only = " and n % 2 = 0" if table == "artists" else ""
            cursor.execute(
                f"insert into {schema_of(table)}.{table} ({', '.join(values)}) "
                f"select {', '.join(values.values())} from (select n, n::varchar as text from ({numbers}) as a) as b "
                f"where n < {number}{first_only}"
            )

    warehouse.transaction(work, "add songs")


def peak_memory(context: dict[str, Any]) -> float:
    """Plan and validate a run, and return this process's peak memory in megabytes."""
    _, chunks = plan.make_plan(context)
    for chunk in chunks:
        validate.validate_chunk(context["run_id"], chunk)
    # The figure of getrusage would include the peak of the parent process.
    (line,) = (
        line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")
    )
    return int(line.split()[1]) / 1024
