"""The folders that hold the state of the local world, and its messages to the user."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]


def _airflow() -> int:
    # The container of docker-compose.override.yml runs only the services, without Airflow.
    with contextlib.suppress(PackageNotFoundError):
        return int(version("apache-airflow").split(".")[0])
    return 2


AIRFLOW = _airflow()
"""Major version of the Airflow in this environment (`make ... AIRFLOW=3`)."""


@dataclass(frozen=True)
class Home:
    """The folder of one local world, which writes only below it."""

    # Each major version of Airflow has its own world, because they cannot share a database.
    path: Path = PROJECT / (".local" if AIRFLOW == 2 else f".local/airflow-{AIRFLOW}")

    @property
    def sample(self) -> Path:
        """Return the folder of the sample month."""
        return self.path / "sample"

    @property
    def services(self) -> Path:
        """Return the folder with state and log of the local AWS and Redshift."""
        return self.path / "services"

    @property
    def lake_note(self) -> Path:
        """Return the JSON file that names the dataset in the lake (see :class:`local.lake.Note`)."""
        return self.services / "lake.json"

    @property
    def airflow(self) -> Path:
        """Return AIRFLOW_HOME, with the logs of Airflow's processes."""
        return self.path / "airflow"

    @property
    def airflow_note(self) -> Path:
        """Return the JSON file that lists the processes that `make up` started."""
        return self.airflow / "processes.json"

    @property
    def run_log(self) -> Path:
        """Return the file with Airflow's output from the last `make run`."""
        return self.path / "run.log"

    @property
    def report(self) -> Path:
        """Return the folder of the pages that `make report` and `make listening` fetch."""
        return self.path / "report"

    def create(self) -> None:
        """Create the folder, for this user only: it holds logs, data and a password."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path.chmod(0o700)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Allow only one command at a time to start or stop processes.

        :raises Problem: another command is running.
        """
        self.create()
        with (self.path / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise Problem(
                    "another make run, up or down is running in this folder.\nNext: wait for it, then try again"
                ) from None
            yield


class Problem(Exception):
    """A message for the user: the failure, the reason and the next step.

    ``code`` is the exit code: 1 for a step that failed, 2 for bad input or a bad environment.
    """

    def __init__(self, message: str, code: int = 2) -> None:
        super().__init__(message)
        self.code = code


def port(name: str, default: int) -> int:
    """Return the port in the environment variable ``name``.

    :raises Problem: the value is not a port number.
    """
    text = os.environ.get(name) or str(default)
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise Problem(f"{name}={text} is not a port number.\nNext: set it to a number from 1 to 65535")
    return int(text)


def say(text: str) -> None:
    """Print a line of progress or result."""
    print(text, flush=True)


def clear_line() -> None:
    """Erase the status line on a terminal."""
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()


def shown(path: Path) -> str:
    """Return a path as the user would type it in the current folder."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
