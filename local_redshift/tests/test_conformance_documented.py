"""Test that only SQL that Amazon Redshift documents is accepted. Each rule has the URL of its page or thread.

The tests run on the stand-in or on a real cluster (see warehouse.py).
"""

from __future__ import annotations

from pathlib import Path

import psycopg2
import pytest
from local_redshift.sql.documented.tables import FUNCTIONS, NOT_COVERED, OPERATORS, TYPES
from local_redshift.sql.statements import translate
from warehouse import Client, Warehouse, stand_in

DG = "https://docs.aws.amazon.com/redshift/latest/dg/"
THREAD = "https://github.com/"

REFUSED = {
    DG + "r_WF_LAG.html": [
        "select lag(k, 1, 0) over (order by id) from t",
        "select lag(k) over (order by id rows unbounded preceding) from t",
        "select lag(k) over () from t",
    ],
    DG + "r_DEALLOCATE.html": ["deallocate all", "deallocate prepare all"],
    DG + "r_WF_LEAD.html": [
        "select lead(k, 1, 0) over (order by id) from t",
        "select lead(k) over (partition by v) from t",
    ],
    DG + "r_Window_function_synopsis.html": [
        "select rank() over (order by k rows unbounded preceding) from t",
        "select sum(k) over (rows unbounded preceding) from t",
        "select sum(k) over (order by k rows unbounded preceding exclude ties) from t",
        "select bool_or(b) over (partition by v) from t",
        "select any_value(k) over () from t",
    ],
    DG + "r_UPDATE.html": [
        "update t set k = u.k from u left join t as x on u.id = x.id where x.k = 5",
        "update t set k = u.k from u left join u as x on u.id = x.id where t.id = u.id",
        "update t set k = t.k + 1 from (select min(k) as m from u) as f where t.k <> f.m",
        "update t set k = u.k from u where t.ts >= u.lo and t.ts < u.hi",
        "update t set k = u.k from u where t.id = 5 and u.id = 5",
        "update t set k = u.k from u",
        "update t set (k, v) = (1, 'a')",
        "update t set t.k = 1",
        "update t set k = 1 where current of c",
    ],
    DG + "r_DELETE.html": ["delete from t as a using u where a.id = u.id and false", "delete from only t"],
    DG + "r_INSERT_30.html": [
        "insert into t as a (id) values (1)",
        "insert into t (id) overriding system value values (1)",
        "with a as (select 1 as id) insert into t (id) select id from a",
    ],
    DG + "r_correlated_subqueries.html": [
        "select * from t where k in (select sum(k) from u where u.id = t.id group by v)",
        "select * from t where not exists (select 1 from u where not exists"
        " (select 1 from t as z where z.id = t.id and z.k = u.k))",
        "select * from t left join u on t.id = u.id and u.k = (select max(z.k) from u as z where z.id = u.id)",
        "select t.id from t where t.k not in (select sum(u.k) over () from u where u.id = t.id)",
        "select t.id, (select count(u.k) from u where u.id = t.id) as n from t group by n, t.id",
        "select t.id from t where exists (select 1 from (select u.id from u where u.id = t.id) as q)",
    ],
    THREAD + "SQLMesh/sqlmesh/issues/5342": [
        "select * from t where k = (select k from u where u.id = t.id limit 1)",
        "select t.id, (select count(*) from u where u.ts < t.ts) as before from t",
        "select t.id, (select max(u.k) from u where u.id = t.id and u.ts < t.ts) as before from t",
    ],
    DG + "r_scalar_subqueries.html": [
        "select v, count(*) from t group by v having count(*) > (select max(k) from u)",
        "select count(*) from t group by (select max(k) from u)",
    ],
    THREAD + "calogica/dbt-expectations/issues/99": [
        "select a, count(*) from (select 'lit' as a from t) as x group by a",
        "select * from (select 'x' as a, id from t) as q where a = 'x'",
        "select row_number() over (partition by a order by id) from (select 'x' as a, id from t) as q",
        "select count(distinct a) from (select 'x' as a from t) as q",
        "select id from (select 'x' as a, id from t) as q order by a",
        "select distinct a from (select 'x' as a, id from t) as q",
        "with q as (select 'x' as a, id from t) select t.id from t join q on t.v = q.a",
        "with q (b) as (select 'x' as a from t) select b || 'y' from q",
    ],
    DG + "r_WITH_clause.html": [
        "with a as (with b as (select 1 as n) select * from b) select * from a",
        "with a as (update t set k = k) select 1",
        "with a as (delete from t returning id) select 1",
        "with recursive r as (select 1 as n union select n + 1 from r where n < 3) select * from r",
        "with recursive r as (select 1 as n union all select n + 1 from r where n < 3) select * from r",
    ],
    DG + "r_SELECT_synopsis.html": [
        "select * from t fetch first 1 row only",
        "select * from t offset 1 rows fetch next 1 rows only",
        "select * from t order by id fetch first 1 rows with ties",
        "select * from only t",
        "select from t",
        "table t",
        "select * from t limit (select 1)",
        "select * from t limit 1 + 1",
        "select * from t limit null",
        "select * from t offset 1 row",
        "select * from t group by distinct k",
        "select * from (t join u using (id)) as j",
        "select * from t join u using (id) as j",
        "select * from t order by k using <",
        "select id from t tablesample system (10)",
    ],
    DG + "r_UNION.html": [
        "select id from t intersect all select id from u",
        "select id from t except all select id from u",
        "select id from t union distinct select id from u",
    ],
    DG + "c_unsupported-postgresql-features.html": [
        "select t from t",
        "select (t).id from t",
        "select row(1, 2) from t",
        "select (k, id) = (1, 1) from t",
        "select (k, id) in (select k, id from u) from t",
        "select * from t where k > all (select k from u)",
        "select * from t where k < any (select k from u)",
        "select k = any ('{1,2}') from t",
        "select array(select id from t)",
        "select k between symmetric 2 and 1 from t",
        "select * from t where ctid is not null",
        "select xmin from t",
        "select count(k order by k) from t",
        "select k isnull from t",
        "select k notnull from t",
        "select v ~~ 'a' from t",
        "select bool 't'",
        "close all",
        "fetch 10 from c",
        "vacuum freeze t",
        "vacuum analyze t",
        "vacuum verbose t",
        "show work_mem",
        "analyze (verbose) t",
        "select localtimestamp",
        "select 1_000 from t",
        "select 0x1F from t",
        "select x'1F' from t",
        "select b'1' from t",
        "select u&'a' from t",
        "select int '1' from t",
        "set constraints all deferred",
        "set work_mem to '64MB'",
        "set names 'utf8'",
        "set role x",
        "listen x",
        "discard all",
        "prepare transaction 'x'",
        "begin deferrable",
        "commit and chain",
        "declare c scroll cursor for select 1",
        "move 1 from c",
        "create domain d as int",
        "create type y as (a int)",
        "alter table t set schema x",
        "grant select on sequence q to public",
        "grant trigger on t to public",
        "grant connect on database dev to public",
        "alter table if exists t rename to w",
        "alter table if exists t drop column k",
    ],
    DG + "c_unsupported-postgresql-functions.html": [
        "select k is distinct from 1 from t",
        "select k is not distinct from 1 from t",
        "select every(b) from t",
        "select corr(k, id) from t",
        "select generate_series(1, 2)",
        "select cardinality('{1}'::int[]) from t",
        "select pg_size_pretty(pg_relation_size('t'))",
        "select pg_advisory_lock(1)",
        "select pg_sleep(1)",
        "select current_catalog from t",
        "select current_role from t",
        "select system_user from t",
        "select pg_catalog.string_agg(v, ',') from t",
        "select string_agg(relname::varchar, ',') from pg_catalog.pg_class",
        "select concat_ws(',', relname, relkind) from pg_catalog.pg_class",
        "insert into t (v) values (concat_ws(',', 'a', 'b'))",
        "insert into t (ts) values (clock_timestamp())",
        "select overlay(v placing 'a' from 1) from t",
        "select substring(v from 'a.') from t",
        "select substring(v similar 'a#\"_#\"' escape '#') from t",
        "select random(1, 10)",
        "select log10(f) from t",
        "select pg_typeof(k) from t",
        "select to_regclass('t') from t",
    ],
    DG + "c_unsupported-postgresql-datatypes.html": [
        "select '{1}'::int[] from t",
        "select '{1,2}'::int[] && '{2}'::int[] from t",
        "select 'a'::\"char\" from t",
        "select k::bit from t",
        "select v::uuid from t",
        "select v::tsvector from t",
        "select v::money from t",
    ],
    DG + "pattern-matching-conditions-posix.html": [
        "select v ~* 'A' from t",
        "select v !~* 'A' from t",
        "select v ^@ 'a' from t",
    ],
    DG + "c_SQL_functions_leader_node_only.html": [
        "select has_table_privilege('t', 'select') from t",
        "select current_schema() from t",
        "select pg_get_userbyid(10) from t",
        "select array_to_string(array(select id from t), ',')",
        "insert into t (v) select current_schema()",
    ],
    DG + "c_join_PG.html": [
        "select t.id from t join pg_stats s on true limit 1",
        "select t.id from t join pg_table_def as d on d.tablename = t.v",
        "select t.id from t, (select generate_subscripts('{1,2}'::int[], 1) as n) as g",
    ],
    DG + "r_LISTAGG.html": [
        "select listagg(relname, ',') from pg_class where relname = 't'",
        "select percentile_cont(0.5) within group (order by 1)",
        "select median(1)",
    ],
    DG + "c_intro_catalog_views.html": [
        "select * from pg_timezone_names",
        "select * from pg_catalog.pg_extension",
        "select * from pg_matviews",
    ],
    DG + "r_CREATE_DATABASE.html": [
        "create database x template template0",
        "create database x encoding 'UTF8'",
    ],
    DG + "r_CREATE_USER.html": ["create user x in role y", "create user x with admin awsuser"],
    DG + "r_ALTER_DEFAULT_PRIVILEGES.html": ["alter default privileges grant usage on schemas to public"],
    DG + "r_ANALYZE.html": ["analyze t, u"],
    DG + "r_DROP_GROUP.html": ["drop group if exists g"],
    DG + "r_ALTER_TABLE.html": ["alter table t add constraint c unique (id) deferrable"],
    DG + "c_Examples_of_INSERT_30.html": ["insert into t (id) values ((select 1)), ((select 2))"],
    DG + "r_MEDIAN.html": [
        "select median(k), median(f) from t",
        "select percentile_cont(0.6) within group (order by k), median(f) from t",
        "select listagg(v) within group (order by k), listagg(v) within group (order by f) from t",
        "select listagg(v, v || ',') from t",
    ],
    DG + "r_APPROXIMATE_PERCENTILE_DISC.html": [
        "select percentile_disc(0.5) within group (order by k) from t",
        "select approximate sum(k) from t",
    ],
    DG + "r_Numeric_types201.html": [
        "select '0x1F'::int",
        "select cast('1_000' as bigint)",
        "select cast('1' as numeric(40, 2))",
    ],
    DG + "r_CREATE_TABLE_NEW.html": [
        "create table w (a int4 generated always as identity)",
        "create table w (a int, b int generated always as (a + 1) stored)",
        "create table w (a int storage plain)",
        "create table w (a int compression pglz)",
        "create unlogged table w (a int)",
        "create table w (a int default pg_typeof(1)::varchar)",
        "create table w (a int default (select 1))",
        "create table w (a smallint identity(1, 1))",
        "create table w (a int) backup maybe",
        "create table w (a int) encode zstd",
        "create table w (a int distkey, b int distkey)",
        "create table w (a int, b int) distkey (a, b)",
        "create table w (a int) diststyle key",
        "create table w (a int) diststyle even distkey (a)",
        "create table w (a int) diststyle auto distkey (a)",
        "create table w (a int) distkey (b)",
        "create table w (a int) sortkey (b)",
        "create table w distkey (b) as select 1 as a",
        "create table w (a super) sortkey (a)",
        "create table w (a geometry distkey)",
        "create table w (like u) diststyle all",
        "create table w (like u) backup no",
        "create materialized view w diststyle key as select 1 as a",
    ],
    DG + "c_Compression_encodings.html": [
        "create table w (a int encode nonsense)",
        "create table w (a varchar encode az64)",
        "create table w (a int4 encode text255)",
        "create table w (a boolean encode bytedict)",
        "create table w (a smallint encode mostly8, b smallint encode mostly32)",
        "alter table t add column w int encode text32k",
    ],
    DG + "r_CREATE_TABLE_AS.html": ["create table w as table t", "create table w as values (1)"],
    DG + "r_CREATE_VIEW.html": [
        "create temp view w as select 1 as a",
        "create view w as select string_agg(v, ',') as a from t",
        "create view w as select lag(k, 1, 0) over (order by id) as a from t with no schema binding",
        "create view w as select id from t with check option",
    ],
    DG + "r_Dateparts_for_datetime_functions.html": [
        "select extract(isodow from d) from t",
        "select date_part(isoyear, d) from t",
        "select extract(julian from ts) from t",
    ],
    DG + "r_CREATE_FUNCTION.html": [
        "create function f_x (a int) returns int stable as $$ select a $$ language sql",
        "create function f_x (int) returns int stable strict as $$ select $1 $$ language sql",
        "create function f_x (int) returns int stable as $$ select pg_typeof($1)::int $$ language sql",
    ],
    THREAD + "snowplow/dbt-snowplow-attribution/issues/9": [
        "with q as (select null as spend, id from t) select min(spend) from q",
    ],
    # The documentation has them, but clusters return "Interval values with month or year parts are not supported".
    THREAD + "lightdash/lightdash/issues/21104": [
        "select d + interval '1 month' from t",
        "select ts - interval '1 year' from t",
    ],
}  # fmt: skip
CASES = [(page, statement) for page, statements in REFUSED.items() for statement in statements]

