"""Create the published tables, and compare existing ones with their declarations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from include.sparkify import warehouse
from include.sparkify.errors import ConfigurationError
from include.sparkify.settings import ops, star
from include.sparkify.tables import OPS, published


def schema_of(table: str) -> str:
    """Return the schema of a published table."""
    return ops() if table in OPS else star()


def create_tables(scripts: Mapping[str, str], rebuild: bool) -> None:
    """Create the published tables that are missing, and compare the others with their declarations.

    :param scripts: rendered scripts of ``include/sql/create`` by table.
    :param rebuild: the run loads everything again, so a missing table may be created empty although files are loaded.
    :raises ConfigurationError: a column of a table is missing, surplus or of another type; or a table is missing
        although the ledger has loaded files.
    """
    found = _find_columns()
    missing = [table for table in scripts if table not in found]
    if missing and "loaded_files" in found and not rebuild:
        ((loaded,),) = warehouse.query(f"select count(*) from {ops()}.loaded_files")
        if loaded:
            raise ConfigurationError(
                f"missing tables: {', '.join(missing)}, although the ledger has {loaded} loaded files. Nothing was "
                "changed. Next: run the DAG sparkify with mode=full_refresh; it loads everything again."
            )

    def create(cursor: Any) -> None:
        for schema in (star(), ops()):
            cursor.execute(f"create schema if not exists {schema}")
        for table in missing:
            warehouse.execute(cursor, scripts[table])

    if missing:
        warehouse.transaction(create, f"create the tables of {star()}")
        found = _find_columns()
    differences = []
    for table in scripts:
        columns = [(column.name, column.type) for column in published(table).columns]
        odd = [" ".join(column) for column in sorted(set(found.get(table, [])) ^ set(columns))]
        if odd or found[table] != columns:
            differences.append(
                f"{schema_of(table)}.{table} differs in {', '.join(odd) or 'the order of its columns'}"
            )
    if differences:
        raise ConfigurationError(
            f"tables are not as include/sql/create declares them: {'; '.join(differences)}. Nothing was changed. "
            "Next: alter them by hand, or run the DAG recreate_tables and load everything again."
        )


def recreate_tables(scripts: Mapping[str, str], confirm: str) -> None:
    """Drop the published tables and create them again, empty, in one transaction.

    :param scripts: rendered scripts of ``include/sql/create`` by table.
    :param confirm: the name of the star's schema; otherwise nothing is done.
    :raises ConfigurationError: ``confirm`` is something else.
    """
    if confirm != star():
        raise ConfigurationError(
            f"nothing was dropped: to drop the tables of schema {star()}, set the parameter confirm to {star()}"
        )

    def recreate(cursor: Any) -> None:
        if "publish_lock" in _find_columns():
            warehouse.lock(cursor)
        for table in scripts:
            cursor.execute(f"drop table if exists {schema_of(table)}.{table} cascade")
        for schema in (star(), ops()):
            cursor.execute(f"create schema if not exists {schema}")
        for script in scripts.values():
            warehouse.execute(cursor, script)

    warehouse.transaction(recreate, f"recreate the tables of {star()}")


def _find_columns() -> dict[str, list[tuple[str, str]]]:
    """Return the tables of our two schemas with their columns as (name, type), in order."""
    found: dict[str, list[tuple[str, str]]] = {}
    for schema, table, column, kind, length, precision, scale in warehouse.query(
        "select table_schema, table_name, column_name, data_type, character_maximum_length, numeric_precision, "
        "numeric_scale from information_schema.columns where table_schema in (%s, %s) "
        "order by table_name, ordinal_position",
        star(),
        ops(),
    ):
        if schema == schema_of(table):
            found.setdefault(table, []).append((column, _type(kind, length, precision, scale)))
    return found


def _type(kind: str, length: int | None, precision: int | None, scale: int | None) -> str:
    """Return a type of information_schema as the create scripts write it."""
    if kind == "character varying":
        return f"varchar({length})"
    if kind == "character":
        return f"char({length})"
    if kind == "numeric":
        return f"decimal({precision}, {scale})"
    return "timestamp" if kind == "timestamp without time zone" else kind
