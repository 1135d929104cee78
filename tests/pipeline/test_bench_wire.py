"""Test that the benchmark's proxy counts the requests of real clients to the warehouse, and forwards everything."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg2
import pytest
import redshift_connector

from local_redshift import service
from tests.bench.wire import Counts, Wire


@pytest.fixture(scope="module")
def wire(local_redshift: service.Running) -> Iterator[Wire]:
    with Wire.open(local_redshift.redshift_port) as opened:
        yield opened


def by_redshift_connector(login: dict[str, Any]) -> Any:
    return redshift_connector.connect(**login, ssl=False)


def by_psycopg2(login: dict[str, Any]) -> Any:
    # psycopg2 requests TLS first.
    return psycopg2.connect(**login)


READ = ["select 1", "-- insert\n select 'into'", "(select 2)", "set query_group to 'x'"]
WRITE = ["create temp table one as select 1 as n", "insert into one select n from one"]
CASES = {
    "a transaction that only reads": (READ, False, Counts(1, 3, 0)),
    "a transaction that writes": (READ + WRITE, False, Counts(1, 5, 1)),
    "each statement in its own": (READ + WRITE, True, Counts(1, 5, 2)),
    "a table made by select into": (["select 1 as n into temp two"], False, Counts(1, 1, 1)),
}


@pytest.mark.parametrize("connect", [by_redshift_connector, by_psycopg2])
@pytest.mark.parametrize("case", CASES)
def test_counts(local_redshift: service.Running, wire: Wire, connect: Callable[..., Any], case: str) -> None:
    statements, autocommit, expected = CASES[case]
    before = wire.counts - Counts()
    connection = connect(local_redshift.login | {"port": wire.port})
    connection.autocommit = autocommit
    cursor = connection.cursor()
    for statement in statements:
        cursor.execute(statement)
    if not autocommit:
        connection.commit()
    connection.close()
    assert wire.counts - before == expected


@pytest.mark.parametrize("connect", [by_redshift_connector, by_psycopg2])
def test_a_rollback_or_a_failure_is_not_a_commit(
    local_redshift: service.Running, wire: Wire, connect: Callable[..., Any]
) -> None:
    before = wire.counts - Counts()
    connection = connect(local_redshift.login | {"port": wire.port})
    cursor = connection.cursor()
    cursor.execute(WRITE[0])
    connection.rollback()
    cursor.execute(WRITE[0])
    with pytest.raises((psycopg2.Error, redshift_connector.Error)):
        cursor.execute("insert into one select 1 / (n - 1) from one")
    connection.commit()
    connection.close()
    assert wire.counts - before == Counts(1, 3, 0)


def test_statements_of_one_message_are_counted_one_by_one(
    local_redshift: service.Running, wire: Wire
) -> None:
    before = wire.counts - Counts()
    with by_psycopg2(local_redshift.login | {"port": wire.port}) as connection:
        cursor = connection.cursor()
        cursor.execute("select 1; select 2")
        assert cursor.fetchall() == [(2,)]
    connection.close()
    assert wire.counts - before == Counts(1, 2, 0)
