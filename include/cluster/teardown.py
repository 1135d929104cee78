"""Remove a cluster: resources with its tags, and nothing else. Every step may find its work already done."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, TypedDict

from airflow.providers.common.compat.sdk import AirflowSkipException

from include.cluster import inventory
from include.cluster.aws import absent, client, doing
from include.cluster.inventory import Kind
from include.cluster.request import Cluster
from include.sparkify.errors import ConfigurationError, TransientError
from include.sparkify.settings import settings

log = logging.getLogger(__name__)


class DeleteArguments(TypedDict):
    """Arguments of the operator that deletes the cluster."""

    name: str
    region: str


def check_request(params: Mapping[str, Any]) -> DeleteArguments:
    """Make sure that this cluster is meant before deleting anything.

    :raises ConfigurationError: not confirmed, or the cluster is in another region.
    """
    cluster = Cluster.from_params(params)
    if params["confirm"] != cluster.name:
        raise ConfigurationError(
            f"not confirmed, so nothing was changed: to delete {cluster.name} permanently, set the parameter confirm "
            f"to {cluster.name!r}, not {params['confirm']!r}"
        )
    inventory.log_resources(f"{cluster.name} in {cluster.region} has", inventory.list_owned(cluster))
    return {"name": cluster.name, "region": cluster.region}


def prepare_deletion(context: Mapping[str, Any]) -> None:
    """Name the final snapshot, if there is to be one: the operator has no template field for it.

    :raises AirflowSkipException: there is no such cluster, or it is foreign.
    """
    params, operator = context["params"], context["task"]
    cluster = Cluster.from_params(params)
    if not inventory.find_kind(inventory.list_owned(cluster), "cluster"):
        if getattr(context["ti"], "next_method", None):
            return  # Resumed after the deferral during which the cluster was deleted.
        raise AirflowSkipException(f"there is no cluster {cluster.name} that provision created")
    if params["final_snapshot"]:
        operator.skip_final_cluster_snapshot = False
        operator.final_cluster_snapshot_identifier = name_snapshot(context)


def name_snapshot(context: Mapping[str, Any]) -> str:
    """Return the name of a run's final snapshot, the same in every try."""
    cluster = Cluster.from_params(context["params"])
    return f"{cluster.snapshot_prefix}{context['dag_run'].start_date:%Y%m%d-%H%M%S}"


def delete_role(params: Mapping[str, Any]) -> None:
    """Detach the policy of the role for COPY and delete the role; the managed policy stays."""
    cluster = Cluster.from_params(params)
    iam = client("iam", cluster.region)
    role = inventory.find_kind(inventory.list_owned(cluster), "role")
    if role:
        with doing(f"delete role {cluster.role}"):
            with absent("NoSuchEntity"):
                iam.detach_role_policy(RoleName=cluster.role, PolicyArn=cluster.copy_policy_arn(role.id))
            iam.delete_role(RoleName=cluster.role)


def delete_bucket(params: Mapping[str, Any]) -> None:
    """Delete the work bucket and every object in it.

    :raises AirflowSkipException: the parameters do not ask for it.
    :raises TransientError: S3 could not delete some objects.
    """
    cluster, bucket = Cluster.from_params(params), settings().work_bucket
    if not params["delete_work_bucket"]:
        raise AirflowSkipException(f"s3://{bucket} is kept, because parameter delete_work_bucket is off")
    if not inventory.find_kind(inventory.list_owned(cluster), "work bucket"):
        return
    s3 = client("s3", cluster.region)
    with doing(f"empty and delete bucket {bucket}"):
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            versions = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
            if not versions:
                continue
            objects = [{"Key": v["Key"], "VersionId": v["VersionId"]} for v in versions]
            answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
            if errors := answer.get("Errors"):
                raise TransientError(
                    f"could not delete {len(errors)} objects of s3://{bucket}, for example {errors[0]}; run teardown "
                    "again"
                )
        s3.delete_bucket(Bucket=bucket)


def list_leftovers(params: Mapping[str, Any]) -> list[str]:
    """Log what is left, and return it as lines.

    :raises TransientError: something is left that should have been deleted.
    """
    cluster = Cluster.from_params(params)
    left = inventory.list_owned(cluster)
    kept: set[Kind] = {"snapshot"} if params["delete_work_bucket"] else {"snapshot", "work bucket"}
    stuck = [resource for resource in left if resource.kind not in kept]
    inventory.log_resources(f"{cluster.name} in {cluster.region} still has", left)
    if stuck:
        lines = "\n".join(f"  {resource}" for resource in stuck)
        raise TransientError(
            f"{len(stuck)} resources are left that should have been deleted; run teardown again:\n{lines}"
        )
    return [str(resource) for resource in left]
