"""Model the protocol of a run: the reads and writes of each step, and the invariants that hold after every step.

A state consists of the lake, the published tables, and the active runs. A file is represented by its version, and a
published table by the versions that it is derived from. The code itself makes the decisions:
:func:`include.sparkify.tasks.plan.decide` and :class:`include.sparkify.tasks.publish.StagedFile`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from include.sparkify.tasks.plan import decide
from include.sparkify.tasks.publish import StagedFile

FILES = ("a", "b")
# Both files are of one day, so each affects the rows of the other.
VERSIONS = {"a": ("1", "2", "x"), "b": ("1", "e")}
REFUSED = "x"
# A version without lines, which is refused if another version is loaded.
EMPTY = "e"
STEPS = ("validate", "open_run", "build", "publish")
DEAD = -1
MODES = ("load", "full_refresh")
# Mutations of the model, each of which removes one guard. An invariant detects each removal.
MUTATIONS = (
    "the ledger is not compared by version",
    "no lock",
    "the version of the star is not checked",
    "the version of the star is that of open_run, not of plan",
    "no file is left out",
    "a full refresh is forgotten",
    "a refused version replaces the loaded one",
    "an empty version replaces the one that another run has loaded",
    "rows are added without deleting those of the older version",
    "the ledger is written in another transaction",
    "the star is written in another transaction",
    "a lost acknowledgment publishes again",
    "a second try publishes what the first had read",
    "maintenance drops the schema of a run that is alive",
    "a full refresh keeps files that left the lake",
    "a refusal is forgotten before the file is loaded",
)

Versions = tuple[str, ...]
"""A version per file, or an empty string if there is none."""
Rows = tuple[frozenset[str], ...]
"""Per file: the versions that rows are derived from."""
Action = tuple[str, ...]


class Violated(AssertionError):
    """An invariant does not hold."""


class Run(NamedTuple):
    """An active run."""

    mode: str
    step: int
    """Index of the next step, or DEAD."""
    planned: tuple[str | None, ...]
    """Per file: the ledger's version when the file was planned, or None if the file is not due."""
    vanished: tuple[bool, ...]
    read: tuple[str | None, ...] = (None,) * len(FILES)
    """Per file: the version to publish, or an empty string if it vanished, or None if there is nothing to publish."""
    candidates: Rows = ()
    is_behind_plan: bool = False
    """Another run has published since the plan."""
    is_behind_refresh: bool = False
    """A full refresh has published since the plan."""
    is_staged: bool = True
    refused_since: tuple[bool, ...] = (False,) * len(FILES)
    """For each file, whether a run has refused it since the plan."""


class State(NamedTuple):
    """Everything that a step can read or write, and how many changes, begins and crashes are left."""

    lake: Versions
    had: Rows
    """Per file: every version that the lake has had."""
    ledger: Versions
    history: Rows
    star: Rows
    refused: Versions
    cleaned: tuple[bool, ...]
    """Files that were missing from the lake when a full refresh was published, and have not returned."""
    runs: tuple[Run | None, ...]
    orphans: bool
    """Schemas of dead runs exist."""
    changes: int
    begins: int
    crashes: int


class Edge(NamedTuple):
    """One step."""

    action: Action
    outcome: str
    state: State


def start(slots: int = 2, changes: int = 2, begins: int = 2, crashes: int = 1) -> State:
    """Return the first state: a lake with both files, and nothing loaded."""
    nothing: Rows = (frozenset(),) * len(FILES)
    had = tuple(frozenset({"1"}) for _ in FILES)
    none = ("",) * len(FILES)
    no = (False,) * len(FILES)
    return State(
        ("1",) * len(FILES), had, none, nothing, nothing, none, no, (None,) * slots, False, changes, begins, crashes
    )  # fmt: skip


