"""Test that any loads, any number of times, in any order, several at once, over changing files, end in the same star.

A schedule is a random sequence of file changes and loads. At its end, one load of the whole span loads the files that
are still due. The star must then equal the one that tests/pipeline/model.py derives from only the lake's files.

``SPARKIFY_SCHEDULES=5000 pytest tests/pipeline/test_any_order.py`` (`make soak`) runs 5000 schedules instead of the
usual 8. ``SPARKIFY_SEED`` sets the first seed.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from airflow.providers.common.compat.sdk import AirflowSkipException

from include.sparkify.errors import DataError
from tests.pipeline import model
from tests.world import event, lines, song

SCHEDULES, SEED = int(os.environ.get("SPARKIFY_SCHEDULES", "8")), int(os.environ.get("SPARKIFY_SEED", "0"))
FIRST = datetime(2018, 11, 1)
DAYS = 3
LAST = FIRST + timedelta(days=DAYS)


class Schedule:
    """One random sequence of changes to a lake and loads, reproducible by its seed."""

    days = tuple(FIRST + timedelta(days=days) for days in range(DAYS))
    # A few lines of a file are of another of these days, which may not be loaded.
    days_of_lines = tuple(FIRST + timedelta(days=days) for days in range(-2, DAYS + 1))

    def __init__(self, world, seed: int, pool=None) -> None:
        self.world, self.pool, self.random, self.lake = world, pool, random.Random(seed), {}
        self.told: list[str] = []

    # Changes in the lake --------------------------------------------------------------------------------

    def change_log(self) -> None:
        day = self.random.choice(self.days)
        part = self.random.choice(["events", "events", "late"])
        key = f"log_data/{day:%Y/%m/%Y-%m-%d}-{part}.json"
        self.put(key, lines(*(self.line(day) for _ in range(self.random.randint(1, 8)))))

    def change_song(self) -> None:
        r = self.random
        document = song(
            f"SO{r.randint(1, 3)}",
            f"T{r.randint(1, 2)}",
            f"A{r.randint(1, 2)}",
            r.choice([100.5, 200.25]),
            artist_id=f"AR{r.randint(1, 2)}",
            year=r.choice([0, 1999, 2001]),
            artist_location=r.choice(["", "Springfield"]),
        )
        if r.random() < 0.5:
            document |= {"artist_latitude": 36.16778, "artist_longitude": -86.77836}
        self.put(f"song_data/A/A/A/TR{r.randint(1, 4)}.json", json.dumps(document).encode())

    def line(self, day: datetime) -> dict:
        r = self.random
        if r.random() < 0.1:
            day = r.choice(self.days_of_lines)
        user = r.randint(1, 3)
        at = day + timedelta(
            hours=r.choice([0, 11, 12, 23]), minutes=r.choice([0, 59]), milliseconds=r.choice([0, 999])
        )
        play = event(
            at,
            user,
            session=r.randint(1, 2),
            item=r.randint(0, 1),
            song=f"T{r.randint(1, 2)}",
            artist=f"A{r.randint(1, 2)}",
            length=r.choice([100.5, 200.25]),
            level=r.choice(["free", "paid"]),
            lastName=f"L{r.randint(1, 2)}",
        )
        return (
            play
            if r.random() < 0.85
            else play | {"page": "Home", "song": None, "artist": None, "length": None}
        )

    def put(self, key: str, body: bytes) -> None:
        self.lake[key] = body
        self.world.put(key, body)
        self.told.append(f"put {key}")

    # Loads ----------------------------------------------------------------------------------------------

    def some_load(self) -> tuple[str | None, str | None, str]:
        r = self.random
        start = FIRST + timedelta(days=r.randrange(DAYS))
        kind = r.random()
        if kind < 0.2:
            start += timedelta(hours=r.randrange(24))
            end = start + timedelta(hours=r.choice([1, 12, 30]))
        elif kind < 0.3:
            return None, None, "full_refresh"
        elif kind < 0.5:  # A scheduled day looks back.
            return start.isoformat(), None, "load"
        else:
            end = start + timedelta(days=r.randint(1, DAYS))
        return start.isoformat(), end.isoformat(), r.choice(["load", "load", "reload"])

    def load(self, what: tuple[str | None, str | None, str]) -> None:
        # A run fails if it leaves out a file that another run has replaced in the meantime.
        with contextlib.suppress(AirflowSkipException, DataError):
            self.world.load(*what, audited=False)

    def run(self) -> None:
        for _ in range(self.random.randint(1, 3)):
            for _ in range(self.random.randint(1, 5)):
                (self.change_log if self.random.random() < 0.7 else self.change_song)()
            several = [self.some_load() for _ in range(self.random.choice([1, 1, 1, 2, 4]))]
            self.told.append(f"load {several}")
            list(self.pool.map(self.load, several))
        self.load((FIRST.isoformat(), LAST.isoformat(), "load"))


@pytest.mark.slow
def test_any_schedule_ends_in_the_star_of_its_files(make_world):
    # Songs may be delivered without logs.
    world = make_world(absent="warn")
    world.create_tables()
    with ThreadPoolExecutor(4) as pool:
        for seed in range(SEED, SEED + SCHEDULES):
            schedule = Schedule(world, seed, pool)
            schedule.run()
            expected = model.star(*model.read(schedule.lake))
            assert world.star() == expected, f"seed {seed}: {'; '.join(schedule.told)}"
            world.empty()
