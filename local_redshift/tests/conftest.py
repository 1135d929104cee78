"""Fixtures of the conformance tests: the warehouse, and clients with their own schema."""

from __future__ import annotations

import itertools
import os
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import psycopg2.extensions
import pytest
from warehouse import DSN, Client, Warehouse

from local_redshift import REGION

_schemas = itertools.count(1)


@pytest.fixture(scope="module")
def warehouse(request: pytest.FixtureRequest) -> Iterator[Warehouse]:
    prefix = f"conformance/{uuid.uuid4().hex}/"
    if DSN is not None:
        login: dict[str, Any] = dict(psycopg2.extensions.parse_dsn(DSN))
        login["port"] = int(login.get("port", 5439))
        environ = os.environ
        house = Warehouse(
            login,
            boto3.client("s3"),
            environ["LOCAL_REDSHIFT_CONFORMANCE_BUCKET"],
            prefix,
            environ["LOCAL_REDSHIFT_CONFORMANCE_ROLE"],
        )
    else:
        running = request.getfixturevalue("local_redshift")
        login = {
            "host": "127.0.0.1",
            "port": running.redshift_port,
            "user": running.user,
            "password": running.password,
            "dbname": running.database,
        }
        s3 = running.client("s3")
        bucket = f"conformance-{uuid.uuid4().hex[:8]}"
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        house = Warehouse(login, s3, bucket, prefix, running.role)
    yield house
    listed = house.s3.list_objects_v2(Bucket=house.bucket, Prefix=prefix).get("Contents", [])
    for item in listed:
        house.s3.delete_object(Bucket=house.bucket, Key=item["Key"])


@pytest.fixture(params=["redshift_connector", "psycopg2"])
def client(request: pytest.FixtureRequest, warehouse: Warehouse) -> Iterator[Client]:
    """Every test that uses it runs with both drivers."""
    yield from _client(
        warehouse, warehouse.redshift if request.param == "redshift_connector" else warehouse.psycopg
    )


@pytest.fixture
def sql(warehouse: Warehouse) -> Iterator[Client]:
    """The driver of Airflow's Redshift hook."""
    yield from _client(warehouse, warehouse.redshift)


@pytest.fixture(scope="module")
def shared(warehouse: Warehouse) -> Iterator[Client]:
    """One schema for all tests of a file."""
    yield from _client(warehouse, warehouse.redshift)


@pytest.fixture
def numbers(client: Client) -> Client:
    """A client whose schema has a small table."""
    client("create table {s}.t (id int, kind varchar(9))")
    client("insert into {s}.t values (1, 'a'), (2, 'b'), (3, 'b'), (4, null)")
    return client


def _client(warehouse: Warehouse, connect: Callable[[], Any]) -> Iterator[Client]:
    made = Client(connect(), f"conf_{uuid.uuid4().hex[:8]}_{next(_schemas)}", warehouse)
    made("create schema {s}")
    yield made
    made.connection.close()
    other = Client(connect(), made.schema, warehouse)
    other("drop schema {s} cascade")
    other.connection.close()
