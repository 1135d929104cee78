"""Test that no run of the cluster's DAGs waits forever or until a person unpauses the DAG."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.running import dag_of


@pytest.mark.parametrize("dag_id", ["provision", "pause", "resume", "teardown"])
def test_every_wait_is_bounded(dag_id: str) -> None:
    dag = dag_of(dag_id)
    assert dag.is_paused_upon_creation is False
    assert dag.dagrun_timeout
    for task in dag.tasks:
        assert task.execution_timeout, task.task_id
        # A waiting task reaches its own timeout, whose message names what it waited for, before the run's timeout.
        wait = timedelta(seconds=getattr(task, "timeout", 0))
        assert max(task.execution_timeout, wait) < dag.dagrun_timeout, task.task_id
