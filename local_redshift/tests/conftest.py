"""Fixtures for the conformance tests: the warehouse, and clients with their own schema."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from warehouse import Client, Warehouse, login_of, prefix, real

from local_redshift import REGION

_schemas = itertools.count(1)


@pytest.fixture(scope="module")
def warehouse(request: pytest.FixtureRequest) -> Iterator[Warehouse]:
    house = real()
    if house is None:
        running = request.getfixturevalue("local_redshift")
        s3 = running.client("s3")
        bucket = f"conformance-{uuid.uuid4().hex[:8]}"
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        house = Warehouse(login_of(running.dsn), s3, bucket, prefix(), running.role)
    yield house
    listed = house.s3.list_objects_v2(Bucket=house.bucket, Prefix=house.prefix).get("Contents", [])
    for item in listed:
        house.s3.delete_object(Bucket=house.bucket, Key=item["Key"])


@pytest.fixture(params=["redshift_connector", "psycopg2"])
def client(request: pytest.FixtureRequest, warehouse: Warehouse) -> Iterator[Client]:
    """Yield a client. Every test that uses it runs with both drivers."""
    yield from _client(
        warehouse, warehouse.redshift if request.param == "redshift_connector" else warehouse.psycopg
    )


@pytest.fixture
def sql(warehouse: Warehouse) -> Iterator[Client]:
    """Yield a client with the driver of Airflow's Redshift hook."""
    yield from _client(warehouse, warehouse.redshift)


@pytest.fixture(scope="module")
def shared(warehouse: Warehouse) -> Iterator[Client]:
    """Yield a client with one schema for all tests of a file."""
    yield from _client(warehouse, warehouse.redshift)


@pytest.fixture
def numbers(client: Client) -> Client:
    """Return a client whose schema has a small table."""
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