def edges(state: State, broken: str = "") -> Iterator[Edge]:
    """Yield every possible step.

    :param broken: the guard in MUTATIONS that is removed.
    :raises Violated: a step violates an invariant.
    """
    if state.changes:
        yield from _change_lake(state)
    for slot, run in enumerate(state.runs):
        if run is None:
            if state.begins and slot == state.runs.index(None):
                for mode in MODES:
                    outcome, after = plan(state._replace(begins=state.begins - 1), slot, mode, broken)
                    yield Edge(("begin", str(slot), mode), outcome, after)
        elif run.step == DEAD:
            outcome, after = plan(state, slot, run.mode, broken)
            yield Edge(("clear", str(slot)), outcome, after)
        else:
            step = STEPS[run.step]
            outcome, after = advance(state, slot, broken)
            yield Edge((step, str(slot)), outcome, after)
            if state.crashes:
                yield from _crash(state, slot, broken)
    if state.orphans or broken.startswith("maintenance"):
        runs = state.runs
        if broken.startswith("maintenance"):
            runs = tuple(run and run._replace(is_staged=False) for run in runs)
        yield Edge(("maintain",), "", state._replace(orphans=False, runs=runs))


def _change_lake(state: State) -> Iterator[Edge]:
    for place, name in enumerate(FILES):
        for version in ("", *VERSIONS[name]):
            if version == state.lake[place]:
                continue
            had, cleaned = state.had, state.cleaned
            if version:
                had = _with(had, place, had[place] | {version})
                cleaned = _with(cleaned, place, False)
            after = state._replace(
                lake=_with(state.lake, place, version), had=had, cleaned=cleaned, changes=state.changes - 1
            )
            yield Edge(("put", name, version) if version else ("delete", name), "", after)


def _crash(state: State, slot: int, broken: str) -> Iterator[Edge]:
    run = state.runs[slot]
    assert run is not None
    state = state._replace(crashes=state.crashes - 1)
    if run.step == STEPS.index("publish"):
        if "another transaction" in broken:
            _, done = advance(state, slot, broken)
            half = (
                state._replace(ledger=done.ledger) if "ledger" in broken else state._replace(star=done.star)
            )
            yield Edge(("crash", str(slot)), "", half)
        outcome, after = advance(state, slot, broken)
        if broken.startswith("a lost acknowledgment"):
            raise Violated("a run publishes twice")
        yield Edge(("publish", str(slot), "lost acknowledgment"), outcome, after)
    dead = run._replace(step=DEAD)
    opened = run.step > STEPS.index("open_run")
    after = state._replace(runs=_with(state.runs, slot, dead), orphans=state.orphans or opened)
    yield Edge(("crash", str(slot)), "", after)


def plan(state: State, slot: int, mode: str, broken: str = "") -> tuple[str, State]:
    """Compare the lake with the ledger. Return the outcome and the state after it."""
    planned: list[str | None] = []
    vanished, refused = [], False
    for place in range(len(FILES)):
        etag, loaded = state.lake[place], state.ledger[place]
        gone = not etag and bool(loaded) and mode == "full_refresh"
        vanished.append(gone and not broken.startswith("a full refresh keeps"))
        known = etag if loaded and broken.startswith("the ledger is not compared") else loaded
        verdict = decide(mode, etag, known, etag == state.refused[place] != "", False) if etag else "loaded"
        refused |= verdict == "refused"
        planned.append(loaded if verdict == "due" or vanished[-1] else None)
    if not any(entry is not None for entry in planned):
        return "refused" if refused else "skipped", state._replace(runs=_with(state.runs, slot, None))
    earlier = state.runs[slot]
    run = Run(mode, 0, tuple(planned), tuple(vanished))
    if broken.startswith("a second try") and earlier:
        run = run._replace(read=earlier.read)
    due = [name for name, entry in zip(FILES, planned, strict=True) if entry is not None]
    return f"due {' '.join(due)}", state._replace(runs=_with(state.runs, slot, run))


