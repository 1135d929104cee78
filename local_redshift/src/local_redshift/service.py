"""Start, find and stop the services from Python."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psycopg2
import psycopg2.extensions

if sys.platform != "win32":  # pytest imports this module through the plugin on every platform
    import fcntl

REGION = "us-west-2"
STATE, _LOG = "local_redshift.json", "local_redshift.log"
# Connect directly to this machine, and ignore proxies that the environment names.
urlopen = urllib.request.build_opener(urllib.request.ProxyHandler({})).open
DEFAULT_HOME = Path("~/.local/state/local-redshift").expanduser()


class ServiceError(RuntimeError):
    """A failure to start or stop the services. str() ends with the last lines of their log."""


@dataclass
class Options:
    """The user, database, role and ports of the services. Port 0 is any free port."""

    user: str = "awsuser"
    password: str = field(default_factory=lambda: secrets.token_urlsafe(12), repr=False)
    database: str = "dev"
    role: str = "local-redshift"  # name of the IAM role that COPY may assume
    host: str = "127.0.0.1"
    aws_port: int = 0
    redshift_port: int = 0
    trouble: float = 0.0  # share of statements that fail with a concurrency error or lose their connection
    seed: int = 0  # seed of the random errors
    names: tuple[str, ...] = ()  # names of this machine that clients use, besides 127.0.0.1 and localhost


@dataclass(frozen=True)
class Running:
    """The addresses and the login of running services."""

    pid: int
    aws_endpoint: str
    redshift_port: int
    user: str
    password: str = field(repr=False)
    database: str
    role: str  # ARN of the role for COPY
    postgres_host: str  # folder of the private PostgreSQL's socket, for a database beside Redshift's
    host: str = "127.0.0.1"

    @property
    def login(self) -> dict[str, Any]:
        """Return arguments for ``psycopg2.connect(**login)`` or ``redshift_connector.connect(**login, ssl=False)``."""
        return {
            "host": self.host,
            "port": self.redshift_port,
            "user": self.user,
            "password": self.password,
            "database": self.database,
        }

    @property
    def dsn(self) -> str:
        """Return the libpq connection string, for psql and other clients."""
        return psycopg2.extensions.make_dsn(**self.login)

    def client(self, service: str) -> Any:
        """Return a boto3 client of the local AWS. It ignores the AWS credentials and settings of this machine."""
        # Import boto3 only here, because that takes longer than starting PostgreSQL.
        from botocore.config import Config

        return session().client(
            service,
            endpoint_url=self.aws_endpoint,
            region_name=REGION,
            aws_access_key_id="local",
            aws_secret_access_key="local",
            config=Config(
                proxies={},
                max_pool_connections=16,
                retries={"max_attempts": 3, "mode": "standard"},
                s3={"addressing_style": "path"},
                # Checksums would take a third of the time of a small request.
                response_checksum_validation="when_required",
                request_checksum_calculation="when_required",
            ),
        )


@functools.cache
def session() -> Any:
    """Return a boto3 session that ignores the AWS profiles and configuration files of this machine."""
    import boto3
    import botocore.session

    nothing = {"profile": (None, None, None, None)}
    files = dict.fromkeys(("config_file", "credentials_file"), (None, None, os.devnull, None))
    return boto3.Session(botocore_session=botocore.session.Session(nothing | files))


def _tail(home: Path) -> str:
    with contextlib.suppress(FileNotFoundError):
        return "\n".join((home / _LOG).read_text(errors="replace").splitlines()[-15:])
    return "(no log)"


def _recorded(home: Path) -> Running | None:
    """Return the services that the state file describes, or None if their process does not exist."""
    try:
        running = Running(**json.loads((home / STATE).read_text()))
    except FileNotFoundError:
        return None
    try:
        os.kill(running.pid, 0)
    except (ProcessLookupError, PermissionError):
        return None  # PermissionError: the ID now belongs to a process of another user
    return running


def _answers(running: Running) -> bool:
    try:
        urlopen(f"{running.aws_endpoint}/moto-api/config", timeout=30).read()
        psycopg2.connect(**running.login, connect_timeout=30).close()
    except (OSError, psycopg2.Error):
        return False
    return True


def check_platform() -> None:
    """Raise ServiceError on an operating system that local_redshift does not support."""
    if sys.platform == "win32":
        raise ServiceError(
            "local_redshift runs on Linux and macOS only. Next: use it in WSL, or in a container"
        )


@contextlib.contextmanager
def _one_at_a_time(home: Path) -> Iterator[None]:
    check_platform()
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    with os.fdopen(os.open(home / "start.lock", os.O_WRONLY | os.O_CREAT, 0o600), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def status(home: Path = DEFAULT_HOME) -> Running | None:
    """Return the services whose state is in `home` if they answer, or else None."""
    running = _recorded(home)
    return running if running is not None and _answers(running) else None


def start(home: Path = DEFAULT_HOME, options: Options | None = None) -> Running:
    """Start the services detached, or return those that already run in `home`. Raise ServiceError on failure."""
    with _one_at_a_time(home):
        if (running := status(home)) is not None:
            return running
        if _recorded(home) is not None:
            _end(home)
        return _wait(_spawn(home, options or Options()), home)


def stop(home: Path = DEFAULT_HOME) -> None:
    """Stop the services of `home`, if there are any. Raise ServiceError if they do not stop."""
    if home.exists():
        with _one_at_a_time(home):
            _end(home)


@contextlib.contextmanager
def server(options: Options | None = None, home: Path | None = None) -> Iterator[Running]:
    """Run the services for the duration of a `with` block. They stop with this process at the latest.

    :param home: folder for state and logs. The default is a temporary folder that is deleted at the end.
    :raises ServiceError: the services did not start.
    """
    check_platform()
    folder = Path(tempfile.mkdtemp(prefix="local-redshift-home-")) if home is None else home
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    process = _spawn(folder, options or Options(), attached=True, temporary=home is None)
    try:
        yield _wait(process, folder)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(30)
        if home is None:
            shutil.rmtree(folder, ignore_errors=True)


def _spawn(
    home: Path, options: Options, attached: bool = False, temporary: bool = False
) -> subprocess.Popen[bytes]:
    log = os.open(home / _LOG, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    given = asdict(options)
    password, names = given.pop("password"), given.pop("names")
    try:
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "local_redshift", "serve", "--home", str(home.resolve())),
                *(f"--{name.replace('_', '-')}={value}" for name, value in given.items()),
                *(f"--name={name}" for name in names),
                *(["--attached"] if attached else []),
                *(["--temporary"] if temporary else []),
            ],
            env={**os.environ, "LOCAL_REDSHIFT_PASSWORD": password},
            stdin=subprocess.PIPE if attached else subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    finally:
        os.close(log)


def _wait(process: subprocess.Popen[bytes], home: Path) -> Running:
    deadline = time.monotonic() + 90
    while process.poll() is None and time.monotonic() < deadline:
        if (running := _recorded(home)) is not None and running.pid == process.pid:
            return running
        time.sleep(0.02)
    if process.poll() is None:
        process.terminate()
    raise ServiceError(f"The local Redshift did not start. {home / _LOG} ends in:\n{_tail(home)}")


def _end(home: Path) -> None:
    running = _recorded(home)
    if running is None:
        return
    deadline, told = time.monotonic() + 30, False
    # The process holds its lock until it ends. After that, its ID may belong to a zombie or to another process.
    with (home / "local_redshift.lock").open() as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not told:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(running.pid, signal.SIGTERM)
                    told = True
                if time.monotonic() > deadline:
                    raise ServiceError(
                        f"Process {running.pid} did not end. {home / _LOG} ends in:\n{_tail(home)}"
                    ) from None
                time.sleep(0.02)
    (home / STATE).unlink(missing_ok=True)
