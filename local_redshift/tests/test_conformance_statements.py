"""Test queries and their aliases, names, SHOW, and the server's identity and settings as clients see them.

The tests run on the stand-in or on a real cluster (see warehouse.py).
"""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import asyncpg
import pytest
from warehouse import Client, Warehouse

# Queries --------------------------------------------------------------------------------------------

QUERIES: list[tuple[str, Any]] = [
    ("select top 2 id from {s}.t order by id desc", [(4,), (3,)]),
    ("select distinct top 1 kind from {s}.t where kind is not null order by kind", [("a",)]),
    ("select id from (select top 1 id from {s}.t order by id) x union all select 9 order by 1", [(1,), (9,)]),
    ("select * from {s}.t qualify row_number() over (partition by kind order by id desc) = 1 order by id",
     [(1, "a"), (3, "b"), (4, None)]),
    ("select t.*, row_number() over (order by id desc) as rn from {s}.t qualify rn <= 1", [(4, None, 1)]),
    ("select a.*, b.id as other from {s}.t a join {s}.t b on a.id = b.id where a.id > 2"
     " qualify rank() over (order by a.id) = 1", [(3, "b", 3)]),
    ("select kind as k, count(*) from {s}.t group by kind having count(*) > 0"
     " qualify rank() over (order by count(*) desc) = 1", [("b", 2)]),
    ("select id from {s}.t minus select 1 order by 1", [(2,), (3,), (4,)]),
    ("select 1 as a, a + 1 as b, a + b as c", [(1, 2, 3)]),
    ("select b from (select 7 as a, a as c, a, a as b) where c = 7", [(7,)]),
    ("select id + 1 as x, x * 2 as y from {s}.t where x > 3 order by y", [(4, 8), (5, 10)]),
    ("select upper(kind) as kind, kind || 'z' as z from {s}.t where id = 1", [("A", "az")]),  # columns come first
    ("select id as i, count(*) from {s}.t group by i having i > 3", [(4, 1)]),
    ("with w as (select id as n, n + 1 as m from {s}.t) select m from w where m > 4", [(5,)]),
    ("select case when id = 4then 1 else 0 end from {s}.t order by id desc limit 1", [(1,)]),
    ("select $$it's$$", [("it's",)]),
    ("select id, listagg(id, '-') within group (order by id desc) over (partition by kind) from {s}.t where kind = 'b'"
     " order by 1", [(2, "3-2"), (3, "3-2")]),
    ("select ratio_to_report(id) over (partition by kind) from {s}.t where kind = 'b' order by 1", [(0.4,), (0.6,)]),
    ("select median(id) over (partition by kind) from {s}.t where kind = 'b' and id > 2", [(3,)]),
    ("select date_diff(day, '2018-01-01'::timestamp, '2018-01-03'::timestamp)", [(2,)]),
    ("select id from {s}.t where 1 order by 1 limit 1", [(1,)]),
    ("select log(2, 8), log(100)", [(3.0, 2.0)]),
    ("select id from {s}.t where id <> all (select id from {s}.t where id > 1)", [(1,)]),
    ("select sum(id) over (order by id rows unbounded preceding) from {s}.t order by 1", [(1,), (3,), (6,), (10,)]),
]  # fmt: skip


@pytest.mark.parametrize(("query", "rows"), QUERIES, ids=lambda value: str(value)[:50])
def test_query(numbers: Client, query: str, rows: Any) -> None:
    assert numbers(query) == rows


def test_alias_of_each_part_of_a_union(sql: Client) -> None:
    rows = sql(
        "select n.nspname as \"schema\", 1 as part from pg_catalog.pg_namespace n where 1 and schema = '{s}'"
        " union select m.nspname as \"schema\", 2 from pg_catalog.pg_namespace m where 1 and schema = '{s}'"
        " order by part"
    )
    assert rows == [(sql.schema, 1), (sql.schema, 2)]


