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
from packaging.utils import canonicalize_name
from packaging.version import Version

from local.home import AIRFLOW
from tests.project.files import INSTALLED, PROJECT, instructions, locked, pinned, read, requirements


@pytest.fixture(scope="module")
def pyproject() -> dict[str, Any]:
    return tomllib.loads(read("pyproject.toml"))


@pytest.fixture(scope="module")
def overrides(pyproject: dict[str, Any]) -> dict[str, Requirement]:
    found = map(Requirement, pyproject["tool"]["uv"]["override-dependencies"])
    return {canonicalize_name(item.name): item for item in found}


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


def group(pyproject: dict[str, Any], name: str) -> list[Requirement]:
    """Return a dependency group without the groups that it includes."""
    return [Requirement(line) for line in pyproject["dependency-groups"][name] if isinstance(line, str)]


def package_requirements() -> list[Requirement]:
    """Return the dependencies of local_redshift."""
    project = tomllib.loads(read("local_redshift/pyproject.toml"))["project"]
    return [Requirement(line) for line in project["dependencies"]]


def test_the_locks_are_made_of_these_inputs(pyproject: dict[str, Any]) -> None:
    """`make lock` must be run after each change of its inputs."""
    services = group(pyproject, "services") + package_requirements()
    inputs = {
        "requirements.lock": requirements()
        + group(pyproject, "local")
        + group(pyproject, "airflow2")
        + services,
        "requirements-local.lock": services,
    }
    for name, items in inputs.items():
        versions = pinned(name)
        for item in items:
            assert item.specifier.contains(versions[canonicalize_name(item.name)]), f"{item} is not in {name}"
        # Below each package, the lock file names the packages that require it.
        blocks = re.split(r"^(?=[a-z0-9])", read(name), flags=re.M)
        source = r"-r requirements\.txt|sparkify-pipeline \(pyproject|local-redshift \(local_redshift"
        asked = {
            re.split(r"[=\s\[]", block)[0]
            for block in blocks
            if re.search(f"# .*({source})|#   ({source})", block)
        }
        assert asked == {canonicalize_name(item.name) for item in items}
        assert not re.search(r"://|--index|--find-links|file:", read(name))


def test_the_lock_of_airflow_3_is_made_of_the_same_inputs_without_the_sdk(pyproject: dict[str, Any]) -> None:
    versions = pinned("requirements-airflow3.lock")
    assert "astro-sdk-python" not in versions
    groups = [item for name in ("services", "local", "airflow3") for item in group(pyproject, name)]
    for item in requirements() + groups + package_requirements():
        if item.name != "astro-sdk-python":
            assert item.specifier.contains(versions[canonicalize_name(item.name)]), (
                f"{item} is not in the lock"
            )


def test_both_locks_agree() -> None:
    everything = pinned()
    assert {name: everything[name] for name in pinned("requirements-local.lock")} == pinned(
        "requirements-local.lock"
    )


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


def test_one_airflow_everywhere(pyproject: dict[str, Any]) -> None:
    """The image's build compares the Airflow version of the Dockerfile's tag with this number."""
    arguments = dict(line.split("=") for name, line in instructions() if name == "ARG")
    airflow = next(item for item in group(pyproject, "airflow2") if item.name == "apache-airflow")
    assert str(airflow.specifier) == f"=={arguments['AIRFLOW_VERSION']}"
    assert pinned()["apache-airflow"] == Version(arguments["AIRFLOW_VERSION"])


# These tests read the requirements of installed packages. The image's packages are installed only with Airflow 2.
of_the_image = pytest.mark.skipif(AIRFLOW != 2, reason="the image has Airflow 2")


def unmet(overrides: dict[str, Requirement]) -> list[str]:
    """Return the requirements of requirements.txt and of the Runtime's Airflow that the lock file does not meet."""
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


@of_the_image
def test_requirements_resolve_beside_the_runtimes_airflow(overrides: dict[str, Requirement]) -> None:
    assert unmet(overrides) == []


@of_the_image
def test_they_would_not_without_the_override() -> None:
    """When this test fails, the override and the manual steps in the Dockerfile can be removed."""
    assert [line for line in unmet({}) if "flask-session" in line.lower()]


def test_the_environment_is_the_lock() -> None:
    for name, version in pinned(INSTALLED).items():
        assert Version(importlib.metadata.version(name)) == version, f"{name}: run make"


def test_python_versions(pyproject: dict[str, Any]) -> None:
    """The Runtime has Python 3.12, and Debian has 3.11."""
    assert pyproject["project"]["requires-python"] == ">=3.11,<3.13"
    assert sys.version_info[:2] in ((3, 11), (3, 12))
    assert ">=3.11,<3.13" in read("Makefile")
