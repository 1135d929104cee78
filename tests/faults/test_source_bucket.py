"""Test faults of the source bucket: very many objects, a client that cannot read them, an S3 that does not respond."""

from __future__ import annotations

import gzip
import io
import itertools
import json
import os
import types
from datetime import UTC, datetime, timedelta

import botocore.exceptions
import orjson
import pytest
from airflow.providers.common.compat.sdk import AirflowSkipException

from include.sparkify.errors import ConfigurationError, DataError, TransientError
from include.sparkify.files import contract, lake, source
from include.sparkify.files.lake import LakeObject
from include.sparkify.redshift import ledger
from include.sparkify.tasks import plan, validate
from tests.world import event, lines, log_key, song

D1 = datetime(2018, 11, 1, 12)
NOVEMBER = ("2018-11-01", "2018-12-01")


# Very many ------------------------------------------------------------------------------------------------


def test_many_files_are_one_copy_per_table(fresh, monkeypatch):
    """20 files each represent 14,896 tiny song files and for 1,200 log files of a day, in pieces of 2 kB."""
    world = fresh()
    monkeypatch.setattr(source, "PIECE_BYTES", 2000)
    for item in range(20):
        world.put(log_key("2018-11-01", f"{item:04}.json"), lines(event(D1, item=item)))
    for number in range(20):
        world.song(song(f"SO{number}", f"T{number}", artist_id=f"AR{number}"))
    context = world.context("2018-11-01")

    world.stage(context)

    (chunk,) = context["pushed"]["validate", "return_value"]
    assert context["pushed"]["plan", "plan"]["files"] == chunk["files"] == 40
    assert 1 < len(chunk["pieces"]["staging_events"]) < 20
    assert 1 < len(chunk["pieces"]["staging_songs"]) < 20
    world.finish(context)
    assert world.items() == list(range(20))
    assert world.count("songs") == 20


class ManyObjects:
    """An S3 client with any number of objects that have the same content."""

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


def objects(kind: str, number: int) -> list[source.Listed]:
    """Return ``number`` files of a chunk."""
    day = D1.date() if kind == "log_data" else None
    return [(LakeObject(f"{kind}/2018-11-01-{n}.json", "etag", 1, D1, day), "") for n in range(number)]


def test_14896_song_files_are_read_a_few_at_a_time(monkeypatch):
    monkeypatch.setattr(lake, "ManyObjects", lambda *_: None)
    s3 = ManyObjects(json.dumps(song("SO1")).encode())
    pieces = source.Pieces(s3, "work", "songs")
    most_ahead = 0

    for read, _ in enumerate(
        source.read_documents("songs", s3, "lake", objects("song_data", 14_896), pieces), 1
    ):
        most_ahead = max(most_ahead, s3.opened - read)
    pieces.close()

    assert read == 14_896
    assert most_ahead < source.READERS * 8
    assert len(s3.put) == 1


def test_1200_log_files_of_a_day_are_read_one_after_the_other(fresh):
    fresh()
    s3 = ManyObjects(lines(event(D1)))
    pieces = source.Pieces(s3, "work", "events")

    reading = source.read_daily_files("events", s3, "lake", objects("log_data", 1_200), pieces)
    for read, found in enumerate(reading, 1):
        assert s3.opened == read
        assert (found.file.accepted, found.rejects) == (1, [])
    pieces.close()

    assert read == 1_200
    assert len(s3.put) == 1


