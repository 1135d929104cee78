"""Faults of files: absent, late, changed, empty, broken, odd by name or form, and very many."""

from __future__ import annotations

import gzip
import io
import itertools
import json
import os
import types
from datetime import UTC, datetime, timedelta

import botocore.exceptions
import pytest
from airflow.providers.common.compat.sdk import AirflowSkipException

from include.sparkify import chunks, contract, lake, source, validate
from include.sparkify.errors import ConfigurationError, DataError, TransientError
from include.sparkify.lake import LakeObject
from tests.world import event, lines, song

D1, D2, D3 = datetime(2018, 11, 1, 12), datetime(2018, 11, 2, 12), datetime(2018, 11, 3, 12)
NOVEMBER = ("2018-11-01", "2018-12-01")


def key(day: str, name: str = "events.json") -> str:
    return f"log_data/{day[:4]}/{day[5:7]}/{day}-{name}"


def items(world) -> list[int]:
    """item_in_session of every songplay: what identifies the lines of these tests."""
    return [item for (item,) in world.rows("select item_in_session from {s}.songplays order by 1")]


# The interval's file is missing ---------------------------------------------------------------------------


def test_a_day_whose_file_is_missing_is_skipped_and_keeps_its_rows(fresh):
    world = fresh()
    gone = world.log("2018-11-01", event(D1))
    world.load("2018-11-01", audited=False)
    before = world.state(*"songplays users time events".split())
    world.delete(gone)

    with pytest.raises(AirflowSkipException, match=r"no log file for 1 day\(s\).*2018-11-01"):
        world.load("2018-11-01", audited=False)

    assert world.state(*before) == before


def test_policy_warn_goes_on_with_the_songs_of_a_day_without_a_file(fresh, caplog):
    world = fresh(absent="warn")
    world.song(song("SO1"))

    world.load("2018-11-01")

    assert world.count("songs") == 1
    assert "no log file for 1 day(s)" in caplog.text


def test_policy_fail_stops_the_run_of_a_day_without_a_file(fresh):
    world = fresh(absent="fail")
    world.song(song("SO1"))

    with pytest.raises(DataError, match="2018-11-01.*Nothing was loaded.*run the interval again"):
        world.load("2018-11-01")

    assert world.count("songs") == 0


# It appears or changes later ------------------------------------------------------------------------------


def test_a_late_file_and_a_changed_one_are_found_by_the_next_scheduled_run(fresh):
    world = fresh()
    changed = world.log("2018-11-02", event(D2, item=1), event(D2, item=2))
    with pytest.raises(AirflowSkipException):
        world.load("2018-11-01", audited=False)
    world.load("2018-11-02", audited=False)
    late = world.log("2018-11-01", event(D1, item=3))
    world.log("2018-11-02", event(D2, item=2), event(D2, item=4))
    world.log("2018-11-03", event(D3, item=5))
    context = world.context("2018-11-03")

    world.stage(context)
    assert context["pushed"]["plan"]["files"] == 3
    world.load("2018-11-03", audited=False)

    assert items(world) == [2, 3, 4, 5]
    assert {late, changed} <= set(world.ledger())
    assert world.count("loaded_files", "kind = 'absent'") == 0


def test_a_file_that_changes_beyond_the_look_back_is_loaded_by_naming_its_interval(fresh):
    world = fresh()
    world.log("2018-11-01", event(D1, item=1))
    world.load("2018-11-01", audited=False)
    world.log("2018-11-01", event(D1, item=2))

    with pytest.raises(AirflowSkipException):
        world.load("2018-11-09", audited=False)
    assert items(world) == [1]

    world.load("2018-11-01", "2018-11-02", audited=False)
    assert items(world) == [2]