PASSING = {
    DG + "r_WF_RANK.html": ["select rank() over () from t"],
    DG + "r_SET.html": [
        "set time zone 'UTC'",
        "set session characteristics as transaction isolation level serializable",
    ],
    DG + "r_LOG.html": ["select log(2, 100)"],
    DG + "r_comparison_condition.html": [
        "select id from t where k = any (select k from u)",
        "select id from t where k = some (select k from u)",
        "select id from t where k <> all (select k from u where u.id = t.id)",
    ],
    DG + "r_COMMENT.html": [
        "select obj_description('t'::regclass)",
        "select col_description('t'::regclass, 1)",
    ],
    DG + "r_CREATE_TABLE_NEW.html": [
        "create table #defaults (k int, a timestamp default sysdate not null, b date default trunc(sysdate),"
        " c int default date_part(year, getdate()), d int default extract(year from getdate()),"
        " e int default decode(1, 2, 3, 4), f varchar(9) default nvl(null, 'a'))",
        "create table #auto (a int) diststyle auto sortkey auto encode auto",
    ],
    DG + "r_ALTER_TABLE.html": ["alter table t add column since timestamp default sysdate"],
    DG + "c_Compression_encodings.html": [
        "create table #encoded (a double precision encode bytedict, b numeric(9, 2) encode mostly32,"
        " c text encode text32k, d timestamptz encode az64,"
        " e super encode zstd, f character varying(9) encode raw, g time encode az64)",
    ],
    # AWS's JDBC driver sends this statement for setReadOnly and setTransactionIsolation.
    THREAD + "aws/amazon-redshift-jdbc-driver/blob/master/src/main/java/com/amazon/redshift/jdbc/"
    "RedshiftConnectionImpl.java": ["set session characteristics as transaction read write"],
    DG + "r_EXTRACT_function.html": ["select extract(epoch from (ts - ts)) from t"],
    DG + "r_interval_data_types.html": ["select ts + interval '1' month from t"],
    DG + "r_correlated_subqueries.html": [
        "select t.id from t where t.k = (select max(u.k) from u where u.id = t.id)",
        "select 1 from t where exists (select 1 from u where u.id = t.id and u.k <> t.k)",
    ],
    DG + "c_Examples_of_UPDATE_statements.html": [
        "update t set k = u.k from u where t.id = u.id and u.k > 1",
        "update t as a set k = u.k from u inner join u as x on u.id = x.id where u.id = a.id",
    ],
    DG + "r_DELETE.html": ["delete from t using u as b where t.id = b.id"],
    DG + "r_UNION.html": ["select a from (select 'x' as a union all select 'y') as q where a = 'x'"],
    DG + "r_QUALIFY_clause.html": [
        "select v, row_number() over (order by k) from t qualify row_number() over (order by k) = 1",
    ],
    DG + "r_GROUP_BY_aggregation-extensions.html": [
        "select v, sum(k), grouping(v) from t group by rollup (v)",
        "select v, k from t group by grouping sets ((v, k), (v), ())",
        "select v, k from t group by v, rollup (k)",
    ],
    DG + "r_expression_lists.html": ["select id from t where (k, v) in ((1, 'a'), (2, 'b')) group by (id, k)"],
    DG + "r_MEDIAN.html": ["select percentile_cont(0.6) within group (order by k), median(k) from t"],
    DG + "r_LISTAGG.html": ["select listagg(distinct v, ',') within group (order by v) from t"],
    DG + "c_sql-functions-leader-node.html": ["select current_schema(), current_database(), version()"],
    DG + "c_join_PG.html": ["select count(*) from t join pg_class as c on c.relname = t.v"],
    DG + "r_WITH_clause.html": [
        "with recursive r (n) as (select 1 union all select n + 1 from r where n < 3) select n from r",
    ],
}  # fmt: skip
PASS = [(page, statement) for page, statements in PASSING.items() for statement in statements]


