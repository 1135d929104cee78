"""Create the security group and the subnet group, and delete them."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any, TypedDict

from include.cluster import inventory
from include.cluster.aws import client, doing
from include.cluster.request import PORT, Cluster
from include.sparkify.errors import ConfigurationError


class Network(TypedDict):
    """Where the cluster is in the network."""

    security_group: str
    """Its id."""
    subnet_group: str | None
    """Its name; None in the default VPC and for Serverless."""


def ensure_network(params: Mapping[str, Any]) -> Network:
    """Create the security group and, if subnets are given, the subnet group; open one port to the given CIDRs only.

    :raises ConfigurationError: the subnets are in several VPCs, there is no default VPC, or AWS refused a call.
    :raises TransientError: AWS is unreachable.
    """
    cluster = Cluster.from_params(params)
    ec2, redshift = client("ec2", cluster.region), client("redshift", cluster.region)
    existing = inventory.list_owned(cluster)
    subnets = params["subnet_ids"]
    group = inventory.find_kind(existing, "security group")
    with doing(f"create security group {cluster.security_group}"):
        if group:
            group_id = group.id
        else:
            group_id = ec2.create_security_group(
                GroupName=cluster.security_group,
                Description=f"Redshift cluster {cluster.name}",
                VpcId=_get_vpc(ec2, subnets, cluster),
                TagSpecifications=[{"ResourceType": "security-group", "Tags": cluster.tag_list}],
            )["GroupId"]
    with doing(f"set the ingress of security group {cluster.security_group}"):
        _set_ingress(ec2, group_id, params["cidrs"])
    if not subnets or params["serverless"]:
        return {"security_group": group_id, "subnet_group": None}
    if not inventory.find_kind(existing, "subnet group"):
        with doing(f"create subnet group {cluster.subnet_group}"):
            redshift.create_cluster_subnet_group(
                ClusterSubnetGroupName=cluster.subnet_group,
                Description=f"Redshift cluster {cluster.name}",
                SubnetIds=subnets,
                Tags=cluster.tag_list,
            )
    return {"security_group": group_id, "subnet_group": cluster.subnet_group}


def delete_network(params: Mapping[str, Any]) -> None:
    """Delete the subnet group and the security group.

    :raises TransientError: the network interface of the deleted cluster still uses them.
    """
    cluster = Cluster.from_params(params)
    existing = inventory.list_owned(cluster)
    if inventory.find_kind(existing, "subnet group"):
        with doing(f"delete subnet group {cluster.subnet_group}"):
            client("redshift", cluster.region).delete_cluster_subnet_group(
                ClusterSubnetGroupName=cluster.subnet_group
            )
    for resource in existing:
        if resource.kind == "security group":
            with doing(f"delete security group {resource.id}"):
                client("ec2", cluster.region).delete_security_group(GroupId=resource.id)


def _get_vpc(ec2: Any, subnets: list[str], cluster: Cluster) -> str:
    """Return the id of the subnets' VPC, or of the default VPC."""
    if subnets:
        vpcs = {subnet["VpcId"] for subnet in ec2.describe_subnets(SubnetIds=subnets)["Subnets"]}
        if len(vpcs) != 1:
            raise ConfigurationError(
                f"parameter subnet_ids: {subnets} are in {len(vpcs)} VPCs; give subnets of one VPC"
            )
        return str(vpcs.pop())
    default = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
    if not default:
        raise ConfigurationError(
            f"the account has no default VPC in region {cluster.region}: give subnets in parameter subnet_ids"
        )
    return str(default[0]["VpcId"])


def _set_ingress(ec2: Any, group_id: str, cidrs: list[str]) -> None:
    """Open Redshift's port to the given CIDRs and revoke every other rule of the group."""
    wanted = {str(ipaddress.ip_network(text)) for text in cidrs}
    (group,) = ec2.describe_security_groups(GroupIds=[group_id])["SecurityGroups"]
    there: set[str] = set()
    for rule in group["IpPermissions"]:
        ranges = {entry["CidrIp"] for entry in rule["IpRanges"]} | {
            entry["CidrIpv6"] for entry in rule["Ipv6Ranges"]
        }
        on_our_port = rule["IpProtocol"] == "tcp" and rule.get("FromPort") == rule.get("ToPort") == PORT
        if on_our_port and ranges <= wanted and not rule["UserIdGroupPairs"] and not rule["PrefixListIds"]:
            there |= ranges
        else:
            ec2.revoke_security_group_ingress(GroupId=group_id, IpPermissions=[rule])
    for cidr in sorted(wanted - there):
        family, key = ("Ipv6Ranges", "CidrIpv6") if ":" in cidr else ("IpRanges", "CidrIp")
        ec2.authorize_security_group_ingress(
            GroupId=group_id,
            IpPermissions=[
                {
                    "IpProtocol": "tcp",
                    "FromPort": PORT,
                    "ToPort": PORT,
                    family: [{key: cidr, "Description": "parameter cidrs of provision"}],
                }
            ],
        )
