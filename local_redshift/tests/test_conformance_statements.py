"""Statements of Amazon Redshift, put to the stand-in or to a real cluster (see warehouse.py)."""

from __future__ import annotations

import asyncio
import uuid
from decimal import Decimal
from typing import Any

import asyncpg
import psycopg2
import pytest
import redshift_connector
from warehouse import Client, Warehouse, stand_in


@pytest.fixture
def numbers(client: Client) -> Client:
    client("create table {s}.t (id int, kind varchar(9))")
    client("insert into {s}.t values (1, 'a'), (2, 'b'), (3, 'b'), (4, null)")
    return client


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
    ("select upper(kind) as kind, kind || 'z' as z from {s}.t where id = 1", [("A", "az")]),  # a column comes first
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
        # Another text each time: redshift_connector keeps what it has prepared.
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
    assert numbers("select count(*) from #copied") == [(2,)]
    other = Client(numbers.warehouse.psycopg(), numbers.schema, numbers.warehouse)
    other.fails("select * from #copied", "does not exist")
    other.connection.close()
    numbers("delete {s}.t where id > 1")
    assert numbers("select id from {s}.t") == [(1,)]


# Names of three parts, SHOW --------------------------------------------------------------------------


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
    assert "select" in numbers("show view {s}.v")[0][0].lower()
    assert database in [row[0] for row in numbers("show databases")]


def test_settings_have_their_defaults_before_set(client: Client) -> None:
    assert client("show query_group") == [("unset",)]
    client("set wlm_query_slot_count to 3")
    assert client("show wlm_query_slot_count") == [("3",)]
    client("reset all")
    assert client("show wlm_query_slot_count") == [("1",)]


def test_comment_in_dollars(numbers: Client) -> None:
    numbers("comment on table {s}.t is $dbt_comment$it's one; table$dbt_comment$")
    assert numbers("select obj_description('{s}.t'::regclass)") == [("it's one; table",)]


def test_materialized_view(numbers: Client) -> None:
    numbers(
        "create materialized view {s}.mv backup no diststyle key distkey (kind) sortkey (kind) auto refresh no"
        " as select kind, count(*) as n from {s}.t group by kind"
    )
    numbers("insert into {s}.t values (5, 'a')")
    assert numbers("select n from {s}.mv where kind = 'a'") == [(1,)]
    numbers("refresh materialized view {s}.mv")
    assert numbers("select n from {s}.mv where kind = 'a'") == [(2,)]
    numbers("drop materialized view {s}.mv")


def test_default_identity_takes_a_value_too(client: Client) -> None:
    client("create table {s}.t (id int default identity(10, 10), x int)")
    client("insert into {s}.t (x) values (1)")
    client("insert into {s}.t values (7, 2)")
    assert client("select id, x from {s}.t order by x") == [(10, 1), (7, 2)]


# Who it is ------------------------------------------------------------------------------------------


def test_every_client_sees_one_identity(warehouse: Warehouse) -> None:
    for connection in (warehouse.psycopg(), warehouse.redshift()):
        cursor = connection.cursor()
        cursor.execute("select version()")
        assert "PostgreSQL 8.0.2" in cursor.fetchone()[0]
        cursor.execute("show server_version")
        assert cursor.fetchone()[0] == "8.0.2"
        connection.close()
    connection = warehouse.psycopg()
    assert connection.info.parameter_status("server_version") == "8.0.2"
    connection.close()


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


@stand_in
def test_interval_is_never_read_wrongly(warehouse: Warehouse, sql: Client) -> None:
    sql.fails("select interval '1 day'", "INTERVAL", "varchar")
    assert sql("select (interval '1 day')::varchar, dateadd(day, 1, '2018-01-01'::timestamp) is null") == [
        ("1 day", False)
    ]


# Refused by Redshift -------------------------------------------------------------------------------

REFUSED = [
    ("savepoint a", "SAVEPOINT"),
    ("rollback to savepoint a", "not supported"),
    ("create table if not exists {s}.c as select 1 as x", ""),
    ("create table {s}.c (tag int)", "tag"),
    ("create table {s}.open (id int)", "open"),
    ("alter table {s}.t rename column kind to snapshot", "snapshot"),
    ("create table {s}.c (n numeric(39))", "38"),
    ("create table {s}.c (n char(5000))", "4096"),
    ("create table {s}.c (n timestamp(3))", ""),
    ("create table {s}.c (n regclass)", 'Column "c.n" has unsupported type "regclass"'),
    ("create table {s}.c (n jsonb)", 'Column "c.n" has unsupported type "jsonb"'),
    ("create function {s}.f (int) returns int as $$ select $1 $$ language sql", ""),
    (
        "create function {s}.f (int) returns bigint stable as $$ select count(*) from {s}.t $$ language sql",
        "",
    ),
    ("create table {s}.c (n tsquery)", ""),
    ("create table {s}.c (n int4range)", ""),
    ("alter table {s}.t alter column id type bigint", ""),
    ("alter table {s}.t alter column id type varchar(20)", ""),
    ("alter table {s}.t alter column id set default 1", ""),
    ("alter table {s}.t alter column id drop not null", ""),
    ("alter table {s}.t add column if not exists x int", ""),
    ("alter table {s}.t drop column if exists kind", ""),
    ("alter table {s}.t add column x int, add column y int", ""),
    ("alter table {s}.t add column x int not null", "NOT NULL"),
    ("select sum(id) over (order by id) from {s}.t", "frame clause"),
    ("select first_value(id) over (partition by kind order by id) from {s}.t", "frame clause"),
    ("select sum(id) over (order by id range between 1 preceding and current row) from {s}.t", ""),
    ("select count(*) over w from {s}.t window w as (partition by kind)", ""),
    ("select * from (values (1), (2)) v", ""),
    ("values (1)", ""),
    ("explain analyze select 1", ""),
    ("explain (costs off) select 1", ""),
    ("select age(getdate()) from {s}.t", ""),
    ("select now() from {s}.t", ""),
    ("select * from {s}.t limit 1 for update", ""),
    ("select json_each('{}')", ""),
    ("select jsonb_pretty('{}')", ""),
]


