"""Test anomalies of concurrent transactions at the isolation level SNAPSHOT.

The cases and their names are from https://github.com/ept/hermitage. The package's README names those that happen.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import psycopg2
import pytest
from warehouse import Client, Warehouse


class Two:
    """Two transactions on a table with the rows (1, 10) and (2, 20)."""

    def __init__(self, warehouse: Warehouse, schema: str) -> None:
        self.pool = ThreadPoolExecutor(1)
        self.one, self.two = (Client(warehouse.psycopg(), schema, warehouse) for _ in range(2))
        self.one("create table {s}.test (id int, value int)")
        self.one("insert into {s}.test values (1, 10), (2, 20)")
        for client in (self.one, self.two):
            client("begin")
        # The first query of each transaction takes its snapshot.
        for client in (self.one, self.two):
            client("select count(*) from {s}.test")

    def later(self, sql: str) -> Future[object]:
        """Run a statement in the second transaction that waits for the first transaction."""
        return self.pool.submit(self.two, sql)

    def values(self, client: Client, where: str = "true") -> list[int]:
        return [value for (value,) in client(f"select value from {{s}}.test where {where} order by id")]

    def published(self) -> list[int]:
        """Roll back both transactions, and return the values that a new transaction reads."""
        for client in (self.one, self.two):
            client("rollback")
        return self.values(self.one)


@pytest.fixture
def tx(sql: Client) -> Iterator[Two]:
    made = Two(sql.warehouse, sql.schema)
    yield made
    made.pool.shutdown()
    for client in (made.one, made.two):
        client.connection.close()


def conflicts(waiting: Future[object]) -> None:
    """Assert that the waiting statement fails with a serialization conflict."""
    with pytest.raises(psycopg2.Error, match="1023"):
        waiting.result(60)


def test_g0_write_cycles(tx: Two) -> None:
    tx.one("update {s}.test set value = 11 where id = 1")
    waiting = tx.later("update {s}.test set value = 12 where id = 1")
    tx.one("update {s}.test set value = 21 where id = 2")
    tx.one("commit")
    conflicts(waiting)
    assert tx.published() == [11, 21]


def test_g1a_aborted_reads(tx: Two) -> None:
    tx.one("update {s}.test set value = 101 where id = 1")
    assert tx.values(tx.two) == [10, 20]
    tx.one("rollback")
    assert tx.values(tx.two) == [10, 20]


def test_g1b_intermediate_reads(tx: Two) -> None:
    tx.one("update {s}.test set value = 101 where id = 1")
    assert tx.values(tx.two) == [10, 20]
    tx.one("update {s}.test set value = 11 where id = 1")
    tx.one("commit")
    assert tx.values(tx.two) == [10, 20]


def test_g1c_circular_information_flow(tx: Two) -> None:
    tx.one("update {s}.test set value = 11 where id = 1")
    tx.two("update {s}.test set value = 22 where id = 2")
    assert tx.values(tx.one, "id = 2") == [20]
    assert tx.values(tx.two, "id = 1") == [10]


def test_otv_observed_transaction_vanishes(tx: Two) -> None:
    third = Client(tx.one.warehouse.psycopg(), tx.one.schema, tx.one.warehouse)
    tx.one("update {s}.test set value = 11 where id = 1")
    tx.one("update {s}.test set value = 19 where id = 2")
    waiting = tx.later("update {s}.test set value = 12 where id = 1")
    tx.one("commit")
    third("begin")
    assert tx.values(third) == [11, 19]
    conflicts(waiting)
    assert tx.values(third) == [11, 19]
    third.connection.close()


def test_pmp_predicate_many_preceders(tx: Two) -> None:
    assert tx.values(tx.one, "value = 30") == []
    tx.two("insert into {s}.test values (3, 30)")
    tx.two("commit")
    assert tx.values(tx.one, "value % 3 = 0") == []


def test_pmp_for_writes(tx: Two) -> None:
    tx.one("update {s}.test set value = value + 10")
    waiting = tx.later("delete from {s}.test where value = 20")
    tx.one("commit")
    conflicts(waiting)
    assert tx.published() == [20, 30]


def test_p4_lost_update(tx: Two) -> None:
    assert tx.values(tx.one, "id = 1") == tx.values(tx.two, "id = 1") == [10]
    tx.one("update {s}.test set value = 11 where id = 1")
    waiting = tx.later("update {s}.test set value = 11 where id = 1")
    tx.one("commit")
    conflicts(waiting)


def test_g_single_read_skew(tx: Two) -> None:
    assert tx.values(tx.one, "id = 1") == [10]
    tx.two("update {s}.test set value = 12 where id = 1")
    tx.two("update {s}.test set value = 18 where id = 2")
    tx.two("commit")
    assert tx.values(tx.one, "id = 2") == [20]


def test_g2_item_write_skew_happens(tx: Two) -> None:
    assert tx.values(tx.one) == tx.values(tx.two) == [10, 20]
    tx.one("update {s}.test set value = 11 where id = 1")
    tx.two("update {s}.test set value = 21 where id = 2")
    for client in (tx.one, tx.two):
        client("commit")
    assert tx.published() == [11, 21]


def test_g2_anti_dependency_cycles_happen(tx: Two) -> None:
    assert tx.values(tx.one, "value % 3 = 0") == tx.values(tx.two, "value % 3 = 0") == []
    tx.one("insert into {s}.test values (3, 30)")
    tx.two("insert into {s}.test values (4, 42)")
    for client in (tx.one, tx.two):
        client("commit")
    assert tx.published() == [10, 20, 30, 42]
