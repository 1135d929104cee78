"""Test that text without Redshift's own SQL remains unchanged, and that statements and JSONPaths are split."""

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
    "select t.sysdate, t.nvl from t",
]


@pytest.mark.parametrize("sql", UNTOUCHED)
def test_other_statements_pass_as_they_are(sql: str) -> None:
    assert translate(sql) == [Statement("plain", sql)]


def test_statements_of_one_message_are_told_apart() -> None:
    kinds = [s.kind for s in translate("begin; ; copy t from 's3://a;b' x; truncate t; unload ('x');commit;")]
    assert kinds == ["plain", "copy", "truncate", "unload", "plain"]
    assert translate(" ; -- nothing\n;") == []


@pytest.mark.parametrize("before", ["", " ", "/* from a tool */ ", "-- a comment\n"])
def test_a_statement_after_a_blank_or_a_comment_is_checked_too(before: str) -> None:
    for sql in ("drop index i", "alter table t set schema s", "rollback and chain"):
        assert [each.kind for each in translate(before + sql)] == ["refused"], sql


MERGE = "merge into t using u on t.id = u.id when matched {} then {} when not matched {} then {}"


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("select 'a'::\"char\" from t", 'type "char"'),
        ("select k from t order by k using <", "ORDER BY ... USING operator"),
        ("select a from t tablesample system (10)", "TABLESAMPLE"),
        ("select a > all (array[1, 2]) from t", "ALL (array)"),
        ("select current_role", "CURRENT_ROLE"),
        ("update t set t.k = 1", "qualified column in SET"),
        ("alter table t add constraint c check (a > 1)", "CHECK constraint"),
        ("lock t in access exclusive mode", "LOCK ... IN mode MODE"),
        ("lock t nowait", "NOWAIT in LOCK"),
        (MERGE.format("and t.a > 1", "delete", "", "insert values (1)"), "WHEN MATCHED AND condition"),
        (MERGE.format("", "delete", "", "do nothing"), "DO NOTHING in MERGE"),
        (MERGE.format("", "delete", "by source", "delete"), "WHEN NOT MATCHED BY"),
    ],
)
def test_a_refusal_has_the_words_of_the_statement(sql: str, words: str) -> None:
    (statement,) = translate(sql)
    assert statement.kind == "refused"
    assert f"Amazon Redshift has no {words}" in statement.text


def test_words_that_only_lock_has_may_be_names_elsewhere() -> None:
    assert [each.kind for each in translate("select share mode from t where a in (1)")] == ["plain"]


@pytest.mark.parametrize("path", ["$", "a", "$.a[", "$..a", "$. ", "$" + ".a " * 40 + "[", 3])
def test_bad_jsonpath(path: object) -> None:
    with pytest.raises(SqlError, match="Invalid JSONPath"):
        steps(path)


def test_statements_that_differ_in_a_schema_are_checked_once_and_refused_by_their_own_names() -> None:
    translate("select t1.a, count(*) from run_1f.plays as t1 group by t1.a")
    checked = check_shape.cache_info().misses
    translate("select t1.a, count(*) from run_2e.plays as t1 group by t1.a")
    assert check_shape.cache_info().misses == checked
    (refused,) = translate("select run_2e.missing(t1.a) from run_2e.plays as t1")
    assert "run_2e.missing()" in refused.text
