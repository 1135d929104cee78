"""Pausing and resuming a cluster."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from include.cluster import inventory
from include.cluster.aws import client, doing
from include.cluster.request import Warehouse, warehouse
from include.sparkify.errors import ConfigurationError

# Seconds of one point of the measurement; at most 1,440 points come in one answer.
PERIOD = 300

log = logging.getLogger(__name__)


def to_pause(params: Mapping[str, Any], scheduled: bool) -> dict[str, str]:
    """The cluster to pause, as arguments of the operator; nothing if it is paused already, or is at work.

    :param scheduled: the run was not asked for by a person: it pauses an idle cluster alone.
    :raises ConfigurationError: there is no such cluster, it is somebody else's, or its state allows no pause.
    """
    wanted = warehouse(params)
    state = _state(wanted)
    if state in ("paused", "pausing"):
        log.info("cluster %s is %s already", wanted.name, state)
        return {}
    if state != "available":
        raise ConfigurationError(f"cluster {wanted.name} is {state}: it can be paused when it is available")
    if (scheduled or params["only_if_idle"]) and not _idle(wanted, params["idle_minutes"]):
        return {}
    return {"name": wanted.name, "region": wanted.region}


def to_resume(params: Mapping[str, Any]) -> dict[str, str]:
    """The cluster to resume, as arguments of the operator; nothing if it runs already.

    :raises ConfigurationError: there is no such cluster, it is somebody else's, or its state allows no resuming.
    """
    wanted = warehouse(params)
    state = _state(wanted)
    if state in ("available", "resuming"):
        log.info("cluster %s is %s already", wanted.name, state)
        return {}
    if state not in ("paused", "pausing"):
        raise ConfigurationError(f"cluster {wanted.name} is {state}: it can be resumed when it is paused")
    return {"name": wanted.name, "region": wanted.region}


def _state(wanted: Warehouse) -> str:
    with doing(f"look at cluster {wanted.name}"):
        if not any(wanted.owns(thing.tags) for thing in inventory.cluster(wanted)):
            raise ConfigurationError(
                f"there is no cluster {wanted.name} in {wanted.region} that provision made (Serverless needs no "
                "pausing: it costs nothing while idle)"
            )
        return str((inventory.describe_cluster(wanted) or {}).get("ClusterStatus", "deleted"))


def _idle(wanted: Warehouse, minutes: int) -> bool:
    """Whether nobody was connected in the last minutes; without a measurement of all of them, no."""
    now = datetime.now(UTC)
    with doing(f"read how many are connected to {wanted.name}"):
        points = client("cloudwatch", wanted.region).get_metric_statistics(
            Namespace="AWS/Redshift",
            MetricName="DatabaseConnections",
            Dimensions=[{"Name": "ClusterIdentifier", "Value": wanted.name}],
            StartTime=now - timedelta(minutes=minutes),
            EndTime=now,
            Period=PERIOD,
            Statistics=["Maximum"],
        )["Datapoints"]
    most = max((point["Maximum"] for point in points), default=None)
    # The newest point may not have arrived yet; without the others nothing is known.
    complete = len(points) >= minutes * 60 // PERIOD - 1
    log.info(
        "most connections to %s in %d minutes: %s, of %d points", wanted.name, minutes, most, len(points)
    )
    return most == 0 and complete
