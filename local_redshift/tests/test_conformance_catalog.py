"""Functions and catalog of Amazon Redshift, put to the stand-in or to a real cluster (see warehouse.py)."""

from __future__ import annotations

import datetime
import math
from decimal import Decimal
from typing import Any

import pytest
from warehouse import Client, Warehouse, stand_in

DAY, MOMENT = datetime.date, datetime.datetime
UTC = datetime.UTC

EXPRESSIONS: list[tuple[str, Any]] = [
    ("dateadd(week, 1, '2018-11-01')", MOMENT(2018, 11, 8)),
    ("dateadd(qtr, -1, '2018-12-31'::timestamp)", MOMENT(2018, 9, 30)),
    ("dateadd(hr, 1, '2018-11-01 00:00+00'::timestamptz)", MOMENT(2018, 11, 1, 1, tzinfo=UTC)),
    ("dateadd(day, 1, null::timestamp)", None),
    ("datediff(week, '2018-11-03', '2018-11-04')", 1),  # Saturday, Sunday
    ("datediff(year, '2018-12-31', '2019-01-01')", 1),
    ("datediff(quarter, '2019-01-01', '2018-12-31')", -1),
    ("datediff(month, '2018-12-31', '2018-01-01')", -11),
    ("datediff(day, '2018-11-01 23:59', '2018-11-02 00:00')", 1),
    ("datediff(hour, '2018-11-01 00:59', '2018-11-01 01:00')", 1),
    ("datediff(min, '1969-12-31 23:59:59', '1970-01-01')", 1),
    ("datediff(s, '2018-11-01 00:00:00.9', '2018-11-01 00:00:01')", 1),
    ("datediff(ms, '2018-11-01 00:00:00.0009', '2018-11-01 00:00:00.0011')", 1),
    ("datediff(us, '2018-11-01', '2018-11-01 00:00:00.000007')", 7),
    ("datediff(day, '2018-11-01'::timestamp, null::timestamp)", None),
    ("months_between('2018-11-03', '2018-10-03')", 1.0),
    ("months_between('2018-02-28'::date, '2018-01-31'::date)", 1.0),
    ("next_day('2018-11-03', 'Sat')", DAY(2018, 11, 10)),
    ("date_part_year('2018-11-03'::date)", 2018),
    ("round(2.345::float8, 1)", 2.3),
    ("round(-2.5::float8, 0)", -3.0),
    ("trunc(2.39::float8, 1)", 2.3),
    ("round(2.345, 2)", Decimal("2.35")),
    ("round(12345, -2)", Decimal("12300")),
    ("sqrt(4.0)", 2.0),
    ("power(2.0, 3)", 8.0),
    ("concat('a', 'b')", "ab"),
    ("concat('a', null)", None),
    ("concat('a'::varchar, 1)", "a1"),
    ("'a' + 'b'", "ab"),
    ("json_array_length('[1, 2]')", 2),
    ("json_array_length('[1', true)", None),
    ("json_extract_array_element_text('[1, \"b\"]', 1)", "b"),
    ("json_extract_array_element_text('[1]', -1)", None),
    ("json_extract_path_text('{\"a\": 1', 'a', true)", None),
    ("json_extract_path_text('{\"a\": {\"b\": 1}}', 'a', 'b', true)", "1"),
    ("json_extract_path_text('{\"a\": 1}', 'b')", None),
    ("is_valid_json('{\"a\": 1')", False),
    ("is_valid_json_array('[1]')", True),
    ("true = 1", True),
]


@pytest.mark.parametrize(("expression", "expected"), EXPRESSIONS, ids=lambda value: str(value)[:60])
def test_expression(shared: Client, expression: str, expected: Any) -> None:
    [(value,)] = shared(f"select {expression}")
    assert value == expected and isinstance(value, type(expected))


