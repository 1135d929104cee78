"""Write the rows of the load views outside the client's transaction, so that they survive its rollback."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ..postgres import Postgres


class LoadHistory:
    """The tables behind stl_load_errors and stl_load_commits."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    def next_query(self, database: str) -> int:
        """Return a new query ID."""
        with self._postgres.transaction(database) as cursor:
            cursor.execute("select nextval('local_query_id')")
            return int(cursor.fetchone()[0])

    def record(self, database: str, table: str, rows: Sequence[dict[str, Any]]) -> None:
        """Add rows, without their time, to local_load_errors or local_load_commits of a database."""
        with self._postgres.transaction(database) as cursor:
            cursor.execute(
                f"insert into {table} select (jsonb_populate_record(null::{table}, r ||"
                " json_build_object('recorded', localtimestamp)::jsonb)).*"
                " from jsonb_array_elements(%s::jsonb) as r",
                (json.dumps(rows),),
            )
