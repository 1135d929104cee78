"""Test that MetricFlow, with the semantic models of examples/dbt, returns the numbers of the listening page."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from include.reports import listening

PROJECT = Path(__file__).parents[2]
DBT = PROJECT / ".local" / "dbt" / "bin"
Key = tuple[str, str]
# The page calculates each metric from the counts of a range. These functions do the same as listening.js.
SHOWN = {
    "plays": lambda t: t[0],
    "listeners": lambda t: t[1],
    "sessions": lambda t: t[2],
    "hours": lambda t: t[3],
    "paid_plays": lambda t: t[4],
    "matched_plays": lambda t: t[5],
    "paid_share": lambda t: t[4] / t[0],
    "match_rate": lambda t: t[5] / t[0],
}


# All queries run in one process, because mf takes seconds to start.
QUERIES = """
import json, sys
from dbt_metricflow.cli.main import cli
for query in json.loads(sys.argv[1]):
    cli(["query", *query], standalone_mode=False)
"""


def ask(folder: Path, queries: dict[Key, list[str]]) -> dict[Key, list[dict[str, str]]]:
    """Return the rows of `mf query` for all metrics, by the queries' names."""
    files = {name: folder / f"{number}.csv" for number, name in enumerate(queries)}
    asked = [
        ["--metrics", ",".join(SHOWN), "--csv", str(files[name]), *options]
        for name, options in queries.items()
    ]
    run("python", folder, "-c", QUERIES, json.dumps(asked))
    return {name: list(csv.DictReader(file.read_text().splitlines())) for name, file in files.items()}


def run(program: str, folder: Path, *arguments: str) -> None:
    login = json.loads(os.environ["AIRFLOW_CONN_REDSHIFT_DEFAULT"])
    done = subprocess.run(
        [DBT / program, *arguments],
        cwd=folder / "dbt",
        env=os.environ | {"SPARKIFY_REDSHIFT_PORT": str(login["port"]), "DBT_PROFILES_DIR": "."},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]


@pytest.mark.slow
@pytest.mark.skipif(not (DBT / "mf").exists(), reason="no MetricFlow in .local/dbt: run make dbt once")
def test_page_and_metricflow_agree_for_every_range_and_level(month: Any, tmp_path: Path) -> None:
    facts = listening.read()
    # MetricFlow looks for dbt's artifacts only in the project.
    shutil.copytree(
        PROJECT / "examples" / "dbt", tmp_path / "dbt", ignore=shutil.ignore_patterns("target", "logs")
    )
    run("dbt", tmp_path, "run", "--select", "plays", "days")
    by_level = "songplay__level"
    queries: dict[Key, list[str]] = {}
    for period in ("month", "week"):
        queries[period, ""] = ["--group-by", f"metric_time__{period}"]
        queries[period, "level"] = ["--group-by", f"metric_time__{period},{by_level}"]
    for one in facts["ranges"]:
        if one["period"] not in ("month", "week"):
            span = ["--start-time", one["start"], "--end-time", one["end"]]
            queries[one["key"], ""] = span
            queries[one["key"], "level"] = [*span, "--group-by", by_level]
    found: dict[Key, dict[str, str]] = {}
    for (key, _), rows in ask(tmp_path, queries).items():
        for row in rows:
            start = row.get(f"metric_time__{key}")
            found[f"{key}/{start[:10]}" if start else key, row.get(by_level, "all")] = row
    for one in facts["ranges"]:
        for level in ("all", "free", "paid"):
            totals = facts["totals"][f"{one['key']}/{level}"]
            for name, count in SHOWN.items():
                shown = pytest.approx(count(totals), abs=0.006)
                assert float(found[one["key"], level][name]) == shown, (one["key"], level, name)