def test_a_song_that_hourly_runs_do_not_look_for_is_found_by_the_one_that_ends_the_day(fresh):
    world = fresh()
    world.log("2018-11-01", event(D1))
    world.song(song("SO1"))

    for hour, matched in ((12, [(None,)]), (23, [("SO1",)])):
        context = world.context("2018-11-01", run_id=f"scheduled__{hour}")
        start = datetime(2018, 11, 1, hour, tzinfo=UTC)
        context |= {"data_interval_start": start, "data_interval_end": start + timedelta(hours=1)}
        world.stage(context)
        finish(world, context)

        assert world.rows("select song_id from {s}.songplays") == matched


# Empty and blank ------------------------------------------------------------------------------------------


def test_empty_files_load_no_row_and_are_warned_about(fresh):
    world = fresh()
    empty = [
        world.put(key("2018-11-01"), b""),
        world.put(key("2018-11-02"), b"\n  \r\n\t\n"),
        world.put(key("2018-11-03"), b"\xef\xbb\xbf"),
        world.put(key("2018-11-04", "events.json.gz"), b""),
        world.put("song_data/A/A/A/TREMPTY.json", b""),
    ]
    ends_blank = world.put(key("2018-11-05"), lines(event(D1 + timedelta(days=4))) + b"\n\n \n")

    world.load(*NOVEMBER)

    assert world.count("events") == world.count("songplays") == 1
    assert world.ledger() == dict.fromkeys(empty, (0, 0, 0)) | {ends_blank: (1, 1, 0)}
    warned = world.warnings()["staging_files.files_have_lines"]
    assert sorted(json.loads(line)["source_key"] for line in warned.splitlines()) == sorted(empty)


def test_a_file_that_became_empty_takes_its_rows_away(fresh):
    world = fresh()
    world.log("2018-11-01", event(D1))
    world.load("2018-11-01")
    world.put(key("2018-11-01"), b"")

    world.load("2018-11-01")

    assert [world.count(table) for table in ("songplays", "users", "time", "events")] == [0, 0, 0, 0]


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"], ids=["no newline", "newline", "CRLF"])
def test_the_last_line_is_read_with_and_without_a_newline(end):
    assert [line.rstrip(b"\r") for line in read_lines(b'{"a": 1}\r\n{"b": 2}' + end)] == [
        b'{"a": 1}',
        b'{"b": 2}',
    ]


# Broken lines ---------------------------------------------------------------------------------------------


def test_a_broken_line_is_rejected_by_file_line_and_reason_and_the_rest_is_loaded(fresh):
    world = fresh(reject_threshold=0.5)
    whole = json.dumps(event(D1, item=9))
    file = world.log("2018-11-01", event(D1, item=1), '{"artist": oops}', event(D1, item=3), whole[:-20])

    world.load("2018-11-01")

    assert items(world) == [1, 3]
    (middle, last) = world.rejected()
    assert middle[:3] == (file, 2, "") and "not valid JSON" in middle[3]
    assert last[:3] == (file, 4, "") and "not valid JSON" in last[3]
    assert world.rows("select raw_line from {o}.rejected_lines order by line_number") == [
        ('{"artist": oops}',),
        (whole[:-20],),
    ]
    assert world.ledger() == {file: (4, 2, 2)}
    assert "staging_files.no_line_is_rejected" in world.warnings()


