"""The files around the code hold together: one version everywhere, an image that can be built, nothing that leaks."""

import importlib.metadata
import json
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from include.local_aws import drive, service
from include.sparkify.settings import Settings

PROJECT = Path(__file__).resolve().parents[2]


def read(name: str) -> str:
    return (PROJECT / name).read_text()


def requirements(name: str = "requirements.txt") -> list[Requirement]:
    lines = (line.split("#")[0].strip() for line in read(name).splitlines())
    return [Requirement(line) for line in lines if line]


def locked() -> list[Requirement]:
    """Every package of the lock with its version and the marker that says where it is installed."""
    entries = re.findall(
        r"^([a-z0-9].*?) \\\n((?:    --hash=\S+(?: \\)?\n)+)", read("requirements.lock"), re.M
    )
    assert len(entries) == len(re.findall("^[a-z0-9]", read("requirements.lock"), re.M)), (
        "a package has no hash"
    )
    return [Requirement(line) for line, _ in entries]


def pinned() -> dict[str, Version]:
    """Versions of the lock for the platform and Python that run this test."""
    return {
        canonicalize_name(item.name): Version(str(item.specifier).removeprefix("=="))
        for item in locked()
        if item.marker is None or item.marker.evaluate()
    }


@pytest.fixture(scope="module")
def pyproject() -> dict[str, Any]:
    return tomllib.loads(read("pyproject.toml"))


@pytest.fixture(scope="module")
def overrides(pyproject: dict[str, Any]) -> dict[str, Requirement]:
    found = map(Requirement, pyproject["tool"]["uv"]["override-dependencies"])
    return {canonicalize_name(item.name): item for item in found}


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions in their order."""
    text = re.sub(r"\\\n", " ", read("Dockerfile"))
    lines = (line.strip() for line in text.splitlines())
    return [tuple(line.split(None, 1)) for line in lines if line and not line.startswith("#")]  # type: ignore[misc]


# --- versions -----------------------------------------------------------------------------------------------------


def test_requirements_are_pinned_and_leave_airflow_to_the_image() -> None:
    text = read("requirements.txt")
    assert not re.search(r"^\s*(-|\.|/|[\w.+-]+://|git\+)", text, re.M), "no option, no path, no address"
    for item in requirements():
        assert item.url is None
        assert re.fullmatch(r"==[\w.]+", str(item.specifier)), f"{item} is not pinned"
    assert "apache-airflow" not in {item.name for item in requirements()}
    wanted = {
        "apache-airflow-providers-amazon",
        "apache-airflow-providers-common-sql",
        "astro-sdk-python",
        "pytest",
    }
    assert wanted <= {item.name for item in requirements()}


def test_the_lock_is_made_of_these_inputs(pyproject: dict[str, Any]) -> None:
    """`make lock` was run after the last change of requirements.txt and pyproject.toml."""
    versions = pinned()
    inputs = {
        "-r requirements.txt": requirements(),
        "sparkify-pipeline (pyproject.toml:local)": [
            Requirement(line) for line in pyproject["dependency-groups"]["local"]
        ],
    }
    for source, items in inputs.items():
        for item in items:
            assert item.specifier.contains(versions[canonicalize_name(item.name)]), (
                f"{item} is not what is locked"
            )
        # The lock says below each package who asks for it.
        blocks = re.split(r"^(?=[a-z0-9])", read("requirements.lock"), flags=re.M)
        asked = {
            re.split(r"[=\s\[]", block)[0]
            for block in blocks
            if re.search(f"# .*{re.escape(source)}|#   {re.escape(source)}", block)
        }
        assert asked == {canonicalize_name(item.name) for item in items}


def test_one_airflow_everywhere(pyproject: dict[str, Any]) -> None:
    """The Dockerfile's tag is checked against this number while the image is built."""
    arguments = dict(line.split("=") for name, line in instructions() if name == "ARG")
    airflow = next(
        item
        for item in map(Requirement, pyproject["dependency-groups"]["local"])
        if item.name == "apache-airflow"
    )
    assert str(airflow.specifier) == f"=={arguments['AIRFLOW_VERSION']}"
    assert pinned()["apache-airflow"] == Version(arguments["AIRFLOW_VERSION"])
    assert importlib.metadata.version("apache-airflow") == arguments["AIRFLOW_VERSION"]


