"""Fill in the policies of include/iam."""

from __future__ import annotations

import string
from pathlib import Path

from include.cluster.aws import client, doing
from include.cluster.request import Cluster
from include.sparkify.settings import settings

FOLDER = Path(__file__).parents[1] / "iam"


def render_policy(name: str, cluster: Cluster) -> str:
    """Return a policy of include/iam as JSON text, with the names of this cluster, account and settings.

    :raises ConfigurationError, TransientError: AWS does not tell the account.
    """
    with doing("ask AWS for the account of connection aws_default"):
        account = client("sts", cluster.region).get_caller_identity()["Account"]
    config = settings()
    values = {
        "account": account,
        "name": cluster.name,
        "region": cluster.region,
        "work_bucket": config.work_bucket,
        "source_bucket": config.source_bucket,
        "log_prefix": config.log_prefix,
        "song_prefix": config.song_prefix,
    }
    return string.Template((FOLDER / f"{name}.json").read_text()).substitute(values)