def test_over_the_threshold_nothing_is_published_and_a_corrected_file_mends_it(fresh):
    world = fresh()
    world.log("2018-11-01", event(D1, item=1))
    world.load("2018-11-01", audited=False)
    before = world.state()
    file = world.log("2018-11-02", *(event(D2, item=item) for item in range(49)), "oops")

    with pytest.raises(
        DataError, match=r"1 of 50 lines.*threshold 1.00%.*line 50.*not valid JSON.*refused_files"
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


def test_only_lines_that_are_one_object_are_accepted(fresh):
    """A JSON array; a pretty-printed object; two objects on one line."""
    world = fresh(reject_threshold=1.0)
    one, two = json.dumps(event(D1, item=7)), json.dumps(event(D1, item=8))
    file = world.log(
        "2018-11-01", event(D1, item=1), f"[{one}, {two}]", one + two, json.dumps(event(D1), indent=1)
    )

    world.load("2018-11-01")

    assert items(world) == [1]
    reasons = {number: reason for _, number, _, reason in world.rejected()}
    assert reasons[2] == "a JSON object expected, not an array"
    assert "not valid JSON" in reasons[3]
    pretty = len(json.dumps(event(D1), indent=1).splitlines())
    assert sorted(reasons) == list(range(2, 4 + pretty))
    assert world.ledger() == {file: (3 + pretty, 1, 2 + pretty)}


def test_a_song_file_is_one_object_in_any_layout(fresh):
    """A JSON array; a pretty-printed object; two objects on one line."""
    world = fresh(reject_threshold=1.0, absent="warn")
    pretty = world.put("song_data/A/A/A/TR1.json", json.dumps(song("SO1"), indent=2).encode())
    array = world.put("song_data/A/A/A/TR2.json", json.dumps([song("SO2")]).encode())
    two = world.put("song_data/A/A/A/TR3.json", (json.dumps(song("SO3")) * 2).encode())

    with pytest.raises(DataError, match="everything else is loaded, but 2 files are refused"):
        world.load(*NOVEMBER)

    assert world.rows("select song_id from {s}.songs") == [("SO1",)]
    assert [(key, number) for key, number, *_ in world.rejected()] == [(array, 1), (two, 1)]
    assert world.ledger() == {pretty: (1, 1, 0)}
    assert world.rows("select source_key, kind from {o}.refused_files order by 1") == [
        (array, "songs"),
        (two, "songs"),
    ]


def test_odd_bytes_are_cleaned_or_rejected(fresh):
    """BOM, CRLF, NUL, invalid UTF-8."""
    world = fresh(reject_threshold=1.0)
    good = [json.dumps(event(D1, item=item)).encode() for item in range(4)]
    bad = [
        good[2].replace(b"Springfield", b"Spring\x00field"),
        good[2].replace(b"Springfield", b"Spring\\u0000field"),
        good[2].replace(b"Springfield", b"Spring\xe9field"),
        good[2].replace(b"Springfield", b"Spring\\ud83dfield"),
        good[2].replace(b'"auth"', b'"a\\u0000uth"'),
    ]
    file = world.put(key("2018-11-01"), b"\xef\xbb\xbf" + b"\r\n".join([*good[:2], *bad, good[3]]) + b"\r\n")

    world.load("2018-11-01")

    assert items(world) == [0, 1, 3]
    assert [(key, number) for key, number, *_ in world.rejected()] == [
        (file, number) for number in range(3, 8)
    ]
    raw = [raw for (raw,) in world.rows("select raw_line from {o}.rejected_lines order by line_number")]
    assert "Spring\\u0000field" in raw[0] and "Spring\ufffdfield" in raw[2]


# Packed ---------------------------------------------------------------------------------------------------


def test_packed_files_are_loaded(fresh):
    world = fresh()
    world.put(key("2018-11-01", "events.json.gz"), gzip.compress(lines(event(D1, item=1), event(D1, item=2))))
    world.put("song_data/A/A/A/TR1.json.gz", gzip.compress(json.dumps(song("SO1")).encode()))

    world.load("2018-11-01")

    assert items(world) == [1, 2]
    assert world.count("songplays", "song_id = 'SO1'") == 2


PACKED = gzip.compress(lines(*(event(D1, item=item) for item in range(200))))


@pytest.mark.parametrize(
    ("name", "body", "message"),
    [
        ("events.json", PACKED, "the file is gzip but its name says otherwise"),
        ("events.json.gz", lines(event(D1)), "the file is not gzip but its name says otherwise"),
        (
            "events.json.gz",
            PACKED[: len(PACKED) // 2],
            r"the file is corrupt after line \d+.*delivered again",
        ),
        ("events.json.gz", PACKED[:-4] + b"\0\0\0\0", "the file is corrupt after line"),
        ("events.json.gz", PACKED + b"rubbish", "the file is corrupt after line"),
    ],
    ids=["gzip without the name", "the name without gzip", "half of it", "wrong length", "rubbish behind it"],
)
def test_a_file_that_cannot_be_unpacked_is_named(fresh, name, body, message):
    """gz with the wrong name; half a gz."""
    world = fresh()
    broken = world.put(key("2018-11-01", name), body)

    with pytest.raises(DataError, match=f"(?s){broken}: {message}"):
        world.load("2018-11-01")

    assert world.count("loaded_files") == world.count("events") == 0
    assert world.count("refused_files") == 1


# Names ----------------------------------------------------------------------------------------------------


def test_keys_with_any_character_are_loaded(fresh):
    """Key names with spaces, `+`, `%`, quotes, non-ASCII."""
    world = fresh()
    names = [
        "a b",
        "a+b",
        "a%20b",
        "%s",
        "it's",
        'say "hi"',
        "Ünïcödé 🎵",
        "';drop table x;--",
        "{{ oops }}",
        "a\\b",
        "a&b?c#d",
    ]
    logs = [
        world.put(key("2018-11-01", f"{name}.json"), lines(event(D1, item=item)))
        for item, name in enumerate(names)
    ]
    songs = [world.song(song(f"SO{item}"), f"song_data/{name}/TR.json") for item, name in enumerate(names)]

    world.load("2018-11-01")

    assert items(world) == list(range(len(names)))
    assert set(world.ledger()) == {*logs, *songs}
    assert {key for (key,) in world.rows("select distinct source_key from {s}.events")} == set(logs)
    with pytest.raises(AirflowSkipException, match="nothing is new"):
        world.load("2018-11-01")


# Overtaken ------------------------------------------------------------------------------------------------


def overtaken(world, context, change) -> None:
    """Stage a run; ``change`` happens between its plan and its reading."""
    planned = world.plan(context)
    change()
    world.validate(context, planned)
    world.open_run(context)
    world.copy(context)


def finish(world, context) -> None:
    world.build(context)
    world.pass_all(context)
    world.check_complete(context, world.publish(context))


def test_a_file_replaced_after_the_listing_is_loaded_whole_at_its_new_version(fresh):
    world = fresh()
    world.log("2018-11-01", event(D1, item=1))
    world.log("2018-11-02", event(D2, item=2))
    context = world.context(*NOVEMBER)
    overtaken(world, context, lambda: world.log("2018-11-02", event(D2, item=3), event(D2, item=4)))
    finish(world, context)

    assert items(world) == [1, 3, 4]
    with pytest.raises(AirflowSkipException, match="nothing is new"):
        world.load(*NOVEMBER)


def test_a_file_deleted_after_the_listing_is_no_failure(fresh):
    world = fresh()
    kept = world.log("2018-11-01", event(D1, item=1))
    gone = world.log("2018-11-02", event(D2, item=2))
    song_gone = world.song(song("SO1"))
    context = world.context(*NOVEMBER)
    overtaken(world, context, lambda: [world.delete(key) for key in (gone, song_gone)])
    finish(world, context)

    assert items(world) == [1]
    assert set(world.ledger()) == {kept}


def test_every_file_deleted_after_the_listing_fails_and_says_so(fresh):
    world = fresh()
    gone = world.log("2018-11-01", event(D1))
    with pytest.raises(DataError, match="every file of the run was deleted.*run the interval again"):
        overtaken(world, world.context("2018-11-01"), lambda: world.delete(gone))


def test_a_file_replaced_after_it_was_read_is_loaded_as_it_was_then_found_again(fresh):
    world = fresh()
    file = world.log("2018-11-01", event(D1, item=1))
    context = world.context("2018-11-01")
    world.stage(context)
    world.log("2018-11-01", event(D1, item=2))
    finish(world, context)
    assert items(world) == [1]

    world.load("2018-11-01", audited=False)
    assert items(world) == [2]
    assert set(world.ledger()) == {file}


def test_a_piece_that_is_gone_fails_the_copy(fresh):
    """The manifest says mandatory: what was validated is loaded whole or not at all."""
    world = fresh()
    world.log("2018-11-01", event(D1))
    context = world.context("2018-11-01")
    world.validate(context, world.plan(context))
    world.open_run(context)
    (chunk,) = context["pushed"]["validate"]
    for address in chunk["pieces"]["staging_events"]:
        world.s3.delete_object(Bucket=world.work, Key=address.split("/", 3)[3])
    with pytest.raises(Exception, match="(?i)specified key does not exist|NoSuchKey|not found"):
        world.copy(context)


# Very many ------------------------------------------------------------------------------------------------


def test_many_files_are_one_copy_a_table(fresh, monkeypatch):
    """14,896 tiny song files; 1,200 files in a day: here 20 and 20, in pieces of 2 kB."""
    world = fresh()
    monkeypatch.setattr(source, "PIECE_BYTES", 2000)
    for item in range(20):
        world.put(key("2018-11-01", f"{item:04}.json"), lines(event(D1, item=item)))
    for number in range(20):
        world.song(song(f"SO{number}", f"T{number}", artist_id=f"AR{number}"))
    context = world.context("2018-11-01")

    world.stage(context)

    (chunk,) = context["pushed"]["validate"]
    assert context["pushed"]["plan"]["files"] == chunk["files"] == 40
    assert 1 < len(chunk["pieces"]["staging_events"]) < 20
    assert 1 < len(chunk["pieces"]["staging_songs"]) < 20
    finish(world, context)
    assert items(world) == list(range(20))
    assert world.count("songs") == 20


def test_a_large_load_is_validated_in_chunks(fresh, monkeypatch):
    world = fresh()
    monkeypatch.setattr(chunks, "CHUNK_FILES", 3)
    for item in range(7):
        world.put(key("2018-11-01", f"{item:04}.json"), lines(event(D1, item=item)))
    world.song(song())
    context = world.context("2018-11-01")
    planned = world.plan(context)
    assert len(planned) == 3
    world.validate(context, planned)
    assert [chunk["files"] for chunk in context["pushed"]["validate"]] == [3, 3, 2]
    world.open_run(context)
    world.copy(context)
    finish(world, context)

    assert items(world) == list(range(7))
    assert world.count("songplays", "song_id = 'SO1'") == 7


class ManyObjects:
    """An S3 with any number of objects of one content."""

    def __init__(self, body: bytes) -> None:
        self.body, self.opened, self.put = body, 0, []

    def get_object(self, **_):
        self.opened += 1
        now = datetime.now(UTC)
        return {
            "Body": io.BytesIO(self.body),
            "ETag": '"e"',
            "ContentLength": len(self.body),
            "LastModified": now,
        }

    def put_object(self, Body, **_):
        self.put.append(len(Body.read()) if hasattr(Body, "read") else len(Body))


def objects(kind: str, number: int) -> list[tuple[str, str, int, str, str | None, str]]:
    """Entries of a chunk."""
    day = D1.date().isoformat() if kind == "log_data" else None
    return [(f"{kind}/2018-11-01-{n}.json", "etag", 1, D1.isoformat(), day, "") for n in range(number)]


def test_14896_song_files_are_read_a_few_at_a_time():
    s3 = ManyObjects(json.dumps(song("SO1")).encode())
    pieces = source.Pieces(s3, "work", "songs")
    most_ahead = 0

    for read, _ in enumerate(source.read_song_files(s3, "lake", objects("song_data", 14_896), pieces), 1):
        most_ahead = max(most_ahead, s3.opened - read)
    pieces.close()

    assert read == 14_896
    assert most_ahead < source.READERS * 8
    assert len(s3.put) == 1


def test_1200_log_files_of_a_day_are_read_one_after_the_other(fresh):
    fresh()
    s3 = ManyObjects(lines(event(D1)))
    pieces = source.Pieces(s3, "work", "events")

    reading = source.read_log_files(s3, "lake", objects("log_data", 1_200), pieces)
    for read, found in enumerate(reading, 1):
        assert s3.opened == read
        assert (found.file.accepted, found.rejects) == (1, [])
    pieces.close()

    assert read == 1_200
    assert len(s3.put) == 1


def test_a_song_file_of_any_length_is_one_reject_and_does_not_fill_memory(monkeypatch):
    monkeypatch.setattr(contract, "MAX_LINE_BYTES", 100)
    monkeypatch.setattr(source, "_lines", lambda *_: itertools.repeat([b"x" * 10]))  # no end
    s3 = ManyObjects(b"x")

    (reading,) = source.read_song_files(
        s3, "lake", objects("song_data", 1), source.Pieces(s3, "work", "songs")
    )

    assert (reading.file.lines, reading.file.rejected) == (1, 1)
    assert reading.rejects[0].reason.startswith("longer than 100 bytes")


def test_of_very_many_broken_files_at_least_one_line_each_is_kept(fresh, monkeypatch):
    world = fresh()
    monkeypatch.setattr(validate, "KEPT_PER_TASK", 2)
    broken = [world.log("2018-11-01", "oops", "oops", name=name) for name in "abc"]

    with pytest.raises(DataError, match="nothing was published. 3 files are refused"):
        world.load("2018-11-01")

    assert [key for key, *_ in world.rejected()] == [broken[0], *broken]


# The second client, for small objects -----------------------------------------------------------------------


@pytest.fixture
def by_boto3(monkeypatch):
    """The keys that boto3 reads."""
    keys, get = [], lake._get
    monkeypatch.setattr(lake, "_get", lambda s3, bucket, key: (keys.append(key), get(s3, bucket, key))[1])
    return keys


def read_small(world, *keys: str) -> list[bytes]:
    """Return what the objects hold; the second client reads what it can."""
    s3 = lake.client()
    small, found = lake.SmallObjects(s3, world.lake), []
    for name in keys:
        item = LakeObject(name, "etag", 1, D1)
        with lake.open_object(s3, world.lake, item, small) as (opened, stream):
            assert opened.etag == lake.find_etag(s3, world.lake, name)
            assert abs(opened.last_modified - datetime.now(UTC).replace(tzinfo=None)) < timedelta(hours=1)
            found.append(stream.read())
            assert opened.size == len(found[-1])
    return found


def test_song_files_are_read_by_the_client_for_small_objects(fresh, by_boto3):
    world = fresh(absent="warn")
    packed = gzip.compress(json.dumps(song("SO1")).encode())
    world.put("song_data/A/TR1.json.gz", packed)
    world.song(song("SO2"))

    world.load(*NOVEMBER)

    assert world.count("songs") == 2
    assert by_boto3 == []


def test_a_key_that_the_second_client_cannot_name_is_read_by_boto3(fresh, by_boto3):
    world = fresh()
    odd = [world.put(f"song_data/{name}.json", name.encode()) for name in ("a//b", "./a", "a/../b")]
    plain = world.put("song_data/a%2Fb c.json", b"plain")

    assert read_small(world, *odd, plain) == [b"a//b", b"./a", b"a/../b", b"plain"]
    assert by_boto3 == odd


def test_an_object_that_grew_is_streamed_by_boto3(fresh, by_boto3):
    world = fresh()
    grown = world.put("song_data/a.json", b"x" * (lake.SMALL_BYTES + 1))

    assert [len(body) for body in read_small(world, grown)] == [lake.SMALL_BYTES + 1]
    assert by_boto3 == [grown]


def test_without_the_second_client_boto3_reads_everything(fresh, by_boto3, monkeypatch, caplog):
    import obstore

    def refuse(*_):
        raise obstore.exceptions.GenericError("no route")

    world = fresh()
    keys = [world.put(f"song_data/{number}.json", b"x") for number in range(3)]
    monkeypatch.setattr(obstore, "get", refuse)

    assert read_small(world, *keys) == [b"x"] * 3
    assert by_boto3 == keys
    # It is asked once.
    assert caplog.text.count("boto3 reads the small objects, too: no route") == 1


def test_the_second_client_assumes_the_role_of_the_connection(fresh, by_boto3, monkeypatch):
    world = fresh()
    file = world.put("song_data/a.json", b"x")
    connection = json.loads(os.environ["AIRFLOW_CONN_AWS_DEFAULT"])
    connection["extra"] |= {
        "role_arn": "arn:aws:iam::123456789012:role/reader",
        "service_config": {"sts": {"endpoint_url": connection["extra"]["endpoint_url"]}},
    }
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(connection))

    assert read_small(world, file) == [b"x"]
    assert by_boto3 == []
    credentials = lake.SmallObjects(lake.client(), world.lake)._store.credential_provider()
    assert credentials["access_key_id"].startswith("ASIA") and credentials["token"]


def test_a_connection_without_credentials_is_boto3s_to_refuse(fresh, monkeypatch):
    world = fresh()
    file = world.put("song_data/a.json", b"x")
    monkeypatch.setattr("obstore.auth.boto3.Boto3CredentialProvider", lambda _: 1 / 0)

    assert read_small(world, file) == [b"x"]


# S3 that does not answer -----------------------------------------------------------------------------------


class Breaking(io.RawIOBase):
    """A body that gives a few bytes, then an error."""

    def __init__(self, error: Exception) -> None:
        self.error, self.given = error, False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer):
        if self.given:
            raise self.error
        self.given = True
        buffer[:4] = b"{}\n{"
        return 4


