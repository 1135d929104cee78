"""Test UNLOAD on the stand-in or on a real cluster (see warehouse.py).

A real cluster writes one file per slice, so tests that expect a single file use PARALLEL OFF.
"""

from __future__ import annotations

import bz2
import datetime
import gzip
import io
import json
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pyarrow.parquet
import pytest
import zstandard
from warehouse import Client, stand_in


class Unloader:
    """A client and an S3 prefix for the unloaded files."""

    def __init__(self, client: Client) -> None:
        self.client, self.house = client, client.warehouse
        self.key = f"{self.house.prefix}{uuid.uuid4().hex}/x_"

    def run(self, query: str, options: str = "", quoted: bool = False) -> dict[str, bytes]:
        """Unload the query's result, and return the files' contents by name within their folder."""
        self.client(self.statement(query, options, quoted))
        return self.files()

    def statement(self, query: str, options: str, quoted: bool = False) -> str:
        text = query if quoted else f"$${query}$$"
        return (
            f"unload ({text}) to 's3://{self.house.bucket}/{self.key}' iam_role '{self.house.role}' {options}"
        )

    def files(self) -> dict[str, bytes]:
        folder = self.key.removesuffix("x_")
        listed = self.house.s3.list_objects_v2(Bucket=self.house.bucket, Prefix=folder).get("Contents", [])
        return {
            item["Key"].removeprefix(folder): self.house.s3.get_object(
                Bucket=self.house.bucket, Key=item["Key"]
            )["Body"].read()
            for item in listed
        }

    def head(self, name: str) -> Any:
        key = self.key.removesuffix("x_") + name
        return self.house.s3.head_object(Bucket=self.house.bucket, Key=key)

    def fails(self, query: str, options: str, *words: str) -> None:
        self.client.fails(self.statement(query, options), *words)
        assert "x_000" not in self.files()


@pytest.fixture
def unload(client: Client) -> Unloader:
    client(
        "create table {s}.t (a int, b varchar(20), d date, ts timestamp, n numeric(8,2), f float8, g boolean)"
    )
    client(
        "insert into {s}.t values (1, 'x|\"y,z', '2018-11-01', '2018-11-01 10:00:00.5', 1.5, 0.25, true),"
        " (2, '', null, null, null, null, false), (3, null, null, null, null, null, null)"
    )
    return Unloader(client)


ALL = "select * from {s}.t order by a"


@pytest.mark.parametrize(
    ("options", "name", "text"),
    [
        ("", "000", '1|x|"y,z|2018-11-01|2018-11-01 10:00:00.5|1.50|0.25|t\n2||||||f\n3||||||\n'),
        ("csv header", "000",
         'a,b,d,ts,n,f,g\n1,"x|""y,z",2018-11-01,2018-11-01 10:00:00.5,1.50,0.25,t\n2,"",,,,,f\n3,,,,,,\n'),
        ("format as csv delimiter ';' null as 'NIL'", "000",
         '1;"x|""y,z";2018-11-01;2018-11-01 10:00:00.5;1.50;0.25;t\n'
         '2;"";NIL;NIL;NIL;NIL;f\n3;NIL;NIL;NIL;NIL;NIL;NIL\n'),
        ("addquotes escape null 'N'", "000",
         '"1"|"x\\|\\"y,z"|"2018-11-01"|"2018-11-01 10:00:00.5"|"1.50"|"0.25"|"t"\n'
         '"2"|""|N|N|N|N|"f"\n"3"|N|N|N|N|N|N\n'),
        ("json", "000.json",
         '{"a":1,"b":"x|\\"y,z","d":"2018-11-01","ts":"2018-11-01 10:00:00.5","n":1.50,"f":0.25,"g":"t"}\n'
         '{"a":2,"b":"","d":null,"ts":null,"n":null,"f":null,"g":"f"}\n'
         '{"a":3,"b":null,"d":null,"ts":null,"n":null,"f":null,"g":null}\n'),
        ("csv extension 'csv'", "000.csv", '1,"x|""y,z",2018-11-01,2018-11-01 10:00:00.5,1.50,0.25,t\n'
         '2,"",,,,,f\n3,,,,,,\n'),
    ],
)  # fmt: skip
def test_text_formats(unload: Unloader, options: str, name: str, text: str) -> None:
    assert unload.run(ALL, f"{options} parallel off") == {f"x_{name}": text.encode()}


