"""Test every Airflow button on a run of the DAG, in every state in which a run may end or pause.

Whatever is cleared or marked, the star is that of the files before or after the run, never another one. The message of
a failed run contains the next step, and clearing `plan` with its downstream tasks always ends in the star of the run's
files.

The usual suite presses a few buttons. ``SPARKIFY_BUTTONS=1/1`` presses all of them, ``SPARKIFY_BUTTONS=2/6`` presses
those of the second sixth of the states, and ``SPARKIFY_PRESSES=10`` presses ten in each state, chosen with
``SPARKIFY_SEED``.
"""

from __future__ import annotations

import collections
import itertools
import os
import random
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

import orjson
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from include.sparkify.files import chunks
from tests import running
from tests.pipeline import buttons, model
from tests.world import event, lines, log_key, song

pytestmark = pytest.mark.slow

PART = os.environ.get("SPARKIFY_BUTTONS", "")
MOST, SEED = int(os.environ.get("SPARKIFY_PRESSES", "1000")), int(os.environ.get("SPARKIFY_SEED", "0"))
NOON = datetime(2018, 11, 1, 12)
CONF = {"start": "2018-11-01", "end": "2018-11-02"}
INJECTED = "this fault is a test's"
# One of each kind of task.
TASKS = (
    "create_tables", "plan", "validate", "open_run", "stage.staging_files", "stage.staging_events", "audit_staging",
    "build.changes", "build.songplays", "audit_star.rows", "publish", "check_complete", "close_run",
)  # fmt: skip
# A run may end after it has published, without anything to do, or with a failed task.
ENDS = ("success", "nothing new", *(f"{task} failed" for task in TASKS))
# A run may pause before each of these tasks.
PAUSES = tuple(f"before {task}" for task in TASKS if task not in ("create_tables", "close_run"))


class Press(NamedTuple):
    """A press of a button: the state of the run, the button, and a change of the lake before the press."""

    state: str
    button: str
    tasks: tuple[str, ...] = ()
    downstream: bool = False
    change: str = ""


def presses(run: Any) -> Iterator[Press]:
    """Yield every press, but only one of those that clear the same tasks."""
    for state in ENDS:
        seen = set()
        sets = [(task,) for task in TASKS] + list(itertools.combinations(TASKS, 2))
        for tasks, downstream in itertools.product(sets, (False, True)):
            subset = tuple(run.cleared(tasks, downstream))
            if subset not in seen:
                seen.add(subset)
                yield Press(state, "clear", tasks, downstream)
        for change, downstream in itertools.product(("fewer", "more", "corrected"), (False, True)):
            yield Press(state, "clear", ("plan",), downstream, change)
        for change in ("fewer", "more"):
            yield Press(state, "clear", ("validate",), True, change)
        for button in ("mark run success", "mark run failed", "delete", "another day"):
            yield Press(state, button)
        for task, mark in itertools.product(TASKS, ("success", "failed")):
            yield Press(state, f"mark {mark}", (task,))
    for state in PAUSES:
        for button in ("mark run success", "mark run failed"):
            yield Press(state, button)
        for task, mark in itertools.product(
            (state.removeprefix("before "),), ("success", "failed", "skipped")
        ):
            yield Press(state, f"mark {mark}", (task,))


