"""Requests of clients to Amazon Redshift, put to the stand-in or to a real cluster (see warehouse.py)."""

from __future__ import annotations

import datetime
import gzip
import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import psycopg2
import psycopg2.extensions
import pytest
import redshift_connector
from warehouse import DSN, Client, Warehouse, stand_in

# Expressions ----------------------------------------------------------------------------------------

DAY = datetime.date
MOMENT = datetime.datetime

EXPRESSIONS: list[tuple[str, Any]] = [
    ("version() like '%Redshift%'", True),
    ("datediff(day, '2018-11-01 23:59:59'::timestamp, '2018-11-02 00:00:00'::timestamp)", 1),
    ("datediff(hour, '2018-11-01 00:59:59'::timestamp, '2018-11-01 01:00:00'::timestamp)", 1),
    ("datediff(month, '2018-01-31'::timestamp, '2018-02-01'::timestamp)", 1),
    ("datediff(year, '2018-12-31'::timestamp, '2019-01-01'::timestamp)", 1),
    ("datediff(qtr, '2018-12-31'::timestamp, '2019-01-01'::timestamp)", 1),
    ("datediff(week, '2018-11-03'::timestamp, '2018-11-04'::timestamp)", 1),  # Saturday, Sunday
    ("datediff(second, '2018-11-01 00:00:00.9'::timestamp, '2018-11-01 00:00:01.1'::timestamp)", 1),
    ("datediff(ms, '2018-11-01 00:00:00'::timestamp, '2018-11-01 00:00:01.5'::timestamp)", 1500),
    ("dateadd(month, 1, '2018-01-31'::timestamp)", MOMENT(2018, 2, 28)),
    ("dateadd('day', -1, '2018-03-01'::timestamp)", MOMENT(2018, 2, 28)),
    (
        "dateadd(ms, 1541105830796 % 1000, '2018-11-01 20:57:10'::timestamp)",
        MOMENT(2018, 11, 1, 20, 57, 10, 796000),
    ),
    ("timestamp 'epoch' + 1541105830796 / 1000 * interval '1 second'", MOMENT(2018, 11, 1, 20, 57, 10)),
    ("date_part(dow, '2018-11-04'::timestamp)::int", 0),
    ("date_part('hour', '2018-11-04 13:00'::timestamp)::int", 13),
    ("extract(epoch from '2018-11-01 00:00:01.9'::timestamp)", 1541030401),
    ("extract(week from '2018-12-31'::timestamp)", 1),
    ("extract(dow from '2018-11-04'::timestamp)", 0),
    ("extract(month from '2018-11-04'::date)", 11),
    ("trunc('2018-11-04 13:00'::timestamp)", DAY(2018, 11, 4)),
    ("date_trunc('hour', '2018-11-04 13:59:59'::timestamp)", MOMENT(2018, 11, 4, 13)),
    ("date_trunc('month', '2018-11-04'::date)", MOMENT(2018, 11, 1)),
    ("last_day('2018-02-03'::timestamp)", DAY(2018, 2, 28)),
    ("add_months('2018-01-31'::timestamp, 1)", MOMENT(2018, 2, 28)),
    ("convert_timezone('US/Pacific', '2018-11-01 12:00'::timestamp)", MOMENT(2018, 11, 1, 5)),
    ("convert_timezone('US/Pacific', 'UTC', '2018-11-01 05:00'::timestamp)", MOMENT(2018, 11, 1, 12)),
    ("datediff(minute, getdate(), sysdate)", 0),
    ("nvl(null, null, 3)", 3),
    ("nvl2('a'::varchar, 1, 2)", 1),
    ("isnull(null::int, 5)", 5),
    ("decode(2, 1, 'one', 2, 'two', 'many')", "two"),
    ("decode(null::int, null, 'none', 'some')", "none"),
    ("decode(7, 1, 'one')", None),
    ("md5('a')", "0cc175b9c0f1b6a831c399e269772661"),
    ("sha2('a', 256)", "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"),
    ("strtol('ff', 16)", 255),
    ("1 || '-' || 2", "1-2"),
    ("1 || 2", "12"),
    ("'a' || date '2018-11-01'", "a2018-11-01"),
    ("len('é'), octet_length('é')", 1),
    ("charindex('b', 'abc')", 2),
    ("split_part('a-b-c', '-', 2)", "b"),
    ("regexp_substr('the fox', 'f[a-z]+')", "fox"),
    ("regexp_substr('the fox', 'z')", ""),
    ("regexp_replace('a1b22', '[0-9]', '#')", "a#b##"),
    (r"regexp_substr('a 12', '\\d+')", "12"),
    (r"'it\'s'", "it's"),
    ("json_extract_path_text('{\"a\": {\"b\": 1}}', 'a', 'b')", "1"),
    ("'12.5'::numeric(9, 2)", Decimal("12.50")),
    ("12.5::numeric", Decimal("13")),
    ("cast(2.5 as decimal)", Decimal("3")),
    ("'żółw'::varchar(3)", "ż"),
    ("7 / 2", 3),
]


