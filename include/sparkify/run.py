"""The schema of a run: made when there is something to load, dropped when the run ends, swept if it died."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from include.sparkify import warehouse
from include.sparkify.errors import ConfigurationError
from include.sparkify.settings import run_schema, star

# A run is over long before; what it left then belongs to nobody.
ABANDONED_AFTER_DAYS = 2

# Every published table: what publishing and auditing write, then the history, then the star.
TABLES = (
    "publications",
    "run_schemas",
    "loaded_files",
    "rejected_lines",
    "quality_results",
    "events",
    "catalogue",
    "songplays",
    "users",
    "songs",
    "artists",
    "time",
)

log = logging.getLogger(__name__)


def open_run(context: Mapping[str, Any], plan: Mapping[str, Any], tables: Sequence[str]) -> None:
    """Make the run's own schema with its empty staging tables; an earlier one of the same run goes first.

    :param plan: what :func:`include.sparkify.plan.make` returned.
    :param tables: rendered scripts that create the staging tables.
    :raises TransientError, ConfigurationError: as the warehouse says.
    """
    run_id = context["run_id"]
    schema = run_schema(run_id)
    sweep()

    def announce(cursor: Any) -> None:
        warehouse.lock(cursor)
        cursor.execute(f"delete from {star()}.run_schemas where run_schema = %s", (schema,))
        cursor.execute(
            f"insert into {star()}.run_schemas (run_schema, run_id, created_at) values (%s, %s, getdate())",
            (schema, run_id),
        )

    def make(cursor: Any) -> None:
        cursor.execute(f"drop schema if exists {schema} cascade")
        cursor.execute(f"create schema {schema}")
        for script in tables:
            warehouse.execute(cursor, script)
        windows = [tuple(map(datetime.fromisoformat, window)) for window in plan["windows"]]
        warehouse.insert(cursor, f"{schema}.windows", ("window_start", "window_end"), windows)

    # First the note, then the schema: whatever dies between them is known to the sweep.
    warehouse.transaction(announce, f"announce schema {schema}")
    warehouse.transaction(make, f"make schema {schema}")


def close_run(run_id: str) -> None:
    """Drop the run's schema, and its note."""
    _drop(run_schema(run_id))


def sweep() -> list[str]:
    """Drop the schemas that dead runs left; their names."""
    dead = warehouse.query(
        f"select run_schema from {star()}.run_schemas "
        f"where created_at < dateadd(day, -{ABANDONED_AFTER_DAYS}, getdate()) order by run_schema"
    )
    for (schema,) in dead:
        log.warning("dropping schema %s, which a dead run left", schema)
        _drop(schema)
    return [schema for (schema,) in dead]


def _drop(schema: str) -> None:
    def drop(cursor: Any) -> None:
        warehouse.lock(cursor)
        cursor.execute(f"drop schema if exists {schema} cascade")
        cursor.execute(f"delete from {star()}.run_schemas where run_schema = %s", (schema,))

    warehouse.transaction(drop, f"drop schema {schema}")


def create_tables(scripts: Sequence[str], rebuild: bool = False) -> None:
    """Make the published tables that are missing, and hold the others against their declarations.

    :param scripts: rendered scripts of ``include/sql/create``.
    :param rebuild: the run loads everything anew, so a table may come back empty although files are loaded.
    :raises ConfigurationError: a table lacks a column, has another one, or has one of another type; or it is missing
        although the ledger says that its rows are loaded.
    """
    found = _columns()
    missing = [script for script in scripts if declaration(script)[0] not in found]
    if missing and "loaded_files" in found and not rebuild:
        ((loaded,),) = warehouse.query(f"select count(*) from {star()}.loaded_files where kind <> 'absent'")
        if loaded:
            names = ", ".join(declaration(script)[0] for script in missing)
            raise ConfigurationError(
                f"missing in {star()}: {names}, although the ledger says that {loaded} files are loaded. Nothing was "
                "changed. Run the DAG sparkify with mode=full_refresh: it makes the table and loads everything again."
            )

    def make(cursor: Any) -> None:
        cursor.execute(f"create schema if not exists {star()}")
        for script in missing:
            warehouse.execute(cursor, script)

    if missing:
        warehouse.transaction(make, f"create the tables of {star()}")
        found = _columns()
    differences = []
    for table, columns in map(declaration, scripts):
        odd = [" ".join(column) for column in sorted(set(found.get(table, [])) ^ set(columns))]
        if odd or found[table] != columns:
            differences.append(f"{table} differs in {', '.join(odd) or 'the order of its columns'}")
    if differences:
        raise ConfigurationError(
            f"the tables of {star()} are not as include/sql/create declares them: {'; '.join(differences)}. "
            "Nothing was changed. Alter them by hand, or run the DAG recreate_tables and load everything again."
        )


def recreate_tables(scripts: Sequence[str], confirm: str) -> None:
    """Drop the published tables and make them anew, empty, in one transaction.

    :param scripts: rendered scripts of ``include/sql/create``.
    :param confirm: the name of the schema, or nothing is done.
    :raises ConfigurationError: ``confirm`` is something else.
    """
    if confirm != star():
        raise ConfigurationError(
            f"nothing was dropped: to drop the tables of schema {star()}, set the parameter confirm to {star()}"
        )

    def recreate(cursor: Any) -> None:
        warehouse.lock(cursor)
        for script in scripts:
            cursor.execute(f"drop table if exists {star()}.{declaration(script)[0]} cascade")
        for script in scripts:
            warehouse.execute(cursor, script)

    warehouse.transaction(recreate, f"recreate the tables of {star()}")


def declaration(script: str) -> tuple[str, list[tuple[str, str]]]:
    """The table that a create script declares: its name, and its columns as (name, type) in order.

    The scripts are ours and regular: one column a line, indented by four spaces.
    """
    import re

    table = re.search(r"create table if not exists \w+\.(\w+) \(", script)
    if table is None:
        raise ValueError(f"no create table in {script[:80]!r}")
    columns = re.findall(r"^    (?!primary key)(\w+) (\w+(?:\([\d, ]+\))?)", script, re.MULTILINE)
    return table[1], columns


def _columns() -> dict[str, list[tuple[str, str]]]:
    """The tables of the star's schema with their columns as (name, type), in order."""
    found: dict[str, list[tuple[str, str]]] = {}
    for table, column, kind, length, precision, scale in warehouse.query(
        "select table_name, column_name, data_type, character_maximum_length, numeric_precision, numeric_scale "
        "from information_schema.columns where table_schema = %s order by table_name, ordinal_position",
        star(),
    ):
        found.setdefault(table, []).append((column, _type(kind, length, precision, scale)))
    return found


def _type(kind: str, length: int | None, precision: int | None, scale: int | None) -> str:
    """A type of information_schema as the create scripts write it."""
    if kind == "character varying":
        return f"varchar({length})"
    if kind == "character":
        return f"char({length})"
    if kind == "numeric":
        return f"decimal({precision}, {scale})"
    return "timestamp" if kind == "timestamp without time zone" else kind
