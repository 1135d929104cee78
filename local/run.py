"""`make run`: load a dataset through the DAG, without a scheduler, and show the result."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from local import airflow, report, services, up, warehouse
from local.dataset import choose_folder
from local.home import Home, Problem, clear_line, say, shown
from local_redshift import service

LOAD, REPORTS = "sparkify", "reports"
# The printed text for each final state of a task attempt.
ENDED = {"success": "ok", "failed": "FAILED", "up_for_retry": "failed, will be tried again"}
# SQL: the name of a task instance, with its index if the task is mapped.
TASK_NAME = "task_id || case when map_index < 0 then '' else '[' || map_index || ']' end"
# Key of the XCom with the message of a failed task, which include/sparkify/tasks/notify.py writes.
FAILURE = "failure"


def load(home: Home, folder: str | None) -> None:
    """Load a folder, or the sample month, through the DAG and print the result.

    :raises Problem: Airflow is up, the folder cannot be loaded, or a task failed.
    """
    if up.processes(home):
        raise Problem(
            f"Airflow is up on {airflow.url()}, and two runs at once would wait for each other.\n"
            "Next: unpause or trigger the DAG there, or run make down first"
        )
    began = time.monotonic()
    data = choose_folder(home, folder)
    running = services.start(home, data, airflow_is_up=False)
    airflow.prepare(home, running)
    say(f"running DAG {LOAD} for {data.start} up to and including {data.last_day}")
    params = {"start": data.start.isoformat(), "end": data.end.isoformat()}
    # Identify a new run by its number, because the names of runs differ between Airflow 2 and 3.
    before = {dag_id: newest_run(running, dag_id)[0] for dag_id in (LOAD, REPORTS)}
    with start_runs(home, running, params) as process:
        result = follow(home, running, process, LOAD, before[LOAD])
        problem = result.problem
        if result.published or not problem:
            say(f"running DAG {REPORTS}, which adds what its tables do not show yet")
            reported = follow(home, running, process, REPORTS, before[REPORTS])
            problem = problem or reported.problem
    if result.problem and not result.published:
        raise result.problem
    if not result.published:
        say("nothing is new in the lake: the star is unchanged")
    warehouse.print_counts(running)
    report.print_checks(running, result.run_id)
    if problem:
        raise problem
    say(f"\ndone in {time.monotonic() - began:.0f} s. Next:")
    say("  make listening  what people listen to, a page for the browser")
    say("  make report     this run as such a page")
    say('  make query SQL="select * from sparkify.songplays limit 5"')
    say('  make query SQL="select * from reports.daily order by day"')
    say("  make up      Airflow's pages, with this run")
    say(f"  less {shown(home.run_log)}")
    say("  make down    stop everything and delete the loaded data")


def newest_run(running: service.Running, dag_id: str) -> tuple[int, str, str]:
    """Return the number, run_id and state of a DAG's newest run, or the number 0 if the DAG has no run."""
    with airflow.database(running) as cursor:
        cursor.execute(
            "select id, run_id, state from dag_run where dag_id = %s order by id desc limit 1", (dag_id,)
        )
        return cursor.fetchone() or (0, "", "")


def task_states(running: service.Running, dag_id: str, run_id: str) -> dict[str, str]:
    """Return the state of each task of a run, in the order in which the tasks ended. Omit tasks without a state."""
    with airflow.database(running) as cursor:
        cursor.execute(
            f"select {TASK_NAME}, state from task_instance"
            " where dag_id = %s and run_id = %s and state is not null order by end_date, task_id",
            (dag_id, run_id),
        )
        return dict(cursor.fetchall())


@dataclass(frozen=True)
class Result:
    """The outcome of a DAG run."""

    run_id: str
    published: bool
    problem: Problem | None
    """None if the run succeeded.

    Otherwise, its message contains each failed task with its error, the log and the next step.
    """


