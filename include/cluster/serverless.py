"""Create a Serverless workgroup in place of a cluster, and delete it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from include.cluster import inventory
from include.cluster.aws import absent, client, doing
from include.cluster.credentials import read_master_login
from include.cluster.request import DATABASE, Cluster

log = logging.getLogger(__name__)


def ensure_serverless(params: Mapping[str, Any], role: str, group: str) -> str:
    """Create the namespace, the workgroup and its usage limit, if missing; return the workgroup's ARN.

    :param role: ARN of the role for COPY.
    :param group: id of the security group.
    :raises ConfigurationError, TransientError: AWS refused a call, or is unreachable.
    """
    cluster = Cluster.from_params(params)
    api = client("redshift-serverless", cluster.region)
    existing = inventory.list_owned(cluster)
    tags = [{"key": key, "value": value} for key, value in cluster.tags.items()]
    if not inventory.find_kind(existing, "namespace"):
        login = read_master_login(cluster)
        with doing(f"create namespace {cluster.name}"):
            api.create_namespace(
                namespaceName=cluster.name,
                dbName=DATABASE,
                adminUsername=login["username"],
                adminUserPassword=login["password"],
                iamRoles=[role],
                tags=tags,
            )
    workgroup = inventory.find_kind(existing, "workgroup")
    with doing(f"create workgroup {cluster.name}"):
        if workgroup:
            arn = workgroup.id
        else:
            arn = api.create_workgroup(
                workgroupName=cluster.name,
                namespaceName=cluster.name,
                baseCapacity=params["base_capacity"],
                securityGroupIds=[group],
                publiclyAccessible=False,
                configParameters=[{"parameterKey": "require_ssl", "parameterValue": "true"}],
                tags=tags,
                **({"subnetIds": params["subnet_ids"]} if params["subnet_ids"] else {}),
            )["workgroup"]["workgroupArn"]
    _ensure_usage_limit(api, cluster, arn, params["usage_limit"])
    return arn


def _ensure_usage_limit(api: Any, cluster: Cluster, arn: str, amount: int) -> None:
    """Limit the workgroup to ``amount`` RPU-hours per day, if it has no limit yet.

    An existing limit stays: AWS cannot restrict UpdateUsageLimit to one workgroup, so deploy.json does not allow it.
    """
    with doing(f"limit the usage of workgroup {cluster.name}"):
        limits = api.list_usage_limits(resourceArn=arn, usageType="serverless-compute")["usageLimits"]
        if not limits:
            api.create_usage_limit(
                resourceArn=arn,
                usageType="serverless-compute",
                amount=amount,
                period="daily",
                breachAction="deactivate",
            )
        elif limits[0]["amount"] != amount:
            log.warning(
                "the usage limit of workgroup %s stays at %s RPU-hours per day. To set %s: aws redshift-serverless "
                "update-usage-limit --region %s --usage-limit-id %s --amount %s",
                *(cluster.name, limits[0]["amount"], amount, cluster.region),
                *(limits[0]["usageLimitId"], amount),
            )


def is_workgroup_available(params: Mapping[str, Any]) -> bool:
    """Return whether the workgroup accepts connections."""
    cluster = Cluster.from_params(params)
    with doing(f"look at workgroup {cluster.name}"):
        answer = client("redshift-serverless", cluster.region).get_workgroup(workgroupName=cluster.name)
    return bool(answer["workgroup"]["status"] == "AVAILABLE")


def delete_serverless(params: Mapping[str, Any], final_snapshot: str) -> bool:
    """Delete the workgroup, then the namespace; return whether both are deleted. Call it until they are.

    :param final_snapshot: name of the namespace's final snapshot, if parameter ``final_snapshot`` asks for one.
    """
    cluster = Cluster.from_params(params)
    api = client("redshift-serverless", cluster.region)
    workgroup = inventory.find_kind(inventory.list_owned(cluster), "workgroup")
    if workgroup and not workgroup.status.startswith("DELETING"):
        with doing(f"delete workgroup {cluster.name}"), absent("ResourceNotFoundException"):
            api.delete_workgroup(workgroupName=cluster.name)
    existing = inventory.list_owned(cluster)
    namespace = inventory.find_kind(existing, "namespace")
    if namespace and namespace.status != "DELETING" and not inventory.find_kind(existing, "workgroup"):
        snapshot = {"finalSnapshotName": final_snapshot} if params["final_snapshot"] else {}
        with doing(f"delete namespace {cluster.name}"), absent("ResourceNotFoundException"):
            api.delete_namespace(namespaceName=cluster.name, **snapshot)
        existing = inventory.list_owned(cluster)
    return not any(resource.kind in ("workgroup", "namespace") for resource in existing)