def unmet(overrides: dict[str, Requirement]) -> list[str]:
    """What requirements.txt and the Runtime's Airflow ask for, all the way down, that the lock does not give."""
    versions = pinned()
    airflow = Requirement(f"apache-airflow=={versions['apache-airflow']}")
    waiting = [(item, "requirements.txt") for item in [airflow, *requirements()]]
    seen, found = set(), []
    while waiting:
        item, asker = waiting.pop()
        name = canonicalize_name(item.name)
        item = overrides.get(name, item)
        if name not in versions or not item.specifier.contains(versions[name], prereleases=True):
            found.append(f"{asker} asks for {item}, locked is {versions.get(name)}")
            continue
        for extra in item.extras or {""}:
            if (name, extra) not in seen:
                seen.add((name, extra))
                for line in importlib.metadata.requires(name) or []:
                    need = Requirement(line)
                    if need.marker is None or need.marker.evaluate({"extra": extra}):
                        waiting.append((need, name))
    assert len(seen) > 100
    return found


def test_requirements_resolve_beside_the_runtimes_airflow(overrides: dict[str, Requirement]) -> None:
    assert unmet(overrides) == []


def test_they_would_not_without_the_override() -> None:
    """When this fails, the override and the steps by hand in the Dockerfile can go."""
    assert [line for line in unmet({}) if "flask-session" in line.lower()]


def test_the_environment_is_the_lock() -> None:
    for name, version in pinned().items():
        assert Version(importlib.metadata.version(name)) == version, f"{name}: run make"


def test_python_versions(pyproject: dict[str, Any]) -> None:
    """3.12 is the Runtime's, 3.11 Debian's."""
    assert pyproject["project"]["requires-python"] == ">=3.11,<3.13"
    assert sys.version_info[:2] in ((3, 11), (3, 12))
    assert ">=3.11,<3.13" in read("Makefile")


# --- the image ----------------------------------------------------------------------------------------------------


def test_dockerfile_installs_by_hand_with_the_override() -> None:
    steps = [f"{name} {rest}" for name, rest in instructions()]
    assert re.fullmatch(r"FROM quay\.io/astronomer/astro-runtime:13\.\d+\.\d+-base", steps[0])
    order = [
        "USER root",
        "COPY packages.txt .",
        "RUN /usr/local/bin/install-system-packages",
        "COPY requirements.txt pyproject.toml ./",
        "RUN /usr/local/bin/install-python-dependencies",
        "USER astro",
        "COPY --chown=astro:0 . .",
    ]
    assert [step for step in steps if step in order] == order
    assert steps[-1] == order[-1]


def test_the_image_and_the_local_world_set_the_same() -> None:
    image = dict(re.findall(r"^ENV (\w+)=\"?(.*?)\"?$", read("Dockerfile"), re.M))
    assert len(image) == 2
    assert image.items() <= environment().items()


def test_packages_are_debian_names() -> None:
    for line in read("packages.txt").splitlines():
        assert re.fullmatch(r"[a-z0-9][a-z0-9+.-]+", line), f"{line!r} is no package's name"


def test_the_image_holds_no_local_world() -> None:
    ignored = read(".dockerignore").splitlines()
    for name in ("include/local_aws", "airflow_settings.yaml", "tests/*", ".local", ".venv", ".env", ".git"):
        assert name in ignored
    assert "!tests/dags" in ignored
    # What the image does need is not left out.
    for name in (
        "requirements.txt",
        "pyproject.toml",
        "packages.txt",
        "dags",
        "include",
        "include/sql",
        ".astro",
    ):
        assert name not in ignored


# --- the local worlds ---------------------------------------------------------------------------------------------


