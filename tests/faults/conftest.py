"""Fixtures for the tests of faults."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest

from include.sparkify.files import lake, source
from include.sparkify.files.lake import LakeObject
from tests.faults.sound import Sound
from tests.world import event, song

D1, D2 = datetime(2018, 11, 1, 12), datetime(2018, 11, 2, 12)


@pytest.fixture
def read_lines():
    """Return a function that reads the lines of a file whose content is the given bytes or stream."""

    def read_lines(body: bytes | io.RawIOBase) -> list[bytes]:
        stream = io.BytesIO(body) if isinstance(body, bytes) else body

        class OneObject:
            def get_object(self, **_):
                return {
                    "Body": stream,
                    "ETag": '"e"',
                    "ContentLength": 10,
                    "LastModified": datetime.now(UTC),
                }

        item = LakeObject("log_data/2018/11/2018-11-01-events.json", "etag", 10, datetime.now(UTC))
        with lake.open_object(OneObject(), "lake", item) as (found, opened):
            return [line for lines in source._lines(opened, "lake", found) for line in lines]

    return read_lines


@pytest.fixture(scope="module")
def built(new_world):
    return Sound(new_world())


@pytest.fixture
def sound(built, enter, monkeypatch):
    """Yield the sound run. Afterward, undo the changes that a test made with `spoil`."""
    enter(built.world, delete_threshold=0.1)
    touched: set[str] = set()
    spoil = built.spoil
    monkeypatch.setattr(built, "spoil", lambda spoilers: touched.update(spoil(spoilers)))
    yield built
    built.restore(touched)


@pytest.fixture
def two_days(fresh):
    """Return a world whose first day is loaded, and whose second day, with a song, is delivered but not loaded."""
    world = fresh()
    world.log("2018-11-01", event(D1), event(D1, user=2, item=1))
    world.load("2018-11-01", "2018-11-02", audited=False)
    world.song(song())
    world.log("2018-11-02", event(D2, level="paid"), event(D2, user=3))
    return world
