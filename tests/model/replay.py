"""Replay the model's steps on the code, in a world whose lake has the model's files, and compare the tables."""

from __future__ import annotations

import contextlib
import json
from datetime import datetime
from typing import Any

import pytest
import redshift_connector
from airflow.providers.common.compat.sdk import AirflowSkipException

from include.sparkify.errors import DataError
from include.sparkify.redshift import warehouse
from include.sparkify.tasks import run
from tests.model.protocol import EMPTY, FILES, REFUSED, STEPS, Action, State
from tests.pipeline import model
from tests.world import event, lines, log_key

DAY = datetime(2018, 11, 1)
KEYS = {name: log_key("2018-11-01", f"{name}.json") for name in FILES}


def content(name: str, version: str) -> bytes:
    """Return the content of a version of a file. The other file has one of its plays, too."""
    if version == REFUSED:
        return b"not JSON"
    if version == EMPTY:
        return b""
    own = FILES.index(name) + 1
    return lines(
        *(
            event(DAY.replace(hour=hour), user, item=hour, location=name + version, level=level)
            for hour, user, level in [(1, 1, "free"), (2 + int(version), own, "paid"), (12, own, "free")]
        )
    )


VERSIONS = {name: {v: content(name, v) for v in ("1", "2", REFUSED, EMPTY)} for name in FILES}


class Replay:
    """A world that repeats the steps of the model from its first state."""

    def __init__(self, world: Any, state: State) -> None:
        self.world = world
        self.etags: dict[str, str] = {}
        self.runs: dict[str, Any] = {}
        self.chunks: dict[str, list[str]] = {}
        self.orphans: list[str] = []
        self.count = 0
        world.empty()
        for name, version in zip(FILES, state.lake, strict=True):
            self.put(name, version)

    def put(self, name: str, version: str) -> None:
        self.world.put(KEYS[name], VERSIONS[name][version])
        etag = self.world.s3.head_object(Bucket=self.world.lake, Key=KEYS[name])["ETag"].strip('"')
        self.etags[etag] = version

    def do(self, action: Action) -> str:
        """Do a step, and return its outcome in the model's terms."""
        verb, *more = action
        if verb == "put":
            self.put(*more)
        elif verb == "delete":
            self.world.delete(KEYS[more[0]])
        elif verb == "maintain":
            self.maintain()
        elif verb == "begin":
            self.count += 1
            interval = ("2018-11-01", "2018-11-02") if more[1] == "load" else ()
            context = self.world.context(*interval, mode=more[1], run_id=f"manual__{self.count}")
            return self.plan(more[0], context)
        elif verb == "clear":
            # Airflow keeps the XComs of cleared tasks until they run again. The context does the same.
            return self.plan(more[0], self.runs[more[0]])
        elif verb == "crash":
            self.orphans.append(self.world.run_schema(self.runs[more[0]]))
        else:
            assert verb in STEPS
            return self.step(verb, *more)
        return ""

    def plan(self, slot: str, context: Any) -> str:
        try:
            self.chunks[slot] = self.world.plan(context)
        except AirflowSkipException:
            return "skipped"
        except DataError:
            return "refused"
        self.runs[slot] = context
        due = set()
        for chunk in self.chunks[slot]:
            body = self.world.s3.get_object(Bucket=self.world.work, Key=chunk)["Body"].read()
            due |= {file["key"] for file, _ in json.loads(body)["files"].get("events", [])}
            due |= {key for _, key, _ in json.loads(body)["vanished"]}
        return f"due {' '.join(name for name in FILES if KEYS[name] in due)}"

    def step(self, verb: str, slot: str, lost: str = "") -> str:
        world, context = self.world, self.runs[slot]
        if verb == "validate":
            world.validate(context, self.chunks[slot])
            # The result has only their number. Publishing shows which files they are.
            return str(sum(chunk["files"] for chunk in context["pushed"]["validate", "return_value"]))
        if verb == "open_run":
            try:
                world.open_run(context)
            except DataError:
                return "failed"
        elif verb == "build":
            world.copy(context)
            world.build(context)
            world.pass_all(context)
        else:
            with lose_acknowledgment() if lost else contextlib.nullcontext():
                published = world.publish(context)
            world.close_run(context)
            return f"replaced {' '.join(name for name in FILES if KEYS[name] in published['replaced'])}"
        return ""

    def maintain(self) -> None:
        """Let the schemas of dead runs expire, sweep, and assert that no other schema is dropped."""
        dead = ", ".join(f"'{schema}'" for schema in self.orphans)

        def expire(cursor: Any) -> None:
            cursor.execute(
                f"update {self.world.schema}_ops.run_schemas set expires_at = dateadd(day, -1, getdate()) "
                f"where run_schema in ({dead})"
            )

        warehouse.transaction(expire, "let time pass")
        assert set(run.sweep()) <= set(self.orphans)
        self.orphans.clear()

    def compare(self, state: State) -> None:
        """Compare the tables with the state of the model."""
        world = self.world
        names = {key: name for name, key in KEYS.items()}
        ledger = {
            names[key]: self.etags[etag]
            for key, etag in world.rows("select source_key, etag from {o}.loaded_files")
        }
        assert tuple(ledger.get(name, "") for name in FILES) == state.ledger
        refused = {names[key] for (key,) in world.rows("select source_key from {o}.refused_files")}
        assert refused == {name for name, version in zip(FILES, state.refused, strict=True) if version}
        found = set(world.rows("select distinct source_key, location from {s}.events"))
        loaded = {
            name + version
            for name, versions in zip(FILES, state.history, strict=True)
            for version in versions - {EMPTY}
        }
        assert {text for _, text in found} == loaded
        lake = {KEYS[text[0]]: VERSIONS[text[0]][text[1:]] for text in loaded}
        assert world.star() == model.star(*model.read(lake))


@contextlib.contextmanager
def lose_acknowledgment() -> Any:
    """Let the publishing transaction commit, but lose the acknowledgment."""
    commit, lock = redshift_connector.Connection.commit, warehouse.lock
    locked, lost = list[bool](), list[bool]()

    def commit_and_lose_the_link(connection: Any) -> None:
        commit(connection)
        if locked and not lost:
            lost.append(True)
            raise redshift_connector.InterfaceError("server socket closed")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(warehouse, "lock", lambda cursor: (locked.append(True), lock(cursor)))
        patch.setattr(redshift_connector.Connection, "commit", commit_and_lose_the_link)
        yield
        assert lost
