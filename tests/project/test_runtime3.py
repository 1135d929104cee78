"""Test the files that `make runtime3` writes for the move to Astro Runtime 3."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from local.runtime3 import CHANGES, convert
from tests.project.files import PROJECT, instructions, pinned, read

# The services of the Astro CLI for Airflow 3, from airflow/include/airflow3/composeyml.go.tmpl in its source.
SERVICES = {"postgres", "db-migration", "scheduler", "dag-processor", "api-server", "triggerer"}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in (*CHANGES, "requirements-airflow3.lock"):
        shutil.copy(PROJECT / name, tmp_path / name)
    return tmp_path


def test_every_file_that_differs_is_written(project: Path) -> None:
    assert convert(project) == list(CHANGES)
    text = (project / "Dockerfile").read_text()
    assert re.search(r"^FROM astrocrpublic\.azurecr\.io/runtime:3\.\d+-\d+-python-3\.12-base$", text, re.M)
    assert 'UV_CONSTRAINT="${UV_CONSTRAINT:-} requirements-airflow3.lock"' in text
    versions = pinned("requirements-airflow3.lock")
    steps = dict(line.split("=", 1) for name, line in instructions(project) if name in ("ARG", "ENV"))
    assert steps["AIRFLOW_VERSION"] == str(versions["apache-airflow"])
    # Settings and packages that only the other image needs are removed.
    for name in ("Dockerfile", "requirements.txt"):
        assert "astro-sdk-python" not in (project / name).read_text()
    assert not [name for name in steps if "SDK" in name or "DESERIALIZATION" in name]


def test_the_settings_reach_the_processes_that_read_dags_and_run_tasks(project: Path) -> None:
    before = yaml.safe_load(read("docker-compose.override.yml"))["services"]
    convert(project)
    services = yaml.safe_load((project / "docker-compose.override.yml").read_text())["services"]
    assert set(services) - {"local-aws"} <= SERVICES
    assert services["scheduler"] == services["dag-processor"] == before["scheduler"]
    assert services["local-aws"] == before["local-aws"]


def test_make_then_means_airflow_3(project: Path) -> None:
    def lock_of(*arguments: str) -> str:
        command = ["make", "-C", str(project), "-pn", "help", *arguments]
        # Remove the variables of a `make test AIRFLOW=3` that runs this test.
        environment = {
            name: value for name, value in os.environ.items() if name not in ("AIRFLOW", "MAKEFLAGS")
        }
        told = subprocess.run(command, env=environment, capture_output=True, text=True, check=False).stdout
        return next(line.split(" := ")[1] for line in told.splitlines() if line.startswith("LOCK := "))

    assert lock_of() == "requirements.lock"
    convert(project)
    assert lock_of() == "requirements-airflow3.lock"
    assert lock_of("AIRFLOW=2") == "requirements.lock"


def test_nothing_is_changed_twice_or_by_half(project: Path) -> None:
    convert(project)
    once = {name: (project / name).read_text() for name in CHANGES}
    with pytest.raises(ValueError, match="is the project on Runtime 3 already"):
        convert(project)
    assert {name: (project / name).read_text() for name in CHANGES} == once
