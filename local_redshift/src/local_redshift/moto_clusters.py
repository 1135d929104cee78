"""Redshift's control plane on this machine, where each cluster that moto "creates" is the front's database.

moto stores names, tags and states, but no server listens on its made-up addresses. Here a cluster gets the front's
address, its master user becomes a PostgreSQL role, a paused cluster refuses connections, and deleting it drops the
objects that its users own. All clusters share the front's one database.

As on AWS, a change of state takes time and is refused in a state that does not allow it, a node type has a minimum and
a maximum number of nodes, and Secrets Manager can hold the master password.
"""

from __future__ import annotations

import datetime
import json
import secrets
import threading
import time
from typing import Any, ClassVar

from moto.core import DEFAULT_ACCOUNT_ID
from moto.core.responses import ActionResult
from moto.redshift.exceptions import ClusterNotFoundError, InvalidParameterValueError, RedshiftClientError
from moto.redshift.models import Cluster, RedshiftBackend
from moto.redshift.responses import RedshiftResponse
from moto.secretsmanager.models import secretsmanager_backends

from .roles import Address, Roles

# Minimum and maximum number of nodes of a multi-node cluster, and whether one node is allowed:
# https://docs.aws.amazon.com/redshift/latest/mgmt/working-with-clusters.html
NODES = {
    "rg.large": (2, 16, True),
    "rg.xlarge": (2, 16, False),
    "rg.4xlarge": (2, 32, False),
    "rg.12xlarge": (2, 128, False),
    "ra3.large": (2, 16, True),
    "ra3.xlplus": (2, 16, True),
    "ra3.4xlarge": (2, 32, False),
    "ra3.16xlarge": (2, 128, False),
    "dc2.large": (2, 32, True),
    "dc2.8xlarge": (2, 128, False),
}
# The largest factors by which an elastic resize can multiply and divide the number of nodes:
# https://docs.aws.amazon.com/redshift/latest/mgmt/resizing-cluster.html#elastic-resize
ELASTIC = dict.fromkeys(("rg.4xlarge", "ra3.4xlarge", "ra3.16xlarge"), (4, 4)) | dict.fromkeys(
    ("ra3.large", "dc2.large", "dc2.8xlarge"), (2, 2)
)
# For a type without a limit on that page, the lowest limit of its family applies.
_OTHERS = (2, 4)
SECONDS, PATIENCE = 0.3, 30
"""Duration of a transitional state in seconds, after a client has seen the state and if no client has seen it.

On AWS, it lasts minutes.
"""


class Passing:
    """A transitional state. A client sees the state at least once, even on a slow machine."""

    def __init__(self, now: str, then: str) -> None:
        self.now, self.then, self.seen, self.began = now, then, False, time.monotonic()

    def get(self, look: bool = False) -> str:
        """Return the current state. `look` is true if a client asks for it."""
        passed = time.monotonic() - self.began
        if passed >= (SECONDS if self.seen else PATIENCE):
            return self.then
        if look and not self.seen:
            self.seen, self.began = True, time.monotonic()
        return self.now


class _State:
    """The state of a cluster, which may be transitional."""

    def __get__(self, cluster: Any, owner: Any = None) -> str:
        return _state_of(cluster)

    def __set__(self, cluster: Any, state: str | tuple[str, str]) -> None:
        now, then = (state, state) if isinstance(state, str) else state
        cluster.__dict__["_state"] = Passing(now, then)


def _state_of(cluster: Any) -> str:
    state: Passing = cluster.__dict__["_state"]
    return state.get()


def check_nodes(node_type: str, cluster_type: str | None, number: int | None) -> None:
    """Refuse a number of nodes that the node type does not allow."""
    if node_type not in NODES:
        raise InvalidParameterValueError(f"Invalid node type: {node_type}")
    least, most, single = NODES[node_type]
    if cluster_type == "single-node":
        if not single or number not in (None, 1):
            raise InvalidParameterValueError(f"Invalid number of nodes for {node_type} and single-node")
    elif number is None or not least <= number <= most:
        raise InvalidParameterValueError(
            f"Number of nodes for {node_type} and multi-node must be {least} to {most}, not {number}"
        )


