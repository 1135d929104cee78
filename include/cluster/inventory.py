"""What is there: everything that bears a warehouse's names, with its owner, its cost and how to remove it."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from include.cluster.aws import absent, client, doing
from include.cluster.request import NODE_PRICES, RPU_PRICE, Warehouse
from include.sparkify.errors import ConfigurationError
from include.sparkify.settings import settings

# Under these names Airflow's SecretsManagerBackend finds the connections.
CONNECTIONS_PREFIX = "airflow/connections"
REDSHIFT_CONNECTION = f"{CONNECTIONS_PREFIX}/redshift_default"
COPY_CONNECTION = f"{CONNECTIONS_PREFIX}/aws_copy_role"

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Found:
    """Something that exists."""

    kind: str
    name: str
    tags: Mapping[str, str]
    remove: str
    """The command that removes it by hand."""
    status: str = ""
    cost: str = "no cost"
    id: str = ""
    """AWS's id or address, where it is not the name."""

    def __str__(self) -> str:
        status = f" ({self.status})" if self.status else ""
        return f"{self.kind} {self.name}{status}: {self.cost}. By hand: {self.remove}"


def found(warehouse: Warehouse) -> list[Found]:
    """All that bears the warehouse's names, whoever's it is.

    :raises ConfigurationError, TransientError: as AWS says.
    """
    with doing(f"look for what belongs to {warehouse.name} in {warehouse.region}"):
        return [
            *_bucket(warehouse),
            *_role(warehouse),
            *_security_groups(warehouse),
            *_subnet_group(warehouse),
            *cluster(warehouse),
            *_serverless(warehouse),
            *_secrets(warehouse),
            *_snapshots(warehouse),
        ]


def owned(warehouse: Warehouse) -> list[Found]:
    """Of :func:`found`, what was made for this warehouse; the rest is somebody else's.

    :raises ConfigurationError: the warehouse lives in another region; or as AWS says.
    """
    return [thing for thing in found(warehouse) if warehouse.owns(thing.tags)]


def of_kind(things: Sequence[Found], kind: str) -> Found | None:
    """The one of a kind."""
    return next((thing for thing in things if thing.kind == kind), None)


def refuse_foreign(warehouse: Warehouse) -> list[Found]:
    """What exists already of the warehouse.

    :raises ConfigurationError: one of its names is taken by something that does not bear its tags.
    """
    things = found(warehouse)
    # Snapshots outlive their cluster on purpose and are in nobody's way.
    foreign = [t for t in things if t.kind != "snapshot" and not warehouse.owns(t.tags)]
    if foreign:
        names = ", ".join(f"{thing.kind} {thing.name}" for thing in foreign)
        raise ConfigurationError(
            f"belongs to somebody else, as it lacks this warehouse's tags: {names}. Nothing was touched. What to "
            "mend: choose another name (for the work bucket: work_bucket in the Variable `sparkify`), or, if it is "
            f"yours to hand over, tag it {warehouse.tags}."
        )
    return [thing for thing in things if warehouse.owns(thing.tags)]


def log_all(heading: str, things: Sequence[Found]) -> None:
    """Write a list of what exists into the task's log."""
    log.info("%s %s", heading, "nothing" if not things else f"{len(things)} things:")
    for thing in things:
        log.info("  %s", thing)


def _tags(entries: Sequence[Mapping[str, str]] | None) -> dict[str, str]:
    return {
        entry.get("Key", entry.get("key", "")): entry.get("Value", entry.get("value", ""))
        for entry in entries or ()
    }


def _bucket(warehouse: Warehouse) -> Iterator[Found]:
    s3, bucket = client("s3", warehouse.region), settings().work_bucket
    with absent("404", "NoSuchBucket"):
        s3.head_bucket(Bucket=bucket)
        tags: dict[str, str] = {}
        with absent("NoSuchTagSet"):
            tags = _tags(s3.get_bucket_tagging(Bucket=bucket)["TagSet"])
        yield Found(
            "work bucket",
            bucket,
            tags,
            f"aws s3 rb --force s3://{bucket}",
            cost="about 0.023 USD a GB and month",
        )


def _role(warehouse: Warehouse) -> Iterator[Found]:
    with absent("NoSuchEntity"):
        role = client("iam", warehouse.region).get_role(RoleName=warehouse.role)["Role"]
        yield Found(
            "role",
            warehouse.role,
            _tags(role.get("Tags")),
            f"aws iam delete-role-policy --role-name {warehouse.role} --policy-name copy && "
            f"aws iam delete-role --role-name {warehouse.role}",
            id=role["Arn"],
        )


def _security_groups(warehouse: Warehouse) -> Iterator[Found]:
    groups = client("ec2", warehouse.region).describe_security_groups(
        Filters=[{"Name": "group-name", "Values": [warehouse.security_group]}]
    )
    for group in groups["SecurityGroups"]:
        yield Found(
            "security group",
            group["GroupName"],
            _tags(group.get("Tags")),
            f"aws ec2 delete-security-group --region {warehouse.region} --group-id {group['GroupId']}",
            id=group["GroupId"],
        )


