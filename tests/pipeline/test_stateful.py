"""Test that runs that overlap in any way, while the lake changes, end in the tables of the lake.

Hypothesis interleaves the steps of several runs, in two stars of one database, with deliveries, replacements, restored
versions, deletions, broken, emptied and corrected files. Any run may crash at any step, or may be cleared and
restarted. After every publish, the star agrees with the published history. When all runs have ended, one scheduled run
that looks back makes every table, including history and ledger, equal to what tests/pipeline/model.py derives from the
lake.

``make soak`` runs more schedules. Hypothesis prints the seed of a failure (``--hypothesis-seed`` repeats it). It
saves the shortest failing schedule in the folder that ``SPARKIFY_FAILURES`` names. Commit its files to the folder
``schedules`` beside this file, and every run of this test repeats it first.
"""

from __future__ import annotations

import contextlib
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowSkipException
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.database import DirectoryBasedExampleDatabase, MultiplexedDatabase, ReadOnlyDatabase
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from include.sparkify.errors import DataError
from include.sparkify.redshift import ledger
from include.sparkify.tables import HISTORY
from include.sparkify.tasks import plan
from tests.pipeline import model
from tests.world import event, lines, plain, song

SCHEDULES = int(os.environ.get("SPARKIFY_SCHEDULES", "15"))
KEPT = [ReadOnlyDatabase(DirectoryBasedExampleDatabase(Path(__file__).with_name("schedules")))]
FAILURES = [
    DirectoryBasedExampleDatabase(folder) for folder in [os.environ.get("SPARKIFY_FAILURES")] if folder
]
FIRST = datetime(2018, 11, 1)
DAYS = 3
LAST = FIRST + timedelta(days=DAYS)
STEPS = ("plan", "validate", "open_run", "copy", "build", "publish")

days = st.integers(0, DAYS - 1)
log_lines = st.lists(
    st.tuples(
        st.integers(0, 9),  # 0: the line is of another day than the file
        st.integers(1, 2),  # user
        st.integers(0, 1),  # item
        st.sampled_from([0, 11, 12, 23]),  # hour
        st.integers(1, 2),  # song
        st.sampled_from(["free", "paid"]),
        st.booleans(),  # True: a play, False: another page
    ),
    min_size=1,
    max_size=4,
)
songs = st.tuples(
    st.integers(1, 3), st.integers(1, 2), st.integers(1, 2), st.integers(1, 2), st.booleans(), st.integers(0, 1)
)  # fmt: skip
stars = st.integers(0, 1)


class Star:
    """One of the two stars: its world, its lake with all versions of every file, and its runs."""

    def __init__(self, world: Any, enter: Any) -> None:
        self.world, self._enter = world, enter
        self.versions: dict[str, list[bytes]] = {}
        self.lake: dict[str, bytes] = {}
        self.broken: set[str] = set()
        self.runs: list[Run] = []
        self.count = 0

    def enter(self) -> Any:
        self._enter(self.world, absent="warn", reject_threshold=0.0, look_back_days=DAYS + 1)
        return self.world

    def put(self, key: str, body: bytes) -> None:
        self.versions.setdefault(key, []).append(body)
        self.lake[key] = body
        self.broken.discard(key)
        self.world.put(key, body)

    def replayed(self) -> set[str]:
        """Return the files that a replay would read."""
        return {key for (key,) in self.world.rows("select source_key from {o}.refused_files")}

    def forget(self) -> None:
        """Empty the lake and the tables for the next schedule."""
        self.enter().empty()
        self.versions, self.lake, self.broken, self.runs, self.count = {}, {}, set(), [], 0


class Run:
    """One run and its next step."""

    def __init__(self, star: Star, context: Any) -> None:
        self.star, self.context, self.step = star, context, 0
        self.chunks: list[str] = []

    def go(self) -> bool:
        """Do the next step, and return whether the run has published."""
        world, step = self.star.enter(), STEPS[self.step]
        if step == "plan":
            self.chunks = world.plan(self.context)
        elif step == "validate":
            known = self.star.replayed()
            world.validate(self.context, self.chunks)
            assert known <= self.star.replayed()
        elif step == "open_run":
            world.open_run(self.context)
        elif step == "copy":
            world.copy(self.context)
        elif step == "build":
            world.build(self.context)
            world.pass_all(self.context)
        else:
            world.publish(self.context)
            world.close_run(self.context)
            self.star.runs.remove(self)
        self.step += 1
        return step == "publish"