@pytest.mark.parametrize(("expression", "expected"), EXPRESSIONS, ids=lambda value: str(value)[:40])
def test_expression(warehouse: Warehouse, shared: Client, expression: str, expected: Any) -> None:
    assert shared(f"select {expression}")[0][0] == expected


def test_aggregates_and_windows(client: Client) -> None:
    client("create table {s}.plays (usr int, song varchar(20), ts timestamp sortkey)")
    client(
        "insert into {s}.plays values (1, 'a', '2018-11-01'), (1, 'b', '2018-11-02'), (2, 'a', '2018-11-03'),"
        " (2, 'a', '2018-11-04')"
    )
    assert client(
        "select usr, listagg(song, ',') within group (order by ts desc), listagg(distinct song, '/')"
        " from {s}.plays group by usr order by usr"
    ) == [(1, "b,a", "a/b"), (2, "a,a", "a")]
    assert client("select approximate count(distinct song), median(usr) from {s}.plays")[0][0] == 2
    rows = client(
        "with last as (select usr, song, row_number() over (partition by usr order by ts desc) as n from {s}.plays)"
        " select usr, song from last where n = 1 order by usr"
    )
    assert rows == [(1, "b"), (2, "a")]


# Tables ---------------------------------------------------------------------------------------------


def test_table_attributes_reach_the_catalogue(client: Client) -> None:
    client("create table {s}.users (id int primary key)")
    client(
        """
        create table if not exists {s}.facts ( -- the grain, (in brackets)
            id bigint identity(0, 1),
            user_id int not null references {s}.users (id) encode az64,
            start_time timestamp not null encode raw,
            note text default 'a,b)' encode zstd,
            amount decimal,
            primary key (id, start_time),
            foreign key (user_id) references {s}.users (id)
        )
        backup yes diststyle key distkey (user_id) compound sortkey (start_time, user_id)
        """.replace("references {s}.users (id)", "" if DSN else "references {s}.users (id)")
        if DSN is None
        else """
        create table if not exists {s}.facts (
            id bigint identity(0, 1), user_id int not null encode az64, start_time timestamp not null encode raw,
            note text default 'a,b)' encode zstd, amount decimal, primary key (id, start_time)
        ) backup yes diststyle key distkey (user_id) compound sortkey (start_time, user_id)
        """
    )
    client("set search_path to {s}")
    assert client(
        'select "column", type, distkey, sortkey, "notnull" from pg_table_def where schemaname = \'{s}\''
        " and tablename = 'facts'"
    ) == [
        ("id", "bigint", False, 0, True),
        ("user_id", "integer", True, 2, True),
        ("start_time", "timestamp without time zone", False, 1, True),
        ("note", "character varying(256)", False, 0, False),
        ("amount", "numeric(18,0)", False, 0, False),
    ]
    client("insert into facts (user_id, start_time) values (1, '2018-11-01')")
    assert client(
        "select diststyle, sortkey1, tbl_rows >= 0 from svv_table_info where \"schema\" = '{s}' and \"table\" = 'facts'"
    ) == [("KEY(user_id)", "start_time", True)]
    assert client("select id, note from facts") == [(0, "a,b)")]
    client.fails("insert into facts (id, user_id, start_time) values (9, 1, '2018-11-01')", "id")


