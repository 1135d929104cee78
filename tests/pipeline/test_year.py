"""Simulate a year of the pipeline: every month ends in the star of the lake, and maintenance deletes all expired data.

Each day has its scheduled run. Files arrive late, broken or corrected, or several per day. Runs crash, schedules pause,
and tables are refreshed, recreated and maintained. To let days pass, the test ages the timestamps of rows and objects.

The usual suite simulates eight days. ``SPARKIFY_YEAR_DAYS=365 pytest -s tests/pipeline/test_year.py`` simulates a year
and prints each month.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowSkipException

from include.sparkify.errors import DataError
from include.sparkify.files import lake
from include.sparkify.redshift import schema, warehouse
from include.sparkify.tables import OPS, PUBLISHED
from include.sparkify.tasks import maintenance, run
from tests.pipeline import model
from tests.reports.test_tables import assert_right
from tests.reports.updating import update
from tests.world import event, lines, log_key, song

DAYS = int(os.environ.get("SPARKIFY_YEAR_DAYS", "8"))
FIRST = datetime(2018, 1, 1)
LOOK_BACK, KEEP_RUN_DAYS, KEEP_DAYS = 4, 14, 60
# The timestamp column that determines the age of a table's rows.
WRITTEN = {
    "publish_log": "published_at",
    "quality_results": "checked_at",
    "rejected_lines": "rejected_at",
    "refused_files": "refused_at",
    "loaded_files": "loaded_at",
    "run_schemas": "expires_at",
}


class Year:
    """The lake, the calendar, and the events of each day, reproducible by a seed."""

    def __init__(self, world: Any, seed: int) -> None:
        self.world, self.random = world, random.Random(seed)
        self.lake: dict[str, bytes] = {}
        self.late: dict[datetime, list[datetime]] = {}
        self.broken: set[str] = set()
        self.written: dict[str, datetime] = {}
        self.today, self.aged = FIRST, FIRST
        self.paused = 0
        self.missed: list[datetime] = []
        self.songs = 0
        self.counts = dict.fromkeys(
            ("runs", "failed", "skipped", "crashed", "late", "broken", "corrected"), 0
        )

    # Deliveries -------------------------------------------------------------------------------------------

    def put(self, key: str, body: bytes) -> None:
        self.lake[key] = body
        self.broken.discard(key)
        self.world.put(key, body)

    def deliver(self, day: datetime, name: str = "events.json") -> None:
        r = self.random
        plays = [
            event(
                day + timedelta(hours=r.randrange(24), milliseconds=r.randrange(1000)),
                r.randint(1, 8),
                session=day.toordinal() * 10 + r.randint(0, 3),
                item=item,
                song=f"T{r.randint(1, 9)}",
                artist=f"A{r.randint(1, 3)}",
                level=r.choice(["free", "paid"]),
            )
            for item in range(r.randint(1, 12))
        ]
        self.put(log_key(f"{day:%Y-%m-%d}", name), lines(*plays))

    def deliver_song(self, number: int) -> None:
        r = self.random
        document = song(f"SO{number}", f"T{number % 9}", f"A{number % 3}", 200.5, artist_id=f"AR{number % 5}")
        self.put(
            f"song_data/TR{number}.json", json.dumps(document | {"year": r.choice([0, 1999, 2001])}).encode()
        )

    def morning(self) -> None:
        """Deliver the files that arrive today."""
        r, day = self.random, self.today
        if r.random() < 0.1:
            self.late.setdefault(day + timedelta(days=r.randint(1, LOOK_BACK)), []).append(day)
            self.counts["late"] += 1
        else:
            self.deliver(day)
        for other in self.late.pop(day, []):
            self.deliver(other)
        if r.random() < 0.1:
            self.deliver(day, "late.json")
        if r.random() < 0.1 and day > FIRST + timedelta(days=LOOK_BACK):
            self.deliver(day - timedelta(days=r.randint(1, LOOK_BACK)))
            self.counts["corrected"] += 1
        if r.random() < 0.08:
            key = log_key(f"{day:%Y-%m-%d}")
            if key in self.lake:
                self.broken.add(key)
                self.world.put(key, b'{"broken": ')
                self.counts["broken"] += 1
        for key in sorted(self.broken):
            if r.random() < 0.5:
                self.put(key, self.lake[key])
        if r.random() < 0.3:
            self.songs += 1
            self.deliver_song(self.songs)
        if r.random() < 0.1 and self.songs:
            self.deliver_song(r.randint(1, self.songs))

    # Runs -------------------------------------------------------------------------------------------------

    def load(self, *interval: str, mode: str = "load") -> None:
        self.counts["runs"] += 1
        try:
            self.world.load(*interval, mode=mode, audited=False)
        except AirflowSkipException:
            self.counts["skipped"] += 1
        except DataError:
            self.counts["failed"] += 1

    def crash(self) -> None:
        """Crash a run, which leaves its schema and its files."""
        with contextlib.suppress(AirflowSkipException, DataError):
            self.world.stage(
                self.world.context(f"{self.today:%Y-%m-%d}", f"{self.today + timedelta(days=1):%Y-%m-%d}")
            )
            self.counts["crashed"] += 1

    def evening(self) -> None:
        r = self.random
        self.missed.append(self.today)
        if self.paused:
            self.paused -= 1
            return
        if r.random() < 0.02:
            self.paused = r.randint(2, 10)
        if r.random() < 0.05:
            self.crash()
        for day in self.missed:
            self.load(f"{day:%Y-%m-%d}")
        self.missed.clear()
        if r.random() < 0.01:
            schema.recreate_tables(self.world.rendered("create", PUBLISHED), self.world.schema)
            self.load(mode="full_refresh")
        elif r.random() < 0.02:
            self.load(mode="full_refresh")
        if r.random() < 0.3:
            update(remake=r.random() < 0.05)

    # Time -------------------------------------------------------------------------------------------------

    def objects(self) -> list[lake.LakeObject]:
        """Return the objects of the work bucket, with their simulated age."""
        now = datetime.now(UTC).replace(tzinfo=None)
        found = []
        for item in lake.list_objects(lake.client(), self.world.work, ""):
            age = self.today - self.written.setdefault(item.key, self.today)
            found.append(dataclasses.replace(item, last_modified=now - age))
        return found

    def maintain(self) -> None:
        found, days = self.objects(), (self.today - self.aged).days
        self.aged = self.today

        def age(cursor: Any) -> None:
            for table, column in WRITTEN.items():
                cursor.execute(
                    f"update {schema.schema_of(table)}.{table} set {column} = dateadd(day, -{days}, {column})"
                )

        warehouse.transaction(age, "let time pass")
        run.sweep()
        maintenance.delete_old_rows()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                lake, "list_objects",
                lambda _, bucket, prefix: [item for item in found if item.key.startswith(prefix)],
            )  # fmt: skip
            maintenance.delete_old_files()

    def month(self) -> dict[str, int]:
        """Compare everything with the oracles, and return the size of each part."""
        for key in sorted(self.broken):
            self.put(key, self.lake[key])
        for day in sorted({day for days in self.late.values() for day in days}):
            self.deliver(day)
        self.late.clear()
        self.load(f"{FIRST:%Y-%m-%d}", f"{self.today + timedelta(days=1):%Y-%m-%d}")
        expected = model.star(*model.read(self.lake))
        assert self.world.star() == expected, self.today
        update()
        assert_right(self.world, f"{self.today}")
        return self.sizes()

    def sizes(self) -> dict[str, int]:
        """Return the numbers of rows in the pipeline's own tables, objects in the work bucket, and catalog entries."""
        sizes = {table: self.world.count(table) for table in OPS}
        objects = self.objects()
        sizes["objects"], sizes["kB"] = len(objects), sum(item.size for item in objects) // 1000
        of_star = f"from pg_namespace as n where n.nspname like '{self.world.schema}%%'"
        sizes["schemas"] = self.world.rows(f"select count(*) {of_star}")[0][0]
        sizes["relations"] = self.world.rows(
            f"select count(*) from pg_class where relnamespace in (select n.oid {of_star})"
        )[0][0]
        return sizes


