"""Test how the local services are started, found and stopped."""

from __future__ import annotations

import ast
import contextlib
import fcntl
import grp
import json
import os
import re
import shlex
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import psycopg2
import pytest
from local_redshift.postgres import Postgres

from local_redshift import Options, service


@pytest.fixture
def home() -> Iterator[Path]:
    """Yield a folder with a long name that only its owner may enter, like many home directories."""
    with tempfile.TemporaryDirectory(prefix="closed-") as folder:
        path = Path(folder) / ("a long name " * 8).strip()
        path.mkdir(mode=0o700)
        yield path
        service.stop(path)


def _log_in(running: service.Running, password: str) -> None:
    psycopg2.connect(**(running.login | {"password": password})).close()


def serve(home: Path, *options: str) -> str:
    """Run the command, which must fail, and return its error."""
    command = [
        sys.executable,
        "-m",
        "local_redshift",
        "serve",
        "--home",
        str(home),
        "--aws-port=0",
        "--redshift-port=0",
    ]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    return done.stderr


def test_life(home: Path) -> None:
    assert service.status(home) is None
    service.stop(home)
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: service.start(home), range(2))
    assert first == second == service.status(home)
    state = home / "local_redshift.json"
    assert json.loads(state.read_text())["pid"] == first.pid
    for file in (state, home / "local_redshift.log", home / "postgres.log"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    roles = first.client("iam").list_roles()["Roles"]
    assert [role["Arn"] for role in roles] == ["arn:aws:iam::123456789012:role/local-redshift"]
    first.client("secretsmanager").create_secret(Name="s", SecretString="x")
    _log_in(first, first.password)
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        _log_in(first, "wrong")
    for port in (first.redshift_port, int(first.aws_endpoint.rsplit(":", 1)[1])):
        assert {
            c.laddr.ip for c in psutil.net_connections() if c.status == "LISTEN" and c.laddr.port == port
        } == {"127.0.0.1"}

    service.stop(home)
    assert service.status(home) is None
    assert not [name for name in os.listdir(home) if name.endswith((".json", "postgres"))]
    again = service.start(home)  # The new services have no data of the earlier ones.
    assert again.client("secretsmanager").list_secrets()["SecretList"] == []


def test_a_killed_service_leaves_no_process_and_can_be_started_again(home: Path) -> None:
    running = service.start(home)
    children = psutil.Process(running.pid).children(recursive=True)
    assert len(children) > 2
    os.kill(running.pid, signal.SIGKILL)
    _, alive = psutil.wait_procs(children, timeout=60)
    assert alive == []
    scratch = Path(running.postgres_host)
    assert scratch.exists()
    assert service.status(home) is None
    assert service.start(home).pid != running.pid
    assert not scratch.exists()


@pytest.mark.parametrize("setting", ["aws-port", "redshift-port"])
def test_port_in_use(home: Path, setting: str) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        (line,) = serve(home, f"--{setting}={taken}").splitlines()
        assert str(taken) in line and setting in line
        with pytest.raises(service.ServiceError, match=setting):
            service.start(home, Options(**{setting.replace("-", "_"): taken}))


@pytest.mark.parametrize(
    ("option", "value"), [("--host", "::1"), ("--host", "192.0.2.1"), ("--aws-port", "70000")]
)
def test_an_address_that_is_not_there_is_refused(home: Path, option: str, value: str) -> None:
    (line,) = serve(home, option, value).splitlines()
    assert value in line and "Next: choose another" in line


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has all of 127.0.0.0/8")
def test_clients_are_told_the_address_that_it_listens_on() -> None:
    with service.server(Options(host="127.0.0.2")) as running:
        _log_in(running, running.password)
        assert running.login["host"] == "127.0.0.2"
        running.client("redshift").create_cluster(
            ClusterIdentifier="c",
            NodeType="ra3.large",
            MasterUsername=running.user,
            MasterUserPassword="Secret1234",
            ClusterType="single-node",
        )
        data = running.client("redshift-data")
        asked = data.execute_statement(
            ClusterIdentifier="c", Database="dev", DbUser=running.user, Sql="select 1"
        )
        while (told := data.describe_statement(Id=asked["Id"]))["Status"] not in ("FINISHED", "FAILED"):
            time.sleep(0.05)
        assert told["Status"] == "FINISHED", told


def test_neither_a_proxy_nor_a_profile_of_this_machine_is_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    service.session.cache_clear()
    (tmp_path / "config").write_text("[default]\nendpoint_url = http://127.0.0.1:9\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_PROFILE", "missing")
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with service.server() as running:
        assert running.client("s3").list_buckets()["Buckets"] == []


@pytest.mark.skipif(os.getuid() != 0, reason="only root starts PostgreSQL as another user")
def test_no_group_of_a_distribution_is_needed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise KeyError(name)

    monkeypatch.setattr(grp, "getgrnam", missing)
    for name in ("local_redshift.lock", "postgres.log"):
        (home / name).touch()
    postgres = Postgres(home, "u", "p", "d")
    try:
        postgres.start()
    finally:
        postgres.stop()


def test_one_home_has_one_service(home: Path) -> None:
    service.start(home)
    assert "already run" in serve(home)
    assert service.status(home) is not None


def test_another_process_with_its_id_is_left_alone(home: Path) -> None:
    running = service.start(home)
    os.kill(running.pid, signal.SIGKILL)
    state = home / "local_redshift.json"
    with subprocess.Popen(["sleep", "60"]) as other:
        state.write_text(json.dumps(json.loads(state.read_text()) | {"pid": other.pid}))
        while True:
            with contextlib.suppress(BlockingIOError), (home / "local_redshift.lock").open() as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the service has ended
                break
            time.sleep(0.02)
        service.stop(home)
        assert other.poll() is None
        assert not state.exists()
        other.kill()


def test_the_process_of_another_user_is_not_the_service(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service.start(home)

    def forbidden(number: int, what: int) -> None:
        raise PermissionError

    with monkeypatch.context() as patched:
        patched.setattr(os, "kill", forbidden)
        assert service.status(home) is None


def test_no_other_user_may_read_the_database_files(local_redshift: service.Running) -> None:
    file = (Path(local_redshift.postgres_host) / ".s.PGSQL.5432").stat()
    assert stat.S_IMODE(file.st_mode) == 0o700


@pytest.mark.parametrize(
    ("keys", "indexes"),
    [
        ("primary key (a)) sortkey (a)", 1),
        ("primary key (a, b)) sortkey (a)", 1),
        ("primary key (b)) sortkey (a)", 2),
        ("primary key (a)) sortkey (a, b)", 2),
        ("primary key (b, a)) sortkey (a, b)", 2),
    ],
)
def test_a_sort_key_that_the_primary_key_begins_with_needs_no_second_index(
    local_redshift: service.Running, keys: str, indexes: int
) -> None:
    with contextlib.closing(psycopg2.connect(**local_redshift.login)) as connection:
        connection.autocommit = True
        cursor = connection.cursor()
        cursor.execute(f"create table keyed (a int not null, b int not null, {keys}")
        with contextlib.closing(
            psycopg2.connect(**(local_redshift.login | {"host": local_redshift.postgres_host, "port": 5432}))
        ) as private:
            found = private.cursor()
            found.execute("select count(*) from local_index where indrelid = 'keyed'::regclass")
            count = found.fetchone()
        cursor.execute("drop table keyed")
    assert count == (indexes,)


def test_two_at_once_with_names_of_their_own_leave_nothing() -> None:
    ours = Options(user="Me Too", password="it's", database="ware house", role="reader")
    with service.server(ours) as one, service.server() as other:
        for running in (one, other):
            connection = psycopg2.connect(**running.login)
            cursor = connection.cursor()
            cursor.execute("create table t (id int) distkey (id)")
            cursor.execute("select current_user, current_database(), (select count(*) from t)")
            assert cursor.fetchone() == (running.user, running.database, 0)
            connection.close()
        assert one.role == "arn:aws:iam::123456789012:role/reader"
        processes = [psutil.Process(running.pid) for running in (one, other)]
        homes = [Path(process.cmdline()[process.cmdline().index("--home") + 1]) for process in processes]
        assert all(home.exists() for home in homes)
    assert not any(process.is_running() and process.status() != "zombie" for process in processes)
    assert not any(Path(running.postgres_host).exists() for running in (one, other))
    assert not any(home.exists() for home in homes)


def test_services_end_with_the_process_that_runs_them() -> None:
    code = (
        "import local_redshift, os\n"
        "with local_redshift.server() as redshift:\n"
        "    print(redshift.pid, redshift.postgres_host, flush=True)\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    number, folder = done.stdout.split()
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(int(number)).wait(30)
    assert not Path(folder).exists()


def test_the_extra_has_what_the_tests_import() -> None:
    tests, modules = Path(__file__).parent, set[str]()
    for file in tests.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            modules |= {name.split(".")[0] for name in names}
    project = tomllib.loads((tests.parent / "pyproject.toml").read_text())["project"]
    required = project["dependencies"] + project["optional-dependencies"]["test"]
    named = {re.split(r"[^\w-]", each)[0].replace("-", "_") for each in required}
    # moto requires boto3 and botocore, and psycopg2-binary installs psycopg2.
    known = (
        named
        | {"boto3", "botocore", "psycopg2", "local_redshift"}
        | {file.stem for file in tests.glob("*.py")}
    )
    assert not modules - known - sys.stdlib_module_names


def test_command_line(home: Path) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "local_redshift", *arguments, "--home", str(home)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    assert run("status").returncode == 1
    running = service.start(home, Options(password="seen only here"))
    told = run("status")
    assert told.returncode == 0
    assert (
        shlex.quote(running.dsn) in told.stdout
        and running.aws_endpoint in told.stdout
        and running.role in told.stdout
    )
    assert "seen only here" not in (home / "local_redshift.log").read_text()
    assert "seen only here" not in " ".join(psutil.Process(running.pid).cmdline())
    assert run("stop").returncode == 0
    assert service.status(home) is None
