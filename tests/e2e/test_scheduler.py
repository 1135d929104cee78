"""A real scheduler, triggerer and LocalExecutor: catch-up, a manual run beside it, a killed task, a cleared task."""

from __future__ import annotations

import contextlib
import decimal
import os
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from include.sparkify.tables import STAR
from local import cli, sample, services, up
from local.dataset import read_folder
from local.home import Home
from local.warehouse import query
from tests.e2e import rest
from tests.pipeline import model

DAYS = 3
LIMIT = 900  # seconds for all that the scheduler does here, on two busy cores


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three days of a tenth of the sample."""
    folder = tmp_path_factory.mktemp("data")
    sample.write(folder, sample.Spec(days=DAYS, scale=0.1))
    return folder


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Iterator[Airflow]:
    home = Home(tmp_path_factory.mktemp("local"))
    with pytest.MonkeyPatch.context() as patch:
        for name in ("SPARKIFY_AWS_PORT", "SPARKIFY_REDSHIFT_PORT", "SPARKIFY_UI_PORT"):
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                patch.setenv(name, str(probe.getsockname()[1]))
        try:
            assert cli.main(["up", str(folder)], home) == 0
            yield Airflow(home)
        finally:
            cli.main(["down"], home)


class Airflow:
    """The REST API of `make up`."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self._login = rest.login((home.airflow / "password").read_text())
        self._deadline = time.monotonic() + LIMIT

    def call(self, method: str, path: str, body: Any = None) -> Any:
        return rest.call(self._login, method, path, body)

    def states(self, dag: str = "sparkify") -> dict[str, str]:
        """The state of every run of a DAG."""
        return {
            run["dag_run_id"]: run["state"] for run in self.call("GET", f"/dags/{dag}/dagRuns")["dag_runs"]
        }

    def failures(self) -> dict[str, str]:
        """The message of every failed task, by run and task."""
        found = {}
        for run, state in self.states().items():
            path = f"/dags/sparkify/dagRuns/{run}/taskInstances"
            for task in self.call("GET", f"{path}?limit=100")["task_instances"] if state == "failed" else []:
                if task["state"] == "failed":
                    entry = self.call("GET", f"{path}/{task['task_id']}/xcomEntries/failure")
                    found[f"{run} {task['task_id']}"] = entry["value"]
        return found

    def wait(self, is_done: Any, what: str) -> None:
        while not is_done():
            assert time.monotonic() < self._deadline, f"{what}: {self.states()}"
            time.sleep(2)

    def rest(self) -> None:
        """Wait until no run of the pipeline or of the reports is active."""
        busy = {"queued", "running"}
        self.wait(
            lambda: not busy & {*self.states().values(), *self.states("reports").values()}, "runs do not end"
        )

    def star(self) -> dict[str, set[tuple[Any, ...]]]:
        running = services.require(self.home)
        return {
            table: {tuple(map(plain, row)) for row in query(running, f"select * from sparkify.{table}")[1]}
            for table in STAR
        }


def plain(value: Any) -> Any:
    return float(value) if isinstance(value, decimal.Decimal) else value


def kill_a_task(home: Home) -> str | None:
    """Kill a process that runs a task of the pipeline, as the kernel does when memory is short; its command line."""
    for process in up.processes(home):
        for child in process.children(recursive=True):
            with contextlib.suppress(psutil.Error):
                line = " ".join(child.cmdline())
                if re.search(r"(tasks run|task runner:?) .*sparkify .*(build|audit|stage)", line):
                    child.kill()
                    return line
    return None


@pytest.mark.slow
@pytest.mark.skipif(
    "SPARKIFY_SCHEDULER_TEST" not in os.environ, reason="takes ten minutes or more on two cores"
)
def test_the_scheduler_brings_every_day_and_the_month_to_the_same_star(
    airflow: Airflow, folder: Path
) -> None:
    month = read_folder(folder)
    airflow.call("PATCH", "/dags/sparkify", {"is_paused": False})
    body = {"dag_run_id": "by-hand", "conf": {"start": f"{month.start}", "end": f"{month.end}"}}
    body |= rest.NO_LOGICAL_DATE
    airflow.call("POST", "/dags/sparkify/dagRuns", body)
    killed: list[str] = []

    def kill_once() -> bool:
        if not killed and (line := kill_a_task(airflow.home)):
            killed.append(line)
        return (
            bool(killed) or len(airflow.states()) == DAYS + 1 and "running" not in airflow.states().values()
        )

    airflow.wait(kill_once, "no task was seen running")
    airflow.wait(lambda: len(airflow.states()) == DAYS + 1, "not every day is scheduled")
    airflow.rest()

    assert killed
    assert airflow.failures() == {}
    assert set(airflow.states().values()) == {"success"}
    tasks = airflow.call("GET", "/dags/sparkify/dagRuns/by-hand/taskInstances?limit=100")["task_instances"]
    assert len(tasks) > 40, "a run without tasks is a success too"
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.json")}
    logs, documents = model.read(files)
    # All-digit names and titles are numbers in the files.
    for source in (*(line for content in logs.values() for line in content), *documents.values()):
        for field in {
            "artist",
            "song",
            "location",
            "title",
            "artist_name",
            "artist_location",
        } & source.keys():
            if isinstance(source[field], int):
                source[field] = str(source[field])
    expected = model.star(logs, documents)
    assert airflow.star() == expected
    assert set(airflow.states("reports").values()) == {"success"}, "the Dataset starts them"

    # A cleared task, with everything downstream, starts the run over.
    (day,) = [
        run["dag_run_id"]
        for run in airflow.call("GET", "/dags/sparkify/dagRuns")["dag_runs"]
        if run["run_type"] == "scheduled" and run["logical_date"].startswith(str(month.start))
    ]
    body = {
        "dry_run": False,
        "dag_run_id": day,
        "task_ids": ["plan"],
        "include_downstream": True,
        "only_failed": False,
    }
    airflow.call("POST", "/dags/sparkify/clearTaskInstances", body)
    airflow.wait(lambda: airflow.states()[day] != "success", "the cleared run does not start")
    airflow.rest()
    assert airflow.states()[day] == "success"
    assert airflow.star() == expected
