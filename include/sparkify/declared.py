"""What the files say of their tables: grain, key, load, late data, columns. The one place that reads their headers.

A table is declared where it is made: in a create script (columns, and COMMENT ON for their meaning), or in the header
of a report (SQL comments, or the docstring of a module for those that pandas makes).
"""

from __future__ import annotations

import dataclasses
import pathlib
import re

ROOT = pathlib.Path(__file__).parents[1]


@dataclasses.dataclass(frozen=True)
class Column:
    """One column; ``meaning`` is the text of its COMMENT ON."""

    name: str
    type: str
    meaning: str
    required: bool = False


@dataclasses.dataclass(frozen=True)
class Table:
    """One table; ``grain`` is the first line of its file."""

    name: str
    grain: str
    key: str
    load: str
    late_data: str
    columns: tuple[Column, ...]


def created(path: pathlib.Path) -> Table:
    """The table of a script of ``include/sql/create``.

    :raises ValueError: a line of the header, or the comment of a column, is missing.
    """
    text = path.read_text()
    meanings = {
        name: meaning.replace("''", "'")
        for name, meaning in re.findall(
            r"^comment on column \S+ \S+ \S+\.(\w+) is '(.*)';$", text, re.MULTILINE
        )
    }
    columns = re.findall(r"^    (?!primary key)(\w+) (\w+(?:\([\d, ]+\))?)(.*)$", text, re.MULTILINE)
    silent = [name for name, _, _ in columns if name not in meanings]
    if silent:
        raise ValueError(f"{path.name} has no comment on column {', '.join(silent)}")
    return _table(
        path,
        [line.removeprefix("--").strip() for line in text.splitlines() if line.startswith("--")],
        [Column(name, kind, meanings[name], "not null" in rest) for name, kind, rest in columns],
    )


def report(path: pathlib.Path) -> Table:
    """The table of a report: a file of ``include/sql/reports``, or a module of ``include/reports``.

    :raises ValueError: a line of the header is missing.
    """
    text = path.read_text()
    if path.suffix == ".sql":
        lines = [line.removeprefix("--").strip() for line in text.splitlines() if line.startswith("--")]
    else:
        # Of a module: the paragraph after the sentence that every docstring begins with.
        lines = [line.strip() for line in text.split('"""')[1].split("\n\n", 1)[1].splitlines()]
    columns = [
        Column(parts[1], parts[2], parts[3])
        for line in lines[lines.index("columns:") + 1 :]
        if (parts := re.fullmatch(r"(\w+) ([a-z]+(?: precision)?(?:\([\d, ]+\))?): (.+)", line))
    ]
    return _table(path, lines, columns)


def reports() -> dict[str, Table]:
    """Every report table by name; those of SQL come first."""
    paths = [*sorted((ROOT / "sql/reports").glob("*.sql")), *sorted((ROOT / "reports").glob("[!_]*.py"))]
    return {path.stem: report(path) for path in paths}


def _table(path: pathlib.Path, lines: list[str], columns: list[Column]) -> Table:
    said = {
        name: line for line in lines for name in ("key", "load", "late data") if line.startswith(f"{name}: ")
    }
    if not lines[0].startswith("one row") or len(said) < 3 or not columns:
        raise ValueError(f"{path.name} does not begin with grain, key, load and late data")
    key, load, late = (said[name].split(": ", 1)[1] for name in ("key", "load", "late data"))
    return Table(path.stem, lines[0], key, load, late, tuple(columns))
