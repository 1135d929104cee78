"""Callbacks that no task process can run: Airflow 3's scheduler requests them, and its DAG processor runs them."""

from __future__ import annotations

import io
import selectors
import signal
import time
import types
from pathlib import Path
from typing import Any

from tests.running import DAGS


def of_dead_worker(task_instance: Any, session: Any) -> Any:
    """Return the scheduler's callback request for a running task instance that no longer sends heartbeats."""
    from airflow.jobs.job import Job
    from airflow.jobs.scheduler_job_runner import SchedulerJobRunner

    asked: list[Any] = []
    executor: Any = types.SimpleNamespace(
        name="", send_callback=asked.append, change_state=lambda *_, **__: None
    )
    scheduler = SchedulerJobRunner(Job(), executors=[executor])
    scheduler._purge_task_instances_without_heartbeats([task_instance], session=session)
    return asked[0]


def run_callbacks(dag_id: str, *requests: Any, seconds: float = 60) -> None:
    """Run callbacks of a DAG in a DAG processor.

    :raises TimeoutError: the callbacks have not ended after ``seconds``.
    """
    import structlog
    from airflow.dag_processing.manager import DagFileInfo, DagFileProcessorManager

    manager = DagFileProcessorManager(max_runs=1, selector=selectors.DefaultSelector())
    file = DagFileInfo(rel_path=Path(f"{dag_id}.py"), bundle_name="dags-folder", bundle_path=DAGS)
    manager._callback_to_execute[file] = list(requests)
    manager._get_logger_for_dag_file = lambda _: (structlog.get_logger(), io.BytesIO())  # type: ignore[method-assign]
    process = manager._create_process(file)
    ends = time.monotonic() + seconds
    while not process.is_ready:
        manager._service_processor_sockets(timeout=1)
        if time.monotonic() > ends:
            process.kill(signal.SIGKILL)
            raise TimeoutError(f"the callbacks of {dag_id} have not ended after {seconds} seconds")