def test_averages_of_integers_are_whole(client: Client) -> None:
    client("create table {s}.a (i int, j smallint, k bigint, f float8)")
    client(
        "insert into {s}.a values (1, 1, 9223372036854775807, 1), (2, -2, 9223372036854775806, 2),"
        " (null, null, null, null)"
    )
    assert client("select avg(i), avg(j), avg(k), avg(f) from {s}.a") == [(1, 0, 9223372036854775806, 1.5)]
    assert client("select avg(i) from {s}.a where i > 5") == [(None,)]
    rows = client(
        "select i, avg(i) over (order by i rows between 1 preceding and current row) from {s}.a order by i"
    )
    assert rows == [(1, 1), (2, 1), (None, 2)]


def test_deviations_are_floating_point(client: Client) -> None:
    client("create table {s}.a (i int, d decimal(9, 2))")
    client("insert into {s}.a values (1, 1), (2, 2)")
    [values] = client("select stddev(i), stddev_pop(d), variance(i), var_pop(d) from {s}.a")
    assert values == (math.sqrt(0.5), 0.5, 0.5, 0.25)
    assert all(isinstance(value, float) for value in values)


def test_an_integer_is_a_condition(client: Client) -> None:
    client("create table {s}.a (i int, b boolean)")
    client("insert into {s}.a values (1, true), (2, false)")
    assert client("select i from {s}.a where 1 and b = 1") == [(1,)]


LACKS = [
    "starts_with('ab', 'a')", "regexp_like('ab', 'a')", "string_to_array('a,b', ',')", "bit_length('a')",
    "overlay('abc' placing 'x' from 1)", "div(5, 2)", "gcd(4, 6)", "width_bucket(5, 0, 10, 5)", "make_date(2018, 1, 1)",
    "justify_days(interval '40 days')", "sind(30)", "random_normal()", "date_add(now(), interval '1 day')",
]  # fmt: skip


@pytest.mark.parametrize("expression", LACKS)
def test_postgres_alone_has_the_function(shared: Client, expression: str) -> None:
    shared.fails(f"select {expression}")


def test_postgres_alone_has_the_aggregate(shared: Client) -> None:
    shared("create table if not exists {s}.numbers (i float8)")
    for name in ("mode() within group (order by i)", "corr(i, i)", "regr_slope(i, i)", "bit_xor(i::int)"):
        shared.fails(f"select {name} from {{s}}.numbers")


# The catalog --------------------------------------------------------------------------------------

TABLE = (
    "create table {s}.facts (id bigint identity(0, 1), usr int not null, ts timestamp not null, note varchar(9),"
    " flag boolean default false, primary key (id)) diststyle key distkey (usr) compound sortkey (ts, usr)"
)


def test_own_columns_of_the_system_tables(client: Client) -> None:
    client(TABLE)
    client("create table {s}.everywhere (id int) diststyle all")
    client("create table {s}.evenly (id int) diststyle even")
    assert client(
        "select c.relname, c.reldiststyle from pg_class c join pg_namespace n on n.oid = c.relnamespace"
        " where n.nspname = '{s}' and c.relkind = 'r' order by 1"
    ) == [("evenly", 0), ("everywhere", 8), ("facts", 1)]
    assert client(
        "select attname from pg_attribute where attisdistkey and attrelid = '{s}.facts'::regclass"
    ) == [("usr",)]
    assert client(
        "select a.attname, a.attisdistkey, a.attsortkeyord, format_encoding(a.attencodingtype::integer)"
        " from pg_attribute a where a.attrelid = '{s}.facts'::regclass and a.attnum > 0 order by a.attnum"
    ) == [
        ("id", False, 0, "az64"),
        ("usr", True, 2, "none"),
        ("ts", False, 1, "none"),
        ("note", False, 0, "lzo"),
        ("flag", False, 0, "none"),
    ]
    rows = client(
        "select a.attname, d.adsrc, pg_get_expr(d.adbin, d.adrelid) from pg_attrdef d join pg_attribute a"
        " on a.attrelid = d.adrelid and a.attnum = d.adnum where d.adrelid = '{s}.facts'::regclass order by a.attnum"
    )
    assert [row[0] for row in rows] == ["id", "flag"] and rows[1][1:] == ("false", "false")
    assert rows[0][1] == rows[0][2] and rows[0][1].startswith('"identity"(') and "'0,1'" in rows[0][1]
    assert client(
        "select relname, reldiststyle, releffectivediststyle, relcreationtime is not null from pg_class_info"
        " where relname = 'evenly'"
    ) == [("evenly", 0, 0, True)]
    assert client(
        "select attname, attsortkeyord from pg_attribute_info where attrelid = '{s}.facts'::regclass"
        " and attsortkeyord > 0 order by 2"
    ) == [("ts", 1), ("usr", 2)]
    assert client("select count(*) > 0 from pg_proc_info where proname = 'getdate' or proname = 'lower'") == [
        (True,)
    ]


