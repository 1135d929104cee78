"""First-day work with Airflow: its Redshift hooks and operators, each in its own DAG run."""

import json
import os
import subprocess
import sys
import tempfile
from typing import Any

from steps import BUCKET, DATABASE, HOST, PASSWORD, PORT, ROLE, USER, expect, refused, step

HOME = tempfile.TemporaryDirectory()
AWS = {"endpoint_url": os.environ["AWS_ENDPOINT_URL"], "region_name": os.environ["AWS_DEFAULT_REGION"]}
WAREHOUSE = {"host": HOST, "port": PORT, "schema": DATABASE, "login": USER, "password": PASSWORD}


def connection(kind: str, fields: dict[str, object], extra: dict[str, object]) -> str:
    """Return a connection in the format in which Airflow reads it from the environment."""
    return json.dumps({"conn_type": kind, **fields, "extra": extra})


KEYS = {"login": "local", "password": "local"}
os.environ.update(
    AIRFLOW_HOME=HOME.name,
    AIRFLOW__CORE__LOAD_EXAMPLES="False",
    AIRFLOW__CORE__DAGS_FOLDER=HOME.name,
    AIRFLOW__LOGGING__LOGGING_LEVEL="ERROR",
    AIRFLOW__USAGE_DATA_COLLECTION__ENABLED="False",
    AIRFLOW_CONN_AWS_DEFAULT=connection("aws", KEYS, AWS),
    AIRFLOW_CONN_AWS_ROLE=connection("aws", KEYS, AWS | {"role_arn": ROLE}),
    AIRFLOW_CONN_REDSHIFT_DEFAULT=connection(
        "redshift", WAREHOUSE, {"ssl": False, "application_name": "clients"}
    ),
    AIRFLOW_CONN_REDSHIFT_PLAIN=connection("redshift", WAREHOUSE, {}),
    AIRFLOW_CONN_POSTGRES_DEFAULT=connection("postgres", WAREHOUSE, {}),
)
subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], check=True, stdout=sys.stderr)

import boto3  # noqa: E402
import pendulum  # noqa: E402
from airflow import DAG  # noqa: E402
from airflow.models.baseoperator import BaseOperator  # noqa: E402
from airflow.providers.amazon.aws.hooks.redshift_cluster import RedshiftHook  # noqa: E402
from airflow.providers.amazon.aws.hooks.redshift_sql import RedshiftSQLHook  # noqa: E402
from airflow.providers.amazon.aws.operators.redshift_data import RedshiftDataOperator  # noqa: E402
from airflow.providers.amazon.aws.transfers.redshift_to_s3 import RedshiftToS3Operator  # noqa: E402
from airflow.providers.amazon.aws.transfers.s3_to_redshift import S3ToRedshiftOperator  # noqa: E402
from airflow.providers.common.sql.operators.sql import (  # noqa: E402
    SQLColumnCheckOperator,
    SQLExecuteQueryOperator,
    SQLTableCheckOperator,
    SQLValueCheckOperator,
)
from airflow.providers.postgres.hooks.postgres import PostgresHook  # noqa: E402

s3 = boto3.client("s3")
hook = RedshiftSQLHook()


def run(kind: type[BaseOperator], **given: Any) -> None:
    """Run one operator in its own DAG run. Raise RuntimeError unless the run succeeds."""
    with DAG(
        f"use_{len(os.listdir(HOME.name))}", start_date=pendulum.datetime(2018, 11, 1), schedule=None
    ) as dag:
        operator = kind(task_id="use", **given)
    heard: list[str] = []
    operator.on_failure_callback = lambda context: heard.append(str(context.get("exception")))
    done = dag.test(execution_date=pendulum.now())
    if done.state != "success":
        raise RuntimeError(heard[0] if heard else f"the run ended as {done.state}")


def count(table: str) -> int:
    """Return the number of rows in ``table``."""
    return int(hook.get_first(f"select count(*) from {table}")[0])


with step("SQLExecuteQueryOperator"):
    run(
        SQLExecuteQueryOperator,
        conn_id="redshift_default",
        sql=[
            "create table songs (id int, title varchar(20), primary key (id)) distkey (id)",
            "create table copied (like songs)",
        ],
    )
