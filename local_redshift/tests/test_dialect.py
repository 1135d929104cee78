"""Test the edits that translate Redshift's SQL to PostgreSQL's, and that all other text remains unchanged."""

from __future__ import annotations

import pytest
from local_redshift.copy.objects import steps
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


def test_statements_of_one_message_are_told_apart() -> None:
    kinds = [s.kind for s in translate("begin; ; copy t from 's3://a;b' x; truncate t; unload ('x');commit;")]
    assert kinds == ["plain", "copy", "truncate", "unload", "plain"]
    assert translate(" ; -- nothing\n;") == []


@pytest.mark.parametrize("before", ["", " ", "/* from a tool */ ", "-- a comment\n"])
def test_a_statement_after_a_blank_or_a_comment_is_checked_too(before: str) -> None:
    for sql in ("drop index i", "alter table t set schema s", "rollback and chain"):
        assert [each.kind for each in translate(before + sql)] == ["refused"], sql


@pytest.mark.parametrize("path", ["$", "a", "$.a[", "$..a", "$. ", "$" + ".a " * 40 + "[", 3])
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