def test_keys_are_declared_but_not_enforced(client: Client) -> None:
    client("create table {s}.keyed (id int primary key, name varchar(9) unique) diststyle all")
    client("insert into {s}.keyed values (1, 'a'), (1, 'a')")
    client("insert into {s}.keyed values (1, 'a')")
    assert client("select count(*) from {s}.keyed") == [(3,)]
    assert client(
        "select column_name from information_schema.key_column_usage where table_schema = '{s}'"
        " and constraint_name like '%pkey'"
    ) == [("id",)]
    client.fails("insert into {s}.keyed (name) values ('b')", "null")


def test_like_takes_layout_and_new_tables_come_from_a_query(client: Client) -> None:
    client("create table {s}.a (id int distkey, ts timestamp not null sortkey, n int default 7)")
    client("create table {s}.b (like {s}.a)")
    client("create temp table c (like {s}.a including defaults)")
    client("create table #d (x int)")
    client("insert into #d select 1")
    client("insert into c (id, ts) values (1, '2018-11-01')")
    assert client("select n from c") == [(7,)]
    client("create table {s}.e distkey (id) sortkey (ts) as select * from {s}.a union all select * from c")
    client("set search_path to {s}")
    laid_out = client(
        "select tablename, \"column\" from pg_table_def where tablename in ('b', 'e') and (distkey or sortkey = 1)"
        " order by 1, 2"
    )
    assert laid_out == [("b", "id"), ("b", "ts"), ("e", "id"), ("e", "ts")]
    assert client("select count(*) from e, #d") == [(1,)]


def test_alter_table(client: Client) -> None:
    client("create table {s}.a (id int)")
    client("alter table {s}.a add column name varchar(10) encode lzo default 'x'")
    client("alter table {s}.a rename column name to title")
    client("alter table {s}.a add primary key (id)") if DSN is None else None
    client("alter table {s}.a rename to b")
    client("insert into {s}.b (id) values (1)")
    assert client("select * from {s}.b") == [(1, "x")]
    client("comment on table {s}.b is 'two'")
    client("comment on column {s}.b.id is 'one'")
    client("alter table {s}.b drop column title")


def test_varchar_counts_bytes(client: Client) -> None:
    client("create table {s}.a (name varchar(4))")
    client("insert into {s}.a values ('abcd'), ('éé'), ('ab    ')")
    client.fails("insert into {s}.a values ('ééé')", "too long")
    assert client("select max(octet_length(name)) from {s}.a") == [(4,)]


def test_update_delete_merge(client: Client) -> None:
    client("create table {s}.users (id int, level varchar(4))")
    client("create table {s}.batch (id int, level varchar(4))")
    client("insert into {s}.users values (1, 'free'), (2, 'free')")
    client("insert into {s}.batch values (2, 'paid'), (3, 'free')")
    client(
        "merge into {s}.users using {s}.batch b on {s}.users.id = b.id when matched then update set level = b.level"
        " when not matched then insert (id, level) values (b.id, b.level)"
    )
    client(
        "update {s}.users set level = 'x' from {s}.batch where {s}.users.id = {s}.batch.id and batch.id = 3"
    )
    assert client("select id, level from {s}.users order by id") == [(1, "free"), (2, "paid"), (3, "x")]
    client("delete from {s}.users using {s}.batch where {s}.users.id = {s}.batch.id")
    assert client("select id from {s}.users") == [(1,)]
    client("insert into {s}.batch values (1, 'a'), (1, 'b')")
    client.fails(
        "merge into {s}.users using {s}.batch b on {s}.users.id = b.id when matched then update set level = b.level"
        " when not matched then insert values (b.id, b.level)"
    )


# Transactions ---------------------------------------------------------------------------------------


