"""Create the database user of the pipeline, and write the Airflow connections."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import redshift_connector

from include.cluster.aws import client, doing
from include.cluster.connections import (
    COPY_CONNECTION,
    REDSHIFT_CONNECTION,
    new_password,
    read_login,
    read_secret,
    write_secret,
)
from include.cluster.request import DATABASE, USER, Cluster
from include.cluster.stack import get_copy_role
from include.sparkify import settings
from include.sparkify.errors import warehouse_error
from include.sparkify.redshift import analysts, reach

# Firewalls and NAT gateways drop a connection that is idle for about 350 seconds, for example during a long COPY:
# https://docs.aws.amazon.com/redshift/latest/mgmt/connecting-firewall-guidance.html
KEEPALIVE = {
    "tcp_keepalive": True,
    "tcp_keepalive_idle": 60,
    "tcp_keepalive_interval": 10,
    "tcp_keepalive_count": 5,
}


def write_connections(params: Mapping[str, Any]) -> None:
    """Write the Airflow connections ``redshift_default`` and ``aws_copy_role`` to Secrets Manager.

    :raises ConfigurationError: an existing secret does not have the tags of the warehouse, or AWS rejected a call.
    :raises TransientError: the stack is not complete, or AWS cannot be reached.
    """
    cluster = Cluster.from_params(params)
    role = get_copy_role(cluster)
    host, port, _ = get_endpoint(params)
    before = read_secret(cluster, REDSHIFT_CONNECTION) or {}
    connection = {
        "conn_type": "redshift",
        "host": host,
        "port": port,
        "schema": DATABASE,
        "login": USER,
        "password": before.get("password") or new_password(),
        "extra": {**tls_settings(cluster), **KEEPALIVE, "application_name": "sparkify"},
    }
    write_secret(cluster, REDSHIFT_CONNECTION, connection)
    write_secret(
        cluster,
        COPY_CONNECTION,
        {"conn_type": "aws", "extra": {"role_arn": role, "region_name": cluster.region}},
    )


def ensure_database_user(params: Mapping[str, Any]) -> None:
    """Create or update the database user of the pipeline, with the password of the connection, and grant privileges.

    The user may create schemas, because each run has a separate schema, and owns the schemas of the star, the
    operations tables and the reports. Only this user and the master user may use the role for COPY. The user is not a
    superuser, and cannot read tables of other users.

    :raises ConfigurationError: the master password is incorrect, or the warehouse rejected a statement.
    :raises TransientError: the cluster cannot be reached.
    """
    cluster = Cluster.from_params(params)
    role = get_copy_role(cluster)
    host, port, secret = get_endpoint(params)
    login = read_login(cluster, secret)
    reach.assert_answers(host, port)
    try:
        link = redshift_connector.connect(
            host=host,
            port=port,
            database=DATABASE,
            user=login["username"],
            password=login["password"],
            timeout=30,
            **tls_settings(cluster),
        )
        try:
            # Use autocommit, because some forms of GRANT cannot run in a transaction. Each statement can be repeated
            # safely.
            link.autocommit = True
            cursor = link.cursor()
            cursor.execute("select usename from pg_user where usename = %s", (USER,))
            verb = "alter" if cursor.fetchall() else "create"
            cursor.execute(f"{verb} user {USER} password {_password_literal(cluster)}")
            # The sessions of the provider operators and of the Astro SDK do not set a statement timeout.
            limit = int(settings.settings().statement_minutes * 60_000)
            cursor.execute(f"alter user {USER} set statement_timeout to {limit}")
            for statement in _list_grants(role):
                cursor.execute(statement)
            analysts.create_group(cursor)
        finally:
            link.close()
    except (redshift_connector.Error, OSError) as error:
        refused = warehouse_error(
            error, f"create user {USER} in {cluster.name} as {login['username']} at {host}:{port}"
        )
        # The driver reports an incorrect password and an unreachable host in the same way, although the fixes differ.
        hint = (
            " Can the workers reach the VPC of the cluster, and are their addresses in the parameter cidrs?"
        )
        raise type(refused)(f"{refused}{hint}") from None


def _password_literal(cluster: Cluster) -> str:
    """Return the password for CREATE USER or ALTER USER.

    The result is a salted MD5 hash, as in PostgreSQL, so that no statement contains the password.
    """
    connection = read_secret(cluster, REDSHIFT_CONNECTION) or {}
    salted = connection["password"] + USER
    return f"'md5{hashlib.md5(salted.encode(), usedforsecurity=False).hexdigest()}'"


def _list_grants(role: str) -> Iterator[str]:
    yield f"grant create, temporary on database {DATABASE} to {USER}"
    yield "revoke create on schema public from public"
    for schema in (settings.star(), settings.ops(), settings.reports(), settings.reports_state()):
        yield f"create schema if not exists {schema} authorization {USER}"
    # By default, every database user may use every role of the cluster for COPY:
    # https://docs.aws.amazon.com/redshift/latest/dg/r_GRANT-usage-notes.html
    yield "revoke assumerole on all from public for all"
    yield f"grant assumerole on '{role}' to {USER} for copy"


def get_endpoint(params: Mapping[str, Any]) -> tuple[str, int, str]:
    """Return the host, the port and the ARN of the master user's secret of a complete stack."""
    cluster = Cluster.from_params(params)
    with doing(f"look up the address of {cluster.name}"):
        if params["serverless"]:
            api = client("redshift-serverless", cluster.region)
            address = api.get_workgroup(workgroupName=cluster.name)["workgroup"]["endpoint"]
            namespace = api.get_namespace(namespaceName=cluster.name)["namespace"]
            return address["address"], address["port"], namespace["adminPasswordSecretArn"]
        api = client("redshift", cluster.region)
        (found,) = api.describe_clusters(ClusterIdentifier=cluster.name)["Clusters"]
        return found["Endpoint"]["Address"], found["Endpoint"]["Port"], found["MasterPasswordSecretArn"]


def tls_settings(cluster: Cluster) -> dict[str, Any]:
    """Return the TLS settings of the driver, which verify the certificate and the host name.

    If the AWS APIs do not use TLS, they belong to a local stand-in, whose warehouse does not support TLS. On AWS, the
    warehouse rejects connections without TLS (``require_ssl``).
    """
    if client("redshift", cluster.region).meta.endpoint_url.startswith("http:"):
        return {"ssl": False}
    return {"ssl": True, "sslmode": "verify-full"}
