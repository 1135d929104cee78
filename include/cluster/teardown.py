"""Removing a warehouse: what bears its tags goes, nothing else; every step may find its work done already."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from airflow.providers.common.compat.sdk import AirflowSkipException

from include.cluster import inventory
from include.cluster.aws import absent, client, doing
from include.cluster.inventory import COPY_CONNECTION, REDSHIFT_CONNECTION
from include.cluster.request import Warehouse, warehouse
from include.sparkify.errors import ConfigurationError, TransientError
from include.sparkify.settings import settings

log = logging.getLogger(__name__)


def check(params: Mapping[str, Any]) -> dict[str, str]:
    """Make sure that this warehouse is meant; the arguments of the other tasks.

    :raises ConfigurationError: not confirmed, or it lives in another region; nothing was touched.
    """
    wanted = warehouse(params)
    if params["confirm"] != wanted.name:
        raise ConfigurationError(
            f"not confirmed, so nothing was touched: to remove warehouse {wanted.name} for good, set the parameter "
            f"confirm to {wanted.name!r}, not {params['confirm']!r}"
        )
    inventory.log_all(f"of {wanted.name} in {wanted.region} there is", inventory.owned(wanted))
    return {"name": wanted.name, "region": wanted.region}


def before_deleting(context: Mapping[str, Any]) -> None:
    """Name the final snapshot, if there is to be one (the operator's templates do not reach that argument).

    :raises AirflowSkipException: there is no such cluster, or it is somebody else's.
    """
    params, operator = context["params"], context["task"]
    wanted = warehouse(params)
    if not inventory.of_kind(inventory.owned(wanted), "cluster"):
        if getattr(context["ti"], "next_method", None):
            return  # back from the deferral in which it was deleted
        raise AirflowSkipException(f"there is no cluster {wanted.name} of this warehouse")
    if params["final_snapshot"]:
        operator.skip_final_cluster_snapshot = False
        operator.final_cluster_snapshot_identifier = _snapshot(wanted, context)


def delete_serverless(params: Mapping[str, Any], context: Mapping[str, Any]) -> bool:
    """Delete the workgroup, then the namespace; True when both are gone. To be called until it is."""
    wanted = warehouse(params)
    api = client("redshift-serverless", wanted.region)
    workgroup = inventory.of_kind(inventory.owned(wanted), "workgroup")
    if workgroup and not workgroup.status.startswith("DELETING"):
        with doing(f"delete workgroup {wanted.name}"), absent("ResourceNotFoundException"):
            api.delete_workgroup(workgroupName=wanted.name)
    existing = inventory.owned(wanted)
    namespace = inventory.of_kind(existing, "namespace")
    if namespace and namespace.status != "DELETING" and not inventory.of_kind(existing, "workgroup"):
        snapshot = {"finalSnapshotName": _snapshot(wanted, context)} if params["final_snapshot"] else {}
        with doing(f"delete namespace {wanted.name}"), absent("ResourceNotFoundException"):
            api.delete_namespace(namespaceName=wanted.name, **snapshot)
        existing = inventory.owned(wanted)
    return not any(thing.kind in ("workgroup", "namespace") for thing in existing)


def delete_secrets(params: Mapping[str, Any]) -> None:
    """The connections and the master password; at once, as what they open is gone."""
    wanted = warehouse(params)
    api = client("secretsmanager", wanted.region)
    there = {thing.name for thing in inventory.owned(wanted) if thing.kind == "secret"}
    for name in (REDSHIFT_CONNECTION, COPY_CONNECTION, wanted.master_secret):
        if name in there:
            with doing(f"delete secret {name}"):
                api.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)


def delete_network(params: Mapping[str, Any]) -> None:
    """The subnet group and the security group.

    :raises TransientError: the cluster's network card still hangs on to them.
    """
    wanted = warehouse(params)
    existing = inventory.owned(wanted)
    if inventory.of_kind(existing, "subnet group"):
        with doing(f"delete subnet group {wanted.subnet_group}"):
            client("redshift", wanted.region).delete_cluster_subnet_group(
                ClusterSubnetGroupName=wanted.subnet_group
            )
    for thing in existing:
        if thing.kind == "security group":
            with doing(f"delete security group {thing.id}"):
                client("ec2", wanted.region).delete_security_group(GroupId=thing.id)


def delete_role(params: Mapping[str, Any]) -> None:
    """The role for COPY, with its policy."""
    wanted = warehouse(params)
    iam = client("iam", wanted.region)
    if inventory.of_kind(inventory.owned(wanted), "role"):
        with doing(f"delete role {wanted.role}"):
            with absent("NoSuchEntity"):
                iam.delete_role_policy(RoleName=wanted.role, PolicyName="copy")
            iam.delete_role(RoleName=wanted.role)


def delete_bucket(params: Mapping[str, Any]) -> None:
    """The work bucket with all that is in it.

    :raises AirflowSkipException: that was not asked for.
    """
    wanted, bucket = warehouse(params), settings().work_bucket
    if not params["delete_work_bucket"]:
        raise AirflowSkipException(f"s3://{bucket} stays, as parameter delete_work_bucket is off")
    if not inventory.of_kind(inventory.owned(wanted), "work bucket"):
        return
    s3 = client("s3", wanted.region)
    with doing(f"empty and delete bucket {bucket}"):
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            versions = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
            if versions:
                objects = [{"Key": v["Key"], "VersionId": v["VersionId"]} for v in versions]
                errors = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True}).get(
                    "Errors"
                )
                if errors:
                    raise TransientError(f"could not delete {len(errors)} objects of {bucket}: {errors[0]}")
        s3.delete_bucket(Bucket=bucket)


def leftovers(params: Mapping[str, Any]) -> list[str]:
    """Say what is left; the kept things, as lines.

    :raises TransientError: something is left that should be gone.
    """
    wanted = warehouse(params)
    left = inventory.owned(wanted)
    kept = {"snapshot"} | (set() if params["delete_work_bucket"] else {"work bucket"})
    stuck = [thing for thing in left if thing.kind not in kept]
    inventory.log_all(f"of {wanted.name} in {wanted.region} there is left", left)
    if stuck:
        lines = "\n".join(f"  {thing}" for thing in stuck)
        raise TransientError(
            f"{len(stuck)} things are left that should be gone; run teardown again:\n{lines}"
        )
    return [str(thing) for thing in left]


def _snapshot(wanted: Warehouse, context: Mapping[str, Any]) -> str:
    """The same in every try of a run."""
    return f"{wanted.snapshot_prefix}{context['dag_run'].start_date:%Y%m%d-%H%M%S}"
