"""Test COPY: its sources, and text, compressed and Parquet objects.

The tests run on the stand-in or on a real cluster (see warehouse.py).
"""

from __future__ import annotations

import bz2
import datetime
import gzip
import io
import json
import re
import uuid
from decimal import Decimal
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
import zstandard
from warehouse import Client, stand_in

DAY, MOMENT = datetime.date, datetime.datetime


# Where it reads from --------------------------------------------------------------------------------


def test_copy_gzip_csv_and_prefix(client: Client) -> None:
    put = client.warehouse.put
    client("create table {s}.a (id int, name varchar(20))")
    packed = put("z/1.gz", raw=gzip.compress(b'{"id": 1, "name": "a"}\n') + gzip.compress(b'{"id": 2}'))
    client.copy("a", packed, "json 'auto' gzip")
    client.copy_fails("a", put("z/no.gz", raw=b'{"id": 1}'), "json 'auto' gzip", "nflate")
    for part in "12":
        put(f"csv/{part}", raw=f'id,name\n{part}3,"a,""b""\nc"\n{part}4,\n'.encode())
    client.copy("a", put("csv/3", raw=b"id,name\n")[:-1], "csv ignoreheader 1")
    rows = client("select id, name from {s}.a order by id")
    assert rows == [(1, "a"), (2, None), (13, 'a,"b"\nc'), (14, ""), (23, 'a,"b"\nc'), (24, "")]
    client.copy_fails("a", put("wide.csv", raw=b"1,a,b\n"), "csv", "stl_load_errors")
    client.copy_fails(
        "a", client.warehouse.put("gone", {})[:-4] + "nothing/", "json 'auto'", "does not exist"
    )


def test_copy_needs_a_role_a_bucket_and_a_manifest(client: Client) -> None:
    client("create table {s}.a (id int)")
    source = client.warehouse.put("x.json", {"id": 1})
    stranger = client.warehouse.role + "-stranger"
    client.fails(
        f"copy {{s}}.a from '{source}' iam_role '{stranger}' json 'auto'", "not authorized to assume IAM Role"
    )
    client.copy_fails(
        "a", f"s3://no-such-{uuid.uuid4().hex}/x", "json 'auto'", "S3ServiceException", "NoSuchBucket"
    )
    client.copy_fails("a", source + ".no", "manifest json 'auto'", "NoSuchKey")
    client.copy_fails("nothing", source, "json 'auto'", "nonexistent table")


@stand_in
def test_bucket_in_another_region(client: Client) -> None:
    client("create table {s}.a (id int)")
    source = client.warehouse.put("x.json", {"id": 1})
    client.copy_fails("a", source, "json 'auto' region 'eu-west-1'", "different region", "301")


# Text and compressed objects ------------------------------------------------------------------------

FIRST = (1, "a", DAY(2018, 11, 1), MOMENT(2018, 11, 1, 10))


@pytest.fixture
def four(sql: Client) -> Client:
    sql("create table {s}.t (n int, name varchar(20), day date, moment timestamp)")
    return sql


