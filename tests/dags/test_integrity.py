"""Every DAG file imports with nothing there: no environment, no connection, no Variable, no database, no network.

Each runs in a separate process, so that neither the test session's Airflow nor another DAG file lends it anything.
Only Airflow is needed here: `astro dev pytest` runs this file in the image.
"""

import functools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parents[2]
FILES = sorted((PROJECT / "dags").glob("*.py"))

SDK = "from airflow.providers.common.compat.sdk"
READ_BAG = """
import json, socket, sys, warnings

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

bag = DagBag(dag_folder=sys.argv[1])
print(json.dumps({
    "errors": bag.import_errors,
    "dags": {
        dag.dag_id: {
            "tags": sorted(dag.tags),
            "doc": dag.doc_md or "",
            "retries": {task.task_id: task.retries for task in dag.tasks},
            "unnamed": [task.task_id for task in dag.tasks if not (task.doc_md or task.doc)],
        }
        for dag in bag.dags.values()
    },
}))
"""


@functools.cache
def read_bag(path: Path, home: Path) -> dict[str, Any]:
    """Return the content of a DagBag of that file or folder, read in a process with an empty environment."""
    environment = {
        "PATH": os.defpath,
        "PYTHONPATH": str(PROJECT),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    }
    done = subprocess.run(
        [sys.executable, "-c", READ_BAG, str(path)],
        env=environment,
        cwd=home,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("airflow")


@pytest.fixture(scope="module")
def bag(home: Path) -> dict[str, Any]:
    return read_bag(PROJECT / "dags", home)


def test_all_import_together(bag: dict[str, Any]) -> None:
    assert bag["errors"] == {}
    assert "sparkify" in bag["dags"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_imports_by_itself(path: Path, home: Path) -> None:
    found = read_bag(path, home)
    assert found["errors"] == {}
    assert found["dags"], f"{path.name} makes no DAG: code that is none belongs in include/"


def test_every_dag_has_tags_and_its_operators_page(bag: dict[str, Any]) -> None:
    for name, dag in bag["dags"].items():
        assert dag["tags"], f"{name} has no tag"
        assert len(dag["doc"]) > 200, f"{name}'s file has no docstring that says what to do when it fails"


def test_every_task_is_retried(bag: dict[str, Any]) -> None:
    for name, dag in bag["dags"].items():
        few = {task: retries for task, retries in dag["retries"].items() if retries < 2}
        assert not few, f"{name}: fewer than two retries: {few}"


@pytest.mark.parametrize(
    ("line", "asks_for"),
    [
        ("import socket; socket.create_connection(('127.0.0.1', 1))", "the network"),
        ("import urllib.request; urllib.request.urlopen('http://127.0.0.1:1')", "the network"),
        (f"{SDK} import Variable; Variable.get('sparkify', None)", "a Variable"),
        (f"{SDK} import BaseHook; BaseHook.get_connection('aws_default')", "a connection"),
        ("import os; int(os.environ['SPARKIFY_SCHEDULE'])", "SPARKIFY_SCHEDULE"),
        ("import warnings; warnings.warn('use another', DeprecationWarning)", "use another"),
        ("import warnings; warnings.warn('use this one', FutureWarning)", "use this one"),
    ],
)
def test_the_test_sees_what_it_is_for(tmp_path: Path, line: str, asks_for: str) -> None:
    (tmp_path / "broken.py").write_text(f"import airflow  # a dag\n{line}\n")
    errors = read_bag(tmp_path / "broken.py", tmp_path)["errors"]
    assert asks_for in "".join(errors.values())
