"""First-day work with dlt: append, replace, merge and scd2, with INSERT and with JSON Lines and Parquet in S3."""

import os
import tempfile
from typing import Any

import dlt
import psycopg2
from dlt.destinations import filesystem, redshift
from steps import BUCKET, DATABASE, HOST, LOGIN, PASSWORD, PORT, ROLE, USER, expect, step

os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
os.environ["DLT_DATA_DIR"] = tempfile.mkdtemp()
STAGING = {
    "aws_access_key_id": "local",
    "aws_secret_access_key": "local",
    "endpoint_url": os.environ["AWS_ENDPOINT_URL"],
    "region_name": os.environ["AWS_DEFAULT_REGION"],
}


def rows(sql: str) -> list[tuple[Any, ...]]:
    connection = psycopg2.connect(**LOGIN, dbname=DATABASE)
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())
    finally:
        connection.close()


def pipeline(dataset: str, staged: bool) -> dlt.Pipeline:
    destination = redshift(
        credentials={
            "host": HOST,
            "port": PORT,
            "username": USER,
            "password": PASSWORD,
            "database": DATABASE,
            "connect_timeout": 30,
        },
        staging_iam_role=ROLE if staged else None,
    )
    staging = filesystem(bucket_url=f"s3://{BUCKET}/dlt", credentials=STAGING) if staged else None
    return dlt.pipeline(
        f"p_{dataset}", destination=destination, staging=staging, dataset_name=dataset, progress=None
    )


SONGS = [{"id": 1, "title": "Alpha", "plays": 2.5}, {"id": 2, "title": "Beta", "plays": 0.25}]
CHANGED = [{"id": 2, "title": "Bêta", "plays": 1.5}, {"id": 3, "title": "Gamma", "plays": 3.0}]
MERGED = [(1, "Alpha"), (2, "Bêta"), (3, "Gamma")]

for how, staged, format_ in (("insert", False, None), ("jsonl", True, "jsonl"), ("parquet", True, "parquet")):
    for disposition, expected in (
        ("append", [(1, "Alpha"), (2, "Beta"), (2, "Bêta"), (3, "Gamma")]),
        ("replace", [(2, "Bêta"), (3, "Gamma")]),
        ("merge", MERGED),
    ):
        with step(f"{how}: {disposition}"):
            name = f"{how}_{disposition}"
            for content in (SONGS, CHANGED):
                pipeline(name, staged).run(
                    content,
                    table_name="songs",
                    write_disposition=disposition,
                    primary_key="id",
                    loader_file_format=format_,
                ).raise_on_failed_jobs()
            expect(rows(f"select id, title from {name}.songs order by id, title"), expected)
    with step(f"{how}: scd2"):
        name = f"{how}_scd2"
        for content in (SONGS, CHANGED):
            pipeline(name, staged).run(
                content,
                table_name="songs",
                write_disposition={"disposition": "merge", "strategy": "scd2"},
                loader_file_format=format_,
            ).raise_on_failed_jobs()
        expect(
            rows(f"select id, title from {name}.songs where _dlt_valid_to is null order by id"), MERGED[1:]
        )
        expect(rows(f"select count(*) from {name}.songs"), [(4,)])
