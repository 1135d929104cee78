"""Log in for requests of the Data API, and check that their target exists."""

from __future__ import annotations

import json
from typing import Any

import psycopg2
from moto.core import DEFAULT_ACCOUNT_ID
from moto.redshift.models import redshift_backends
from moto.secretsmanager.exceptions import SecretsManagerClientError
from moto.secretsmanager.models import secretsmanager_backends
from moto.sts.models import sts_backends

from .aws_json import Fault
from .data_api import Target
from .roles import Roles
from .serverless import Serverless

_SECONDS = 3600


class Logins:
    """Opens the Data API's connections through the front, like those of any client."""

    def __init__(self, roles: Roles, serverless: Serverless, host: str, port: int) -> None:
        self._roles, self._serverless, self._host, self._port = roles, serverless, host, port

    def check(self, target: Target) -> None:
        """Raise Fault for a cluster, workgroup or secret that does not exist."""
        region = target.caller.region
        if target.cluster is not None:
            cluster = redshift_backends[DEFAULT_ACCOUNT_ID][region].clusters.get(target.cluster)
            if cluster is None:
                raise Fault("ValidationException", "Redshift endpoint doesn't exist in this region.")
            if cluster.status in ("pausing", "paused"):
                raise Fault("ValidationException", f"Cluster {target.cluster} is paused.")
        elif not self._serverless.has_workgroup(target.workgroup or ""):
            raise Fault("ValidationException", "Redshift endpoint doesn't exist in this region.")
        if target.secret is not None:
            self._from_secret(region, target.secret)

    def connect(self, target: Target) -> Any:
        """Open a connection. Raise psycopg2.Error if the login fails, or Fault as check() does."""
        user, password = self._login(target)
        return psycopg2.connect(
            host=self._host,
            port=self._port,
            user=user,
            password=password,
            dbname=target.database,
            application_name="RedshiftDataAPI",
        )

    def _login(self, target: Target) -> tuple[str, str]:
        if target.secret is not None:
            return self._from_secret(target.caller.region, target.secret)
        if target.db_user is not None:
            name = f"IAM:{target.db_user}"
            return name, self._roles.create_login(target.db_user, name, _SECONDS)
        # The user has the caller's name, and only the privileges of PUBLIC until they are granted more.
        backend = sts_backends[DEFAULT_ACCOUNT_ID]["aws"]
        _, arn, _ = backend.get_caller_identity(target.caller.access_key, target.caller.region)
        kind, name, *_ = arn.rsplit(":", 1)[1].split("/")
        user = ("IAMR:" if kind == "assumed-role" else "IAM:") + name
        self._roles.create_user(user)
        return f"IAM:{user}", self._roles.create_login(user, f"IAM:{user}", _SECONDS)

    @staticmethod
    def _from_secret(region: str, arn: str) -> tuple[str, str]:
        backend: Any = secretsmanager_backends[DEFAULT_ACCOUNT_ID][region]
        try:
            text = backend.get_secret_value(arn, None, None).get("SecretString")
        except SecretsManagerClientError as error:
            raise Fault("ValidationException", f"Cannot read secret {arn}: {error}") from None
        try:
            secret = json.loads(text or "")
            return str(secret["username"]), str(secret["password"])
        except (ValueError, KeyError, TypeError):
            raise Fault("ValidationException", "username and password in secret cannot be empty") from None
