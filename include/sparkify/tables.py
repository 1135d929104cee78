"""Define the names, groups and order of all tables of the pipeline, and read their declarations.

The DAGs, the checks, the documents, the local environment and the tests use the table names of this module. Each table
is declared in one file, in a folder of ``include/sql``: ``create`` for published tables, ``open_run`` for staging
tables, ``build`` for derived tables, and ``reports`` for report tables.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Iterable
from pathlib import Path

INCLUDE = Path(__file__).parents[1]
SQL = INCLUDE / "sql"


@dataclasses.dataclass(frozen=True)
class Source:
    """A kind of source file, with its location in the lake and the tables for its rows."""

    kind: str
    """Name of the kind in the ledger."""
    prefix: str
    """Key of the Variable ``sparkify`` whose value is the prefix of the files."""
    path: str
    """Regular expression for the path of a file under the prefix.

    The group ``day`` matches the UTC day of a daily file.
    """
    staging: str
    """Name of the staging table."""
    history: str
    """Name of the published table that contains the accepted rows, each with its file."""
    daily: bool
    """True if each file belongs to a day, and a run reads the files of its days.

    Otherwise, a run reads all new files.
    """


SOURCES = (
    Source(
        kind="events",
        prefix="log_prefix",
        # 2018/11/2018-11-01-events.json, and any number of files per day: 2018-11-01-0001.json.gz
        path=r"(?P<year>\d{4})/(?P<month>\d{2})/(?P<day>(?P=year)-(?P=month)-\d{2})[^/]*\.json(\.gz|\.bz2)?",
        staging="staging_events",
        history="events",
        daily=True,
    ),
    Source(
        kind="songs",
        prefix="song_prefix",
        path=r"(?:[^/]+/)*[^/]+\.json(\.gz|\.bz2)?",
        staging="staging_songs",
        history="song_files",
        daily=False,
    ),
)

# Published tables in the schema `sparkify`: the star, and the history tables from which it is derived.
STAR = ("songplays", "users", "songs", "artists", "time")
HISTORY = tuple(source.history for source in SOURCES)
# Operations tables in the schema `sparkify_ops`.
OPS = (
    "publish_lock",
    "publish_log",
    "changed_days",
    "run_schemas",
    "loaded_files",
    "refused_files",
    "rejected_lines",
    "quality_results",
)
PUBLISHED = (*OPS, *HISTORY, *STAR)
# Published tables that an earlier version of this project declared differently.
UPGRADED = tuple(sorted(path.stem for path in (SQL / "upgrade").glob("*.sql")))

# Staging tables in the schema of the run. COPY fills them, with one task per table.
STAGING = ("staging_files", *(source.staging for source in SOURCES))
# ROUNDEC is required, because COPY reads a JSON number as a double and would truncate it, for example 269.58322 to
# 269.58321.
COPY_OPTIONS = ("manifest", "gzip", "json 'auto'", "timeformat 'epochmillisecs'", "roundec")
# The tasks of `build`, each with the tables that it derives in order in one transaction. The first task derives the
# tables that the other tasks share. The other tasks are independent of each other.
BUILD: dict[str, tuple[str, ...]] = {
    "changes": ("superseded_files", "affected_days", "plays", "touched_songs", "ranked_song_files"),
    "songplays": ("song_matches", "songplays", "repointed_songplays"),
    "users": ("retracted_users", "users"),
    "songs": ("songs",),
    "artists": ("artists",),
    "time": ("time",),
}
DERIVED = tuple(table for names in BUILD.values() for table in names)
# Tables that the publish transaction writes, in this order.
PUBLISH = (*STAR, *HISTORY, "loaded_files", "changed_days")


@dataclasses.dataclass(frozen=True)
class Column:
    """A column. ``meaning`` is its description, which is also the comment on the column in the warehouse."""

    name: str
    type: str
    meaning: str
    required: bool = False


@dataclasses.dataclass(frozen=True)
class Table:
    """A table as declared in its file. ``grain`` is the first line of the file and the comment on the table."""

    name: str
    grain: str
    key: str
    load: str
    late_data: str
    columns: tuple[Column, ...]


def scripts(folder: str, names: Iterable[str]) -> dict[str, str]:
    """Return the script of each table, which Airflow renders, as a path under ``include/sql`` or as a template.

    All sources share the script that creates the staging table and the script that publishes the history.
    """
    same = {("open_run", source.staging): ("staging", source.kind) for source in SOURCES}
    same |= {("publish", source.history): ("history", source.kind) for source in SOURCES}
    found = {}
    for name in names:
        found[name] = f"{folder}/{name}.sql"
        if (folder, name) in same:
            script, kind = same[folder, name]
            found[name] = f"{{% set source = sources['{kind}'] %}}{{% include '{folder}/{script}.sql' %}}"
    return found


@functools.cache
def published(name: str) -> Table:
    """Return the declaration of a published table, from ``include/sql/create``.

    :raises ValueError: a line of the header, or the meaning of a column, is missing.
    """
    return read_create_script(SQL / "create" / f"{name}.sql")


@dataclasses.dataclass(frozen=True)
class Guarded:
    """A published table with the attributes that the guard against duplicate keys needs."""

    name: str
    is_ops: bool
    """True if the table is an operations table."""
    key: tuple[str, ...]
    text: str
    """SQL expression for the key as text. The alias of the table is ``p``."""
    scope: str
    """The rows that a run may change: ``day`` for rows of affected days, ``lines`` for rows of the files of the run, or
    the name of a table in the run schema that contains the first key column of each such row."""


def guarded() -> list[Guarded]:
    """Return the tables that a run publishes and whose keys the guard checks."""
    found = []
    for name in PUBLISH:
        table = published(name)
        key = tuple(table.key.split(", "))
        has_time = any(column.name == "start_time" for column in table.columns)
        if key[0] == "source_key":
            scope = "lines" if has_time else "staging_files"
        elif has_time:
            scope = "day"
        elif name in DERIVED:
            scope = name
        else:
            continue
        text = " || ' ' || ".join(f"p.{column}::varchar" for column in key)
        found.append(Guarded(name, name in OPS, key, text if len(key) > 1 else f"{text} || ''", scope))
    return found


def columns(name: str, alias: str = "") -> str:
    """Return the column list of a published table, for SQL templates that copy whole rows.

    :param alias: the alias of the table in the query.
    """
    prefix = f"{alias}." if alias else ""
    return ", ".join(prefix + column.name for column in published(name).columns)


def read_create_script(path: Path) -> Table:
    """Return the table that a script of ``include/sql/create`` declares, with one column and its meaning per line.

    :raises ValueError: a line of the header, or the meaning of a column, is missing.
    """
    text = path.read_text()
    found = re.findall(
        r"^    (?!primary key)(\w+) (\w+(?:\([\d, ]+\))?)(.*?)(?: -- (.+))?$", text, re.MULTILINE
    )
    if silent := [name for name, _, _, meaning in found if not meaning]:
        raise ValueError(f"{path.name} has no meaning of column {', '.join(silent)}")
    header = [line.removeprefix("--").strip() for line in text.splitlines() if line.startswith("--")]
    columns = [Column(name, kind, meaning, "not null" in rest) for name, kind, rest, meaning in found]
    return _table(path, header, columns)


def read_report(path: Path) -> Table:
    """Return the table that a script of ``include/sql/reports`` or ``include/sql/reports_state`` declares.

    :raises ValueError: a line of the header is missing.
    """
    lines = [
        line.removeprefix("--").strip() for line in path.read_text().splitlines() if line.startswith("--")
    ]
    found = [
        Column(parts[1], parts[2], parts[3])
        for line in lines[lines.index("columns:") + 1 :]
        if (parts := re.fullmatch(r"(\w+) ([a-z]+(?: precision)?(?:\([\d, ]+\))?): (.+)", line))
    ]
    return _table(path, lines, found)


def reports() -> dict[str, Table]:
    """Return every report table by name."""
    return {path.stem: read_report(path) for path in sorted((SQL / "reports").glob("*.sql"))}


def _table(path: Path, lines: list[str], found: list[Column]) -> Table:
    header = {
        name: line for line in lines for name in ("key", "load", "late data") if line.startswith(f"{name}: ")
    }
    if not lines[0].startswith("one row") or len(header) < 3 or not found:
        raise ValueError(f"{path.name} does not begin with grain, key, load and late data")
    key, load, late = (header[name].split(": ", 1)[1] for name in ("key", "load", "late data"))
    return Table(path.stem, lines[0], key, load, late, tuple(found))
