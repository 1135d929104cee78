"""MetricFlow gives the same numbers as the listening page, from the semantic models of examples/dbt."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from include.reports import listening, metrics
from include.sparkify.redshift import warehouse

PROJECT = Path(__file__).parents[2]
DBT = PROJECT / ".local" / "dbt" / "bin"
# How the page counts a metric: from the counts of a range, as listening.js does.
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


def query(folder: Path, *options: str) -> list[dict[str, str]]:
    """Return the rows of `mf query` for all metrics."""
    file = folder / "answer.csv"
    run("mf", folder, "query", "--metrics", ",".join(metrics.metrics()), "--csv", str(file), *options)
    with file.open() as answer:
        return list(csv.DictReader(answer))


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
    facts = warehouse.transaction(lambda cursor: listening.gather(listening._ask(cursor)), "read the tables")
    assert facts
    # MetricFlow looks for dbt's artifacts in the project only.
    shutil.copytree(
        PROJECT / "examples" / "dbt", tmp_path / "dbt", ignore=shutil.ignore_patterns("target", "logs")
    )
    run("dbt", tmp_path, "run", "--select", "plays", "days")
    found: dict[str, dict[str, str]] = {}
    by_level = "songplay__level"
    for period in ("month", "week"):
        time = f"metric_time__{period}"
        for groups in (time, f"{time},{by_level}"):
            for row in query(tmp_path, "--group-by", groups):
                found[f"{period}/{row[time][:10]}/{row.get(by_level, 'all')}"] = row
    for one in facts["ranges"]:
        if one["period"] not in ("month", "week"):
            span = ("--start-time", one["start"], "--end-time", one["end"])
            for groups in ((), ("--group-by", by_level)):
                for row in query(tmp_path, *span, *groups):
                    found[f"{one['key']}/{row.get(by_level, 'all')}"] = row
        for level in ("all", "free", "paid"):
            key = f"{one['key']}/{level}"
            for name, count in SHOWN.items():
                shown = pytest.approx(count(facts["totals"][key]), abs=0.006)
                assert float(found[key][name]) == shown, (key, name)