def test_ddl_and_copy_lie_in_the_transaction(client: Client) -> None:
    source = client.warehouse.put("tx.json", {"id": 1}, {"id": 2})
    client("create table {s}.kept (id int)")
    client("begin")
    client("create table {s}.gone (id int) sortkey (id)")
    client.copy("kept", source)
    client.copy("kept", source)
    assert client("select count(*) from {s}.kept") == [(4,)]
    client("rollback")
    assert client("select count(*) from {s}.kept") == [(0,)]
    client.fails("select * from {s}.gone", "does not exist")


def test_truncate_commits(client: Client) -> None:
    client("create table {s}.a (id int)")
    client("insert into {s}.a values (1)")
    client("begin")
    client("create table {s}.b (id int)")
    client("truncate {s}.a")
    client("rollback")
    assert client("select (select count(*) from {s}.a), (select count(*) from {s}.b)") == [(0, 0)]


def test_failed_copy_spoils_the_block(client: Client) -> None:
    source = client.warehouse.put("bad.json", {"id": 1}, {"id": "x"})
    client("create table {s}.a (id int)")
    client("begin")
    client("insert into {s}.a values (9)")
    client.copy_fails("a", source, "json 'auto'", "Load into table 'a' failed", "stl_load_errors")
    client.fails("select 1", "aborted")
    client("end")
    assert client("select count(*) from {s}.a") == [(0,)]
    assert client.load_errors() == [(source, 2, "id", 1207)]


def test_vacuum_and_analyze(client: Client) -> None:
    client("create table {s}.a (id int)")
    client("vacuum {s}.a")
    client("vacuum delete only {s}.a to 99 percent")
    client("vacuum full {s}.a")
    client("analyze {s}.a")
    client("analyze {s}.a predicate columns")
    client("begin")
    client.fails("vacuum {s}.a", "VACUUM", "transaction block")
    client("rollback")


def test_lock_makes_others_wait_and_snapshots_hold(client: Client) -> None:
    client("create table {s}.a (id int)")
    client("create table {s}.b (id int)")
    other = Client(client.warehouse.psycopg(), client.schema, client.warehouse)
    client("begin")
    client("lock {s}.a, {s}.b")
    client("insert into {s}.a values (1)")
    other("set statement_timeout to 300")
    other.fails("insert into {s}.a values (2)", "cancel")
    other.fails("select * from {s}.b", "cancel")
    client("commit")
    other("set statement_timeout to 0")
    other("insert into {s}.a values (2)")
    client("begin")
    before = client("select count(*) from {s}.a")
    other("insert into {s}.a values (3)")
    assert client("select count(*) from {s}.a") == before
    client("commit")
    other.connection.close()


@stand_in
def test_sessions_may_create_the_same_thing_at_once(sql: Client) -> None:
    def create(_: int) -> None:
        own = Client(sql.warehouse.redshift(), sql.schema, sql.warehouse)
        for n in range(20):
            own(f"create schema if not exists {{s}}_{n}")
            own(f"create table if not exists {{s}}_{n}.t (a int primary key) diststyle all sortkey (a)")
        own.connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(create, range(4)))
    for n in range(20):
        sql(f"drop schema {{s}}_{n} cascade")


@stand_in
def test_conflict_is_error_1023(client: Client) -> None:
    client("create table {s}.a (id int)")
    client("insert into {s}.a values (1)")
    other = Client(client.warehouse.psycopg(), client.schema, client.warehouse)
    client("begin")
    client("select * from {s}.a")
    other("update {s}.a set id = 2")
    client.fails("update {s}.a set id = 3", "1023")
    client("rollback")
    other.connection.close()


def test_session_settings(client: Client) -> None:
    client("set query_group to 'nightly'")
    assert client("show query_group") == [("nightly",)]
    client("reset query_group")
    client("set search_path to {s}, public")
    client("set enable_result_cache_for_session to off")
    client("create table a as select 1 as n union all select 2")
    client("insert into a select a.n from a, a b, a c, a d, a e, a f, a g, a h, a i, a j")
    client("set statement_timeout to 50")
    client.fails("select count(*) from a, a b, a c, a d where md5(a.n || b.n || c.n || d.n) = 'x'", "")
    client("set statement_timeout to 0")


