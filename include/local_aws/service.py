"""Start, stop and find the local services from Python; `serve` itself runs detached, its log beside its state."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg2

_PROJECT = Path(__file__).resolve().parents[2]


class ServiceError(RuntimeError):
    """The services did not start or stop; str() ends in the tail of their log."""


@dataclass(frozen=True)
class Running:
    """Where the local services answer, on this machine."""

    pid: int
    aws_endpoint: str
    redshift_port: int
    user: str
    password: str
    database: str


def _log(home: Path) -> Path:
    return home / "local_aws.log"


def _tail(home: Path) -> str:
    with contextlib.suppress(FileNotFoundError):
        return "\n".join(_log(home).read_text(errors="replace").splitlines()[-15:])
    return "(no log)"


def _recorded(home: Path) -> Running | None:
    """What local_aws.json says, if its process is there."""
    try:
        running = Running(**json.loads((home / "local_aws.json").read_text()))
        os.kill(running.pid, 0)
    except (FileNotFoundError, ProcessLookupError):
        return None
    return running


def _answers(running: Running) -> bool:
    try:
        urllib.request.urlopen(f"{running.aws_endpoint}/moto-api/data.json", timeout=30).read()
        psycopg2.connect(
            host="127.0.0.1",
            port=running.redshift_port,
            user=running.user,
            password=running.password,
            dbname=running.database,
            connect_timeout=30,
        ).close()
    except (OSError, psycopg2.Error):
        return False
    return True


@contextlib.contextmanager
def _one_at_a_time(home: Path) -> Iterator[None]:
    home.mkdir(parents=True, exist_ok=True)
    with (home / "start.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def status(home: Path) -> Running | None:
    """The services that run with their state in `home` and answer, or None."""
    running = _recorded(home)
    return running if running is not None and _answers(running) else None


def start(home: Path, aws_port: int = 5566, redshift_port: int = 5439) -> Running:
    """Start the services, or find those already alive in `home`. Raises ServiceError."""
    with _one_at_a_time(home):
        if (running := status(home)) is not None:
            return running
        if _recorded(home) is not None:
            _end(home)
        with _log(home).open("wb") as log:
            process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "include.local_aws", "serve", "--home", str(home.resolve())),
                    *("--aws-port", str(aws_port), "--redshift-port", str(redshift_port)),
                ],
                cwd=_PROJECT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + 90
        while process.poll() is None and time.monotonic() < deadline:
            if (running := _recorded(home)) is not None and running.pid == process.pid:
                return running
            time.sleep(0.05)
        if process.poll() is None:
            process.terminate()
        raise ServiceError(f"The local services did not start. {_log(home)} ends in:\n{_tail(home)}")


def stop(home: Path) -> None:
    """End the services of `home`; nothing happens if there are none. Raises ServiceError."""
    if home.exists():
        with _one_at_a_time(home):
            _end(home)


def _end(home: Path) -> None:
    running = _recorded(home)
    if running is None:
        return
    with contextlib.suppress(ProcessLookupError):
        os.kill(running.pid, signal.SIGTERM)
    deadline = time.monotonic() + 30
    # The lock is the process's own to its very end; its number may stay as a zombie's.
    with (home / "local_aws.lock").open() as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise ServiceError(
                        f"Process {running.pid} did not end. {_log(home)} ends in:\n{_tail(home)}"
                    ) from None
                time.sleep(0.02)
    (home / "local_aws.json").unlink(missing_ok=True)