@pytest.fixture(scope="module")
def tables(shared: Client) -> Client:
    """Create the tables t and u in a schema on the search path."""
    for name in "tu":
        shared(
            f"create table {{s}}.{name} (id int, k int, v varchar(20), b boolean, f float8, d date, ts timestamp,"
            " lo timestamp, hi timestamp)"
        )
    shared("set search_path to {s}")
    return shared


@pytest.mark.parametrize(("page", "statement"), CASES, ids=lambda value: value[-60:])
def test_undocumented_is_refused(tables: Client, page: str, statement: str) -> None:
    tables.fails(statement)


@pytest.mark.parametrize(("page", "statement"), PASS, ids=lambda value: value[-60:])
def test_documented_passes(tables: Client, page: str, statement: str) -> None:
    tables(statement)


@stand_in
def test_no_column_is_taken_for_a_row(tables: Client) -> None:
    tables("create table {s}.level (level int)")
    tables("select level from level")
    tables.fails("select t from t where t is not null", 'column "t" does not exist')


@stand_in
def test_functions_of_users_pass(tables: Client) -> None:
    tables.fails("select f_documented(1)", "f_documented() does not exist")
    tables("create function {s}.f_documented (int) returns int immutable as $$ select $1 + 1 $$ language sql")
    assert tables("select f_documented(1), {s}.f_documented(2)") == [(2, 3)]
    tables("grant execute on function {s}.f_documented (number int) to public")
    tables("drop function {s}.f_documented (number int)")
    tables(
        "create function {s}.f_year (timestamp) returns int stable as"
        " $$ select extract(year from $1) + len(trim(both ' ' from ' a ')) $$ language sql"
    )
    assert tables("select {s}.f_year('2018-11-01 10:00'::timestamp)") == [(2019,)]


