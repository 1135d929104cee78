"""Validate the parameters of the DAGs that manage the cluster, and derive names and tags from them."""

from __future__ import annotations

import dataclasses
import functools
import ipaddress
from collections.abc import Mapping
from typing import Any

from airflow.providers.common.compat.sdk import Param

from include.cluster.prices import NODE_HOUR
from include.sparkify.errors import ConfigurationError
from include.sparkify.settings import AWS_CONN_ID

DATABASE = "dev"
USER = "sparkify_pipeline"
# Most addresses of a wider range are on the internet. Two ranges, 0.0.0.0/1 and 128.0.0.0/1, include all addresses.
WIDEST_PREFIX = 8
# Minimum and maximum number of nodes in a new cluster by node type, and whether a single node is possible:
# https://docs.aws.amazon.com/redshift/latest/mgmt/working-with-clusters.html
NODES = {
    "rg.large": (2, 16, True),
    "rg.xlarge": (2, 16, False),
    "rg.4xlarge": (2, 32, False),
    # AWS allows up to 128 nodes, but the property NumberOfNodes in CloudFormation only up to 100.
    "rg.12xlarge": (2, 100, False),
    "ra3.large": (2, 16, True),
    "ra3.xlplus": (2, 16, True),
    "ra3.4xlarge": (2, 32, False),
    "ra3.16xlarge": (2, 100, False),
}

NAME = Param(
    "sparkify",
    type="string",
    # EC2 rejects names of security groups that begin with sg-, and the name of the group begins with this name.
    pattern=r"^(?!sg-)[a-z][a-z0-9]*(-[a-z0-9]+)*$",
    minLength=3,
    maxLength=40,
    title="Name",
    description="Name of the stack, and of the cluster or workgroup in it.",
)


@dataclasses.dataclass(frozen=True)
class Cluster:
    """A cluster or a Serverless workgroup, with the names of its resources and the tags that identify them."""

    name: str
    region: str

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Cluster:
        """Return the cluster in the parameters of a run, in the Region of the connection aws_default.

        :raises ConfigurationError: the connection has no Region, or Redshift is not available in the Region.
        """
        from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook

        region = AwsBaseHook(AWS_CONN_ID, client_type="redshift").region_name
        if region is None or not is_offered("redshift", region):
            raise ConfigurationError(
                f"there is no Redshift in region {region!r}. Next: fix region_name of connection {AWS_CONN_ID}."
            )
        return cls(params["name"], region)

    @property
    def snapshot_prefix(self) -> str:
        """Return the prefix of the names of the final snapshots."""
        return f"{self.name}-final-"

    @property
    def tags(self) -> dict[str, str]:
        """Return the tags of the stack, which CloudFormation copies to its resources, and of other resources."""
        return {"project": "sparkify", "managed-by": "sparkify-provision", "warehouse": self.name}

    @property
    def tag_list(self) -> list[dict[str, str]]:
        """Return the tags in the format that most AWS APIs require."""
        return [{"Key": key, "Value": value} for key, value in self.tags.items()]

    def owns(self, tags: list[dict[str, str]] | None) -> bool:
        """Return whether a resource with these tags was created for this cluster."""
        # Redshift Serverless returns the fields `key` and `value` of a tag in lowercase.
        found = {tag.get("Key", tag.get("key")): tag.get("Value", tag.get("value")) for tag in tags or ()}
        return all(found.get(key) == value for key, value in self.tags.items())

    @property
    def has_serverless(self) -> bool:
        """Return whether Redshift Serverless is available in the Region. In other Regions, its API has no endpoint."""
        return is_offered("redshift-serverless", self.region)


@functools.cache
def is_offered(service: str, region: str) -> bool:
    """Return whether AWS offers a service in a Region, including the Regions of GovCloud and China."""
    import boto3

    session = boto3.session.Session()
    partitions = session.get_available_partitions()
    return any(region in session.get_available_regions(service, one) for one in partitions)


def check_params(params: Mapping[str, Any]) -> None:
    """Reject a request that is unsafe or inconsistent, or that AWS would reject after it has created some resources.

    :raises ConfigurationError: the request is rejected. The message names the parameter.
    """
    _check_cidrs(params)
    if params["serverless"]:
        cluster = Cluster.from_params(params)
        if not cluster.has_serverless:
            raise ConfigurationError(
                f"parameter serverless: Redshift Serverless is not available in {cluster.region}. Choose another "
                "region, or a cluster."
            )
        # https://docs.aws.amazon.com/redshift/latest/mgmt/serverless-capacity.html
        base = params["base_capacity"]
        if base != 4 and base % 8:
            raise ConfigurationError(f"parameter base_capacity: must be 4 or a multiple of 8 RPU, not {base}")
    else:
        _check_nodes(params)


def _check_cidrs(params: Mapping[str, Any]) -> None:
    for text in params["cidrs"]:
        try:
            network = ipaddress.IPv4Network(text)
        except ValueError as error:
            # The cluster has no IPv6 address.
            raise ConfigurationError(f"parameter cidrs: {error}. Write a range such as 10.0.0.0/16") from None
        if network.prefixlen < WIDEST_PREFIX:
            raise ConfigurationError(
                f"parameter cidrs: {text} is wider than /{WIDEST_PREFIX}, which is most of the internet. List only the "
                "addresses of the Airflow workers and the analysts. The cluster has no public address."
            )
    if not params["cidrs"]:
        raise ConfigurationError(
            "parameter cidrs is empty: no one could connect, including this run. List the address ranges of the "
            'Airflow workers and the analysts, for example ["10.0.0.0/16"].'
        )


def _check_nodes(params: Mapping[str, Any]) -> None:
    kind, nodes = params["node_type"], params["nodes"]
    least, most, single = NODES[kind]
    if not (least <= nodes <= most or (single and nodes == 1)):
        raise ConfigurationError(
            f"parameter nodes: a cluster of {kind} has {'1 or ' if single else ''}{least} to {most} nodes, not {nodes}"
            f" ({NODE_HOUR[kind]:.2f} US dollars per node and hour)"
        )