class Schedule(RuleBasedStateMachine):
    """One random schedule of deliveries and runs."""

    pair: tuple[Star, Star]

    def __init__(self) -> None:
        super().__init__()
        # Empty the stars here, not at the end: a schedule that fails leaves its files and rows.
        for star in self.pair:
            star.forget()

    # The lake ---------------------------------------------------------------------------------------------

    @rule(star=stars, day=days, late=st.booleans(), content=log_lines)
    def deliver_log(self, star: int, day: int, late: bool, content: list[Any]) -> None:
        date = FIRST + timedelta(days=day)
        found = [self.line(date, fields) for fields in content]
        key = f"log_data/{date:%Y/%m/%Y-%m-%d}-{'late' if late else 'events'}.json"
        self.pair[star].put(key, lines(*found))

    def line(self, day: datetime, fields: tuple[Any, ...]) -> dict[str, Any]:
        stray, user, item, hour, title, level, is_play = fields
        day = day if stray else FIRST + timedelta(days=(day.day + item) % (DAYS + 2) - 1)
        found = event(
            day + timedelta(hours=hour),
            user,
            item=item,
            song=f"T{title}",
            artist="A1",
            length=100.5,
            level=level,
        )
        return found if is_play else found | {"page": "Home", "song": None, "artist": None, "length": None}

    @rule(star=stars, number=st.integers(1, 3), content=songs)
    def deliver_song(self, star: int, number: int, content: Any) -> None:
        song_id, title, artist, artist_id, placed, year = content
        document = song(
            f"SO{song_id}", f"T{title}", f"A{artist}", 100.5, artist_id=f"AR{artist_id}", year=year
        )
        if placed:
            document |= {"artist_latitude": 36.16778, "artist_longitude": -86.77836}
        self.pair[star].put(f"song_data/A/TR{number}.json", json.dumps(document).encode())

    @rule(star=stars, choice=st.integers(0, 99))
    def restore_older_version(self, star: int, choice: int) -> None:
        chosen = self.pair[star]
        keys = sorted(key for key, found in chosen.versions.items() if len(found) > 1)
        if keys:
            key = keys[choice % len(keys)]
            chosen.put(key, chosen.versions[key][choice % len(chosen.versions[key])])

    @rule(star=stars, choice=st.integers(0, 99))
    def delete(self, star: int, choice: int) -> None:
        chosen = self.pair[star]
        if chosen.lake:
            key = sorted(chosen.lake)[choice % len(chosen.lake)]
            del chosen.lake[key]
            chosen.broken.discard(key)
            chosen.world.delete(key)

    @rule(
        star=stars, choice=st.integers(0, 99), body=st.sampled_from([b'{"broken": ', b'{"bad": ', b"\n", b""])
    )
    def break_or_empty_file(self, star: int, choice: int, body: bytes) -> None:
        chosen = self.pair[star]
        keys = sorted(key for key in chosen.lake if key.startswith("log_data/"))
        if keys:
            key = keys[choice % len(keys)]
            chosen.broken.add(key)
            chosen.world.put(key, body)

    @rule(star=stars, choice=st.integers(0, 99))
    def correct_file(self, star: int, choice: int) -> None:
        chosen = self.pair[star]
        if chosen.broken:
            key = sorted(chosen.broken)[choice % len(chosen.broken)]
            chosen.put(key, chosen.lake[key])

    # Runs -------------------------------------------------------------------------------------------------

    @rule(
        star=stars,
        day=days,
        # The schedule is daily or hourly, and changes from run to run.
        kind=st.sampled_from(["day", "hour", "hours", "days", "days", "reload", "replay", "full_refresh"]),
        length=st.integers(1, 3),
        hour=st.integers(0, 23),
    )
    def begin(self, star: int, day: int, kind: str, length: int, hour: int) -> None:
        chosen = self.pair[star]
        if len(chosen.runs) == 4:
            return
        start = FIRST + timedelta(days=day)
        end: datetime | None = start + timedelta(days=length)
        if kind == "hours":
            start += timedelta(hours=hour)
            end = start + timedelta(hours=4 * length)
        elif kind in ("day", "hour"):
            end = None
        chosen.count += 1
        # Run IDs are the same in both stars, like those of scheduled runs.
        run_id = f"scheduled__2018-11-0{day + 1}T00:00:00+00:00_{chosen.count}"
        if kind in ("full_refresh", "replay"):
            context = chosen.enter().context(mode=kind, run_id=run_id)
        else:
            mode = "reload" if kind == "reload" else "load"
            context = chosen.enter().context(start.isoformat(), end and end.isoformat(), mode, run_id)
        if kind == "hour":
            at = (start + timedelta(hours=hour)).replace(tzinfo=UTC)
            context |= {"data_interval_start": at, "data_interval_end": at + timedelta(hours=1)}
        chosen.runs.append(Run(chosen, context))

    @rule(star=stars, choice=st.integers(0, 3), steps=st.integers(1, len(STEPS)))
    def go_on(self, star: int, choice: int, steps: int) -> None:
        chosen = self.pair[star]
        if not chosen.runs:
            return
        going = chosen.runs[choice % len(chosen.runs)]
        for _ in range(min(steps, len(STEPS) - going.step)):
            try:
                if going.go():
                    self.check_consistent(chosen)
            except AirflowSkipException:
                chosen.runs.remove(going)
                return
            except DataError:
                # Files are refused, or all files are deleted, so the run has failed. Drop its schema.
                chosen.world.close_run(going.context)
                chosen.runs.remove(going)
                return

    @rule(star=stars, choice=st.integers(0, 3), cleared=st.booleans())
    def crash(self, star: int, choice: int, cleared: bool) -> None:
        """Kill the run, which leaves its schema, or clear it, so that it starts over."""
        chosen = self.pair[star]
        if chosen.runs:
            dead = chosen.runs[choice % len(chosen.runs)]
            if cleared:
                dead.step = 0
            else:
                chosen.runs.remove(dead)

    # Invariants -------------------------------------------------------------------------------------------

    def check_consistent(self, star: Star) -> None:
        """Assert that the star follows from its published history, and that no key occurs twice."""
        world = star.enter()
        columns = (
            "source_key, line_number, ts, page, user_id, level, session_id, item_in_session, song, artist, length, "
            "first_name, last_name, gender, location, user_agent"
        )
        plays = [
            (key, number, source_line(*rest))
            for key, number, *rest in world.rows(
                f"select {columns} from {{s}}.events where page = 'NextSong'"
            )
        ]
        documents = {
            key: dict(zip(SONG, map(plain, rest), strict=True))
            for key, *rest in world.rows(f"select source_key, {', '.join(SONG)} from {{s}}.song_files")
        }
        expected = model.derive(plays, documents)
        assert world.star() == expected
        for table, key in {
            "events": "source_key, line_number",
            "song_files": "source_key",
            "loaded_files": "source_key",
        }.items():
            schema = "{s}" if table in HISTORY else "{o}"
            doubled = world.rows(
                f"select {key}, count(*) from {schema}.{table} group by {key} having count(*) > 1"
            )
            assert not doubled, (table, doubled)

    def teardown(self) -> None:
        for star in self.pair:
            world = star.enter()
            for key in sorted(star.broken):
                star.put(key, star.lake[key])
            # The next scheduled run loads every file that is due, however earlier runs ended.
            with contextlib.suppress(AirflowSkipException):
                world.load(LAST.isoformat(), audited=False)
            if any(key not in star.lake for key in star.versions):
                with contextlib.suppress(AirflowSkipException):
                    world.load(mode="full_refresh", audited=False)
                    assert not star.replayed()
            self.check_consistent(star)
            self.check_lake(star)

    def check_lake(self, star: Star) -> None:
        """Assert that history and ledger have the current version of every file in the lake, and nothing else."""
        world = star.world
        logs, documents = model.read(star.lake)
        wanted = {
            (key, number): line["ts"]
            for key, content in logs.items()
            for number, line in enumerate(content, 1)
        }
        found = {
            (key, number): at
            for key, number, at in world.rows("select source_key, line_number, ts from {s}.events")
        }
        assert found == wanted
        assert {key for (key,) in world.rows("select source_key from {s}.song_files")} == set(documents)
        keys = {key for (key,) in world.rows("select source_key from {o}.loaded_files")}
        assert keys == set(logs) | set(documents)


