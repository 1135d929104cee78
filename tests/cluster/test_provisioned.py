"""The resources that provision creates, on a moto server over HTTP whose clusters are the local Redshift."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
import redshift_connector

from include.cluster import inventory, pause
from include.cluster.policies import render_policy
from tests.cluster.account import ALL_KINDS, REGION
from tests.running import dag_of


def test_twice_in_a_row_is_one_warehouse(provisioned):
    assert (provisioned.first["run"], provisioned.first["create_cluster"]) == ("success", "success")
    assert (provisioned.again["run"], provisioned.again["create_cluster"]) == ("success", "skipped")
    assert provisioned.kinds() == ALL_KINDS
    assert provisioned.secret("airflow/connections/redshift_default") == provisioned.login


def test_every_resource_carries_the_tags(provisioned):
    things = inventory.list_owned(provisioned.cluster)
    assert len(things) == len(ALL_KINDS)
    assert [dict(thing.tags) for thing in things] == [provisioned.cluster.tags] * len(things)


def test_the_cluster_is_private_encrypted_and_wants_tls(provisioned):
    (cluster,) = provisioned.client("redshift").describe_clusters(ClusterIdentifier=provisioned.name)[
        "Clusters"
    ]
    assert (cluster["PubliclyAccessible"], cluster["Encrypted"]) == (False, True)
    assert (cluster["NodeType"], cluster["NumberOfNodes"]) == ("ra3.large", 1)
    assert cluster["IamRoles"][0]["IamRoleArn"].endswith(f"role/{provisioned.name}-copy")
    create = dag_of("provision").get_task("create_cluster")
    assert (create.publicly_accessible, create.encrypted) == (False, True)
    assert create.cluster_parameter_group_name == "default.redshift-2.0"


def test_the_stated_addresses_get_in_and_no_others(provisioned):
    (cluster,) = provisioned.client("redshift").describe_clusters(ClusterIdentifier=provisioned.name)[
        "Clusters"
    ]
    (group,) = provisioned.client("ec2").describe_security_groups(
        Filters=[{"Name": "group-name", "Values": [f"{provisioned.name}-redshift"]}]
    )["SecurityGroups"]
    assert [member["VpcSecurityGroupId"] for member in cluster["VpcSecurityGroups"]] == [group["GroupId"]]
    let_in = {r["CidrIp"] for p in group["IpPermissions"] for r in p["IpRanges"]}
    let_in |= {r["CidrIpv6"] for p in group["IpPermissions"] for r in p["Ipv6Ranges"]}
    # Those of the second run: what only the first one stated is shut out again.
    assert let_in == {"10.1.0.0/16", "2001:db8::/32"}
    assert {(p["IpProtocol"], p["FromPort"], p["ToPort"]) for p in group["IpPermissions"]} == {
        ("tcp", 5439, 5439)
    }


def test_the_work_bucket_is_private_and_encrypted(provisioned):
    s3 = provisioned.client("s3")
    assert all(s3.get_public_access_block(Bucket=provisioned.work)["PublicAccessBlockConfiguration"].values())
    assert s3.get_bucket_encryption(Bucket=provisioned.work)["ServerSideEncryptionConfiguration"]["Rules"]
    policy = json.loads(render_policy("work-bucket", provisioned.cluster))["Statement"]
    assert policy[0]["Effect"] == "Deny"
    assert policy[0]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


@pytest.mark.finding("C1")
def test_the_copy_role_carries_only_its_managed_policy(provisioned):
    iam, role = provisioned.client("iam"), f"{provisioned.name}-copy"
    attached = iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
    assert [policy["PolicyName"] for policy in attached] == [role]
    assert iam.list_role_policies(RoleName=role)["PolicyNames"] == []


@pytest.mark.finding("C4")
def test_only_redshift_in_this_account_may_assume_the_copy_role(provisioned):
    role = provisioned.client("iam").get_role(RoleName=f"{provisioned.name}-copy")["Role"]
    (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert statement == json.loads(render_policy("redshift-trust", provisioned.cluster))["Statement"][0]
    assert "$" not in json.dumps(statement)


def test_the_pipelines_user_has_just_its_own_schemas(provisioned):
    with provisioned.connect(f"{provisioned.name}/master") as master:
        cursor = master.cursor()
        cursor.execute("create schema foreign_schema")
        cursor.execute("create table foreign_schema.salaries (a int)")
        cursor.execute("select usesuper, usecreatedb from pg_user where usename = 'sparkify_pipeline'")
        assert list(cursor.fetchone()) == [False, False]
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
    with provisioned.connect(f"{provisioned.name}/master") as master:
        cursor = master.cursor()
        cursor.execute("create user analyst password 'Analyst123'")
        cursor.execute("create schema analyst authorization analyst")
        master.commit()
    analyst = redshift_connector.connect(
        host="127.0.0.1",
        port=provisioned.cloud.redshift_port,
        database="dev",
        user="analyst",
        password="Analyst123",
        ssl=False,
    )
    with analyst:
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
    assert provisioned.run("pause", **name) == {
        "run": "success",
        "find_pausable": "success",
        "pause_cluster": "skipped",
    }
    assert provisioned.run("resume", **name)["resume_cluster"] == "success"
    provisioned.connect().close()
    assert pause.find_resumable(provisioned.params("resume")) == {}


def test_provision_wakes_a_paused_cluster(provisioned):
    provisioned.client("redshift").pause_cluster(ClusterIdentifier=provisioned.name)
    states = provisioned.provision()
    assert (states["run"], states["create_cluster"], states["resume_cluster"]) == (
        "success",
        "skipped",
        "success",
    )
    provisioned.connect().close()


def test_a_cluster_is_idle_only_if_measured_so(provisioned):
    params = provisioned.params("pause", idle_minutes=60)
    assert pause.find_pausable(params, scheduled=True) == {}, "no measurement at all"
    _measure(provisioned, dict.fromkeys(range(0, 60, 5), 0.0))
    assert pause.find_pausable(params, scheduled=True) == {"name": provisioned.name, "region": REGION}
    _measure(provisioned, {31: 1.0})
    assert pause.find_pausable(params, scheduled=True) == {}, "a connection half an hour ago"
    assert pause.find_pausable(params | {"idle_minutes": 20}, scheduled=True)
    assert pause.find_pausable(params, scheduled=False), "a manual run"


def _measure(account, connected):
    """Connections so many minutes ago."""
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