@pytest.mark.slow
def test_a_year_ends_every_month_in_the_star_of_its_files_and_leaves_nothing_behind(make_world):
    world = make_world(
        absent="warn", look_back_days=LOOK_BACK, keep_days=KEEP_DAYS, keep_run_days=KEEP_RUN_DAYS
    )
    world.create_tables()
    year, months = Year(world, int(os.environ.get("SPARKIFY_SEED", "0"))), []
    for number in range(1, DAYS + 1):
        year.morning()
        year.evening()
        year.objects()
        if number % 7 == 0:
            year.maintain()
        if number % 30 == 0 or number == DAYS:
            months.append(year.month())
            print(f"day {number}: {year.counts} {months[-1]}")
        year.today += timedelta(days=1)
    year.today += timedelta(days=KEEP_DAYS + 1)
    year.maintain()
    left = year.sizes()
    print(f"and after {KEEP_DAYS} days without a run: {left}")
    assert left["objects"] == left["quality_results"] == left["rejected_lines"] == left["run_schemas"] == 0
    assert left["publish_log"] == 1 and left["schemas"] == 4
    # A full refresh changes every day, so this table has up to one row per day for each kept version.
    older = "version < (select min(version) from {o}.publish_log)"
    assert world.rows(f"select count(*) from {{o}}.changed_days where {older}") == [(0,)]
    # No later month has much more of the data that maintenance deletes than the third month.
    for name in (
        "publish_log",
        "quality_results",
        "rejected_lines",
        "run_schemas",
        "objects",
        "schemas",
        "relations",
    ):
        assert all(month[name] <= 1.5 * months[2][name] + 10 for month in months[3:]), (name, months)
