"""Test that only one file uses the Astro SDK, and that plain SQL creates the same tables without the SDK."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from include.sparkify.redshift import warehouse
from local import sample
from tests import shortcuts
from tests.reports.updating import render

SAMPLE = sample.Spec(scale=0.3, songs=200)
ROOT = Path(__file__).parents[2]
SDK_FILE = ROOT / "include" / "reports" / "sdk.py"
WORKING_TABLES = {"new_agents": "user_agent, agent_id", "new_families": "agent_id, device, os, browser"}

READ = """
import json, sys
from airflow.models import DagBag
bag = DagBag(sys.argv[1])
dag = bag.dags["reports"]
agents = dag.get_task("new_agents").python_callable.__globals__["agents"].__name__
imported = [name for name in ("astro.databases", "pandas") if name in sys.modules]
print(json.dumps([bag.import_errors, dag.task_ids, agents, imported]))
"""


def test_one_file_imports_it() -> None:
    files = [path for folder in ("dags", "include") for path in (ROOT / folder).rglob("*.py")]
    users = [path for path in files if re.search(r"^\s*(?:from|import) astro\b", path.read_text(), re.M)]
    assert users == [SDK_FILE]


needs_sdk = pytest.mark.skipif(not find_spec("astro"), reason="the Astro SDK is not installed: Airflow 3")


@pytest.mark.usefixtures("airflow_database")
@pytest.mark.parametrize("way", [pytest.param("sdk", marks=needs_sdk), "plain"])
def test_it_makes_the_working_tables_where_it_is_installed(tmp_path: Path, way: str) -> None:
    """To use the module `plain`, remove only the SDK's files and its entry in Airflow's list of providers."""
    options, paths = [], [str(ROOT)]
    if way == "plain":
        for path in Path(sysconfig.get_path("purelib")).iterdir():
            if not path.name.startswith(("astro", "__editable__")):
                (tmp_path / path.name).symlink_to(path)
        # With -S, Python uses only the site-packages created here.
        options, paths = ["-S"], [str(tmp_path), *paths]
    done = subprocess.run(
        [sys.executable, *options, "-W", "ignore", "-c", READ, str(ROOT / "dags")],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    errors, tasks, agents, imported = json.loads(done.stdout.splitlines()[-1])
    assert (errors, agents) == ({}, f"include.reports.{way}")
    assert set(tasks) == {"plan", "due_events", "new_agents", "publish", "listening_page"}
    # Every process that parses the DAG, of the scheduler or of a task, would spend time on these imports.
    assert imported == []


@needs_sdk
def test_both_ways_make_the_same_working_tables(month: Any) -> None:
    """The rows are the same, and the published tables, which have declared types, accept the values of both."""
    from include.reports import plain, sdk

    found = []
    for way in (sdk, plain):
        # Each way has its own session, because prepared statements expect the column types of the first.
        with shortcuts.leave():
            way.create(render("reports_state/new_agents.sql", remake=True))
            found.append(
                [
                    sorted(warehouse.query(f"select {columns} from reports_state.{table}"))
                    for table, columns in WORKING_TABLES.items()
                ]
            )
    assert found[0] == found[1]
    assert all(found[0])
