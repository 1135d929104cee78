"""Run DAGs in tests as `airflow dags test` does, or read them as the scheduler does.

This file handles the differences between Airflow 2 and 3, so the tests themselves are the same on both.
"""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from local import dag_runs
from tests import shortcuts

DAGS = Path(__file__).parents[1] / "dags"
_moments = itertools.count()


def dag_of(name: str) -> Any:
    """Return the DAG of that name, read from its file."""
    return dag_runs.read(name)


def run(dag: Any, **params: Any) -> tuple[str, dict[str, str]]:
    """Run a DAG once, and return the states of the run and of its tasks."""
    # Each run needs its own logical date, because runs of other tests are in the same database.
    moment = datetime(2026, 1, 1, tzinfo=UTC).replace(microsecond=next(_moments))
    with shortcuts.leave():
        return dag_runs.run(dag, moment, params)


def as_scheduled(dag: Any) -> Any:
    """Return the DAG as the scheduler reads it: serialized and deserialized."""
    from airflow.serialization import serialized_objects

    kind = serialized_objects.DagSerialization if AIRFLOW_V_3_0_PLUS else serialized_objects.SerializedDAG
    return kind.from_json(kind.to_json(dag))


def next_run(dag: Any, last: Any) -> Any:
    """Return the run that the scheduler creates after ``last`` (None: the first run), or None after the last one."""
    if AIRFLOW_V_3_0_PLUS:
        return dag.next_dagrun_info(last_automated_run_info=last)
    return dag.next_dagrun_info(last and last.data_interval)


def create_run(
    dag: Any, moment: datetime, session: Any, run_id: str, conf: dict[str, Any] | None = None
) -> Any:
    """Create and return a manual run of a serialized DAG for ``moment``, without running it."""
    from airflow.utils.state import DagRunState
    from airflow.utils.types import DagRunType

    more: dict[str, Any] = {dag_runs.LOGICAL_DATE: moment}
    if AIRFLOW_V_3_0_PLUS:
        from airflow.dag_processing.bundles.manager import DagBundlesManager
        from airflow.dag_processing.dagbag import sync_bag_to_db
        from airflow.models import DagBag
        from airflow.utils.types import DagRunTriggeredByType

        # A run references a version of its DAG, which must be in the database.
        DagBundlesManager().sync_bundles_to_db()
        sync_bag_to_db(DagBag(DAGS / f"{dag.dag_id}.py"), "dags-folder", None)
        more |= {"run_after": moment, "triggered_by": DagRunTriggeredByType.TEST}
    return dag.create_dagrun(
        state=DagRunState.RUNNING,
        run_type=DagRunType.MANUAL,
        run_id=run_id,
        conf=conf,
        data_interval=dag.timetable.infer_manual_data_interval(run_after=moment),
        session=session,
        **more,
    )
