"""Implement the tasks of teardown for the final snapshot, the work bucket and the remaining resources."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from airflow.providers.common.compat.sdk import AirflowSkipException

from include.cluster import inventory
from include.cluster.aws import absent, client, doing
from include.cluster.request import Cluster
from include.cluster.stack import describe_stack, list_resources
from include.sparkify.errors import ConfigurationError, TransientError
from include.sparkify.settings import settings

# Temporary states of a cluster that end in the state available or paused.
_PASSING = ("cancelling-resize", "creating", "modifying", "pausing", "rebooting", "resizing", "resuming")

log = logging.getLogger(__name__)


def check_request(params: Mapping[str, Any]) -> None:
    """Check that the deletion is confirmed, and log the existing resources.

    :raises ConfigurationError: the deletion is not confirmed, or the stack of this name is not a warehouse.
    """
    cluster = Cluster.from_params(params)
    if params["confirm"] != cluster.name:
        raise ConfigurationError(
            f"not confirmed, so nothing was changed: to delete {cluster.name} permanently, set the parameter confirm "
            f"to {cluster.name!r}, not {params['confirm']!r}"
        )
    describe_stack(cluster)
    inventory.log_costs(cluster, "before")


def has_snapshot(context: Mapping[str, Any]) -> bool:
    """Take the final snapshot if this run has not taken it yet, and return whether it is complete.

    Call this function before the deletion until it returns True, because AWS takes a snapshot only of a running cluster
    or of a namespace with a workgroup.

    :raises AirflowSkipException: no snapshot is requested, or the cluster or namespace does not exist.
    :raises ConfigurationError: the snapshot failed, or the state of the cluster does not allow a snapshot.
    """
    params = context["params"]
    if not params["final_snapshot"]:
        raise AirflowSkipException("the parameter final_snapshot is false")
    cluster = Cluster.from_params(params)
    name = f"{cluster.snapshot_prefix}{context['dag_run'].start_date:%Y%m%d-%H%M%S}"
    status = inventory.list_snapshots(cluster).get(name)
    if status is not None:
        if status.upper() in ("FAILED", "CANCELLED"):
            raise ConfigurationError(f"snapshot {name} is {status}. Next: see its events in AWS")
        return status.upper() == "AVAILABLE"
    # Use the stack instead of the tags, because a cluster without its tags is also deleted with the stack. Until the
    # stack has created its cluster, there is no data, and an existing cluster of this name may not belong to the stack.
    without_data = ("CREATE_FAILED", "CREATE_IN_PROGRESS", "DELETE_IN_PROGRESS")
    kinds = {
        one["ResourceType"] for one in list_resources(cluster) if one["ResourceStatus"] not in without_data
    }
    # A user may have deleted the resources manually.
    deleted = absent("ClusterNotFound", "ClusterNotFoundFault", "ResourceNotFoundException")
    with doing(f"take snapshot {name}"), deleted:
        if "AWS::RedshiftServerless::Workgroup" in kinds:
            serverless = client("redshift-serverless", cluster.region)
            # AWS denies CreateSnapshot for a namespace that does not exist, because it has no tags.
            serverless.get_namespace(namespaceName=cluster.name)
            tags = [{"key": key, "value": value} for key, value in cluster.tags.items()]
            serverless.create_snapshot(namespaceName=cluster.name, snapshotName=name, tags=tags)
            return False
        if "AWS::Redshift::Cluster" in kinds:
            _take_of_cluster(cluster, name)
            return False
    raise AirflowSkipException(f"there is no cluster or workgroup in a stack {cluster.name}")


def _take_of_cluster(cluster: Cluster, name: str) -> None:
    redshift = client("redshift", cluster.region)
    (found,) = redshift.describe_clusters(ClusterIdentifier=cluster.name)["Clusters"]
    state = found["ClusterStatus"]
    if state == "available":
        redshift.create_cluster_snapshot(
            ClusterIdentifier=cluster.name, SnapshotIdentifier=name, Tags=cluster.tag_list
        )
    elif state == "paused":
        log.info("resume %s, because AWS takes no snapshot of a paused cluster", cluster.name)
        redshift.resume_cluster(ClusterIdentifier=cluster.name)
    elif state in ("deleting", "final-snapshot"):
        raise AirflowSkipException(f"cluster {cluster.name} is {state} because of an earlier run")
    # A state such as `available, resize-cleanup` is temporary:
    # https://docs.aws.amazon.com/redshift/latest/APIReference/API_Cluster.html
    elif not state.startswith("available,") and state not in _PASSING:
        raise ConfigurationError(
            f"cluster {cluster.name} is {state}, so AWS takes no snapshot. Run teardown without final_snapshot."
        )


def delete_bucket(params: Mapping[str, Any]) -> None:
    """Delete the work bucket and every object in it.

    :raises AirflowSkipException: the parameter delete_work_bucket is false, or `provision` did not create the bucket.
    :raises TransientError: S3 could not delete some objects.
    """
    cluster, bucket = Cluster.from_params(params), settings().work_bucket
    if not params["delete_work_bucket"]:
        raise AirflowSkipException(
            f"s3://{bucket} is kept, because the parameter delete_work_bucket is false"
        )
    if not inventory.owns_bucket(cluster):
        raise AirflowSkipException(f"there is no s3://{bucket} that provision created")
    s3 = client("s3", cluster.region)
    with doing(f"empty and delete bucket {bucket}"), absent("NoSuchBucket"):
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            versions = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
            if not versions:
                continue
            objects = [{"Key": v["Key"], "VersionId": v["VersionId"]} for v in versions]
            answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
            if errors := answer.get("Errors"):
                raise TransientError(
                    f"could not delete {len(errors)} objects of s3://{bucket}, for example {errors[0]}. Run teardown "
                    "again"
                )
        s3.delete_bucket(Bucket=bucket)


def list_leftovers(params: Mapping[str, Any]) -> list[str]:
    """Log the remaining resources, and return one line for each.

    :raises TransientError: a resource remains that should have been deleted.
    """
    cluster = Cluster.from_params(params)
    left = inventory.log_costs(cluster, "after")
    kept = {"snapshot"} if params["delete_work_bucket"] else {"snapshot", "work bucket"}
    stuck = [thing for thing in left if thing.kind not in kept]
    if stuck:
        lines = "\n".join(f"  {thing}" for thing in stuck)
        raise TransientError(
            f"{len(stuck)} resources are left that should have been deleted. Next: run teardown again:\n{lines}"
        )
    return [str(thing) for thing in left]
