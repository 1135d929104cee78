"""Check the running containers after `astro dev start`: the DAGs, a scheduled run, a manual run of the month, and rows.

    python -m tests.containers [--airflow http://127.0.0.1:8080] [--redshift-port 15439] [--minutes 20]

It uses the interfaces that a person uses: Airflow's REST API and the published port of the local Redshift.
"""

from __future__ import annotations

import argparse
import base64
import sys
import time
import urllib.error
from typing import Any

import redshift_connector

from include.sparkify.tables import STAR
from local import airflow_settings
from local.home import AIRFLOW, PROJECT
from tests.e2e.rest import NO_LOGICAL_DATE, VERSION, send

# `astro dev start` creates this user. On Airflow 3, it gives everyone an administrator's token.
LOGIN = "Basic " + base64.b64encode(b"admin:admin").decode()
API = f"/api/{VERSION}"
DAG_FILES = len(list((PROJECT / "dags").glob("*.py")))
MONTH = {"start": "2018-11-01", "end": "2018-12-01"}


class Airflow:
    """A client of Airflow's REST API that retries until the deadline."""

    def __init__(self, url: str, deadline: float) -> None:
        """:param deadline: a reading of time.monotonic()."""
        self.url, self.deadline = url, deadline
        self.login = LOGIN
        if AIRFLOW == 3:
            self.login = f"Bearer {self.call('GET', '/auth/token')['access_token']}"

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Return the response to a request. Retry while the web server is not available."""
        while True:
            try:
                return send(method, f"{self.url}{path}", body, self.login)
            except urllib.error.HTTPError as error:
                # A POST that got a response must not be repeated.
                if error.code < 500 or method == "POST":
                    sys.exit(f"{method} {path}: {error.code} {error.read().decode()[:500]}")
            except OSError as error:
                print(f"{method} {path}: {error}", flush=True)
            self.pause(f"{method} {path} got no answer")

    def pause(self, state: str) -> None:
        """Wait a moment. At the deadline, exit with the last known state."""
        if time.monotonic() > self.deadline:
            sys.exit(f"no time left: {state}")
        time.sleep(5)

    def wait_for_dags(self) -> None:
        """Wait until Airflow has parsed all DAG files without import errors."""
        while True:
            files = {dag["fileloc"] for dag in self.call("GET", f"{API}/dags?limit=100")["dags"]}
            errors = [one["filename"] for one in self.call("GET", f"{API}/importErrors")["import_errors"]]
            if len(files) == DAG_FILES and not errors:
                return print(f"{len(files)} DAG files, no import error", flush=True)
            self.pause(f"{len(files)} of {DAG_FILES} DAG files; import errors in {errors}")

    def wait_for_run(self, run_id: str) -> None:
        """Wait for the end of a run of `sparkify`. Exit unless it succeeded and had tasks."""
        path = f"{API}/dags/sparkify/dagRuns/{run_id}"
        while (state := self.call("GET", path)["state"]) not in ("success", "failed"):
            self.pause(f"{run_id} is {state}")
        tasks = self.call("GET", f"{path}/taskInstances?limit=100")["task_instances"]
        print(f"{run_id}: {state} with {len(tasks)} tasks", flush=True)
        if state != "success" or not tasks:
            sys.exit(f"{run_id} failed in {[task['task_id'] for task in tasks if task['state'] == 'failed']}")

    def first_scheduled_run(self) -> str:
        """Wait for the first scheduled run, and return its ID."""
        while True:
            runs = self.call("GET", f"{API}/dags/sparkify/dagRuns?order_by=start_date&limit=100")["dag_runs"]
            for run in runs:
                if run["run_type"] == "scheduled":
                    return run["dag_run_id"]
            self.pause("no scheduled run")


def check_rows(port: int) -> None:
    """Print the number of rows of each table in the star. Exit if a table is empty."""
    options = airflow_settings.service_options()
    with redshift_connector.connect(
        host="127.0.0.1",
        port=port,
        user=options.user,
        password=options.password,
        database=options.database,
        ssl=False,
    ) as connection:
        cursor = connection.cursor()
        for table in STAR:
            cursor.execute(f"select count(*) from sparkify.{table}")
            ((rows,),) = cursor.fetchall()
            print(f"{table} {rows}", flush=True)
            if not rows:
                sys.exit(f"sparkify.{table} is empty")


def main() -> None:
    """Run all checks in the order of a newcomer's steps."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--airflow", default="http://127.0.0.1:8080")
    parser.add_argument("--redshift-port", type=int, default=15439)
    parser.add_argument("--minutes", type=float, default=20)
    given = parser.parse_args()
    airflow = Airflow(given.airflow, time.monotonic() + given.minutes * 60)
    airflow.wait_for_dags()
    airflow.call("PATCH", f"{API}/dags/sparkify", {"is_paused": False})
    airflow.wait_for_run(airflow.first_scheduled_run())
    request = {"conf": MONTH, **NO_LOGICAL_DATE}
    airflow.wait_for_run(airflow.call("POST", f"{API}/dags/sparkify/dagRuns", request)["dag_run_id"])
    check_rows(given.redshift_port)


if __name__ == "__main__":
    main()
