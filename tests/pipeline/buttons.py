"""Press Airflow's buttons (clear, mark, delete) on one run of a DAG, in one process, on Airflow 2 and 3.

After a press, the tasks that are due run in the scheduler's order, by the scheduler's own rules.
"""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.models import DagRun
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState, TaskInstanceState

from include.sparkify import run_plan
from include.sparkify.tasks.notify import FAILURE
from tests import running

if AIRFLOW_V_3_0_PLUS:
    from airflow.sdk.definitions.dag import _run_task
else:
    from airflow.models.dag import _run_task

# Each of our error messages names the next step in one of these ways.
NEXT_STEP = re.compile("clear the task `plan`|Next: ")
BEGIN = datetime(2027, 1, 1, tzinfo=UTC)


class Run:
    """One run of a DAG, and the buttons on it."""

    def __init__(self, dag: Any, run_id: str = "by-hand") -> None:
        self.dag, self.run_id = dag, run_id
        # The scheduler and the buttons use this form of the DAG.
        self.scheduled = dag
        if AIRFLOW_V_3_0_PLUS:
            self.scheduled = running.as_scheduled(dag)
            # The scheduler lets another process call the callbacks. Here, call them directly, like dag.test().
            self.scheduled.on_success_callback = dag.on_success_callback
            self.scheduled.on_failure_callback = dag.on_failure_callback

    @contextlib.contextmanager
    def _open(self) -> Iterator[tuple[Any, Any]]:
        with create_session() as session:
            run = session.query(DagRun).filter_by(dag_id=self.dag.dag_id, run_id=self.run_id).one()
            run.dag = self.scheduled
            yield session, run

    # Buttons ----------------------------------------------------------------------------------------------

    def trigger(self, conf: dict[str, Any]) -> None:
        """Create the run. Replace an earlier run with the same ID."""
        run_plan._known.clear()
        with create_session() as session:
            for run in session.query(DagRun).filter_by(dag_id=self.dag.dag_id, run_id=self.run_id):
                session.delete(run)
        with create_session() as session:
            running.create_run(self.scheduled, BEGIN, session, run_id=self.run_id, conf=conf)

    def set_conf(self, conf: dict[str, Any]) -> None:
        with self._open() as (_, run):
            run.conf = conf

    def clear(self, tasks: Collection[str], downstream: bool = False) -> None:
        """Clear tasks as the REST API and the UI do."""
        which = {"run_id": self.run_id} if AIRFLOW_V_3_0_PLUS else {"start_date": BEGIN, "end_date": BEGIN}
        self.scheduled.clear(task_ids=self.cleared(tasks, downstream), **which)

    def cleared(self, tasks: Collection[str], downstream: bool) -> list[str]:
        """Return the IDs of the tasks that `clear` would clear."""
        return sorted(self.scheduled.partial_subset(list(tasks), downstream, False).task_dict)

    def mark_task(self, task: str, state: str) -> None:
        self.scheduled.set_task_instance_state(
            task_id=task, run_id=self.run_id, state=TaskInstanceState(state), commit=True
        )

    def mark_run(self, state: str) -> None:
        from airflow.api.common import mark_tasks

        press = {
            "success": mark_tasks.set_dag_run_state_to_success,
            "failed": mark_tasks.set_dag_run_state_to_failed,
        }[state]
        press(dag=self.scheduled, run_id=self.run_id, commit=True)

    # Outcome --------------------------------------------------------------------------------------------

    def go(self, hold: Collection[str] = ()) -> tuple[str, dict[str, str]]:
        """Run all tasks that are ready, until no more tasks become ready. Return the states of the run and of its
        tasks.

        :param hold: tasks that are not started.
        """
        with self._open() as (session, run):
            if run.state == DagRunState.QUEUED:
                run.state = DagRunState.RUNNING
            while run.state == DagRunState.RUNNING:
                session.expire_all()
                run.dag = self.scheduled
                before = self.states()
                ready, _ = run.update_state(session=session)
                session.commit()
                ready = [ti for ti in ready if ti.task_id not in hold]
                waiting = run.get_task_instances([TaskInstanceState.UP_FOR_RETRY], session=session)
                for ti in waiting:
                    ti.end_date -= timedelta(days=1)
                # Airflow skips the tasks downstream of a skipped one step by step.
                if not (ready or waiting) and self.states() == before:
                    break
                for ti in ready:
                    ti.try_number += 1
                    ti.state = TaskInstanceState.SCHEDULED
                session.commit()
                for ti in ready:
                    self._start(ti, session)
        return self.states()

    def _start(self, ti: Any, session: Any) -> None:
        task = self.dag.get_task(ti.task_id)
        if AIRFLOW_V_3_0_PLUS:
            _run_task(ti=ti, task=task)
            return
        ti.task = task
        with contextlib.suppress(Exception):
            _run_task(ti=ti, session=session)

    def states(self) -> tuple[str, dict[str, str]]:
        with self._open() as (session, run):
            found = run.get_task_instances(session=session)
            return str(run.state), {ti.task_id: str(ti.state) for ti in found}

    def failures(self) -> dict[str, str]:
        """Return the message of every failed task."""
        with self._open() as (session, run):
            found: dict[str, str] = {}
            for ti in run.get_task_instances([TaskInstanceState.FAILED], session=session):
                text = ti.xcom_pull(
                    task_ids=ti.task_id, key=FAILURE, map_indexes=ti.map_index, session=session
                )
                # A mapped task may have several messages. Prefer one without a next step.
                if ti.task_id not in found or not NEXT_STEP.search(str(text)):
                    found[ti.task_id] = str(text)
            return found


class Kept:
    """A copy of Airflow's database that can be restored."""

    def __init__(self) -> None:
        self._path = Path(os.environ["AIRFLOW_HOME"]) / "airflow.db"
        self._copy = sqlite3.connect(":memory:")
        with contextlib.closing(sqlite3.connect(self._path)) as live:
            live.backup(self._copy)

    def restore(self) -> None:
        with contextlib.closing(sqlite3.connect(self._path)) as live:
            self._copy.backup(live)
        # In production, a try has its own process, and no later try has its number. Here, both recur: clear the cache.
        run_plan._known.clear()