@pytest.mark.parametrize(
    ("statement", "word"), REFUSED, ids=lambda value: str(value).replace("{s}.", "")[:45]
)
def test_refused_as_there(numbers: Client, statement: str, word: str) -> None:
    numbers.fails(statement, word)


@stand_in
@pytest.mark.parametrize(
    ("statement", "word"),
    [
        ("select top 1 id from {s}.t union select 2", "sub-query"),
        ("select lag(id, 2) ignore nulls over (order by id) from {s}.t", "IGNORE NULLS"),
        ("create function {s}.f (int) returns int stable as $$ return 1 $$ language plpythonu", "FUNCTION"),
        (
            "select percentile_cont(0.5) within group (order by id) over (partition by kind) from {s}.t",
            "PERCENTILE",
        ),
        ("select listagg(distinct kind) within group (order by kind) over () from {s}.t", "LISTAGG"),
        ("create schema other_database.x", "other_database"),
        ("show grants for awsuser", "GRANTS"),
        ("show grants on table {s}.t for awsuser", "FOR"),
        ("create table {s}.c (n interval)", "INTERVAL"),
        ("set describe_field_name_in_uppercase to on", "describe_field_name_in_uppercase"),
        ("select 1 as " + "n" * 64, "63 bytes"),
        ("insert into {s}." + "n" * 64 + " values (1)", "63 bytes"),
    ],
    ids=lambda value: str(value)[:45],
)
def test_not_covered_by_name(numbers: Client, statement: str, word: str) -> None:
    numbers.fails(statement, word)


def test_null_is_refused_in_words_of_redshift(client: Client) -> None:
    client("create table {s}.t (id int not null)")
    client.fails("insert into {s}.t values (null)", "Cannot insert a NULL value into column id")


def test_keys_can_be_added_to_rows_that_break_them(client: Client) -> None:
    client("create table {s}.t (id int not null, name varchar(9))")
    client("insert into {s}.t values (1, 'a'), (1, 'a')")
    client("alter table {s}.t add primary key (id)")
    client("alter table {s}.t add constraint one_name unique (name, id)")
    client("insert into {s}.t values (1, 'a')")
    assert client("select count(*) from {s}.t") == [(3,)]
    assert client(
        "select constraint_name, constraint_type from information_schema.table_constraints where table_schema = '{s}'"
        " and constraint_type in ('PRIMARY KEY', 'UNIQUE') order by 1"
    ) == [("one_name", "UNIQUE"), ("t_pkey", "PRIMARY KEY")]


def test_sql_function(numbers: Client) -> None:
    numbers(
        "create or replace function {s}.later (timestamp, int) returns timestamp stable"
        " as $$ select dateadd(day, $2, $1) $$ language sql"
    )
    assert numbers("select {s}.later('2018-11-01'::timestamp, 2) = '2018-11-03'") == [(True,)]
    numbers("drop function {s}.later (timestamp, int)")


def test_ignore_nulls(client: Client) -> None:
    client("create table {s}.t (n int, x int)")
    client("insert into {s}.t values (1, 10), (2, null), (3, null), (4, 40)")
    frame = "rows between unbounded preceding and current row"
    assert client(
        "select n, lag(x) ignore nulls over (order by n), lead(x, 1) ignore nulls over (order by n),"
        f" last_value(x ignore nulls) over (order by n {frame}),"
        " first_value(x) ignore nulls over (order by n rows between current row and unbounded following),"
        " lag(x) respect nulls over (order by n)"
        " from {s}.t order by n"
    ) == [
        (1, None, 40, 10, 10, None),
        (2, 10, 40, 10, 40, 10),
        (3, 10, 40, 10, 40, None),
        (4, 10, None, 40, 40, None),
    ]


def test_varchar_grows(client: Client) -> None:
    client("create table {s}.t (name varchar(2))")
    client("alter table {s}.t alter column name type varchar(5)")
    client("insert into {s}.t values ('abcde')")
    client.fails("insert into {s}.t values ('abcdef')", "too long")


