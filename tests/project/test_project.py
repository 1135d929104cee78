"""Test the files of the Astro CLI and the targets of make, and that no tracked file leaks names or state."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.project.files import PROJECT, read, tracked


def test_astro_files() -> None:
    config = yaml.safe_load(read(".astro/config.yaml"))
    assert config["project"]["name"] == "sparkify"
    # `astro dev start` would edit requirements.txt.
    assert config["disable_astro_run"] is True
    exceptions = read(".astro/dag_integrity_exceptions.txt").splitlines()
    assert all(line.startswith("#") for line in exceptions), "a DAG may fail to import"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return one AIRFLOW_HOME for all tests, because creating its database takes longer than the tests."""
    return tmp_path_factory.mktemp("airflow")


def parse(project: Path, home: Path) -> subprocess.CompletedProcess[str]:
    """Run the test that `astro dev parse` runs."""
    test = ".astro/test_dag_integrity_default.py"
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", test],
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
    assert parse(tmp_path, home).returncode == 1, "no DAG at all"
    head = "import os\nfrom airflow.providers.common.compat.sdk import DAG, BaseHook, Variable\n"
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


def test_make_explains_every_target() -> None:
    make = shutil.which("make")
    assert make
    told = subprocess.run([make], cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    targets = re.search(r"^\.PHONY: (.*)$", read("Makefile").replace("\\\n", ""), re.M)
    assert targets
    assert set(re.findall(r"^  make ([\w-]+)", told, re.M)) == set(targets[1].split())
    assert {"run", "test", "up", "down", "query", "lint"} <= set(targets[1].split())


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["clients", "TOOL=nope"], "no such tool: nope; there are psql"),
        (["suites", "TOOL=nope"], "no such suite: nope; there are "),
        (["mutants", "FILE=nope"], "no central file: nope"),
        (["airflow", "CMD=dags list 'x"], "No closing quotation in CMD: dags list 'x\nNext: "),
        (["versions", "AIRFLOW=4"], "AIRFLOW=4 is not supported. Next: "),
    ],
    ids=lambda given: given[0] if isinstance(given, list) else "",
)
def test_make_refuses_a_wrong_argument_in_a_sentence(given: list[str], told: str) -> None:
    done = subprocess.run(["make", *given], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode
    assert told in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("status", [0, 1], ids=["they stop", "one does not stop"])
def test_clean_stops_the_worlds_of_both_airflows_before_it_deletes(tmp_path: Path, status: int) -> None:
    shutil.copy2(PROJECT / "Makefile", tmp_path / "Makefile")
    for name in ("venv", "venv-airflow3"):
        python = tmp_path / ".uv" / name / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.write_text(f'#!/bin/sh\necho {name} "$@" >>told\nexit {status if name == "venv" else 0}\n')
        python.chmod(0o755)
    done = subprocess.run(["make", "clean"], cwd=tmp_path, capture_output=True, check=False)
    if status == 0:
        told = (tmp_path / "told").read_text().splitlines()
        assert told == ["venv -m local.cli down", "venv-airflow3 -m local.cli down"]
    assert (done.returncode != 0) == (tmp_path / ".uv").exists() == (status != 0)


def test_no_tracked_file_names_a_registry_or_this_machine() -> None:
    # The words are concatenated here, so that the test does not find this file.
    words = ["pypi" + ".org", "python" + "hosted", "deb." + "debian", "/wo" + "rk/", "/ro" + "ot/"]
    texts = {path: path.read_bytes() for path in tracked()}
    found = [
        f"{path.name}: {word}" for path, text in texts.items() for word in words if word.encode() in text
    ]
    assert not found


def test_state_is_not_tracked_and_the_settings_are() -> None:
    names = {path.relative_to(PROJECT).as_posix() for path in tracked()}
    assert "airflow_settings.yaml" in names
    assert not [
        name for name in names if re.match(r"(\.venv|\.uv|\.local|\.env$|logs/|airflow\.(db|cfg))", name)
    ]
