"""Check that every DAG file imports. `astro dev parse` and `astro deploy` run this test.

Nothing of a deployment is there while an image is built, so connections, Variables and environment variables are
answered with stand-in values: a default where the caller gave one, else MOCKED_<NAME>_VALUE. A DAG file that needs a
real one at import (`int(os.getenv("X"))`) fails here, and would fail the deploy. This test proves that the files
import, and no more. tests/dags has the rest. Run by hand: AIRFLOW_HOME=$PWD pytest .astro/test_dag_integrity_default.py
"""

import logging
import os
from pathlib import Path
from typing import Any

# Airflow's own examples are not DAGs of the project. Airflow 3 has no argument for this.
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"

import pytest
from airflow.models import DagBag
from airflow.providers.common.compat.sdk import BaseHook, Connection, Variable
from airflow.utils.db import initdb

PROJECT = Path(__file__).resolve().parents[1]
EXCEPTIONS = PROJECT / ".astro" / "dag_integrity_exceptions.txt"

# Libraries (Airflow and pytest) read these variables, and a made-up value would mislead them.
UNSET_IS_MEANT = {"JENKINS_HOME", "PYTEST_THEME"}
NO_DEFAULT = object()


class AnyKey(dict[str, Any]):
    """A mapping that has every key, as a Variable that is read as JSON."""

    def __getitem__(self, key: str) -> str:
        return "MOCKED_KEY_VALUE"


def any_connection(conn_id: str, *args: Any, **kwargs: Any) -> Connection:
    """Return an empty connection of that id."""
    return Connection(conn_id=conn_id)


def any_environment(key: str, default: Any = None) -> Any:
    """Return the real value, else the default, else MOCKED_<KEY>_VALUE. An empty value or default counts as none."""
    if os.environ.get(key):
        return os.environ[key]
    if default or (default is None and key in UNSET_IS_MEANT):
        return default
    return f"MOCKED_{key.upper()}_VALUE"


def any_variable(
    key: str, default_var: Any = NO_DEFAULT, deserialize_json: bool = False, default: Any = NO_DEFAULT
) -> Any:
    """Return the default, which Airflow 3 calls ``default``, else a value that no code can have planned for."""
    for given in (default_var, default):
        if given is not NO_DEFAULT:
            return given
    return AnyKey() if deserialize_json else "NON_DEFAULT_MOCKED_VARIABLE_VALUE"


def imported_files() -> dict[str, str | None]:
    """Return each DAG file (path below the project folder) with its import error, None for none."""
    initdb()
    BaseHook.get_connection = any_connection
    Variable.get = any_variable
    os.getenv = any_environment
    airflow_log = logging.getLogger("airflow")
    airflow_log.disabled = True
    bag = DagBag(dag_folder=PROJECT / "dags")
    airflow_log.disabled = False
    found: dict[str, str | None] = {dag.fileloc: None for dag in bag.dags.values()}
    found |= {path: error.strip() for path, error in bag.import_errors.items()}
    return {str(Path(path).relative_to(PROJECT)): error for path, error in found.items()}


FILES = imported_files()


def test_there_are_dag_files() -> None:
    """Check that there is a DAG file, because an empty bag would pass every test on its contents."""
    assert FILES, f"no DAG found in {PROJECT / 'dags'}"


@pytest.mark.parametrize("path", FILES)
def test_file_imports(path: str) -> None:
    """Check that every DAG file imports, or is named in dag_integrity_exceptions.txt."""
    allowed = {line.strip() for line in EXCEPTIONS.read_text().splitlines()}
    assert FILES[path] is None or path in allowed, f"{path} failed to import:\n{FILES[path]}"
