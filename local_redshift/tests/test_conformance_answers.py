"""Test results that differ from PostgreSQL's without an error: comparisons, casts, column names, times, COPY values.

The tests run on the stand-in or on a real cluster (see warehouse.py). Each rule names its source, a page or a thread.
Names without a URL are pages of https://docs.aws.amazon.com/redshift/latest/dg/.
"""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import pytest
from warehouse import Client

DAY, MOMENT = datetime.date, datetime.datetime
D = Decimal
UTC_MOMENT = datetime.datetime(2025, 9, 22, 14, 42, 59, tzinfo=datetime.UTC)


# r_Character_types.html, "Significance of trailing blanks"; r_Examples_with_character_types.html
BLANKS: list[tuple[str, list[tuple[Any, ...]]]] = [
    ("select count(*) from {s}.a where s = 'x'", [(2,)]),
    ("select count(*) from {s}.a where s <> 'x'", [(0,)]),
    ("select count(*) from {s}.a where s > 'x'", [(0,)]),
    ("select count(distinct s) from {s}.a", [(1,)]),
    ("select count(*) from {s}.a group by s", [(2,)]),
    ("select count(*) from (select distinct s from {s}.a)", [(1,)]),
    ("select count(*) from {s}.a join {s}.b on a.s = b.s", [(2,)]),
    ("select count(*) from {s}.a left join {s}.b on a.s = b.s where b.s is null", [(0,)]),
    ("select count(*) from {s}.a where s in (select s from {s}.b)", [(2,)]),
    ("select count(*) from {s}.a where s in ('x', 'y')", [(2,)]),
    ("select count(*) from {s}.a where s between 'x' and 'x'", [(2,)]),
    ("select sum(case s when 'x' then 1 else 0 end) from {s}.a", [(2,)]),
    ("select nullif(s, 'x') from {s}.a", [(None,), (None,)]),
    ("select sum(decode(s, 'x', 1, 0)) from {s}.a", [(2,)]),
    ("select count(*) from (select s from {s}.a union select s from {s}.b)", [(1,)]),
    ("select count(*) from (select s from {s}.a except select s from {s}.b)", [(0,)]),
    ("select row_number() over (partition by s order by n) from {s}.a order by n", [(1,), (2,)]),
    ("select max(len(s)) from {s}.a", [(3,)]),
    ("select count(*) from {s}.a where s like 'x'", [(1,)]),
]


@pytest.fixture(scope="module")
def blanks(shared: Client) -> Client:
    shared("create table {s}.a (s varchar(20) sortkey, n int)")
    shared("insert into {s}.a values ('x', 1), ('x  ', 2)")
    shared("create table {s}.b (s varchar(20))")
    shared("insert into {s}.b values ('x ')")
    return shared


@pytest.mark.parametrize(("query", "rows"), BLANKS, ids=lambda value: str(value)[:60])
def test_trailing_blanks_do_not_count(blanks: Client, query: str, rows: list[tuple[Any, ...]]) -> None:
    assert blanks(query) == rows


def test_merge_and_delete_find_a_key_with_blanks(client: Client) -> None:
    client("create table {s}.t (k varchar(9), v int)")
    client("create table {s}.fresh (k varchar(9), v int)")
    client("insert into {s}.t values ('k', 1)")
    client("insert into {s}.fresh values ('k ', 2)")
    client("merge into {s}.t using {s}.fresh as n on t.k = n.k when matched then update set v = n.v"
           " when not matched then insert values (n.k, n.v)")  # fmt: skip
    assert client("select * from {s}.t") == [("k", 2)]
    client("delete from {s}.t where k = 'k  '")
    assert client("select count(*) from {s}.t") == [(0,)]


# r_Numeric_types201.html; r_AVG.html: the result has the scale of the argument
def test_insert_rounds_and_averages_have_the_scale_of_their_column(client: Client) -> None:
    client("create table {s}.d (a decimal(5, 1), i int)")
    client("insert into {s}.d values (2.45, 1), (1.1, 2), (null, null), (0.2, 2)")
    assert client("select max(a), avg(a), avg(i), avg(i * 1.0) from {s}.d") == [
        (D("2.5"), D("1.2"), 1, D("1.6"))
    ]
    client(
        "create table {s}.made as select avg(a) as mean, avg(a) over () as all_of_them from {s}.d group by a"
    )
    assert client("select format_type(atttypid, atttypmod) from pg_attribute"
                  " where attrelid = '{s}.made'::regclass and attname = 'mean'") == [("numeric(38,1)",)]  # fmt: skip