@pytest.mark.parametrize(
    ("raw", "options", "rows"),
    [
        # Without FORMAT, pipes separate the fields, quotes and backslashes are not special, and \N is NULL.
        (b"1|a|2018-11-01|2018-11-01 10:00:00\n", "", [FIRST]),
        (b'2|"b\\"|\\N|\n3||\\N|\\N', "", [(2, '"b\\"', None, None), (3, "", None, None)]),
        (b"1\ta\t2018-11-01\t2018-11-01 10:00:00\n", "delimiter '\\t'", [FIRST]),
        (b"1|none||\n2|\\N||\n", "null as 'none'", [(1, None, None, None), (2, "\\N", None, None)]),
        (b"1,none,,\n", "csv null 'none'", [(1, None, None, None)]),
        (b"1|a\\|b\\\\||\n2|x\\\ny||\n3|\\N||\n", "escape",
         [(1, "a|b\\", None, None), (2, "x\ny", None, None), (3, None, None, None)]),
        (b"1|\"a|b\"||\n2|'it's'||\n3|a\"b\"||\n", "removequotes",
         [(1, "a|b", None, None), (2, "it's", None, None), (3, 'a"b"', None, None)]),
        (b"1|a\n2\n", "fillrecord", [(1, "a", None, None), (2, "", None, None)]),
        (b'1,"a\nb"\n2\n', "csv fillrecord emptyasnull", [(1, "a\nb", None, None), (2, None, None, None)]),
        (b"\n1|a||\n   \n2|b||\n\n", "ignoreblanklines", [(1, "a", None, None), (2, "b", None, None)]),
        (b"1|a  ||\n2|  ||\n", "trimblanks", [(1, "a", None, None), (2, "", None, None)]),
        (b"h|h|h|h\n1|a||\n", "ignoreheader 1", [(1, "a", None, None)]),
        (b"1|a|11/01/2018|01.11.2018 10:00\n", "dateformat 'MM/DD/YYYY' timeformat as 'DD.MM.YYYY HH:MI'", [FIRST]),
        (b"1|a|01-NOV-18|2018-11-01T10:00:00\n", "dateformat 'DD-MON-YY' timeformat 'YYYY-MM-DDTHH:MI:SS'", [FIRST]),
        (b"1|a|2018-11-01|11/01/2018 10:00:00 PM\n", "timeformat 'MM/DD/YYYY HH:MI:SS AM'",
         [(1, "a", DAY(2018, 11, 1), MOMENT(2018, 11, 1, 22))]),
        (b"1|a|2018-13-01|soon\n", "acceptanydate", [(1, "a", None, None)]),
        (b"1|caf\xe9||\n", "acceptinvchars '^'", [(1, "caf^", None, None)]),
        # https://docs.aws.amazon.com/redshift/latest/dg/copy-parameters-data-format.html: ~ in octal
        (b"1~a~~\n", "delimiter '\\176'", [(1, "a", None, None)]),
    ],
)  # fmt: skip
def test_text_options(four: Client, raw: bytes, options: str, rows: list[tuple[Any, ...]]) -> None:
    assert four.load("t", "text", raw, options) == rows


# https://docs.aws.amazon.com/redshift/latest/dg/multi-byte-character-load-errors.html
@pytest.mark.parametrize(
    ("field", "reason"),
    [
        (b"\xfb\xbf\xbf\xbf\xbf", "fb bf bf bf"),
        (b"a\xff", "ff"),
        (b"caf\xe9 au lait", "e9"),
        (b"a\xed\xa0\x80", "ed a0 80"),
        (b"a\xc0\x80", "c0 80"),
    ],
    ids=lambda value: str(value)[-20:],
)
def test_the_reason_has_the_invalid_bytes(four: Client, field: bytes, reason: str) -> None:
    for body, options in ((b"1|" + field + b"||\n", ""), (b'{"name": "' + field + b'"}', "json 'auto'")):
        four.copy_fails("t", four.warehouse.put("bytes", raw=body), options, "stl_load_errors")
        (found,) = four(
            "select trim(err_reason) from stl_load_errors where session = pg_backend_pid() order by query desc limit 1"
        )
        assert re.search(rf"hex sequence: {reason}( \(error \d\))?$", found[0])


