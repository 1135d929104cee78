"""Read, write and delete Airflow's connections, which are only in Secrets Manager."""

from __future__ import annotations

import json
import secrets
import string
from collections.abc import Mapping
from typing import Any

from include.cluster.aws import absent, client, doing
from include.cluster.request import Cluster
from include.sparkify.errors import ConfigurationError

# Airflow's SecretsManagerBackend finds the connections under these names.
REDSHIFT_CONNECTION = "airflow/connections/redshift_default"
COPY_CONNECTION = "airflow/connections/aws_copy_role"


def read_login(cluster: Cluster, arn: str) -> dict[str, Any]:
    """Return the master user's name and password from the secret that Redshift manages and rotates."""
    with doing("read the secret of the master user"):
        return _read(cluster, arn)


def new_password() -> str:
    """Return a new password, and mask it in this process's logs.

    It has 40 letters and digits, including each kind of character that Redshift requires.
    """
    from airflow.providers.common.compat.sdk import mask_secret

    alphabet = string.ascii_letters + string.digits
    password = "Aa0" + "".join(secrets.choice(alphabet) for _ in range(37))
    mask_secret(password)
    return password


def check_owner(cluster: Cluster) -> None:
    """Check that each connection's secret belongs to this warehouse or does not exist.

    :raises ConfigurationError: see :func:`_find_own`.
    """
    for name in (REDSHIFT_CONNECTION, COPY_CONNECTION):
        _find_own(cluster, name)


def _find_own(cluster: Cluster, name: str) -> dict[str, Any] | None:
    """Return AWS's description of a secret of this warehouse, or None if there is no secret of this name.

    :raises ConfigurationError: a secret belongs to another warehouse in this account and region, or provision did not
        create it.
    """
    with doing(f"describe secret {name}"):
        found = describe_secret(cluster, name)
    if found and not cluster.owns(found.get("Tags")):
        raise ConfigurationError(
            f"secret {name} was not created by provision: it lacks the tags {cluster.tags}. Nothing was changed in it. "
            "Store its content under another name and delete it without a recovery window, or add the tags so that "
            "provision may replace its content. If another warehouse owns it, use another account or region, because "
            "Airflow finds connections by name."
        )
    return found


def read_secret(cluster: Cluster, name: str) -> dict[str, Any] | None:
    """Return a secret's JSON content, or None if it is absent or deleted. Mask its password in this process's logs.

    :raises ConfigurationError: the secret lacks this warehouse's tags, or AWS refused a call.
    :raises TransientError: AWS is unreachable.
    """
    found = _find_own(cluster, name)
    if found is None or "DeletedDate" in found:
        return None
    with doing(f"read secret {name}"):
        return _read(cluster, name)


def _read(cluster: Cluster, name: str) -> dict[str, Any]:
    from airflow.providers.common.compat.sdk import mask_secret

    api = client("secretsmanager", cluster.region)
    content: dict[str, Any] = json.loads(api.get_secret_value(SecretId=name)["SecretString"])
    if content.get("password"):
        mask_secret(content["password"])
    return content


def describe_secret(cluster: Cluster, name: str) -> dict[str, Any] | None:
    """Return AWS's description of a secret, without its content, or None if there is no such secret."""
    with absent("ResourceNotFoundException"):
        found: dict[str, Any] = client("secretsmanager", cluster.region).describe_secret(SecretId=name)
        return found
    return None


def write_secret(cluster: Cluster, name: str, content: Mapping[str, Any]) -> None:
    """Create a secret, or replace its content.

    :raises ConfigurationError: the secret lacks this warehouse's tags, or AWS refused a call.
    :raises TransientError: the secret is being deleted, or AWS is unreachable.
    """
    found, text = _find_own(cluster, name), json.dumps(content)
    with doing(f"write secret {name}"):
        api = client("secretsmanager", cluster.region)
        if found is None:
            api.create_secret(Name=name, SecretString=text, Tags=cluster.tag_list)
            return
        if "DeletedDate" in found:
            # A manually deleted secret keeps its name for up to 30 days, so it must be restored.
            api.restore_secret(SecretId=name)
        api.put_secret_value(SecretId=name, SecretString=text)


def delete_connections(params: Mapping[str, Any]) -> None:
    """Delete the connections that provision wrote, without a recovery window: the cluster is already deleted."""
    cluster = Cluster.from_params(params)
    for name in (REDSHIFT_CONNECTION, COPY_CONNECTION):
        with doing(f"delete secret {name}"):
            found = describe_secret(cluster, name)
            if found and cluster.owns(found.get("Tags")):
                client("secretsmanager", cluster.region).delete_secret(
                    SecretId=name, ForceDeleteWithoutRecovery=True
                )
