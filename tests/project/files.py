"""Read the project's own files for these tests."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from local.home import AIRFLOW

PROJECT = Path(__file__).resolve().parents[2]
INSTALLED = "requirements.lock" if AIRFLOW == 2 else f"requirements-airflow{AIRFLOW}.lock"
"""The lock file of the environment that runs these tests."""


def read(name: str) -> str:
    """Return the text of a file of the project."""
    return (PROJECT / name).read_text()


def requirements(name: str = "requirements.txt") -> list[Requirement]:
    """Return the lines of a requirements file."""
    lines = (line.split("#")[0].strip() for line in read(name).splitlines())
    return [Requirement(line) for line in lines if line]


def locked(name: str = "requirements.lock") -> list[Requirement]:
    """Return each package of a lock file with its version and environment marker."""
    entries = re.findall(r"^([a-z0-9].*?) \\\n((?:    --hash=\S+(?: \\)?\n)+)", read(name), re.M)
    assert len(entries) == len(re.findall("^[a-z0-9]", read(name), re.M)), "a package has no hash"
    return [Requirement(line) for line, _ in entries]


def pinned(name: str = "requirements.lock") -> dict[str, Version]:
    """Return the versions of a lock file for the platform and Python version that run this test."""
    return {
        canonicalize_name(item.name): Version(str(item.specifier).removeprefix("=="))
        for item in locked(name)
        if item.marker is None or item.marker.evaluate()
    }


def instructions(project: Path = PROJECT) -> list[tuple[str, str]]:
    """Return the Dockerfile's instructions in order."""
    text = (project / "Dockerfile").read_text()
    lines = (line.strip() for line in re.sub(r"\\\n", " ", text).splitlines())
    words = (line.partition(" ") for line in lines if line and not line.startswith("#"))
    return [(name, rest.strip()) for name, _, rest in words]


def tracked() -> list[Path]:
    """Return the files under version control."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=PROJECT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("not a git work tree")
    return [PROJECT / name for name in done.stdout.split("\0") if name and (PROJECT / name).is_file()]


def copy_project(folder: Path) -> None:
    """Copy the files under version control."""
    for path in tracked():
        target = folder / path.relative_to(PROJECT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)