def test_sort_keys_are_no_indexes(client: Client) -> None:
    client(TABLE)
    client("create temp table c (id int) sortkey (id)")
    assert (
        client(
            "select i.relname from pg_index x join pg_class i on i.oid = x.indexrelid"
            " where x.indrelid = '{s}.facts'::regclass and not x.indisprimary"
        )
        == []
    )
    assert (
        client(
            "select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.relkind = 'i'"
            " and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_toast'"
            " and c.relname like '%sort%'"
        )
        == []
    )
    client("insert into {s}.facts (usr, ts) values (1, '2018-11-01')")
    client("alter table {s}.facts rename to history")
    assert client("select usr from {s}.history where ts = '2018-11-01'") == [(1,)]
    client("drop table {s}.history")


def test_views_of_all_relations(client: Client) -> None:
    client(TABLE)
    client("create view {s}.latest as select usr, note from {s}.facts")
    client("comment on table {s}.facts is 'plays'")
    client("comment on column {s}.facts.note is 'why'")
    assert client(
        "select table_name, table_type, remarks from svv_tables where table_schema = '{s}' order by 1"
    ) == [("facts", "BASE TABLE", "plays"), ("latest", "VIEW", None)]
    for name in ("svv_all_tables", "svv_redshift_tables"):
        assert client(
            f"select database_name = current_database(), table_name, table_type from {name}"
            " where schema_name = '{s}' order by 2"
        ) == [(True, "facts", "TABLE"), (True, "latest", "VIEW")]
    assert client(
        "select column_name, ordinal_position, is_nullable, data_type, character_maximum_length, remarks"
        " from svv_columns where table_schema = '{s}' and table_name = 'facts' and ordinal_position > 3 order by 2"
    ) == [("note", 4, "YES", "character varying", 9, "why"), ("flag", 5, "YES", "boolean", None, None)]
    assert client(
        "select column_name, data_type, character_maximum_length, remarks from svv_all_columns"
        " where schema_name = '{s}' and table_name = 'latest' order by ordinal_position"
    ) == [("usr", "integer", None, None), ("note", "character varying", 9, None)]
    assert client(
        "select column_name, data_type, encoding, distkey, sortkey from svv_redshift_columns"
        " where schema_name = '{s}' and table_name = 'facts' and ordinal_position in (2, 4) order by ordinal_position"
    ) == [("usr", "integer", "none", True, 2), ("note", "character varying(9)", "lzo", False, 0)]
    for name in ("svv_all_schemas", "svv_redshift_schemas"):
        assert client(f"select schema_type from {name} where schema_name = '{{s}}'") == [("local",)]
    assert client("select count(*) from svv_redshift_databases where database_name = current_database()") == [
        (1,)
    ]


def test_table_info(client: Client) -> None:
    client(TABLE)
    client("create table {s}.empty (id int)")
    client("insert into {s}.facts (usr, ts, note) values (1, '2018-11-01', 'a'), (2, '2018-11-02', 'b')")
    assert client(
        'select "table", diststyle, sortkey1, trim(sortkey1_enc), sortkey_num, max_varchar, tbl_rows, size > 0,'
        " pct_used is not null, unsorted is null or unsorted >= 0, skew_rows >= 0, create_time is not null"
        " from svv_table_info where \"schema\" = '{s}'"
    ) == [("facts", "KEY(usr)", "ts", "none", 2, 9, 2, True, True, True, True, True)]


