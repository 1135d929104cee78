"""Redshift's control plane on this machine: a cluster that moto "creates" is the front's database.

moto keeps names, tags and states, but there is nothing behind its made-up addresses. Here a cluster gets the front's
address, its master user becomes a role of PostgreSQL, a paused cluster refuses connections, and deleting it drops what
its users own. All clusters share the one database of the front.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

from moto.redshift.exceptions import ClusterNotFoundError, InvalidParameterValueError
from moto.redshift.models import Cluster, RedshiftBackend

from .roles import Address, Roles


def attach(roles: Roles, address: Address) -> None:
    """Put the front behind moto's clusters, for the life of this process."""

    def endpoint(self: Cluster) -> dict[str, Any]:
        return {"Address": address.host, "Port": address.port}

    def get_cluster_credentials(
        self: RedshiftBackend, cluster_identifier: str, db_user: str, auto_create: bool, duration_seconds: int
    ) -> dict[str, Any]:
        if not 900 <= duration_seconds <= 3600:
            raise InvalidParameterValueError("Token duration must be between 900 and 3600 seconds")
        if cluster_identifier not in self.clusters:
            raise ClusterNotFoundError(cluster_identifier)
        if auto_create:
            roles.create_user(db_user)
        name = ("IAMA:" if auto_create else "IAM:") + db_user
        expiration = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=duration_seconds)
        password = roles.create_login(db_user, name, duration_seconds)
        return {"DbUser": name, "DbPassword": password, "Expiration": expiration}

    def then(method: Any, follow: Callable[[Cluster], None]) -> Any:
        """Return moto's method with ours after it."""

        def both(self: RedshiftBackend, *values: Any, **named: Any) -> Cluster:
            cluster: Cluster = method(self, *values, **named)
            follow(cluster)
            return cluster

        return both

    changed: Any = RedshiftBackend
    changed.get_cluster_credentials = get_cluster_credentials
    changed.create_cluster = then(
        changed.create_cluster,
        lambda cluster: roles.create_master(cluster.master_username, cluster.master_user_password),
    )
    changed.delete_cluster = then(changed.delete_cluster, lambda cluster: roles.drop(cluster.master_username))
    changed.pause_cluster = then(
        changed.pause_cluster, lambda cluster: roles.allow_login(cluster.master_username, False)
    )
    changed.resume_cluster = then(
        changed.resume_cluster, lambda cluster: roles.allow_login(cluster.master_username, True)
    )
    Cluster.endpoint = property(endpoint)  # type: ignore[assignment,method-assign]
