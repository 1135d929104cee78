"""`make up`: run Airflow's scheduler, triggerer and web server beside the local services."""

from __future__ import annotations

import contextlib
import json
import secrets
import subprocess
import sys
import time
import urllib.request

import psutil
from tqdm import tqdm

from local import airflow, lake, services
from local.dataset import choose_folder
from local.home import AIRFLOW, Home, Problem, say, shown
from local_redshift import service

DAG_ID = "sparkify"
HEALTH = "health" if AIRFLOW == 2 else "api/v2/monitor/health"
TIMEOUT = 300
"""Seconds until Airflow must be up. It imports every DAG first, and the machine may be busy."""


def commands() -> dict[str, list[str]]:
    """Return the command of each of Airflow's processes, by name."""
    # They share one log folder, so none needs a log server, which would listen on every address.
    found = {name: [name, "--skip-serve-logs"] for name in ("scheduler", "triggerer")}
    if AIRFLOW == 2:
        found["webserver"] = ["webserver", "--hostname", "127.0.0.1", "--port", str(airflow.ui_port())]
    else:
        found["dag-processor"] = ["dag-processor"]
        found["api-server"] = ["api-server", "--host", "127.0.0.1", "--port", str(airflow.ui_port())]
    return found


def start(home: Home, folder: str | None) -> None:
    """Start Airflow beside the services, with the DAG paused.

    :raises Problem: a port is in use, or Airflow does not start.
    """
    if processes(home):
        say(f"Airflow is up already: {airflow.url()} (make down stops it)")
        return
    services.check_free(airflow.ui_port(), "SPARKIFY_UI_PORT")
    note = lake.Note.read(home)
    if not folder and note and service.status(home.services) and note.identity["folder"] != str(home.sample):
        # If no folder is named, continue with the folder that the lake holds.
        folder = note.identity["folder"]
    data = choose_folder(home, folder)
    running = services.start(home, data, airflow_is_up=False)
    airflow.prepare(home, running)
    password = create_user(home, running)
    started = []
    for name, arguments in commands().items():
        with (home.airflow / f"{name}.log").open("w") as log:
            process = airflow.start_process(home, running, ["airflow", *arguments], log)
        started.append((process.pid, psutil.Process(process.pid).create_time()))
        home.airflow_note.write_text(json.dumps(started))
    say("starting Airflow's scheduler, triggerer and web server")
    try:
        wait_until_up(home, running)
    except BaseException:
        stop(home)
        raise
    say(f"\nAirflow is up: {airflow.url()}   user admin, password {password} (pages and REST API)")
    say(
        f"DAG {DAG_ID} is paused. Unpause the DAG to load {data.start} to {data.last_day}, with one run per day."
    )
    say(f"Or trigger the DAG with start {data.start} and end {data.end} to load all days in one run.")
    say(f"logs: {shown(home.airflow)}/*.log   stop everything: make down")


def create_user(home: Home, running: service.Running) -> str:
    """Create Airflow's administrator, once each time the services start, and return the password.

    :raises Problem: Airflow could not create the user.
    """
    note = home.airflow / "password"
    if AIRFLOW > 2:
        if not note.exists():
            for path in (note, airflow.passwords(home)):
                path.touch(mode=0o600)
            note.write_text(secrets.token_urlsafe(9))
            airflow.passwords(home).write_text(json.dumps({"admin": note.read_text()}))
        return note.read_text()
    with airflow.database(running) as cursor:
        cursor.execute("select to_regclass('ab_user') is not null")
        exists = cursor.fetchone()[0]
        if exists:
            cursor.execute("select count(*) from ab_user")
            exists = cursor.fetchone()[0]
    if exists and note.exists():
        return note.read_text()
    note.touch(mode=0o600)
    note.write_text(secrets.token_urlsafe(9))
    names = (
        "--username admin --role Admin --firstname Local --lastname Admin --email admin@example.com".split()
    )
    done = subprocess.run(
        # Option and value are one argument, because a password may begin with a dash.
        [sys.executable, "-m", "airflow", "users", "create", *names, f"--password={note.read_text()}"],
        env=airflow.environment(home, running),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Problem(
            f"Airflow could not create its user:\n{done.stderr.strip()[-2000:]}\nNext: make down, make up", 1
        )
    return note.read_text()


def wait_until_up(home: Home, running: service.Running) -> None:
    """Wait until the web server, scheduler and triggerer are healthy and the database lists the DAG.

    :raises Problem: a process ended, the DAG cannot be imported, or the start takes too long.
    """
    wanted, deadline = commands().keys(), time.monotonic() + TIMEOUT
    is_known = "is_active" if AIRFLOW == 2 else "not is_stale"
    with tqdm(total=4, desc="waiting", unit="", disable=None, leave=False) as bar:
        while True:
            if len(processes(home)) < len(wanted):
                logs = [
                    f"{name}.log: {(home.airflow / f'{name}.log').read_text()[-800:]}"
                    for name in sorted(wanted)
                ]
                raise Problem("Airflow ended while starting:\n" + "\n".join(logs), 1)
            healthy = healthy_parts()
            with airflow.database(running) as cursor:
                cursor.execute(f"select count(*) from dag where dag_id = %s and {is_known}", (DAG_ID,))
                known = cursor.fetchone()[0]
                cursor.execute("select filename, stacktrace from import_error")
                broken = cursor.fetchall()
            if broken and not known:
                raise Problem("\n".join(f"{name} does not import:\n{trace}" for name, trace in broken), 1)
            bar.update(healthy + known - bar.n)
            if healthy + known == 4:
                return
            if time.monotonic() > deadline:
                raise Problem(
                    f"Airflow is not up after {TIMEOUT} s.\nNext: see {shown(home.airflow)}/*.log", 1
                )
            time.sleep(0.5)


def healthy_parts() -> int:
    """Return how many of the web server, scheduler and triggerer are healthy."""
    try:
        with urllib.request.urlopen(f"{airflow.url()}/{HEALTH}", timeout=5) as answer:
            parts = json.load(answer)
    except (OSError, ValueError):
        return 0
    return 1 + sum(parts.get(name, {}).get("status") == "healthy" for name in ("scheduler", "triggerer"))


def processes(home: Home) -> list[psutil.Process]:
    """Return the running processes that `make up` started."""
    found = []
    with contextlib.suppress(FileNotFoundError):
        for number, began in json.loads(home.airflow_note.read_text()):
            with contextlib.suppress(psutil.NoSuchProcess):
                process = psutil.Process(number)
                # Another program may have this process ID by now.
                if process.create_time() == began and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
    return found


def stop(home: Home) -> int:
    """Stop Airflow's processes and their children, and return the number of main processes."""
    main = processes(home)
    every = [child for process in main for child in [process, *process.children(recursive=True)]]
    for process in every:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    _, stubborn = psutil.wait_procs(every, 15)
    for process in stubborn:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(stubborn, 5)
    home.airflow_note.unlink(missing_ok=True)
    return len(main)