def advance(state: State, slot: int, broken: str = "") -> tuple[str, State]:
    """Do the next step of a run. Return the outcome and the state after it."""
    run = state.runs[slot]
    assert run is not None
    step = STEPS[run.step]
    if step == "publish":
        return publish(state, slot, broken)
    outcome, refused = "", state.refused
    if step == "validate":
        read = list(run.read)
        for place, ledger in enumerate(run.planned):
            version = state.lake[place]
            if run.vanished[place]:
                read[place] = ""
            elif ledger is not None and version:
                is_bad = version == REFUSED or version == EMPTY != ledger != ""
                if is_bad:
                    refused = _with(refused, place, version)
                    state = state._replace(runs=_note_refused(state.runs, place))
                elif broken.startswith("a refusal is forgotten"):
                    refused = _with(refused, place, "")
                replacement = "" if broken.startswith("a refused version") else None
                read[place] = replacement if is_bad else version
        run = state.runs[slot]._replace(read=tuple(read))
        if any(now < before for now, before in zip(refused, state.refused, strict=True)):
            raise Violated("a replay would not find a file of which nothing is loaded")
        outcome = (
            f"read {' '.join(name for name, entry in zip(FILES, read, strict=True) if entry is not None)}"
        )
    elif step == "open_run":
        if all(version is None for version in run.read):
            return "failed", state._replace(runs=_with(state.runs, slot, None))
        if broken.startswith("the version of the star is that of open_run"):
            run = run._replace(is_behind_plan=False, is_behind_refresh=False)
    else:
        run = run._replace(candidates=_derive(state.history, run.read))
    run = run._replace(step=run.step + 1)
    if step == "build" and broken == "no lock":
        # Without the lock, the transaction reads before another one writes.
        run = run._replace(is_behind_plan=False, is_behind_refresh=False)
    return outcome, state._replace(runs=_with(state.runs, slot, run), refused=refused)


def publish(state: State, slot: int, broken: str = "") -> tuple[str, State]:
    """Publish a run under the lock. Return the files that were replaced in the meantime, and the state after the step.

    :raises Violated: the run reverts a file that another run has loaded, or does not publish a file that it has read.
    """
    run = state.runs[slot]
    assert run is not None
    if not run.is_staged:
        raise Violated("a run that is alive has lost its schema")
    read, replaced, loaded = run.read, [], []
    if run.is_behind_plan and broken not in ("no file is left out", "no lock"):
        refreshed = run.is_behind_refresh and not broken.startswith("a full refresh is forgotten")
        for place, etag in enumerate(run.read):
            if etag is None:
                continue
            is_empty = etag == EMPTY and not broken.startswith("an empty version")
            file = StagedFile(FILES[place], etag, run.planned[place] or "", state.ledger[place], is_empty)
            if (file.is_conflict or refreshed) and file.is_replaced(state.lake[place] or None):
                replaced.append(place)
            elif file.is_loaded:
                loaded.append(place)
        read = tuple(None if place in (*replaced, *loaded) else etag for place, etag in enumerate(run.read))
    again = run.is_behind_plan and broken not in (
        "the version of the star is not checked", "no lock"
    )  # fmt: skip
    star = _derive(state.history, read) if again else run.candidates
    history = _derive(state.history, read)
    if broken.startswith("rows are added"):
        history = tuple(old | new for old, new in zip(state.history, history, strict=True))
    ledger = tuple(old if new is None else new for old, new in zip(state.ledger, read, strict=True))
    cleaned = state.cleaned
    if run.mode == "full_refresh":
        cleaned = tuple(not version and not rows for version, rows in zip(state.lake, history, strict=True))
    refused = tuple(
        "" if not since and (new is not None or run.mode == "full_refresh") else old
        for old, new, since in zip(state.refused, read, run.refused_since, strict=True)
    )
    for place, version in enumerate(ledger):
        before, name = state.ledger[place], FILES[place]
        if run.planned[place] is None and history[place] != state.history[place]:
            raise Violated(f"{name} changes, which was not in the plan")
        if version == EMPTY and before not in ("", EMPTY):
            raise Violated(f"an empty version of {name} deletes the rows of the loaded one")
        if before == state.lake[place] != version and before != run.planned[place]:
            raise Violated(f"{name} is taken back to an older version than another run has loaded")
        if run.read[place] is not None and place not in replaced and version != run.read[place]:
            raise Violated(f"{name} was read and is not published")
    runs = tuple(
        other
        and other._replace(
            is_behind_plan=True,
            is_behind_refresh=other.is_behind_refresh or run.mode == "full_refresh",
        )
        for other in _with(state.runs, slot, None)
    )
    after = state._replace(
        ledger=ledger, history=history, star=star, refused=refused, cleaned=cleaned, runs=runs
    )
    return f"replaced {' '.join(FILES[place] for place in replaced)}", after