# https://docs.aws.amazon.com/redshift/latest/dg/r_UNLOAD.html
def test_json_needs_names(unload: Unloader) -> None:
    role = unload.house.role
    target = f"to 's3://{unload.house.bucket}/{unload.key}' iam_role '{role}'"
    for query in ("select 1, 2", "select 1 as a, 2 as a"):
        unload.client.fails(f"unload ('{query}') {target} json", "each name once")


# https://docs.aws.amazon.com/redshift/latest/dg/r_SELECT_list.html
def test_an_alias_is_used_again(unload: Unloader) -> None:
    query = "select a + 1 as b1, b1 * 2 as c from {s}.t where b1 < 4 order by a"
    assert unload.run(query, "parallel off") == {"x_000": b"2|4\n3|6\n"}


# https://docs.aws.amazon.com/redshift/latest/dg/r_UNLOAD.html: "does not write Amazon S3 objects" without rows
@pytest.mark.parametrize("options", ["json", "json parallel off", "json gzip"])
def test_json_of_no_row_has_no_object(unload: Unloader, options: str) -> None:
    assert unload.run("select a from {s}.t where a > 9", options) == {}


@stand_in  # JSON has no such number, and AWS does not document the result.
def test_json_has_no_nan(unload: Unloader) -> None:
    target = f"s3://{unload.house.bucket}/{unload.key}"
    query = "unload ('select ''NaN''::float8 as d') to '{}' iam_role '{}' json"
    unload.client.fails(query.format(target, unload.house.role), "NaN")


def test_parquet_comes_back_as_it_was(unload: Unloader) -> None:
    found = unload.run(ALL, "parquet parallel off manifest")
    table = pyarrow.parquet.read_table(io.BytesIO(found["x_000.parquet"]))
    assert [str(field.type) for field in table.schema] == [
        "int32", "string", "date32[day]", "timestamp[us]", "decimal128(8, 2)", "double", "bool",
    ]  # fmt: skip
    assert table.to_pylist()[0] == {
        "a": 1, "b": 'x|"y,z', "d": datetime.date(2018, 11, 1), "n": Decimal("1.50"), "f": 0.25, "g": True,
        "ts": datetime.datetime(2018, 11, 1, 10, 0, 0, 500000),
    }  # fmt: skip
    unload.client("create table {s}.back (like {s}.t)")
    manifest = f"s3://{unload.house.bucket}/{unload.key}manifest"
    unload.client.copy("back", manifest, "parquet manifest")
    assert unload.client("select * from {s}.back order by a") == unload.client(ALL)


@stand_in  # AWS does not document the scale of such a column.
def test_parquet_of_a_numeric_without_a_scale(unload: Unloader) -> None:
    query = "select n::numeric(38,30) * n::numeric(38,30) / 3 as s from {s}.t where a = 1"
    (found,) = unload.run(query, "parquet parallel off").values()
    assert pyarrow.parquet.read_table(io.BytesIO(found)).to_pylist() == [{"s": Decimal("0.75")}]
    # A number that does not fit is an error, not another number.
    query = "select (n * 1000000000000000)::numeric(38,0) * 100000000000000 as s from {s}.t"
    unload.fails(query, "parquet allowoverwrite", "does not fit")


@pytest.mark.parametrize(
    ("option", "suffix", "expand"),
    [
        ("gzip", ".gz", gzip.decompress),
        ("bzip2", ".bz2", bz2.decompress),
        ("zstd", ".zst", lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data)),
    ],
)
def test_compressions(unload: Unloader, option: str, suffix: str, expand: Callable[[bytes], bytes]) -> None:
    found = unload.run("select a from {s}.t order by a", f"{option} parallel off")
    assert {name: expand(data) for name, data in found.items()} == {f"x_000{suffix}": b"1\n2\n3\n"}


def test_server_side_encryption(unload: Unloader) -> None:
    for options in ("", "encrypted"):  # awswrangler always sends ENCRYPTED.
        unload.run("select a from {s}.t", f"parallel off allowoverwrite {options}")
        assert unload.head("x_000")["ServerSideEncryption"] == "AES256"


@stand_in  # A real cluster needs a key and permission to use it.
def test_server_side_encryption_with_a_key(unload: Unloader) -> None:
    unload.run("select a from {s}.t", "csv parallel off encrypted kms_key_id 'k'")
    head = unload.head("x_000")
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", "k")
    unload.client("create table {s}.back (a int)")
    unload.client.copy("back", f"s3://{unload.house.bucket}/{unload.key}", "csv")
    assert unload.client("select count(*) from {s}.back") == [(3,)]


