"""Keep passwords and connections in Secrets Manager, and nowhere else."""

from __future__ import annotations

import json
import secrets
import string
from collections.abc import Mapping
from typing import Any, TypedDict

from include.cluster import inventory
from include.cluster.aws import absent, client, doing
from include.cluster.inventory import COPY_CONNECTION, REDSHIFT_CONNECTION
from include.cluster.request import MASTER_USER, Cluster
from include.sparkify.errors import ConfigurationError


class Login(TypedDict):
    """The content of the master user's secret."""

    username: str
    password: str


def ensure_master_secret(params: Mapping[str, Any]) -> str:
    """Generate the master user's password into Secrets Manager, if missing; return the secret's name.

    :raises ConfigurationError: a foreign secret has this name, or AWS refused a call.
    :raises TransientError: AWS is unreachable.
    """
    cluster = Cluster.from_params(params)
    if read_secret(cluster, cluster.master_secret) is None:
        write_secret(cluster, cluster.master_secret, {"username": MASTER_USER, "password": new_password()})
    return cluster.master_secret


def delete_secrets(params: Mapping[str, Any]) -> None:
    """Delete the connections and the master password without a recovery window: the cluster is already deleted."""
    cluster = Cluster.from_params(params)
    api = client("secretsmanager", cluster.region)
    owned = {resource.name for resource in inventory.list_owned(cluster) if resource.kind == "secret"}
    for name in (REDSHIFT_CONNECTION, COPY_CONNECTION, cluster.master_secret):
        if name in owned:
            with doing(f"delete secret {name}"):
                api.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)


def read_master_login(cluster: Cluster) -> Login:
    """Return the master user's name and password.

    :raises ConfigurationError: there is no such secret.
    """
    login = read_secret(cluster, cluster.master_secret)
    if login is None:
        raise ConfigurationError(
            f"secret {cluster.master_secret} does not exist, so the master password is lost. Set a new one (aws "
            f"redshift modify-cluster --cluster-identifier {cluster.name} --master-user-password ...) and write the "
            f'secret as {{"username": "{MASTER_USER}", "password": ...}} with the tags {cluster.tags}'
        )
    return {"username": login["username"], "password": login["password"]}


def new_password() -> str:
    """Return 40 letters and digits, with one of each kind that Redshift requires; mask it in this process's logs."""
    from airflow.providers.common.compat.sdk import mask_secret

    alphabet = string.ascii_letters + string.digits
    password = "Aa0" + "".join(secrets.choice(alphabet) for _ in range(37))
    mask_secret(password)
    return password


def read_secret(cluster: Cluster, name: str) -> dict[str, Any] | None:
    """Return a secret's JSON content, or None; its password is masked in this process's logs from now on.

    :raises ConfigurationError: the secret is foreign, or AWS refused a call.
    :raises TransientError: AWS is unreachable.
    """
    from airflow.providers.common.compat.sdk import mask_secret

    with doing(f"read secret {name}"):
        api = client("secretsmanager", cluster.region)
        with absent("ResourceNotFoundException"):
            secret = api.describe_secret(SecretId=name)
            _refuse_foreign(cluster, secret)
            if "DeletedDate" in secret:
                return None
            content: dict[str, Any] = json.loads(api.get_secret_value(SecretId=name)["SecretString"])
            if content.get("password"):
                mask_secret(content["password"])
            return content
    return None


def write_secret(cluster: Cluster, name: str, content: Mapping[str, Any]) -> None:
    """Create a secret, or replace its content.

    :raises ConfigurationError: the secret is foreign, or AWS refused a call.
    :raises TransientError: AWS is unreachable.
    """
    with doing(f"write secret {name}"):
        api = client("secretsmanager", cluster.region)
        text = json.dumps(content)
        with absent("ResourceNotFoundException"):
            secret = api.describe_secret(SecretId=name)
            _refuse_foreign(cluster, secret)
            if "DeletedDate" in secret:
                # A secret deleted by hand keeps its name for up to 30 days.
                api.restore_secret(SecretId=name)
            api.put_secret_value(SecretId=name, SecretString=text)
            return
        api.create_secret(Name=name, SecretString=text, Tags=cluster.tag_list)


def _refuse_foreign(cluster: Cluster, secret: Mapping[str, Any]) -> None:
    if not cluster.owns({tag["Key"]: tag["Value"] for tag in secret.get("Tags", [])}):
        raise ConfigurationError(
            f"secret {secret['Name']} was not created by provision: it lacks the tags {cluster.tags}. Nothing was "
            "changed. Rename that secret, or tag it if it is yours to hand over."
        )