def _derive(history: Rows, read: tuple[str | None, ...]) -> Rows:
    return tuple(
        old if new is None else frozenset({new} - {""}) for old, new in zip(history, read, strict=True)
    )


def _note_refused(runs: tuple[Run | None, ...], place: int) -> tuple[Run | None, ...]:
    return tuple(
        run and run._replace(refused_since=_with(run.refused_since, place, run.step != DEAD)) for run in runs
    )


def _with(values: tuple, place: int, value: object) -> tuple:
    return (*values[:place], value, *values[place + 1 :])


def check(state: State) -> None:
    """Check the invariants of a state.

    :raises Violated: an invariant does not hold.
    """
    if state.star != state.history:
        raise Violated("the star is not derived from the history")
    for name, rows, had, version, cleaned in zip(
        FILES, state.history, state.had, state.ledger, state.cleaned, strict=True
    ):
        if len(rows) > 1:
            raise Violated(f"two versions of {name} are published")
        if not rows <= had:
            raise Violated(f"the lake never had this version of {name}")
        if rows != frozenset({version} - {""}):
            raise Violated(f"ledger and history differ in {name}")
        if REFUSED in rows:
            raise Violated(f"a refused version of {name} is published")
        if cleaned and rows:
            raise Violated(f"{name} had left the lake before the last full refresh, and is back")


def check_rest(state: State, broken: str = "") -> None:
    """Check that, if no run is active, a scheduled run and then a full refresh build the star of the lake.

    :raises Violated: they do not.
    """
    before = state.history
    for mode in MODES:
        _, state = plan(state, 0, mode, broken)
        while state.runs[0]:
            _, state = advance(state, 0, broken)
        check(state)
        for place, version in enumerate(state.lake):
            wanted = frozenset({version} - {""})
            is_kept = version == EMPTY and bool(before[place])
            if version == REFUSED or is_kept or not version and mode == "load":
                wanted = before[place]
            if state.star[place] != wanted:
                raise Violated(f"at rest, after {mode}, {FILES[place]} is not that of the lake")


def explore(first: State, broken: str = "") -> dict[State, list[Edge]]:
    """Return every reachable state and the steps from it.

    :raises Violated: an invariant does not hold in one of them.
    """
    found: dict[State, list[Edge]] = {}
    ahead = [first]
    seen = {first}
    rested: set[State] = set()
    while ahead:
        following = []
        for state in ahead:
            check(state)
            if not any(state.runs):
                rest = state._replace(changes=0, begins=0, crashes=0, orphans=False)
                if rest not in rested:
                    rested.add(rest)
                    check_rest(rest, broken)
            found[state] = list(edges(state, broken))
            for edge in found[state]:
                if edge.state not in seen:
                    seen.add(edge.state)
                    following.append(edge.state)
        ahead = following
    return found


def kind_of(state: State, edge: Edge) -> tuple[object, ...]:
    """Return the kind of an edge: the values that it depends on, without the runs that take no part in it."""
    slot = edge.action[1] if len(edge.action) > 1 else ""
    own = state.runs[int(slot)] if slot.isdigit() else None
    action = tuple(part for part in edge.action if not part.isdigit())
    return action, edge.outcome, state.lake, state.ledger, state.refused, own


def walks(graph: dict[State, list[Edge]], first: State) -> Iterator[list[Edge]]:
    """Yield walks from the first state that together cover every kind of edge, the longest first."""
    came: dict[State, tuple[State, Edge]] = {}
    for state, found in graph.items():
        for edge in found:
            if edge.state not in came and edge.state != first:
                came[edge.state] = (state, edge)
    covered: set[tuple[object, ...]] = set()
    for state in reversed(graph):
        for edge in graph[state]:
            if kind_of(state, edge) in covered:
                continue
            walk, at = [edge], state
            while at != first:
                before, step = came[at]
                walk.append(step)
                at = before
            walk.reverse()
            here = first
            for step in walk:
                covered.add(kind_of(here, step))
                here = step.state
            yield walk
