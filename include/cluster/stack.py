"""Create, update and delete the AWS CloudFormation stack of the warehouse.

CloudFormation creates the resources in order, waits for them, and rolls back failed changes. The template is
warehouse.yaml.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from airflow.providers.common.compat.sdk import AirflowSkipException
from botocore.exceptions import ClientError

from include.cluster.aws import absent, client, doing, get_code
from include.cluster.connections import check_owner
from include.cluster.request import Cluster, check_params
from include.sparkify.errors import ConfigurationError, TransientError
from include.sparkify.settings import settings

TEMPLATE = Path(__file__).with_name("warehouse.yaml")
# This stack policy prevents changes for which CloudFormation would replace a resource and thereby delete its data.
POLICY = {
    "Statement": [
        {"Effect": "Allow", "Principal": "*", "Action": "Update:*", "Resource": "*"},
        {
            "Effect": "Deny",
            "Principal": "*",
            "Action": ["Update:Replace", "Update:Delete"],
            "Resource": [
                "LogicalResourceId/Cluster",
                "LogicalResourceId/Namespace",
                "LogicalResourceId/Bucket",
            ],
        },
    ]
}
_CIDRS = ("Cidr", "SecondCidr", "ThirdCidr")

log = logging.getLogger(__name__)


def describe_stack(cluster: Cluster) -> dict[str, Any] | None:
    """Return the AWS description of the stack of the warehouse, or None if the stack does not exist.

    :raises ConfigurationError: the stack of this name is not a warehouse, or AWS rejected the call.
    :raises TransientError: AWS cannot be reached.
    """
    with doing(f"describe stack {cluster.name} in {cluster.region}"):
        try:
            (stack,) = client("cloudformation", cluster.region).describe_stacks(StackName=cluster.name)[
                "Stacks"
            ]
        except ClientError as error:
            if get_code(error) == "ValidationError" and "does not exist" in str(error):
                return None
            raise
    if not {"WorkBucket", "Serverless"} <= {one["ParameterKey"] for one in stack.get("Parameters", [])}:
        raise ConfigurationError(
            f"stack {cluster.name} in {cluster.region} is not a warehouse of Sparkify. Nothing was changed. Choose "
            "another name."
        )
    return dict(stack)


def parameters_of(stack: Mapping[str, Any]) -> dict[str, str]:
    """Return the parameters with which a stack was deployed."""
    return {one["ParameterKey"]: one["ParameterValue"] for one in stack["Parameters"]}


def list_resources(cluster: Cluster) -> list[dict[str, Any]]:
    """Return the AWS descriptions of the resources of the stack, or an empty list if the stack does not exist."""
    if describe_stack(cluster) is None:
        return []
    with doing(f"list the resources of stack {cluster.name}"):
        pages = client("cloudformation", cluster.region).get_paginator("list_stack_resources")
        found = [
            one for page in pages.paginate(StackName=cluster.name) for one in page["StackResourceSummaries"]
        ]
    return [one for one in found if one["ResourceStatus"] != "DELETE_COMPLETE"]


def check_request(params: Mapping[str, Any]) -> dict[str, Any]:
    """Validate the request, and return the arguments of CreateStack or of the next UpdateStack.

    :raises ConfigurationError: see :func:`check_params`, or the request contradicts existing resources.
    :raises TransientError: AWS cannot be reached.
    """
    cluster = Cluster.from_params(params)
    check_params(params)
    stack = describe_stack(cluster)
    if stack:
        _refuse_broken(cluster, stack["StackStatus"])
        if parameters_of(stack)["Serverless"] != _flag(params["serverless"]):
            kind = "a cluster" if params["serverless"] else "Serverless"
            raise ConfigurationError(
                f"{cluster.name} exists as {kind}, and its data would be deleted. Tear it down first, or choose "
                "another name."
            )
        if not params["serverless"]:
            _refuse_paused(cluster)
    check_owner(cluster)
    return _arguments(cluster, params, stack)


def _refuse_broken(cluster: Cluster, state: str) -> None:
    """Reject a stack that AWS cannot update in its current state."""
    if state == "UPDATE_ROLLBACK_FAILED":
        # https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ContinueUpdateRollback.html
        raise ConfigurationError(
            f"stack {cluster.name} is {state}.{_reasons(cluster)}\nFix the cause, and have an administrator run `aws "
            f"cloudformation continue-update-rollback --region {cluster.region} --stack-name {cluster.name}`. Then "
            "provision again."
        )
    if state.startswith("DELETE") or state in ("CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED"):
        raise ConfigurationError(
            f"stack {cluster.name} is {state}: run teardown, and then provision again.{_reasons(cluster)}"
        )


def _refuse_paused(cluster: Cluster) -> None:
    with doing(f"describe cluster {cluster.name}"), absent("ClusterNotFound", "ClusterNotFoundFault"):
        (found,) = client("redshift", cluster.region).describe_clusters(ClusterIdentifier=cluster.name)[
            "Clusters"
        ]
        if found["ClusterStatus"] in ("paused", "pausing"):
            raise ConfigurationError(
                f"cluster {cluster.name} is {found['ClusterStatus']}, and AWS does not change it until it runs. "
                "Trigger the DAG resume first."
            )


def _arguments(
    cluster: Cluster, params: Mapping[str, Any], stack: Mapping[str, Any] | None
) -> dict[str, Any]:
    with doing("ask AWS for the account of connection aws_default"):
        identity = client("sts", cluster.region).get_caller_identity()
    partition, account = identity["Arn"].split(":")[1], identity["Account"]
    has_created_bucket = stack is not None and parameters_of(stack)["CreateWorkBucket"] == "true"
    given = {
        "WorkBucket": settings().work_bucket,
        "CreateWorkBucket": _flag(has_created_bucket or not has_bucket(cluster, account)),
        "KeepRunDays": settings().keep_run_days,
        **dict(zip(_CIDRS, params["cidrs"], strict=False)),
        "VpcId": _find_vpc(cluster, params),
        "SubnetIds": ",".join(params["subnet_ids"]),
        "Serverless": _flag(params["serverless"]),
        "NodeType": params["node_type"],
        "Nodes": params["nodes"],
        "BaseCapacity": params["base_capacity"],
    }
    return {
        "TemplateBody": TEMPLATE.read_text(),
        "Parameters": [{"ParameterKey": key, "ParameterValue": str(value)} for key, value in given.items()],
        "Tags": cluster.tag_list,
        "RoleARN": f"arn:{partition}:iam::{account}:role/{cluster.name}-cloudformation",
        "StackPolicyBody": json.dumps(POLICY),
        "EnableTerminationProtection": True,
    }


def _flag(value: object) -> str:
    return "true" if value else "false"


def has_bucket(cluster: Cluster, account: str | None = None) -> bool:
    """Return whether the work bucket exists.

    :param account: the account that must own the bucket, in the warehouse's region. With None, any account and region
        are accepted.
    :raises ConfigurationError: the bucket is in another account or region, or the role may not access it. AWS returns
        403 both for another account and for a missing permission.
    """
    bucket = settings().work_bucket
    owner = {"ExpectedBucketOwner": account} if account else {}
    with doing(f"look for s3://{bucket}"):
        try:
            found = client("s3", cluster.region).head_bucket(Bucket=bucket, **owner)
        except ClientError as error:
            if get_code(error) in ("404", "NoSuchBucket"):
                return False
            if get_code(error) == "403":
                raise ConfigurationError(
                    f"s3://{bucket} belongs to another account (bucket names are global), or the role of connection "
                    "aws_default may not access it. Set another work_bucket in the Variable `sparkify`, or deploy "
                    "include/iam/permissions.yaml with this bucket."
                ) from error
            raise
    # COPY can read from another region only with its parameter REGION:
    # https://docs.aws.amazon.com/redshift/latest/dg/copy-parameters-data-source-s3.html
    if account and found.get("BucketRegion", cluster.region) != cluster.region:
        raise ConfigurationError(
            f"s3://{bucket} is in {found['BucketRegion']}, and COPY in {cluster.region} does not read from another "
            "region. Set another work_bucket in the Variable `sparkify`, or choose the bucket's region."
        )
    return True


def _find_vpc(cluster: Cluster, params: Mapping[str, Any]) -> str:
    """Return the ID of the VPC of the subnets, or an empty string for the default VPC.

    :raises ConfigurationError: the subnets are in several VPCs, or in too few Availability Zones for Serverless.
    """
    if not params["subnet_ids"]:
        return ""
    with doing(f"describe the subnets {params['subnet_ids']}"):
        subnets = client("ec2", cluster.region).describe_subnets(SubnetIds=params["subnet_ids"])["Subnets"]
    vpcs, zones = {one["VpcId"] for one in subnets}, {one["AvailabilityZone"] for one in subnets}
    if len(vpcs) != 1:
        raise ConfigurationError(
            f"parameter subnet_ids: the subnets are in {len(vpcs)} VPCs. Choose subnets of one VPC"
        )
    # https://docs.aws.amazon.com/redshift/latest/mgmt/serverless-usage-considerations.html
    needed = 2 if cluster.region == "us-west-1" else 3
    if params["serverless"] and (len(subnets) < 3 or len(zones) < needed):
        raise ConfigurationError(
            f"parameter subnet_ids: in {cluster.region}, Serverless needs three subnets in {needed} availability "
            f"zones, but these {len(subnets)} are in {', '.join(sorted(zones))}"
        )
    return str(vpcs.pop())


def deploy_stack(params: Mapping[str, Any]) -> None:
    """Start the creation of the stack, or an update with the parameters and the template of this run.

    :raises AirflowSkipException: the stack needs no change.
    :raises ConfigurationError, TransientError: see :func:`check_request`.
    """
    arguments = check_request(params)
    cluster = Cluster.from_params(params)
    stack = describe_stack(cluster)
    if stack is None:
        with doing(f"create stack {cluster.name}"):
            client("cloudformation", cluster.region).create_stack(StackName=cluster.name, **arguments)
    elif stack["StackStatus"].endswith("IN_PROGRESS"):
        log.warning("stack %s is %s because of an earlier run", cluster.name, stack["StackStatus"])
    elif not update(cluster, arguments):
        raise AirflowSkipException(f"stack {cluster.name} is up to date")


def update(cluster: Cluster, arguments: Mapping[str, Any]) -> bool:
    """Start an update, and return whether the stack needs a change."""
    wanted = {key: value for key, value in arguments.items() if key in ("TemplateBody", "Parameters", "Tags")}
    with doing(f"update stack {cluster.name}"):
        try:
            client("cloudformation", cluster.region).update_stack(StackName=cluster.name, **wanted)
        except ClientError as error:
            if "No updates are to be performed" in str(error):
                return False
            raise
    return True


def is_settled(params: Mapping[str, Any]) -> bool:
    """Return whether the stack is complete and matches the parameters of this run.

    While an operation on the stack is in progress, return False. If an earlier run deployed other parameters, start an
    update.

    :raises ConfigurationError: AWS rolled back the change. The message contains the reason. A new stack is deleted.
    """
    cluster = Cluster.from_params(params)
    stack = describe_stack(cluster)
    state = stack["StackStatus"] if stack else "deleted"
    if state.endswith("IN_PROGRESS"):
        return False
    if state in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        return not update(cluster, _arguments(cluster, params, stack))
    reasons = _reasons(cluster) if stack else ""
    if state == "ROLLBACK_COMPLETE":
        # The stack has no resources. Delete it, so that the next run can use its name.
        delete_stack(cluster)
    else:
        _refuse_broken(cluster, state)
    raise ConfigurationError(
        f"stack {cluster.name} is {state}.{reasons}\nNext: fix the cause (docs/aws.md, Troubleshooting), then run "
        "provision again."
    )


def delete_stack(cluster: Cluster) -> None:
    """Start the deletion of the stack if it exists and is not being deleted."""
    stack = describe_stack(cluster)
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-protect-stacks.html
    if stack is not None and stack["StackStatus"] != "DELETE_IN_PROGRESS":
        with doing(f"delete stack {cluster.name}"):
            formation = client("cloudformation", cluster.region)
            formation.update_termination_protection(StackName=cluster.name, EnableTerminationProtection=False)
            formation.delete_stack(StackName=cluster.name)


def _reasons(cluster: Cluster) -> str:
    """Return the reasons from AWS for the resources that failed in the last operation of the stack."""
    with doing(f"read the events of stack {cluster.name}"):
        pages = client("cloudformation", cluster.region).get_paginator("describe_stack_events")
        found = []
        for page in pages.paginate(StackName=cluster.name):
            for event in page["StackEvents"]:
                if event["ResourceStatus"].endswith("_FAILED") and event.get("ResourceStatusReason"):
                    found.append(f"{event['LogicalResourceId']}: {event['ResourceStatusReason']}")
                # AWS returns the latest event first, and an operation begins with a call of the user.
                if event.get("ResourceStatusReason") == "User Initiated":
                    return "".join(f"\n  {line}" for line in reversed(found))
    return ""


def get_copy_role(cluster: Cluster) -> str:
    """Return the ARN of the role for COPY, which is an output of the stack.

    :raises TransientError: the stack is not complete.
    """
    stack = describe_stack(cluster) or {}
    for output in stack.get("Outputs", []):
        if output["OutputKey"] == "CopyRole":
            return str(output["OutputValue"])
    raise TransientError(f"stack {cluster.name} is not complete yet")