def test_names_and_manifest(unload: Unloader) -> None:
    found = unload.run("select a from {s}.t order by a", "manifest")
    files = [name for name in found if name != "x_manifest"]
    assert files[0] == "x_0000_part_00"
    assert b"".join(found[name] for name in sorted(files)).split() == [b"1", b"2", b"3"]
    entries = json.loads(found["x_manifest"])["entries"]
    folder = unload.key.removesuffix("x_")
    assert [entry["url"] for entry in entries] == [
        f"s3://{unload.house.bucket}/{folder}{name}" for name in files
    ]


def test_partitions(unload: Unloader) -> None:
    found = unload.run("select a, g, b from {s}.t order by a", "csv partition by (g)")
    assert {name.split("/")[1]: data for name, data in found.items()} == {
        "g=t": b'1,"x|""y,z"\n', "g=f": b'2,""\n', "g=__HIVE_DEFAULT_PARTITION__": b"3,\n",
    }  # fmt: skip
    unload.client.fails(unload.statement("select a from {s}.t", "partition by (no) allowoverwrite"), '"no"')
    found = unload.run("select a, g from {s}.t where a = 1", "csv partition by (g) include allowoverwrite")
    assert found[next(name for name in found if "g=t" in name)] == b"1,t\n"


def test_a_destination_that_is_not_empty(unload: Unloader) -> None:
    query = "select a from {s}.t where a > 1 order by a"
    unload.run("select a from {s}.t order by a", "parallel off manifest")
    unload.client.fails(
        unload.statement(query, "parallel off"), "Specified unload destination on S3 is not empty"
    )
    assert unload.run(query, "parallel off allowoverwrite")["x_000"] == b"2\n3\n"
    assert set(unload.files()) == {"x_000", "x_manifest"}
    assert unload.run(query, "parallel off cleanpath") == {"x_000": b"2\n3\n"}


def test_the_query_in_quotes(unload: Unloader) -> None:
    query = "'select \\'it\\\\\\'s\\', nvl(b, ''none'') from {s}.t where a = 3'"
    assert unload.run(query, "csv parallel off", quoted=True) == {"x_000": b"it's,none\n"}


def test_the_rows_are_those_of_the_transaction(unload: Unloader) -> None:
    unload.client("begin")
    unload.client("insert into {s}.t (a) values (9)")
    found = unload.run("select a from {s}.t order by a", "parallel off")
    unload.client("rollback")
    assert found == {"x_000": b"1\n2\n3\n9\n"}


@pytest.mark.parametrize(
    ("query", "options", "words"),
    [
        ("select * from {s}.t limit 1", "", "Limit clause is not supported"),
        ("delete from {s}.t", "", "syntax error"),
        ("select * from {s}.nothing", "", "does not exist"),
        ("select a from {s}.t", "csv parquet", "conflicting"),
        ("select a from {s}.t", "parquet gzip", "GZIP"),
        ("select a from {s}.t", "csv escape", "ESCAPE"),
        ("select a from {s}.t", "cleanpath allowoverwrite", "CLEANPATH"),
        ("select a from {s}.t", "maxfilesize 1 mb", "MAXFILESIZE"),
        ("select a from {s}.t", "kms_key_id 'k'", "ENCRYPTED"),
        ("select a from {s}.t", "encrypted auto kms_key_id 'k'", "AUTO"),
    ],
)
def test_what_is_refused(unload: Unloader, query: str, options: str, words: str) -> None:
    unload.fails(query, options, words)


@stand_in
def test_a_role_or_bucket_that_is_not_there(unload: Unloader) -> None:
    for target, role, words in (
        (
            f"{unload.house.bucket}/x",
            "arn:aws:iam::123456789012:role/nobody",
            "not authorized to assume IAM Role",
        ),
        ("no-such-bucket-at-all/x", unload.house.role, "NoSuchBucket"),
    ):
        unload.client.fails(f"unload ('select 1') to 's3://{target}' iam_role '{role}'", words)


@stand_in
def test_long_results_are_cut_at_maxfilesize(sql: Client) -> None:
    sql("create table {s}.long (a varchar(4000))")
    sql("insert into {s}.long values " + ", ".join(["(repeat('x', 4000))"] * 1500))
    found: dict[str, Any] = Unloader(sql).run("select * from {s}.long", "maxfilesize 5 mb")
    assert {name: len(data) for name, data in found.items()} == {
        "x_0000_part_00": 1250 * 4001, "x_0000_part_01": 250 * 4001,
    }  # fmt: skip
