"""Starting, finding and stopping the local services."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import psycopg2
import pytest

from include.local_aws import aws, service


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder that only its owner may enter, as a home directory often is, and with a long name."""
    with tempfile.TemporaryDirectory(prefix="closed-") as folder:
        path = Path(folder) / ("a long name " * 8).strip()
        path.mkdir(mode=0o700)
        yield path
        service.stop(path)


def _log_in(running: service.Running, password: str) -> None:
    psycopg2.connect(
        host="127.0.0.1",
        port=running.redshift_port,
        user=running.user,
        password=password,
        dbname=running.database,
    ).close()


def test_life(home: Path) -> None:
    assert service.status(home) is None
    service.stop(home)
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: service.start(home, 0, 0), range(2))
    assert first == second == service.status(home)
    assert json.loads((home / "local_aws.json").read_text())["pid"] == first.pid
    roles = aws.client(first.aws_endpoint, "iam").list_roles()["Roles"]
    assert [role["Arn"] for role in roles] == ["arn:aws:iam::123456789012:role/sparkify-copy"]
    aws.client(first.aws_endpoint, "secretsmanager").create_secret(Name="s", SecretString="x")
    _log_in(first, first.password)
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        _log_in(first, "wrong")
    for port in (first.redshift_port, int(first.aws_endpoint.rsplit(":", 1)[1])):
        assert {
            c.laddr.ip for c in psutil.net_connections() if c.status == "LISTEN" and c.laddr.port == port
        } == {"127.0.0.1"}

    service.stop(home)
    assert service.status(home) is None
    assert not [name for name in os.listdir(home) if name.endswith((".json", "postgres", ".scratch"))]
    again = service.start(home, 0, 0)  # a new life: nothing is left of the earlier one
    assert aws.client(again.aws_endpoint, "secretsmanager").list_secrets()["SecretList"] == []


def test_a_killed_service_leaves_no_process_and_can_be_started_again(home: Path) -> None:
    running = service.start(home, 0, 0)
    children = psutil.Process(running.pid).children(recursive=True)
    assert len(children) > 2
    os.kill(running.pid, signal.SIGKILL)
    _, alive = psutil.wait_procs(children, timeout=60)
    assert alive == []
    scratch = Path((home / "postgres.scratch").read_text())
    assert service.status(home) is None
    assert service.start(home, 0, 0).pid != running.pid
    assert not scratch.exists()


@pytest.mark.parametrize(
    ("setting", "ports"),
    [("SPARKIFY_AWS_PORT", lambda taken: (taken, 0)), ("SPARKIFY_REDSHIFT_PORT", lambda taken: (0, taken))],
)
def test_port_in_use(home: Path, setting: str, ports) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        aws_port, redshift_port = ports(taken)
        arguments = [
            "serve",
            "--home",
            home,
            "--aws-port",
            str(aws_port),
            "--redshift-port",
            str(redshift_port),
        ]
        done = subprocess.run(
            [sys.executable, "-m", "include.local_aws", *arguments],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        (line,) = done.stderr.splitlines()
        assert str(taken) in line and setting in line and "make down" in line
        with pytest.raises(service.ServiceError, match=setting):
            service.start(home, aws_port, redshift_port)


def test_one_home_has_one_service(home: Path) -> None:
    service.start(home, 0, 0)
    arguments = ["serve", "--home", home, "--aws-port", "0", "--redshift-port", "0"]
    done = subprocess.run(
        [sys.executable, "-m", "include.local_aws", *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "already run" in done.stderr
    assert service.status(home) is not None


def test_nobody_else_may_reach_the_database_files(local_aws: service.Running) -> None:
    home = Path(
        psutil.Process(local_aws.pid).cmdline()[psutil.Process(local_aws.pid).cmdline().index("--home") + 1]
    )
    file = (Path((home / "postgres.scratch").read_text()) / ".s.PGSQL.5432").stat()
    assert stat.S_IMODE(file.st_mode) == 0o700