@pytest.mark.parametrize(
    ("expression", "name"),
    [
        # r_DATEADD_function.html, r_DATEDIFF_function.html, r_DATE_PART_function.html, r_EXTRACT_function.html,
        # r_SYSDATE.html, r_LISTAGG.html, r_WF_RATIO_TO_REPORT.html, r_WF_first_value.html: headings in the examples
        ("dateadd(day, 1, getdate())", "date_add"),
        ("dateadd(year, 1, getdate())", "date_add"),
        ("datediff(day, getdate(), getdate())", "date_diff"),
        ("date_part(hour, getdate())", "pgdate_part"),
        ("extract(hour from getdate())", "date_part"),
        ("sysdate", "timestamp"),
        ("listagg(kind, ',')", "listagg"),
        ("listagg(distinct kind, ',') within group (order by kind)", "listagg"),
        ("listagg(kind, ',') over (partition by id)", "listagg"),
        ("ratio_to_report(id) over ()", "ratio_to_report"),
        ("first_value(kind ignore nulls) over (order by id rows unbounded preceding)", "first_value"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_names_of_unnamed_columns(numbers: Client, expression: str, name: str) -> None:
    cursor = numbers.connection.cursor()
    cursor.execute(f"select {expression} from {numbers.schema}.t" if "(" in expression else "select sysdate")
    found = cursor.description[0][0]
    assert (found.decode() if isinstance(found, bytes) else found) == name


COPY_VALUES: list[tuple[str, str, str, Any]] = [
    # copy-usage_notes-copy-from-json.html, "Loss of numeric precision"
    ("decimal(9, 6)", '{"a": 1e-06}', "json 'auto'", D("0.000000")),
    ("decimal(9, 2)", '{"a": 1.15}', "json 'auto'", D("1.14")),
    ("decimal(9, 2)", '{"A": 1.15}', "json 'auto ignorecase'", D("1.14")),
    ("decimal(9, 2)", '{"a": "1.15"}', "json 'auto'", D("1.15")),
    ("decimal(9, 2)", '{"a": 1.15}', "json 'auto' roundec", D("1.15")),
    ("decimal(9, 2)", '{"a": -20}', "json 'auto'", D("-20.00")),
    # copy-parameters-data-conversion.html, ROUNDEC
    ("decimal(9, 2)", "1.999", "", D("1.99")),
    ("decimal(9, 2)", "1.999", "roundec", D("2.00")),
    # r_DATEFORMAT_and_TIMEFORMAT_strings.html: the default formats, and fractions in SS
    ("timestamptz", '{"a": "2025-09-22T14:42:59Z"}', "json 'auto'", 1206),
    ("timestamptz", '{"a": "2025-09-22 14:42:59+00"}', "json 'auto'", UTC_MOMENT),
    ("timestamptz", '{"a": "2025-09-22T14:42:59Z"}', "json 'auto' timeformat 'auto'", UTC_MOMENT),
    ("timestamp", "now", "", 1206),
    ("timestamp", "2018-11-01 10:00:00.25", "", MOMENT(2018, 11, 1, 10, 0, 0, 250000)),
    ("timestamp", "2018-11-01 10:00:00.25", "timeformat 'YYYY-MM-DD HH:MI:SS'", MOMENT(2018, 11, 1, 10, 0, 0, 250000)),
    ("timestamp", "2018-11-01 10:00:00", "timeformat 'YYYY-MM-DD HH24:MI:SS'", MOMENT(2018, 11, 1, 10)),
    ("date", "11/01/2018", "", 1205),
    ("date", "Nov 1 2018", "", 1205),
    ("date", "11/01/2018", "dateformat 'auto'", DAY(2018, 11, 1)),
    # https://www.postgresql.org/docs/16/release-16.html: only newer PostgreSQL versions accept these
    ("bigint", "0x1F", "", 1207),
    ("bigint", "1_000", "", 1207),
    ("bigint", "0b101", "", 1207),
    ("bigint", "0o17", "", 1207),
]  # fmt: skip


@pytest.mark.parametrize(
    ("type_", "line", "options", "expected"), COPY_VALUES, ids=lambda value: str(value)[:40]
)
def test_values_of_copy(sql: Client, type_: str, line: str, options: str, expected: Any) -> None:
    sql(f"create table {{s}}.v (a {type_})")
    source = sql.warehouse.put("value", raw=line.encode())
    if isinstance(expected, int):
        sql.copy_fails("v", source, options, "stl_load_errors")
        assert [error[3] for error in sql.load_errors()] == [expected]
    else:
        sql.copy("v", source, options)
        assert sql("select a from {s}.v") == [(expected,)]


@pytest.mark.parametrize("word", ["EPOCHMILLISECS", "Epochsecs", "AUTO"])
def test_words_of_timeformat_are_case_sensitive(sql: Client, word: str) -> None:
    """copy-parameters-data-conversion.html, TIMEFORMAT."""
    sql("create table {s}.v (a timestamp)")
    sql.copy_fails("v", sql.warehouse.put("value", {"a": 1541107053796}), f"json 'auto' timeformat '{word}'")


VALUES: list[tuple[str, Any]] = [
    # r_enable_numeric_rounding.html
    ("c::decimal(5, 1)", D("2.4")),
    ("(-c)::decimal(5, 1)", D("-2.4")),
    ("c::integer", 2),
    ("(c * 10)::bigint", 24),
    ("(c / 1)::decimal(5, 0)", D("2")),
    ("cast(c as decimal)", D("2")),
    ("c::numeric(10, 5)", D("2.45000")),
    ("round(c, 1)", D("2.5")),
    # https://github.com/lightdash/lightdash/pull/22386
    ("round(50.5::numeric, 1)", D("50")),
    # r_EXTRACT_function.html, r_DATE_PART_function.html
    ("extract(ms from timestamp '2009-09-09 12:08:43.101')", 101),
    ("extract(us from timestamp '2009-09-21 11:10:03.189717')", 189717),
    ("extract(ms from time '18:25:33.123456')", 123),
    ("date_part(microsecond, timestamp '2019-06-26 08:20:53.789')", 789000.0),
    ("date_part(sec, timestamp '2009-09-21 11:10:03.189717')", 3.189717),
    ("extract(hour from timestamptz '2018-11-01 10:00+00')", 10.0),
    # r_Dateparts_for_datetime_functions.html
    ("extract(dayofweek from timestamp '2018-11-04')", 0),
    ("extract(weekday from date '2018-11-04')", 0),
    ("date_part(dw, '2018-11-04')", 0.0),
    ("extract(yearday from timestamp '2018-11-04')", 308),
    ("date_part(dayofyear, timestamp '2018-11-04')", 308.0),
    ("extract(qtrs from timestamp '2009-09-21')", 3),
    ("date_part(cents, timestamp '2009-09-21')", 21.0),
    ("extract(dec from '2009-09-21'::date)", 200),
    ("dateadd(decade, 1, date '2018-11-04')", MOMENT(2028, 11, 4)),
    ("datediff(century, date '1890-11-04', date '2018-11-04')", 2),
    ("dateadd(millisec, 5, timestamp '2018-11-04')", MOMENT(2018, 11, 4, 0, 0, 0, 5000)),
    # r_DATEADD_function.html, "Usage notes"
    ("dateadd(year, 1, '2016-02-29'::date)", MOMENT(2017, 3, 1)),
    ("dateadd(year, 4, '2016-02-29'::date)", MOMENT(2020, 2, 29)),
    ("dateadd(month, 12, '2016-02-29'::date)", MOMENT(2017, 2, 28)),
    ("dateadd(month, 1, '2008-04-30'::date)", MOMENT(2008, 5, 30)),
    # extra_float_digits is 0: r_Numeric_types201.html ("15 significant digits", REAL 6)
    ("(acos(.5) * 180 / pi())::varchar", "60"),
    ("pi()::varchar", "3.14159265358979"),
    ("(1::real / 3::real)::varchar", "0.333333"),
    # c_Supported_data_types.html, "Type compatibility and conversion". Udacity's course uses md5(number || time)
    ("md5(i || t)", "9cb679b6e735c7f454e35bf100f8d03c"),
    ("t || i", "2018-11-01 00:00:001"),
    ("n || t", "1.502018-11-01 00:00:00"),
    ("d || t", "2018-11-012018-11-01 00:00:00"),
    ("concat(i, d)", "12018-11-01"),
    ("left(20181101, 4)", "2018"),
    ("substring(d, 1, 7)", "2018-11"),
    ("lpad(7, 3, '0')", "007"),
    ("len(20181101)", 8),
    ("d like '2018%'", True),
    ("date_trunc('month', '2018-01-05')", MOMENT(2018, 1, 1)),
    ("dateadd(day, 1, '2018-01-0' || i)", MOMENT(2018, 1, 2)),
    ("t + 1", MOMENT(2018, 11, 2)),
    # r_Character_types.html: MAX is allowed wherever a type is
    ("'a'::varchar(max)", "a"),
    ("cast('b' as nvarchar(3))", "b"),
    ("'c'::bpchar(2)", "c "),
    # crc32-function.html
    ("crc32('Amazon Redshift')", "f2726906"),
]


@pytest.fixture(scope="module")
def one_row(shared: Client) -> Client:
    shared("create table {s}.e (c numeric(5, 2), i int, n numeric(8, 2), d date, t timestamp)")
    shared("insert into {s}.e values (2.45, 1, 1.50, '2018-11-01', '2018-11-01 00:00:00')")
    return shared


@pytest.mark.parametrize(("expression", "expected"), VALUES, ids=lambda value: str(value)[:60])
def test_value_and_its_type(one_row: Client, expression: str, expected: Any) -> None:
    [(found,)] = one_row(f"select {expression} from {{s}}.e")
    assert (found, type(found)) == (expected, type(expected))


# https://docs.aws.amazon.com/redshift/latest/dg/r_NVL_function.html: values without a common type are an error
@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("coalesce(null, 'Amazon Redshift', 12)", "invalid input syntax for"),
        ("nvl(v, i)", "cannot be matched"),
        ("case when i = 1 then v else i end", "cannot be matched"),
        # https://github.com/dbt-labs/dbt-utils/issues/1016
        ("(1 = 1)::varchar", "cannot cast type boolean to character varying"),
    ],
)
def test_values_that_are_not_converted(sql: Client, expression: str, words: str) -> None:
    sql("create table {s}.e (i int, v varchar(9))")
    sql.fails(f"select {expression} from {{s}}.e", words)


JSON_RECORDS = [
    # copy-usage_notes-copy-from-json.html: an object may span several lines, and one line may have several objects
    ('{\n "id": 1,\n "s": "a"\n}\n\n{\n "id": 2,\n "s": "b"\n}\n', "auto"),
    ('{"id": 1, "s": "a"}{"id": 2, "s": "b"}', "auto"),
    ('[1,\n "a"]\n[2, "b"]', '{"jsonpaths": ["$[0]", "$[1]"]}'),
    ('[[1], {"s": "a"}]\n[[2], {"s": "b"}]', '{"jsonpaths": ["$[0][0]", "$[1].s"]}'),
    # The same page: a file with another key than jsonpaths has the effect of 'auto'
    ('{"s": "a", "id": 1}\n{"s": "b", "id": 2}', '{"paths": ["$.s", "$.id"]}'),
]


@pytest.mark.parametrize(
    ("body", "paths"), JSON_RECORDS, ids=["lines", "glued", "arrays", "nested", "other name"]
)
def test_records_of_json(sql: Client, body: str, paths: str) -> None:
    put = sql.warehouse.put
    sql("create table {s}.j (id int, s varchar(9))")
    how = "auto" if paths == "auto" else put("paths", raw=paths.encode())
    sql.copy("j", put("records", raw=body.encode()), f"json '{how}'")
    assert sql("select * from {s}.j order by id") == [(1, "a"), (2, "b")]


def test_a_column_that_must_not_be_null_is_in_the_list_of_copy(sql: Client) -> None:
    """copy-parameters-column-mapping.html"""
    sql("create table {s}.v (a int, b int not null, c int not null default 1)")
    source = sql.warehouse.put("value", {"a": 1})
    sql.copy_fails("v (a)", source, "json 'auto'", "must be included in column list")
    sql.copy("v (a, b)", sql.warehouse.put("value", {"a": 1, "b": 2}), "json 'auto'")
    assert sql("select * from {s}.v") == [(1, 2, 1)]
