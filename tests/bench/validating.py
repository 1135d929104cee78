"""Compare `validate` with msgspec's decoding and encoding without rules, plus gzip, in lines per second of one core."""

from __future__ import annotations

import gc
import gzip
import os
import statistics
from collections.abc import Callable, Iterator

import msgspec
import orjson

from include.sparkify.files import lake
from include.sparkify.settings import run_prefix
from include.sparkify.tasks import validate
from tests.bench.events import BIG, TRIES
from tests.bench.row import Row
from tests.bench.setting import Setting
from tests.bench.usual import MONTH

LINES_AT_ONCE = 1_000


def measure(setting: Setting) -> Iterator[Row]:
    """Yield the row of this part."""
    folder = setting.sample(BIG)
    lines = [line for path in folder.glob("log_data/**/*.json") for line in path.read_bytes().split(b"\n")]
    with setting.stand_in() as stand_in:
        world = stand_in.world("validate", folder)
        context = world.context(*MONTH)
        chunks = world.plan(context)
        empty = f"{run_prefix(world.run_schema(context))}/empty.json"
        lake.put(lake.client(), world.work, empty, orjson.dumps({"files": {}, "vanished": []}))

        # In both measurements, the garbage collector must not repeatedly scan the objects of Airflow's imports.
        gc.freeze()

        def validate_all() -> float:
            start = cpu_seconds(lambda: validate.validate_chunk(context["run_id"], empty))
            work = cpu_seconds(
                lambda: [validate.validate_chunk(context["run_id"], chunk) for chunk in chunks]
            )
            return work - len(chunks) * start

        ours = statistics.median(validate_all() for _ in range(TRIES))
    plain = statistics.median(cpu_seconds(lambda: decode_encode_compress(lines)) for _ in range(TRIES))
    yield Row(
        "validate: lines per second of one core by those of msgspec without rules",
        plain / ours,
        0.6,
        0.05,
        less_is_better=False,
        details=f"{len(lines) / ours:,.0f} lines/s by {len(lines) / plain:,.0f} lines/s, seconds of CPU time; "
        "without what a task takes that has nothing to read",
    )


def cpu_seconds(work: Callable[[], object]) -> float:
    """Return the CPU time that ``work`` takes in this process and its children."""
    began = sum(os.times()[:4])
    work()
    return sum(os.times()[:4]) - began


def decode_encode_compress(lines: list[bytes]) -> None:
    """Decode each line into a typed object, encode it, and compress the result."""

    class Event(msgspec.Struct):
        artist: str | int | None
        auth: str
        firstName: str | None
        gender: str | None
        itemInSession: int
        lastName: str | None
        length: float | None
        level: str
        location: str | None
        method: str
        page: str
        registration: float | None
        sessionId: int
        song: str | int | None
        status: int
        ts: int
        userAgent: str | None
        userId: str

    decoder, encoder = msgspec.json.Decoder(Event), msgspec.json.Encoder()
    with gzip.open(os.devnull, "wb", compresslevel=1) as file:
        for start in range(0, len(lines), LINES_AT_ONCE):
            events = [decoder.decode(line) for line in lines[start : start + LINES_AT_ONCE]]
            file.write(encoder.encode_lines(events))