def test_a_table_of_a_prepared_query_with_functions_of_redshift(sql: Client) -> None:
    sql("create table {s}.made as select sysdate as a, decode(1, 1, 2) as b, %s::int as c", 3)
    assert sql("select b, c, a is not null from {s}.made") == [(2, 3, True)]


def test_alias_in_prepared_statement_with_parameters(sql: Client) -> None:
    sql("create table {s}.t (id int)")
    sql("insert into {s}.t values (1), (2)")
    assert sql("select id * 2 as x, x + 1 as y from {s}.t where x > %s", 2) == [(4, 5)]
    sql("begin")
    assert sql("select id * 2 as x, x + %s as y from {s}.t order by 1", 1) == [(2, 3), (4, 5)]
    sql("commit")


def test_aliases_in_statements_that_hold_a_query(numbers: Client) -> None:
    numbers("create table {s}.c distkey (d) as select id * 2 as d, d + 1 as e from {s}.t")
    numbers("insert into {s}.c select id as x, x + 7 as y from {s}.t where x = 1")
    numbers("create view {s}.v as select id as k, k + 1 as l from {s}.t")
    assert numbers("select d, e from {s}.c order by 1, 2") == [(1, 8), (2, 3), (4, 5), (6, 7), (8, 9)]
    assert numbers("select max(l) from {s}.v") == [(5,)]


def test_names_are_lower_case_unless_the_session_says_otherwise(client: Client) -> None:
    def name() -> str:
        cursor = client.connection.cursor()
        # The text differs each time, because redshift_connector caches prepared statements.
        cursor.execute(f'select 1 as "MixedCase" -- {uuid.uuid4()}')
        found = cursor.description[0][0]
        return str(found.decode() if isinstance(found, bytes) else found)

    client('create table {s}."People" ("Name" varchar(9))')
    client("insert into {s}.people (name) values ('x')")
    assert name() == "mixedcase"
    client("set enable_case_sensitive_identifier to true")
    assert client("show enable_case_sensitive_identifier")[0][0] in ("on", "true")
    assert name() == "MixedCase"
    client("reset enable_case_sensitive_identifier")
    assert name() == "mixedcase"


def test_select_into_and_delete_without_from(numbers: Client) -> None:
    numbers("select * into #copied from {s}.t where id < 3")
    assert numbers("select count(*) from #Copied") == [(2,)]
    other = Client(numbers.warehouse.psycopg(), numbers.schema, numbers.warehouse)
    other.fails("select * from #copied", "does not exist")
    other.connection.close()
    numbers("delete {s}.t where id > 1")
    assert numbers("select id from {s}.t") == [(1,)]


# Names of three parts, SHOW -------------------------------------------------------------------------


def test_names_of_three_parts(client: Client) -> None:
    ((database,),) = client("select current_database()")
    client(f'create schema "{database}"."{{s}}_more"')
    client(f'create table "{database}"."{{s}}_more"."t" (id int primary key) distkey (id)')
    client(f"insert into {database}.{{s}}_more.t values (1)")
    client("create table {s}.u as select 1 as id union all select 2")
    client(
        f'merge into "{database}"."{{s}}_more"."t" using {{s}}.u on t.id = u.id when matched then update set id = u.id'
        " when not matched then insert values (u.id)"
    )
    assert client(f"select id from {database}.{{s}}_more.t order by 1") == [(1,), (2,)]
    client(f'drop schema "{database}"."{{s}}_more" cascade')


