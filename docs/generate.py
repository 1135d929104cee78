"""Write the data docs, docs/data/README.md and docs/schema.svg, from the declarations the warehouse is made from.

    python -m docs.generate

Tables and columns come from include/sql/create and the headers of the reports, checks from include/checks. A test
compares what is in the repository with what this makes of the declarations now.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path

from include.sparkify import checks, declared
from include.sparkify.declared import Column, Table

ROOT = Path(__file__).parents[1]
CREATE = ROOT / "include" / "sql" / "create"
GROUPS = {
    "The star": checks.STAR,
    "The history it is derived from": ("events", "catalogue"),
    "What the runs leave": (
        "loaded_files",
        "rejected_lines",
        "quality_results",
        "publications",
        "run_schemas",
    ),
}
# What a meaning says of its unit, and how the column of units says it.
UNITS = {
    r"\bms since 1970$": "ms since 1970",
    r"\bin seconds\b": "s",
    r"\bin minutes\b": "min",
    r"\bin hours\b": "h",
    r"\bin degrees\b": "°",
    r"^Bytes\b": "bytes",
    r"\b0 to 1\b": "share",
    r"\bUTC\b": "UTC",
}


def pages() -> dict[Path, str]:
    """Every generated file and its content."""
    tables = {path.stem: declared.created(path) for path in sorted(CREATE.glob("*.sql"))}
    left_out = sorted(set(tables) - {name for group in GROUPS.values() for name in group})
    if left_out:
        raise ValueError(f"{', '.join(left_out)}: say in GROUPS where it belongs")
    return {
        ROOT / "docs" / "data" / "README.md": _page(tables),
        ROOT / "docs" / "schema.svg": _picture(tables),
    }


def references(table: Table, tables: dict[str, Table]) -> dict[str, str]:
    """Column and the table of the star it is the key of: by name, as the star is built."""
    keys = {tables[name].key: name for name in checks.STAR}
    return {
        column.name: keys[column.name]
        for column in table.columns
        if column.name in keys and keys[column.name] != table.name
    }


# The page -------------------------------------------------------------------------------------------------


def _page(tables: dict[str, Table]) -> str:
    reports = declared.reports()
    lines = [
        "# The data",
        "",
        "<!-- Made by `make docs` from the declarations in include/sql, include/reports and include/checks. -->",
        "",
        "Every table with its grain, key and load; every column with type, unit and meaning; every check. The same",
        "meanings are in the warehouse as `COMMENT ON`. All times are UTC. `VARCHAR(n)` counts bytes.",
        "",
        "![The star and the tables around it](../schema.svg)",
        "",
    ]
    for title, names in GROUPS.items():
        lines += [f"- **{title}**: " + ", ".join(f"[{name}](#{name})" for name in names)]
    lines += [
        "- **What a run stages** (checks only): " + ", ".join(f"[{name}](#{name})" for name in checks.STAGING)
    ]
    lines += [f"- **Reports** (schema `reports`): {', '.join(f'[{name}](#{name})' for name in reports)}", ""]
    for title, names in GROUPS.items():
        lines += [f"## {title}", ""]
        for name in names:
            has_checks = (checks.FOLDER / f"{name}.yaml").exists()
            lines += [*_table(tables[name], references(tables[name], tables) if name in checks.STAR else {})]
            lines += _checks(name) if has_checks else []
    lines += ["## What a run stages", "", "Tables of the run's own schema, which ends with the run.", ""]
    for name in checks.STAGING:
        lines += [f"### {name}", "", *_checks(name)]
    lines += [
        "## Reports",
        "",
        "Made anew from the star after every publication, by the DAG `reports`, in schema `reports`.",
        "",
    ]
    for report in reports.values():
        lines += _table(report, {})
    return "\n".join(lines).rstrip() + "\n"


def _table(table: Table, refers: dict[str, str]) -> Iterator[str]:
    yield from (f"### {table.name}", "", f"{table.grain[0].upper()}{table.grain[1:]}.", "")
    yield from (f"- Key: {table.key}", f"- Load: {table.load}", f"- Late data: {table.late_data}", "")
    yield from ("| column | type | unit | meaning |", "|---|---|---|---|")
    for column in table.columns:
        kind = column.type + (", required" if column.required else "")
        link = f" → [{refers[column.name]}](#{refers[column.name]})" if column.name in refers else ""
        yield f"| `{column.name}`{link} | {kind} | {_unit(column)} | {_cell(column.meaning)} |"
    yield ""


def _checks(name: str) -> Iterator[str]:
    yield from ("| check | asks for | if it does not hold |", "|---|---|---|")
    for check in checks.column_checks(name) + checks.row_checks(name):
        does = "stops the run" if check.severity == "fail" else "warns"
        yield f"| `{check.name}` | {_cell(check.says)} | {does} |"
    yield ""


def _unit(column: Column) -> str:
    return next((unit for said, unit in UNITS.items() if re.search(said, column.meaning)), "")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


# The picture ----------------------------------------------------------------------------------------------

WIDTH, ROW, HEAD = 268, 19, 28
# Left edge and top of each box of the star: the fact in the middle.
PLACES = {
    "time": (0, 20),
    "users": (0, 220),
    "songplays": (356, 62),
    "songs": (712, 20),
    "artists": (712, 220),
}
STYLE = """text { font: 12.5px system-ui, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1c2530; }
.name { font-weight: 650; font-size: 14px; fill: #fff; }
.type { fill: #6b7683; font-size: 11.5px; text-anchor: end; }
.key { font-weight: 650; }
.soft { fill: #5b6672; }
.title { font-weight: 650; font-size: 13px; }
.box { fill: #fff; stroke: #b9c3ce; }
.strip { fill: #f4f6f8; stroke: #dfe4ea; }
.line { fill: none; stroke: #6f93b8; stroke-width: 1.6; }"""


def _picture(tables: dict[str, Table]) -> str:
    boxes, lines = [], []
    for name, (x, y) in PLACES.items():
        boxes += _box(tables[name], x, y, references(tables[name], tables))
    for name, (x, y) in PLACES.items():
        for column, target in references(tables[name], tables).items():
            lines.append(_line(tables, (name, x, y), column, target))
    height = max(y + HEAD + ROW * len(tables[name].columns) for name, (_, y) in PLACES.items()) + 34
    strips = []
    others = {title: names for title, names in GROUPS.items() if title != "The star"}
    for title, members in [*others.items(), ("Reports, made after every publication", None)]:
        named = (
            ", ".join(declared.reports())
            if members is None
            else "   ·   ".join(f"{name}: {_short(tables[name].grain)}" for name in members)
        )
        words = _wrapped(named, 150)
        strips += [
            f'<rect class="strip" x="0" y="{height}" width="980" height="{30 + 18 * len(words)}" rx="6"/>',
            f'<text class="title" x="14" y="{height + 20}">{html.escape(title)}</text>',
            *(
                f'<text class="soft" x="14" y="{height + 40 + 18 * number}">{html.escape(line)}</text>'
                for number, line in enumerate(words)
            ),
        ]
        height += 40 + 18 * len(words)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-10 0 1015 {height}" role="img" '
        'aria-label="The star schema and the tables around it">\n'
        f'<style>{STYLE}</style>\n<rect x="-10" width="1015" height="{height}" fill="#fff"/>\n'
        + "\n".join([*lines, *boxes, *strips])
        + "\n</svg>\n"
    )


def _box(table: Table, x: int, y: int, refers: dict[str, str]) -> Iterator[str]:
    height = HEAD + ROW * len(table.columns) + 6
    colour = "#27548a" if table.name == "songplays" else "#4a7a9c"
    yield f'<rect class="box" x="{x}" y="{y}" width="{WIDTH}" height="{height}" rx="6"/>'
    yield f'<path d="M{x} {y + HEAD} v{6 - HEAD} q0 -6 6 -6 h{WIDTH - 12} q6 0 6 6 v{HEAD - 6} z" fill="{colour}"/>'
    yield f'<text class="name" x="{x + 12}" y="{y + 19}">{table.name}</text>'
    for number, column in enumerate(table.columns):
        line = y + HEAD + ROW * number + 16
        key = ' class="key"' if number == 0 else ""
        yield f'<text{key} x="{x + 12}" y="{line}">{column.name}{" →" if column.name in refers else ""}</text>'
        yield f'<text class="type" x="{x + WIDTH - 12}" y="{line}">{column.type}</text>'


def _line(tables: dict[str, Table], source: tuple[str, int, int], column: str, target: str) -> str:
    """From a column to the key of the table it points to."""

    def middle(table: str, top: int, name: str) -> float:
        place = [item.name for item in tables[table].columns].index(name)
        return top + HEAD + ROW * place + 11.5

    name, x, y = source
    target_x, target_y = PLACES[target]
    start, end = middle(name, y, column), middle(target, target_y, column)
    if x == target_x:
        edge = x + WIDTH
        return f'<path class="line" d="M{edge} {start} h14 V{end} h-14"/>'
    left = target_x < x
    begin, finish = (x, target_x + WIDTH) if left else (x + WIDTH, target_x)
    # Each line turns at a place of its own, so that none runs over another.
    turn = (begin + finish) / 2 + (-14 if target in ("users", "artists") else 14) * (1 if left else -1)
    return f'<path class="line" d="M{begin} {start} H{turn} V{end} H{finish}"/>'


def _short(grain: str) -> str:
    return re.split(r"[:;(,]", grain.removeprefix("one row per "))[0].strip()


def _wrapped(text: str, width: int) -> list[str]:
    lines = [""]
    for word in text.split(" "):
        if len(lines[-1]) + len(word) > width:
            lines.append("")
        lines[-1] += f"{word} "
    return [line.strip() for line in lines]


def main() -> None:
    for path, text in pages().items():
        path.write_text(text)
        print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
