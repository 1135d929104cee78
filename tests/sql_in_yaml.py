"""Lint the SQL in the YAML files of include/: the queries of checks and reports.

python -m tests.sql_in_yaml
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from sqlfluff.core import FluffConfig, Linter

ROOT = Path(__file__).parents[1]


def queries(content: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield the name and the text of every query in a YAML value."""
    parts = content.items() if isinstance(content, dict) else enumerate(content)
    for key, value in parts:
        if key in ("failing_rows", "failing"):
            # include.reports.publish fills in schemas and a subquery. The linter only needs table names.
            yield name, re.sub(r"\{(\w+)\}", r"\1", value)
        elif isinstance(value, dict | list):
            yield from queries(value, value.get("name", key) if isinstance(value, dict) else name)


def main() -> int:
    # YAML determines the layout, and an expression that is only displayed needs no alias.
    excluded = "AM02,RF04,ST05,AL03,LT02,LT05,LT08,LT09,LT11,LT12,LT14"
    linter = Linter(FluffConfig.from_root(overrides={"exclude_rules": excluded}))
    found = 0
    for path in sorted((ROOT / "include").rglob("*.yaml")):
        if path.parent.name not in ("checks", "reports"):
            continue
        for name, text in queries(yaml.safe_load(path.read_text())):
            for violation in linter.lint_string(text).get_violations():
                found += 1
                print(f"{path.relative_to(ROOT)}: {name}: {violation.rule_code()} {violation.desc()}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