with step("RedshiftSQLHook: run, insert_rows, get_records, get_first"):
    hook.run("insert into songs values (%s, %s)", parameters=(1, "one"))
    hook.insert_rows("songs", [(2, "two"), (3, "three")], target_fields=["id", "title"])
    expect(len(hook.get_records("select * from songs")), 3)
    expect(count("songs"), 3)
with step("RedshiftSQLHook: get_df"):
    expect(list(hook.get_df("select title from songs order by id")["title"]), ["one", "two", "three"])
with step("RedshiftSQLHook: get_table_primary_key"):
    expect(hook.get_table_primary_key("songs"), ["id"])
with step("PostgresHook"):
    expect(PostgresHook().get_first("select max(id) from songs")[0], 3)
with step("SQLValueCheckOperator"):
    run(
        SQLValueCheckOperator,
        conn_id="redshift_default",
        sql="select count(*) from songs",
        pass_value=3,
    )
with step("SQLColumnCheckOperator"):
    run(
        SQLColumnCheckOperator,
        conn_id="redshift_default",
        table="songs",
        column_mapping={
            "id": {"null_check": {"equal_to": 0}, "unique_check": {"equal_to": 0}, "min": {"geq_to": 1}},
        },
    )
with step("SQLTableCheckOperator"):
    run(
        SQLTableCheckOperator,
        conn_id="redshift_default",
        table="songs",
        checks={
            "rows": {"check_statement": "count(*) = 3"},
            "titles": {"check_statement": "count(distinct title) = 3"},
        },
    )
s3.put_object(Bucket=BUCKET, Key="airflow/songs.csv", Body=b"3,drei\n4,vier\n")
for method, rows in (("APPEND", 5), ("REPLACE", 2), ("UPSERT", 2)):
    with step(f"S3ToRedshiftOperator {method}"):
        run(
            S3ToRedshiftOperator,
            schema="public",
            table="songs",
            s3_bucket=BUCKET,
            s3_key="airflow/songs.csv",
            aws_conn_id="aws_role",
            copy_options=["CSV"],
            method=method,
            upsert_keys=["id"] if method == "UPSERT" else None,
        )
        expect(count("songs"), rows)
with step("RedshiftToS3Operator"):
    run(
        RedshiftToS3Operator,
        schema="public",
        table="songs",
        s3_bucket=BUCKET,
        s3_key="unloaded",
        aws_conn_id="aws_role",
        unload_options=["CSV", "PARALLEL OFF"],
        table_as_file_name=True,
    )
    found = s3.list_objects_v2(Bucket=BUCKET, Prefix="unloaded")["Contents"]
    body = s3.get_object(Bucket=BUCKET, Key=found[0]["Key"])["Body"].read()
    expect(sorted(body.split()), [b"3,drei", b"4,vier"])
with step("RedshiftHook: a cluster's status"):
    boto3.client("redshift").create_cluster(
        ClusterIdentifier="clients", NodeType="ra3.large", NumberOfNodes=2, DBName=DATABASE,
        MasterUsername="admin", MasterUserPassword="Secret123",
    )  # fmt: skip
    boto3.client("redshift").get_waiter("cluster_available").wait(
        ClusterIdentifier="clients", WaiterConfig={"Delay": 1}
    )
    expect(RedshiftHook().cluster_status("clients"), "available")
with step("RedshiftDataOperator"):
    run(
        RedshiftDataOperator,
        cluster_identifier="clients",
        database=DATABASE,
        db_user=USER,
        sql="insert into songs values (5, 'fünf')",
        wait_for_completion=True,
        poll_interval=1,
    )
    expect(count("songs"), 3)
with refused("insert_rows(replace=True) is refused (ON CONFLICT)", "on conflict"):
    PostgresHook().insert_rows(
        "songs", [(1, "a")], target_fields=["id", "title"], replace=True, replace_index="id"
    )
# The hook passes `ssl` and `application_name` to psycopg2, which supports neither, so this connection has no extra.
with (
    step("RedshiftSQLHook: get_sqlalchemy_engine"),
    RedshiftSQLHook("redshift_plain").get_sqlalchemy_engine().connect() as connected,
):
    expect(connected.exec_driver_sql("select 1").scalar(), 1)