# The tables ------------------------------------------------------------------------------------------------

# Keywords, and functions that are not called with a plain list of arguments.
WORDS = {
    "_pg_expandarray", "percentile_cont", "percentile_disc", "cast", "convert", "current_date", "current_time",
    "current_timestamp", "current_user", "extract", "grouping", "localtime", "position", "session_user", "sysdate",
    "trim", "user",
}  # fmt: skip
FROM = {"compute": " from t", "catalog": " from pg_catalog.pg_class"}


@stand_in
def test_no_documented_function_is_missing(tables: Client, warehouse: Warehouse) -> None:
    """Every function marked as available exists. The call may still fail, because the arguments are NULL."""
    cursor = warehouse.psycopg().cursor()
    cursor.execute(f"set search_path to {tables.schema}")
    for function in FUNCTIONS.values():
        assert function.page.startswith("https://"), function
        if function.name in WORDS:
            continue
        for count in {function.least, min(function.most, function.least + 3)}:
            call = f"select {function.name}({', '.join(['null'] * count)}){FROM.get(function.place, '')}"
            try:
                cursor.execute(call)
            except psycopg2.Error as error:
                assert "does not exist" not in str(error), call


@pytest.fixture(scope="module")
def built_in(warehouse: Warehouse) -> list[str]:
    """Return the names of the functions in pg_catalog, including ours."""
    cursor = warehouse.psycopg().cursor()
    cursor.execute("select distinct proname from pg_catalog.pg_proc where pronamespace = 11")
    return [name for (name,) in cursor]


@stand_in
def test_every_other_function_is_refused_by_name(built_in: list[str]) -> None:
    calls = (
        "select {}({}) from t",
        "insert into t values ({}({}))",
        "select {}({}) from pg_catalog.pg_class",
    )
    unknown = [name for name in built_in if name not in FUNCTIONS and name.isidentifier()]
    assert len(unknown) > 2000
    for name in unknown:
        for call in calls:
            statements = translate(call.format(name, "null"))
            assert [each.kind for each in statements] == ["refused"], call.format(name, "null")
    for name in (*NOT_COVERED, "st_area", "h3_center"):
        (statement,) = translate(f"select {name}(a) from t")
        assert statement.kind == "refused" and f"does not cover function {name}()" in statement.text


def test_the_readme_has_the_figures() -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text()
    work = sum(each.page.startswith(DG) for each in FUNCTIONS.values())
    figures = (
        f"{work} documented functions work",
        f"{len(OPERATORS)} operators",
        f"{len(TYPES)} names of types",
        f"{len(CASES)} forms of statements",
    )
    for figure in figures:
        assert figure in " ".join(readme.split()), figure
