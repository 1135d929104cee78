"""Set up Airflow's database and environment on this machine, and run its command line."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2

from local import airflow_settings, lake, services
from local.home import AIRFLOW, PROJECT, Home, Problem, port, say, shown
from local_redshift import service

DATABASE = "airflow"


def ui_port() -> int:
    """Return ``SPARKIFY_UI_PORT``: the port of Airflow's web server on this machine (default 8080)."""
    return port("SPARKIFY_UI_PORT", 8080)


def url() -> str:
    """Return the address of Airflow's web server."""
    return f"http://127.0.0.1:{ui_port()}"


def passwords(home: Home) -> Path:
    """Return the path of the file in which Airflow 3 stores the passwords of its users."""
    return home.airflow / "passwords.json"


def login(running: service.Running) -> dict[str, str]:
    """Return the connection parameters of Airflow's database, which is in the PostgreSQL behind the local Redshift."""
    return {
        "host": running.postgres_host,
        "user": running.user,
        "password": running.password,
        "dbname": DATABASE,
    }


def environment(home: Home, running: service.Running) -> dict[str, str]:
    """Return the complete environment of an Airflow process on this machine."""
    found = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "AIRFLOW"))}
    found |= airflow_settings.environment(running, home.airflow)
    database = login(running)
    found |= {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": (
            f"postgresql+psycopg2://{database['user']}:{database['password']}@/{DATABASE}?host={database['host']}"
        ),
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "SPARKIFY_POOL": airflow_settings.read()["pools"][0]["pool_name"],
        "PYTHONWARNINGS": "ignore",
    }
    if AIRFLOW == 2:
        found |= {
            # The REST API accepts the password that `make up` prints. The UI uses the session.
            "AIRFLOW__API__AUTH_BACKENDS": "airflow.api.auth.backend.basic_auth,airflow.api.auth.backend.session",
            "AIRFLOW__WEBSERVER__WORKERS": "2",
            "AIRFLOW__SCHEDULER__DAG_DIR_LIST_INTERVAL": "30",
        }
    else:
        found |= {
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords(home)),
            "AIRFLOW__API__BASE_URL": url(),
            # Tasks report their state to the API server.
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url()}/execution/",
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "30",
        }
    if note := lake.Note.read(home):
        found |= airflow_settings.schedule(note.days)
    return found


def start_process(
    home: Home, running: service.Running, arguments: list[str], log: Any
) -> subprocess.Popen[bytes]:
    """Start `python -m ARGUMENTS` in the background in Airflow's environment, and write its output to ``log``."""
    return subprocess.Popen(
        [sys.executable, "-m", *arguments],
        env=environment(home, running),
        cwd=PROJECT,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )


def command_line(home: Home, arguments: list[str]) -> int:
    """Run Airflow's own command line in the local world and return its exit code.

    :raises Problem: nothing is running.
    """
    running = services.require(home)
    prepare(home, running)
    command = [sys.executable, "-m", "airflow", *arguments]
    return subprocess.run(command, env=environment(home, running), cwd=PROJECT, check=False).returncode


def prepare(home: Home, running: service.Running) -> None:
    """Create Airflow's database and pools, once each time the services start.

    :raises Problem: Airflow could not create its database.
    """
    home.airflow.mkdir(parents=True, exist_ok=True)
    connection = psycopg2.connect(**{**login(running), "dbname": running.database})
    connection.autocommit = True
    with contextlib.closing(connection), connection.cursor() as cursor:
        cursor.execute("select 1 from pg_database where datname = %s", (DATABASE,))
        if not cursor.fetchone():
            cursor.execute(f"create database {DATABASE} template template0")
            # The server's defaults are Redshift's, but Airflow relies on PostgreSQL's.
            cursor.execute(f"alter database {DATABASE} set default_transaction_isolation to 'read committed'")
            cursor.execute(f"alter database {DATABASE} set standard_conforming_strings to on")
    with database(running) as cursor:
        # Preparation creates this table last, so an interrupted preparation is repeated.
        cursor.execute("select to_regclass('local_ready') is not null")
        if cursor.fetchone()[0]:
            return
    say("preparing Airflow's database")
    with home.run_log.open("w") as log:
        code = start_process(home, running, ["airflow", "db", "migrate"], log).wait()
    if code:
        raise Problem(
            f"Airflow could not create its database. {shown(home.run_log)} ends in:\n{tail(home.run_log)}\n"
            "Next: make down, then run the same command again",
            1,
        )
    with database(running) as cursor:
        for pool in airflow_settings.read()["pools"]:
            cursor.execute(
                "insert into slot_pool (pool, slots, description, include_deferred) values (%s, %s, %s, false)",
                (pool["pool_name"], pool["pool_slot"], pool["pool_description"]),
            )
        cursor.execute("create table local_ready ()")


@contextlib.contextmanager
def database(running: service.Running) -> Iterator[Any]:
    """Open a cursor on Airflow's database, and commit at the end."""
    connection = psycopg2.connect(**login(running))
    try:
        with connection, connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()


def tail(log: Path, lines: int = 15) -> str:
    """Return the last lines of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
