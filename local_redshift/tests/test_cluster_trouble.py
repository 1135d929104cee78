"""Test the simulated errors of clusters under concurrency, and simulated lost connections."""

from __future__ import annotations

import contextlib
import threading
from typing import Any

import psycopg2
import pytest
from local_redshift.errors import SqlError
from local_redshift.service import Options, Running
from local_redshift.trouble import Cluster, Lost, LostAfterwards

from local_redshift import service


@pytest.fixture(scope="module")
def troubled() -> Any:
    with service.server(Options(trouble=0.5, seed=7)) as running:
        yield running


def connect(running: Running) -> Any:
    return psycopg2.connect(**running.login)


def messages(running: Running, *statements: str, tries: int = 100) -> set[str]:
    """Run the statements and COMMIT on a new connection per try. Return the errors' first words, or "" for success."""
    found = set()
    for _ in range(tries):
        connection = connect(running)
        try:
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
            connection.commit()
            found.add("")
        except psycopg2.Error as error:
            found.add(" ".join(str(error).split()[:6]))
        connection.close()
    return found


OID, CONFLICT = "could not open relation with OID", "could not complete because of conflict"
DROPPED = "table 123456 dropped by concurrent transaction"


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (
            "select 1",
            {OID, DROPPED, "Relation with OID 123456 does not", "1018 DETAIL: Relation does not exist"},
        ),
        ("select count(*) from information_schema.tables", {OID, 'schema "another" does not exist'}),
        ("create temp table x as select 1 as a", {CONFLICT, OID}),
        (
            "delete from kept where a < 0",
            {CONFLICT, DROPPED, "1023 DETAIL: Serializable isolation violation on"},
        ),
    ],
)
def test_errors_of_concurrency(troubled: Running, statement: str, expected: set[str]) -> None:
    while messages(troubled, "create table if not exists kept (a int)", tries=1) != {""}:
        pass
    found = messages(troubled, statement)
    assert expected <= found
    assert "" in found
    assert any(message.startswith("server closed the connection") for message in found)


def test_a_commit_may_be_done_or_not_when_its_answer_is_lost(troubled: Running) -> None:
    while messages(troubled, "create table if not exists counted (a int)", tries=1) != {""}:
        pass
    outcomes = set()
    for number in range(80):
        connection = connect(troubled)
        try:
            cursor = connection.cursor()
            cursor.execute(f"insert into counted values ({number})")
        except psycopg2.Error:
            connection.close()
            continue
        try:
            connection.commit()
            answer = "done"
        except psycopg2.OperationalError:
            answer = "lost"
        except psycopg2.InternalError:
            answer = "error"
        connection.close()
        outcomes.add((answer, count(troubled, number)))
    assert outcomes == {("done", 1), ("lost", 0), ("lost", 1), ("error", 0)}


def count(running: Running, number: int) -> int:
    while True:
        connection = connect(running)
        try:
            with connection.cursor() as cursor:
                cursor.execute(f"select count(*) from counted where a = {number}")
                return int(cursor.fetchone()[0])
        except psycopg2.Error:
            continue
        finally:
            connection.close()


def test_trouble_is_repeated_by_its_seed() -> None:
    def fates(seed: int) -> list[str]:
        cluster = Cluster(0.3, seed)
        return [str(cluster.strike(sql)) for sql in ["insert into t values (1)", "commit", "select 1"] * 50]

    assert fates(1) == fates(1) != fates(2)
    assert Cluster().strike("select 1") is None
    always = Cluster(1.0)
    assert {type(always.strike("-- why\n/* not */ copy t from 's3://a/b'")) for _ in range(50)} == {
        SqlError, Lost, LostAfterwards
    }  # fmt: skip
    assert always.strike("set search_path to a") is None


def test_one_vacuum_at_a_time(local_redshift: Running) -> None:
    """https://docs.aws.amazon.com/redshift/latest/dg/r_VACUUM_command.html, https://github.com/dbt-labs/dbt-core/issues/639"""
    holder, vacuuming, other = (connect(local_redshift) for _ in range(3))
    vacuuming.autocommit = other.autocommit = True
    holder.cursor().execute("create table vacuumed (a int)")
    holder.commit()
    holder.cursor().execute("lock vacuumed")

    def vacuum() -> None:
        while True:
            with contextlib.suppress(psycopg2.InternalError):  # The other VACUUM was first.
                vacuuming.cursor().execute("vacuum vacuumed")
                return

    waiting = threading.Thread(target=vacuum)
    waiting.start()
    with pytest.raises(psycopg2.InternalError, match="VACUUM is running"):
        while True:
            other.cursor().execute("vacuum pg_class")
    holder.rollback()
    waiting.join()
    other.cursor().execute("vacuum vacuumed")
    for connection in (holder, vacuuming, other):
        connection.close()