SONG = (
    "song_id", "title", "artist_id", "artist_name", "artist_location", "artist_latitude", "artist_longitude", "year",
    "duration",
)  # fmt: skip
LINE = (
    "ts", "page", "userId", "level", "sessionId", "itemInSession", "song", "artist", "length", "firstName", "lastName",
    "gender", "location", "userAgent",
)  # fmt: skip


def source_line(*values: Any) -> dict[str, Any]:
    return dict(zip(LINE, map(plain, values), strict=True))


@pytest.mark.slow
def test_overlapping_runs_over_a_changing_lake_end_in_its_tables(make_world, monkeypatch):
    # Lower the limits, so that a few songs take the code path of a million.
    monkeypatch.setattr(ledger, "LEDGER_PAGE", 3)
    monkeypatch.setattr(ledger, "FILES_OF_A_VALUE", 2)
    monkeypatch.setattr(plan, "FILES_OF_A_RANGE", 2)
    worlds = [make_world(), make_world()]
    pair = tuple(Star(world, make_world.enter) for world in worlds)
    for star in pair:
        star.enter().create_tables()

    class Machine(Schedule):
        pass

    Machine.pair = pair
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=SCHEDULES,
            stateful_step_count=30,
            deadline=None,
            database=MultiplexedDatabase(*FAILURES, *KEPT),
            print_blob=True,
            phases=set(settings.default.phases) - {Phase.explain},
            suppress_health_check=list(HealthCheck),
        ),
    )