def environment() -> dict[str, str]:
    running = service.Running(1, "http://127.0.0.1:4001", 4002, "sparkify", "sparkify-local", "dev")
    return drive.environment(PROJECT / "airflow_settings.yaml", running, Path("/home"))


def test_settings_file_is_as_the_cli_reads_it() -> None:
    settings = yaml.safe_load(read("airflow_settings.yaml"))["airflow"]
    assert set(settings) == {"connections", "pools", "variables"}
    assert [item["conn_id"] for item in settings["connections"]] == [
        "aws_default",
        "aws_copy_role",
        "redshift_default",
    ]
    for item in settings["connections"]:
        assert set(item) <= {
            f"conn_{name}" for name in "id type host schema login password port extra".split()
        }
        # A map's keys would be lower-cased by the CLI; text is left alone.
        assert isinstance(json.loads(item["conn_extra"]), dict)
    for item in settings["pools"]:
        assert set(item) == {"pool_name", "pool_slot", "pool_description"}
        assert item["pool_slot"] > 0
    for item in settings["variables"]:
        assert set(item) == {"variable_name", "variable_value"}


def test_settings_file_holds_no_secret_and_no_role_but_the_copys() -> None:
    settings = yaml.safe_load(read("airflow_settings.yaml"))["airflow"]
    assert {item.get("conn_password") for item in settings["connections"]} == {"local", "sparkify-local"}
    with_role = [item["conn_id"] for item in settings["connections"] if "role_arn" in item["conn_extra"]]
    assert with_role == ["aws_copy_role"]


def test_variables_are_settings_of_the_pipeline() -> None:
    given = json.loads(environment()["AIRFLOW_VAR_SPARKIFY"])
    assert set(given) <= {field.name for field in fields(Settings)}
    Settings(**given)


