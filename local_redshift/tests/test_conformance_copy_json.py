"""Test COPY of JSON: the mapping of fields to columns, the conversion of values, and the lines that are refused.

The tests run on the stand-in or on a real cluster (see warehouse.py).
"""

from __future__ import annotations

import datetime
import json
from decimal import Decimal
from typing import Any

import pytest
from warehouse import DSN, Client

DAY, MOMENT = datetime.date, datetime.datetime

EVENT = {
    "userId": "8",
    "firstName": "Kaylee",
    "ts": 1541105830796,
    "length": 231.26159,
    "extra": [1, {"a": "b"}],
}
EVENTS = "(userid varchar(8), firstname varchar(20), ts timestamp, length decimal(9, 3), extra varchar(99))"
LOADED = ("8", "Kaylee", MOMENT(2018, 11, 1, 20, 57, 10, 796000), Decimal("231.261"))


def test_copy_json_by_case(client: Client) -> None:
    source = client.warehouse.put("case.json", EVENT)
    client(f"create table {{s}}.a {EVENTS}")
    client.copy("a", source, "format as json 'auto' timeformat as 'epochmillisecs'")
    client.copy(
        "a", source, "json 'auto ignorecase' timeformat 'epochmillisecs' compupdate off statupdate on"
    )
    rows = client("select userid, firstname, ts, length from {s}.a order by userid nulls first")
    assert rows == [(None, None, *LOADED[2:]), LOADED]
    assert client("select pg_last_copy_count()") == [(1,)]
    assert client(
        "select trim(filename), lines_scanned from stl_load_commits where query = pg_last_copy_id()"
    ) == [(source, 1)]


def test_copy_by_jsonpaths_and_manifest(client: Client) -> None:
    put = client.warehouse.put
    paths = put(
        "paths.json", {"jsonpaths": ["$.userId", "$['firstName']", "$.ts", "$.length", "$.extra[1].a"]}
    )
    first, second = put("d/1.json", EVENT), put("d/2.json", EVENT | {"userId": "9"})
    put("d/22.json", EVENT)
    entries = [
        {"url": first, "mandatory": True},
        {"url": second},
        {"url": second + ".gone", "mandatory": False},
    ]
    manifest = put("manifest", {"entries": entries})
    client(f"create table {{s}}.a {EVENTS}")
    client.copy("a", manifest, f"manifest json '{paths}' timeformat 'epochmillisecs' region 'us-west-2'")
    assert client("select * from {s}.a order by 1") == [(*LOADED, "b"), ("9", *LOADED[1:], "b")]
    entries[2]["mandatory"] = True
    manifest = put("manifest", {"entries": entries})
    client.copy_fails("a", manifest, f"manifest json '{paths}'", "S3ServiceException", "NoSuchKey")
    short = put("short.json", {"jsonpaths": ["$.userId"]})
    client.copy_fails(
        "a", first, f"json '{short}'", "Number of jsonpaths and the number of columns should match"
    )
    bad = put("bad.json", {"jsonpaths": [1, 2, 3, 4, 5]})
    client.copy_fails("a", first, f"json '{bad}'", "Invalid JSONPath format")


def test_copy_as_the_airflow_operator_writes_it(sql: Client) -> None:
    source = sql.warehouse.put("op/part.json", EVENT, EVENT)
    sql(f"create table {{s}}.a {EVENTS}")
    sql(
        f"""
                    COPY {{s}}.a (userid, ts)
                    FROM '{source.removesuffix("part.json")}'
                    credentials
                    'aws_iam_role={sql.warehouse.role}'
                    region 'us-west-2'
                    JSON 'auto ignorecase'
\t\t\tTIMEFORMAT 'epochmillisecs';
        """
    )
    assert sql("select userid, firstname from {s}.a") == [("8", None)] * 2


def test_values_as_copy_converts_them(sql: Client) -> None:
    source = sql.warehouse.put(
        "values.json",
        {
            "t": 311,
            "n": 12.349,
            "b": True,
            "i": "",
            "ts": "2018-11-01T20:57:10.796Z",
            "d": "2018-11-01",
            "x": '\\n\t"',
        },
        {"t": "", "n": "1e2", "b": "f", "ts": "2018-11-01 20:57:10"},
    )
    sql(
        "create table {s}.a (t varchar(9), n decimal(9,2), b boolean, i int, ts timestamp, d date, x varchar(9))"
    )
    sql.copy("a", source)
    assert sql("select * from {s}.a order by t desc") == [
        ("311", Decimal("12.34"), True, None, LOADED[2], DAY(2018, 11, 1), '\\n\t"'),
        ("", Decimal("100.00"), False, None, MOMENT(2018, 11, 1, 20, 57, 10), None, None),
    ]


BAD = [
    ({"id": "x"}, "id", 1207),
    ({"id": 1.5}, "id", 1207),
    ({"id": 99999999999}, "id", 1207),
    ({"ts": "yesterday noon"}, "ts", 1206),
    ({"f": "much"}, "f", 1208),
    ({"name": "ééé"}, "name", 1204),
    ({"must": None}, "must", 1213),
    ('{"id": 1', "", 1216),
    ("[1]", "", 1216),
]


@pytest.mark.parametrize(("line", "column", "code"), BAD, ids=lambda value: str(value)[:20])
def test_bad_line_is_reported(sql: Client, line: Any, column: str, code: int) -> None:
    good = {"must": 1, "id": 2}
    broken = line if isinstance(line, str) else json.dumps(good | line)
    source = sql.warehouse.put(
        "bad/1.json", raw=f"{json.dumps(good)}\n\n{broken}\n{json.dumps(good)}".encode()
    )
    sql("create table {s}.a (id int, ts timestamp, f float8, name varchar(4), must int not null)")
    sql.copy_fails(
        "a", source, "json 'auto'", "Load into table 'a' failed.  Check 'stl_load_errors' system table"
    )
    if DSN is None:
        assert sql.load_errors() == [(source, 3, column, code)]
    assert sql("select count(*) from {s}.a") == [(0,)]
    sql.copy("a", source, "json 'auto' maxerror 2")
    assert sql("select id, must from {s}.a") == [(2, 1), (2, 1)]


def test_maxerror_is_a_limit(sql: Client) -> None:
    source = sql.warehouse.put("limit.json", {"id": 1}, {"id": "x"}, {"id": "y"})
    sql("create table {s}.a (id int)")
    sql.copy_fails("a", source, "json 'auto' maxerror 2", "Load into table 'a' failed")
    sql.copy("a", source, "json 'auto' maxerror 3")
    assert sql("select id from {s}.a") == [(1,)]


def test_invalid_characters_and_truncation(sql: Client) -> None:
    source = sql.warehouse.put("latin.json", raw=b'{"name": "caf\xe9 au lait"}')
    sql("create table {s}.a (name varchar(6))")
    sql.copy_fails("a", source, "json 'auto' truncatecolumns", "stl_load_errors")
    sql.copy("a", source, "json 'auto' acceptinvchars truncatecolumns")
    sql.copy(
        "a", sql.warehouse.put("e.json", {"name": "éééé"}), "json 'auto' acceptinvchars '^' truncatecolumns"
    )
    assert sql("select name from {s}.a order by 1") == [("caf? a",), ("ééé",)]
