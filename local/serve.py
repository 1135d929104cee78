"""Run the services in a container: in the foreground, on every address, with the sample month in the lake.

    python -m local.serve

docker-compose.override.yml runs it, and requirements-local.lock has everything that it imports.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys

from local import lake
from local.airflow_settings import COMPOSE_HOST, buckets, service_options
from local.dataset import choose_folder
from local.home import PROJECT, Home, Problem, say
from local_redshift import service


def serve(home: Home) -> None:
    """Run the services until they stop.

    :raises Problem: the services stopped before they were ready.
    """
    home.lake_note.unlink(missing_ok=True)
    data, options = choose_folder(home, None), service_options()
    command = [
        *(sys.executable, "-m", "local_redshift", "serve", "--home", str(home.services), "--host", "0.0.0.0"),
        *("--name", COMPOSE_HOST),
        *("--user", options.user, "--database", options.database, "--role", options.role),
    ]
    environment = os.environ | {"LOCAL_REDSHIFT_PASSWORD": options.password}
    with subprocess.Popen(command, cwd=PROJECT, env=environment) as process:
        # As the first process of a container, this process must handle SIGTERM itself.
        signal.signal(signal.SIGTERM, lambda *_: process.terminate())
        while not (running := service.status(home.services)):
            with contextlib.suppress(subprocess.TimeoutExpired):
                raise Problem(f"the services ended with code {process.wait(0.2)}", 1)
        lake.fill(home, running, data)
        say(f"ready: {len(data.files):,} files in s3://{buckets()[0]}")


if __name__ == "__main__":
    home = Home()
    try:
        with home.locked():
            serve(home)
    except Problem as problem:
        print(problem, file=sys.stderr)
        sys.exit(problem.code)
