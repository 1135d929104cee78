"""The cluster's life, run by Airflow on a moto server over HTTP whose clusters are the local Redshift."""

from __future__ import annotations

import pytest
from airflow.providers.amazon.aws.hooks.redshift_cluster import RedshiftHook
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException

from include.cluster import (
    credentials,
    database,
    inventory,
    network,
    provision,
    serverless,
    storage,
    teardown,
)
from tests.cluster.account import ALL_KINDS, REGION


@pytest.mark.slow
def test_after_each_step_failed_once_the_next_run_goes_on(account, monkeypatch, caplog):
    """Every step fails once after its work is done; the next run finds the work done."""
    for steps in (
        ["ensure_work_bucket", "ensure_copy_role", "ensure_network", "ensure_master_secret"],
        ["create_cluster"],
        ["write_connections"],
        ["ensure_database_user"],
    ):
        with monkeypatch.context() as patch:
            for step in steps:
                fail_after(patch, step)
            states = account.provision()
        assert states["run"] == "failed"
        assert [states[step] for step in steps] == ["failed"] * len(steps)
        assert states["log_inventory"] == "success"
        # The log names what exists, with its cost.
        for thing in inventory.list_resources(account.cluster):
            assert f"{thing}" in caplog.text
        assert ("about 0.54 USD per hour until paused or deleted" in caplog.text) == (
            "cluster" in account.kinds()
        )
        caplog.clear()
    assert account.provision()["run"] == "success"
    assert account.kinds() == ALL_KINDS
    account.connect().close()


def fail_after(patch, step):
    """Let a step of provision do its work and fail then."""
    owner = next(
        (room for room in (storage, network, credentials, database) if hasattr(room, step)), RedshiftHook
    )
    work = getattr(owner, step)

    def done_but_failed(*arguments, **named):
        work(*arguments, **named)
        raise AirflowException("the network went away")

    patch.setattr(owner, step, done_but_failed)


def test_teardown_of_half_and_paused_keeps_a_snapshot_and_the_bucket(account, monkeypatch, caplog):
    with monkeypatch.context() as patch:
        fail_after(patch, "create_cluster")
        assert account.provision()["run"] == "failed"
    account.client("s3").put_object(Bucket=account.work, Key="runs/a", Body=b"a")
    account.client("redshift").pause_cluster(ClusterIdentifier=account.name)
    states = account.teardown(final_snapshot=True, delete_work_bucket=False)
    assert (states["run"], states["delete_bucket"]) == ("success", "skipped")
    assert account.kinds() == ["snapshot", "work bucket"]
    snapshot = next(thing for thing in inventory.list_resources(account.cluster) if thing.kind == "snapshot")
    assert (
        f"aws redshift delete-cluster-snapshot --region {REGION} --snapshot-identifier {snapshot.name}"
        in caplog.text
    )
    assert f"aws s3 rb --force s3://{account.work}" in caplog.text

    # Again, now with the bucket: everything else is already deleted.
    again = account.teardown()
    assert (again["run"], again["delete_cluster"]) == ("success", "skipped")
    assert account.kinds() == ["snapshot"]
    account.client("redshift").delete_cluster_snapshot(SnapshotIdentifier=snapshot.name)


def test_teardown_of_nothing(account):
    states = account.teardown()
    assert states.pop("delete_cluster") == "skipped"
    assert set(states.values()) == {"success"}


def test_a_failed_teardown_says_what_is_left_and_goes_on_when_run_again(account, monkeypatch, caplog):
    params = account.params("provision", **account.wanted())
    storage.ensure_work_bucket(params)
    storage.ensure_copy_role(params)
    with monkeypatch.context() as patch:
        patch.setattr(teardown, "delete_role", lambda params: None)
        states = account.teardown()
    assert (states["run"], states["list_leftovers"]) == ("failed", "failed")
    assert account.kinds() == ["role"]
    assert f"aws iam delete-role --role-name {account.name}-copy" in caplog.text
    assert account.teardown()["run"] == "success"
    assert account.kinds() == []


def test_teardown_wants_the_name_again(account):
    params = account.params("provision", **account.wanted())
    storage.ensure_copy_role(params)
    states = account.teardown(confirm="yes")
    assert (states["run"], states["check_request"]) == ("failed", "failed")
    assert account.kinds() == ["role"]
    with pytest.raises(AirflowFailException, match="nothing was changed"):
        teardown.check_request(account.params("teardown", confirm="yes"))


def test_serverless(account, caplog):
    states = account.provision(serverless=True)
    assert (states["run"], states["create_cluster"], states["ensure_serverless"]) == (
        "success",
        "skipped",
        "success",
    )
    assert account.kinds() == sorted(["namespace", "workgroup", *ALL_KINDS[1:]])
    api = account.client("redshift-serverless")
    workgroup = api.get_workgroup(workgroupName=account.name)["workgroup"]
    assert (workgroup["publiclyAccessible"], workgroup["baseCapacity"]) == (False, 8)
    assert workgroup["configParameters"] == [{"parameterKey": "require_ssl", "parameterValue": "true"}]
    account.connect().close()

    params = account.params("provision", **account.wanted(serverless=True, usage_limit=5))
    provision.check_request(params)
    serverless.ensure_serverless(params, "role", "group")
    (limit,) = api.list_usage_limits(resourceArn=workgroup["workgroupArn"])["usageLimits"]
    assert (limit["amount"], limit["period"], limit["breachAction"]) == (16, "daily", "deactivate")
    assert (
        "stays at 16 RPU-hours per day. To set 5: aws redshift-serverless update-usage-limit" in caplog.text
    )
    with pytest.raises(AirflowFailException, match="second, costly one"):
        provision.check_request(params | {"serverless": False})

    states = account.teardown(final_snapshot=True)
    assert (states["run"], states["delete_serverless"]) == ("success", "success")
    assert account.kinds() == ["snapshot"]


def test_a_subnet_group_where_subnets_are_named(account):
    ec2, redshift = account.client("ec2"), account.client("redshift")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.1.0/24")["Subnet"]["SubnetId"]
    params = account.params("provision", **account.wanted(subnet_ids=[subnet]))
    first = network.ensure_network(params)
    assert network.ensure_network(params) == first
    assert first["subnet_group"] == account.name
    (group,) = ec2.describe_security_groups(GroupIds=[first["security_group"]])["SecurityGroups"]
    assert group["VpcId"] == vpc
    (subnets,) = redshift.describe_cluster_subnet_groups(ClusterSubnetGroupName=account.name)[
        "ClusterSubnetGroups"
    ]
    assert [s["SubnetIdentifier"] for s in subnets["Subnets"]] == [subnet]
    network.delete_network(account.params("teardown"))
    assert account.kinds() == []
