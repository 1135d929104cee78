"""Test the warehouse's life cycle with Airflow on a moto server over HTTP, whose clusters are the local Redshift."""

from __future__ import annotations

import contextlib
import json
from datetime import datetime
from unittest import mock

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException, AirflowSkipException

from include.cluster import aws, connections, database, inventory, pause, serverless, stack, teardown
from include.sparkify.errors import ConfigurationError, TransientError
from tests.cluster.account import REGION
from tests.reports.test_door import assert_open, log_in
from tests.world import event, lines


@pytest.mark.slow
def test_a_run_goes_on_where_one_failed_and_teardown_leaves_what_was_asked(account, monkeypatch, caplog):
    with monkeypatch.context() as patch:
        write = database.write_connections

        def done_but_failed(*arguments):
            write(*arguments)
            raise AirflowException("the network went away")

        patch.setattr(database, "write_connections", done_but_failed)
        states = account.provision()
    assert (states["write_connections"], states["log_costs"]) == ("failed", "success")
    # The log names each existing resource and its cost.
    for thing in inventory.list_things(account.cluster):
        assert f"{thing}" in caplog.text
    assert "about 0.38 USD per hour until paused or deleted" in caplog.text
    states = account.provision()
    assert (states["run"], states["deploy_stack"]) == ("success", "skipped")
    account.connect().close()

    # AWS takes no snapshot of a paused cluster, so teardown resumes it first.
    account.client("s3").put_object(Bucket=account.work, Key="runs/a", Body=b"a")
    account.client("redshift").pause_cluster(ClusterIdentifier=account.name)
    states = account.teardown(final_snapshot=True, delete_work_bucket=False)
    assert (states["run"], states["delete_bucket"]) == ("success", "skipped")
    assert account.kinds() == ["snapshot", "work bucket"]
    (snapshot,) = inventory.list_snapshots(account.cluster)
    command = f"aws redshift delete-cluster-snapshot --region {REGION} --snapshot-identifier {snapshot}"
    assert command in caplog.text

    # A new warehouse uses the remaining bucket. After the bucket is deleted too, only the snapshot is left.
    params = account.params("provision")
    given = {p["ParameterKey"]: p["ParameterValue"] for p in stack.check_request(params)["Parameters"]}
    assert given["CreateWorkBucket"] == "false"
    states = account.teardown()
    assert states["run"] == states["delete_bucket"] == "success"
    assert states["take_final_snapshot"] == "skipped"
    assert account.kinds() == ["snapshot"]


@pytest.mark.slow
def test_an_analyst_reads_what_is_meant_for_analysts_and_again_after_teardown(account, monkeypatch):
    s3, lake = account.client("s3"), f"lake-{account.name}"
    s3.create_bucket(Bucket=lake, CreateBucketConfiguration={"LocationConstraint": REGION})
    noon = lines(event(datetime(2018, 11, 1, 12)))
    s3.put_object(Bucket=lake, Key="log_data/2018/11/2018-11-01-events.json", Body=noon)
    for time in ("first", "again"):
        assert account.provision()["run"] == "success"
        for name in ("redshift_default", "aws_copy_role"):
            written = json.dumps(account.secret(f"airflow/connections/{name}"))
            monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", written)
        for dag_id, params in (("sparkify", {"start": "2018-11-01", "end": "2018-11-02"}), ("reports", {})):
            assert set(account.run(dag_id, **params).values()) == {"success"}
        assert_open(log_in(f"ann_{time}", account.connect_as_master()))
        assert account.teardown()["run"] == "success"
        assert account.kinds() == []


@pytest.mark.slow
def test_serverless_has_its_limit_before_anybody_can_log_in(account, monkeypatch):
    wanted = {"serverless": True, "base_capacity": 16}
    with monkeypatch.context() as patch:
        patch.setattr(serverless, "limit_usage", mock.Mock(side_effect=TransientError("AWS is busy")))
        states = account.provision(**wanted)
    assert (states["limit_usage"], states["write_connections"]) == ("failed", "upstream_failed")
    assert connections.describe_secret(account.cluster, connections.REDSHIFT_CONNECTION) is None
    (line,) = [str(thing) for thing in inventory.list_things(account.cluster) if thing.kind == "workgroup"]
    assert "WITHOUT A USAGE LIMIT" in line

    assert account.provision(**wanted)["run"] == "success"
    (limit,) = serverless.list_limits(account.cluster)
    assert (limit["amount"], limit["period"], limit["breachAction"]) == (16, "daily", "deactivate")
    workgroup = inventory.describe_serverless(account.cluster, "workgroup")
    assert (workgroup["publiclyAccessible"], workgroup["baseCapacity"]) == (False, 16)
    assert workgroup["configParameters"] == [{"parameterKey": "require_ssl", "parameterValue": "true"}]
    account.connect().close()

    params = account.params("provision", usage_limit=5, **wanted)
    serverless.limit_usage(params)
    assert [one["amount"] for one in serverless.list_limits(account.cluster)] == [5]
    with pytest.raises(ConfigurationError, match="exists as Serverless, and its data would be deleted"):
        stack.check_request(params | {"serverless": False})

    # Teardown takes the snapshot while the workgroup exists, because AWS refuses a snapshot without one.
    assert account.teardown(final_snapshot=True)["run"] == "success"
    assert account.kinds() == ["snapshot"]
    (snapshot,) = inventory.list_snapshots(account.cluster)
    account.client("redshift-serverless").delete_snapshot(snapshotName=snapshot)


