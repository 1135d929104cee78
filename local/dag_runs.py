"""Run the DAG `sparkify`, and after a publish `reports`, in one process: the work of `make run`.

The argument is the parameters of the first run, as JSON. It does as `airflow dags test`, but imports Airflow only once.
It exits with 1 only if a DAG cannot be imported: how the runs end is in Airflow's database.
"""

from __future__ import annotations

import json
import sys
import time
import types
from datetime import UTC, datetime
from typing import Any

import airflow.models.dag
from airflow.models import DagBag
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from local.home import PROJECT
from local.run import LOAD, REPORTS

LOGICAL_DATE = "logical_date" if AIRFLOW_V_3_0_PLUS else "execution_date"
"""The argument that names the moment of a run."""


def read(dag_id: str) -> Any:
    """Return a DAG, read from its file: a run in this process leaves its parameters in the object.

    :raises SystemExit: the file cannot be imported.
    """
    bag = DagBag(PROJECT / "dags" / f"{dag_id}.py")
    if bag.import_errors:
        sys.exit("\n".join(bag.import_errors.values()))
    return bag.dags[dag_id]


def run(dag: Any, moment: datetime, params: dict[str, Any]) -> tuple[str, dict[str, str]]:
    """Run a DAG to its end, and return the state of the run and those of its tasks."""
    ended = dag.test(**{LOGICAL_DATE: moment}, run_conf=params)
    return ended.state, {ti.task_id: ti.state for ti in ended.get_task_instances()}


def wait_less() -> None:
    """Let DAG.test() of Airflow 2 look again after a tenth of a second: it waits a second at each step of a skip."""
    if not AIRFLOW_V_3_0_PLUS:
        vars(airflow.models.dag).update(time=types.SimpleNamespace(sleep=lambda seconds: time.sleep(0.1)))


if __name__ == "__main__":
    wait_less()
    _, states = run(read(LOAD), datetime.now(UTC), json.loads(sys.argv[1]))
    if states["publish"] == "success":
        # Under a scheduler, the Dataset of songplays triggers it.
        run(read(REPORTS), datetime.now(UTC), {})
