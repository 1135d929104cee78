"""Test the statements that the pipeline sends to the warehouse, without a warehouse."""

from __future__ import annotations

from unittest import mock

import pytest
import redshift_connector

from include.sparkify.errors import TransientError
from include.sparkify.redshift import warehouse
from include.sparkify.settings import Settings


class Cursor:
    """A cursor that records statements and their values. Each statement's row count is the next of ``changes``."""

    def __init__(self, *changes: int, fails: Exception | None = None) -> None:
        self.statements: list[tuple[str, list]] = []
        self._changes, self._fails = iter(changes), fails

    def execute(self, sql: str, values=()) -> None:
        self.statements.append((sql, list(values)))
        self.rowcount = next(self._changes, -1)
        if self._fails and sql.startswith("lock"):
            raise self._fails


@pytest.fixture(autouse=True)
def limits(monkeypatch):
    monkeypatch.setattr(warehouse, "settings", lambda: Settings(lock_minutes=2, statement_minutes=3))
    monkeypatch.setattr(warehouse, "ops", lambda: "sparkify_ops")


def test_the_lock_is_waited_for_as_long_as_is_set_and_then_statements_have_their_own_limit():
    cursor = Cursor()

    warehouse.lock(cursor)

    assert [sql for sql, _ in cursor.statements] == [
        "set statement_timeout to 120000",
        "lock table sparkify_ops.publish_lock",
        "set statement_timeout to 180000",
    ]


@pytest.mark.parametrize("given", [(), ("server socket closed",), ({"C": "42P01", "M": "no such table"},)])
def test_another_error_than_the_end_of_the_wait_is_raised_as_it_is(given):
    error = redshift_connector.InterfaceError(*given)

    with pytest.raises(redshift_connector.InterfaceError) as raised:
        warehouse.lock(Cursor(fails=error))

    assert raised.value is error


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (
            [(7, "etl", "10:00", "sparkify.users", "ShareLock"), (8, "bi", "11:00", "sparkify.time", "X")],
            "session 7 of user etl since 10:00 holds ShareLock on sparkify.users; "
            "session 8 of user bi since 11:00 holds X on sparkify.time",
        ),
        (
            [],
            "shows no other session: it has ended, or only a superuser can see it. Nothing was changed",
        ),
    ],
)
def test_the_message_names_the_sessions_that_the_warehouse_shows(monkeypatch, rows, said):
    monkeypatch.setattr(warehouse, "query", lambda *given: rows)
    timeout = redshift_connector.ProgrammingError({"C": "57014", "M": "canceled"})

    with pytest.raises(TransientError, match="held sparkify_ops.publish_lock for 2 minutes") as raised:
        warehouse.lock(Cursor(fails=timeout))

    assert said in str(raised.value)


def test_the_message_comes_although_the_sessions_cannot_be_read(monkeypatch):
    refuse = mock.Mock(side_effect=redshift_connector.ProgrammingError("no right"))
    monkeypatch.setattr(warehouse, "query", refuse)

    assert warehouse.describe_blockers() == "svv_transactions could not be read (no right)"


def test_the_rows_that_a_script_changes_are_counted_by_kind():
    cursor = Cursor(2, 3, 4, 5, 6, -1)
    script = (
        "insert into a values (1);\n-- one row per b\n-- of c\ndelete from b;\nupdate c set d = 1;\n"
        "drop table e;\ninsert into a values (2);\ndelete from f;\n"
    )

    assert warehouse.execute(cursor, script) == {"deleted": 3, "inserted": 2 + 6, "updated": 4}
    assert len(cursor.statements) == 6
    assert warehouse.execute(Cursor(), "drop table e;") == {"deleted": 0, "inserted": 0, "updated": 0}


@pytest.mark.parametrize("number", [0, 1, 2, 500, 501, 1001])
def test_any_number_of_rows_is_inserted_and_of_keys_deleted(number):
    rows = [(count, f"key {count}") for count in range(number)]
    inserts, deletes = Cursor(), Cursor()

    warehouse.insert(inserts, "a", ("b", "c"), rows)
    warehouse.delete_keys(deletes, "a", [key for _, key in rows])

    for cursor, given in (
        (inserts, [value for row in rows for value in row]),
        (deletes, [key for _, key in rows]),
    ):
        assert [value for _, values in cursor.statements for value in values] == given
        assert all(sql.count("%s") == len(values) <= 1000 for sql, values in cursor.statements)
    assert all(sql.startswith("insert into a (b, c) values (%s, %s)") for sql, _ in inserts.statements)
    assert all(sql.startswith("delete from a where source_key in (%s") for sql, _ in deletes.statements)
