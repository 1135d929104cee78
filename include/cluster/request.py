"""What is asked for: the parameters of the cluster's DAGs, and the names and tags that follow from them."""

from __future__ import annotations

import dataclasses
import functools
import os
import re
from collections.abc import Mapping
from typing import Any

from airflow.providers.common.compat.sdk import Param

from include.sparkify.errors import ConfigurationError

AWS_CONN_ID = "aws_default"
PORT = 5439
DATABASE = "dev"
MASTER_USER = "awsuser"

# US dollars an hour for one node, on demand in us-west-2; storage is about 0.024 a GB and month on top.
NODE_PRICES = {"ra3.large": 0.543, "ra3.xlplus": 1.086, "ra3.4xlarge": 3.26, "ra3.16xlarge": 13.04}
RPU_PRICE = 0.375
"""US dollars for one hour of one Redshift Processing Unit of Serverless while queries run."""

NAME = Param(
    "sparkify",
    type="string",
    pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$",
    minLength=3,
    maxLength=40,
    title="Name",
    description="Name of the cluster, and beginning of the names of all that belongs to it.",
)
REGION = Param(
    None,
    type=["null", "string"],
    title="Region",
    description="For example us-west-2. Empty: the region of connection aws_default.",
)


@dataclasses.dataclass(frozen=True)
class Warehouse:
    """A warehouse by name: what belongs to it is found by these names and recognised by these tags."""

    name: str
    region: str

    @property
    def role(self) -> str:
        return f"{self.name}-copy"

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
        """On everything that is made. The region is one of them, as roles and buckets are known in all."""
        return {
            "project": "sparkify",
            "managed-by": "sparkify-provision",
            "warehouse": self.name,
            "region": self.region,
        }

    @property
    def tag_list(self) -> list[dict[str, str]]:
        """The tags in the form that most of AWS takes."""
        return [{"Key": key, "Value": value} for key, value in self.tags.items()]

    def owns(self, tags: Mapping[str, str]) -> bool:
        """Whether something with these tags was made for this warehouse.

        :raises ConfigurationError: it was, but in another region.
        """
        if any(tags.get(key) != value for key, value in self.tags.items() if key != "region"):
            return False
        if tags.get("region") != self.region:
            raise ConfigurationError(
                f"warehouse {self.name} lives in region {tags.get('region')}, not in {self.region}; nothing was "
                "touched. What to mend: the parameter region, or region_name of connection aws_default; a second "
                "warehouse needs another name."
            )
        return True


def warehouse(params: Mapping[str, Any]) -> Warehouse:
    """The warehouse that a run's parameters name.

    :raises ConfigurationError: no region, or one without Redshift.
    """
    from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook

    region = params["region"] or AwsBaseHook(AWS_CONN_ID, client_type="redshift").region_name
    known = _regions()
    if region is None or region not in known:
        raise ConfigurationError(
            f"there is no Redshift in region {region!r}. What to mend: the parameter region, or region_name of "
            f"connection {AWS_CONN_ID}; known regions: {', '.join(known)}"
        )
    return Warehouse(params["name"], region)


@functools.cache
def _regions() -> list[str]:
    import boto3

    return boto3.session.Session().get_available_regions("redshift")


def schedule(variable: str) -> str | None:
    """A cron expression or preset from the environment; None, no schedule, if it is unset or is none."""
    value = os.environ.get(variable, "")
    if value in ("@hourly", "@daily", "@weekly") or re.fullmatch(r"[\d*/,-]+( [\d*/,-]+){4}", value):
        return value
    return None
