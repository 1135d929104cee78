"""Test the refusal of statements that Redshift does not have, and of those that the stand-in does not cover.

The tests run on the stand-in or on a real cluster (see warehouse.py).
"""

from __future__ import annotations

import pytest
from warehouse import Client, stand_in

LACKS = [
    "insert into {s}.a values (1) on conflict do nothing",
    "insert into {s}.a values (1) returning id",
    "select distinct on (id) id from {s}.a",
    "select count(*) filter (where id > 1) from {s}.a",
    "select * from {s}.a, lateral (select 1) x",
    "select string_agg(id::varchar, ',') from {s}.a",
    "select to_timestamp(1541105830)",
    "select array[1, 2]",
    "select '{}'::jsonb",
    "create index i on {s}.a (id)",
    "create sequence {s}.q",
    "create table {s}.b (id serial)",
    "create table {s}.b (id uuid)",
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
def test_statements_of_only_postgres_are_refused(shared: Client, statement: str) -> None:
    shared("create table if not exists {s}.a (id int)")
    shared.fails(statement)


REFUSED = [
    ("savepoint a", "SAVEPOINT"),
    ("rollback to savepoint a", "not supported"),
    ("create table if not exists {s}.c as select 1 as x", ""),
    ("create table {s}.c (tag int)", "tag"),
    ("create table {s}.open (id int)", "open"),
    ("alter table {s}.t rename column kind to snapshot", "snapshot"),
    ("create table {s}.c (n numeric(39))", "38"),
    # https://docs.aws.amazon.com/redshift/latest/dg/r_Numeric_types201.html
    ("create table {s}.c (n numeric(38, 38))", "Scale must be between 0 and 37"),
    ("select 1::numeric(10, -2)", "Scale must be between 0 and 37"),
    ("select cast(1 as numeric(40, 2))", "Precision exceeds maximum of 38"),
    # https://docs.aws.amazon.com/redshift/latest/dg/r_Character_types.html
    ("select 'a'::varchar(70000)", "65535"),
    # https://docs.aws.amazon.com/redshift/latest/dg/r_LISTAGG.html
    ("select listagg(repeat('x', 20000), ',') from {s}.t", "Result size exceeds LISTAGG limit"),
    (
        "select listagg(kind, ',') within group (order by kind), count(distinct id) from {s}.t",
        "distinct aggregate",
    ),
    # https://docs.aws.amazon.com/redshift/latest/dg/r_WF_RANK.html
    ("select rank(1) within group (order by id) from {s}.t", "rank()"),
    # https://docs.aws.amazon.com/redshift/latest/dg/declare.html
    ("declare c cursor with hold for select 1", "WITH HOLD"),
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
    ("create table {s}.c (n interval)", 'Column "c.n" has unsupported type "interval"'),
    ("create table {s}.c (n int[])", 'Column "c.n" has unsupported type "int[]"'),
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


NOT_COVERED = [
    ("unload ('select 1') to 's3://b/x' iam_role 'r' fixedwidth '1:2'", "FIXEDWIDTH"),
    (
        "unload ('select 1') to 's3://b/x' iam_role 'r' encrypted master_symmetric_key 'k'",
        "MASTER_SYMMETRIC_KEY",
    ),
    ("unload ('select 1') to 's3://b/x' iam_role 'r' manifest verbose", "VERBOSE"),
    ("unload ('select 1') to 's3://b/x' access_key_id 'a' secret_access_key 'b'", "access keys"),
    ("insert into {s}.docs values (json_parse('{}'))", "json_parse"),
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
    ("select * exclude id from {s}.a", "EXCLUDE"),
    ("attach rls policy p on {s}.a to public", "ATTACH RLS POLICY"),
    ("detach masking policy p on {s}.a (id) from public", "DETACH MASKING POLICY"),
    ("show policies", "SHOW POLICIES"),
    ("show column grants on table {s}.a", "SHOW COLUMN GRANTS"),
    ("show procedure p()", "SHOW PROCEDURE"),
    ("cancel 123", "CANCEL"),
    ("use dev", "USE"),
    ("copy job list", "COPY JOB"),
    ("desc datashare s", "DESC DATASHARE"),
    ("create template x for copy as csv", "CREATE TEMPLATE"),
    ("alter system set data_catalog_auto_mount = true", "ALTER SYSTEM"),
    ("create external table {s}.e (a int) stored as parquet location 's3://b/k'", "CREATE EXTERNAL TABLE"),
    ("create external view v as select 1", "CREATE EXTERNAL VIEW"),
    ("create database d collate case_insensitive", "COLLATE"),
    ("create database d isolation level snapshot", "ISOLATION LEVEL"),
    ("alter schema {s} quota 10 gb", "QUOTA"),
    ("alter table {s}.a row level security on", "ROW LEVEL SECURITY"),
    ("alter table {s}.a set location 's3://b/k'", "SET LOCATION"),
    ("alter table {s}.a set table properties ('numRows' = '1')", "SET TABLE PROPERTIES"),
    ("alter table {s}.a add if not exists partition (d = '1') location 's3://b/k'", "PARTITION"),
    ("alter default privileges in schema {s} grant select on tables to role r", "TO ROLE"),
    ("grant select on {s}.a to role r", "TO ROLE"),
    ("grant role r to awsuser", "GRANT ROLE"),
    ("grant usage on datashare s to namespace 'x'", "ON DATASHARE"),
    ("grant execute on model m to public", "ON MODEL"),
    ("grant create model to public", "CREATE MODEL"),
    ("grant select for tables in schema {s} to public", "FOR TABLES IN"),
    ("grant usage on language plpythonu to public", "ON LANGUAGE"),
    ("grant drop on {s}.a to public", "GRANT DROP"),
    ("select default_iam_role", "default_iam_role"),
    ("select id from {s}.a group by all", "GROUP BY ALL"),
    ("select id from {s}.a start with id = 1 connect by prior id = id", "CONNECT BY"),
    ("create masking policy m with (a varchar(9)) using ('x'::varchar(9))", "not cover CREATE MASKING"),
    ("create rls policy p with (a int) using (a = 1)", "not cover CREATE RLS"),
    ("create identity provider p type azure namespace 'x' parameters '{}'", "not cover CREATE IDENTITY"),
    ("set app_context.x to 1", "session context variables"),
    ("show app_context.x", "session context variables"),
    ("select current_setting('app_context.x', false)", "session context variables"),
    (
        "select percentile_disc(0.5) within group (order by id) over () from {s}.a",
        "PERCENTILE_DISC as a window",
    ),
    ("refresh materialized view {s}.mv cascade", "CASCADE"),
    ("refresh materialized view {s}.mv restrict", "RESTRICT"),
    ("alter database dev isolation level snapshot", "ISOLATION LEVEL"),
    ("alter table {s}.a add primary key (id)", "ADD of a key"),
    ("alter table {s}.a add constraint c foreign key (id) references {s}.docs (id)", "ADD of a key"),
    ("create schema other create table a (id int)", "CREATE SCHEMA with schema elements"),
    ("alter table {s}.mv alter autorefresh = true", "AUTOREFRESH"),
    ("select * from stl_unload_log", "the system view stl_unload_log"),
    ("select * from svcs_query_summary", "the system view svcs_query_summary"),
    ("select top 1 id from {s}.a union select 2", "subquery"),
    ("select lag(id, 2) ignore nulls over (order by id) from {s}.a", "IGNORE NULLS"),
    ("create function {s}.f (int) returns int stable as $$ return 1 $$ language plpythonu", "FUNCTION"),
    (
        "select percentile_cont(0.5) within group (order by id) over (partition by kind) from {s}.a",
        "PERCENTILE",
    ),
    ("select listagg(distinct kind) within group (order by kind) over () from {s}.a", "LISTAGG"),
    ("create schema other_database.x", "other_database"),
    ("show grants for awsuser", "GRANTS"),
    ("show grants on table {s}.a for awsuser", "FOR"),
    ("create table {s}.c (n interval year to month)", "INTERVAL"),
    ("create table {s}.c (n intervaly2m)", "INTERVALY2M"),
    ("select '1-1'::intervald2s", "INTERVALD2S"),
    ("show databases from data catalog account '1'", "DATA CATALOG"),
    ("show table {s}.a", "SHOW TABLE"),
    ("show datashares", "SHOW DATASHARES"),
    ("alter function {s}.f(int) owner to awsuser", "ALTER FUNCTION"),
    ("alter role r rename to q", "ALTER ROLE"),
    ("drop procedure {s}.p(int)", "DROP PROCEDURE"),
    ("create or replace procedure {s}.p() as $$ begin end $$ language plpgsql", "PROCEDURE"),
    ("create user u password 'sha256|digest|salt'", "sha256"),
    ("set describe_field_name_in_uppercase to on", "describe_field_name_in_uppercase"),
    ("select 1 as " + "n" * 64, "63 bytes"),
    ("insert into {s}." + "n" * 64 + " values (1)", "63 bytes"),
]


@stand_in
@pytest.mark.parametrize(("statement", "word"), NOT_COVERED, ids=lambda s: s.replace("{s}.", "")[:45])
def test_uncovered_is_refused_by_name(shared: Client, statement: str, word: str) -> None:
    shared("create table if not exists {s}.a (id int, kind varchar(9))")
    shared("create table if not exists {s}.docs (doc super)")
    assert "Amazon Redshift has no" not in shared.fails(statement, word)
