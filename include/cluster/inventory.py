"""List the existing resources of a warehouse, each with its cost and the command that deletes it."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator
from typing import Any

from include.cluster import prices
from include.cluster.aws import absent, client, doing
from include.cluster.connections import COPY_CONNECTION, REDSHIFT_CONNECTION, describe_secret
from include.cluster.request import Cluster
from include.cluster.serverless import list_limits
from include.cluster.stack import has_bucket, list_resources
from include.sparkify.settings import settings

_STORAGE = f"about {prices.REDSHIFT_GB_MONTH} USD per GB and month"
# AWS also charges for the secret with the password of the master user, which Redshift manages:
# https://docs.aws.amazon.com/secretsmanager/latest/userguide/integrating_how-services-use-secrets_RS.html
_MASTER_SECRET = f"{prices.SECRET_MONTH:.2f} USD per month for the secret of its master user"
# Resource types that the other functions list with their cost.
_TOLD = ("AWS::Redshift::Cluster", "AWS::RedshiftServerless::", "AWS::S3::")

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Thing:
    """An existing resource."""

    kind: str
    name: str
    cost: str
    remove: str
    """The command that deletes the resource."""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}: {self.cost}. Remove by hand: {self.remove}"


def list_things(cluster: Cluster) -> list[Thing]:
    """Return the existing resources of the warehouse from the AWS services, because the list of the stack can be
    incomplete.

    :raises ConfigurationError, TransientError: AWS rejected a call, or cannot be reached.
    """
    with doing(f"look for the resources of {cluster.name} in {cluster.region}"):
        return [
            *_find_cluster(cluster),
            *_find_serverless(cluster),
            *_find_bucket(cluster),
            *_find_secrets(cluster),
            *_find_snapshots(cluster),
            *_find_rest(cluster),
        ]


def log_costs(cluster: Cluster, moment: str) -> list[Thing]:
    """Log the existing resources with their cost, and return them."""
    things = list_things(cluster)
    log.info("%s in %s, %s: %s resources", cluster.name, cluster.region, moment, len(things) or "no")
    for thing in things:
        log.info("  %s", thing)
    return things


def describe_cluster(cluster: Cluster) -> dict[str, Any] | None:
    """Return the AWS description of the cluster, or None if no cluster has the tags of this warehouse."""
    with absent("ClusterNotFound", "ClusterNotFoundFault"):
        (found,) = client("redshift", cluster.region).describe_clusters(ClusterIdentifier=cluster.name)[
            "Clusters"
        ]
        return found if cluster.owns(found.get("Tags")) else None
    return None


def describe_serverless(cluster: Cluster, kind: str) -> dict[str, Any] | None:
    """Return the AWS description of the workgroup or namespace, or None if none has the tags of this warehouse."""
    if cluster.has_serverless:
        api = client("redshift-serverless", cluster.region)
        with absent("ResourceNotFoundException"):
            found: dict[str, Any] = getattr(api, f"get_{kind}")(**{f"{kind}Name": cluster.name})[kind]
            tags = api.list_tags_for_resource(resourceArn=found[f"{kind}Arn"])["tags"]
            return found if cluster.owns(tags) else None
    return None


def _find_cluster(cluster: Cluster) -> Iterator[Thing]:
    found = describe_cluster(cluster)
    if found:
        nodes, kind, state = found["NumberOfNodes"], found["NodeType"], found["ClusterStatus"]
        hourly = f"about {nodes * prices.NODE_HOUR.get(kind, 0):.2f} USD per hour until paused or deleted"
        yield Thing(
            "cluster",
            f"{cluster.name} ({state}, {nodes} x {kind})",
            f"{'paused: only its storage' if state == 'paused' else hourly}, and {_MASTER_SECRET}",
            f"aws redshift delete-cluster --region {cluster.region} --cluster-identifier {cluster.name} "
            "--skip-final-cluster-snapshot",
        )


def _find_serverless(cluster: Cluster) -> Iterator[Thing]:
    remove = f"aws redshift-serverless delete-%s --region {cluster.region} --%s-name {cluster.name}"
    workgroup = describe_serverless(cluster, "workgroup")
    if workgroup:
        limits = list_limits(cluster) if workgroup["status"] != "DELETING" else []
        limit = f"at most {limits[0]['amount']} RPU-hours per day" if limits else "WITHOUT A USAGE LIMIT"
        yield Thing(
            "workgroup",
            f"{cluster.name} ({workgroup['status']})",
            f"about {prices.RPU_HOUR} USD per RPU and hour of queries, none while idle, {limit}",
            remove % ("workgroup", "workgroup"),
        )
    if describe_serverless(cluster, "namespace"):
        cost = f"storage, {_STORAGE}, and {_MASTER_SECRET}"
        yield Thing("namespace", cluster.name, cost, remove % ("namespace", "namespace"))


def owns_bucket(cluster: Cluster) -> bool:
    """Return whether the work bucket exists and has the tags of this warehouse.

    :raises ConfigurationError: see :func:`has_bucket`.
    """
    if not has_bucket(cluster):
        return False
    bucket = settings().work_bucket
    with doing(f"read the tags of s3://{bucket}"), absent("NoSuchBucket", "NoSuchTagSet"):
        tags = client("s3", cluster.region).get_bucket_tagging(Bucket=bucket)["TagSet"]
        return cluster.owns(tags)
    return False


def _find_bucket(cluster: Cluster) -> Iterator[Thing]:
    if owns_bucket(cluster):
        bucket = settings().work_bucket
        cost = f"about {prices.S3_GB_MONTH} USD per GB and month"
        yield Thing("work bucket", bucket, cost, f"aws s3 rb --force s3://{bucket}")


def _find_secrets(cluster: Cluster) -> Iterator[Thing]:
    for name in (REDSHIFT_CONNECTION, COPY_CONNECTION):
        found = describe_secret(cluster, name)
        if found and "DeletedDate" not in found and cluster.owns(found.get("Tags")):
            yield Thing(
                "secret",
                name,
                f"about {prices.SECRET_MONTH:.2f} USD per month",
                f"aws secretsmanager delete-secret --region {cluster.region} --secret-id {name} "
                "--force-delete-without-recovery",
            )


def list_snapshots(cluster: Cluster) -> dict[str, str]:
    """Return the final snapshots of a cluster or namespace of this name, as status by snapshot name."""
    pages = client("redshift", cluster.region).get_paginator("describe_cluster_snapshots")
    found = {
        one["SnapshotIdentifier"]: one["Status"]
        for page in pages.paginate(SnapshotType="manual")
        for one in page["Snapshots"]
    }
    if cluster.has_serverless:
        pages = client("redshift-serverless", cluster.region).get_paginator("list_snapshots")
        found |= {
            one["snapshotName"]: one["status"] for page in pages.paginate() for one in page["snapshots"]
        }
    return {name: status for name, status in found.items() if name.startswith(cluster.snapshot_prefix)}


def _find_snapshots(cluster: Cluster) -> Iterator[Thing]:
    for name in list_snapshots(cluster):
        yield Thing(
            "snapshot",
            name,
            _STORAGE,
            f"aws redshift delete-cluster-snapshot --region {cluster.region} --snapshot-identifier {name} "
            f"(Serverless: aws redshift-serverless delete-snapshot --snapshot-name {name})",
        )


def _find_rest(cluster: Cluster) -> Iterator[Thing]:
    """Yield the resources of the stack that no other function lists."""
    for one in list_resources(cluster):
        if not one["ResourceType"].startswith(_TOLD):
            yield Thing(
                f"stack resource {one['ResourceType']}",
                one.get("PhysicalResourceId", one["LogicalResourceId"]),
                one.get("ResourceStatusReason", "no cost"),
                f"aws cloudformation delete-stack --region {cluster.region} --stack-name {cluster.name}",
            )
