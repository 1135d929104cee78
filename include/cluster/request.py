"""The parameters of the cluster's DAGs, and the names and tags that follow from them."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

from airflow.providers.common.compat.sdk import Param

from include.sparkify.errors import ConfigurationError

AWS_CONN_ID = "aws_default"
PORT = 5439
DATABASE = "dev"
MASTER_USER = "awsuser"

NAME = Param(
    "sparkify",
    type="string",
    pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$",
    minLength=3,
    maxLength=40,
    title="Name",
    description="Name of the cluster. The names of its other resources begin with it.",
)
REGION = Param(
    None,
    type=["null", "string"],
    title="Region",
    description="For example us-west-2. Empty: the region of connection aws_default.",
)


@dataclasses.dataclass(frozen=True)
class Cluster:
    """A cluster, or a Serverless workgroup: the names of its resources, and the tags that mark them as ours."""

    name: str
    region: str

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Cluster:
        """Return the cluster that a run's parameters name.

        :raises ConfigurationError: no region, or a region without Redshift.
        """
        from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook

        region = params["region"] or AwsBaseHook(AWS_CONN_ID, client_type="redshift").region_name
        known = _list_regions()
        if region is None or region not in known:
            raise ConfigurationError(
                f"there is no Redshift in region {region!r}. Fix the parameter region, or region_name of connection "
                f"{AWS_CONN_ID}; known regions: {', '.join(known)}"
            )
        return cls(params["name"], region)

    @property
    def role(self) -> str:
        """The role that Redshift assumes for COPY; the managed policy that it carries has the same name."""
        return f"{self.name}-copy"

    def copy_policy_arn(self, role_arn: str) -> str:
        """Return the ARN of the managed policy that the role carries; an administrator created it (docs/aws.md)."""
        return role_arn.replace(f":role/{self.role}", f":policy/{self.role}")

    @property
    def security_group(self) -> str:
        return f"{self.name}-redshift"

    @property
    def subnet_group(self) -> str:
        return self.name

    @property
    def master_secret(self) -> str:
        return f"{self.name}/master"

    @property
    def snapshot_prefix(self) -> str:
        return f"{self.name}-final-"

    @property
    def tags(self) -> dict[str, str]:
        """Tags of every resource. The region is one of them because roles and buckets are visible in every region."""
        return {
            "project": "sparkify",
            "managed-by": "sparkify-provision",
            "warehouse": self.name,
            "region": self.region,
        }

    @property
    def tag_list(self) -> list[dict[str, str]]:
        """The tags in the form that most AWS APIs take."""
        return [{"Key": key, "Value": value} for key, value in self.tags.items()]

    def owns(self, tags: Mapping[str, str]) -> bool:
        """Return whether a resource with these tags was created for this cluster.

        :raises ConfigurationError: it was, but in another region.
        """
        if any(tags.get(key) != value for key, value in self.tags.items() if key != "region"):
            return False
        if tags.get("region") != self.region:
            raise ConfigurationError(
                f"{self.name} is in region {tags.get('region')}, not in {self.region}; nothing was changed. Fix the "
                "parameter region, or region_name of connection aws_default; a second cluster needs another name."
            )
        return True


@functools.cache
def _list_regions() -> list[str]:
    import boto3

    return boto3.session.Session().get_available_regions("redshift")
