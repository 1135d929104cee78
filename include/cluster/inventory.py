"""List the AWS resources of a cluster, with owner, cost and the command that removes each."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from include.cluster import prices
from include.cluster.aws import absent, client, doing
from include.cluster.request import Cluster
from include.sparkify.errors import ConfigurationError
from include.sparkify.settings import settings

# Airflow's SecretsManagerBackend finds the connections under these names.
CONNECTIONS_PREFIX = "airflow/connections"
REDSHIFT_CONNECTION = f"{CONNECTIONS_PREFIX}/redshift_default"
COPY_CONNECTION = f"{CONNECTIONS_PREFIX}/aws_copy_role"

Kind = Literal[
    "work bucket",
    "role",
    "security group",
    "subnet group",
    "cluster",
    "workgroup",
    "namespace",
    "secret",
    "snapshot",
]
_STORAGE_COST = f"about {prices.REDSHIFT_GB_MONTH} USD per GB and month"

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Resource:
    """One AWS resource that exists."""

    kind: Kind
    name: str
    tags: Mapping[str, str]
    remove: str
    """The command that removes it by hand."""
    status: str = ""
    cost: str = "no cost"
    id: str = ""
    """AWS's id or ARN, where it differs from the name."""

    def __str__(self) -> str:
        status = f" ({self.status})" if self.status else ""
        return f"{self.kind} {self.name}{status}: {self.cost}. Remove by hand: {self.remove}"


def list_resources(cluster: Cluster) -> list[Resource]:
    """Return every resource with one of the cluster's names, whether or not we own it.

    :raises ConfigurationError, TransientError: AWS refused a call, or is unreachable.
    """
    with doing(f"look for the resources of {cluster.name} in {cluster.region}"):
        return [
            *_find_bucket(cluster),
            *_find_role(cluster),
            *_find_security_groups(cluster),
            *_find_subnet_group(cluster),
            *find_cluster(cluster),
            *_find_serverless(cluster),
            *_find_secrets(cluster),
            *_find_snapshots(cluster),
        ]


def list_owned(cluster: Cluster) -> list[Resource]:
    """Return those of :func:`list_resources` that carry the cluster's tags; the others are foreign.

    :raises ConfigurationError: the cluster is in another region, or AWS refused a call.
    :raises TransientError: AWS is unreachable.
    """
    return [resource for resource in list_resources(cluster) if cluster.owns(resource.tags)]


def find_kind(resources: Sequence[Resource], kind: Kind) -> Resource | None:
    """Return the resource of a kind, or None."""
    return next((resource for resource in resources if resource.kind == kind), None)


def refuse_foreign(cluster: Cluster) -> list[Resource]:
    """Return the cluster's existing resources.

    :raises ConfigurationError: one of its names is taken by a resource without its tags.
    """
    resources = list_resources(cluster)
    # Snapshots outlive their cluster on purpose and do not block a new one.
    foreign = [r for r in resources if r.kind != "snapshot" and not cluster.owns(r.tags)]
    if foreign:
        names = ", ".join(f"{resource.kind} {resource.name}" for resource in foreign)
        raise ConfigurationError(
            f"not created by provision, because the tags of this cluster are missing: {names}. Nothing was changed. "
            "Choose another name (for the work bucket: work_bucket in the Variable `sparkify`), or, if the resource "
            f"is yours to hand over, tag it {cluster.tags}."
        )
    return [resource for resource in resources if cluster.owns(resource.tags)]


def log_resources(heading: str, resources: Sequence[Resource]) -> None:
    """Write a list of resources into the task's log."""
    log.info("%s: %s", heading, f"{len(resources)} resources" if resources else "none")
    for resource in resources:
        log.info("  %s", resource)


def _tags(entries: Sequence[Mapping[str, str]] | None) -> dict[str, str]:
    return {
        entry.get("Key", entry.get("key", "")): entry.get("Value", entry.get("value", ""))
        for entry in entries or ()
    }


def _find_bucket(cluster: Cluster) -> Iterator[Resource]:
    s3, bucket = client("s3", cluster.region), settings().work_bucket
    with absent("404", "NoSuchBucket"):
        s3.head_bucket(Bucket=bucket)
        tags: dict[str, str] = {}
        with absent("NoSuchTagSet"):
            tags = _tags(s3.get_bucket_tagging(Bucket=bucket)["TagSet"])
        yield Resource(
            "work bucket",
            bucket,
            tags,
            f"aws s3 rb --force s3://{bucket}",
            cost=f"about {prices.S3_GB_MONTH} USD per GB and month",
        )


def _find_role(cluster: Cluster) -> Iterator[Resource]:
    with absent("NoSuchEntity"):
        role = client("iam", cluster.region).get_role(RoleName=cluster.role)["Role"]
        policy = cluster.copy_policy_arn(role["Arn"])
        yield Resource(
            "role",
            cluster.role,
            _tags(role.get("Tags")),
            f"aws iam detach-role-policy --role-name {cluster.role} --policy-arn {policy} && "
            f"aws iam delete-role --role-name {cluster.role}",
            id=role["Arn"],
        )


