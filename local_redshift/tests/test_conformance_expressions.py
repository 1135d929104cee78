"""Test the values of expressions and functions, and that functions of only PostgreSQL are refused.

The tests run on the stand-in or on a real cluster (see warehouse.py).
"""

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
    ("version() like '%Redshift%'", True),
    ("datediff(day, '2018-11-01 23:59:59'::timestamp, '2018-11-02 00:00:00'::timestamp)", 1),
    ("datediff(hour, '2018-11-01 00:59:59'::timestamp, '2018-11-01 01:00:00'::timestamp)", 1),
    ("datediff(month, '2018-01-31'::timestamp, '2018-02-01'::timestamp)", 1),
    ("datediff(year, '2018-12-31'::timestamp, '2019-01-01'::timestamp)", 1),
    ("datediff(qtr, '2018-12-31'::timestamp, '2019-01-01'::timestamp)", 1),
    ("datediff(week, '2018-11-03'::timestamp, '2018-11-04'::timestamp)", 1),  # Saturday, Sunday
    ("datediff(second, '2018-11-01 00:00:00.9'::timestamp, '2018-11-01 00:00:01.1'::timestamp)", 1),
    ("datediff(ms, '2018-11-01 00:00:00'::timestamp, '2018-11-01 00:00:01.5'::timestamp)", 1500),
    ("dateadd(month, 1, '2018-01-31'::timestamp)", MOMENT(2018, 2, 28)),
    ("dateadd('day', -1, '2018-03-01'::timestamp)", MOMENT(2018, 2, 28)),
    (
        "dateadd(ms, 1541105830796 % 1000, '2018-11-01 20:57:10'::timestamp)",
        MOMENT(2018, 11, 1, 20, 57, 10, 796000),
    ),
    ("timestamp 'epoch' + 1541105830796 / 1000 * interval '1 second'", MOMENT(2018, 11, 1, 20, 57, 10)),
    ("date_part(dow, '2018-11-04'::timestamp)::int", 0),
    ("date_part('hour', '2018-11-04 13:00'::timestamp)::int", 13),
    ("extract(epoch from '2018-11-01 00:00:01.9'::timestamp)", 1541030401),
    ("extract(week from '2018-12-31'::timestamp)", 1),
    ("extract(dow from '2018-11-04'::timestamp)", 0),
    ("extract(month from '2018-11-04'::date)", 11),
    ("trunc('2018-11-04 13:00'::timestamp)", DAY(2018, 11, 4)),
    ("date_trunc('hour', '2018-11-04 13:59:59'::timestamp)", MOMENT(2018, 11, 4, 13)),
    ("date_trunc('month', '2018-11-04'::date)", MOMENT(2018, 11, 1)),
    ("last_day('2018-02-03'::timestamp)", DAY(2018, 2, 28)),
    ("add_months('2018-01-31'::timestamp, 1)", MOMENT(2018, 2, 28)),
    ("convert_timezone('US/Pacific', '2018-11-01 12:00'::timestamp)", MOMENT(2018, 11, 1, 5)),
    ("convert_timezone('US/Pacific', 'UTC', '2018-11-01 05:00'::timestamp)", MOMENT(2018, 11, 1, 12)),
    ("datediff(minute, getdate(), sysdate)", 0),
    # r_CONVERT_function.html
    ("convert(integer, '12')", 12),
    ("convert(decimal(5, 1), 12.34)", Decimal("12.3")),
    ("convert(varchar(4), convert(integer, 2008.7))", "2008"),
    # r_TO_DATE_function.html, r_TO_TIMESTAMP.html
    ("to_date('20010631', 'YYYYMMDD')", DAY(2001, 7, 1)),
    ("to_date('20010230', 'YYYYMMDD', false)", DAY(2001, 3, 2)),
    ("to_date('02 Oct 2001', 'DD Mon YYYY')", DAY(2001, 10, 2)),
    (
        "to_timestamp('2011-12-18 24:38:15', 'YYYY-MM-DD HH24:MI:SS')",
        MOMENT(2011, 12, 19, 0, 38, 15, tzinfo=UTC),
    ),
    ("NVL( null , null, 3)", 3),
    ("nvl2('a'::varchar, 1, 2)", 1),
    ("isnull(null::int, 5)", 5),
    ("decode(2, 1, 'one', 2, 'two', 'many')", "two"),
    ("decode(null::int, null, 'none', 'some')", "none"),
    ("decode(7, 1, 'one')", None),
    ("nvl(decode(1, 1, nvl(null, 2)), 3)", 2),
    ("md5('a')", "0cc175b9c0f1b6a831c399e269772661"),
    ("sha2('a', 256)", "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"),
    ("strtol('ff', 16)", 255),
    ("1 || '-' || 2", "1-2"),
    ("1 || 2", "12"),
    ("'a' || date '2018-11-01'", "a2018-11-01"),
    ("len('é'), octet_length('é')", 1),
    ("charindex('b', 'abc')", 2),
    ("split_part('a-b-c', '-', 2)", "b"),
    ("regexp_substr('the fox', 'f[a-z]+')", "fox"),
    ("regexp_substr('the fox', 'z')", ""),
    ("regexp_replace('a1b22', '[0-9]', '#')", "a#b##"),
    (r"regexp_substr('a 12', '\\d+')", "12"),
    (r"'it\'s'", "it's"),
    ("json_extract_path_text('{\"a\": {\"b\": 1}}', 'a', 'b')", "1"),
    ("'12.5'::numeric(9, 2)", Decimal("12.50")),
    ("12.5::numeric", Decimal("12")),
    ("cast(2.5 as decimal)", Decimal("2")),
    ("'żółw'::varchar(3)", "ż"),
    ("7 / 2", 3),
    ("dateadd(Week, 1, '2018-11-01')", MOMENT(2018, 11, 8)),
    ("dateadd(qtr, -1, '2018-12-31'::timestamp)", MOMENT(2018, 9, 30)),
    ("dateadd(hr, 1, '2018-11-01 00:00+00'::timestamptz)", MOMENT(2018, 11, 1, 1, tzinfo=UTC)),
    ("dateadd(day, 1, null::timestamp)", None),
    ("datediff(week, '2018-11-03', '2018-11-04')", 1),  # Saturday, Sunday
    ("datediff(year, '2018-12-31', '2019-01-01')", 1),
    ("datediff(quarter, '2019-01-01', '2018-12-31')", -1),
    ("datediff(month, '2018-12-31', '2018-01-01')", -11),
    ("datediff(day, '2018-11-01 23:59', '2018-11-02 00:00')", 1),
    ("datediff ('hour', '2018-11-01 00:59', '2018-11-01 01:00')", 1),
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
def test_expression_and_its_type(shared: Client, expression: str, expected: Any) -> None:
    [(value, *_)] = shared(f"select {expression}")
    assert value == expected and isinstance(value, type(expected))