def check_elastic(cluster: Any, node_type: str, number: int) -> None:
    """Refuse a resize that AWS documents only as a classic resize, not as an elastic one."""
    old, (growth, reduction) = cluster.sized, ELASTIC.get(node_type, _OTHERS)
    # "The type of nodes that you add must match the node type for the cluster" (ResizeCluster), and "you can't use
    # elastic resize to resize from or to a single-node cluster". The stand-in defines the text of the error.
    if (
        node_type != cluster.node_type
        or 1 in (number, cluster.number_of_nodes)
        or not old / reduction <= number <= old * growth
    ):
        raise RedshiftClientError(
            "UnsupportedOperation",
            f"Elastic resize from {cluster.number_of_nodes} {cluster.node_type} to {number} {node_type} is not "
            "supported. Use classic resize.",
        )


def _refuse_unless(cluster: Cluster, verb: str, *states: str) -> None:
    if (state := _state_of(cluster)) not in states:
        text = f"You cannot {verb} cluster {cluster.cluster_identifier} while it is {state}"
        raise RedshiftClientError("InvalidClusterState", text)


def new_secret(region: str, name: str, user: str) -> tuple[str, str]:
    """Create a secret with a generated password, as Redshift does, and return its ARN and the password."""
    password = "Aa1" + secrets.token_urlsafe(24)
    backend: Any = secretsmanager_backends[DEFAULT_ACCOUNT_ID][region]
    text = json.dumps({"username": user, "password": password})
    secret = backend.create_managed_secret("redshift", f"redshift!{name}-{user}", secret_string=text)
    return secret.arn, password


def drop_secret(region: str, name: str, user: str) -> None:
    """Delete the secret of a cluster or namespace that is deleted, if it has one."""
    backend: Any = secretsmanager_backends[DEFAULT_ACCOUNT_ID][region]
    backend.secrets.pop(f"redshift!{name}-{user}")


class _Clusters:
    """Replacements for methods of moto's backend that also change the users of the front's database."""

    roles: ClassVar[Roles]
    clusters: dict[str, Any]
    region_name: str

    def _find(self, name: str) -> Any:
        """Remove the clusters whose deletion is complete, then return the cluster with this name."""
        for gone in [key for key, cluster in self.clusters.items() if _state_of(cluster) == "deleted"]:
            del self.clusters[gone]
        if name and name not in self.clusters:
            raise ClusterNotFoundError(name)
        return self.clusters.get(name)

    def get_cluster_credentials(
        self, cluster_identifier: str, db_user: str, auto_create: bool, duration_seconds: int
    ) -> dict[str, Any]:
        if not 900 <= duration_seconds <= 3600:
            raise InvalidParameterValueError("Token duration must be between 900 and 3600 seconds")
        self._find(cluster_identifier)
        if auto_create:
            self.roles.create_user(db_user)
        name = ("IAMA:" if auto_create else "IAM:") + db_user
        expiration = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=duration_seconds)
        password = self.roles.create_login(db_user, name, duration_seconds)
        return {"DbUser": name, "DbPassword": password, "Expiration": expiration}

    def create_cluster(self, **given: Any) -> Any:
        self._find("")
        check_nodes(given["node_type"], given["cluster_type"], given["number_of_nodes"])
        managed = getattr(_asked, "managed", False)
        if managed == bool(given["master_user_password"]):
            raise RedshiftClientError(
                "InvalidParameterCombination", "Give either MasterUserPassword or ManageMasterPassword"
            )
        cluster = _MOTO["create_cluster"](self, **given)
        if managed:
            cluster.master_password_secret_arn, cluster.master_user_password = new_secret(
                self.region_name, cluster.cluster_identifier, cluster.master_username
            )
        self.roles.create_master(cluster.master_username, cluster.master_user_password)
        cluster.sized = cluster.number_of_nodes
        cluster.status = "creating", "available"
        return cluster

    def describe_clusters(self, cluster_identifier: Any = None, tag_keys: Any = None) -> Any:
        self._find("")
        found = _MOTO["describe_clusters"](self, cluster_identifier, tag_keys)
        for cluster in found:
            cluster.__dict__["_state"].get(look=True)
        return found

    def modify_cluster(self, **given: Any) -> Any:
        cluster = self._find(given["cluster_identifier"])
        _refuse_unless(cluster, "modify", "available")
        given = {key: value for key, value in given.items() if value not in (None, [])}
        if "node_type" in given:
            kind = given.get("cluster_type", "single-node" if cluster.number_of_nodes == 1 else "multi-node")
            check_nodes(given["node_type"], kind, given.get("number_of_nodes"))
        _MOTO["modify_cluster"](self, **given)
        cluster.status = "modifying", "available"
        return cluster

    def resize_cluster(self, name: str, classic: bool, **given: Any) -> Any:
        cluster = self._find(name)
        _refuse_unless(cluster, "resize", "available")
        kind, number = given["node_type"] or cluster.node_type, given["number_of_nodes"]
        nodes = 1 if given["cluster_type"] == "single-node" else number or cluster.number_of_nodes
        check_nodes(kind, "single-node" if nodes == 1 else "multi-node", nodes)
        if classic:
            # Later elastic resizes have their limits relative to this size.
            cluster.sized = nodes
        else:
            check_elastic(cluster, kind, nodes)
        cluster.node_type, cluster.number_of_nodes = kind, nodes
        cluster.status = "resizing", "available"
        return cluster

    def delete_cluster(self, **given: Any) -> Any:
        cluster = self._find(given["cluster_identifier"])
        _refuse_unless(cluster, "delete", "available", "paused", "storage-full", "incompatible-network")
        _MOTO["delete_cluster"](self, **given)
        self.clusters[cluster.cluster_identifier] = cluster
        cluster.status = "deleting", "deleted"
        self.roles.drop(cluster.master_username)
        drop_secret(self.region_name, cluster.cluster_identifier, cluster.master_username)
        return cluster

    def pause_cluster(self, name: str) -> Any:
        return self._switch(name, "pause", "available", ("pausing", "paused"))

    def resume_cluster(self, name: str) -> Any:
        return self._switch(name, "resume", "paused", ("resuming", "available"))

    def _switch(self, name: str, verb: str, before: str, after: tuple[str, str]) -> Any:
        cluster = self._find(name)
        _refuse_unless(cluster, verb, before)
        cluster.status = after
        self.roles.allow_login(cluster.master_username, verb == "resume")
        return cluster

    def create_cluster_snapshot(self, name: str, *values: Any, **named: Any) -> Any:
        if named.get("snapshot_type") != "automated":
            _refuse_unless(self._find(name), "take a snapshot of", "available")
        return _MOTO["create_cluster_snapshot"](self, name, *values, **named)