def test_a_song_file_of_any_length_is_one_reject_and_does_not_fill_memory(monkeypatch):
    monkeypatch.setattr(contract, "MAX_LINE_BYTES", 100)
    monkeypatch.setattr(source, "_lines", lambda *_: itertools.repeat([b"x" * 10]))  # an endless file
    monkeypatch.setattr(lake, "ManyObjects", lambda *_: None)
    s3 = ManyObjects(b"x")

    (reading,) = source.read_documents(
        "songs", s3, "lake", objects("song_data", 1), source.Pieces(s3, "work", "songs")
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


# The second client, for small objects ---------------------------------------------------------------------


@pytest.fixture
def by_boto3(monkeypatch):
    """Return the keys that boto3 reads."""
    keys, get = [], lake._get
    monkeypatch.setattr(lake, "_get", lambda s3, bucket, key: (keys.append(key), get(s3, bucket, key))[1])
    return keys


def read_small(world, *keys: str) -> list[bytes]:
    """Return the content of the objects. The second client reads the objects that it can read."""
    s3 = lake.client()
    small, found = lake.ManyObjects(s3, world.lake), []
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
    # The second client is tried only once.
    assert caplog.text.count("using boto3 to read small objects: no route") == 1


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
    credentials = lake.ManyObjects(lake.client(), world.lake)._store.credential_provider()
    assert credentials["access_key_id"].startswith("ASIA") and credentials["token"]
    # botocore renews them ten minutes before they expire. If a client kept them longer, S3 would refuse its requests
    # during a task.
    assert credentials["expires_at"] < datetime.now(UTC) + timedelta(minutes=10)


ODD = (
    "",
    "A/",
    "A.json",
    "A/a.json",
    "A/empty.json",
    "B/a b.json",
    "B/a%20b.json",
    "B/x#?.json",
    "Bü.json",
    "￮.json",
)
UNNAMEABLE = ("B//a.json", "B/../a.json", "B/./a.json")


@pytest.mark.parametrize("more", [(), UNNAMEABLE], ids=["keys that it can name", "keys that it cannot"])
@pytest.mark.parametrize("after", ["", "song_data/A/a.json", "a", "z"])
def test_both_clients_list_the_same(fresh, more, after):
    """Folder markers are left out, and boto3 lists the keys that the second client cannot name."""
    world = fresh()
    s3 = lake.client()
    for name in (*ODD, *more):
        s3.put_object(
            Bucket=world.lake,
            Key=f"song_data/{name}",
            Body=b"" if "empty" in name or name[-1:] in "/" else b"x",
        )
    world.put("song_data2/a.json", b"x")

    found = list(lake.ManyObjects(s3, world.lake).list_objects("song_data/", after))

    assert found == list(lake.list_objects(s3, world.lake, "song_data/", after))
    assert all(item.last_modified.microsecond == 0 for item in found)
    if after < "song_data":
        assert len(found) == len(ODD) - 2 + len(more)


def test_song_files_are_listed_by_the_second_client_and_the_end_is_confirmed_by_boto3(fresh, monkeypatch):
    world = fresh()
    s3 = lake.client()
    keys = [world.put(f"song_data/{number}.json", b"x") for number in range(5)]
    asked = []
    monkeypatch.setattr(lake, "list_objects", lambda *given: asked.append(given[2:]) or iter(()))

    assert [item.key for item in lake.ManyObjects(s3, world.lake).list_objects("song_data/")] == keys
    assert asked == [("song_data/", keys[-1])]


@pytest.mark.parametrize(
    ("more", "both"),
    [
        ({"verify": True}, True),
        ({"verify": False}, False),
        ({"verify": "/certificates/of-the-company.pem"}, False),
        ({"config_kwargs": {"proxies": {"https": "http://proxy:8080"}}}, False),
    ],
    ids=["verify", "do not verify", "another certificate authority", "proxy"],
)
def test_a_connection_that_names_a_proxy_or_certificates_is_only_for_boto3(fresh, monkeypatch, more, both):
    world = fresh()
    connection = json.loads(os.environ["AIRFLOW_CONN_AWS_DEFAULT"])
    config = connection["extra"].get("config_kwargs", {}) | more.get("config_kwargs", {})
    connection["extra"] |= more | {"config_kwargs": config}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(connection))

    assert (lake.ManyObjects(lake.client(), world.lake)._store is not None) is both


def test_boto3_goes_on_where_the_second_client_stops(fresh, monkeypatch):
    import obstore

    def two_pages(*_, **__):
        yield pages[0]
        raise obstore.exceptions.GenericError("reset")

    world = fresh()
    s3 = lake.client()
    keys = [world.put(f"song_data/{number}.json", b"x") for number in range(5)]
    pages = list(obstore.list(lake.ManyObjects(s3, world.lake)._store, "song_data/", chunk_size=2))
    monkeypatch.setattr(obstore, "list", two_pages)

    assert [item.key for item in lake.ManyObjects(s3, world.lake).list_objects("song_data/")] == keys


def test_the_lake_is_listed_in_ranges_of_the_ledger(fresh, monkeypatch):
    """12 songs in pages of 5 and ranges of 2 stand for a million songs in pages of 50,000 and ranges of 6,000."""
    monkeypatch.setattr(ledger, "LEDGER_PAGE", 5)
    monkeypatch.setattr(ledger, "FILES_OF_A_VALUE", 2)
    monkeypatch.setattr(plan, "FILES_OF_A_RANGE", 2)
    world = fresh(absent="warn")

    def put(name: str, title: str) -> None:
        world.song(song(f"SO{name}", title, artist_id=f"AR{name}"), f"song_data/{name}.json")

    def due() -> dict[str, list]:
        _, (key,) = plan.make_plan(world.context(*NOVEMBER))
        return orjson.loads(lake.read(lake.client(), world.work, key))

    for number in range(10, 22):
        put(f"{number}", "Title")
    world.load(*NOVEMBER)
    with pytest.raises(AirflowSkipException, match="nothing is new"):
        due()
    changed, new, gone = ("11", "14", "21"), ("0", "135", "20a", "99"), ("10", "13", "20")
    for name in (*changed, *new):
        put(name, "Other title")
    for name in gone:
        world.delete(f"song_data/{name}.json")

    assert [file["key"] for file, _ in due()["files"]["songs"]] == sorted(
        f"song_data/{name}.json" for name in (*changed, *new)
    )
    world.load(*NOVEMBER)
    _, (key,) = plan.make_plan(world.context(mode="full_refresh"))
    refresh = orjson.loads(lake.read(lake.client(), world.work, key))
    assert len(refresh["files"]["songs"]) == 12 - len(gone) + len(new)
    assert [key for _, key, _ in refresh["vanished"]] == [f"song_data/{name}.json" for name in gone]


def test_a_connection_without_credentials_is_boto3s_to_refuse(fresh, monkeypatch):
    world = fresh()
    file = world.put("song_data/a.json", b"x")
    monkeypatch.setattr("obstore.auth.boto3.Boto3CredentialProvider", lambda *_, **__: 1 / 0)

    assert read_small(world, file) == [b"x"]


# S3 that does not answer ----------------------------------------------------------------------------------


class Breaking(io.RawIOBase):
    """A response body that yields a few bytes, then raises an error."""

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
def test_a_link_lost_while_a_file_is_read_is_transient(read_lines, error):
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