def test_several_statements_in_one_message(warehouse: Warehouse, sql: Client) -> None:
    """redshift_connector prepares each statement, so it can send but one; psql and psycopg2 can send more."""
    sql.fails("select 1; select 2", "multiple commands")
    other = Client(warehouse.psycopg(), sql.schema, warehouse)
    source = warehouse.put("several.json", {"id": 1})
    other(
        "create table {s}.a (id int primary key) sortkey (id); insert into {s}.a values (1);"
        f" copy {{s}}.a from '{source}' iam_role '{warehouse.role}' json 'auto';"
    )
    assert other("select 0; select count(*) from {s}.a") == [(2,)]
    other.connection.close()


def test_parameters(sql: Client) -> None:
    sql("create table {s}.a (id int, name varchar(10), ts timestamp)")
    moment = MOMENT(2018, 11, 1, 1, 2, 3)
    sql("insert into {s}.a values (%s, %s, %s)", 1, "it's", moment)
    assert sql("select name, ts, nvl(name, %s) from {s}.a where id = %s", "x", 1) == [
        ("it's", moment, "it's")
    ]


# COPY -----------------------------------------------------------------------------------------------

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


# Users ----------------------------------------------------------------------------------------------


def test_least_privilege_user(warehouse: Warehouse, client: Client) -> None:
    user, group = f"u_{uuid.uuid4().hex[:8]}", f"g_{uuid.uuid4().hex[:8]}"
    client(f"create user {user} password 'Local-pw-1234' connection limit 5")
    client(f"create group {group} with user {user}")
    client("create table {s}.a (id int)")
    client("create table {s}.secret (id int)")
    client(f"grant usage, create on schema {{s}} to {user}")
    client(f"grant select, insert on {{s}}.a to group {group}")
    source = warehouse.put("u.json", {"id": 1})
    other = Client(warehouse.redshift(user=user, password="Local-pw-1234"), client.schema, warehouse)
    other.copy("a", source)
    assert other("select count(*) from {s}.a") == [(1,)]
    other.fails("select * from {s}.secret", "permission denied")
    other.copy_fails("secret", source, "json 'auto'", "permission denied")
    other("create table {s}.mine (id int primary key) sortkey (id)")
    assert client("select count(*) from {s}.mine") == [(0,)]  # the master sees everything
    other.connection.close()
    client(f"alter user {user} password 'Local-pw-5678'")
    for connect in (warehouse.redshift, warehouse.psycopg):
        with pytest.raises(
            (redshift_connector.Error, psycopg2.Error), match="password authentication failed"
        ):
            connect(user=user, password="Local-pw-1234")
    client.fails(f"create user {user}2 password 'weak'", "password must")
    client("drop table {s}.mine")
    client(f"revoke all on schema {{s}} from {user}")
    client(f"drop group {group}") if DSN else client(f"revoke all on {{s}}.a from group {group}")
    client(f"drop user {user}")
    with pytest.raises((redshift_connector.Error, psycopg2.Error)):
        warehouse.psycopg(user=user, password="Local-pw-5678")


# Refusals -----------------------------------------------------------------------------------------

LACKS = [
    "insert into {s}.a values (1) on conflict do nothing",
    "insert into {s}.a values (1) returning id",
    "select distinct on (id) id from {s}.a",
    "select count(*) filter (where id > 1) from {s}.a",
    "select * from {s}.a, lateral (select 1) x",
    "select * from {s}.a for update",
    "select string_agg(id::varchar, ',') from {s}.a",
    "select to_timestamp(1541105830)",
    "select array[1, 2]",
    "select '{}'::jsonb",
    "create index i on {s}.a (id)",
    "create sequence {s}.q",
    "create table {s}.b (id serial)",
    "create table {s}.b (id uuid)",
    "create table {s}.b (doc jsonb)",
    "create table {s}.b (ids int[])",
    "create table {s}.b (id int check (id > 0))",
    "create table {s}.b (id int) partition by range (id)",
    "create table {s}.b (id int) with (fillfactor = 10)",
    "copy {s}.a from stdin",
    "do $$ begin end $$",
    "with x as materialized (select 1) select * from x",
    "lock {s}.a in share mode",
    "truncate {s}.a, {s}.a",
    "merge into {s}.a using (select 1 as id) b on {s}.a.id = b.id when matched then delete"
    " when not matched then insert values (b.id)",
    "merge into {s}.a using {s}.a b on {s}.a.id = b.id when matched and b.id > 1 then delete"
    " when not matched then insert values (b.id)",
    "merge into {s}.a using {s}.a b on {s}.a.id = b.id when not matched then insert values (b.id)",
]


