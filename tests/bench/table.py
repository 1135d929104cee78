"""Run the parts and print their rows as one table."""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.bench import events, history, lineage, scheduler, songs, usual, validating, whole_run
from tests.bench.row import Row
from tests.bench.setting import Setting

PARTS: dict[str, Callable[[Setting], Iterator[Row]]] = {
    "usual": usual.measure,
    "run": whole_run.measure,
    "scheduler": scheduler.measure,
    "lineage": lineage.measure,
    "validate": validating.measure,
    "events": events.measure,
    "songs": songs.measure,
    "history": history.measure,
}


def main(arguments: list[str]) -> int:
    """Measure the named parts, or all of them, and return the exit code: 1 if a figure is beyond its bound."""
    parser = argparse.ArgumentParser(prog="make bench", description="What a run costs, as ratios.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    chosen = parser.parse_args(arguments).parts
    if unknown := set(chosen) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    regressed = False
    print(f"{'measure':<78} {'figure':>9} {'wanted':>9} {'bound':>9}", flush=True)
    with tempfile.TemporaryDirectory(prefix="sparkify-bench-") as folder:
        setting = Setting(Path(folder))
        for name, measure in PARTS.items():
            if chosen and name not in chosen:
                continue
            began = time.perf_counter()
            for row in measure(setting):
                print(row, flush=True)
                regressed |= row.regressed
            print(f"  part {name}: {time.perf_counter() - began:.0f} s", flush=True)
    return int(regressed)