@contextlib.contextmanager
def start_runs(
    home: Home, running: service.Running, params: dict[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """Run the load with these params, and the reports unless it fails, in another process (local/dag_runs.py)."""
    with home.run_log.open("w") as log:
        process = airflow.start_process(home, running, ["local.dag_runs", json.dumps(params)], log)
        try:
            yield process
        except BaseException:
            process.terminate()
            raise
        finally:
            process.wait()


def follow(
    home: Home, running: service.Running, process: subprocess.Popen[bytes], dag_id: str, before: int
) -> Result:
    """Print the final state of each task of a DAG's run until the run or its process ends.

    :param before: the number of the DAG's previous run.
    """
    began = time.monotonic()
    run_id = ""
    printed: dict[str, str] = {}
    ended = False
    while not ended:
        # Wait before reading the states, so that the last read comes after the process has ended.
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.3)
            ended = True
        number, newest, state = newest_run(running, dag_id)
        if number > before:
            run_id = newest
            ended = ended or state in ("success", "failed")
        states = task_states(running, dag_id, run_id)
        for name, state in states.items():
            if state in ENDED and printed.get(name) != state:
                clear_line()
                say(f"  {time.monotonic() - began:6.1f} s  {name:<38} {ENDED[state]}")
            printed[name] = state
        show_running(states)
    clear_line()
    for state, words in {"skipped": "were skipped", "upstream_failed": "did not run"}.items():
        count = sum(found == state for found in states.values())
        if count:
            say(f"{'':12}{count} tasks {words}")
    failed = [name for name, state in states.items() if state == "failed"]
    published = states.get("publish") == "success"
    problem = None
    if process.poll() or failed:
        problem = Problem(describe_failure(home, running, dag_id, run_id, failed, published), 1)
    return Result(run_id, published, problem)


def show_running(states: dict[str, str]) -> None:
    """Show the running tasks, but only on a terminal."""
    if sys.stderr.isatty():
        working = ", ".join(name for name, state in states.items() if state in ("running", "deferred"))
        clear_line()
        sys.stderr.write(f"  … {working:.90}" if working else "")
        sys.stderr.flush()


def task_errors(running: service.Running, run_id: str) -> dict[str, str]:
    """Return the message of each failed task of a run."""
    with airflow.database(running) as cursor:
        cursor.execute(
            f"select {TASK_NAME}, value from xcom where run_id = %s and key = %s", (run_id, FAILURE)
        )
        return {task: as_message(value) for task, value in cursor.fetchall()}


def as_message(value: Any) -> str:
    """Return the text of an XCom: JSON in bytes on Airflow 2, in a JSON column on Airflow 3."""
    return value if isinstance(value, str) else str(json.loads(bytes(value)))


def describe_failure(
    home: Home, running: service.Running, dag_id: str, run_id: str, failed: list[str], published: bool
) -> str:
    """Return the message for a run that failed."""
    log = shown(home.run_log)
    if not failed:
        return (
            f"Airflow stopped before the run was complete. {log} ends in:\n{airflow.tail(home.run_log)}\n\n"
            "Next: if it names a DAG file, fix that file and run the same command again; make check tests every import"
        )
    errors = task_errors(running, run_id)
    parts = [f"task {name} failed:\n{errors.get(name) or airflow.tail(home.run_log)}" for name in failed]
    if any("stl_load_errors" in part for part in parts):
        parts.append("\n  ".join(["stl_load_errors has:", *warehouse.load_errors(running)]))
    if dag_id == REPORTS:
        state = f"The star is published, and the report tables are {'updated' if published else 'unchanged'}"
    else:
        state = "The other files are published" if published else "The published tables are unchanged"
    return "\n\n".join(parts) + (
        f"\n\n{state}. Log: {log}\n"
        "Next: fix the problem that the message names, then run the same command again; it continues from what is"
        " loaded.\n"
        "      make report            the run as a page: input, rejected lines, every check\n"
        "      make down && make run  start again with an empty lake and warehouse"
    )