class Desk:
    """A lake with two days and some songs, the warehouse, and a run over the first day."""

    def __init__(self, world: Any, dag: Any) -> None:
        self.world, self.dag, self.run = world, dag, buttons.Run(dag)
        self.lake: dict[str, bytes] = {}
        world.create_tables()

    def put(self, key: str, body: bytes) -> None:
        self.lake[key] = body
        self.world.put(key, body)

    def day(self, day: int, version: int) -> tuple[str, bytes]:
        at = NOON.replace(day=day)
        plays = [event(at, item=version), event(at.replace(hour=13), user=2, item=version, level="paid")]
        return log_key(f"2018-11-0{day}"), lines(*plays)

    def set_up(self, state: str, patch: pytest.MonkeyPatch) -> None:
        """Bring the run to a state: version 1 of the day is published, and the run loads version 2."""
        self.world.empty()
        self.lake.clear()
        self.put(*self.day(1, 1))
        self.put(*self.day(2, 1))
        for number in range(2):
            self.put(f"song_data/TR{number}.json", orjson.dumps(song(f"SO{number}")))
        self.world.load("2018-11-01", "2018-11-03", audited=False)
        if state != "nothing new":
            self.put(*self.day(1, 2))
            self.put("song_data/TR2.json", orjson.dumps(song("SO2")))
            self.put("song_data/TR3.json", orjson.dumps(song("SO3")))
        self.run.trigger(CONF)
        fault = state.removesuffix(" failed") if state.endswith(" failed") else ""
        hold = [state.removeprefix("before ")] if state.startswith("before ") else []
        with patch.context() as faults:
            if fault == "validate":
                faults.setattr("include.sparkify.tasks.validate.validate_chunk", _fail)
            elif fault:
                faults.setattr(self.dag.get_task(fault), "pre_execute", _fail)
            ended, tasks = self.run.go(hold)
        if fault:
            assert tasks[fault] == "failed", (state, tasks)
        assert ended == ("running" if hold else "failed" if fault not in ("", "close_run") else "success"), (
            state
        )
        self.snapshot, self.published = buttons.Kept(), self.world.star()
        self.lake_then = dict(self.lake)
        self.loaded = {key for (key,) in self.world.rows("select source_key from {o}.loaded_files")}

    def wanted(self, lake: dict[str, bytes] | None = None) -> dict[str, set[tuple[Any, ...]]]:
        """Return the star of the files, including loaded files that left the lake, because a load keeps their rows."""
        lake = self.lake if lake is None else lake
        kept = {key: body for key, body in self.lake_then.items() if key in self.loaded and key not in lake}
        return model.star(*model.read(lake | kept))

    def change(self, change: str) -> None:
        if change == "fewer":
            for key in ("song_data/TR2.json", "song_data/TR3.json"):
                if self.lake.pop(key, None):
                    self.world.delete(key)
        elif change == "more":
            for number in (4, 5, 6):
                self.put(f"song_data/TR{number}.json", orjson.dumps(song(f"SO{number}")))
        elif change == "corrected":
            self.put(*self.day(1, 3))

    def press(self, press: Press) -> tuple[str, dict[str, str]]:
        self.change(press.change)
        verb, *more = press.button.split(" ")
        if verb == "clear":
            self.run.clear(press.tasks, press.downstream)
        elif verb == "delete":
            self.run.trigger(CONF)
        elif verb == "another":
            self.run.set_conf({"start": "2018-11-02", "end": "2018-11-03"})
            self.run.clear(["plan"], downstream=True)
        elif more[0] == "run":
            self.run.mark_run(more[1])
        else:
            self.run.mark_task(press.tasks[0], more[0])
        return self.run.go()


def _fail(*_: Any, **__: Any) -> None:
    raise AirflowFailException(INJECTED)


def judge(desk: Desk, press: Press, run: str, tasks: dict[str, str]) -> list[str]:
    """Return the errors that are found after a press."""
    wrong = []
    star, after = desk.world.star(), desk.wanted()
    # The run may have been planned before the files changed, or may load the other day.
    possible = [desk.published, after, desk.wanted(desk.lake_then)]
    if press.button == "another day":
        possible.append(desk.wanted(desk.lake | dict([desk.day(1, 1)])))
    if star not in possible:
        wrong.append("another star than before or after")
    if run not in ("success", "failed"):
        wrong.append(f"the run is {run}: {collections.Counter(tasks.values())}")
    failures = desk.run.failures()
    # Airflow starts no task downstream of a cleared task unless it is cleared, too: the DAG's page says to clear both.
    # A run stays failed if its last failed task, or the run itself, was only marked.
    marked = press.button.startswith("mark") and set(tasks.values()) <= {"success", "skipped"}
    stays = marked or "upstream_failed" in tasks.values() and not press.downstream
    if run == "failed" and not failures and not stays:
        wrong.append(f"failed without a failed task: {tasks}")
    for task, text in failures.items():
        by_hand = press.button == "mark run failed" or press.button == "mark failed" and task in press.tasks
        if not by_hand and INJECTED not in text and not buttons.NEXT_STEP.search(text):
            wrong.append(f"{task} says no next step: {text[:300]}")
        if "check the connection" in text:
            wrong.append(f"{task} points to the connection: {text[:300]}")
    starts_over = press.button == "clear" and "plan" in press.tasks and press.downstream
    if starts_over and run == "success" and star != after:
        wrong.append("success, and the star is not that of the files")
    return wrong


