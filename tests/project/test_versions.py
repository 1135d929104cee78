"""Test that each package has the same version everywhere, and that the image's requirements can be installed."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
import tomllib
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from local.home import AIRFLOW
from tests.project.files import INSTALLED, PROJECT, instructions, locked, pinned, read, requirements


@pytest.fixture(scope="module")
def pyproject() -> dict[str, Any]:
    return tomllib.loads(read("pyproject.toml"))


def test_requirements_are_pinned_and_leave_airflow_to_the_image() -> None:
    text = read("requirements.txt")
    assert not re.search(r"^\s*(-|\.|/|[\w.+-]+://|git\+)", text, re.M), "no option, no path, no address"
    for item in requirements():
        assert item.url is None
        assert re.fullmatch(r"==[\w.]+", str(item.specifier)), f"{item} is not pinned"
    assert "apache-airflow" not in {item.name for item in requirements()}


def group(pyproject: dict[str, Any], name: str) -> list[Requirement]:
    """Return a dependency group without the groups that it includes."""
    return [Requirement(line) for line in pyproject["dependency-groups"][name] if isinstance(line, str)]


def test_the_locks_are_made_of_these_inputs(pyproject: dict[str, Any]) -> None:
    """`make lock` must be run after each change of its inputs."""
    package = tomllib.loads(read("local_redshift/pyproject.toml"))["project"]["dependencies"]
    services = group(pyproject, "services") + [Requirement(line) for line in package]
    local = services + group(pyproject, "local")
    without_sdk = [item for item in requirements() if item.name != "astro-sdk-python"]
    inputs = {
        "requirements.lock": requirements() + local + group(pyproject, "airflow2"),
        "requirements-airflow3.lock": without_sdk + local + group(pyproject, "airflow3"),
        "requirements-local.lock": services,
    }
    for name, items in inputs.items():
        versions = pinned(name)
        for item in items:
            assert item.specifier.contains(versions[canonicalize_name(item.name)]), f"{item} is not in {name}"
        # Below each package, the lock file names the packages that require it.
        source = r"-r requirements\.txt|sparkify-pipeline \(pyproject|local-redshift \(local_redshift"
        asked = {
            re.split(r"[=\s\[]", block)[0]
            for block in re.split(r"^(?=[a-z0-9])", read(name), flags=re.M)
            if re.search(f"# .*({source})|#   ({source})", block)
        }
        assert asked <= {canonicalize_name(item.name) for item in items}
        assert not re.search(r"://|--index|--find-links|file:", read(name))
    assert pinned("requirements-local.lock").items() <= pinned().items()


def test_the_container_installs_all_that_the_services_import() -> None:
    """The local services need only the packages in requirements-local.lock."""
    names = sorted({canonicalize_name(item.name) for item in locked("requirements-local.lock")})
    code = f"""
import sys
from importlib.metadata import Distribution, PackageNotFoundError, packages_distributions

ALLOWED = {{*{names!r}, "local-redshift"}}
OWNERS = {{
    module: {{name.lower().replace("_", "-").replace(".", "-") for name in names}}
    for module, names in packages_distributions().items()
}}

class Refuse:
    def find_spec(self, name, *rest):
        if name in OWNERS and not OWNERS[name] & ALLOWED:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Refuse())
from_name = Distribution.from_name

def refuse(name):
    if name not in ALLOWED:
        raise PackageNotFoundError(name)
    return from_name(name)

Distribution.from_name = staticmethod(refuse)
import local.serve, local_redshift.server, moto.server, moto.redshift.models, moto.s3.models
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_image_installs_the_versions_of_the_lock_and_runs_as_astro() -> None:
    assert 'UV_CONSTRAINT="${UV_CONSTRAINT:-} requirements.lock"' in read("Dockerfile")
    assert [user for name, user in instructions() if name == "USER"] == ["root", "astro"]


def test_one_airflow_everywhere(pyproject: dict[str, Any]) -> None:
    """The image's build compares the Airflow version of the Dockerfile's tag with this number."""
    arguments = dict(line.split("=") for name, line in instructions() if name == "ARG")
    airflow = next(item for item in group(pyproject, "airflow2") if item.name == "apache-airflow")
    assert str(airflow.specifier) == f"=={arguments['AIRFLOW_VERSION']}"
    assert pinned()["apache-airflow"] == Version(arguments["AIRFLOW_VERSION"])


@pytest.mark.skipif(AIRFLOW != 2, reason="the image has Airflow 2")
def test_only_the_override_breaks_a_requirement() -> None:
    """If no package violates a constraint, the override and the manual steps in the Dockerfile can be removed."""
    uv = next(PROJECT.glob(".uv/*/bin/uv"))
    command = [uv, "pip", "check", "--python", sys.executable]
    told = subprocess.run(command, capture_output=True, text=True, check=False).stderr
    broken = re.findall(r"^The package `(\S+)` requires `([\w-]+)", told, re.M)
    assert broken == [("astro-sdk-python", "flask-session")], told


def test_the_environment_is_the_lock() -> None:
    for name, version in pinned(INSTALLED).items():
        assert Version(importlib.metadata.version(name)) == version, f"{name}: run make"


def test_one_range_of_python_versions(pyproject: dict[str, Any]) -> None:
    """The Runtime has Python 3.12, and Debian has 3.11."""
    assert pyproject["project"]["requires-python"] in read("Makefile")
    image = re.search(r'"image": "python:([\d.]+)-', read(".devcontainer/devcontainer.json"))
    assert image and image[1] in SpecifierSet(pyproject["project"]["requires-python"])