def read_lines(body):
    """The lines of a file with this content, or with this stream as its content."""
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


@pytest.mark.parametrize(
    "error",
    [
        ConnectionResetError("reset"),
        botocore.exceptions.ReadTimeoutError(endpoint_url="http://s3"),
        botocore.exceptions.ResponseStreamingError(error="broken"),
        botocore.exceptions.IncompleteReadError(actual_bytes=4, expected_bytes=10),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_link_lost_while_a_file_is_read_is_transient(error):
    with pytest.raises(TransientError, match="lost s3://lake/log_data.* after line 1"):
        read_lines(Breaking(error))


@pytest.mark.parametrize(
    ("code", "kind", "hint"),
    [
        ("NoSuchBucket", ConfigurationError, "fix source_bucket or work_bucket"),
        ("AccessDenied", ConfigurationError, "the role of the workers is not allowed to do this"),
        ("PermanentRedirect", ConfigurationError, "the bucket is in another region: fix region_name"),
        (
            "InvalidAccessKeyId",
            ConfigurationError,
            "connection aws_default has a key that AWS does not know",
        ),
        ("SlowDown", TransientError, "SlowDown"),
        ("InternalError", TransientError, "InternalError"),
    ],
)
def test_what_s3_refuses_is_never_taken_for_an_absent_file(code, kind, hint):
    def refuse(**_):
        raise botocore.exceptions.ClientError({"Error": {"Code": code, "Message": "no"}}, "operation")

    s3 = types.SimpleNamespace(
        get_paginator=lambda _: types.SimpleNamespace(paginate=refuse), get_object=refuse, put_object=refuse
    )
    item = LakeObject("log_data/1.json", "etag", 1, D1)

    def read():
        with lake.open_object(s3, "lake", item):
            pass

    for doing, action in {
        "list s3://lake/log_data/": lambda: list(lake.list_objects(s3, "lake", "log_data/")),
        "(read|list) s3://lake/log_data/1.json": read,
        "write s3://lake/key": lambda: lake.put(s3, "lake", "key", b""),
    }.items():
        with pytest.raises(kind, match=f"could not {doing}: .*{hint}"):
            action()


def test_a_line_longer_than_copy_takes_is_one_reject_and_does_not_fill_memory(monkeypatch):
    monkeypatch.setattr(contract, "MAX_LINE_BYTES", 100)

    monkeypatch.setattr(source, "BLOCK_BYTES", 10)

    short, long, last = read_lines(b"{}\n" + b"x" * 1000 + b"\n{}")

    assert (short, last) == (b"{}", b"{}")
    assert 100 < len(long) < 120