@pytest.fixture
def desk(airflow_database, make_world, monkeypatch):
    # This test is not about the run report.
    monkeypatch.setattr("include.sparkify.watching.run_report.write", lambda context: "s3://lake/report")
    monkeypatch.setattr(chunks, "CHUNK_FILES", 1)
    return Desk(make_world(), running.dag_of("sparkify"))


FEW = [
    *(Press("success", "clear", (task,)) for task in ("build.songplays", "publish")),
    Press("stage.staging_events failed", "clear", ("plan",), True, "fewer"),
    Press("stage.staging_events failed", "clear", ("plan",), True, "more"),
    Press("stage.staging_events failed", "mark success", ("stage.staging_events",)),
    Press("before build.songplays", "mark success", ("build.songplays",)),
    Press("before publish", "mark run success"),
    Press("validate failed", "mark success", ("validate",)),
    Press("open_run failed", "mark success", ("publish",)),
]


def chosen(run: Any) -> list[Press]:
    if not PART:
        return FEW
    part, parts = map(int, PART.split("/"))
    found: dict[str, list[Press]] = {}
    for press in presses(run):
        found.setdefault(press.state, []).append(press)
    print(f"{sum(map(len, found.values()))} presses in {len(found)} states")
    taken = []
    for state in list(found)[part - 1 :: parts]:
        some = found[state]
        taken += random.Random(SEED).sample(some, min(MOST, len(some)))
    return taken


@pytest.mark.finding("F4")
@pytest.mark.finding("M2")
@pytest.mark.finding("F10")
def test_no_button_leads_to_a_wrong_star_or_a_run_that_cannot_succeed(desk, monkeypatch):
    counts: collections.Counter[str] = collections.Counter()
    found, recovered, state = [], set(), ""
    for press in chosen(desk.run):
        # A paused run has a schema that is dropped when the run ends, so each press needs a new run.
        is_new = press.state != state or press.state in PAUSES
        if is_new or press.change or desk.lake != desk.lake_then or desk.world.star() != desk.published:
            desk.set_up(press.state, monkeypatch)
            state = press.state
        else:
            desk.snapshot.restore()
        began = time.monotonic()
        run, tasks = desk.press(press)
        took = time.monotonic() - began
        wrong = judge(desk, press, run, tasks)
        failed = tuple(sorted(task for task, how in tasks.items() if how == "failed"))
        counts[f"{press.button.split(' ')[0]}: {run}"] += 1
        # A run that failed in a new way can still succeed.
        if (run, failed) not in recovered and not press.change:
            recovered.add((run, failed))
            desk.run.set_conf(CONF)
            # `create_tables` is upstream of `plan`.
            first = "create_tables" if tasks["create_tables"] == "failed" else "plan"
            desk.run.clear([first], downstream=True)
            run, tasks = desk.run.go()
            if run != "success" or desk.world.star() != desk.wanted():
                wrong.append(f"cannot succeed any more: {run} {desk.run.failures()} {tasks}")
        if PART:
            print(f"\nPRESS {took:.1f} s {run} {failed} {press}")
        if wrong:
            found.append((press, failed, wrong))
            print("WRONG", press, failed, *wrong, sep="\n   ")
    print(f"{sum(counts.values())} presses, {len(recovered)} kinds of failure: {dict(counts)}")
    assert not found
