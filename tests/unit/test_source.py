"""Test the bounds of `source`: the latest time of an event, and the files that are refused."""

from __future__ import annotations

import gzip
import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from include.sparkify.files import contract, lake, source
from include.sparkify.files.lake import LakeObject
from include.sparkify.settings import settings
from tests.world import event, lines, song

DAY, NEXT_DAY = datetime(2018, 11, 1), datetime(2018, 11, 2)
MS = timedelta(milliseconds=1)
# The fast path reads events of the first kind. The others have a field that only the exact rules accept.
WAYS = {"plain": {}, "exact": {"device": "x"}}


class Lake:
    """An S3 client with one object, which records the written lines."""

    def __init__(self, body: bytes, last_modified: datetime) -> None:
        self.body, self.last_modified, self.written = body, last_modified, []

    def get_object(self, **_: Any) -> dict[str, Any]:
        return {
            "Body": io.BytesIO(self.body),
            "ETag": '"e"',
            "ContentLength": len(self.body),
            "LastModified": self.last_modified.replace(tzinfo=UTC),
        }

    def put_object(self, Body: Any, **_: Any) -> None:
        self.written += map(orjson.loads, gzip.decompress(Body.read()).splitlines())


@pytest.fixture
def threshold(monkeypatch):
    """Yield a function that sets the maximum share of rejected lines."""

    def set_threshold(share: float) -> None:
        monkeypatch.setenv("AIRFLOW_VAR_SPARKIFY", json.dumps({"reject_threshold": share}))
        settings.cache_clear()

    yield set_threshold
    settings.cache_clear()


def read_log(
    *events: dict[str, Any] | str, last_modified: datetime = NEXT_DAY, loaded: str = ""
) -> tuple[source.Reading, list]:
    """Return the result of reading a log file of DAY, and the rows for COPY."""
    s3 = Lake(lines(*events), last_modified)
    pieces = source.Pieces(s3, "work", "events")
    file = LakeObject("log_data/2018/11/2018-11-01-events.json", "e", 1, last_modified, DAY.date())
    (reading,) = source.read_daily_files("events", s3, "lake", [(file, loaded)], pieces)
    pieces.close()
    assert pieces.rows == len(s3.written)
    return reading, s3.written


@pytest.mark.finding("A6")
@pytest.mark.parametrize("more", WAYS.values(), ids=WAYS)
def test_an_event_is_at_most_a_day_younger_than_its_file(threshold, more):
    threshold(0.5)
    written = DAY - timedelta(hours=12)
    latest = written + timedelta(days=1)

    reading, rows = read_log(event(latest, **more), event(latest + MS, item=1, **more), last_modified=written)

    assert [row["item_in_session"] for row in rows] == [0]
    assert [(reject.line_number, reject.column_name, reject.reason) for reject in reading.rejects] == [
        (2, "ts", "is more than a day after its file was written")
    ]


def test_blank_lines_and_lines_are_counted(threshold):
    threshold(0.0)

    reading, rows = read_log(event(DAY), "", "\r", event(DAY, item=1), " ")

    assert (reading.file.lines, reading.file.blank_lines, reading.file.accepted) == (2, 3, 2)
    assert [row["line_number"] for row in rows] == [1, 4]


@pytest.mark.parametrize(
    ("line", "kept"),
    [("x" * 4097, "x" * 4096), ("x" + "é" * 2048, "x" + "é" * 2047), ("x" * 4096, "x" * 4096)],
    ids=["longer than its column", "to the edge of a character", "as long as its column"],
)
def test_of_a_rejected_line_as_much_is_kept_as_its_column_takes(threshold, line, kept):
    threshold(1.0)

    reading, _ = read_log(event(DAY), line)

    assert [reject.raw_line for reject in reading.rejects] == [kept]


def test_a_song_file_of_the_longest_document_is_read_to_its_end(monkeypatch):
    """A document of the maximum length is accepted, and a longer one is refused as a whole."""
    document = orjson.dumps(song())
    monkeypatch.setattr(contract, "MAX_LINE_BYTES", len(document) + 1)
    monkeypatch.setattr(lake, "ManyObjects", lambda *_: None)
    s3 = Lake(document + b"\n", NEXT_DAY)

    def read(*blocks: list[bytes]) -> source.Reading:
        monkeypatch.setattr(source, "_lines", lambda *_: iter(blocks))
        entry = (LakeObject("song_data/A/TR1.json", "e", 1, NEXT_DAY), "")
        (reading,) = source.read_documents("songs", s3, "lake", [entry], source.Pieces(s3, "work", "songs"))
        return reading

    assert not read([document]).refusal
    assert read([document], [b"{}"]).refusal.startswith("document: longer than")


@pytest.mark.finding("W5")
@pytest.mark.parametrize(
    ("loaded", "refused"), [("", False), ("e", False), ("other", True)], ids=["none", "this one", "another"]
)
@pytest.mark.parametrize("body", [b"", b"\n \r\n"], ids=["no byte", "blank lines"])
def test_an_empty_file_is_refused_if_another_version_of_it_is_loaded(
    threshold, monkeypatch, body, loaded, refused
):
    """Loading the empty file would delete the rows of that version."""
    threshold(1.0)
    monkeypatch.setattr(lake, "ManyObjects", lambda *_: None)
    s3 = Lake(body, NEXT_DAY)

    entry = (LakeObject("song_data/A/TR1.json", "e", 1, NEXT_DAY), loaded)
    (song_file,) = source.read_documents("songs", s3, "lake", [entry], source.Pieces(s3, "work", "songs"))
    log_file, _ = read_log(body.decode(), loaded=loaded)

    for reading in (song_file, log_file):
        assert ("it is empty, and a version of it is loaded" in reading.refusal) is refused
        assert bool(reading.refusal) is refused
