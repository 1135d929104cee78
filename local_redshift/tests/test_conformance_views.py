"""Test late-binding and materialized views, the definitions of views, and the types of their columns.

The tests run on the stand-in or on a real cluster (see warehouse.py).
"""

from __future__ import annotations

from decimal import Decimal

import pytest
from warehouse import Client


def test_a_late_binding_view_follows_the_name(client: Client) -> None:
    client("create table {s}.a (id int, name varchar(9))")
    client("insert into {s}.a values (1, 'one')")
    client("create view {s}.late as select id, name from {s}.a with no schema binding")
    client("create or replace view {s}.later (number) as (select id from {s}.late) with no schema binding")
    [(definition,)] = client("select pg_get_viewdef('{s}.late'::regclass, true)")
    assert definition.rstrip(";") == (
        f"create view {client.schema}.late as select id, name from {client.schema}.a with no schema binding"
    )
    columns = (
        "select view_name, col_name, col_type from pg_get_late_binding_view_cols() cols(view_schema name,"
        " view_name name, col_name name, col_type varchar, col_num int) where view_schema = '{s}' order by 1, col_num"
    )
    assert client(columns) == [
        ("late", "id", "integer"),
        ("late", "name", "character varying(9)"),
        ("later", "number", "integer"),
    ]
    assert (
        client("select attname from pg_attribute where attrelid = '{s}.late'::regclass and attnum > 0") == []
    )
    client("alter table {s}.a rename to former")
    client("create table {s}.a (id int, name varchar(9))")
    client("insert into {s}.a values (2, 'two')")
    assert client("select * from {s}.late") == [(2, "two")]
    client("drop table {s}.a")
    client.fails("select * from {s}.late", "does not exist")
    client.fails("select * from {s}.later", "does not exist")
    client("create table {s}.a distkey (id) as select 3::bigint as id, 'three'::varchar(5) as name")
    assert client("select number from {s}.later") == [(3,)]
    assert client("select id, name from {s}.late") == [(3, "three")]
    assert client("select column_name from information_schema.columns where table_name = 'late'") == []
    client("drop view {s}.late")
    client.fails("select * from {s}.later", "does not exist")


def test_a_late_binding_view_comes_before_its_table(client: Client) -> None:
    for begin, end in (("begin", "commit"), ("select 1", "select 1")):
        client("drop table if exists {s}.later cascade")
        client(begin)
        client("create or replace view {s}.early (number) as select id from {s}.later with no schema binding")
        client(end)
        client.fails("select * from {s}.early", "does not exist")
        client("rollback")
        assert client(
            "select * from pg_get_late_binding_view_cols() cols(view_schema name, view_name name, col_name name,"
            " col_type varchar, col_num int) where view_schema = '{s}'"
        ) == []  # fmt: skip
        client("create table {s}.later (id int)")
        client("insert into {s}.later values (7)")
        assert client("select number from {s}.early") == [(7,)]
    client("drop view {s}.early")
    client("create view {s}.early as select nothing from {s}.later with no schema binding")


def test_the_definition_of_a_view_names_the_table_of_each_column(client: Client) -> None:
    client("create table {s}.a (id int, name varchar(9))")
    client("create view {s}.v as select id, upper(name) as big from {s}.a where name > 'a' order by id")
    client("create view {s}.late as select id from {s}.a with no schema binding")
    found = dict(client("select viewname, definition from pg_views where schemaname = '{s}'"))
    assert found["v"].split() == (
        f"SELECT a.id, upper((a.name)::text) AS big FROM {client.schema}.a"
        " WHERE ((a.name)::text > 'a'::text) ORDER BY a.id;"
    ).split()  # fmt: skip
    assert found["late"].startswith("create view")
    [(definition,)] = client("select view_definition from information_schema.views where table_name = 'late'")
    assert definition == found["late"]


def test_a_materialized_view_is_a_view(client: Client) -> None:
    client("create table {s}.a (id int)")
    client("insert into {s}.a values (1)")
    client("create materialized view {s}.m as select id from {s}.a")
    for name in ("information_schema.views where table_schema", "pg_views where schemaname"):
        [(definition,)] = client(
            f"select lower({'view_' if 'info' in name else ''}definition) from {name} = '{{s}}'"
        )
        assert "create materialized view" in definition
    assert client("select trim(name) from svv_mv_info where trim(schema_name) = '{s}'") == [("m",)]
    assert client(
        "select table_name, table_type from information_schema.tables where table_schema = '{s}' order by 1"
    ) == [("a", "BASE TABLE"), ("m", "VIEW")]
    assert client(
        "select column_name from information_schema.columns where table_name = 'm' and table_schema = '{s}'"
    ) == [("id",)]
    assert client("select relkind from pg_class where oid = '{s}.m'::regclass") == [("v",)]
    client("create view {s}.v as select id from {s}.m")
    for view in ("m", "v"):
        client(f"comment on view {{s}}.{view} is $$it's {view}$$")
        assert client(
            f"select obj_description(oid, 'pg_class') from pg_class where oid = '{{s}}.{view}'::regclass"
        ) == [(f"it's {view}",)]
    client("comment on view {s}.v is null")
    client.fails("drop view {s}.m cascade", "materialized")
    client.fails("drop materialized view {s}.m", "depend")
    client.fails("drop table {s}.a", "depend")
    client.fails("refresh materialized view {s}.v", "not a materialized view")
    client("drop materialized view if exists {s}.nothing")
    client("drop materialized view {s}.m cascade")
    client("create materialized view {s}.m auto refresh yes as select id from {s}.a")
    assert client("select autorefresh from svv_mv_info where trim(schema_name) = '{s}'") == [("t",)]
    own = f"trim(name) = 'm' and trim(schema) = '{client.schema}'"
    assert client(f"select autorefresh from stv_mv_info where {own}") == [("t",)]
    client("alter materialized view {s}.m auto refresh no")
    assert client(f"select autorefresh from stv_mv_info where {own}") == [("f",)]
    client.fails("alter materialized view {s}.a auto refresh yes", "not a materialized view")
    client("drop table {s}.a cascade")
    assert client("select viewname from pg_views where schemaname = '{s}'") == []


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


def test_late_binding_views_whose_names_are_in_each_other(client: Client) -> None:
    """Four such views hung the server, which recreated each view for every other one whose name is in its text."""
    client("create table {s}.orders (e int, s int, l int, o int)")
    for name in ("e", "s", "l", "o", "e"):
        client(
            f"create or replace view {{s}}.{name} as select e, s, l, o from {{s}}.orders with no schema binding"
        )
    client("create or replace view {s}.reads as select e from {s}.e with no schema binding")
    client("insert into {s}.orders values (1, 2, 3, 4)")
    assert client("select * from {s}.o") == [(1, 2, 3, 4)]
    client("drop table {s}.orders")
    client("create table {s}.orders (e varchar(3), s int, l int, o int)")
    client("insert into {s}.orders values ('a', 2, 3, 4)")
    assert client("select e from {s}.reads") == [("a",)]
