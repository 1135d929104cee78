"""First-day work with redshift_connector, Amazon's driver, including its metadata calls and data frames."""

import pandas
import redshift_connector
from steps import DATABASE, LOGIN, USER, expect, refused, step

connection = redshift_connector.connect(**LOGIN, database=DATABASE, ssl=False)
cursor = connection.cursor()

with step("connect"):
    cursor.execute("select current_user, version()")
    user, version = cursor.fetchone()
    expect(user, USER)
    assert "Redshift" in version, version

with step("five parameter styles"):
    for style, sql, parameters in (
        ("format", "select %s::int + 1", (1,)),
        ("pyformat", "select %(n)s::int + 1", {"n": 1}),
        ("qmark", "select ?::int + 1", (1,)),
        ("numeric", "select :1::int + 1", (1,)),
        ("named", "select :n::int + 1", {"n": 1}),
    ):
        redshift_connector.paramstyle = style
        with connection.cursor() as other:
            other.paramstyle = style
            other.execute(sql, parameters)
            expect(other.fetchone()[0], 2)
    redshift_connector.paramstyle = "format"

with step("create and executemany"):
    cursor.execute(
        "create table plays (id int not null, song varchar(20), score numeric(8,2), primary key (id)) sortkey (id)"
    )
    cursor.executemany("insert into plays values (%s, %s, %s)", [(n, f"song {n}", n) for n in range(5)])
    connection.commit()

with step("fetch_dataframe"):
    cursor.execute("select id, song from plays order by id")
    frame = cursor.fetch_dataframe()
    expect(list(frame["song"]), [f"song {n}" for n in range(5)])

with step("write_dataframe"):
    cursor.execute("create table heard (id int, song varchar(20))")
    cursor.write_dataframe(pandas.DataFrame({"id": [1, 2], "song": ["a", "b"]}), "heard")
    connection.commit()
    cursor.execute("select count(*) from heard")
    expect(list(cursor.fetchone()), [2])
connection.rollback()

with step("insert_data_bulk"):
    import tempfile

    with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
        file.write("id,song\n3,c\n4,d\n")
        file.flush()
        cursor.execute("create table bulk (id int, song varchar(20))")
        cursor.insert_data_bulk(file.name, "bulk", [0, 1], ["id", "song"], ",", batch_size=2)
    cursor.execute("select count(*) from bulk")
    expect(list(cursor.fetchone()), [2])
    connection.commit()
connection.rollback()

with step("get_schemas and get_catalogs"):
    assert any("public" in row for row in cursor.get_schemas()), "no schema public"
    assert any(DATABASE in row for row in cursor.get_catalogs()), "no catalog"
connection.rollback()

with step("get_tables"):
    tables = cursor.get_tables(schema_pattern="public", table_name_pattern="plays")
    expect([row[2] for row in tables], ["plays"])
connection.rollback()

with step("get_columns"):
    columns = cursor.get_columns(schema_pattern="public", tablename_pattern="plays")
    expect([row[3] for row in columns], ["id", "song", "score"])
connection.rollback()

with step("get_primary_keys"):
    keys = cursor.get_primary_keys(schema="public", table="plays")
    expect([row[3] for row in keys], ["id"])
connection.rollback()

with step("get_table_types"):
    assert any("TABLE" in row for row in cursor.get_table_types())

with step("get_procedures"):
    cursor.get_procedures()
connection.rollback()

with step("types"):
    cursor.execute(
        "select 1::smallint, 2::bigint, 1.25::numeric(8,2), true, date '2018-11-01', timestamp '2018-11-01 02:03:04',"
        " 'x'::char(3), 1.5::real"
    )
    row = cursor.fetchone()
    expect([str(value) for value in row[:4]], ["1", "2", "1.25", "True"])
    expect(str(row[5]), "2018-11-01 02:03:04")

with step("autocommit, VACUUM and TRUNCATE"):
    connection.rollback()
    connection.autocommit = True
    cursor.execute("truncate plays")
    cursor.execute("vacuum plays")
    cursor.execute("analyze plays")
    connection.autocommit = False

with refused("two statements in one string are refused", "multiple commands"):
    cursor.execute("select 1; select 2")
connection.rollback()
