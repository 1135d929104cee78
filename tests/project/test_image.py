"""Test the build and the contents of the image."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pathspec
import pytest
import yaml

from local.home import AIRFLOW
from local.runtime3 import CHANGES, convert
from tests.project.files import PROJECT, instructions, read, tracked
from tests.project.test_local_worlds import environment


@pytest.mark.finding("G8")
def test_the_limits_of_an_import_are_in_force(tmp_path: Path) -> None:
    """The DAG processor ends the process of a file at its own limit, so its limit must exceed the import limit."""
    for name in CHANGES:
        shutil.copy(PROJECT / name, tmp_path / name)
    shutil.copy(PROJECT / "requirements-airflow3.lock", tmp_path)
    if AIRFLOW == 3:
        convert(tmp_path)
    image = dict(rest.split("=", 1) for name, rest in instructions(tmp_path) if name == "ENV")
    section = "core" if AIRFLOW == 2 else "dag_processor"
    for given in (image, environment()):
        told = [
            subprocess.run(
                [sys.executable, "-W", "ignore", "-m", "airflow", "config", "get-value", *option],
                env={"PATH": os.defpath, "AIRFLOW_HOME": str(tmp_path)}
                | {name: value for name, value in given.items() if name.endswith("_TIMEOUT")},
                capture_output=True,
                text=True,
                check=True,
            ).stdout.splitlines()[-1]
            for option in ((section, "dag_file_processor_timeout"), ("core", "dagbag_import_timeout"))
        ]
        assert int(told[0]) > float(told[1]) == 120


def test_the_image_holds_what_is_deployed_and_nothing_else() -> None:
    ignored = pathspec.GitIgnoreSpec.from_lines(read(".dockerignore").splitlines())
    files = [path.relative_to(PROJECT).as_posix() for path in tracked()]
    inside = [name for name in files if not ignored.match_file(name)]
    folders = {name.split("/")[0] for name in inside if "/" in name}
    assert folders == {".astro", "dags", "include", "plugins", "tests"}
    assert {name.split("/")[1] for name in inside if name.startswith("tests/")} == {"dags"}
    local = [".env", ".venv/bin/python", ".uv/venv/bin/python", ".local/run.log", "airflow_settings.yaml"]
    assert list(ignored.match_files(local)) == local


def test_a_failed_install_ends_the_service(tmp_path: Path) -> None:
    """local/serve.sh must not start the services without their packages."""
    (tmp_path / "requirements-local.lock").write_text("moto==5\n")
    for name, text in {"pip": "exit 1", "python": "echo started"}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    done = subprocess.run(
        ["/bin/sh", str(PROJECT / "local" / "serve.sh")],
        cwd=tmp_path,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "started" not in done.stdout


# A base image sets the shell of the RUN instructions. Airflow's own image uses the second of these shells.
SHELLS = ["/bin/sh -c", "/bin/bash -o pipefail -o errexit -o nounset -c"]


def run_step(
    text: str, tools: Path, shell: str = SHELLS[0], **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a RUN instruction of the Dockerfile, with `tools` first on its PATH and PYTHONPATH."""
    path = f"{tools}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.defpath}"
    return subprocess.run(
        [*shell.split(), text],
        env={"PATH": path, "PYTHONPATH": str(tools), **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def steps_with(text: str) -> list[str]:
    """Return the RUN instructions of the Dockerfile that contain ``text``."""
    return [rest for name, rest in instructions() if name == "RUN" and text in rest]


@pytest.mark.parametrize(
    ("version", "built"),
    [("2.11.2", True), ("2.11.2+astro.7", True), ("2.11.3+astro.1", False), ("2.11.20", False)],
)
def test_the_build_takes_astronomers_own_builds_of_this_airflow(
    tmp_path: Path, version: str, built: bool
) -> None:
    metadata = tmp_path / f"apache_airflow-{version}.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text(f"Metadata-Version: 2.1\nName: apache-airflow\nVersion: {version}\n")
    (step,) = steps_with("Airflow is")
    done = run_step(step, tmp_path, AIRFLOW_VERSION="2.11.2")
    assert (done.returncode == 0) == built, done.stderr
    assert built or f"Airflow is {version}" in done.stderr


SDK = "astro-sdk-python 1.9.0 has requirement Flask-Session<0.6.0, but you have flask-session 0.8.0."
OLD = "apache-airflow-providers-celery 3.9 has requirement flower<2, but you have flower 2.{}."
NEW = "apache-airflow-providers-celery 3.9 has requirement redis<6, but you have redis 7.0."


@pytest.mark.finding("G6")
@pytest.mark.parametrize("shell", SHELLS, ids=["sh", "bash"])
@pytest.mark.parametrize(
    ("before", "after", "built"),
    [
        (["No broken requirements found."], [SDK], True),
        ([OLD.format(0)], [OLD.format(1), SDK], True),
        (["No broken requirements found."], ["No broken requirements found."], True),
        ([OLD.format(0)], [OLD.format(0), NEW, SDK], False),
    ],
    ids=["the SDK's bound", "of the Runtime itself", "none", "by the lock"],
)
def test_the_build_stops_if_the_lock_breaks_a_package_of_the_runtime(
    tmp_path: Path, before: list[str], after: list[str], built: bool, shell: str
) -> None:
    conflicts = tmp_path / "conflicts"
    pip = tmp_path / "pip"
    told = [
        f'printf "%s\\n" {" ".join(map(repr, lines))}; exit {int("No " not in lines[0])}'
        for lines in (before, after)
    ]
    pip.write_text(f"#!/bin/sh\n[ -s {conflicts} ] || {{ {told[0]}; }}\n{told[1]}\n")
    pip.chmod(0o755)
    steps = [step.replace("/tmp/conflicts", str(conflicts)) for step in steps_with("pip check")]
    first, last = (run_step(step, tmp_path, shell) for step in steps)
    assert first.returncode == 0
    assert (last.returncode == 0) == built, last.stdout
    assert built or "redis<6" in last.stdout


def test_astro_dev_pytest_runs_in_the_image_with_the_hosts_folders(tmp_path: Path) -> None:
    """The CLI copies the host's tests over the image's tests, but does not copy `local`."""
    ignored = pathspec.GitIgnoreSpec.from_lines(read(".dockerignore").splitlines())
    copied = {"dags", "include", "plugins", "tests", ".astro"}
    for path in tracked():
        name = path.relative_to(PROJECT)
        if not ignored.match_file(name.as_posix()) or name.parts[0] in copied:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, tmp_path / name)
    for paths in ([], ["tests"], ["tests/dags"]):
        done = subprocess.run(
            [sys.executable, "-P", "-m", "pytest", "-q", "--collect-only", "-p", "no:cacheprovider", *paths],
            cwd=tmp_path,
            # Unlike the image, the environment of this test has the package local_redshift and pytest plugins.
            env={
                "PATH": os.defpath,
                "PYTHONPATH": str(tmp_path),
                "PYTHONDONTWRITEBYTECODE": "1",
                "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        assert "tests/dags/test_integrity.py::" in done.stdout
        assert "tests/unit" not in done.stdout


@pytest.mark.parametrize("sound", [True, False])
def test_the_cli_is_installed_only_with_its_checksum(tmp_path: Path, sound: bool) -> None:
    served, tools = tmp_path / "served", tmp_path / "tools"
    served.mkdir()
    tools.mkdir()
    (served / "astro").write_text("the CLI")
    script = read(".ci/install-astro")
    version = re.findall(r"^version=(.*)$", script, re.M)[0]
    archive = f"astro_{version}_linux_amd64.tar.gz"
    subprocess.run(["tar", "-czf", archive, "astro"], cwd=served, check=True)
    digest = hashlib.sha256((served / archive).read_bytes() + (b"" if sound else b"!")).hexdigest()
    (served / f"astro_{version}_checksums.txt").write_text(f"{digest}  {archive}\n{digest}  another.zip\n")
    (tools / "curl").write_text(f'#!/bin/sh\nfor last; do :; done\ncp "{served}/$(basename "$last")" .\n')
    (tools / "sudo").write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/installed\n')
    for tool in tools.iterdir():
        tool.chmod(0o755)
    done = subprocess.run(
        ["bash", "-c", script],
        env={"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}", "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode == 0) == sound, done.stderr
    assert (tmp_path / "installed").exists() == sound


def test_scripts_keep_their_line_ends_in_a_checkout_on_windows() -> None:
    scripts = ["local/serve.sh", ".ci/run", "Dockerfile"]
    command = ["git", "check-attr", "eol", "--", *scripts]
    told = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    assert told.splitlines() == [f"{script}: eol: lf" for script in scripts]


def test_workflows_pin_actions_by_commit_and_name_tests_that_exist() -> None:
    for workflow in (PROJECT / ".github" / "workflows").iterdir():
        for action in re.findall(r"uses: (\S+)", workflow.read_text()):
            assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action), f"{workflow.name}: {action}"
        for path in re.findall(r"TESTS=([\w./]+)", workflow.read_text()):
            assert (PROJECT / path).exists(), f"{workflow.name}: {path}"
        assert "| sudo" not in workflow.read_text()


def test_only_main_is_deployed_and_only_the_pinned_cli_gets_the_token() -> None:
    job = yaml.safe_load(read(".github/workflows/deploy.yml"))["jobs"]["deploy"]
    assert "github.ref == 'refs/heads/main'" in job["if"].split(" && ")
    steps = job["steps"]
    (deploys,) = [number for number, step in enumerate(steps) if "ASTRO_API_TOKEN" in str(step)]
    assert "uses" not in steps[deploys]
    assert steps[deploys]["run"] == 'astro deploy "$ASTRO_DEPLOYMENT_ID" --parse'
    assert set(steps[deploys]["env"]) == {"ASTRO_API_TOKEN", "ASTRO_DEPLOYMENT_ID"}
    assert {"run": ".ci/install-astro"} in steps[:deploys]
    assert read(".github/workflows/deploy.yml").count("secrets.") == 1
