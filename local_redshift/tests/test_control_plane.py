"""Test that Redshift's control plane and CloudFormation refuse the same requests and have the same states as AWS."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from local_redshift.service import Running

LOGIN = {"MasterUsername": "owner", "MasterUserPassword": "Owner123456"}


def refused(call: Callable[..., object], **given: Any) -> str:
    """Make a call that must be refused, and return the error code."""
    with pytest.raises(ClientError) as caught:
        call(**given)
    return str(caught.value.response["Error"]["Code"])


def until(reached: Callable[[], bool]) -> None:
    while not reached():
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("kind", "nodes"),
    [
        ("rg.xlarge", 1),
        ("rg.large", 17),
        ("ra3.4xlarge", 1),
        ("rg.4xlarge", 33),
        ("rg.huge", 2),
        ("dc2.large", 33),
    ],
)
def test_a_node_type_has_a_range_of_nodes(local_redshift: Running, kind: str, nodes: int) -> None:
    size = (
        {"ClusterType": "single-node"}
        if nodes == 1
        else {"ClusterType": "multi-node", "NumberOfNodes": nodes}
    )
    create = local_redshift.client("redshift").create_cluster
    assert (
        refused(create, ClusterIdentifier="too-many", NodeType=kind, **size, **LOGIN)
        == "InvalidParameterValue"
    )


def test_a_cluster_has_states_and_a_managed_password(local_redshift: Running) -> None:
    redshift, secrets = local_redshift.client("redshift"), local_redshift.client("secretsmanager")
    name = f"states-{uuid.uuid4().hex[:8]}"

    def state() -> str:
        return str(redshift.describe_clusters(ClusterIdentifier=name)["Clusters"][0]["ClusterStatus"])

    redshift.create_cluster(
        ClusterIdentifier=name,
        NodeType="rg.large",
        ClusterType="single-node",
        MasterUsername=f"owner_{name[-8:]}",
        ManageMasterPassword=True,
    )
    assert refused(redshift.pause_cluster, ClusterIdentifier=name) == "InvalidClusterState"
    assert state() == "creating"
    until(lambda: state() == "available")
    arn = redshift.describe_clusters(ClusterIdentifier=name)["Clusters"][0]["MasterPasswordSecretArn"]
    assert len(json.loads(secrets.get_secret_value(SecretId=arn)["SecretString"])["password"]) > 20
    redshift.pause_cluster(ClusterIdentifier=name)
    assert refused(redshift.resume_cluster, ClusterIdentifier=name) == "InvalidClusterState"
    until(lambda: state() == "paused")
    snapshot = {"ClusterIdentifier": name, "SnapshotIdentifier": f"{name}-1"}
    assert refused(redshift.create_cluster_snapshot, **snapshot) == "InvalidClusterState"
    redshift.delete_cluster(ClusterIdentifier=name, SkipFinalClusterSnapshot=True)
    assert state() == "deleting"
    until(lambda: name not in str(redshift.describe_clusters()))
    assert refused(secrets.get_secret_value, SecretId=arn) == "ResourceNotFoundException"


def test_an_elastic_resize_has_limits_and_a_classic_one_has_none(local_redshift: Running) -> None:
    redshift, name = local_redshift.client("redshift"), f"size-{uuid.uuid4().hex[:8]}"

    def size() -> tuple[str, str, int]:
        (cluster,) = redshift.describe_clusters(ClusterIdentifier=name)["Clusters"]
        return cluster["ClusterStatus"], cluster["NodeType"], cluster["NumberOfNodes"]

    def resize(kind: str, nodes: int, **how: bool) -> dict[str, Any]:
        several = {"ClusterType": "single-node" if nodes == 1 else "multi-node", "NumberOfNodes": nodes}
        return {"ClusterIdentifier": name, "NodeType": kind, **several, **how}

    login = {"MasterUsername": f"owner_{name[-8:]}", "ManageMasterPassword": True}
    redshift.create_cluster(ClusterIdentifier=name, NodeType="rg.large", ClusterType="single-node", **login)
    assert refused(redshift.resize_cluster, **resize("rg.large", 2)) == "InvalidClusterState"
    until(lambda: size() == ("available", "rg.large", 1))
    assert refused(redshift.resize_cluster, **resize("rg.large", 2)) == "UnsupportedOperation"
    for kind, nodes, how, no in (
        ("rg.large", 4, {"Classic": True}, (("rg.large", 1), ("rg.large", 9), ("rg.4xlarge", 4))),
        # From here to the next classic resize, the limits are those of four nodes.
        ("rg.large", 8, {}, (("rg.large", 9), ("rg.xlarge", 8))),
        ("rg.4xlarge", 2, {"Classic": True}, (("rg.4xlarge", 9),)),
        ("rg.4xlarge", 8, {}, (("rg.4xlarge", 16),)),
        ("rg.large", 1, {"Classic": True}, (("ra3.large", 1),)),
    ):
        assert redshift.resize_cluster(**resize(kind, nodes, **how))["Cluster"]["ClusterIdentifier"] == name
        assert size()[0] == "resizing"
        until(lambda kind=kind, nodes=nodes: size() == ("available", kind, nodes))
        for one in no:
            assert refused(redshift.resize_cluster, **resize(*one)) == "UnsupportedOperation", one
    assert refused(redshift.resize_cluster, **resize("rg.xlarge", 1, Classic=True)) == "InvalidParameterValue"
    redshift.delete_cluster(ClusterIdentifier=name, SkipFinalClusterSnapshot=True)


def test_serverless_has_steps_zones_and_states(local_redshift: Running) -> None:
    api, ec2 = local_redshift.client("redshift-serverless"), local_redshift.client("ec2")
    name = f"free-{uuid.uuid4().hex[:8]}"
    api.create_namespace(namespaceName=name, adminUsername=f"owner_{name[-8:]}", manageAdminPassword=True)
    take = {"namespaceName": name, "snapshotName": f"{name}-1"}
    assert refused(api.create_snapshot, **take) == "ValidationException"
    one = [ec2.describe_subnets()["Subnets"][0]["SubnetId"]]
    for given in ({"baseCapacity": 9}, {"baseCapacity": 16, "maxCapacity": 8}, {"subnetIds": one}):
        call = {"workgroupName": name, "namespaceName": name, **given}
        assert refused(api.create_workgroup, **call) == "ValidationException"
    arn = api.create_workgroup(workgroupName=name, namespaceName=name, baseCapacity=4)["workgroup"][
        "workgroupArn"
    ]
    limit = {"resourceArn": arn, "usageType": "serverless-compute", "amount": 1}
    assert refused(api.create_usage_limit, **limit) == "ConflictException"
    assert refused(api.delete_namespace, namespaceName=name) == "ConflictException"
    until(lambda: api.get_workgroup(workgroupName=name)["workgroup"]["status"] == "AVAILABLE")
    api.create_usage_limit(**limit)

    def update(**given: Any) -> None:
        api.update_workgroup(workgroupName=name, **given)
        until(lambda: api.get_workgroup(workgroupName=name)["workgroup"]["status"] == "AVAILABLE")

    target = {"pricePerformanceTarget": {"status": "ENABLED", "level": 50}}
    assert refused(update, maxCapacity=16, baseCapacity=8) == "ValidationException"
    update(**target)
    assert refused(update, baseCapacity=8) == "ValidationException"
    update(pricePerformanceTarget={"status": "DISABLED"})
    update(baseCapacity=8)
    api.delete_workgroup(workgroupName=name)
    assert refused(api.delete_namespace, namespaceName=name) == "ConflictException"
    until(lambda: name not in str(api.list_workgroups()["workgroups"]))
    api.delete_namespace(namespaceName=name)


@pytest.fixture
def stack(local_redshift: Running) -> Iterator[Any]:
    """Yield a function that creates a stack of log groups and waits until the creation has ended."""
    api, names = local_redshift.client("cloudformation"), []

    def create(**resources: Any) -> Any:
        names.append(f"stack-{uuid.uuid4().hex[:8]}")
        template = json.dumps({"Parameters": PARAMETERS, "Resources": resources})
        api.create_stack(StackName=names[-1], TemplateBody=template)
        until(lambda: not _state(api, names[-1]).endswith("IN_PROGRESS"))
        return api, names[-1]

    yield create
    for name in names:
        api.delete_stack(StackName=name)


PARAMETERS = {"Days": {"Type": "Number", "Default": 1, "MaxValue": 90}}


def _state(api: Any, name: str) -> str:
    return str(api.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"])


def _log(name: str, **more: Any) -> dict[str, Any]:
    properties = {"LogGroupName": name, "RetentionInDays": {"Ref": "Days"}}
    return {"Type": "AWS::Logs::LogGroup", "Properties": properties, **more}


def test_a_stack_that_fails_is_rolled_back_with_the_reason(local_redshift: Running, stack: Any) -> None:
    logs, name = local_redshift.client("logs"), uuid.uuid4().hex
    api, failed = stack(First=_log(name), Second=_log(name, DependsOn="First"))
    assert _state(api, failed) == "ROLLBACK_COMPLETE"
    events = api.describe_stack_events(StackName=failed)["StackEvents"]
    (reason,) = [one for one in events if one["ResourceStatus"] == "CREATE_FAILED"]
    assert reason["LogicalResourceId"] == "Second"
    assert "ResourceAlreadyExistsException" in reason["ResourceStatusReason"]
    assert logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"] == []


def test_a_stack_is_changed_protected_and_deleted(local_redshift: Running, stack: Any) -> None:
    logs, name = local_redshift.client("logs"), uuid.uuid4().hex
    api, made = stack(Log=_log(name), Kept=_log(f"{name}-kept", DeletionPolicy="Retain"))
    again = {"StackName": made, "TemplateBody": api.get_template(StackName=made)["TemplateBody"]}
    again["TemplateBody"] = json.dumps(again["TemplateBody"])

    def days(number: int) -> dict[str, Any]:
        return {"Parameters": [{"ParameterKey": "Days", "ParameterValue": str(number)}]}

    assert refused(api.update_stack, **again, **days(1)) == "ValidationError"
    assert refused(api.update_stack, **again, **days(91)) == "ValidationError"
    api.update_stack(**again, **days(7))
    until(lambda: _state(api, made) == "UPDATE_COMPLETE")
    groups = logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    assert [group["retentionInDays"] for group in groups] == [7, 7]
    api.update_termination_protection(StackName=made, EnableTerminationProtection=True)
    assert refused(api.delete_stack, StackName=made) == "ValidationError"
    api.update_termination_protection(StackName=made, EnableTerminationProtection=False)
    api.delete_stack(StackName=made)
    protect = {"StackName": made, "EnableTerminationProtection": False}
    assert refused(api.update_termination_protection, **protect) == "ValidationError"
    until(lambda: not api.list_stacks(StackStatusFilter=["DELETE_IN_PROGRESS"])["StackSummaries"])
    groups = logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    assert [group["logGroupName"] for group in groups] == [f"{name}-kept"]
