"""Test the edits that translate Redshift's SQL to PostgreSQL's, and that all other text remains unchanged."""

from __future__ import annotations

import pytest
from local_redshift.copy.objects import steps
from local_redshift.copy.options import parse
from local_redshift.errors import SqlError
from local_redshift.sql.documented.check import check_shape
from local_redshift.sql.statement import Statement
from local_redshift.sql.statements import translate

UNTOUCHED = [
    "select 1",
    "select 'create table t (a int) distkey (a); -- no' as \"sortkey\" from t where x = 'it''s' -- unload; copy",
    "insert into t select a, b from s /* on conflict */ where c like '%\\\\_%'",
    "update t set note = 'returning' where id = 3",
    "create schema x",
    "select array_to_string(array(select 1), ','), c.relacl[1] from pg_catalog.pg_class c",
    "delete from t using s where t.id = s.id and t.at >= '2018-11-01'",
    "set search_path to a, b",
    "grant select on all tables in schema s to group g",
    "comment on table t is 'a; b'",
    "select a # 3 from t",
]


@pytest.mark.parametrize("sql", UNTOUCHED)
def test_other_statements_pass_as_they_are(sql: str) -> None:
    assert translate(sql) == [Statement("plain", sql)]


def test_a_view_waits_for_the_types_of_its_query() -> None:
    (statement,) = translate("create view v as select filter from t")
    assert (statement.kind, statement.text) == ("query", "select filter from t")
    assert statement.finish is not None
    assert statement.finish([]).text == "create view v as select filter from t"


EDITED = [
    ("select  NVL( a , b )\n-- x", "select  coalesce( a , b )\n-- x"),
    ("select nvl(decode(a, 1, nvl(b, 2)), c)", None),
    ("select dateadd(Day, -1, sysdate)", "select date_add('day', -1, pg_catalog.\"timestamp\"())"),
    ("select datediff ('hour', a, b)", "select date_diff('hour', a, b)"),
    ("select t.sysdate, t.nvl from t", "select t.sysdate, t.nvl from t"),
    (
        "select listagg(distinct a, ', ') within group (order by a desc) from t",
        "select pg_catalog.listagg(distinct a, ', ' order by a desc) from t",
    ),
    ("select a::decimal, b::decimal(3,1)", "select a::numeric(18,0), b::decimal(3,1)"),
    ("select * from #t join #U on #t.a = #U.a", 'select * from "#t" join "#u" on "#t".a = "#u".a'),
    ("select approximate count(distinct a) from t", "select  count(distinct a) from t"),
    ("set query_group to 'a'", "set local.query_group to 'a'"),
    ("create user u password disable", "create user u password null"),
]


@pytest.mark.parametrize(("sql", "expected"), EDITED)
def test_edit(sql: str, expected: str | None) -> None:
    (statement,) = translate(sql)
    assert statement.kind == "plain"
    if expected is None:
        expected = "select coalesce((case when (a) is not distinct from (1) then coalesce(b, 2) end), c)"
    assert statement.text == expected


def test_vacuum_loses_its_options() -> None:
    (statement,) = translate("vacuum sort only s.t to 75 percent boost")
    assert (statement.kind, statement.text) == ("vacuum", "vacuum s.t")


def test_create_table_keeps_what_postgresql_knows() -> None:
    (statement,) = translate(
        'create temp table if not exists s."T" (\n  a int encode az64 not null, -- first, (one)\n'
        "  b varchar(max) default 'x,(y' references o.p (q),\n  foreign key (a) references z\n)\n"
        'diststyle key distkey(a) interleaved sortkey(a, "B c") encode auto'
    )
    assert statement.kind == "script"
    assert statement.text == (
        'create temp table if not exists s."t" (\n  a int  not null, -- first, (one)\n'
        "  b varchar(65535) default 'x,(y' )"
    )
    assert statement.after == (
        "select pg_catalog.local_lay_out('s.\"t\"'::regclass, 'KEY', 'a', array['a', 'b c']::text[], null),\n"
        'pg_catalog.local_encode(\'s."t"\'::regclass, \'{"a": "az64"}\'),\n'
        "pg_catalog.local_interleave('s.\"t\"'::regclass),\n"
        "pg_catalog.local_add_foreign_key('s.\"t\"'::regclass, 'o.p'::regclass,"
        " 'foreign key (\"b\") references o.p (q)'),\n"
        "pg_catalog.local_add_foreign_key('s.\"t\"'::regclass, 'z'::regclass, 'foreign key (a) references z')"
        " where coalesce(pg_catalog.to_regclass('s.\"t\"')::oid::text, '') <> pg_catalog.current_setting('local.table')"
    )


def test_statements_of_one_message_are_told_apart() -> None:
    kinds = [s.kind for s in translate("begin; ; copy t from 's3://a;b' x; truncate t; unload ('x');commit;")]
    assert kinds == ["plain", "copy", "truncate", "unload", "plain"]
    assert translate(" ; -- nothing\n;") == []


def test_copy_options() -> None:
    read = parse(
        "COPY s.t (a, \"B\") FROM 's3://bucket/some/key' CREDENTIALS AS 'aws_iam_role=arn:x' FORMAT AS JSON AS"
        " 's3://bucket/paths' GZIP MANIFEST REGION AS 'eu-west-1' TIMEFORMAT 'epochsecs' ACCEPTINVCHARS AS '^'"
        " TRUNCATECOLUMNS MAXERROR AS 10 COMPUPDATE OFF STATUPDATE EMPTYASNULL BLANKSASNULL DATEFORMAT 'auto'"
    )
    assert (read.table, read.columns, read.bucket, read.key, read.role) == (
        "s.t",
        ["a", "B"],
        "bucket",
        "some/key",
        "arn:x",
    )
    assert (read.format, read.json, read.manifest, read.compression, read.region) == (
        "json", "s3://bucket/paths", True, "gzip", "eu-west-1",
    )  # fmt: skip
    assert (read.timeformat, read.invalid_characters, read.truncate, read.max_error) == (
        "epochsecs",
        "^",
        True,
        10,
    )
    assert read.empty_as_null and read.blanks_as_null
    with pytest.raises(SqlError, match="redundant options: GZIP"):
        parse("copy t from 's3://b/k' iam_role 'r' json 'auto' gzip gzip")


@pytest.mark.parametrize("path", ["$", "a", "$.a[", "$..a", 3])
def test_bad_jsonpath(path: object) -> None:
    with pytest.raises(SqlError, match="Invalid JSONPath"):
        steps(path)


def test_jsonpath_steps() -> None:
    assert steps("$.a['b'][0].c") == ["a", "b", "0", "c"]


def test_statements_that_differ_in_a_schema_are_checked_once_and_refused_by_their_own_names() -> None:
    translate("select t1.a, count(*) from run_1f.plays as t1 group by t1.a")
    checked = check_shape.cache_info().misses
    translate("select t1.a, count(*) from run_2e.plays as t1 group by t1.a")
    assert check_shape.cache_info().misses == checked
    (refused,) = translate("select run_2e.missing(t1.a) from run_2e.plays as t1")
    assert "run_2e.missing()" in refused.text
