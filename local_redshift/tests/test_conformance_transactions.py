"""Test transactions, locks and session settings.

The tests run on the stand-in or on a real cluster (see warehouse.py).
"""

from __future__ import annotations

import datetime
from concurrent.futures import ThreadPoolExecutor

from warehouse import Client, Warehouse, stand_in

MOMENT = datetime.datetime


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


def test_session_settings(client: Client) -> None:
    client("set query_group to 'nightly'")
    assert client("show query_group") == [("nightly",)]
    assert client("select current_setting('query_group'), current_setting('statement_timeout')") == [
        ("nightly", "0")
    ]
    client("reset query_group")
    client("set search_path to {s}, public")
    client("set enable_result_cache_for_session to off")
    client("create table a as select 1 as n union all select 2")
    client("insert into a select a.n from a, a b, a c, a d, a e, a f, a g, a h, a i, a j")
    client("set statement_timeout to 50")
    client.fails("select count(*) from a, a b, a c, a d where md5(a.n || b.n || c.n || d.n) = 'x'", "")
    client("set statement_timeout to 0")


def test_settings_have_their_defaults_before_set(client: Client) -> None:
    assert client("show query_group") == client("select current_setting('query_group')") == [("default",)]
    client("set wlm_query_slot_count to 3")
    assert client("show wlm_query_slot_count") == [("3",)]
    client("reset all")
    assert client("show wlm_query_slot_count") == [("1",)]


def test_several_statements_in_one_message(warehouse: Warehouse, sql: Client) -> None:
    """redshift_connector prepares each statement, so it sends only one per message. psql and psycopg2 can send more."""
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


# https://docs.aws.amazon.com/redshift/latest/dg/declare.html: one cursor at a time, in a transaction
def test_a_session_has_one_cursor(client: Client) -> None:
    client("begin")
    client("declare one cursor for select 1")
    client.fails("declare other cursor for select 2", "multiple cursors")
    client("rollback")
    client("begin")
    client("declare one cursor for select 1")
    client("close one")
    client("declare other cursor for select 2")
    assert client("fetch next from other") == [(2,)]
    client("commit")


# https://docs.aws.amazon.com/redshift/latest/dg/c_redshift-sql.html
def test_a_statement_has_16_megabytes_at_most(client: Client) -> None:
    client.fails(f"select '{'x' * 16_777_216}'", "too large")