def _find_security_groups(cluster: Cluster) -> Iterator[Resource]:
    groups = client("ec2", cluster.region).describe_security_groups(
        Filters=[{"Name": "group-name", "Values": [cluster.security_group]}]
    )
    for group in groups["SecurityGroups"]:
        yield Resource(
            "security group",
            group["GroupName"],
            _tags(group.get("Tags")),
            f"aws ec2 delete-security-group --region {cluster.region} --group-id {group['GroupId']}",
            id=group["GroupId"],
        )


def _find_subnet_group(cluster: Cluster) -> Iterator[Resource]:
    with absent("ClusterSubnetGroupNotFoundFault", "ClusterSubnetGroupNotFound"):
        (group,) = client("redshift", cluster.region).describe_cluster_subnet_groups(
            ClusterSubnetGroupName=cluster.subnet_group
        )["ClusterSubnetGroups"]
        yield Resource(
            "subnet group",
            cluster.subnet_group,
            _tags(group.get("Tags")),
            f"aws redshift delete-cluster-subnet-group --region {cluster.region} "
            f"--cluster-subnet-group-name {cluster.subnet_group}",
        )


def find_cluster(cluster: Cluster) -> Iterator[Resource]:
    """Yield the cluster, if it exists."""
    described = describe_cluster(cluster)
    if described is None:
        return
    nodes, node_type = described["NumberOfNodes"], described["NodeType"]
    hourly = nodes * prices.NODE_HOUR.get(node_type, 0)
    paused = described["ClusterStatus"] == "paused"
    yield Resource(
        "cluster",
        cluster.name,
        _tags(described.get("Tags")),
        f"aws redshift delete-cluster --region {cluster.region} --cluster-identifier {cluster.name} "
        "--skip-final-cluster-snapshot",
        status=f"{described['ClusterStatus']}, {nodes} x {node_type}",
        cost="paused: only its storage"
        if paused
        else f"about {hourly:.2f} USD per hour until paused or deleted",
    )


def describe_cluster(cluster: Cluster) -> dict[str, Any] | None:
    """Return the cluster as AWS describes it, or None."""
    with absent("ClusterNotFound", "ClusterNotFoundFault"):
        return client("redshift", cluster.region).describe_clusters(ClusterIdentifier=cluster.name)[
            "Clusters"
        ][0]
    return None


def _find_serverless(cluster: Cluster) -> Iterator[Resource]:
    serverless = client("redshift-serverless", cluster.region)
    remove = f"aws redshift-serverless delete-%s --region {cluster.region} --%s-name {cluster.name}"
    with absent("ResourceNotFoundException"):
        workgroup = serverless.get_workgroup(workgroupName=cluster.name)["workgroup"]
        yield Resource(
            "workgroup",
            cluster.name,
            _tags(serverless.list_tags_for_resource(resourceArn=workgroup["workgroupArn"])["tags"]),
            remove % ("workgroup", "workgroup"),
            status=f"{workgroup['status']}, {workgroup['baseCapacity']} RPU",
            cost=f"about {workgroup['baseCapacity'] * prices.RPU_HOUR:.2f} USD per hour of queries, none while idle",
            id=workgroup["workgroupArn"],
        )
    with absent("ResourceNotFoundException"):
        namespace = serverless.get_namespace(namespaceName=cluster.name)["namespace"]
        yield Resource(
            "namespace",
            cluster.name,
            _tags(serverless.list_tags_for_resource(resourceArn=namespace["namespaceArn"])["tags"]),
            remove % ("namespace", "namespace"),
            status=namespace["status"],
            cost=f"storage, {_STORAGE_COST}",
            id=namespace["namespaceArn"],
        )


def _find_secrets(cluster: Cluster) -> Iterator[Resource]:
    secrets = client("secretsmanager", cluster.region)
    for name in (cluster.master_secret, REDSHIFT_CONNECTION, COPY_CONNECTION):
        with absent("ResourceNotFoundException"):
            secret = secrets.describe_secret(SecretId=name)
            if "DeletedDate" in secret:
                continue
            yield Resource(
                "secret",
                name,
                _tags(secret.get("Tags")),
                f"aws secretsmanager delete-secret --region {cluster.region} --secret-id {name} "
                "--force-delete-without-recovery",
                cost=f"about {prices.SECRET_MONTH:.2f} USD per month",
            )


def _find_snapshots(cluster: Cluster) -> Iterator[Resource]:
    """Yield the final snapshots of teardown, found by name: AWS does not copy every cluster's tags to them."""
    redshift = client("redshift", cluster.region)
    for page in redshift.get_paginator("describe_cluster_snapshots").paginate(SnapshotType="manual"):
        for snapshot in page["Snapshots"]:
            name = snapshot["SnapshotIdentifier"]
            if name.startswith(cluster.snapshot_prefix):
                yield Resource(
                    "snapshot",
                    name,
                    cluster.tags,
                    f"aws redshift delete-cluster-snapshot --region {cluster.region} --snapshot-identifier {name}",
                    status=snapshot["Status"],
                    cost=_STORAGE_COST,
                )
    serverless = client("redshift-serverless", cluster.region)
    for page in serverless.get_paginator("list_snapshots").paginate():
        for snapshot in page["snapshots"]:
            name = snapshot["snapshotName"]
            if name.startswith(cluster.snapshot_prefix):
                yield Resource(
                    "snapshot",
                    name,
                    cluster.tags,
                    f"aws redshift-serverless delete-snapshot --region {cluster.region} --snapshot-name {name}",
                    status=snapshot["status"],
                    cost=_STORAGE_COST,
                )
