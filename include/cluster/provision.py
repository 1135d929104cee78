"""Decide what provision does: validate the request, and choose the path from what exists.

The steps themselves are in storage, network, credentials, serverless and database. Each is idempotent: existing
resources are reused and corrected.
"""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Mapping
from typing import Any, TypedDict

from airflow.providers.common.compat.sdk import AirflowSkipException

from include.cluster import inventory
from include.cluster.aws import client, doing
from include.cluster.credentials import read_master_login
from include.cluster.request import Cluster
from include.sparkify.errors import ConfigurationError

# A range wider than this counts as the whole internet, which can also be written as 0.0.0.0/1 and 128.0.0.0/1.
WIDEST_PREFIX = 8
# States a cluster does not recover from by itself.
BROKEN = {
    "hardware-failure",
    "incompatible-hsm",
    "incompatible-network",
    "incompatible-parameters",
    "incompatible-restore",
    "storage-full",
}

log = logging.getLogger(__name__)


class ClusterArguments(TypedDict):
    """Arguments of the operators that follow the check."""

    name: str
    region: str
    node_type: str
    cluster_type: str
    nodes: int
    tags: list[dict[str, str]]


def check_request(params: Mapping[str, Any]) -> ClusterArguments:
    """Validate the request against existing resources before changing anything.

    :raises ConfigurationError: the request is unsafe or contradicts itself or what exists, a name is taken by a
        foreign resource, or the cluster is in another region.
    :raises TransientError: AWS is unreachable.
    """
    cluster = Cluster.from_params(params)
    _check_cidrs(params)
    if params["tls"] == "off" and not client("redshift", cluster.region).meta.endpoint_url.startswith(
        "http:"
    ):
        raise ConfigurationError("parameter tls: off is for a local stand-in, whose AWS has no TLS either")
    if params["serverless"] and params["login"] == "iam":
        raise ConfigurationError(
            "parameter login: Serverless names its IAM users after roles, so the pipeline's user needs a password "
            "there. Set login to password."
        )
    existing = inventory.refuse_foreign(cluster)
    inventory.log_resources(f"{cluster.name} in {cluster.region} already has", existing)
    has_cluster = inventory.find_kind(existing, "cluster")
    has_workgroup = inventory.find_kind(existing, "workgroup")
    if (has_cluster and params["serverless"]) or (has_workgroup and not params["serverless"]):
        raise ConfigurationError(
            f"{cluster.name} exists as a {'cluster' if has_cluster else 'workgroup'}; parameter serverless asks for a "
            "second, costly one of the other kind. Tear it down first, or choose another name."
        )
    return {
        "name": cluster.name,
        "region": cluster.region,
        "node_type": params["node_type"],
        "cluster_type": "multi-node" if params["nodes"] > 1 else "single-node",
        "nodes": params["nodes"],
        "tags": cluster.tag_list,
    }


def _check_cidrs(params: Mapping[str, Any]) -> None:
    for text in params["cidrs"]:
        try:
            network = ipaddress.ip_network(text)
        except ValueError as error:
            raise ConfigurationError(f"parameter cidrs: {error}; write it as 10.0.0.0/16") from None
        if network.prefixlen < WIDEST_PREFIX and not params["allow_the_whole_internet"]:
            raise ConfigurationError(
                f"parameter cidrs: {text} lets the whole internet try passwords. Give the addresses of the Airflow "
                "workers and the analysts only; if you do mean it, set allow_the_whole_internet as well."
            )
    if not params["cidrs"]:
        raise ConfigurationError(
            "parameter cidrs is empty: no one could connect, including this run. Give the address ranges of the "
            'Airflow workers and the analysts, for example ["10.0.0.0/16"].'
        )


def choose_path(params: Mapping[str, Any]) -> str:
    """Return the id of the task that continues from what exists.

    :raises ConfigurationError: the cluster is broken, or is being deleted.
    """
    cluster = Cluster.from_params(params)
    if params["serverless"]:
        return "ensure_serverless"
    with doing(f"look at cluster {cluster.name}"):
        found = inventory.describe_cluster(cluster)
    if found is None:
        return "create_cluster"
    state = found["ClusterStatus"]
    if state in BROKEN:
        raise ConfigurationError(
            f"cluster {cluster.name} is {state}: fix it, or tear it down and provision it again"
        )
    if state in ("deleting", "final-snapshot"):
        raise ConfigurationError(
            f"cluster {cluster.name} is being deleted: provision again when it is deleted"
        )
    if (found["NodeType"], found["NumberOfNodes"]) != (params["node_type"], params["nodes"]):
        log.warning(
            "cluster %s has %d x %s and is reused as it is, not resized to %d x %s",
            *(cluster.name, found["NumberOfNodes"], found["NodeType"], params["nodes"], params["node_type"]),
        )
    return "resume_cluster" if state in ("paused", "pausing") else "wait_for_cluster"


def prepare_creation(context: Mapping[str, Any]) -> None:
    """Give the create operator its password just before it runs.

    The operator takes the password only as a template field, and Airflow stores rendered template fields.

    :raises AirflowSkipException: an earlier try has created the cluster.
    """
    cluster = Cluster.from_params(context["params"])
    with doing(f"look at cluster {cluster.name}"):
        if inventory.describe_cluster(cluster) is not None:
            raise AirflowSkipException(f"an earlier try has created cluster {cluster.name}")
    context["task"].master_user_password = read_master_login(cluster)["password"]


def log_inventory(params: Mapping[str, Any]) -> None:
    """Log what exists of the cluster and what it costs, whether or not the run succeeded."""
    cluster = Cluster.from_params(params)
    inventory.log_resources(f"{cluster.name} in {cluster.region} now has", inventory.list_owned(cluster))
    log.info(
        "running provision again continues from here; teardown with confirm=%s removes it all", cluster.name
    )