def _subnet_group(warehouse: Warehouse) -> Iterator[Found]:
    with absent("ClusterSubnetGroupNotFoundFault", "ClusterSubnetGroupNotFound"):
        (group,) = client("redshift", warehouse.region).describe_cluster_subnet_groups(
            ClusterSubnetGroupName=warehouse.subnet_group
        )["ClusterSubnetGroups"]
        yield Found(
            "subnet group",
            warehouse.subnet_group,
            _tags(group.get("Tags")),
            f"aws redshift delete-cluster-subnet-group --region {warehouse.region} "
            f"--cluster-subnet-group-name {warehouse.subnet_group}",
        )


def cluster(warehouse: Warehouse) -> Iterator[Found]:
    """The cluster of that name, if there is one."""
    described = describe_cluster(warehouse)
    if described is None:
        return
    nodes, node_type = described["NumberOfNodes"], described["NodeType"]
    hourly = nodes * NODE_PRICES.get(node_type, 0)
    paused = described["ClusterStatus"] == "paused"
    yield Found(
        "cluster",
        warehouse.name,
        _tags(described.get("Tags")),
        f"aws redshift delete-cluster --region {warehouse.region} --cluster-identifier {warehouse.name} "
        "--skip-final-cluster-snapshot",
        status=f"{described['ClusterStatus']}, {nodes} x {node_type}",
        cost="paused, storage alone" if paused else f"about {hourly:.2f} USD an hour until paused or deleted",
    )


def describe_cluster(warehouse: Warehouse) -> dict[str, Any] | None:
    """The cluster of that name as AWS describes it, or None."""
    with absent("ClusterNotFound", "ClusterNotFoundFault"):
        return client("redshift", warehouse.region).describe_clusters(ClusterIdentifier=warehouse.name)[
            "Clusters"
        ][0]
    return None


def _serverless(warehouse: Warehouse) -> Iterator[Found]:
    serverless = client("redshift-serverless", warehouse.region)
    remove = f"aws redshift-serverless delete-%s --region {warehouse.region} --%s-name {warehouse.name}"
    with absent("ResourceNotFoundException"):
        workgroup = serverless.get_workgroup(workgroupName=warehouse.name)["workgroup"]
        yield Found(
            "workgroup",
            warehouse.name,
            _tags(serverless.list_tags_for_resource(resourceArn=workgroup["workgroupArn"])["tags"]),
            remove % ("workgroup", "workgroup"),
            status=f"{workgroup['status']}, {workgroup['baseCapacity']} RPU",
            cost=f"about {workgroup['baseCapacity'] * RPU_PRICE:.2f} USD for an hour of queries, none while idle",
            id=workgroup["workgroupArn"],
        )
    with absent("ResourceNotFoundException"):
        namespace = serverless.get_namespace(namespaceName=warehouse.name)["namespace"]
        yield Found(
            "namespace",
            warehouse.name,
            _tags(serverless.list_tags_for_resource(resourceArn=namespace["namespaceArn"])["tags"]),
            remove % ("namespace", "namespace"),
            status=namespace["status"],
            cost="storage, about 0.024 USD a GB and month",
            id=namespace["namespaceArn"],
        )


def _secrets(warehouse: Warehouse) -> Iterator[Found]:
    secrets = client("secretsmanager", warehouse.region)
    for name in (warehouse.master_secret, REDSHIFT_CONNECTION, COPY_CONNECTION):
        with absent("ResourceNotFoundException"):
            secret = secrets.describe_secret(SecretId=name)
            if "DeletedDate" in secret:
                continue
            yield Found(
                "secret",
                name,
                _tags(secret.get("Tags")),
                f"aws secretsmanager delete-secret --region {warehouse.region} --secret-id {name} "
                "--force-delete-without-recovery",
                cost="about 0.40 USD a month",
            )


def _snapshots(warehouse: Warehouse) -> Iterator[Found]:
    """The final snapshots that teardowns took; known by their names, as AWS need not copy a cluster's tags."""
    redshift = client("redshift", warehouse.region)
    for page in redshift.get_paginator("describe_cluster_snapshots").paginate(SnapshotType="manual"):
        for snapshot in page["Snapshots"]:
            name = snapshot["SnapshotIdentifier"]
            if name.startswith(warehouse.snapshot_prefix):
                yield Found(
                    "snapshot",
                    name,
                    warehouse.tags,
                    f"aws redshift delete-cluster-snapshot --region {warehouse.region} --snapshot-identifier {name}",
                    status=snapshot["Status"],
                    cost="about 0.024 USD a GB and month",
                )
    serverless = client("redshift-serverless", warehouse.region)
    for page in serverless.get_paginator("list_snapshots").paginate():
        for snapshot in page["snapshots"]:
            name = snapshot["snapshotName"]
            if name.startswith(warehouse.snapshot_prefix):
                yield Found(
                    "snapshot",
                    name,
                    warehouse.tags,
                    f"aws redshift-serverless delete-snapshot --region {warehouse.region} --snapshot-name {name}",
                    status=snapshot["status"],
                    cost="about 0.024 USD a GB and month",
                )
