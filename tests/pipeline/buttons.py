"""Airflow's buttons, pressed on one run of a DAG: clear, mark, delete. Airflow 2, in one process.

After a press, the tasks that have to run do so in the order of the scheduler, by its own rules.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.models import DagRun
from airflow.models.dag import _run_task
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState, TaskInstanceState
from airflow.utils.types import DagRunType

from include.sparkify.tasks.notify import FAILURE

BEGIN = datetime(2027, 1, 1, tzinfo=UTC)


class Run:
    """One run of a DAG, and the buttons on it."""

    def __init__(self, dag: Any, run_id: str = "by-hand") -> None:
        self.dag, self.run_id = dag, run_id

    @contextlib.contextmanager
    def _open(self) -> Iterator[tuple[Any, Any]]:
        with create_session() as session:
            run = session.query(DagRun).filter_by(dag_id=self.dag.dag_id, run_id=self.run_id).one()
            run.dag = self.dag
            yield session, run

    # Buttons ----------------------------------------------------------------------------------------------

    def trigger(self, conf: dict[str, Any]) -> None:
        """Create the run, in place of an earlier one of its name."""
        with create_session() as session:
            for run in session.query(DagRun).filter_by(dag_id=self.dag.dag_id, run_id=self.run_id):
                session.delete(run)
        with create_session() as session:
            self.dag.create_dagrun(
                run_id=self.run_id,
                run_type=DagRunType.MANUAL,
                execution_date=BEGIN,
                data_interval=(BEGIN, BEGIN),
                start_date=BEGIN,
                state=DagRunState.RUNNING,
                conf=conf,
                external_trigger=True,
                session=session,
            )

    def set_conf(self, conf: dict[str, Any]) -> None:
        with self._open() as (_, run):
            run.conf = conf

    def clear(self, tasks: Collection[str], downstream: bool = False) -> None:
        """Clear tasks as the REST API and the UI do."""
        subset = self.dag.partial_subset(list(tasks), include_downstream=downstream, include_upstream=False)
        subset.clear(task_ids=list(subset.task_dict), start_date=BEGIN, end_date=BEGIN)

    def cleared(self, tasks: Collection[str], downstream: bool) -> frozenset[str]:
        """Return which tasks are cleared."""
        return frozenset(self.dag.partial_subset(list(tasks), downstream, False).task_dict)

    def mark_task(self, task: str, state: str) -> None:
        self.dag.set_task_instance_state(
            task_id=task, run_id=self.run_id, state=TaskInstanceState(state), commit=True
        )

    def mark_run(self, state: str) -> None:
        from airflow.api.common import mark_tasks

        press = {
            "success": mark_tasks.set_dag_run_state_to_success,
            "failed": mark_tasks.set_dag_run_state_to_failed,
        }[state]
        press(dag=self.dag, run_id=self.run_id, commit=True)

    # Outcome --------------------------------------------------------------------------------------------

    def go(self, hold: Collection[str] = ()) -> tuple[str, dict[str, str]]:
        """Run what is to run; return the states of the run and of its tasks, and forget what was told before.

        :param hold: tasks that are not started.
        """
        with self._open() as (session, run):
            if run.state == DagRunState.QUEUED:
                run.state = DagRunState.RUNNING
            while run.state == DagRunState.RUNNING:
                session.expire_all()
                run.dag = self.dag
                before = self.states()
                ready, _ = run.update_state(session=session)
                session.commit()
                ready = [ti for ti in ready if ti.task_id not in hold]
                waiting = run.get_task_instances([TaskInstanceState.UP_FOR_RETRY], session=session)
                for ti in waiting:
                    ti.end_date -= timedelta(days=1)
                # Airflow skips the tasks after a skipped one step by step.
                if not (ready or waiting) and self.states() == before:
                    break
                for ti in ready:
                    ti.try_number += 1
                    ti.state = TaskInstanceState.SCHEDULED
                session.commit()
                for ti in ready:
                    ti.task = self.dag.get_task(ti.task_id)
                    with contextlib.suppress(Exception):
                        _run_task(ti=ti, session=session)
        return self.states()

    def states(self) -> tuple[str, dict[str, str]]:
        with self._open() as (session, run):
            found = run.get_task_instances(session=session)
            return str(run.state), {ti.task_id: str(ti.state) for ti in found}

    def failures(self) -> dict[str, str]:
        """Return the message of every failed task."""
        with self._open() as (session, run):
            return {
                ti.task_id: str(ti.xcom_pull(task_ids=ti.task_id, key=FAILURE, session=session))
                for ti in run.get_task_instances([TaskInstanceState.FAILED], session=session)
            }


class Kept:
    """The state of Airflow's database, to go back to."""

    def __init__(self) -> None:
        self._path = Path(os.environ["AIRFLOW_HOME"]) / "airflow.db"
        self._copy = sqlite3.connect(":memory:")
        with contextlib.closing(sqlite3.connect(self._path)) as live:
            live.backup(self._copy)

    def restore(self) -> None:
        with contextlib.closing(sqlite3.connect(self._path)) as live:
            self._copy.backup(live)