def test_late_binding_columns_take_a_column_list(client: Client) -> None:
    assert (
        client(
            "select * from pg_get_late_binding_view_cols() cols(view_schema name, view_name name, col_name name,"
            " col_type varchar, col_num int) where view_schema = '{s}'"
        )
        == []
    )
    client(TABLE)
    assert client(
        "select col_name, col_type from pg_get_cols('{s}.facts') cols(view_schema name, view_name name, col_name name,"
        " col_type varchar, col_num int) where col_num > 3 order by col_num"
    ) == [("note", "character varying(9)"), ("flag", "boolean")]


def test_privileges(client: Client) -> None:
    client(TABLE)
    user = "g_" + client.schema
    client(f"create user {user} password disable")
    try:
        client(f"grant select on {{s}}.facts to {user} with grant option")
        client(f"grant usage on schema {{s}} to {user}")
        assert client(
            "select relation_name, privilege_type, identity_name, identity_type, admin_option"
            f" from svv_relation_privileges where namespace_name = '{{s}}' and identity_name = '{user}'"
        ) == [("facts", "SELECT", user, "user", True)]
        assert client(
            "select privilege_type, identity_name from svv_schema_privileges"
            f" where namespace_name = '{{s}}' and identity_name = '{user}'"
        ) == [("USAGE", user)]
        group = "gg_" + client.schema
        client(f"create group {group}")
        client(f"grant insert on {{s}}.facts to group {group}")
        cursor = client.connection.cursor()
        cursor.execute(f"show grants on table {client.schema}.facts")
        columns = [
            column[0] if isinstance(column[0], str) else column[0].decode() for column in cursor.description
        ]
        grants = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
        chosen = ("object_name", "privilege_type", "identity_name", "identity_type")
        found = {tuple(grant[name] for name in chosen) for grant in grants}
        assert {("facts", "INSERT", "/" + group, "role"), ("facts", "SELECT", user, "user")} <= found
        client(f"revoke all on {{s}}.facts from group {group}")
        client(f"drop group {group}")
        assert client(f"select superuser from svv_user_info where user_name = '{user}'") == [(False,)]
    finally:
        client(f"revoke all on {{s}}.facts from {user}")
        client(f"revoke all on schema {{s}} from {user}")
        client(f"drop user {user}")


def test_sessions_are_real(client: Client) -> None:
    assert client("select count(*) from stv_sessions where process = pg_backend_pid()") == [(1,)]
    client(TABLE)
    client("begin")
    client("lock {s}.facts")
    assert client(
        "select count(*) > 0 from stv_locks where table_id = '{s}.facts'::regclass::oid"
        " and lock_owner_pid = pg_backend_pid()"
    ) == [(True,)]
    assert client("select count(*) > 0 from svv_transactions where pid = pg_backend_pid()") == [(True,)]
    client("rollback")


def test_loads_have_a_history(client: Client) -> None:
    source = client.warehouse.put("history.json", {"id": 1}, {"id": 2})
    client("create table {s}.a (id int)")
    client.copy("a", source)
    assert client(
        "select trim(status), trim(table_name), loaded_rows, source_file_count from sys_load_history"
        " where query_id = pg_last_copy_id()"
    ) == [("completed", "a", 2, 1)]


