"""The registry of all tables of the pipeline: their groups, their order, and the declarations in their files.

DAGs, checks, docs, the local world and tests read the table names here. A table is declared in one file: a script of
``include/sql/create`` (published tables), ``open_run`` (staging tables) or ``build`` (derived tables),
or, for a report table, a script of ``include/sql/reports``.
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
    """One kind of source file: its place in the lake, and the tables for its rows."""

    kind: str
    """The name of the kind in the ledger."""
    prefix: str
    """The key of the Variable ``sparkify`` that has the prefix of its files."""
    path: str
    """Regular expression for the path of a file below the prefix. The group ``day`` is its UTC day, if it has one."""
    staging: str
    """Staging table."""
    history: str
    """Published table that keeps the accepted rows, each with its file."""
    daily: bool
    """True if a file belongs to a day and a run reads the files of its days. Otherwise, a run reads all new files."""


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

# Published tables. Schema `sparkify`: the star, and the history that it is derived from.
STAR = ("songplays", "users", "songs", "artists", "time")
HISTORY = tuple(source.history for source in SOURCES)
# Schema `sparkify_ops`: the pipeline's own tables.
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

# The run's own schema. COPY fills the staging tables, with one task per table.
STAGING = ("staging_files", *(source.staging for source in SOURCES))
# ROUNDEC, because COPY reads a JSON number as a double and would truncate it: 269.58322 to 269.58321.
COPY_OPTIONS = ("manifest", "gzip", "json 'auto'", "timeformat 'epochmillisecs'", "roundec")
# The tasks of the build and the tables that each derives, in order, in one transaction. The first task derives the
# tables that the others share. The others are independent of each other.
BUILD: dict[str, tuple[str, ...]] = {
    "changes": ("superseded_files", "affected_days", "plays", "touched_songs", "ranked_song_files"),
    "songplays": ("song_matches", "songplays", "repointed_songplays"),
    "users": ("retracted_users", "users"),
    "songs": ("songs",),
    "artists": ("artists",),
    "time": ("time",),
}
DERIVED = tuple(table for names in BUILD.values() for table in names)
# Written by the publishing transaction, in this order.
PUBLISH = (*STAR, *HISTORY, "loaded_files", "changed_days")


@dataclasses.dataclass(frozen=True)
class Column:
    """One column. Its ``meaning`` is also its comment in the warehouse."""

    name: str
    type: str
    meaning: str
    required: bool = False


@dataclasses.dataclass(frozen=True)
class Table:
    """One table as its file declares it. ``grain`` is the first line of the file, and its comment in the warehouse."""

    name: str
    grain: str
    key: str
    load: str
    late_data: str
    columns: tuple[Column, ...]


def scripts(folder: str, names: Iterable[str]) -> dict[str, str]:
    """Return the script of each table below ``include/sql``, for Airflow to render: a path, or a template.

    The same two scripts create the staging table, and publish the history, of every source.
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
    """Return a table of ``include/sql/create``.

    :raises ValueError: a line of the header, or the meaning of a column, is missing.
    """
    return read_create_script(SQL / "create" / f"{name}.sql")


@dataclasses.dataclass(frozen=True)
class Guarded:
    """A published table as the guard against duplicate keys reads it."""

    name: str
    is_ops: bool
    """True if the table is in the schema of the pipeline's own tables."""
    key: tuple[str, ...]
    text: str
    """SQL expression: the key as text, from the alias ``p``."""
    scope: str
    """The rows that a run may change: ``day`` for those of the affected days, ``lines`` for those of the run's files,
    or the name of the run's table that has the first key column of each of these rows."""


def guarded() -> list[Guarded]:
    """Return every table with a key that a run publishes, for the guard."""
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
    """Return the table that a script of ``include/sql/create`` declares: one column per line, with its meaning.

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
    """Return the table of a script of ``include/sql/reports`` or ``include/sql/reports_state``.

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
