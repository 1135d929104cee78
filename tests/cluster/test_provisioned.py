"""Test the warehouse that provision creates on a moto server over HTTP, whose clusters are the local Redshift."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
import redshift_connector

from include.cluster import aws, database, pause, request, stack
from include.sparkify.errors import ConfigurationError
from tests.cluster.account import REGION
from tests.running import dag_of

STACK = [
    "Bucket", "BucketPolicy", "Cluster", "ConnectionLog", "ParameterGroup", "SecurityGroup", "UserLog"
]  # fmt: skip


def test_twice_in_a_row_is_one_warehouse(provisioned):
    assert (provisioned.first["run"], provisioned.first["deploy_stack"]) == ("success", "success")
    assert (provisioned.again["run"], provisioned.again["deploy_stack"]) == ("success", "success")
    resources = stack.list_resources(provisioned.cluster)
    assert sorted(one["LogicalResourceId"] for one in resources) == STACK
    assert provisioned.secret("airflow/connections/redshift_default") == provisioned.login
    same = provisioned.provision(cidrs=["10.1.0.0/16", "10.2.0.0/16"])
    assert (same["run"], same["deploy_stack"], same["wait_for_stack"]) == ("success", "skipped", "skipped")


def test_the_cluster_is_private_encrypted_and_wants_tls(provisioned):
    redshift = provisioned.client("redshift")
    cluster = provisioned.describe_cluster()
    assert (cluster["PubliclyAccessible"], cluster["Encrypted"]) == (False, True)
    assert (cluster["NodeType"], cluster["NumberOfNodes"]) == ("rg.large", 1)
    assert cluster["IamRoles"][0]["IamRoleArn"].endswith(f"role/{provisioned.name}-copy")
    assert {tag["Key"]: tag["Value"] for tag in cluster["Tags"]} == provisioned.cluster.tags
    status = redshift.describe_logging_status(ClusterIdentifier=provisioned.name)
    assert (status["LoggingEnabled"], status["LogDestinationType"]) == (True, "cloudwatch")


def test_the_stated_addresses_get_in_and_no_others(provisioned):
    cluster = provisioned.describe_cluster()
    (member,) = cluster["VpcSecurityGroups"]
    found = provisioned.client("ec2").describe_security_groups(GroupIds=[member["VpcSecurityGroupId"]])
    (group,) = found["SecurityGroups"]
    let_in = {r["CidrIp"] for p in group["IpPermissions"] for r in p["IpRanges"]}
    # The addresses are those of the second run. An address that only the first run stated no longer has access.
    assert let_in == {"10.1.0.0/16", "10.2.0.0/16"}
    assert {(p["FromPort"], p["ToPort"]) for p in group["IpPermissions"]} == {(5439, 5439)}


def test_the_work_bucket_is_private_encrypted_and_cleans_up(provisioned):
    s3 = provisioned.client("s3")
    assert all(s3.get_public_access_block(Bucket=provisioned.work)["PublicAccessBlockConfiguration"].values())
    assert s3.get_bucket_encryption(Bucket=provisioned.work)["ServerSideEncryptionConfiguration"]["Rules"]
    assert "aws:SecureTransport" in s3.get_bucket_policy(Bucket=provisioned.work)["Policy"]
    configured = s3.get_bucket_lifecycle_configuration(Bucket=provisioned.work)["Rules"]
    rules = {one["ID"]: one for one in configured}
    assert (rules["runs"]["Filter"], rules["runs"]["Expiration"]) == ({"Prefix": "runs/"}, {"Days": 14})
    assert rules["uploads"]["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 1}


def test_the_audit_log_has_an_end(provisioned):
    prefix = f"/aws/redshift/cluster/{provisioned.name}/"
    groups = provisioned.client("logs").describe_log_groups(logGroupNamePrefix=prefix)["logGroups"]
    days = {one["logGroupName"].removeprefix(prefix): one["retentionInDays"] for one in groups}
    assert days == {"connectionlog": 90, "userlog": 90}


def test_the_stack_is_protected_and_data_is_never_replaced(provisioned):
    assert provisioned.stack()["EnableTerminationProtection"] is True
    formation = provisioned.client("cloudformation")
    policy = formation.get_stack_policy(StackName=provisioned.name)["StackPolicyBody"]
    assert '"Deny"' in policy and "LogicalResourceId/Cluster" in policy


def test_the_cluster_is_resized_by_the_next_run(provisioned):
    assert provisioned.provision(node_type="rg.xlarge", nodes=2)["run"] == "success"
    cluster = provisioned.describe_cluster()
    assert (cluster["NodeType"], cluster["NumberOfNodes"]) == ("rg.xlarge", 2)
    assert provisioned.provision()["run"] == "success"


def test_silent_connections_are_kept_alive(provisioned):
    extra = provisioned.login["extra"]
    assert extra["tcp_keepalive_idle"] * 2 < 350
    assert extra["tcp_keepalive"] is True


def test_the_master_password_is_read_from_the_secret_that_redshift_names(provisioned, monkeypatch):
    """AWS documents its ARN, not its name."""
    api, redshift = provisioned.client("secretsmanager"), aws.client("redshift", REGION)
    login = json.dumps({"username": "elsewhere", "password": "Elsewhere123"})
    arn = api.create_secret(Name="elsewhere", SecretString=login)["ARN"]
    answer = {"Clusters": [provisioned.describe_cluster() | {"MasterPasswordSecretArn": arn}]}
    monkeypatch.setattr(redshift, "describe_clusters", lambda **_: answer)
    with pytest.raises(ConfigurationError, match="as elsewhere at"):
        database.ensure_database_user(provisioned.params("provision"))
    api.delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)


def test_the_pipelines_user_has_just_its_own_schemas(provisioned):
    with provisioned.connect_as_master() as master:
        cursor = master.cursor()
        cursor.execute("create schema foreign_schema")
        cursor.execute("create table foreign_schema.salaries (a int)")
        cursor.execute(
            "select usesuper, usecreatedb, useconfig from pg_user where usename = 'sparkify_pipeline'"
        )
        # One hour also applies to the providers' operators, which set no limit.
        assert list(cursor.fetchone()) == [False, False, ["statement_timeout=3600000"]]
        cursor.execute("select groname from pg_group")
        assert [f"{provisioned.schema}_analysts"] in [list(row) for row in cursor.fetchall()]
        master.commit()
    with provisioned.connect() as pipeline:
        cursor = pipeline.cursor()
        cursor.execute("create schema sparkify_run_1")
        cursor.execute(f"create table {provisioned.schema}.t (a int)")
        cursor.execute(f"create table {provisioned.schema}_reports.t (a int)")
        pipeline.commit()
        for statement in (
            "select * from foreign_schema.salaries",
            "create table public.t (a int)",
            "create user mallory password 'Mallory123'",
        ):
            with pytest.raises(redshift_connector.Error, match="permission denied"):
                cursor.execute(statement)
            pipeline.rollback()


@pytest.mark.finding("C4")
def test_only_the_pipelines_user_may_copy_with_the_role(provisioned):
    role = provisioned.secret("airflow/connections/aws_copy_role")["extra"]["role_arn"]
    with provisioned.connect_as_master() as master:
        cursor = master.cursor()
        cursor.execute("create user analyst password 'Analyst123'")
        cursor.execute("create schema analyst authorization analyst")
        master.commit()
    with provisioned.log_in("analyst", "Analyst123") as analyst:
        cursor = analyst.cursor()
        cursor.execute("create table analyst.t (a int)")
        with pytest.raises(redshift_connector.Error, match="does not have ASSUMEROLE permission"):
            cursor.execute(
                f"copy analyst.t from 's3://{provisioned.work}/runs/a' iam_role '{role}' json 'auto'"
            )


def test_pause_and_resume(provisioned):
    name = {"name": provisioned.name}
    assert provisioned.run("pause", **name)["pause_cluster"] == "success"
    with pytest.raises(redshift_connector.Error, match="not permitted"):
        provisioned.connect()
    again = provisioned.run("pause", **name)
    assert (again["run"], again["pause_cluster"]) == ("success", "skipped")
    refused = provisioned.provision()
    assert (refused["run"], refused["deploy_stack"]) == ("failed", "failed")
    assert provisioned.run("resume", **name)["resume_cluster"] == "success"
    provisioned.connect().close()
    assert pause.find_resumable(provisioned.params("resume")) is False
    # While a cluster is being paused, AWS refuses to resume it.
    provisioned.client("redshift").pause_cluster(ClusterIdentifier=provisioned.name)
    states = provisioned.run("resume", **name)
    assert (states["run"], states["wait_until_paused"]) == ("success", "success")
    provisioned.connect().close()
    # The stand-in may already be paused by then, so the run does not prove the order of the tasks.
    dag = dag_of("resume")
    assert "wait_until_paused" in dag.get_task("resume_cluster").upstream_task_ids
    assert dag.get_task("wait_until_paused").target_status == "paused"


def test_a_cluster_is_idle_only_if_measured_so(provisioned):
    params = provisioned.params("pause")
    assert pause.find_pausable(params, only_if_idle=True) is False, "no measurement at all"
    _measure(provisioned, dict.fromkeys(range(0, 60, 5), 0.0) | {61: 1.0})
    assert pause.find_pausable(params, only_if_idle=True)
    _measure(provisioned, {31: 1.0})
    assert pause.find_pausable(params, only_if_idle=True) is False, "a connection half an hour ago"
    assert pause.find_pausable(params, only_if_idle=False), "a manual run"


def _measure(account, connected):
    """Publish the number of connections at each of these minutes in the past as a CloudWatch metric."""
    account.client("cloudwatch").put_metric_data(
        Namespace="AWS/Redshift",
        MetricData=[
            {
                "MetricName": "DatabaseConnections",
                "Dimensions": [{"Name": "ClusterIdentifier", "Value": account.name}],
                "Timestamp": datetime.now(UTC) - timedelta(minutes=minutes, seconds=30),
                "Value": value,
            }
            for minutes, value in connected.items()
        ],
    )


def test_regions_of_other_partitions_are_known():
    for region in ("us-gov-west-1", "cn-north-1", REGION):
        assert request.is_offered("redshift", region), region