EMPTY = {
    "svv_external_schemas": "esoid, eskind, schemaname, esowner, databasename, esoptions",
    "svv_external_tables": "schemaname, tablename, tabletype, location, parameters",
    "svv_external_columns": "schemaname, tablename, columnname, external_type, columnnum, part_key, is_nullable",
    "svv_external_databases": "eskind, databasename",
    "svv_external_partitions": 'schemaname, tablename, "values", location',
    "svv_datashares": "share_name, share_type, is_publicaccessible",
    "svv_mv_info": "database_name, schema_name, user_name, name, is_stale, state, autorefresh, autorewrite",
    "svv_roles": "role_id, role_name, role_owner",
    "svv_role_grants": "role_id, granted_role_id",
    "svv_user_grants": "user_id, role_id, admin_option",
    "svv_system_privileges": "system_privilege, identity_name",
    "svv_alter_table_recommendations": "type, database, table_id, ddl",
    "stl_query": "userid, query, label, xid, pid, database, querytxt, starttime, endtime, aborted",
    "stl_querytext": "userid, xid, pid, query, sequence, text",
    "stl_undone": "xact_id, xact_id_undone, undo_start_ts, table_id",
    "stl_tr_conflict": "xact_id, process_id, abort_time, table_id",
    "stl_wlm_query": "query, service_class, total_queue_time, total_exec_time",
    "stl_insert": "query, slice, rows, tbl",
    "stl_scan": "query, rows, bytes, tbl, perm_table_name",
    "stl_explain": "query, nodeid, parentid, plannode",
    "stl_alert_event_log": "query, event, solution, event_time",
    "stl_ddltext": "userid, xid, pid, starttime, sequence, text",
    "svl_qlog": "userid, query, elapsed, substring, source_query",
    "svl_statementtext": "userid, xid, type, text",
    "svl_query_summary": "query, stm, seg, step, rows, bytes, is_diskbased",
    "stv_inflight": "userid, slice, query, pid, text",
    "stv_blocklist": "slice, col, tbl, blocknum",
    "stv_wlm_query_state": "query, service_class, state",
    "sys_query_history": "user_id, query_id, status, start_time, elapsed_time, execution_time, query_text",
    "sys_query_text": "query_id, sequence, text",
    "sys_query_detail": "query_id, step_name, table_id, start_time, output_rows",
    "sys_transaction_history": "transaction_id, status, commit_end_time",
    "sys_unload_history": "query_id, unloaded_rows, unloaded_files_count",
}


@pytest.mark.parametrize("name", EMPTY)
def test_view_has_the_documented_columns(shared: Client, name: str) -> None:
    rows = shared(f"select {EMPTY[name]} from pg_catalog.{name} where 1 limit 1")
    if name.startswith("svv_") and "mv" not in name:
        assert rows == []


def test_every_database_is_a_redshift(warehouse: Warehouse, sql: Client) -> None:
    name = "d_" + sql.schema
    sql(f"create database {name}")
    try:
        other = Client(warehouse.psycopg(dbname=name), "public", warehouse)
        other("create table {s}.keyed (id int primary key, name varchar(3)) diststyle all sortkey (id)")
        other("insert into {s}.keyed values (1, 'a'), (1, 'it\\'s'::varchar(3))")
        assert other("select count(*), avg(id), count(getdate()) from {s}.keyed") == [(2, 1, 2)]
        other.fails("insert into {s}.keyed values (2, 'üü')", "too long")
        assert other("select diststyle from svv_table_info where \"table\" = 'keyed'") == [("ALL",)]
        other.connection.close()
    finally:
        sql(f"drop database {name}")


def test_foreign_keys_are_declared_but_not_enforced(client: Client) -> None:
    client("create table {s}.users (id int primary key, name varchar(9) unique)")
    client(
        "create table if not exists {s}.plays (usr int references {s}.users (id), friend int, name varchar(9),"
        " constraint friends foreign key (friend) references {s}.users, foreign key (name) references {s}.users (name))"
    )
    client("create table if not exists {s}.plays (usr int references {s}.users (id))")
    client("insert into {s}.users values (1, 'a'), (1, 'a')")
    client("insert into {s}.plays values (7, 8, 'nobody')")
    rows = client(
        "select pg_get_constraintdef(oid) from pg_constraint where conrelid = '{s}.plays'::regclass and contype = 'f'"
        " order by 1"
    )
    assert [row[0].replace(client.schema + ".", "") for row in rows] == [
        "FOREIGN KEY (friend) REFERENCES users(id)",
        "FOREIGN KEY (name) REFERENCES users(name)",
        "FOREIGN KEY (usr) REFERENCES users(id)",
    ]
    client("create table {s}.more (usr int)")
    client("insert into {s}.more values (9)")
    client("alter table {s}.more add constraint more_fk foreign key (usr) references {s}.users (id)")
    client("insert into {s}.users values (1, 'a')")
    assert client("select conname from pg_constraint where conrelid = '{s}.more'::regclass") == [("more_fk",)]
    client("truncate {s}.users")
    client.fails("drop table {s}.users", "depend")
    client.fails("create table {s}.wrong (usr int references {s}.more (usr))", "unique constraint")


