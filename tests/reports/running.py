"""Running a DAG in a test, as Airflow's `dags test` does."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
_moments = itertools.count()


def dag_of(name: str) -> Any:
    from airflow.models import DagBag

    bag = DagBag(ROOT / "dags" / f"{name}.py", include_examples=False)
    assert not bag.import_errors
    return bag.dags[name]


def run(dag: Any, **params: Any) -> tuple[str, dict[str, str]]:
    """Run a DAG once; the state of the run, and of its tasks."""
    # Moments of their own: other tests' runs of the same DAG are in the same database.
    moment = datetime(2026, 2, 1, tzinfo=UTC).replace(microsecond=next(_moments))
    dag_run = dag.test(execution_date=moment, run_conf=params)
    return dag_run.state, {ti.task_id: ti.state for ti in dag_run.get_task_instances()}
