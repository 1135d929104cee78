"""Grant the group ``sparkify_analysts`` access to the tables and columns that analysts may read.

Analysts may read the star and the report tables, but no names of people. On ``users``, the group has a grant on the
other columns, so that analysts do not need a view with another name. Analysts may not read the operations tables or
``events``, which contains every page that a user opened. A grant is deleted with its table, so code that recreates a
table must grant access again.

For column-level grants, see https://docs.aws.amazon.com/redshift/latest/dg/r_GRANT.html.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from include.sparkify.errors import ConfigurationError
from include.sparkify.redshift import warehouse
from include.sparkify.settings import reports, star
from include.sparkify.tables import STAR, published

log = logging.getLogger(__name__)

# Columns that analysts may not read.
NAMES = {"users": ("first_name", "last_name")}


def group() -> str:
    """Return the name of the group of analysts for the star."""
    return f"{star()}_analysts"


def has_group(cursor: Any) -> bool:
    """Return whether the group exists."""
    cursor.execute("select count(*) from pg_group where groname = %s", (group(),))
    return bool(cursor.fetchone()[0])


def create_group(cursor: Any) -> None:
    """Create the group if it does not exist. This requires a superuser."""
    if not has_group(cursor):
        cursor.execute(f"create group {group()}")


def open_door(report_tables: Sequence[str] = ()) -> None:
    """Grant the group read access to the star and the given report tables. Create the group if the user is allowed to.

    The grants run in a separate transaction, because a GRANT fails if another session changes the catalog entry of the
    table at the same time.
    """

    def grant(cursor: Any) -> bool:
        if not grant_star(cursor):
            return False
        if report_tables:
            # Name the tables explicitly, because the schema may contain tables of other owners.
            tables = ", ".join(f"{reports()}.{name}" for name in report_tables)
            cursor.execute(f"grant usage on schema {reports()} to group {group()}")
            cursor.execute(f"grant select on {tables} to group {group()}")
        return True

    action = f"let {group()} read the tables"
    if warehouse.transaction(grant, action):
        return
    # The DAG `provision` did not create this warehouse. If the user may not create the group, an administrator must
    # create it.
    try:
        warehouse.transaction(create_group, f"create group {group()}")
    except ConfigurationError as refused:
        log.info(
            "analysts cannot read anything until an administrator runs: create group %s (%s)",
            group(),
            refused,
        )
    warehouse.transaction(grant, action)


def grant_star(cursor: Any) -> bool:
    """Grant the group read access to the star if the group exists, and return whether it exists."""
    if not has_group(cursor):
        return False
    whole = [table for table in STAR if table not in NAMES]
    cursor.execute(f"grant usage on schema {star()} to group {group()}")
    cursor.execute(f"grant select on {', '.join(f'{star()}.{table}' for table in whole)} to group {group()}")
    for table, hidden in NAMES.items():
        shown = ", ".join(column.name for column in published(table).columns if column.name not in hidden)
        cursor.execute(f"grant select ({shown}) on {star()}.{table} to group {group()}")
    return True