def test_encodings_are_kept(client: Client) -> None:
    client("create table {s}.a (i int encode zstd, n varchar(9) encode raw, d date)")
    client("create table {s}.b (like {s}.a)")
    client("set search_path to {s}")
    for table in ("a", "b"):
        assert client(
            f"select \"column\", trim(encoding) from pg_table_def where schemaname = '{{s}}' and tablename = '{table}'"
        ) == [("i", "zstd"), ("n", "none"), ("d", "az64")]


def test_an_interleaved_sort_key_alternates_in_sign(client: Client) -> None:
    client("create table {s}.a (x int, y int, z int) interleaved sortkey (x, y, z)")
    rows = client(
        "select a.attsortkeyord from pg_attribute a where a.attrelid = '{s}.a'::regclass and a.attnum > 0"
        " order by a.attnum"
    )
    assert [abs(place) for (place,) in rows] == [1, 2, 3]
    assert rows[0][0] * rows[1][0] < 0 and rows[1][0] * rows[2][0] < 0


def test_identity_is_not_null_only_if_it_says_so(client: Client) -> None:
    client("create table {s}.a (i int identity(1, 3), n int)")
    client("create table {s}.b (i int identity(1, 3) not null, n int)")
    client("create table {s}.c (i int identity(1, 3), n int, primary key (i))")
    assert client(
        "select c.relname, a.attnotnull from pg_attribute a join pg_class c on c.oid = a.attrelid"
        " where a.attname = 'i' and c.oid in ('{s}.a'::regclass, '{s}.b'::regclass, '{s}.c'::regclass) order by 1"
    ) == [("a", False), ("b", True), ("c", True)]
    client("insert into {s}.a (n) values (1), (2)")
    assert client("select count(distinct i) from {s}.a where i is not null") == [(2,)]
    client("alter table {s}.a drop column i")


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


def test_types_that_can_only_be_declared(client: Client) -> None:
    client("create table {s}.docs (id int, doc super, place geometry, users hllsketch)")
    client("insert into {s}.docs (id) values (1)")
    found = client("select atttypid, format_type(atttypid, atttypmod) from pg_attribute"
                   " where attrelid = '{s}.docs'::regclass and attnum > 1 order by attnum")  # fmt: skip
    assert found == [(4000, "super"), (3000, "geometry"), (2935, "hllsketch")]
    assert client("select * from {s}.docs") == [(1, None, None, None)]
    cursor = client.connection.cursor()
    cursor.execute(f"select doc, place, users from {client.schema}.docs")
    assert [column[1] for column in cursor.description] == [4000, 3000, 2935]


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
        assert client(f"select obj_description('{{s}}.{view}'::regclass, 'pg_class')") == [(f"it's {view}",)]
    client("comment on view {s}.v is null")
    client.fails("drop view {s}.m cascade", "materialized")
    client.fails("drop materialized view {s}.m", "depend")
    client.fails("drop table {s}.a", "depend")
    client.fails("refresh materialized view {s}.v", "not a materialized view")
    client("drop materialized view if exists {s}.nothing")
    client("drop materialized view {s}.m cascade")
    client("create materialized view {s}.m auto refresh yes as select id from {s}.a")
    assert client("select autorefresh from svv_mv_info where trim(schema_name) = '{s}'") == [("t",)]
    client("drop table {s}.a cascade")
    assert client("select viewname from pg_views where schemaname = '{s}'") == []


@stand_in
def test_an_ordinary_user_sees_only_what_he_may(warehouse: Warehouse, client: Client) -> None:
    client(TABLE)
    user = "o_" + client.schema
    client(f"create user {user} password 'Local-pw-1234'")
    other = Client(warehouse.psycopg(user=user, password="Local-pw-1234"), client.schema, warehouse)
    for name in ("svv_all_tables", "svv_all_columns", "svv_redshift_columns"):
        assert other(f"select table_name from {name} where schema_name = '{{s}}'") == []
    assert other(
        "select reldiststyle(c) from pg_class c where relname = 'facts' and relkind = 'r' limit 1"
    ) == [(1,)]
    other.fails("select * from pg_catalog.local_load_errors", "permission denied")
    other.connection.close()
    client(f"drop user {user}")