def test_aggregates_and_windows(client: Client) -> None:
    client("create table {s}.plays (usr int, song varchar(20), ts timestamp sortkey)")
    client(
        "insert into {s}.plays values (1, 'a', '2018-11-01'), (1, 'b', '2018-11-02'), (2, 'a', '2018-11-03'),"
        " (2, 'a', '2018-11-04')"
    )
    assert client(
        "select usr, listagg(song, ',') within group (order by ts desc), listagg(distinct song, '/')"
        " from {s}.plays group by usr order by usr"
    ) == [(1, "b,a", "a/b"), (2, "a,a", "a")]
    assert client("select approximate count(distinct song), median(usr) from {s}.plays")[0][0] == 2
    rows = client(
        "with last as (select usr, song, row_number() over (partition by usr order by ts desc) as n from {s}.plays)"
        " select usr, song from last where n = 1 order by usr"
    )
    assert rows == [(1, "b"), (2, "a")]


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
    assert [round(value, 12) for value in values] == [round(math.sqrt(0.5), 12), 0.5, 0.5, 0.25]
    assert all(isinstance(value, float) for value in values)


def test_an_integer_is_a_condition(client: Client) -> None:
    client("create table {s}.a (i int, b boolean)")
    client("insert into {s}.a values (1, true), (2, false)")
    assert client("select i from {s}.a where 1 and b = 1") == [(1,)]


def test_ignore_nulls(client: Client) -> None:
    client("create table {s}.t (n int, x int)")
    client("insert into {s}.t values (1, 10), (2, null), (3, null), (4, 40)")
    frame = "rows between unbounded preceding and current row"
    assert client(
        "select n, lag(x) ignore nulls over (order by n), lead(x, 1) ignore nulls over (order by n),"
        f" last_value(x ignore nulls) over (order by n {frame}),"
        " first_value(x) ignore nulls over (order by n rows between current row and unbounded following),"
        " lag(x) respect nulls over (order by n)"
        " from {s}.t order by n"
    ) == [
        (1, None, 40, 10, 10, None),
        (2, 10, 40, 10, 40, 10),
        (3, 10, 40, 10, 40, None),
        (4, 10, None, 40, 40, None),
    ]


@stand_in
def test_interval_is_never_read_wrongly(warehouse: Warehouse, sql: Client) -> None:
    sql.fails("select interval '1 day'", "INTERVAL", "varchar")
    # INTERVAL's type number is also the number of this VARCHAR length and of some tables.
    assert sql("select 'x'::varchar(1182)") == [("x",)]
    assert sql("select (interval '1 day')::varchar, dateadd(day, 1, '2018-01-01'::timestamp) is null") == [
        ("1 day", False)
    ]


def test_sql_function(numbers: Client) -> None:
    numbers(
        "create or replace function {s}.later (timestamp, int) returns timestamp stable"
        " as $$ select dateadd(day, $2, $1) $$ language sql"
    )
    assert numbers("select {s}.later('2018-11-01'::timestamp, 2) = '2018-11-03'") == [(True,)]
    numbers("drop function {s}.later (timestamp, int)")


def test_sql_function_with_the_name_of_a_function_of_postgresql(client: Client) -> None:
    client("create function {s}.gcd (int, int) returns int immutable as $$ select 42 $$ language sql")
    client("set search_path to {s}")
    assert client("select gcd(4, 6)") == [(42,)]
    client("drop function gcd (int, int)")


# https://docs.aws.amazon.com/redshift/latest/dg/r_TO_DATE_function.html
def test_to_date_may_be_strict(shared: Client) -> None:
    shared.fails("select to_date('20010631', 'YYYYMMDD', true)", "out of range")
    shared.fails("select to_timestamp('2011-12-18 24:38:15', 'YYYY-MM-DD HH24:MI:SS', true)", "out of range")


# https://docs.aws.amazon.com/redshift/latest/dg/r_MEDIAN.html
def test_median_of_dates(shared: Client) -> None:
    shared("create table {s}.days (d date, t timestamp)")
    shared("insert into {s}.days values ('2018-11-01', '2018-11-01'), ('2018-11-03', '2018-11-02')")
    assert shared("select median(d) from {s}.days") == [(DAY(2018, 11, 2),)]
    assert shared("select median(t) from {s}.days") == [(MOMENT(2018, 11, 1, 12),)]
    shared.fails("select count(distinct d), median(d) from {s}.days", "distinct")