@pytest.mark.slow
def test_the_capacity_of_a_workgroup_can_be_changed(account):
    for base in (8, 32, 4):
        assert account.provision(serverless=True, base_capacity=base)["run"] == "success"
        assert inventory.describe_serverless(account.cluster, "workgroup")["baseCapacity"] == base


def test_what_aws_refuses_leaves_nothing_and_says_why(account):
    """A foreign cluster has the same name: CloudFormation rolls back, and the next run can use the stack's name."""
    account.client("redshift").create_cluster(
        ClusterIdentifier=account.name,
        NodeType="rg.large",
        ClusterType="single-node",
        MasterUsername="theirs",
        MasterUserPassword="Theirs123456",
    )
    params = account.params("provision")
    stack.deploy_stack(params)
    account.stack()
    with pytest.raises(AirflowFailException, match=r"ROLLBACK_COMPLETE.*\n +Cluster: .*ClusterAlreadyExists"):
        stack.is_settled(params)
    assert account.stack() is None
    # No DAG touches the foreign cluster, and no log has a command that deletes it.
    account.wait_for_cluster()
    assert account.kinds() == teardown.list_leftovers(account.params("teardown")) == []
    for dag_id, find in (("pause", pause.find_pausable), ("resume", pause.find_resumable)):
        with pytest.raises(ConfigurationError, match="provision created no cluster"):
            find(account.params(dag_id), *[False] * (dag_id == "pause"))
    assert account.describe_cluster()["ClusterStatus"] == "available"
    account.client("redshift").delete_cluster(ClusterIdentifier=account.name, SkipFinalClusterSnapshot=True)


def test_a_change_that_aws_refuses_is_undone_and_said(account):
    params = account.params("provision")
    stack.deploy_stack(params)
    account.stack()
    arguments = stack.check_request(params)
    for one in arguments["Parameters"]:
        if one["ParameterKey"] == "NodeType":
            one["ParameterValue"] = "rg.xlarge"
    assert stack.update(account.cluster, arguments)
    account.stack()
    with pytest.raises(ConfigurationError, match=r"UPDATE_ROLLBACK_COMPLETE.*\n +Cluster: .*number of nodes"):
        stack.is_settled(params)
    with pytest.raises(AirflowSkipException):
        stack.deploy_stack(params)
    assert inventory.describe_cluster(account.cluster)["NodeType"] == "rg.large"


def test_a_run_that_finds_an_earlier_one_at_work_waits_and_then_has_its_way(account):
    params = account.params("provision")
    stack.deploy_stack(params)
    later = params | {"cidrs": ["10.0.0.0/16", "10.2.0.0/16"]}
    stack.deploy_stack(later)
    assert not stack.is_settled(later)
    while not stack.is_settled(later):
        account.stack()
    assert stack.parameters_of(account.stack())["SecondCidr"] == "10.2.0.0/16"


@pytest.mark.finding("G13")
def test_a_call_whose_answer_was_lost_is_tried_again(account, monkeypatch):
    """botocore sends the call again, and AWS refuses it because of the first one."""
    params = account.params("provision")
    formation = aws.client("cloudformation", REGION)
    for operation, given in (("create_stack", params), ("update_stack", params | {"cidrs": ["10.2.0.0/16"]})):
        once = getattr(formation, operation)
        with monkeypatch.context() as patch:
            patch.setattr(formation, operation, lambda once=once, **named: [once(**named), once(**named)])
            with pytest.raises(TransientError):
                stack.deploy_stack(given)
        with contextlib.suppress(AirflowSkipException):
            stack.deploy_stack(given)
        assert account.stack()["StackStatus"] == f"{operation[:6].upper()}_COMPLETE"
    # A second try of teardown finds the stack while AWS deletes it.
    stack.delete_stack(account.cluster)
    stack.delete_stack(account.cluster)
    assert account.stack() is None


def test_teardown_wants_the_name_again_and_may_find_nothing(account):
    with pytest.raises(AirflowFailException, match="nothing was changed"):
        teardown.check_request(account.params("teardown", confirm="yes"))
    states = account.teardown()
    assert states["run"] == "success"
    assert states["take_final_snapshot"] == states["delete_bucket"] == "skipped"
