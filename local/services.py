"""Start and stop the local AWS and Redshift, from the first `make run` or `make up` to `make down`.

They hold one dataset. For another folder, or a folder from which files were deleted, they restart with an empty lake
and warehouse, so that the row counts that `make run` prints are those of the folder.
"""

from __future__ import annotations

import contextlib
import socket
import time
from pathlib import Path

import psutil

from local import lake
from local.airflow_settings import buckets, service_options
from local.dataset import Dataset
from local.home import Home, Problem, port, say, shown
from local_redshift import service

AWS_PORT = "SPARKIFY_AWS_PORT"
"""``SPARKIFY_AWS_PORT``: the port of the local S3 and other AWS APIs (default 5566)."""
REDSHIFT_PORT = "SPARKIFY_REDSHIFT_PORT"
"""``SPARKIFY_REDSHIFT_PORT``: the port of the local Redshift (default 5439)."""


def require(home: Home) -> service.Running:
    """Return the services that run.

    :raises Problem: nothing is running.
    """
    running = service.status(home.services)
    if running is None:
        raise Problem("nothing is running.\nNext: make run, or make up", 1)
    return running


def start(home: Home, data: Dataset, airflow_is_up: bool) -> service.Running:
    """Start the services if needed and update the lake to ``data``.

    :raises Problem: a port is in use, or Airflow is up with other data.
    """
    running = service.status(home.services)
    if running and (reason := _outdated(home, running, data)):
        if airflow_is_up:
            raise Problem(f"Airflow is up, but {reason}.\nNext: make down, then run the same command again")
        say(f"{reason}: starting again with an empty lake and warehouse")
        running = None
    if running is None:
        stop(home)
        aws_port, redshift_port = port(AWS_PORT, 5566), port(REDSHIFT_PORT, 5439)
        check_free(aws_port, AWS_PORT)
        check_free(redshift_port, REDSHIFT_PORT)
        home.services.mkdir(parents=True, exist_ok=True)
        running = service.start(home.services, service_options(aws_port, redshift_port))
        say(f"started AWS on {running.aws_endpoint} and Redshift on 127.0.0.1:{running.redshift_port}")
    began = time.monotonic()
    sent = lake.fill(home, running, data)
    say(
        f"lake s3://{buckets()[0]}: {len(data.files):,} files of {shown(data.folder)}, "
        f"{sent:,} of them new or changed ({time.monotonic() - began:.1f} s)"
    )
    return running


def _outdated(home: Home, running: service.Running, data: Dataset) -> str:
    """Return why uploads cannot update the lake to ``data``, or an empty string if they can."""
    note = lake.Note.read(home)
    if note is None or note.identity != data.identity:
        held = shown(Path(note.identity["folder"])) if note else "another folder"
        return f"the lake holds the data of {held}, not of {shown(data.folder)}"
    deleted = lake.lake_objects(running).keys() - data.files.keys()
    return f"{len(deleted)} files of the lake are no longer in {shown(data.folder)}" if deleted else ""


def stop(home: Home) -> bool:
    """Stop the services, including unresponsive ones, and wait until their ports are free.

    :returns: whether services were running.
    """
    running = service.status(home.services)
    service.stop(home.services)
    if running:
        with contextlib.suppress(psutil.NoSuchProcess):
            psutil.Process(running.pid).wait(30)
    home.lake_note.unlink(missing_ok=True)
    return running is not None


def check_free(number: int, setting: str) -> None:
    """Check that no program listens on a port.

    :raises Problem: a program does.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", number))
        except OSError:
            raise Problem(
                f"port {number} is in use by another program.\n"
                f"Next: stop it, or choose another port, for example {setting}={number + 1000} make …"
            ) from None
