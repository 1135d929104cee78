"""Fixtures for awswrangler's Redshift tests, on the local Redshift and its S3 instead of a CloudFormation stack."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import awswrangler as wr
import boto3
import pytest
import redshift_connector

from ._utils import get_time_str_with_random_suffix, path_generator

BUCKET = os.environ["REDSHIFT_BUCKET"]
PARAMETERS = {
    "user": os.environ["REDSHIFT_USER"],
    "password": os.environ["REDSHIFT_PASSWORD"],
    "redshift": {
        "host": os.environ["REDSHIFT_HOST"],
        "port": os.environ["REDSHIFT_PORT"],
        "database": os.environ["REDSHIFT_DATABASE"],
        "role": os.environ["REDSHIFT_ROLE"],
        "identifier": "clients",
        "schema": "public",
    },
}


def _without_tls(connect: Any) -> Any:
    return lambda **given: connect(**(given | {"ssl": False}))


redshift_connector.connect = _without_tls(redshift_connector.connect)


def _connect(*names: Any, **given: Any) -> Any:
    """Return a connection to the local Redshift instead of one that is stored in Glue or Secrets Manager."""
    login = {name: PARAMETERS["redshift"][name] for name in ("host", "port", "database")}
    login |= {name: PARAMETERS[name] for name in ("user", "password")}
    return redshift_connector.connect(**(login | {"port": int(login["port"])}))


wr.redshift.connect = _connect


@pytest.fixture(scope="session", autouse=True)
def cluster() -> None:
    boto3.client("redshift").create_cluster(
        ClusterIdentifier=PARAMETERS["redshift"]["identifier"],
        NodeType="ra3.large",
        NumberOfNodes=2,
        DBName=PARAMETERS["redshift"]["database"],
        MasterUsername="admin",
        MasterUserPassword="Secret123",
    )
    with _connect() as connection:
        connection.cursor().execute("create user test password disable")
        connection.cursor().execute("create user john_doe password disable")
        connection.commit()


@pytest.fixture(scope="session")
def databases_parameters() -> dict[str, Any]:
    return PARAMETERS


@pytest.fixture(scope="session")
def kms_key_id() -> str:
    return str(boto3.client("kms").create_key()["KeyMetadata"]["KeyId"])


@pytest.fixture(scope="session")
def bucket() -> str:
    return BUCKET


@pytest.fixture
def path() -> Iterator[str]:
    yield from path_generator(BUCKET)


def _table(separator: str) -> Iterator[str]:
    name = f"tbl{separator}{get_time_str_with_random_suffix()}"
    yield name
    with _connect() as connection:
        connection.cursor().execute(f'drop table if exists public."{name}"')
        connection.commit()


@pytest.fixture
def redshift_table() -> Iterator[str]:
    yield from _table("_")


@pytest.fixture
def redshift_table_with_hyphenated_name() -> Iterator[str]:
    yield from _table("-")
