"""Read, write and delete the Airflow connections, which are stored only in Secrets Manager."""

from __future__ import annotations

import json
import secrets
import string
from collections.abc import Mapping
from typing import Any

from include.cluster.aws import absent, client, doing
from include.cluster.request import Cluster
from include.sparkify.errors import ConfigurationError

# The names of the secrets in which Airflow's SecretsManagerBackend finds the connections.
REDSHIFT_CONNECTION = "airflow/connections/redshift_default"
COPY_CONNECTION = "airflow/connections/aws_copy_role"


def read_login(cluster: Cluster, arn: str) -> dict[str, Any]:
    """Return the name and password of the master user from the secret that Redshift manages and rotates."""
    with doing("read the secret of the master user"):
        return _read(cluster, arn)


def new_password() -> str:
    """Return a new password, and mask it in the logs of this process.

    The password has 40 letters and digits, including all kinds of characters that Redshift requires.
    """
    from airflow.providers.common.compat.sdk import mask_secret

    alphabet = string.ascii_letters + string.digits
    password = "Aa0" + "".join(secrets.choice(alphabet) for _ in range(37))
    mask_secret(password)
    return password


def check_owner(cluster: Cluster) -> None:
    """Check that the secret of each connection belongs to this warehouse or does not exist.

    :raises ConfigurationError: see :func:`_find_own`.
    """
    for name in (REDSHIFT_CONNECTION, COPY_CONNECTION):
        _find_own(cluster, name)


def _find_own(cluster: Cluster, name: str) -> dict[str, Any] | None:
    """Return the AWS description of a secret of this warehouse, or None if no secret has this name.

    :raises ConfigurationError: the secret belongs to another warehouse in this account and Region, or `provision` did
        not create it.
    """
    with doing(f"describe secret {name}"):
        found = describe_secret(cluster, name)
    if found and not cluster.owns(found.get("Tags")):
        raise ConfigurationError(
            f"secret {name} was not created by provision: it lacks the tags {cluster.tags}. Nothing was changed. "
            "Next: store its content under another name and delete it without a recovery window, or add the tags so "
            "that provision may replace its content. If another warehouse owns it, use another account or Region, "
            "because Airflow finds connections by name."
        )
    return found


def read_secret(cluster: Cluster, name: str) -> dict[str, Any] | None:
    """Return the JSON content of a secret, or None if it does not exist or is deleted. Mask its password in the logs.

    :raises ConfigurationError: the secret does not have the tags of this warehouse, or AWS rejected a call.
    :raises TransientError: AWS cannot be reached.
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
    """Return the AWS description of a secret, without its content, or None if the secret does not exist."""
    with absent("ResourceNotFoundException"):
        found: dict[str, Any] = client("secretsmanager", cluster.region).describe_secret(SecretId=name)
        return found
    return None


def write_secret(cluster: Cluster, name: str, content: Mapping[str, Any]) -> None:
    """Create a secret, or replace the content of an existing secret.

    :raises ConfigurationError: the secret does not have the tags of this warehouse, or AWS rejected a call.
    :raises TransientError: the secret is being deleted, or AWS cannot be reached.
    """
    found, text = _find_own(cluster, name), json.dumps(content)
    with doing(f"write secret {name}"):
        api = client("secretsmanager", cluster.region)
        if found is None:
            api.create_secret(Name=name, SecretString=text, Tags=cluster.tag_list)
            return
        if "DeletedDate" in found:
            # The name of a manually deleted secret is reserved for up to 30 days, so restore the secret.
            api.restore_secret(SecretId=name)
        api.put_secret_value(SecretId=name, SecretString=text)


def delete_connections(params: Mapping[str, Any]) -> None:
    """Delete the connections of this warehouse without a recovery window, because the cluster is already deleted."""
    cluster = Cluster.from_params(params)
    for name in (REDSHIFT_CONNECTION, COPY_CONNECTION):
        with doing(f"delete secret {name}"):
            found = describe_secret(cluster, name)
            if found and cluster.owns(found.get("Tags")):
                client("secretsmanager", cluster.region).delete_secret(
                    SecretId=name, ForceDeleteWithoutRecovery=True
                )