def test_environment_points_at_the_services_that_run(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.models import Connection

    found = environment()
    assert "local-aws" not in "".join(found.values())
    redshift = Connection(conn_id="redshift_default", **json.loads(found["AIRFLOW_CONN_REDSHIFT_DEFAULT"]))
    assert (redshift.host, redshift.port, redshift.schema) == ("127.0.0.1", 4002, "dev")
    assert redshift.extra_dejson == {"ssl": False, "application_name": "sparkify"}
    for name in ("AWS_DEFAULT", "AWS_COPY_ROLE"):
        connection = Connection(conn_id=name, **json.loads(found[f"AIRFLOW_CONN_{name}"]))
        assert connection.extra_dejson["endpoint_url"] == "http://127.0.0.1:4001"
        assert connection.extra_dejson["region_name"] == "us-west-2"


def test_compose_override_runs_what_the_settings_name() -> None:
    compose = yaml.safe_load(read("docker-compose.override.yml"))
    services = compose["services"]
    assert set(services) == {"local-aws", "scheduler"}
    local = services["local-aws"]
    assert "build" not in local, "astro dev start builds no service of this file"
    assert local["networks"] == ["airflow"]
    published = [port.split(":") for port in local["ports"]]
    assert all(address == "127.0.0.1" for address, _, _ in published)
    inside = {int(port) for _, _, port in published}
    hosts = set()
    for item in yaml.safe_load(read("airflow_settings.yaml"))["airflow"]["connections"]:
        address = json.loads(item["conn_extra"]).get(
            "endpoint_url", f"x://{item.get('conn_host')}:{item.get('conn_port')}"
        )
        host, port = address.split("//")[1].split(":")
        hosts.add(host)
        assert int(port) in inside
    assert hosts == {"local-aws"}
    for mount in local["volumes"]:
        source = mount.split(":")[0]
        assert source in compose["volumes"] or (PROJECT / source).exists()
    assert re.match(r"python:3\.1[12]-", local["image"])


# --- the project --------------------------------------------------------------------------------------------------


def test_astro_files() -> None:
    assert yaml.safe_load(read(".astro/config.yaml"))["project"]["name"] == "sparkify"
    for name in (".astro/dag_integrity_exceptions.txt", "dags/.airflowignore", "packages.txt", "README.md"):
        assert (PROJECT / name).is_file(), name
    listed = [
        line for line in read(".astro/dag_integrity_exceptions.txt").splitlines() if not line.startswith("#")
    ]
    assert not any(listed), "a DAG may fail to import"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One AIRFLOW_HOME for all: making its database takes longer than the tests."""
    return tmp_path_factory.mktemp("airflow")


def parse(project: Path, home: Path) -> subprocess.CompletedProcess[str]:
    """What `astro dev parse` does."""
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            ".astro/test_dag_integrity_default.py",
        ],
        env={"PATH": str(Path(sys.executable).parent), "AIRFLOW_HOME": str(home), "PYTHONPATH": str(project)},
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )


def test_astro_dev_parse_passes(home: Path) -> None:
    done = parse(PROJECT, home)
    assert done.returncode == 0, done.stdout


def test_astro_dev_parse_sees_what_a_build_has_not(tmp_path: Path, home: Path) -> None:
    shutil.copytree(PROJECT / ".astro", tmp_path / ".astro")
    (tmp_path / "dags").mkdir()
    head = "import os\nfrom airflow.hooks.base import BaseHook\nfrom airflow.models import DAG, Variable\n"
    broken = {
        "environment": "int(os.getenv('SPARKIFY_DAYS'))",
        "variable": "int(Variable.get('days'))",
        "connection": "int(BaseHook.get_connection('redshift_default').port)",
    }
    for name, line in broken.items():
        (tmp_path / "dags" / f"{name}.py").write_text(f"{head}{line}\n")
    done = parse(tmp_path, home)
    assert done.returncode == 1
    for name in broken:
        assert f"{name}.py failed to import" in done.stdout
    exceptions = "".join(f"dags/{name}.py\n" for name in broken)
    (tmp_path / ".astro" / "dag_integrity_exceptions.txt").write_text(exceptions)
    assert parse(tmp_path, home).returncode == 0


def test_astro_dev_parse_fails_on_no_dag_at_all(tmp_path: Path, home: Path) -> None:
    shutil.copytree(PROJECT / ".astro", tmp_path / ".astro")
    (tmp_path / "dags").mkdir()
    assert parse(tmp_path, home).returncode == 1


def test_make_explains_every_target() -> None:
    make = shutil.which("make")
    assert make
    told = subprocess.run([make], cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    targets = re.search(r"^\.PHONY: (.*)$", read("Makefile"), re.M)
    assert targets
    assert set(re.findall(r"^  make ([\w-]+)", told, re.M)) == set(targets[1].split())
    assert {"run", "test", "up", "down", "query", "lint"} <= set(targets[1].split())


def test_ci_runs_the_same_targets() -> None:
    script = PROJECT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    assert "make lint test" in script.read_text()


def tracked() -> list[Path]:
    """Files under version control; all but what git would ignore where this is no repository."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=PROJECT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("not a git work tree")
    return [PROJECT / name for name in done.stdout.split("\0") if name and (PROJECT / name).is_file()]


def test_no_tracked_file_names_a_registry_or_this_machine() -> None:
    # Put together here, so that this file is not its own finding.
    words = ["pypi" + ".org", "python" + "hosted", "deb." + "debian", "/wo" + "rk/", "/ro" + "ot/"]
    texts = {path: path.read_bytes() for path in tracked()}
    found = [
        f"{path.name}: {word}" for path, text in texts.items() for word in words if word.encode() in text
    ]
    assert not found
    assert not re.search(r"://|--index|--find-links|file:", read("requirements.lock"))


def test_state_is_not_tracked_and_the_settings_are() -> None:
    names = {path.relative_to(PROJECT).as_posix() for path in tracked()}
    assert "airflow_settings.yaml" in names
    assert not [
        name for name in names if re.match(r"(\.venv|\.uv|\.local|\.env$|logs/|airflow\.(db|cfg))", name)
    ]