# ASSUMEROLE -----------------------------------------------------------------------------------------


@stand_in
def test_assumerole(warehouse: Warehouse, client: Client) -> None:
    """Only on the stand-in: it changes who may COPY on the whole cluster."""
    user = f"u_{uuid.uuid4().hex[:8]}"
    client(f"create user {user} password 'Local-pw-1234'")
    client("create table {s}.t (id int)")
    client(f"grant usage on schema {{s}} to {user}")
    client(f"grant select, insert on {{s}}.t to {user}")
    source = warehouse.put("assumerole.json", {"id": 1})
    other = Client(warehouse.redshift(user=user, password="Local-pw-1234"), client.schema, warehouse)
    other.copy("t", source)
    other.fails("revoke assumerole on all from public for all", "superuser")
    try:
        for _ in range(2):
            client("revoke assumerole on all from public for all")
        other.copy_fails("t", source, "json 'auto'", user, "ASSUMEROLE", warehouse.role, "COPY")
        unload = f"unload ('select 1') to '{source.removesuffix('assumerole.json')}{user}/' iam_role '{warehouse.role}'"
        other.fails(unload, user, "ASSUMEROLE", "UNLOAD")
        client.copy("t", source)
        for _ in range(2):
            client(f"grant assumerole on '{warehouse.role}' to {user} for copy, unload")
        other.copy("t", source)
        other(unload)
        client(f"revoke assumerole on '{warehouse.role}' from {user} for copy")
        other.copy_fails("t", source, "json 'auto'", "ASSUMEROLE")
    finally:
        client("grant assumerole on all to public for all")
    assert client("select count(*) from {s}.t") == [(3,)]
    other.connection.close()


def test_errors_of_both_drivers_name_the_reason(client: Client) -> None:
    with pytest.raises((redshift_connector.Error, psycopg2.Error), match="SAVEPOINT"):
        client("savepoint a")


MADE_OF_A_QUERY = [
    ("sum(price)", "numeric(38,2)"),
    ("coalesce(sum(price), 0)", "numeric(38,2)"),
    ("max(price)", "numeric(8,2)"),
    ("sum(big)", "bigint"),
    ("max(price * 2)", "numeric(19,2)"),
    ("max(price + 0.125)", "numeric(10,3)"),
    ("max(price / price)", "numeric(17,9)"),
    ("max(name)", "character varying(40)"),
    ("max(name::varchar(3))", "character varying(3)"),
    ("1.23", "numeric(3,2)"),
    ("'ab'", "character varying(2)"),
    ("case when sum(id) > 1 then 'ö' else 'b' end", "character varying(2)"),
    ("(select sum(price) from {s}.prices)", "numeric(38,2)"),
]


@pytest.mark.parametrize("kind", ["table", "view", "materialized view"])
def test_what_is_made_of_a_query_has_its_types(client: Client, kind: str) -> None:
    client("create table {s}.prices (id int, price numeric(8,2), name varchar(40), big bigint)")
    client("insert into {s}.prices values (1, 1.25, 'one', 1), (2, 2.5, 'two', 2)")
    columns = ", ".join(f"{value} as c{number}" for number, (value, _) in enumerate(MADE_OF_A_QUERY))
    client(f"create {kind} {{s}}.made as with q as (select {columns} from {{s}}.prices) select * from q"
           f" union all select * from q where c1 is null")  # fmt: skip
    found = client("select format_type(atttypid, atttypmod) from pg_attribute"
                   " where attrelid = '{s}.made'::regclass and attnum > 0 order by attnum")  # fmt: skip
    assert [type_ for (type_,) in found] == [type_ for _, type_ in MADE_OF_A_QUERY]
    found = client("select numeric_precision, numeric_scale, character_maximum_length"
                   " from information_schema.columns where table_schema = '{s}' and table_name = 'made'"
                   " and column_name in ('c0', 'c7') order by column_name")  # fmt: skip
    assert [tuple(row) for row in found] == [(38, 2, None), (None, None, 40)]
    assert client("select c0, c3, c7 from {s}.made") == [(Decimal("3.75"), 3, "two")]
    client("create table {s}.copied as select c0, c10, c0 * 2 as c from {s}.made -- a comment")
    found = client("select format_type(atttypid, atttypmod) from pg_attribute"
                   " where attrelid = '{s}.copied'::regclass and attnum > 0 order by attnum")  # fmt: skip
    assert found == [("numeric(38,2)",), ("character varying(2)",), ("numeric(38,2)",)]


def test_a_view_of_other_types_takes_the_place_of_one(client: Client) -> None:
    client("create view {s}.v as select 1.5 as n, 'a' as c")
    client("create or replace view {s}.v as select 22.25 as n, 'abc' as c")
    assert client("select format_type(atttypid, atttypmod) from pg_attribute"
                  " where attrelid = '{s}.v'::regclass and attnum > 0 order by attnum") == [
        ("numeric(4,2)",), ("character varying(3)",)
    ]  # fmt: skip
