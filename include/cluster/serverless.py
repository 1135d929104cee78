"""Manage the usage limit of a Serverless workgroup, for which CloudFormation has no resource type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.providers.common.compat.sdk import AirflowSkipException

from include.cluster.aws import client, doing
from include.cluster.request import Cluster

USAGE = "serverless-compute"


def limit_usage(params: Mapping[str, Any]) -> None:
    """Limit the workgroup to ``usage_limit`` RPU-hours per day, before the database user is created.

    :raises AirflowSkipException: the warehouse is a cluster, not a workgroup.
    :raises TransientError: AWS is busy or cannot be reached.
    """
    if not params["serverless"]:
        raise AirflowSkipException("a cluster costs by the hour; only Serverless has a usage limit")
    cluster, amount = Cluster.from_params(params), params["usage_limit"]
    api = client("redshift-serverless", cluster.region)
    with doing(f"limit the usage of workgroup {cluster.name}"):
        limits = list_limits(cluster)
        if not limits:
            api.create_usage_limit(
                resourceArn=_get_arn(cluster),
                usageType=USAGE,
                amount=amount,
                period="daily",
                breachAction="deactivate",
            )
        elif (limits[0]["amount"], limits[0].get("breachAction")) != (amount, "deactivate"):
            api.update_usage_limit(
                usageLimitId=limits[0]["usageLimitId"], amount=amount, breachAction="deactivate"
            )


def list_limits(cluster: Cluster) -> list[dict[str, Any]]:
    """Return the usage limits of the workgroup."""
    api = client("redshift-serverless", cluster.region)
    found: list[dict[str, Any]] = api.list_usage_limits(resourceArn=_get_arn(cluster), usageType=USAGE)[
        "usageLimits"
    ]
    return found


def _get_arn(cluster: Cluster) -> str:
    api = client("redshift-serverless", cluster.region)
    return str(api.get_workgroup(workgroupName=cluster.name)["workgroup"]["workgroupArn"])