# The same page: COPY keeps code points that are not characters. ACCEPTINVCHARS replaces them byte by byte
# (https://docs.aws.amazon.com/redshift/latest/dg/copy-parameters-data-conversion.html).
@pytest.mark.parametrize(
    ("character", "replaced"),
    [("\ufdd0", "???"), ("\ufdef", "???"), ("\ufffe", "???"), ("\uffff", "???"), ("\U0001fffe", "????"),
     ("\U0010ffff", "????"), ("\ufdf0", "\ufdf0"), ("\U0001f600", "\U0001f600")],
    ids=ascii,
)  # fmt: skip
def test_code_points_that_are_not_characters(four: Client, character: str, replaced: str) -> None:
    value = f"a{character}b"
    for body, options in (
        (f"1|{value}||\n", ""),
        (f'{{"n": 1, "name": "{value}"}}', "json 'auto'"),
        (json.dumps({"n": 1, "name": value}), "json 'auto'"),
    ):
        kept = four.load("t", "point", body.encode(), options)
        assert [row[1] for row in kept] == [value]
        rows = four.load("t", "point", body.encode(), f"{options} acceptinvchars '?'")
        assert [row[1] for row in rows] == [f"a{replaced}b"]


@pytest.mark.parametrize(
    ("raw", "options", "line", "column", "code"),
    [
        (b"1,a,,\n2,caf\xe9,,\n", "csv", 2, "name", 1220),
        (b"1|a||\n2|caf\xe9||\n", "", 2, "name", 1220),
        (b'{"n": 1}\n{"n": 2, "name": "caf\xe9"}\n', "json 'auto'", 2, "", 1220),
        (b"h,h,h,h\n1,a,,\n2,caf\xe9,,\n", "csv ignoreheader 1", 3, "name", 1220),
        (b"1|a||\n2|b\n", "", 2, "", 1214),
        (b"1|a||\n2|b|||\n", "", 2, "", 1202),
        (b'1|a||\n2|"b||\n', "removequotes", 2, "", 1214),
        (b"1|a||\nx|b||\n", "", 2, "n", 1207),
        (b"1|a|2018-11-01|\n2|a|11/01/2018|\n", "dateformat 'YYYY-MM-DD'", 2, "day", 1205),
        (b"1|a||2018-11-01\n", "timeformat 'YYYY-MM-DD HH:MI:SS'", 1, "moment", 1206),
    ],
)
def test_bad_text_is_reported(
    four: Client, raw: bytes, options: str, line: int, column: str, code: int
) -> None:
    source = four.warehouse.put("bad", raw=raw)
    four.copy_fails("t", source, options, "Load into table 't' failed", "stl_load_errors")
    assert four.load_errors() == [(source, line, column, code)]
    assert four("select count(*) from {s}.t") == [(0,)]


def test_maxerror_leaves_out_invalid_characters(four: Client) -> None:
    raw = b"1|a||\n2|caf\xe9||\n3|caf\xc3\xa9||\nx|b||\n"
    assert four.load("t", "some", raw, "maxerror 5") == [(1, "a", None, None), (3, "café", None, None)]
    assert [code for *_, code in four.load_errors()] == [1220, 1207]
    # https://docs.aws.amazon.com/redshift/latest/dg/multi-byte-character-load-errors.html: U+10FFFF is valid UTF-8
    assert four.load("t", "last", "1|\U0010ffff||\nx|b||\n".encode(), "maxerror 5") == [
        (1, "\U0010ffff", None, None)
    ]


@pytest.mark.parametrize(
    ("compress", "option"), [(gzip.compress, "gzip"), (bz2.compress, "bzip2"), (zstandard.compress, "zstd")]
)
def test_compressions(four: Client, compress: Any, option: str) -> None:
    raw = compress(b"1|a|2018-11-01|2018-11-01 10:00:00\n") + compress(b"2|b||\n")
    assert four.load("t", "packed", raw, option) == [FIRST, (2, "b", None, None)]
    for broken in (raw[:-4], b"1|a||\n"):
        four.copy_fails("t", four.warehouse.put("broken", raw=broken), option)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("csv escape", "ESCAPE"),
        ("csv removequotes", "REMOVEQUOTES"),
        ("json 'auto' delimiter '|'", "DELIMITER"),
        ("json 'auto' fillrecord", "FILLRECORD"),
        ("quote '\"'", "QUOTE"),
        ("delimiter '||'", "single character"),
        ("gzip bzip2", "conflicting"),
        ("gzip gzip", "redundant options: GZIP"),
        ("parquet maxerror 2", "MAXERROR"),
        ("parquet gzip", "GZIP"),
    ],
)
def test_options_that_do_not_go_together(four: Client, options: str, words: str) -> None:
    four.copy_fails("t", four.warehouse.put("any", raw=b"1|a||\n"), options, words)


