"""Test faults of lines: no lines, blank, invalid or too long lines, unusual bytes."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest
from airflow.providers.common.compat.sdk import AirflowSkipException

from include.sparkify.errors import DataError
from include.sparkify.files import contract, source
from tests.world import event, lines, log_key, song

D1, D2 = datetime(2018, 11, 1, 12), datetime(2018, 11, 2, 12)
NOVEMBER = ("2018-11-01", "2018-12-01")


# Empty and blank ------------------------------------------------------------------------------------------


def test_empty_files_load_no_row_and_are_warned_about(fresh):
    world = fresh()
    empty = [
        world.put(log_key("2018-11-01"), b""),
        world.put(log_key("2018-11-02"), b"\n  \r\n\t\n"),
        world.put(log_key("2018-11-03"), b"\xef\xbb\xbf"),
        world.put(log_key("2018-11-04", "events.json.gz"), b""),
        world.put("song_data/A/A/A/TREMPTY.json", b""),
    ]
    ends_blank = world.put(log_key("2018-11-05"), lines(event(D1 + timedelta(days=4))) + b"\n\n \n")

    world.load(*NOVEMBER)

    assert world.count("events") == world.count("songplays") == 1
    assert world.ledger() == dict.fromkeys(empty, (0, 0, 0)) | {ends_blank: (1, 1, 0)}
    warned = world.warnings()["staging_files.files_have_lines"]
    assert sorted(json.loads(line)["source_key"] for line in warned.splitlines()) == sorted(empty)


def test_a_byte_order_mark_is_removed_only_where_the_file_begins(read_lines, monkeypatch):
    monkeypatch.setattr(source, "BLOCK_BYTES", 3)
    mark = b"\xef\xbb\xbf"

    assert list(read_lines(mark + b"{}\n" + mark + b"{}\n" + mark)) == [b"{}", mark + b"{}", mark]
    assert list(read_lines(mark)) == [b""]


# Broken lines ---------------------------------------------------------------------------------------------


def test_a_broken_line_is_rejected_by_file_line_and_reason_and_the_rest_is_loaded(fresh):
    world = fresh(reject_threshold=0.5)
    whole = json.dumps(event(D1, item=9))
    file = world.log("2018-11-01", event(D1, item=1), '{"artist": oops}', event(D1, item=3), whole[:-20])

    world.load("2018-11-01")

    assert world.items() == [1, 3]
    (middle, last) = world.rejected()
    assert middle[:3] == (file, 2, "") and "not valid JSON" in middle[3]
    assert last[:3] == (file, 4, "") and "not valid JSON" in last[3]
    assert world.rows("select raw_line from {o}.rejected_lines order by line_number") == [
        ('{"artist": oops}',),
        (whole[:-20],),
    ]
    assert world.ledger() == {file: (4, 2, 2)}
    assert "staging_files.no_line_is_rejected" in world.warnings()


def test_over_the_threshold_nothing_is_published_until_the_file_is_corrected(fresh):
    world = fresh()
    world.log("2018-11-01", event(D1, item=1))
    world.load("2018-11-01", audited=False)
    before = world.state()
    file = world.log("2018-11-02", *(event(D2, item=item) for item in range(49)), "oops")

    with pytest.raises(
        DataError, match=r"1 of 50 lines.*threshold 1.00%.*line 50, whole line: not valid JSON.*refused_files"
    ):
        world.load("2018-11-02", audited=False)
    assert world.state() == before
    assert [row[:2] for row in world.rejected()] == [(file, 50)]

    world.log("2018-11-02", *(event(D2, item=item) for item in range(50)))
    world.load("2018-11-02", audited=False)
    assert world.count("songplays") == 51
    assert world.rejected() == []


def test_a_file_without_one_good_line_is_refused_whatever_its_share(fresh):
    world = fresh(reject_threshold=0.5)
    world.log("2018-11-01", *(event(D1, item=item) for item in range(9)))
    bad = world.log("2018-11-02", "oops")

    with pytest.raises(DataError, match=f"{bad}: none of its 1 lines was accepted"):
        world.load(*NOVEMBER)

    # The other day is loaded.
    assert world.count("songplays") == 9


def planned(world, *what: str, **how) -> dict:
    context = world.context(*what, **how)
    world.plan(context)
    return context["pushed"]["plan", "plan"]


def test_a_refused_file_is_read_again_only_if_it_is_asked_for(fresh):
    world = fresh()
    world.log("2018-11-01", event(D1, item=1))
    bad = world.log("2018-11-02", event(D2, item=2), "oops")
    with pytest.raises(DataError, match="all other files are loaded"):
        world.load(*NOVEMBER, audited=False)

    # It stops a run of its day before anything is read, but no run of another day.
    with pytest.raises(DataError, match=f"nothing was published. 1 file is refused: {bad}"):
        world.plan(world.context(*NOVEMBER))
    world.log("2018-11-03", event(D2 + timedelta(days=1), item=3))
    world.load("2018-11-03", audited=False)
    assert world.items() == [1, 3]

    assert planned(world, *NOVEMBER, mode="reload")["files"] == 3
    fresh(reject_threshold=0.5)
    world.load(*NOVEMBER, mode="replay", audited=False)
    assert world.items() == [1, 2, 3]


def test_a_run_with_nothing_new_does_not_say_that_a_refused_file_is_loaded(fresh):
    world = fresh(reject_threshold=0.4)
    world.log("2018-11-01", event(D1, item=1), "oops")
    world.song(song())
    world.song(song("SO2"))
    world.put("song_data/broken.json", b"oops")
    with pytest.raises(DataError, match="2 files are refused"):
        world.load("2018-11-01", audited=False)
    world.log("2018-11-02", event(D2, item=2))
    world.load("2018-11-02", audited=False)

    with pytest.raises(AirflowSkipException, match="is loaded, except for 2 refused files: .*refused_files"):
        world.plan(world.context("2018-11-02"))


def test_a_replay_reads_refused_files_and_those_with_rejected_lines(fresh):
    world = fresh(reject_threshold=0.5)
    world.song(song("SO1"))
    refused_song = world.put("song_data/A/BAD.json", b"[]")
    world.log("2018-11-01", event(D1, item=1))
    rejected = world.log("2018-11-02", event(D2, item=2), "oops")
    with pytest.raises(DataError, match="all other files are loaded"):
        world.load("2018-11-01", "2018-11-03", audited=False)

    context = world.context(*NOVEMBER, mode="replay")
    chunk = json.loads(world.s3.get_object(Bucket=world.work, Key=world.plan(context)[0])["Body"].read())

    assert {kind: [file["key"] for file, _ in files] for kind, files in chunk["files"].items()} == {
        "events": [rejected],
        "songs": [refused_song],
    }
    assert planned(world, "2018-11-01", "2018-11-02", mode="replay")["files"] == 1


@pytest.mark.finding("R1")
def test_a_replay_that_fails_before_it_publishes_reads_the_same_files_again(fresh, monkeypatch):
    world = fresh(reject_threshold=0.5)
    early = event(datetime.now() + timedelta(days=3), item=3)
    world.log("2018-11-01", early)
    world.log("2018-11-02", event(D2, item=2), early | {"itemInSession": 4})
    with pytest.raises(DataError, match="all other files are loaded"):
        world.load(*NOVEMBER, audited=False)
    assert (world.items(), len(world.rejected())) == ([2], 2)
    # This fixes the contract.
    monkeypatch.setattr(source, "CLOCK_SKEW", source.CLOCK_SKEW * 9)
    context = world.context(mode="replay")
    world.stage(context)

    # `plan` is cleared with everything downstream.
    world.load(context=context, audited=False)

    assert sorted(world.items()) == [2, 3, 4]
    assert (world.count("refused_files"), world.rejected()) == (0, [])


def test_odd_bytes_are_cleaned_or_rejected(fresh):
    """The file has a BOM, CRLF, NUL, invalid UTF-8 and half a surrogate pair."""
    world = fresh(reject_threshold=1.0)
    good = [json.dumps(event(D1, item=item)).encode() for item in range(4)]
    bad = [
        good[2].replace(b"Springfield", b"Spring\x00field"),
        good[2].replace(b"Springfield", b"Spring\\u0000field"),
        good[2].replace(b"Springfield", b"Spring\xe9field"),
        good[2].replace(b"Springfield", b"Spring\\ud83dfield"),
    ]
    # This line has an unknown field, and a known field is missing.
    named = good[2].replace(b'"auth"', b'"a\\u0000uth"')
    file = world.put(
        log_key("2018-11-01"), b"\xef\xbb\xbf" + b"\r\n".join([*good[:2], *bad, named, good[3]]) + b"\r\n"
    )

    world.load("2018-11-01")

    assert world.items() == [0, 1, 2, 3]
    assert [(key, number) for key, number, *_ in world.rejected()] == [
        (file, number) for number in range(3, 7)
    ]
    raw = [raw for (raw,) in world.rows("select raw_line from {o}.rejected_lines order by line_number")]
    assert "Spring\\u0000field" in raw[0] and "Spring\ufffdfield" in raw[2]


def test_a_line_longer_than_copy_takes_is_one_reject_and_does_not_fill_memory(read_lines, monkeypatch):
    monkeypatch.setattr(contract, "MAX_LINE_BYTES", 100)

    monkeypatch.setattr(source, "BLOCK_BYTES", 10)

    short, long, last = read_lines(b"{}\n" + b"x" * 1000 + b"\n{}")

    assert (short, last) == (b"{}", b"{}")
    assert 100 < len(long) < 120


@pytest.mark.parametrize(("end", "is_too_long"), [(b"\r", False), (b"\ry", True)])
def test_a_line_of_the_greatest_length_is_read_and_no_longer_one_is_taken_for_it(
    read_lines, monkeypatch, end, is_too_long
):
    monkeypatch.setattr(contract, "MAX_LINE_BYTES", 100)
    monkeypatch.setattr(source, "BLOCK_BYTES", 10)
    # The line ends where a block does.
    before = b" " * (109 - 100 - len(end))

    _, line, _ = read_lines(before + b"\n" + b"x" * 100 + end + b"\n{}")

    assert (len(line.rstrip(b"\r")) > 100) is is_too_long
