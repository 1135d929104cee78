"""Test a real scheduler, triggerer and LocalExecutor: catchup, a concurrent manual run, killed and cleared tasks."""

from __future__ import annotations

import contextlib
import decimal
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from include.sparkify.tables import STAR
from local import cli, sample, services, up
from local.airflow import database
from local.airflow_settings import buckets
from local.dataset import read_folder
from local.home import AIRFLOW, Home
from local.warehouse import query
from tests.e2e import rest
from tests.e2e.test_cli import set_free_ports
from tests.pipeline import model

DAYS = 3
DONE = {"success", "failed"}
LIMIT = 1500  # time limit for each scheduler in seconds, sufficient on two busy cores


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with three days of the sample at a tenth of its size."""
    folder = tmp_path_factory.mktemp("data")
    sample.write(folder, sample.Spec(days=DAYS, scale=0.1))
    return folder


@contextlib.contextmanager
def scheduler(home: Home, folder: Path, schedule: str = "@daily") -> Iterator[Airflow]:
    """Run `make up` on free ports, and `make down` at the end."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARKIFY_SCHEDULE", schedule)
        set_free_ports(patch)
        try:
            assert cli.main(["up", str(folder)], home) == 0
            yield Airflow(home)
        finally:
            cli.main(["down"], home)


class Airflow:
    """The Airflow of `make up`, through its REST API."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self._login = rest.login((home.airflow / "password").read_text())
        self._deadline = time.monotonic() + LIMIT

    def call(self, method: str, path: str, body: Any = None) -> Any:
        return rest.call(self._login, method, path, body)

    def states(self, dag: str = "sparkify") -> dict[str, str]:
        """Return the state of each run of a DAG."""
        return {
            run["dag_run_id"]: run["state"] for run in self.call("GET", f"/dags/{dag}/dagRuns")["dag_runs"]
        }

    def failures(self) -> dict[str, str]:
        """Return the message of each failed task, by run and task."""
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


def kill_a_task(airflow: Airflow) -> str | None:
    """Kill a process that runs a task, as the kernel does when memory runs out, and return its command line."""
    pattern = "(tasks run|task runner:?) .*sparkify .*(build|audit|stage)"
    if AIRFLOW == 3:
        running = airflow.call("GET", "/dags/sparkify/dagRuns/~/taskInstances?state=running&limit=100")
        ids = [
            task["id"]
            for task in running["task_instances"]
            if task["task_id"].startswith(("build", "audit", "stage"))
        ]
        if not ids:
            return None
        pattern = f"^airflow worker -- ({'|'.join(ids)})$"
    for process in up.processes(airflow.home):
        for child in process.children(recursive=True):
            with contextlib.suppress(psutil.Error):
                line = " ".join(child.cmdline()).strip()
                if re.search(pattern, line):
                    child.kill()
                    return line
    return None


def expected_star(folder: Path) -> dict[str, set[tuple[Any, ...]]]:
    """Return the star that the model calculates from the folder's files."""
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.json")}
    logs, documents = model.read(files)
    texts = {"artist", "song", "location", "title", "artist_name", "artist_location"}
    # In the files, names and titles that consist of digits are numbers.
    for source in (*(line for content in logs.values() for line in content), *documents.values()):
        source |= {
            field: str(source[field]) for field in texts & source.keys() if isinstance(source[field], int)
        }
    return model.star(logs, documents)


def load_by_hand(airflow: Airflow, folder: Path) -> None:
    """Trigger a manual run for all days."""
    days = read_folder(folder)
    body = {"dag_run_id": "by-hand", "conf": {"start": f"{days.start}", "end": f"{days.end}"}}
    airflow.call("POST", "/dags/sparkify/dagRuns", body | rest.NO_LOGICAL_DATE)


def unpause(airflow: Airflow) -> None:
    airflow.call("PATCH", "/dags/sparkify", {"is_paused": False})


asked_for = pytest.mark.skipif(
    "SPARKIFY_SCHEDULER_TEST" not in os.environ, reason="takes ten minutes or more on two cores"
)