# moto's original methods, and whether this thread's request sets ManageMasterPassword, which moto does not pass to its
# backend.
_MOTO = {name: getattr(RedshiftBackend, name) for name in vars(_Clusters) if hasattr(RedshiftBackend, name)}
_asked = threading.local()


def attach(roles: Roles, address: Address) -> None:
    """Connect moto's clusters to the front for the lifetime of this process."""
    create = RedshiftResponse.create_cluster

    def create_cluster(self: Any) -> Any:
        _asked.managed = self._get_bool_param("ManageMasterPassword", False)
        return create(self)

    def modify_cluster_parameter_group(self: Any) -> ActionResult:
        name = self._get_param("ParameterGroupName")
        (group,) = self.redshift_backend.describe_cluster_parameter_groups(name)
        group.values = {one["ParameterName"]: one["ParameterValue"] for one in self._get_param("Parameters")}
        return ActionResult({"ParameterGroupName": name, "ParameterGroupStatus": "updated"})

    def resize_cluster(self: Any) -> ActionResult:
        cluster = self.redshift_backend.resize_cluster(
            self._get_param("ClusterIdentifier"),
            self._get_bool_param("Classic", False),
            node_type=self._get_param("NodeType"),
            cluster_type=self._get_param("ClusterType"),
            number_of_nodes=self._get_int_param("NumberOfNodes"),
        )
        return ActionResult({"Cluster": cluster})

    _Clusters.roles = roles
    for name, member in vars(_Clusters).items():
        if not name.startswith("__"):
            setattr(RedshiftBackend, name, member)
    protocol: Any = RedshiftResponse
    protocol.create_cluster = create_cluster
    protocol.modify_cluster_parameter_group = modify_cluster_parameter_group
    protocol.resize_cluster = resize_cluster
    model: Any = Cluster
    model.status = _State()
    model.endpoint = property(lambda cluster: {"Address": address.host, "Port": address.port})
