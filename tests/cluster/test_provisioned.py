"""What provision makes, looked at: on a moto server over HTTP, whose clusters are the local front."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
import redshift_connector

from include.cluster import inventory, pause, provision
from tests.cluster.account import ALL_KINDS, REGION, load_dag


def test_twice_in_a_row_is_one_warehouse(provisioned):
    assert (provisioned.first["run"], provisioned.first["create_cluster"]) == ("success", "success")
    assert (provisioned.again["run"], provisioned.again["create_cluster"]) == ("success", "skipped")
    assert provisioned.kinds() == ALL_KINDS
    assert provisioned.secret("airflow/connections/redshift_default") == provisioned.login


def test_everything_bears_the_tags(provisioned):
    things = inventory.owned(provisioned.warehouse)
    assert len(things) == len(ALL_KINDS)
    assert [dict(thing.tags) for thing in things] == [provisioned.warehouse.tags] * len(things)


def test_the_cluster_is_private_encrypted_and_wants_tls(provisioned):
    (cluster,) = provisioned.client("redshift").describe_clusters(ClusterIdentifier=provisioned.name)[
        "Clusters"
    ]
    assert (cluster["PubliclyAccessible"], cluster["Encrypted"]) == (False, True)
    assert (cluster["NodeType"], cluster["NumberOfNodes"]) == ("ra3.large", 1)
    assert cluster["IamRoles"][0]["IamRoleArn"].endswith(f"role/{provisioned.name}-copy")
    create = load_dag("provision").get_task("create_cluster")
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
    policy = json.loads(provision.policy("work-bucket", provisioned.warehouse))["Statement"]
    assert policy[0]["Effect"] == "Deny"
    assert policy[0]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_the_copy_role_only_reads(provisioned):
    role = provisioned.client("iam").get_role_policy(RoleName=f"{provisioned.name}-copy", PolicyName="copy")
    statements = role["PolicyDocument"]["Statement"]
    actions = {
        a for s in statements for a in ([s["Action"]] if isinstance(s["Action"], str) else s["Action"])
    }
    assert actions == {"s3:GetObject", "s3:ListBucket", "s3:GetBucketLocation"}
    resources = {
        r for s in statements for r in ([s["Resource"]] if isinstance(s["Resource"], str) else s["Resource"])
    }
    lake, work = f"arn:aws:s3:::lake-{provisioned.name}", f"arn:aws:s3:::{provisioned.work}"
    assert resources == {lake, f"{lake}/log_data/*", f"{lake}/song_data/*", work, f"{work}/*"}


def test_the_pipelines_user_has_just_its_own_schemas(provisioned):
    with provisioned.connect(f"{provisioned.name}/master") as master:
        cursor = master.cursor()
        cursor.execute("create schema somebody_elses")
        cursor.execute("create table somebody_elses.salaries (a int)")
        cursor.execute("select usesuper, usecreatedb from pg_user where usename = 'sparkify_pipeline'")
        assert list(cursor.fetchone()) == [False, False]
        master.commit()
    with provisioned.connect() as pipeline:
        cursor = pipeline.cursor()
        cursor.execute("create schema sparkify_run_1")
        cursor.execute(f"create table {provisioned.schema}.t (a int)")
        cursor.execute("create table reports.t (a int)")
        pipeline.commit()
        for statement in (
            "select * from somebody_elses.salaries",
            "create table public.t (a int)",
            "create user mallory password 'Mallory123'",
        ):
            with pytest.raises(redshift_connector.Error, match="permission denied"):
                cursor.execute(statement)
            pipeline.rollback()


def test_pause_and_resume(provisioned):
    name = {"name": provisioned.name}
    assert provisioned.run("pause", **name)["pause_cluster"] == "success"
    with pytest.raises(redshift_connector.Error, match="not permitted"):
        provisioned.connect()
    assert provisioned.run("pause", **name) == {
        "run": "success",
        "idle_or_asked": "success",
        "pause_cluster": "skipped",
    }
    assert provisioned.run("resume", **name)["resume_cluster"] == "success"
    provisioned.connect().close()
    assert pause.to_resume(provisioned.params("resume")) == {}


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
    assert pause.to_pause(params, scheduled=True) == {}, "no measurement at all"
    _measure(provisioned, dict.fromkeys(range(0, 60, 5), 0.0))
    assert pause.to_pause(params, scheduled=True) == {"name": provisioned.name, "region": REGION}
    _measure(provisioned, {31: 1.0})
    assert pause.to_pause(params, scheduled=True) == {}, "somebody was connected half an hour ago"
    assert pause.to_pause(params | {"idle_minutes": 20}, scheduled=True)
    assert pause.to_pause(params, scheduled=False), "asked for by a person"


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