@pytest.mark.parametrize("statement", LACKS, ids=lambda s: s.replace("{s}.", "")[:45])
def test_postgres_alone_is_refused(shared: Client, statement: str) -> None:
    shared("create table if not exists {s}.a (id int)")
    shared.fails(statement)


NOT_COVERED = [
    ("unload ('select 1') to 's3://b/x' iam_role 'r' fixedwidth '1:2'", "FIXEDWIDTH"),
    (
        "unload ('select 1') to 's3://b/x' iam_role 'r' encrypted master_symmetric_key 'k'",
        "MASTER_SYMMETRIC_KEY",
    ),
    ("unload ('select 1') to 's3://b/x' iam_role 'r' manifest verbose", "VERBOSE"),
    ("unload ('select 1') to 's3://b/x' access_key_id 'a' secret_access_key 'b'", "access keys"),
    ("insert into {s}.docs values (json_parse('{}'))", "SUPER"),
    ("insert into {s}.docs values ('{}')", "SUPER"),
    ("copy {s}.docs from 's3://b/x' iam_role 'r' json 'auto'", "column of type super"),
    ("create table {s}.b (doc varbyte)", "VARBYTE"),
    ("create external schema x from data catalog", "EXTERNAL"),
    ("alter table {s}.a append from {s}.a", "APPEND"),
    ("alter table {s}.a alter sortkey (id)", "SORTKEY"),
    ("analyze compression {s}.a", "ANALYZE COMPRESSION"),
    ("merge into {s}.a using {s}.a b on {s}.a.id = b.id remove duplicates", "REMOVE DUPLICATES"),
    ("select id from {s}.a pivot (count(*) for id in (1))", "PIVOT"),
    ("create role r", "ROLE"),
    ("create user u password 'Abcdefg1' createuser", "CREATEUSER"),
    ("copy {s}.a from 's3://b/x' iam_role 'r' json 'noshred'", "noshred"),
    ("copy {s}.a from 's3://b/x' iam_role 'r' json 'auto' timeformat 'YYYY Q'", "TIMEFORMAT"),
    ("copy {s}.a from 's3://b/x' iam_role 'r' lzop", "LZOP"),
    ("copy {s}.a from 's3://b/x' iam_role 'r' fixedwidth '1:2'", "FIXEDWIDTH"),
    ("copy {s}.a from 's3://b/x' iam_role 'r' noload", "NOLOAD"),
    ("copy {s}.a from 's3://b/x' iam_role 'r' encoding utf16", "ENCODING"),
    ("copy {s}.a from 's3://b/x' iam_role 'r' format orc", "ORC"),
    ("copy {s}.a from 's3://b/x' iam_role 'r' json 'auto' encrypted", "ENCRYPTED"),
    ("copy {s}.a from 'dynamodb://x' iam_role 'r' json 'auto'", "dynamodb"),
    (
        "copy {s}.a from 's3://b/x' credentials 'aws_access_key_id=a;aws_secret_access_key=b' json 'auto'",
        "access keys",
    ),
    ("copy {s}.a from 's3://b/x' access_key_id 'a' secret_access_key 'b' json 'auto'", "access keys"),
    ("copy {s}.a from 's3://b/x' json 'auto'", "IAM_ROLE"),
]


@stand_in
@pytest.mark.parametrize(("statement", "word"), NOT_COVERED, ids=lambda s: s.replace("{s}.", "")[:45])
def test_uncovered_is_refused_by_name(shared: Client, statement: str, word: str) -> None:
    shared("create table if not exists {s}.a (id int)")
    shared("create table if not exists {s}.docs (doc super)")
    shared.fails(statement, word)
