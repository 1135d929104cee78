"""Run the DAG `sparkify`, and unless it fails `reports`, in one process: the work of `make run`.

The argument is the parameters of the first run, as JSON. The module works like `airflow dags test`, but imports Airflow
only once. It exits with 1 only if a DAG cannot be imported. Airflow's database contains the results of the runs.
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
"""The argument of DAG.test() for the logical date of a run."""


def read(dag_id: str) -> Any:
    """Read a DAG from its file, because an earlier run in this process leaves its parameters in the DAG object.

    :raises SystemExit: the file cannot be imported.
    """
    bag = DagBag(PROJECT / "dags" / f"{dag_id}.py")
    if bag.import_errors:
        sys.exit("\n".join(bag.import_errors.values()))
    return bag.dags[dag_id]


def run(dag: Any, moment: datetime, params: dict[str, Any]) -> tuple[str, dict[str, str]]:
    """Run a DAG to completion, and return the states of the run and of its tasks."""
    ended = dag.test(**{LOGICAL_DATE: moment}, run_conf=params)
    return ended.state, {ti.task_id: ti.state for ti in ended.get_task_instances()}


def wait_less() -> None:
    """Shorten the wait of Airflow 2's DAG.test() from 1 s to 0.1 s. DAG.test() waits at each step that skips tasks."""
    if not AIRFLOW_V_3_0_PLUS:
        vars(airflow.models.dag).update(time=types.SimpleNamespace(sleep=lambda seconds: time.sleep(0.1)))


if __name__ == "__main__":
    wait_less()
    _, states = run(read(LOAD), datetime.now(UTC), json.loads(sys.argv[1]))
    if states["publish"] in ("success", "skipped"):
        # With a scheduler, the Dataset of songplays triggers this DAG. Here it also runs if nothing is new, because its
        # last run may have failed. If its tables are up to date, it skips its tasks.
        run(read(REPORTS), datetime.now(UTC), {})
