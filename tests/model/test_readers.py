"""Test that readers always see tables and reports of one version while runs change them.

``SPARKIFY_OBSERVATIONS=10000`` makes 10,000 observations.
"""

from __future__ import annotations

import os
import random
from datetime import datetime, timedelta
from typing import Any

import pytest

from include.sparkify import settings
from include.sparkify.errors import TransientError
from include.sparkify.redshift import reach, schema
from include.sparkify.tables import PUBLISHED
from include.sparkify.tasks import run
from tests import shortcuts
from tests.model.readers import Digests, Readers, Version, observe
from tests.reports.updating import update
from tests.world import event, song

OBSERVATIONS = int(os.environ.get("SPARKIFY_OBSERVATIONS", "100"))
FIRST = datetime(2018, 11, 1)
ALL = ("2018-11-01", "2018-11-04")


class Writer:
    """A writer that changes the tables, and records each version that it has created."""

    def __init__(self, world: Any) -> None:
        self.world, self.random = world, random.Random(0)
        self.made: dict[Version, Digests] = {}
        self.note()

    def note(self) -> None:
        connection = reach.connect()
        version, digests = observe(connection, self.world.schema, settings.reports())
        connection.close()
        assert self.made.setdefault(version, digests) == digests

    def deliver(self) -> None:
        day = FIRST + timedelta(days=self.random.randrange(3))
        events = [
            event(day + timedelta(hours=self.random.randrange(24)), self.random.randrange(1, 5), item=item)
            for item in range(self.random.randrange(1, 30))
        ]
        self.world.log(f"{day:%Y-%m-%d}", *events)
        self.world.song(song(year=self.random.randrange(1990, 2000)))

    def load(self) -> None:
        self.deliver()
        self.world.load(*ALL, mode="reload", audited=False)

    def crash(self) -> None:
        """Die within the publishing transaction, then retry the run."""
        self.deliver()
        context = self.world.prepare(*ALL, mode="reload")

        def die(*_: Any) -> None:
            raise TransientError("killed")

        with pytest.MonkeyPatch.context() as patch, pytest.raises(TransientError, match="killed"):
            patch.setattr("include.sparkify.tasks.checks.insert_results", die)
            self.world.publish(context)
        self.note()
        self.world.publish(context)
        self.world.close_run(context)

    def refresh(self) -> None:
        self.deliver()
        self.world.load(mode="full_refresh", audited=False)

    def remake(self) -> None:
        update(remake=True)

    def recreate(self) -> None:
        schema.recreate_tables(self.world.rendered("create", PUBLISHED), self.world.schema)
        self.note()
        self.world.load(mode="full_refresh", audited=False)

    def maintain(self) -> None:
        run.sweep()
        connection = reach.connect()
        connection.autocommit = True
        connection.cursor().execute(f"vacuum {self.world.schema}.songplays")
        connection.close()

    def step(self) -> None:
        what = self.random.choices(
            (self.load, update, self.crash, self.refresh, self.maintain, self.remake, self.recreate),
            (6, 6, 3, 2, 2, 1, 1),
        )[0]
        what()
        self.note()


@pytest.mark.slow
@pytest.mark.finding("F9")
def test_no_reader_sees_a_mixture_of_versions(make_world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    world = make_world(absent="warn")
    # Each reader needs its own session, as in production.
    shortcuts.connect_again(monkeypatch)
    world.create_tables()
    world.song(song())
    world.log("2018-11-01", event(FIRST))
    world.load(*ALL, audited=False)
    update(remake=True)
    writer = Writer(world)
    with Readers(reach.connect, world.schema, settings.reports()) as readers:
        for step in (
            update,
            writer.load,
            writer.crash,
            writer.refresh,
            writer.recreate,
            writer.maintain,
            writer.remake,
        ):
            step()
            writer.note()
        while readers.count < OBSERVATIONS and not readers.errors:
            writer.step()
    assert not readers.errors
    assert not readers.mixed()
    assert all(writer.made[version] == digests for version, digests in readers.seen)
    versions = {version for version, _ in readers.seen}
    print(
        f"{readers.count} observations of {len(versions)} versions, {readers.absent} of a table that was absent"
    )
    assert len(versions) > 1


def test_a_mixture_of_versions_is_noticed() -> None:
    readers = Readers(reach.connect, "sparkify", "reports")
    readers.seen.update([(("a", "b"), ((1, 1),)), (("a", "b"), ((1, 2),)), (("c", "b"), ((1, 1),))])
    assert readers.mixed() == [("a", "b")]
