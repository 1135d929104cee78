"""Test the catalog: the system tables and views that describe tables, privileges, sessions and loads.

The tests run on the stand-in or on a real cluster (see warehouse.py).
"""

from __future__ import annotations

import pytest
import redshift_connector
from warehouse import Client, Warehouse, stand_in

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


def test_sort_keys_are_not_indexes(client: Client) -> None:
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


def test_pg_get_cols_takes_a_column_list(client: Client) -> None:
    client(TABLE)
    assert client(
        "select col_name, col_type from pg_get_cols('{s}.facts') cols(view_schema name, view_name name, col_name name,"
        " col_type varchar, col_num int) where col_num > 3 order by col_num"
    ) == [("note", "character varying(9)"), ("flag", "boolean")]


# The write_dataframe() of redshift_connector reads this view, and its own tests write to a temporary table.
def test_temporary_tables_are_in_svv_all_tables(client: Client) -> None:
    client("create temp table held (id int)")
    assert client("select table_type from svv_all_tables where table_name = 'held'") == [("TABLE",)]


# https://docs.aws.amazon.com/redshift/latest/dg/c_intro_catalog_views.html
def test_a_superuser_reads_the_whole_catalog(client: Client) -> None:
    for name in ("pg_statistic", "pg_largeobject"):
        client(f"select count(*) from {name}")


# https://docs.aws.amazon.com/redshift/latest/dg/r_SVV_COLUMNS.html (SQLMesh reads late-binding views' columns there)
def test_svv_columns_has_late_binding_views(client: Client) -> None:
    client(TABLE)
    client("create view {s}.late as select usr, note, ts from {s}.facts with no schema binding")
    assert client(
        "select column_name, ordinal_position, data_type, character_maximum_length, is_nullable, column_default"
        " from svv_columns where table_schema = '{s}' and table_name = 'late' order by 2"
    ) == [
        ("usr", 1, "integer", None, "YES", None),
        ("note", 2, "character varying", 9, "YES", None),
        ("ts", 3, "timestamp without time zone", None, "YES", None),
    ]


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


@stand_in
def test_an_ordinary_user_sees_only_what_he_may(warehouse: Warehouse, client: Client) -> None:
    client(TABLE)
    user = "o_" + client.schema
    client(f"create user {user} password 'Local-pw-1234'")
    other = Client(warehouse.psycopg(user=user, password="Local-pw-1234"), client.schema, warehouse)
    for name in ("svv_all_tables", "svv_all_columns", "svv_redshift_columns"):
        assert other(f"select table_name from {name} where schema_name = '{{s}}'") == []
    assert other(
        "select c.reldiststyle from pg_class c where relname = 'facts' and relkind = 'r' limit 1"
    ) == [(1,)]
    other.fails("select * from pg_catalog.local_load_errors", "permission denied")
    other.connection.close()
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
    source = client.warehouse.put("history.csv", raw=b"id\n1\n2\n")
    client("create table {s}.a (id int)")
    client.copy("a", source, "csv ignoreheader 1")
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
    "stl_query": "userid, query, label, xid, pid, database, querytxt, starttime, endtime, aborted",
    "stl_undone": "xact_id, xact_id_undone, undo_start_ts, table_id",
    "svl_qlog": "userid, query, elapsed, substring, source_query",
    "stv_inflight": "userid, slice, query, pid, text",
    "sys_query_history": "user_id, query_id, status, start_time, elapsed_time, execution_time, query_text",
    "sys_query_detail": "query_id, step_name, table_id, start_time, output_rows",
}


@stand_in  # These calls need a server that announces show_discovery: cursor.py of redshift_connector.
@pytest.mark.parametrize("call", ["get_functions", "get_imported_keys", "get_table_privileges"])
def test_newer_metadata_calls_say_what_is_missing(sql: Client, call: str) -> None:
    with pytest.raises(redshift_connector.InterfaceError, match="show discovery version"):
        getattr(sql.connection.cursor(), call)()


# https://docs.aws.amazon.com/redshift/latest/dg/c_join_PG.html: queries of the catalog may use Redshift's own SQL
@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("select top 1 table_name from information_schema.tables where {where} order by 1", ["one"]),
        ("select table_name from information_schema.tables where {where}"
         " qualify row_number() over (order by table_name) = 2", ["two"]),
        ("select table_name from information_schema.tables where {where}"
         " minus select 'one'", ["two"]),
        ("select max(dateadd(day, 1, '2018-11-01')::date::varchar) from information_schema.tables", ["2018-11-02"]),
    ],
    ids=["top", "qualify", "minus", "dateadd"],
)  # fmt: skip
def test_the_catalog_takes_redshifts_words(shared: Client, query: str, rows: list[str]) -> None:
    for name in ("one", "two"):
        shared(f"create table if not exists {{s}}.{name} (id int)")
    assert [row[0] for row in shared(query.format(where="table_schema = '{s}'"))] == rows


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


def test_a_table_may_have_a_name_that_begins_like_those_of_the_stand_in(client: Client) -> None:
    client("create table {s}.local_events (id int)")
    client("set search_path to {s}")
    ((database,),) = client("select current_database()")
    assert [row[2] for row in client(f"show tables from schema {database}.{{s}}")] == ["local_events"]
    for view, schema, table in (
        ("svv_tables", "table_schema", "table_name"),
        ("svv_columns", "table_schema", "table_name"),
        ("pg_table_def", "schemaname", "tablename"),
    ):
        found = client(f"select trim({table}) from {view} where {schema} = '{{s}}'")
        assert found == [("local_events",)], view
    client("reset search_path")


@stand_in
def test_the_objects_of_the_stand_in_are_not_listed(client: Client) -> None:
    for view, name in (
        ("svv_tables", "table_name"),
        ("pg_table_def", "tablename"),
        ("pg_class_info", "relname"),
    ):
        assert client(f"select {name} from {view} where {name} like 'local%'") == [], view