@stand_in
def test_the_default_role_is_the_services_own(four: Client) -> None:
    source = four.warehouse.put("default", raw=b"1|a||\n")
    four(f"copy {{s}}.t from '{source}' iam_role default")
    assert four("select n from {s}.t") == [(1,)]


# https://docs.aws.amazon.com/redshift/latest/mgmt/authorizing-redshift-service.html
@stand_in
@pytest.mark.parametrize("between", ["{role},{role}", "{role},{role},{role}"])
def test_a_chain_of_roles(four: Client, between: str) -> None:
    source, chain = four.warehouse.put("chain", raw=b"1|a||\n"), between.format(role=four.warehouse.role)
    four(f"copy {{s}}.t from '{source}' iam_role '{chain}'")
    four(f"copy {{s}}.t from '{source}' credentials 'aws_iam_role={chain}'")
    assert four("select n from {s}.t") == [(1,), (1,)]
    four.fails(f"copy {{s}}.t from '{source}' iam_role '{chain}-none'", f"{four.warehouse.role}-none")


@stand_in
def test_nul_is_refused_by_name(four: Client) -> None:
    four.copy_fails("t", four.warehouse.put("nul", raw=b"1|a\0b||\n"), "", "NUL in text")


# Parquet --------------------------------------------------------------------------------------------


def parquet(**columns: Any) -> bytes:
    out = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(columns), out)
    return out.getvalue()


def test_parquet(sql: Client) -> None:
    sql(
        "create table {s}.p (a smallint, b int, c bigint, d real, e float8, f numeric(10,2), g boolean,"
        " h varchar(20), i date, j timestamp, k timestamp)"
    )
    moment = MOMENT(2018, 11, 1, 10, 0, 0, 123456)
    raw = parquet(
        a=pyarrow.array([1, None], pyarrow.int16()),
        b=pyarrow.array([2, None], pyarrow.int32()),
        c=pyarrow.array([3, None], pyarrow.int64()),
        d=pyarrow.array([0.5, None], pyarrow.float32()),
        e=pyarrow.array([1e300, None], pyarrow.float64()),
        f=pyarrow.array([Decimal("12345678.90"), None], pyarrow.decimal128(10, 2)),
        g=pyarrow.array([True, None]),
        h=pyarrow.array(['a "b",\nä', ""]),
        i=pyarrow.array([DAY(2018, 11, 1), None]),
        j=pyarrow.array([moment, None], pyarrow.timestamp("us")),
        # awswrangler's suite writes nanoseconds.
        k=pyarrow.array([moment, None], pyarrow.timestamp("ns")),
    )
    assert sql.load("p", "p/1.parquet", raw, "format as parquet") == [
        (1, 2, 3, 0.5, 1e300, Decimal("12345678.90"), True, 'a "b",\nä', DAY(2018, 11, 1), moment, moment),
        (None, None, None, None, None, None, None, "", None, None, None),
    ]


UTC = MOMENT(2018, 11, 1, tzinfo=datetime.UTC)
PARQUET = [
    # The types are from https://docs.aws.amazon.com/redshift/latest/dg/copy-usage_notes-copy-from-columnar.html, or
    # those that pyarrow and awswrangler write.
    ("timestamp", pyarrow.array([UTC], pyarrow.timestamp("us", "UTC")), "", MOMENT(2018, 11, 1)),
    ("timestamp", pyarrow.array([UTC], pyarrow.timestamp("ms", "America/New_York")), "", MOMENT(2018, 11, 1)),
    ("varchar(5)", pyarrow.array(["a"]).dictionary_encode(), "", "a"),
    ("varchar(5)", pyarrow.array(["a"], pyarrow.string_view()), "", "a"),
    ("int", pyarrow.array([1], pyarrow.int32()), "fillrecord", 1),
    ("varchar(5)", pyarrow.array(["a\ufffe"]), "acceptinvchars as '^'", "a^^^"),
]


