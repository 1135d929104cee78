"""Test that every DAG file imports in isolation: no environment, no connection, no Variable, no database, no network.

Each file is imported in a separate process, so that it cannot depend on the test session's Airflow or on another DAG
file. All processes are forked from one that has imported Airflow.
This file needs only Airflow, because `astro dev pytest` runs it in the image.
"""

import json
import os
import re
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parents[2]
FILES = sorted((PROJECT / "dags").glob("*.py"))

SDK = "from airflow.providers.common.compat.sdk"
READ_BAGS = """
import json, os, socket, sys, warnings

# Our own files use nothing deprecated. Airflow imports a DAG file under a name with this prefix.
for kind in (DeprecationWarning, FutureWarning):
    warnings.filterwarnings("error", category=kind, module=r"(unusual_prefix_|include[.])")

def refuse(what):
    def refused(*args, **kwargs):
        raise RuntimeError(f"the DAG file asks for {what} while it is imported")
    return refused

for name in ("connect", "connect_ex", "bind", "sendto"):
    setattr(socket.socket, name, refuse("the network"))
socket.create_connection = socket.getaddrinfo = refuse("the network")

from airflow.models import DagBag
from airflow.providers.common.compat.sdk import BaseHook, Connection, Variable

Variable.get = refuse("a Variable")
BaseHook.get_connection = Connection.get_connection_from_secrets = Connection.get = refuse("a connection")

for path in sys.argv[1:]:
    if os.fork():
        os.wait()
        continue
    bag = DagBag(dag_folder=path)
    found = {
        "errors": bag.import_errors,
        "dags": {
            dag.dag_id: {
                "tags": sorted(dag.tags),
                "doc": dag.doc_md or "",
                "retries": {task.task_id: task.retries for task in dag.tasks},
                # A mapped task does not say.
                "undocumented": [
                    task.task_id
                    for task in dag.tasks
                    if not (hasattr(task, "partial_kwargs") or task.doc_md)
                ],
            }
            for dag in bag.dags.values()
        },
    }
    print(json.dumps([path, found]), flush=True)
    os._exit(0)
"""


def read_bags(paths: list[Path], home: Path) -> dict[Path, dict[str, Any]]:
    """Return the content of a DagBag of each file or folder, read in a process with a minimal environment."""
    environment = {
        "PATH": os.defpath,
        "PYTHONPATH": str(PROJECT),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    }
    done = subprocess.run(
        [sys.executable, "-c", READ_BAGS, *map(str, paths)],
        env=environment,
        cwd=home,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('["/')]
    assert len(lines) == len(paths), done.stdout + done.stderr
    return {Path(path): found for path, found in lines}


@pytest.fixture(scope="module")
def bags(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, dict[str, Any]]:
    return read_bags([PROJECT / "dags", *FILES], tmp_path_factory.mktemp("airflow"))


@pytest.fixture(scope="module")
def bag(bags: dict[Path, dict[str, Any]]) -> dict[str, Any]:
    return bags[PROJECT / "dags"]


def test_all_import_together(bag: dict[str, Any]) -> None:
    assert bag["errors"] == {}
    assert "sparkify" in bag["dags"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_imports_by_itself(path: Path, bags: dict[Path, dict[str, Any]]) -> None:
    assert bags[path]["errors"] == {}
    assert bags[path]["dags"], f"{path.name} makes no DAG: code that is none belongs in include/"


def test_every_dag_has_tags_and_its_operators_page(bag: dict[str, Any]) -> None:
    for name, dag in bag["dags"].items():
        assert dag["tags"], f"{name} has no tag"
        assert len(dag["doc"]) > 200, f"{name}'s file has no docstring that says what to do when it fails"
        assert not dag["undocumented"], f"{name}: tasks without a docstring or doc_md"


def test_every_task_has_a_row_for_when_it_fails(bag: dict[str, Any]) -> None:
    for name, dag in bag["dags"].items():
        first_cells = [line.split("|")[1] for line in dag["doc"].splitlines() if line.startswith("| ")]
        patterns = re.findall(r"`([a-z_.*]+)`", " ".join(first_cells))
        missing = [task for task in dag["retries"] if not any(fnmatch(task, each) for each in patterns)]
        assert not missing or " any other " in first_cells, f"{name}: no row for the red tasks {missing}"


def test_every_task_is_retried(bag: dict[str, Any]) -> None:
    for name, dag in bag["dags"].items():
        few = {task: retries for task, retries in dag["retries"].items() if retries < 2}
        assert not few, f"{name}: fewer than two retries: {few}"


def test_the_test_sees_what_it_is_for(tmp_path: Path) -> None:
    broken = {
        "import socket; socket.create_connection(('127.0.0.1', 1))": "the network",
        "import urllib.request; urllib.request.urlopen('http://127.0.0.1:1')": "the network",
        f"{SDK} import Variable; Variable.get('sparkify', None)": "a Variable",
        f"{SDK} import BaseHook; BaseHook.get_connection('aws_default')": "a connection",
        "import os; int(os.environ['SPARKIFY_SCHEDULE'])": "SPARKIFY_SCHEDULE",
        "import warnings; warnings.warn('use another', DeprecationWarning)": "use another",
        "import warnings; warnings.warn('use this one', FutureWarning)": "use this one",
    }
    paths = [tmp_path / f"broken{number}.py" for number in range(len(broken))]
    for path, line in zip(paths, broken, strict=True):
        path.write_text(f"import airflow  # a dag\n{line}\n")
    bags = read_bags(paths, tmp_path)
    for path, (line, asks_for) in zip(paths, broken.items(), strict=True):
        assert asks_for in "".join(bags[path]["errors"].values()), line