def test_show(numbers: Client) -> None:
    ((database,),) = numbers("select current_database()")
    numbers("create view {s}.v as select id from {s}.t")
    schemas = numbers(f"show schemas from database {database}")
    assert (database, numbers.schema) in [row[:2] for row in schemas]
    tables = numbers(f"show tables from schema {database}.{{s}}")
    assert [row[1:4] for row in tables] == [(numbers.schema, "t", "TABLE"), (numbers.schema, "v", "VIEW")]
    columns = numbers(f"show columns from table {database}.{{s}}.t")
    assert [(row[3], row[4], row[6], row[7], row[8]) for row in columns] == [
        ("id", 1, "YES", "integer", None),
        ("kind", 2, "YES", "character varying", 9),
    ]
    numbers("create view {s}.w as select id from {s}.t with no schema binding")
    numbers("create materialized view {s}.m as select id from {s}.t")
    numbers("create table {s}.laid_out (a int, b varchar(50), c date) distkey (a) compound sortkey (a, b)")
    ((user,),) = numbers("select current_user")
    tables = numbers(f"show tables from schema {database}.{{s}}")
    assert [(row[2], row[6], row[10]) for row in tables if not row[2].startswith("mv_tbl")] == [
        ("laid_out", user, "REGULAR TABLE"),
        ("m", user, "MATERIALIZED VIEW"),
        ("t", user, "REGULAR TABLE"),
        ("v", user, "REGULAR VIEW"),
        ("w", user, "LATE BINDING VIEW"),
    ]
    assert {row[2]: row[9] for row in tables if row[2] in ("t", "v")} == {"t": "AUTO (ALL)", "v": None}
    columns = numbers(f"show columns from table {database}.{{s}}.laid_out")
    assert [(row[3], *row[12:15], row[16]) for row in columns] == [
        ("a", "COMPOUND", 1, 1, None),
        ("b", "COMPOUND", 2, None, "default"),
        ("c", None, 0, None, None),
    ]
    numbers("drop materialized view {s}.m")
    assert "select" in numbers("show view {s}.v")[0][0].lower()
    assert database in [row[0] for row in numbers("show databases")]


def test_comment_in_dollars(numbers: Client) -> None:
    numbers("comment on table {s}.t is $dbt_comment$it's one; table$dbt_comment$")
    assert numbers("select obj_description(oid) from pg_class where oid = '{s}.t'::regclass") == [
        ("it's one; table",)
    ]


# The server as its clients see it -------------------------------------------------------------------


def test_every_client_sees_one_identity(warehouse: Warehouse) -> None:
    for connection in (warehouse.psycopg(), warehouse.redshift()):
        cursor = connection.cursor()
        cursor.execute("select version()")
        assert "PostgreSQL 8.0.2" in cursor.fetchone()[0]
        for query in ("show server_version", "select current_setting('server_version')"):
            cursor.execute(query)
            assert cursor.fetchone()[0] == "8.0.2"
        connection.close()
    connection = warehouse.psycopg()
    assert connection.info.parameter_status("server_version") == "8.0.2"
    connection.close()


# https://github.com/psycopg/psycopg/issues/122
def test_the_encoding_is_unicode_unless_the_client_asks(warehouse: Warehouse) -> None:
    asks: list[dict[str, str]] = [{"client_encoding": "utf8"}, {"options": "-c client_encoding=utf8"}]
    for more, name in (({}, "UNICODE"), *((each, "UTF8") for each in asks)):
        connection = warehouse.psycopg(**more)
        assert connection.info.parameter_status("client_encoding") == name
        cursor = connection.cursor()
        cursor.execute("show client_encoding")
        assert cursor.fetchone()[0] == name
        cursor.execute("select 'é'")
        assert cursor.fetchone()[0] == "é"
        connection.close()


# https://www.postgresql.org/docs/8.0/runtime-config.html
def test_current_setting_knows_no_newer_setting(sql: Client) -> None:
    assert sql("select current_setting('statement_timeout'), current_setting('datestyle')") == [
        ("0", "ISO, MDY")
    ]
    sql.fails("select current_setting('server_version_num')", "unrecognized configuration parameter")


def test_asyncpg_pool_takes_connections_back(warehouse: Warehouse) -> None:
    login = {key: warehouse.login[key] for key in ("host", "port", "user", "password")}

    async def use_twice() -> list[int]:
        pool = await asyncpg.create_pool(
            **login, database=warehouse.login["dbname"], min_size=1, max_size=1, statement_cache_size=0
        )
        values = []
        for number in (1, 2):
            async with pool.acquire() as connection:
                values.append(await connection.fetchval("select $1::int", number))
        await pool.close()
        return values

    assert asyncio.run(use_twice()) == [1, 2]
