"""DAGs in a test: run as `airflow dags test` does, or seen as the scheduler sees them.

This file has the names that differ between Airflow 2 and 3, so the tests themselves are the same on both.
"""

from __future__ import annotations

import contextlib
import itertools
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from tests import shortcuts

DAGS = Path(__file__).parents[1] / "dags"
LOGICAL_DATE = "logical_date" if AIRFLOW_V_3_0_PLUS else "execution_date"
"""The argument that names the moment of a run."""
_moments = itertools.count()


def dag_of(name: str) -> Any:
    """Return the DAG of that name, read from its file: a run in this process leaves its parameters in the object."""
    from airflow.models import DagBag

    bag = DagBag(DAGS / f"{name}.py")
    assert not bag.import_errors
    return bag.dags[name]


def run(dag: Any, **params: Any) -> tuple[str, dict[str, str]]:
    """Run a DAG once; return the state of the run, and of its tasks."""
    # Distinct moments: runs of other tests are in the same database.
    moment = datetime(2026, 1, 1, tzinfo=UTC).replace(microsecond=next(_moments))
    with shortcuts.leave():
        dag_run = dag.test(**{LOGICAL_DATE: moment}, run_conf=params)
    return dag_run.state, {ti.task_id: ti.state for ti in dag_run.get_task_instances()}


def clear(dag: Any, task: str, downstream: bool = True) -> tuple[str, dict[str, str]]:
    """Clear a task of the latest run of a DAG, as the UI does, and run what is cleared, as `airflow dags test` does.

    :returns: the state of the run, and of its tasks. On Airflow 2 only: Airflow 3 has no such loop without a scheduler.
    """
    from airflow.models import DagRun
    from airflow.models.dag import _run_task
    from airflow.models.taskinstance import clear_task_instances
    from airflow.utils.session import create_session
    from airflow.utils.state import DagRunState, TaskInstanceState

    with create_session() as session, shortcuts.leave():
        dag_run = session.query(DagRun).filter_by(dag_id=dag.dag_id).order_by(DagRun.id.desc()).first()
        names = {task, *(dag.get_task(task).get_flat_relative_ids(upstream=False) if downstream else ())}
        found = [ti for ti in dag_run.get_task_instances(session=session) if ti.task_id in names]
        clear_task_instances(found, session, dag=dag)
        session.commit()
        dag_run.dag, dag_run.state = dag, DagRunState.RUNNING
        while dag_run.state == DagRunState.RUNNING:
            session.expire_all()
            ready, _ = dag_run.update_state(session=session)
            for ti in ready:
                ti.try_number += 1
                ti.state = TaskInstanceState.SCHEDULED
            session.commit()
            for ti in ready:
                ti.task = dag.get_task(ti.task_id)
                with contextlib.suppress(Exception):
                    _run_task(ti=ti, session=session)
        found = dag_run.get_task_instances(session=session)
        return dag_run.state, {ti.task_id: ti.state for ti in found}


def failure(dag: Any, task: str) -> str:
    """Return the message that a task of the latest run has failed with, as the run report has it (Airflow 2)."""
    from airflow.models import DagRun
    from airflow.utils.session import create_session

    from include.sparkify.tasks.notify import FAILURE

    with create_session() as session:
        dag_run = session.query(DagRun).filter_by(dag_id=dag.dag_id).order_by(DagRun.id.desc()).first()
        ti = dag_run.get_task_instance(task, session=session)
        return ti.xcom_pull(task_ids=task, key=FAILURE, session=session)


def as_scheduled(dag: Any) -> Any:
    """Return the DAG as the scheduler reads it: serialized and read back."""
    from airflow.serialization import serialized_objects

    kind = serialized_objects.DagSerialization if AIRFLOW_V_3_0_PLUS else serialized_objects.SerializedDAG
    return kind.from_json(kind.to_json(dag))


def next_run(dag: Any, last: Any) -> Any:
    """Return what the scheduler creates after the run ``last`` (None for the first); None at the end."""
    if AIRFLOW_V_3_0_PLUS:
        return dag.next_dagrun_info(last_automated_run_info=last)
    return dag.next_dagrun_info(last and last.data_interval)


def create_run(dag: Any, moment: datetime, session: Any) -> Any:
    """Return a manual run of a serialized DAG, created at ``moment`` and not run."""
    from airflow.utils.state import DagRunState
    from airflow.utils.types import DagRunType

    more: dict[str, Any] = {LOGICAL_DATE: moment}
    if AIRFLOW_V_3_0_PLUS:
        from airflow.dag_processing.bundles.manager import DagBundlesManager
        from airflow.dag_processing.dagbag import sync_bag_to_db
        from airflow.models import DagBag
        from airflow.utils.types import DagRunTriggeredByType

        # A run belongs to a version of its DAG, which has to be in the database.
        DagBundlesManager().sync_bundles_to_db()
        sync_bag_to_db(DagBag(DAGS / f"{dag.dag_id}.py"), "dags-folder", None)
        more |= {"run_id": "by-hand", "run_after": moment, "triggered_by": DagRunTriggeredByType.TEST}
    return dag.create_dagrun(
        state=DagRunState.RUNNING,
        run_type=DagRunType.MANUAL,
        data_interval=dag.timetable.infer_manual_data_interval(run_after=moment),
        session=session,
        **more,
    )