@pytest.mark.parametrize(
    ("type_", "values", "options", "expected"), PARQUET, ids=lambda value: str(value).strip()[:30]
)
def test_types_and_options_of_parquet(
    sql: Client, type_: str, values: Any, options: str, expected: Any
) -> None:
    sql(f"create table {{s}}.p (a {type_}{', b int' if options == 'fillrecord' else ''})")
    sql.warehouse.put("types/0", raw=b"")  # COPY skips an empty object, such as a folder's.
    source = sql.warehouse.put("types/1.parquet", raw=parquet(a=values))
    sql.copy("p", source.removesuffix("1.parquet"), f"parquet {options}")
    assert sql("select * from {s}.p") == [(expected, None) if options == "fillrecord" else (expected,)]


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (
            parquet(n=pyarrow.array([1], pyarrow.int64()), name=["a"]),
            "incompatible Parquet schema for column 'n'",
        ),
        (parquet(n=["1"], name=["a"]), "incompatible Parquet schema for column 'n'"),
        (parquet(n=pyarrow.array([1], pyarrow.int32())), "Unmatched number of columns"),
        (b"1|a\n", "Invalid Parquet file"),
    ],
    ids=["int64", "text", "columns", "junk"],
)
def test_parquet_that_does_not_fit(sql: Client, raw: bytes, words: str) -> None:
    sql("create table {s}.q (n int, name varchar(20))")
    sql.copy_fails("q", sql.warehouse.put("q/1.parquet", raw=raw), "parquet", "Spectrum Scan Error", words)
    assert sql("select count(*) from {s}.q") == [(0,)]


# https://docs.aws.amazon.com/redshift/latest/dg/loading-data-files-using-manifest.html
def test_a_manifest_of_parquet_has_the_lengths(sql: Client) -> None:
    sql("create table {s}.q (n int)")
    raw = parquet(n=pyarrow.array([1], pyarrow.int32()))
    entry: dict[str, Any] = {"url": sql.warehouse.put("m/1.parquet", raw=raw), "mandatory": True}
    sql.copy_fails("q", sql.warehouse.put("m/bare", {"entries": [entry]}), "parquet manifest", "meta")
    entry["meta"] = {"content_length": len(raw)}
    sql.copy("q", sql.warehouse.put("m/full", {"entries": [entry]}), "parquet manifest")
    assert sql("select n from {s}.q") == [(1,)]


# https://docs.aws.amazon.com/redshift/latest/dg/r_Character_types.html#r_Character_types-char-or-character
def test_char_takes_single_bytes_only(sql: Client) -> None:
    sql("create table {s}.c (c char(4))")
    sql.fails("insert into {s}.c values ('é')", "Multibyte character not supported for CHAR")
    sql.copy_fails("c", sql.warehouse.put("c/1", {"c": "é"}), "json 'auto'", "stl_load_errors")
    assert sql(
        "select err_code, trim(err_reason) from stl_load_errors where session = pg_backend_pid()"
        " order by query desc limit 1"
    ) == [(1220, "Multibyte character not supported for CHAR (Hint: Try using VARCHAR). Invalid char: c3 a9")]
    assert sql.load("c", "c/2", b'{"c": "ab"}', "json 'auto'") == [("ab  ",)]
    sql("insert into {s}.c values (' '), ('a ')")
    assert sql("select len(c), octet_length(c) from {s}.c order by 1") == [(0, 4), (1, 4), (2, 4)]