@pytest.mark.slow
@asked_for
def test_the_scheduler_brings_every_day_and_a_run_by_hand_to_the_same_star(
    tmp_path: Path, folder: Path
) -> None:
    with scheduler(Home(tmp_path), folder) as airflow:
        unpause(airflow)
        load_by_hand(airflow, folder)
        killed: list[str] = []

        def kill_once() -> bool:
            if not killed and (line := kill_a_task(airflow)):
                killed.append(line)
            all_ended = len(airflow.states()) == DAYS + 1 and "running" not in airflow.states().values()
            return bool(killed) or all_ended

        airflow.wait(kill_once, "no task was seen running")
        airflow.wait(lambda: len(airflow.states()) == DAYS + 1, "not every day is scheduled")
        airflow.rest()

        assert killed
        assert airflow.failures() == {}
        assert set(airflow.states().values()) == {"success"}
        by_hand = airflow.call("GET", "/dags/sparkify/dagRuns/by-hand/taskInstances?limit=100")
        assert len(by_hand["task_instances"]) > 20, "a run without tasks is a success too"
        assert airflow.star() == expected_star(folder)
        airflow.wait(
            lambda: set(airflow.states("reports").values()) == {"success"}, "the Dataset starts no report"
        )

        # Clearing a task and its downstream tasks restarts the run.
        day = min(run for run in airflow.states() if run.startswith("scheduled"))
        body = {
            "dry_run": False,
            "dag_run_id": day,
            "task_ids": ["plan"],
            "include_downstream": True,
            "only_failed": False,
            "reset_dag_runs": True,
        }
        airflow.call("POST", "/dags/sparkify/clearTaskInstances", body)
        airflow.wait(lambda: airflow.states()[day] != "success", "the cleared run does not start")
        airflow.rest()
        assert airflow.states()[day] == "success"
        assert airflow.star() == expected_star(folder)


@pytest.mark.slow
@asked_for
def test_the_scheduler_brings_hours_and_a_run_by_hand_to_the_same_star(tmp_path: Path, folder: Path) -> None:
    with scheduler(Home(tmp_path), folder, "@hourly") as airflow:
        unpause(airflow)
        airflow.wait(lambda: len(airflow.states()) >= 4, "the first hours are not scheduled")
        hours = list(airflow.states())
        load_by_hand(airflow, folder)
        airflow.wait(
            lambda: {airflow.states()[run] for run in (*hours, "by-hand")} <= DONE, "runs do not end"
        )
        # The runs of later hours are still active, but change no row.
        assert airflow.failures() == {}
        assert airflow.states()["by-hand"] == "success"
        assert len([run for run in hours if run.startswith("scheduled__2018-11-01T0")]) >= 4
        assert airflow.star() == expected_star(folder)


@pytest.mark.slow
@asked_for
@pytest.mark.finding("W1")
@pytest.mark.finding("W10")
def test_a_corrected_file_and_a_schedule_that_changes_in_the_day_lose_no_play(
    tmp_path: Path, folder: Path
) -> None:
    """Hourly runs refuse the first day's file. A corrected file arrives, and the schedule becomes daily. Airflow then
    creates no run for the first day, and the next day's run loads it."""
    home, key = Home(tmp_path), "log_data/2018/11/2018-11-01-events.json"
    with scheduler(home, folder, "@hourly") as airflow:
        s3, (bucket, _) = services.require(home).client("s3"), buckets()
        good = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        s3.put_object(Bucket=bucket, Key=key, Body=good + b"\nthis is not JSON" * 1000)
        unpause(airflow)
        airflow.wait(lambda: "failed" in airflow.states().values(), "no hour has failed")
        airflow.call("PATCH", "/dags/sparkify", {"is_paused": True})
        up.stop(home)
        hourly = set(airflow_runs(home))
        s3.put_object(Bucket=bucket, Key=key, Body=good)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SPARKIFY_SCHEDULE", "@daily")
            assert cli.main(["up", str(folder)], home) == 0
            airflow = Airflow(home)
            unpause(airflow)
            airflow.wait(
                lambda: any("2018-11-03" in run for run in airflow.states()), "the last day is not scheduled"
            )
            airflow.rest()

        daily = set(airflow.states()) - hourly
        assert not any("2018-11-01" in run for run in daily), "Airflow has created a run of the first day"
        assert {airflow.states()[run] for run in daily} == {"success"}
        assert airflow.star() == expected_star(folder)


def airflow_runs(home: Home) -> list[str]:
    """Return the IDs of the pipeline's runs from Airflow's database."""
    with database(services.require(home)) as cursor:
        cursor.execute("select run_id from dag_run where dag_id = 'sparkify'")
        return [run for (run,) in cursor.fetchall()]
