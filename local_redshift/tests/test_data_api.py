"""Test the Data API and temporary logins from the AWS API on the same warehouse that all other clients use."""

from __future__ import annotations

import contextlib
import json
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import botocore.exceptions
import psycopg2
import pytest

from local_redshift import Running

PASSWORD = "Long-Enough-1"


class Api:
    """The Data API with its own cluster, used as the cluster's master user."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.client, self.redshift = running.client("redshift-data"), running.client("redshift")
        self.cluster, self.user = f"data-{uuid.uuid4().hex[:8]}", f"owner_{uuid.uuid4().hex[:8]}"
        self.redshift.create_cluster(
            ClusterIdentifier=self.cluster,
            NodeType="ra3.large",
            ClusterType="single-node",
            MasterUsername=self.user,
            MasterUserPassword=PASSWORD,
        )

    @property
    def where(self) -> dict[str, str]:
        return {"ClusterIdentifier": self.cluster, "Database": self.running.database, "DbUser": self.user}

    def run(self, sql: str, **more: Any) -> dict[str, Any]:
        """Run a statement, wait for its end, and return its description."""
        return self.end(self.client.execute_statement(Sql=sql, **{**self.where, **more})["Id"])

    def end(self, identifier: str) -> dict[str, Any]:
        while True:
            found: dict[str, Any] = self.client.describe_statement(Id=identifier)
            if found["Status"] in ("FINISHED", "FAILED", "ABORTED"):
                return found
            time.sleep(0.01)

    def rows(self, sql: str, **more: Any) -> list[list[Any]]:
        found = self.run(sql, **more)
        assert found["Status"] == "FINISHED", found.get("Error")
        pages = self.client.get_paginator("get_statement_result").paginate(Id=found["Id"])
        return [
            [next(iter(field.items())) for field in record] for page in pages for record in page["Records"]
        ]

    def login(self, user: str, password: str) -> Any:
        return psycopg2.connect(**self.running.login | {"user": user, "password": password})


@pytest.fixture(scope="module")
def api(local_redshift: Running) -> Iterator[Api]:
    made = Api(local_redshift)
    yield made
    _wait(made, made.cluster, "available")
    made.redshift.delete_cluster(ClusterIdentifier=made.cluster, SkipFinalClusterSnapshot=True)


def test_a_statement_runs_in_the_warehouse(api: Api) -> None:
    api.run("drop table if exists public.fruit")
    made = api.run("create table public.fruit (id int not null, name varchar(20), price numeric(8,2))")
    assert (made["Status"], made["HasResultSet"]) == ("FINISHED", False)
    added = api.run("insert into public.fruit values (1, 'apple', 1.50), (2, null, 2)")
    assert (added["ResultRows"], added["HasResultSet"]) == (2, False)
    found = api.run(
        "select id, name, price, id * 1.5::float8 as x, id = 1 as first from public.fruit order by id"
    )
    assert (found["ResultRows"], found["HasResultSet"]) == (2, True)
    assert found["Duration"] > 0 and found["RedshiftPid"] > 0 and found["DbUser"] == api.user
    result = api.client.get_statement_result(Id=found["Id"])
    assert result["Records"] == [
        [
            {"longValue": 1}, {"stringValue": "apple"}, {"stringValue": "1.50"}, {"doubleValue": 1.5},
            {"booleanValue": True},
        ],
        [
            {"longValue": 2}, {"isNull": True}, {"stringValue": "2.00"}, {"doubleValue": 3.0},
            {"booleanValue": False},
        ],
    ]  # fmt: skip
    assert result["TotalNumRows"] == 2
    columns = [
        (c["name"], c["typeName"], c["length"], c["precision"], c["scale"], c["nullable"], c["tableName"])
        for c in result["ColumnMetadata"]
    ]
    assert columns[0] == ("id", "int4", 4, 0, 0, 0, "fruit")
    assert columns[1] == ("name", "varchar", 20, 0, 0, 1, "fruit")
    assert (columns[2][1], columns[2][3:5]) == ("numeric", (8, 2))
    assert columns[3][1:] == ("float8", 8, 0, 0, 2, "")
    with api.login(api.user, PASSWORD) as connection, connection.cursor() as cursor:
        cursor.execute("select count(*) from public.fruit")
        assert cursor.fetchone() == (2,)


def test_values_are_as_the_warehouse_spells_them(api: Api) -> None:
    assert api.rows(
        "select date '2018-11-01', timestamp '2018-11-01 10:00:00.5', getdate() > '2018-01-01'"
    ) == [[("stringValue", "2018-11-01"), ("stringValue", "2018-11-01 10:00:00.5"), ("booleanValue", True)]]


def test_parameters_are_values_and_not_sql(api: Api) -> None:
    parameters = [{"name": "a", "value": "it's \\ :b"}, {"name": "b", "value": "3"}]
    sql = "select :a::varchar as \":a\", ':a' || :b, 1 + :b::int -- :a"
    assert api.rows(sql, Parameters=parameters) == [
        [("stringValue", "it's \\ :b"), ("stringValue", ":a3"), ("longValue", 4)]
    ]
    for sql, message in (
        ("select :a", r"unused parameters. Unused parameters: \[b\]"),
        ("select :a, :b, :c", "c"),
    ):
        with pytest.raises(api.client.exceptions.ValidationException, match=message):
            api.client.execute_statement(Sql=sql, Parameters=parameters, **api.where)


def test_an_error_is_the_warehouses(api: Api) -> None:
    found = api.run("select * from no_such_table")
    assert found["Status"] == "FAILED"
    assert found["Error"].startswith('ERROR: relation "no_such_table" does not exist')
    with pytest.raises(api.client.exceptions.ResourceNotFoundException, match="does not have result"):
        api.client.get_statement_result(Id=found["Id"])
    assert "FATAL" in api.run("select 1", Database="nowhere")["Error"]
    assert "ON CONFLICT" in api.run("insert into t values (1) on conflict do nothing")["Error"]
    assert api.run("select 1; select 2")["Status"] == "FAILED"


# https://docs.aws.amazon.com/redshift/latest/mgmt/data-api.html
def test_a_statement_has_100_kilobytes_at_most(api: Api) -> None:
    assert api.rows(f"select length('{'x' * 100_000}')") == [[("longValue", 100_000)]]
    with pytest.raises(botocore.exceptions.ClientError, match="100 KB"):
        api.client.execute_statement(Sql=f"select length('{'x' * 102_400}')", **api.where)


def test_a_batch_is_one_transaction(api: Api) -> None:
    api.run("drop table if exists public.batch")
    batch = [
        "create table public.batch (n int)",
        "insert into public.batch values (1), (2)",
        "select n from public.batch",
    ]
    found = api.end(api.client.batch_execute_statement(Sqls=batch, **api.where)["Id"])
    assert (found["Status"], found["HasResultSet"]) == ("FINISHED", True)
    assert [s["QueryString"] for s in found["SubStatements"]] == batch
    assert [s["HasResultSet"] for s in found["SubStatements"]] == [False, False, True]
    assert found["SubStatements"][2]["Id"] == found["Id"] + ":3"
    assert api.client.get_statement_result(Id=found["Id"] + ":3")["TotalNumRows"] == 2
    assert api.client.describe_statement(Id=found["Id"] + ":2")["ResultRows"] == 2

    broken = ["insert into public.batch values (3)", "select 1 / 0", "select 1"]
    found = api.end(api.client.batch_execute_statement(Sqls=broken, **api.where)["Id"])
    assert found["Status"] == "FAILED" and "division by zero" in found["Error"]
    assert [s["Status"] for s in found["SubStatements"]] == ["FINISHED", "FAILED", "ABORTED"]
    assert api.rows("select count(*) from public.batch") == [[("longValue", 2)]]


def test_long_results_come_in_pages(api: Api) -> None:
    api.run("drop table if exists public.many")
    api.run("create table public.many (n int)")
    api.run("insert into public.many values " + ", ".join(f"({n})" for n in range(1, 1301)))
    rows = api.rows("select n from public.many order by n")
    assert rows == [[("longValue", n)] for n in range(1, 1301)]


def test_cancel(api: Api) -> None:
    slow = "select count(*) from " + ", ".join(f"pg_catalog.pg_class {name}" for name in "abcd")
    identifier = api.client.execute_statement(Sql=slow, **api.where)["Id"]
    while api.client.describe_statement(Id=identifier)["Status"] != "STARTED":
        time.sleep(0.01)
    assert api.client.cancel_statement(Id=identifier)["Status"] is True
    assert api.end(identifier)["Status"] == "ABORTED"
    with pytest.raises(api.client.exceptions.ValidationException, match="already in ABORTED state"):
        api.client.cancel_statement(Id=identifier)


def test_who_runs_it(api: Api) -> None:
    who = "select current_user"
    assert api.rows(who) == [[("stringValue", api.user)]]
    secrets = api.running.client("secretsmanager")
    arn = secrets.create_secret(
        Name=f"login-{api.user}", SecretString=json.dumps({"username": api.user, "password": PASSWORD})
    )["ARN"]
    where = {"ClusterIdentifier": api.cluster, "Database": api.running.database}

    def ask(**more: str) -> Any:
        return api.end(api.client.execute_statement(Sql=who, **where, **more)["Id"])

    found = ask(SecretArn=arn)
    assert api.client.get_statement_result(Id=found["Id"])["Records"] == [[{"stringValue": api.user}]]
    found = ask()  # The user is named after the caller's identity, and has only PUBLIC's privileges.
    assert api.client.get_statement_result(Id=found["Id"])["Records"] == [[{"stringValue": "IAM:moto"}]]
    assert "authentication failed" in ask(DbUser="nobody_of_this_name")["Error"]
    secrets.put_secret_value(SecretId=arn, SecretString="{}")
    for more, message in (
        ({"SecretArn": arn}, "username and password in secret cannot be empty"),
        ({"SecretArn": "arn:aws:secretsmanager:us-west-2:123456789012:secret:none-abcdef"}, "secret"),
        ({"ClusterIdentifier": "none"}, "endpoint doesn't exist"),
        ({"WithEvent": True}, "does not cover WithEvent"),
        ({"SessionKeepAliveSeconds": 60}, "does not cover SessionKeepAliveSeconds"),
        ({"ResultFormat": "CSV"}, "does not cover ResultFormat CSV"),
    ):
        with pytest.raises(api.client.exceptions.ValidationException, match=message):
            api.client.execute_statement(Sql=who, **{**where, **more})
    with pytest.raises(
        api.client.exceptions.ValidationException, match="Either ClusterIdentifier or WorkgroupName"
    ):
        api.client.execute_statement(Sql=who, Database="dev")


def test_the_catalog(api: Api) -> None:
    api.run("drop schema if exists data_catalog cascade")
    api.run("create schema data_catalog")
    api.run("create table data_catalog.one (id int not null default 7, name varchar(30), price numeric(9,3))")
    api.run("create view data_catalog.two as select id from data_catalog.one")
    assert api.running.database in api.client.list_databases(**api.where)["Databases"]
    assert "data_catalog" in api.client.list_schemas(**api.where)["Schemas"]
    assert api.client.list_schemas(SchemaPattern="data_c%", **api.where)["Schemas"] == ["data_catalog"]
    tables = api.client.list_tables(SchemaPattern="data_catalog", **api.where)["Tables"]
    assert tables == [
        {"name": "one", "schema": "data_catalog", "type": "TABLE"},
        {"name": "two", "schema": "data_catalog", "type": "VIEW"},
    ]
    first = api.client.list_tables(SchemaPattern="data_catalog", MaxResults=1, **api.where)
    rest = api.client.list_tables(SchemaPattern="data_catalog", NextToken=first["NextToken"], **api.where)
    assert first["Tables"] + rest["Tables"] == tables
    found = api.client.describe_table(Schema="data_catalog", Table="one", **api.where)
    assert [(c["name"], c["typeName"], c["length"], c["precision"], c["scale"], c["nullable"], c.get("columnDefault"))
            for c in found["ColumnList"]] == [
        ("id", "int4", 4, 0, 0, 0, "7"), ("name", "varchar", 30, 0, 0, 1, None), ("price", "numeric", 0, 9, 3, 1, None),
    ]  # fmt: skip


def test_statements_are_listed(api: Api) -> None:
    name = uuid.uuid4().hex
    first, failed = api.run("select 1", StatementName=name), api.run("selec 1", StatementName=name + "x")
    listed = api.client.list_statements(StatementName=name)["Statements"]
    assert [(s["Id"], s["StatementName"], s["QueryString"]) for s in listed] == [
        (first["Id"], name, "select 1")
    ]
    listed = api.client.list_statements(StatementName=name, Status="ALL")["Statements"]
    assert [s["Id"] for s in listed] == [failed["Id"], first["Id"]]


def test_the_same_token_runs_once(api: Api) -> None:
    api.run("drop table if exists public.once")
    api.run("create table public.once (n int)")
    token = uuid.uuid4().hex
    given = {"Sql": "insert into public.once values (1)", "ClientToken": token, **api.where}
    identifiers = {api.client.execute_statement(**given)["Id"] for _ in range(3)}
    assert len(identifiers) == 1
    api.end(identifiers.pop())
    assert api.rows("select count(*) from public.once") == [[("longValue", 1)]]


def test_many_at_once(api: Api) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda n: api.rows(f"select {n}"), range(24))) == [
            [[("longValue", n)]] for n in range(24)
        ]


def test_an_operation_that_is_not_covered_is_refused_by_name(api: Api) -> None:
    with pytest.raises(botocore.exceptions.ClientError, match="does not cover RedshiftData ListSessions"):
        api.client.list_sessions()


def test_cluster_credentials_log_in(api: Api) -> None:
    given = api.redshift.get_cluster_credentials(ClusterIdentifier=api.cluster, DbUser=api.user)
    assert given["DbUser"] == f"IAM:{api.user}"
    with api.login(given["DbUser"], given["DbPassword"]) as connection, connection.cursor() as cursor:
        cursor.execute("select current_user, has_schema_privilege('public', 'create')")
        assert cursor.fetchone() == (api.user, True)
        cursor.execute("create table public.by_credentials (n int)")
        cursor.execute("select tableowner from pg_catalog.pg_tables where tablename = 'by_credentials'")
        assert cursor.fetchone() == (api.user,)
    new = f"new_{uuid.uuid4().hex[:8]}"
    given = api.redshift.get_cluster_credentials(ClusterIdentifier=api.cluster, DbUser=new, AutoCreate=True)
    with api.login(given["DbUser"], given["DbPassword"]) as connection, connection.cursor() as cursor:
        cursor.execute("select current_user")
        assert cursor.fetchone() == (new,)
    given = api.redshift.get_cluster_credentials(ClusterIdentifier=api.cluster, DbUser="nobody_at_all")
    with pytest.raises(psycopg2.OperationalError, match="authentication failed"):
        api.login(given["DbUser"], given["DbPassword"])


def test_a_cluster_may_have_the_user_of_the_services(api: Api) -> None:
    running = api.running
    api.redshift.create_cluster(
        ClusterIdentifier="same-user",
        NodeType="ra3.large",
        ClusterType="single-node",
        MasterUsername=running.user,
        MasterUserPassword=PASSWORD,
    )
    try:
        api.login(running.user, PASSWORD).close()
        _wait(api, "same-user", "available")
        api.redshift.pause_cluster(ClusterIdentifier="same-user")
        with pytest.raises(psycopg2.OperationalError, match="not permitted to log in"):
            api.login(running.user, PASSWORD)
        _wait(api, "same-user", "paused")
        api.redshift.resume_cluster(ClusterIdentifier="same-user")
        _wait(api, "same-user", "available")
    finally:
        api.redshift.delete_cluster(ClusterIdentifier="same-user", SkipFinalClusterSnapshot=True)
    with contextlib.closing(api.login(running.user, running.password)) as login, login.cursor() as cursor:
        # The deletion has not revoked the rights of the services' user.
        cursor.execute("select count(*) from pg_statistic")
        cursor.execute(f"alter user {running.user} set query_group to 'a'")
        cursor.execute(f"alter user {running.user} reset query_group")
    assert api.rows("select 1") == [[("longValue", 1)]]


def _wait(api: Api, cluster: str, state: str) -> None:
    while api.redshift.describe_clusters(ClusterIdentifier=cluster)["Clusters"][0]["ClusterStatus"] != state:
        time.sleep(0.05)


def test_airflows_operator(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    module = pytest.importorskip("airflow.providers.amazon.aws.operators.redshift_data")
    extra = {"endpoint_url": api.running.aws_endpoint, "region_name": "us-west-2"}
    connection = {"conn_type": "aws", "login": "local", "password": "local", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DATA_API", json.dumps(connection))
    operator = module.RedshiftDataOperator(
        task_id="ask",
        aws_conn_id="aws_data_api",
        cluster_identifier=api.cluster,
        database=api.running.database,
        db_user=api.user,
        sql="select 1 as one",
        poll_interval=1,
        return_sql_result=True,
    )
    (result,) = operator.execute({})
    assert result["Records"] == [[{"longValue": 1}]]
