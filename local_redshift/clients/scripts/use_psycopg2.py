"""First-day work with psycopg2."""

import psycopg2
import psycopg2.extras
from steps import DATABASE, LOGIN, USER, expect, refused, step

connection = psycopg2.connect(**LOGIN, dbname=DATABASE)
cursor = connection.cursor()

with step("connect"):
    cursor.execute("select version(), current_user")
    version, user = cursor.fetchone()
    assert "Redshift" in version, version
    expect(user, USER)
    expect(connection.info.parameter_status("server_version"), "8.0.2")

with step("parameters"):
    cursor.execute("select %s::int + 1, %s::varchar, %s::date", (1, "o'brien \\ 100%", "2018-11-01"))
    number, text, day = cursor.fetchone()
    expect((number, text, day.isoformat()), (2, "o'brien \\ 100%", "2018-11-01"))
    cursor.execute("select count(*) from (select 1 as n union all select 2) t where n in %s", ((1, 3),))
    expect(cursor.fetchone()[0], 1)

with step("execute_values"):
    cursor.execute(
        "create table plays (id int not null, song varchar(20)) diststyle key distkey (id) sortkey (id)"
    )
    psycopg2.extras.execute_values(
        cursor, "insert into plays values %s", [(n, f"song {n}") for n in range(300)]
    )
    connection.commit()
    cursor.execute("select count(*), max(song) from plays")
    expect(cursor.fetchone(), (300, "song 99"))

with step("rollback"):
    cursor.execute("delete from plays")
    connection.rollback()
    cursor.execute("select count(*) from plays")
    expect(cursor.fetchone()[0], 300)
    connection.commit()

with step("named cursor"):
    with connection.cursor("pages") as pages:
        pages.itersize = 50
        pages.execute("select id from plays order by id")
        expect([row[0] for row in pages], list(range(300)))
    connection.commit()

with step("several statements at once"):
    cursor.execute("create temp table t (n int); insert into t values (1); select n from t")
    expect(cursor.fetchall(), [(1,)])
    connection.commit()

with step("dictionaries of rows"):
    with connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as rows:
        rows.execute("select id, song from plays where id = 7")
        expect(dict(rows.fetchone()), {"id": 7, "song": "song 7"})
    connection.commit()

with step("error class of a missing table"):
    try:
        cursor.execute("select * from no_such_table")
    except psycopg2.errors.UndefinedTable:
        connection.rollback()

with refused("copy_expert from STDIN is refused", "copy"):
    import io

    cursor.copy_expert("copy plays from stdin", io.StringIO("1\ta\n"))
connection.rollback()

with refused("ON CONFLICT is refused", "on conflict"):
    cursor.execute("insert into plays values (1, 'a') on conflict do nothing")
connection.rollback()
