"""First-day work with psycopg 3."""

import datetime

import psycopg
from psycopg.rows import dict_row
from steps import DATABASE, LOGIN, expect, refused, step

# psycopg 3 uses the server's encoding, which Redshift names UNICODE.
connection = psycopg.connect(**LOGIN, dbname=DATABASE, client_encoding="utf8")

with step("connect"):
    expect(connection.execute("select current_database()").fetchone(), (DATABASE,))
    expect(connection.info.parameter_status("server_version"), "8.0.2")

with step("parameters"):
    row = connection.execute(
        "select %s::int, %s::varchar, %s::timestamp", (1, "ä", datetime.datetime(2018, 11, 1, 2, 3))
    ).fetchone()
    expect(row, (1, "ä", datetime.datetime(2018, 11, 1, 2, 3)))

with step("executemany"):
    connection.execute("create table plays (id int, song varchar(20)) sortkey (id)")
    with connection.cursor() as cursor:
        cursor.executemany("insert into plays values (%s, %s)", [(n, f"song {n}") for n in range(100)])
    connection.commit()
    expect(connection.execute("select count(*) from plays").fetchone(), (100,))

with step("binary results"), connection.cursor(binary=True) as cursor:
    row = cursor.execute("select 1::int, 2::bigint, 'a'::varchar, true, 1.5::float8").fetchone()
    expect(row, (1, 2, "a", True, 1.5))

with step("prepared statements"):
    for n in range(8):
        expect(
            connection.execute("select song from plays where id = %s", (n,), prepare=True).fetchone(),
            (f"song {n}",),
        )

with step("server cursor"), connection.cursor("pages") as cursor:
    cursor.execute("select id from plays order by id")
    expect(len(cursor.fetchmany(10)) + len(cursor.fetchall()), 100)

with step("stream"), connection.cursor() as cursor:
    expect(sum(row[0] for row in cursor.stream("select id from plays")), sum(range(100)))

with step("rows as dictionaries"), connection.cursor(row_factory=dict_row) as cursor:
    expect(cursor.execute("select 1 as a, 'b'::varchar as b").fetchone(), {"a": 1, "b": "b"})

with step("transaction block"):
    connection.commit()
    with connection.transaction():
        connection.execute("delete from plays where id < 50")
    expect(connection.execute("select count(*) from plays").fetchone(), (50,))
    connection.commit()

with step("pipeline"):
    with connection.pipeline(), connection.cursor() as cursor:
        cursor.execute("create table heard (id int)")
        cursor.execute("insert into heard select id from plays")
        cursor.execute("select count(*) from heard")
        expect(cursor.fetchone(), (50,))
    connection.commit()

with (
    refused("nested transaction is refused (Redshift has no SAVEPOINT)", "savepoint"),
    connection.transaction(),
    connection.transaction(),
):
    connection.execute("select 1")
connection.rollback()
connection.close()
