"""First-day work with sqlalchemy-redshift and pandas, with both drivers."""

import pandas
import sqlalchemy as sa
from sqlalchemy_redshift.dialect import CopyCommand, UnloadFromSelect
from steps import BUCKET, DATABASE, HOST, PASSWORD, PORT, ROLE, USER, expect, step

SECURITY = {"psycopg2": {"sslmode": "prefer"}, "redshift_connector": {"ssl": False}}


def use(driver: str) -> None:
    url = sa.URL.create(f"redshift+{driver}", USER, PASSWORD, HOST, PORT, DATABASE)
    engine = sa.create_engine(url, connect_args=SECURITY[driver])
    schema = f"by_{driver}"
    metadata = sa.MetaData(schema=schema)
    create_and_fill(driver, engine, metadata)
    inspect_and_reflect(driver, engine, schema)
    exchange_frames(driver, engine, schema)
    unload_and_copy(driver, engine, metadata)
    engine.dispose()


def create_and_fill(driver: str, engine: sa.Engine, metadata: sa.MetaData) -> None:
    with step(f"{driver}: create tables with keys"):
        songs = sa.Table(
            "songs",
            metadata,
            sa.Column("song_id", sa.Integer, primary_key=True),
            sa.Column("title", sa.String(50), nullable=False, comment="as its record says"),
            sa.Column("length", sa.Numeric(8, 2)),
            redshift_diststyle="KEY",
            redshift_distkey="song_id",
            redshift_sortkey=("song_id",),
        )
        sa.Table(
            "plays",
            metadata,
            sa.Column("play_id", sa.BigInteger, primary_key=True, info={"identity": (1, 1)}),
            sa.Column("song_id", sa.Integer, sa.ForeignKey(songs.c.song_id)),
            sa.Column("at", sa.DateTime),
        )
        with engine.begin() as connection:
            connection.execute(sa.schema.CreateSchema(metadata.schema))
            metadata.create_all(connection)

    with step(f"{driver}: insert and select"), engine.begin() as connection:
        connection.execute(songs.insert(), [{"song_id": n, "title": f"t{n}", "length": n} for n in range(3)])
        expect(connection.scalar(sa.select(sa.func.count()).select_from(songs)), 3)


def inspect_and_reflect(driver: str, engine: sa.Engine, schema: str) -> None:
    with step(f"{driver}: inspect"):
        inspector = sa.inspect(engine)
        expect(sorted(inspector.get_table_names(schema=schema)), ["plays", "songs"])
        assert inspector.has_table("songs", schema=schema), "has_table"
        assert not inspector.has_table("nothing", schema=schema), "has_table says yes to nothing"
        expect(
            [column["name"] for column in inspector.get_columns("songs", schema=schema)],
            ["song_id", "title", "length"],
        )
        expect(inspector.get_pk_constraint("songs", schema=schema)["constrained_columns"], ["song_id"])
        expect(
            [key["referred_table"] for key in inspector.get_foreign_keys("plays", schema=schema)], ["songs"]
        )
        options = inspector.get_table_options("songs", schema=schema)
        expect(options["redshift_diststyle"], "KEY")
        expect(options["redshift_distkey"], "song_id")

    with step(f"{driver}: reflect"):
        reflected = sa.MetaData()
        reflected.reflect(engine, schema=schema)
        expect(sorted(reflected.tables), [f"{schema}.plays", f"{schema}.songs"])
        expect(str(reflected.tables[f"{schema}.songs"].c.title.type), "VARCHAR(50)")

    with step(f"{driver}: view definition"):
        with engine.begin() as connection:
            connection.execute(sa.text(f"create view {schema}.titles as select title from {schema}.songs"))
        inspector = sa.inspect(engine)
        expect(inspector.get_view_names(schema=schema), ["titles"])
        assert "title" in str(inspector.get_view_definition("titles", schema=schema))


def exchange_frames(driver: str, engine: sa.Engine, schema: str) -> None:
    with step(f"{driver}: pandas to_sql"):
        frame = pandas.DataFrame(
            {"id": [1, 2, 3], "name": ["a", "b", None], "at": pandas.Timestamp("2018-11-01")}
        )
        frame.to_sql("frame", engine, schema=schema, index=False, if_exists="replace", method="multi")
        frame.to_sql("frame", engine, schema=schema, index=False, if_exists="append")

    with step(f"{driver}: pandas read_sql_table and read_sql"):
        back = pandas.read_sql_table("frame", engine, schema=schema)
        expect(list(back.columns), ["id", "name", "at"])
        expect(len(back), 6)
        back = pandas.read_sql(f"select sum(id) as total from {schema}.frame", engine)
        expect(int(back["total"][0]), 12)


def unload_and_copy(driver: str, engine: sa.Engine, metadata: sa.MetaData) -> None:
    with step(f"{driver}: UNLOAD and COPY as constructs"):
        songs = metadata.tables[f"{metadata.schema}.songs"]
        unload = UnloadFromSelect(
            sa.select(songs.c.song_id, songs.c.title),
            unload_location=f"s3://{BUCKET}/unload/{driver}_",
            iam_role_arns=ROLE,
            format="CSV",
            parallel=False,
        )
        copied = sa.Table(
            "copied",
            sa.MetaData(schema=metadata.schema),
            sa.Column("song_id", sa.Integer),
            sa.Column("title", sa.String(50)),
        )
        with engine.begin() as connection:
            copied.create(connection)
            copy = CopyCommand(
                copied, data_location=f"s3://{BUCKET}/unload/{driver}_", iam_role_arns=ROLE, format="CSV"
            )
            # Use literals, because neither command accepts parameters.
            for command in (unload, copy):
                connection.exec_driver_sql(
                    str(command.compile(engine, compile_kwargs={"literal_binds": True}))
                )
            expect(connection.scalar(sa.select(sa.func.count()).select_from(copied)), 3)


for each in SECURITY:
    use(each)
