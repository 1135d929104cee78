"""Determine whether to pause or resume a cluster."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from include.cluster import inventory
from include.cluster.aws import client, doing
from include.cluster.request import Cluster
from include.sparkify.errors import ConfigurationError
from include.sparkify.settings import AWS_CONN_ID

IDLE = timedelta(hours=1)
"""Time without connections after which a cluster is idle."""
PERIOD = timedelta(minutes=5)
"""Period of a data point of the metric."""

log = logging.getLogger(__name__)


def find_pausable(params: Mapping[str, Any], only_if_idle: bool) -> bool:
    """Return whether to pause the cluster, which is false if it is already paused or in use.

    :raises ConfigurationError: the cluster does not exist, or cannot be paused in its current state.
    """
    cluster = Cluster.from_params(params)
    state = _get_state(cluster)
    if state in ("paused", "pausing"):
        log.info("cluster %s is already %s", cluster.name, state)
        return False
    if state != "available":
        raise ConfigurationError(f"cluster {cluster.name} is {state}: run pause again when it is available")
    return not only_if_idle or _is_idle(cluster)


def find_resumable(params: Mapping[str, Any]) -> bool:
    """Return whether to resume the cluster, which is false if it is already available.

    :raises ConfigurationError: the cluster does not exist, or cannot be resumed in its current state.
    """
    cluster = Cluster.from_params(params)
    state = _get_state(cluster)
    if state in ("available", "resuming"):
        log.info("cluster %s is already %s", cluster.name, state)
        return False
    if state not in ("paused", "pausing"):
        raise ConfigurationError(f"cluster {cluster.name} is {state}: run resume again when it is paused")
    return True


def _get_state(cluster: Cluster) -> str:
    with doing(f"describe cluster {cluster.name}"):
        found = inventory.describe_cluster(cluster)
    if found is None:
        raise ConfigurationError(
            f"provision created no cluster {cluster.name} in {cluster.region}. Check the parameter name and the "
            f"region of connection {AWS_CONN_ID} (Serverless needs no pausing: it costs nothing while idle)."
        )
    return str(found["ClusterStatus"])


def _is_idle(cluster: Cluster) -> bool:
    """Return whether the cluster had no connection in the last hour. Only the latest data point may be missing."""
    now = datetime.now(UTC)
    with doing(f"read the number of connections to {cluster.name}"):
        points = client("cloudwatch", cluster.region).get_metric_statistics(
            Namespace="AWS/Redshift",
            MetricName="DatabaseConnections",
            Dimensions=[{"Name": "ClusterIdentifier", "Value": cluster.name}],
            StartTime=now - IDLE,
            EndTime=now,
            Period=PERIOD.seconds,
            Statistics=["Maximum"],
        )["Datapoints"]
    most = max((point["Maximum"] for point in points), default=None)
    # The latest data point may not be available yet. If another data point is missing, the cluster may have been in
    # use.
    complete = len(points) >= IDLE // PERIOD - 1
    log.info("most connections to %s in %s: %s, from %d data points", cluster.name, IDLE, most, len(points))
    return most == 0 and complete
