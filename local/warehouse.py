"""Query the local Redshift as an ordinary client."""

from __future__ import annotations

import csv
import sys
from decimal import Decimal
from typing import Any

import redshift_connector

from include.sparkify.tables import STAR
from local.airflow_settings import pipeline_settings
from local.home import Problem, say
from local_redshift import service

# The user of `make query AS=analyst`: a member of the group that the task `create_tables` created.
ANALYST, ANALYST_PASSWORD = "analyst", "Analyst-local-1"


def query(
    running: service.Running, sql: str, login: dict[str, Any] | None = None
) -> tuple[list[str], list[Any]]:
    """Run one statement and return its column names and rows, or two empty lists if it returns no result.

    :param login: user and password, if not those of the pipeline.
    :raises redshift_connector.Error: the warehouse refuses the login or the statement.
    """
    # If no application name is given, the driver searches the call stack for one.
    given = {**running.login, **(login or {}), "ssl": False, "application_name": "make"}
    with redshift_connector.connect(**given) as connection:
        connection.autocommit = True
        cursor = connection.cursor()
        cursor.execute(sql)
        if cursor.description is None:
            return [], []
        names = [item[0].decode() if isinstance(item[0], bytes) else item[0] for item in cursor.description]
        return names, list(cursor.fetchall())


def analyst(running: service.Running) -> dict[str, Any]:
    """Return the login of an analyst. The first call creates the user.

    :raises Problem: the group of analysts does not exist yet.
    """
    group = f"{pipeline_settings()['schema']}_analysts"
    if not query(running, f"select 1 from pg_group where groname = '{group}'")[1]:
        raise Problem("no table was created yet.\nNext: make run", 1)
    if not query(running, f"select 1 from pg_user where usename = '{ANALYST}'")[1]:
        query(running, f"create user {ANALYST} password '{ANALYST_PASSWORD}' in group {group}")
    return {"user": ANALYST, "password": ANALYST_PASSWORD}


def print_csv(running: service.Running, sql: str, user: str = "") -> None:
    """Print the result of a statement as CSV with a header line. NULL is empty, and Booleans are words.

    :param user: ``analyst``, or an empty string for the pipeline's user.
    :raises Problem: the statement is empty or fails, or there is no such user.
    """
    if user not in ("", ANALYST):
        raise Problem(f"no user {user!r}.\nNext: AS={ANALYST}, or without AS as the pipeline")
    if not sql.strip():
        raise Problem('no statement.\nNext: make query SQL="select count(*) from sparkify.songplays"')
    try:
        names, rows = query(running, sql, analyst(running) if user else None)
    except redshift_connector.InterfaceError:
        raise
    except redshift_connector.Error as error:
        raise Problem(message_of(error), 1) from None
    writer = csv.writer(sys.stdout, lineterminator="\n")
    if names:
        writer.writerow(names)
    for row in rows:
        writer.writerow([as_text(value) for value in row])


def message_of(error: redshift_connector.Error) -> str:
    """Return the server's message. redshift_connector returns a dictionary in which M is the message."""
    detail = error.args[0] if error.args else error
    return detail.get("M", str(detail)) if isinstance(detail, dict) else str(detail)


def as_text(value: Any) -> Any:
    """Return a value as a Redshift client prints it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return f"{value:f}"
    return value


def load_errors(running: service.Running) -> list[str]:
    """Return a sentence for each of the last three lines that COPY rejected."""
    _, rows = query(
        running,
        "select trim(filename), line_number, trim(colname), trim(err_reason) from stl_load_errors"
        " order by starttime desc limit 3",
    )
    return [f"{name} line {line}, column {column}: {reason}" for name, line, column, reason in rows]


def print_counts(running: service.Running) -> None:
    """Print the number of rows of every table in the star's schema."""
    schema = pipeline_settings()["schema"]
    _, rows = query(
        running,
        f"select table_name from information_schema.tables where table_schema = '{schema}' order by 1",
    )
    names = [row[0] for row in rows]
    if not names:
        say(f"\nno table in schema {schema} yet")
        return
    say(f"\nrows in schema {schema}")
    for name in (*STAR, *(name for name in names if name not in STAR)):
        if name in names:
            count = query(running, f'select count(*) from {schema}."{name}"')[1][0][0]
            say(f"  {name:<20} {count:>12,}")
