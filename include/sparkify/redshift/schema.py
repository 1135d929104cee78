"""Create published tables, compare existing tables with their declarations, and upgrade them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import redshift_connector

from include.sparkify.errors import NO_SCHEMA, ConfigurationError, answer
from include.sparkify.redshift import analysts, warehouse
from include.sparkify.settings import ops, star
from include.sparkify.tables import OPS, PUBLISHED, SOURCES, SQL, Table, columns, published

# The names and types of the columns of a table, in order.
Columns = list[tuple[str, str]]


def schema_of(table: str) -> str:
    """Return the schema of a published table."""
    return ops() if table in OPS else star()


def create_tables(scripts: Mapping[str, str], allow_missing: bool) -> None:
    """Create missing published tables, and compare existing tables with their declarations.

    :param scripts: rendered scripts of ``include/sql/create`` by table.
    :param allow_missing: create a missing table even if files are loaded, because the run reloads all files.
    :raises ConfigurationError: a table has missing or additional columns or columns of another type, or a table is
        missing although the ledger contains loaded files.
    """

    def work(cursor: Any) -> bool:
        found = _find_columns(cursor)
        if differences := _compare(found, scripts):
            raise ConfigurationError(_describe(found, differences))
        missing = [table for table in scripts if table not in found]
        if not missing:
            return False
        if "loaded_files" in found and not allow_missing:
            cursor.execute(f"select kind, count(*) from {ops()}.loaded_files group by kind")
            loaded = dict(cursor.fetchall())
            # No file of a new source is loaded, so its history table is empty at first.
            new = {source.history for source in SOURCES if source.kind not in loaded}
            if loaded and (lost := [table for table in missing if table not in new]):
                files = sum(loaded.values())
                raise ConfigurationError(
                    f"missing tables: {', '.join(lost)}, although the ledger has {files} loaded files. Nothing was "
                    "changed. Next: run the DAG sparkify with mode=full_refresh, which reloads all files."
                )
        _create(cursor, {table: scripts[table] for table in missing})
        return True

    if warehouse.transaction(work, f"create the tables of {star()}"):
        analysts.open_door()


def upgrade_tables(scripts: Mapping[str, str], create: Mapping[str, str]) -> list[str]:
    """Migrate tables of an earlier version of this project to their current declarations, and keep their rows.

    All tables are migrated in one transaction, which holds the lock of the runs. A table is copied instead of renamed,
    because other sessions may see a RENAME before its commit (https://github.com/dbt-labs/dbt-adapters/issues/2162).

    :param scripts: rendered scripts of ``include/sql/upgrade`` by table, which select the new rows from the copy.
    :param create: rendered scripts of ``include/sql/create`` by table.
    :returns: the tables that were upgraded.
    :raises ConfigurationError: a table differs, and no script migrates it from its current columns. Nothing is changed.
    """

    def work(cursor: Any) -> list[str]:
        warehouse.lock(cursor)
        found = _find_columns(cursor)
        upgraded = [table for table in scripts if found.get(table) == upgraded_from(table)]
        for table in upgraded:
            target, names = f"{schema_of(table)}.{table}", ", ".join(name for name, _ in found[table])
            cursor.execute(f"create temporary table {table}_before as select {names} from {target}")
            cursor.execute(f"drop table {target}")
            _create(cursor, {table: create[table]})
            warehouse.execute(cursor, f"insert into {target} ({columns(table)})\n{scripts[table]}")
            cursor.execute(f"drop table {table}_before")
        found = _find_columns(cursor)
        if differences := _compare(found, PUBLISHED):
            raise ConfigurationError(_describe(found, differences))
        if upgraded:
            analysts.grant_star(cursor)
        return upgraded

    return warehouse.transaction(work, f"upgrade the tables of {star()}") or []


def upgraded_from(table: str) -> Columns | None:
    """Return the columns that the upgrade script of a table expects, or None if it has no script.

    :raises ValueError: the script does not begin with them.
    """
    path = SQL / "upgrade" / f"{table}.sql"
    if not path.exists():
        return None
    lines = [line for line in path.read_text().splitlines() if line.startswith("-- from: ")]
    if not lines:
        raise ValueError(f"{path.name} does not begin with the columns that it upgrades from")
    return [
        pair
        for line in lines
        for pair in re.findall(r"(\w+) (\w+(?:\([\d, ]+\))?)(?:, |$)", line.removeprefix("-- from: "))
    ]


def recreate_tables(scripts: Mapping[str, str], confirm: str) -> None:
    """Drop the published tables, and create empty tables, in one transaction.

    :param scripts: rendered scripts of ``include/sql/create`` by table.
    :param confirm: the name of the star's schema, as a confirmation.
    :raises ConfigurationError: ``confirm`` has another value. Nothing is changed.
    """
    if confirm != star():
        raise ConfigurationError(
            f"nothing was dropped: to drop the tables of schema {star()}, set the parameter confirm to {star()}"
        )

    def recreate(cursor: Any) -> None:
        if "publish_lock" in _find_columns(cursor):
            # End the snapshot of this query, because the snapshot of the transaction must begin after the wait for the
            # lock.
            cursor.execute("commit")
            warehouse.lock(cursor)
        for table in scripts:
            # Do not drop publish_lock, because other runs may wait for it, and would fail if it were dropped.
            if table != "publish_lock":
                cursor.execute(f"drop table if exists {schema_of(table)}.{table} cascade")
        _create(cursor, scripts)
        analysts.grant_star(cursor)

    warehouse.transaction(recreate, f"recreate the tables of {star()}")


def _create(cursor: Any, scripts: Mapping[str, str]) -> None:
    """Create the two schemas and the given tables, and write the comments of the tables and columns."""
    for schema in (star(), ops()):
        cursor.execute(f"create schema if not exists {schema}")
    for table, script in scripts.items():
        warehouse.execute(cursor, script)
        write_comments(cursor, "table", f"{schema_of(table)}.{table}", published(table))


def write_comments(cursor: Any, kind: str, target: str, declared: Table) -> None:
    """Write the grain of a table or view, and the descriptions of its columns, as comments in the warehouse.

    :param kind: ``table`` or ``view``.
    :param target: the name of the table or view, with the schema.
    """
    comments = {f"{kind} {target}": declared.grain}
    comments |= {f"column {target}.{column.name}": column.meaning for column in declared.columns}
    for place, text in comments.items():
        # COMMENT ON does not support bound values.
        quoted = text.replace("'", "''")
        cursor.execute(f"comment on {place} is '{quoted}'")


def _compare(found: Mapping[str, Columns], declared: Iterable[str]) -> dict[str, str]:
    """Return the differences between existing tables and their declarations, by table."""
    differences = {}
    for table in declared:
        columns = [(column.name, column.type) for column in published(table).columns]
        odd = [" ".join(column) for column in sorted(set(found.get(table, columns)) ^ set(columns))]
        if odd or found.get(table, columns) != columns:
            differences[table] = f"differs in {', '.join(odd) or 'the order of its columns'}"
    return differences


def _describe(found: Mapping[str, Columns], differences: Mapping[str, str]) -> str:
    """Return an error message about tables that differ, with the next step."""
    text = "; ".join(f"{schema_of(table)}.{table} {difference}" for table, difference in differences.items())
    if all(found[table] == upgraded_from(table) for table in differences):
        scripts = ", ".join(f"include/sql/upgrade/{table}.sql" for table in differences)
        step = f"run the DAG upgrade_tables, which keeps the rows ({scripts}), then clear the task"
    else:
        step = "alter the tables manually, or run the DAG recreate_tables and reload all files"
    return f"tables differ from their declarations in include/sql/create: {text}. Nothing was changed. Next: {step}."


def _find_columns(cursor: Any) -> dict[str, Columns]:
    """Return the tables of the two schemas with their columns, in order."""
    found = find_columns(cursor, (star(), ops()))
    return {table: columns for (schema, table), columns in found.items() if schema == schema_of(table)}


def find_columns(cursor: Any, schemas: tuple[str, str]) -> dict[tuple[str, str], Columns]:
    """Return the columns of all tables and views of two schemas, in order, by schema and name."""
    found: dict[tuple[str, str], Columns] = {}
    rows = query_catalog(
        cursor,
        "select table_schema, table_name, column_name, data_type, character_maximum_length, numeric_precision, "
        "numeric_scale from information_schema.columns where table_schema in (%s, %s) "
        "order by table_name, ordinal_position",
        schemas,
    )
    for schema, table, column, *kind in rows:
        found.setdefault((schema, table), []).append((column, _type(*kind)))
    return found


def query_catalog(cursor: Any, sql: str, values: Sequence[str]) -> list[Sequence[Any]]:
    """Return the rows of a catalog query that contains the schemas only as parameters.

    :raises OperationalError: another session dropped any schema during the query. The error is transient, so the
        transaction is retried.
    """
    try:
        cursor.execute(sql, values)
    except redshift_connector.Error as error:
        state, text = answer(error)
        if state == NO_SCHEMA:
            raise redshift_connector.OperationalError(text) from error
        raise
    return list(cursor.fetchall())


def _type(kind: str, length: int | None, precision: int | None, scale: int | None) -> str:
    """Return a type from information_schema in the notation of the create scripts."""
    if kind == "character varying":
        return f"varchar({length})"
    if kind == "character":
        return f"char({length})"
    if kind == "numeric":
        return f"decimal({precision}, {scale})"
    return "timestamp" if kind == "timestamp without time zone" else kind
