"""Test that only one file uses the Astro SDK, and that plain operators create the same tables without the SDK."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
from datetime import UTC, datetime
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from local import sample
from tests import shortcuts
from tests.running import run

SAMPLE = sample.Spec(scale=0.3, songs=200)
ROOT = Path(__file__).parents[2]
SDK_FILE = ROOT / "include" / "reports" / "sdk.py"

WORKING_TABLES = {"new_agents", "new_families"}

READ = """
import json, sys
from airflow.models import DagBag
bag = DagBag(sys.argv[1])
tasks = {task.task_id: getattr(task, "python_callable", task).__module__ for task in bag.dags["reports"].tasks}
print(json.dumps([bag.import_errors, tasks, [name for name in ("astro.databases", "pandas") if name in sys.modules]]))
"""


def test_one_file_imports_it() -> None:
    files = [path for folder in ("dags", "include") for path in (ROOT / folder).rglob("*.py")]
    users = [path for path in files if re.search(r"^\s*(?:from|import) astro\b", path.read_text(), re.M)]
    assert users == [SDK_FILE]


def read_dags(
    *options: str, python_path: str, folder: Path
) -> tuple[dict[str, str], dict[str, str], list[str]]:
    """Return the DAGs' import errors, the module of each task of `reports`, and which libraries were imported."""
    done = subprocess.run(
        [sys.executable, *options, "-W", "ignore", "-c", READ, str(ROOT / "dags")],
        env={**os.environ, "PYTHONPATH": python_path},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    errors, tasks, imported = json.loads(done.stdout.splitlines()[-1])
    return errors, tasks, imported


@pytest.mark.skipif(not find_spec("astro"), reason="the Astro SDK is not installed: Airflow 3")
def test_it_makes_the_working_tables_where_it_is_installed(tmp_path: Path, airflow_database: None) -> None:
    errors, tasks, imported = read_dags(python_path=str(ROOT), folder=tmp_path)
    assert errors == {}
    assert {name for name, module in tasks.items() if module == "include.reports.sdk"} == {"new_agents"}
    # Every process that parses the DAG, of the scheduler or of a task, would spend time on these imports.
    assert imported == []


def test_plain_operators_make_them_without_it(tmp_path: Path, airflow_database: None) -> None:
    """The environment lacks only the SDK: its files and its entry in Airflow's list of providers."""
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if not path.name.startswith(("astro", "__editable__")):
            (tmp_path / path.name).symlink_to(path)
    # With -S, Python uses only the site-packages created here.
    errors, tasks, _ = read_dags("-S", python_path=f"{tmp_path}{os.pathsep}{ROOT}", folder=tmp_path)
    assert errors == {}
    assert tasks.keys() == {"plan", "due_events", "new_agents", "publish", "listening_page"}
    assert "include.reports.sdk" not in tasks.values()


@pytest.mark.skipif(not find_spec("astro"), reason="the Astro SDK is not installed: Airflow 3")
def test_both_ways_make_the_same_working_tables(month: Any, airflow_database: None) -> None:
    """The rows are the same, and the published tables, which have declared types, accept the values of both."""
    from include.reports import plain, sdk

    found = []
    for way in (sdk, plain):
        dag = working_dag(way)
        state, tasks = run(dag)
        assert state == "success", tasks
        # Read in another session, because the prepared statements of the first one expect other column types.
        with shortcuts.leave():
            found.append({name: rows_of(name) for name in WORKING_TABLES})
    assert found[0] == found[1]
    assert all(found[0].values())


@pytest.mark.parametrize("way", ["sdk", "plain"])
def test_both_ways_ask_first_whether_the_warehouse_answers(way: str) -> None:
    from include.sparkify.redshift import reach

    (task,) = working_dag(import_module(f"include.reports.{way}")).tasks
    assert task._pre_execute_hook == reach.before_task


def working_dag(way: Any) -> Any:
    """Return a DAG that creates only these working tables, for a full rebuild."""
    from airflow.providers.common.compat.sdk import DAG

    from include.reports import publish
    from include.sparkify import settings, tables

    with DAG(
        f"working_tables_{way.__name__.rsplit('.', 1)[1]}",
        start_date=datetime(2018, 11, 1, tzinfo=UTC),
        schedule=None,
        user_defined_macros={
            **{name: getattr(settings, name) for name in ("star", "ops", "reports", "reports_state")},
            "remake": lambda ti: True,
        },
    ) as dag:
        way.new_agents((tables.SQL / publish.STATE / "new_agents.sql").read_text())
    return dag


def rows_of(name: str) -> list[tuple[Any, ...]]:
    """Return the rows of a working table, sorted by their text."""
    from include.reports import plain, publish
    from include.sparkify import settings, tables
    from include.sparkify.redshift import warehouse

    columns = plain.COLUMNS
    if name != "new_families":
        declared = tables.read_report(tables.SQL / publish.STATE / f"{name}.sql").columns
        columns = tuple(column.name for column in declared)
    return sorted(
        warehouse.query(f"select {', '.join(columns)} from {settings.reports_state()}.{name}"), key=repr
    )
