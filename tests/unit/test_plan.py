"""Test that `plan` merges the lake and the ledger in one pass, and keeps only one chunk in memory."""

from __future__ import annotations

import types
from datetime import datetime

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.sparkify.errors import ConfigurationError
from include.sparkify.files import chunks
from include.sparkify.files.lake import LakeObject
from include.sparkify.intervals import Interval
from include.sparkify.tasks import plan

keys = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=3)
versions = st.dictionaries(keys, st.sampled_from("abc"))


def listing(lake: dict[str, str]) -> list[LakeObject]:
    """Return the objects in the order in which S3 lists them."""
    return [LakeObject(key, lake[key], 1, datetime(2018, 11, 1)) for key in sorted(lake, key=str.encode)]


@given(versions, versions)
def test_the_lake_and_the_ledger_are_compared_by_key(lake, ledger):
    rows = [(key, ledger[key]) for key in sorted(ledger, key=str.encode)]

    found = [(key, item and item.etag, etag) for key, item, etag in plan.compare(listing(lake), rows)]

    assert found == [
        (key, lake.get(key), ledger.get(key, "")) for key in sorted({*lake, *ledger}, key=str.encode)
    ]


def test_another_order_than_that_of_bytes_is_a_wrong_configuration():
    files, rows = listing({"A": "1", "B": "1", "a": "1"}), [("A", "1"), ("a", "1"), ("B", "1")]

    with pytest.raises(
        ConfigurationError, match="the database sorts text out of byte order: 'B' comes after 'a'"
    ):
        list(plan.compare(files, rows))
    with pytest.raises(ConfigurationError, match="the source bucket lists its keys out of byte order"):
        list(plan.compare(reversed(files), []))


def new_chunks(expected: int = 0) -> tuple[chunks.Chunks, list[dict]]:
    """Return an object that writes chunks, and the list that it writes them to."""
    written: list[dict] = []
    s3 = types.SimpleNamespace(put_object=lambda Body, **_: written.append(orjson.loads(Body)))
    return chunks.Chunks(s3, "work", "runs/run", expected=expected), written


def test_chunks_are_written_as_they_fill_and_grow_with_their_number(monkeypatch):
    """Airflow maps a task over at most 1,024 chunks."""
    monkeypatch.setattr(chunks, "CHUNK_FILES", 1)
    monkeypatch.setattr(chunks, "CHUNKS_OF_A_SIZE", 2)
    opened, written = new_chunks()

    for item in listing({str(number): "etag" for number in range(9)}):
        opened.add("songs", item, "")
    opened.add_vanished("events", "gone", "etag")

    assert opened.close() == [f"runs/run/{number:05}.json" for number in range(5)]
    assert [len(chunk["files"].get("songs", []) + chunk["vanished"]) for chunk in written] == [1, 1, 2, 2, 4]
    assert (opened.files, opened.vanished) == (9, 1)


def test_files_that_vanished_fill_chunks_too(monkeypatch):
    monkeypatch.setattr(chunks, "CHUNK_FILES", 2)
    opened, written = new_chunks()

    for number in range(5):
        opened.add_vanished("events", f"{number}", "etag")

    assert len(opened.close()) == 3
    assert [len(chunk["vanished"]) for chunk in written] == [2, 2, 1]


@pytest.mark.parametrize(("files", "sizes"), [(10, [10]), (11, [6, 5]), (13, [7, 6]), (25, [9, 9, 7])])
def test_what_is_expected_is_divided_evenly(monkeypatch, files, sizes):
    """Two workers are not faster than one if the second has only a small remainder to read."""
    monkeypatch.setattr(chunks, "CHUNK_BYTES", 10)
    opened, written = new_chunks(expected=files)

    for item in listing({str(number): "etag" for number in range(files)}):
        opened.add("events", item, "")
    opened.close()

    assert [len(chunk["files"]["events"]) for chunk in written] == sizes


@pytest.mark.parametrize(
    ("run_id", "hour", "lists"),
    [
        ("scheduled__2018-11-01T22:00:00+00:00", 23, False),
        ("backfill__2018-11-01T22:00:00+00:00", 23, False),
        ("scheduled__2018-11-01T23:00:00+00:00", 24, True),
        ("manual__2018-11-01T22:00:00+00:00", 23, True),
        ("a name of one's own", 23, True),
    ],
)
def test_hourly_runs_list_the_songs_once_a_day(run_id, hour, lists):
    end = datetime(2018, 11, 1 + hour // 24, hour % 24)

    assert plan._is_listed(run_id, Interval(datetime(2018, 11, 1, hour - 1), end)) is lists
