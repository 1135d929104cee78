"""First-day work with awswrangler: data frames through S3 with COPY and UNLOAD."""

import awswrangler
import boto3
import pandas
import redshift_connector
from steps import BUCKET, DATABASE, LOGIN, ROLE, USER, expect, step

connection = redshift_connector.connect(**LOGIN, database=DATABASE, ssl=False)
frame = pandas.DataFrame(
    {
        "id": [1, 2, 3],
        "name": ["a", "ö", None],
        "score": [0.5, 1.5, 2.5],
        "at": pandas.to_datetime(["2018-11-01", "2018-11-02", "2018-11-03"]),
        "ok": [True, False, True],
    }
)

with step("to_sql overwrite, append and upsert"):
    for mode in ("overwrite", "append"):
        awswrangler.redshift.to_sql(frame, connection, "small", "public", mode=mode)
    awswrangler.redshift.to_sql(
        frame[frame["id"] == 1], connection, "small", "public", mode="upsert", primary_keys=["id"]
    )
    expect(len(awswrangler.redshift.read_sql_table("small", connection, schema="public")), 5)
connection.rollback()

with step("read_sql_query"):
    back = awswrangler.redshift.read_sql_query("select 1 as one, 'a'::varchar as two", connection)
    expect(back.to_dict("records"), [{"one": 1, "two": "a"}])
connection.rollback()

with step("copy (Parquet)"):
    awswrangler.redshift.copy(
        frame, f"s3://{BUCKET}/copy/", connection, "loaded", "public", iam_role=ROLE, mode="overwrite"
    )
    back = awswrangler.redshift.read_sql_query("select * from loaded order by id", connection)
    expect(list(back["name"])[:2], ["a", "ö"])
    expect(list(back["score"]), [0.5, 1.5, 2.5])
connection.rollback()

with step("copy upsert with layout"):
    for _ in range(2):
        awswrangler.redshift.copy(
            frame,
            f"s3://{BUCKET}/copy2/",
            connection,
            "keyed",
            "public",
            iam_role=ROLE,
            mode="upsert",
            primary_keys=["id"],
            diststyle="KEY",
            distkey="id",
            sortkey=["id"],
        )
    expect(len(awswrangler.redshift.read_sql_table("keyed", connection, schema="public")), 3)
connection.rollback()

with step("copy_from_files (CSV)"):
    awswrangler.s3.to_csv(frame[["id", "name"]], f"s3://{BUCKET}/csv/one.csv", index=False, header=False)
    awswrangler.redshift.copy_from_files(
        f"s3://{BUCKET}/csv/",
        connection,
        "from_csv",
        "public",
        iam_role=ROLE,
        data_format="csv",
        redshift_column_types={"id": "INTEGER", "name": "VARCHAR(10)"},
    )
    expect(len(awswrangler.redshift.read_sql_table("from_csv", connection, schema="public")), 3)
connection.rollback()

with step("unload (Parquet)"):
    back = awswrangler.redshift.unload(
        "select id, name, score, at, ok from loaded", f"s3://{BUCKET}/unload/", connection, iam_role=ROLE
    )
    expect(sorted(back["id"]), [1, 2, 3])
    expect(sorted(back["score"]), [0.5, 1.5, 2.5])
connection.rollback()

with step("unload_to_files (CSV)"):
    awswrangler.redshift.unload_to_files(
        "select id, name from loaded", f"s3://{BUCKET}/files/", connection, iam_role=ROLE, unload_format="CSV"
    )
    assert awswrangler.s3.list_objects(f"s3://{BUCKET}/files/"), "no file"
connection.rollback()

with step("data_api"):
    boto3.client("redshift").create_cluster(
        ClusterIdentifier="clients",
        NodeType="ra3.large",
        NumberOfNodes=2,
        DBName=DATABASE,
        MasterUsername="admin",
        MasterUserPassword="Secret123",
    )
    api = awswrangler.data_api.redshift.connect(cluster_id="clients", database=DATABASE, db_user=USER)
    back = awswrangler.data_api.redshift.read_sql_query("select count(*) as n from loaded", con=api)
    expect(int(back["n"][0]), 3)
