"""The image: how it is built, and what it holds."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pathspec

from tests.project.files import PROJECT, instructions, read, tracked
from tests.project.test_local_worlds import environment


def test_dockerfile_installs_by_hand_with_the_override_and_the_lock() -> None:
    steps = [f"{name} {rest}" for name, rest in instructions()]
    assert re.fullmatch(r"FROM quay\.io/astronomer/astro-runtime:13\.\d+\.\d+-base", steps[0])
    order = [
        "USER root",
        "COPY packages.txt .",
        "RUN /usr/local/bin/install-system-packages",
        "COPY requirements.txt requirements.lock pyproject.toml ./",
        'RUN UV_CONSTRAINT="${UV_CONSTRAINT:-} requirements.lock" /usr/local/bin/install-python-dependencies',
        "USER astro",
        "COPY --chown=astro:0 . .",
    ]
    assert [step for step in steps if step in order] == order
    assert steps[-1] == order[-1]


def test_the_image_and_the_local_world_set_the_same() -> None:
    image = dict(re.findall(r"^ENV (\w+)=\"?(.*?)\"?$", read("Dockerfile"), re.M))
    assert len(image) == 3
    assert image.items() <= environment().items()


def test_the_image_holds_what_is_deployed_and_nothing_else() -> None:
    ignored = pathspec.GitIgnoreSpec.from_lines(read(".dockerignore").splitlines())
    files = [path.relative_to(PROJECT).as_posix() for path in tracked()]
    inside = [name for name in files if not ignored.match_file(name)]
    folders = {name.split("/")[0] for name in inside if "/" in name}
    assert folders == {".astro", "dags", "include", "plugins", "tests"}
    assert {name.split("/")[1] for name in inside if name.startswith("tests/")} == {"dags"}
    for name in (
        ".env",
        ".venv/bin/python",
        ".uv/venv/bin/python",
        ".local/run.log",
        "airflow_settings.yaml",
    ):
        assert ignored.match_file(name)


def test_a_failed_install_ends_the_service(tmp_path: Path) -> None:
    """local/serve.sh must not start the services on packages that are not there."""
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
