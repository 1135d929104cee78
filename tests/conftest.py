"""Fixtures and hooks that all tests share."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import importlib
import importlib.util
import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.loaders import JSONFileLoader

from tests import own_environment

if TYPE_CHECKING:
    from local_redshift import service

AIRFLOW_HOME = own_environment.set_up()
# `astro dev pytest` copies this folder into the image, which does not contain the package `local`. Therefore, only
# tests/dags runs there.
if importlib.util.find_spec("local") is None:
    collect_ignore = [path.name for path in Path(__file__).parent.iterdir() if path.name != "dags"]


# Cache the descriptions of AWS services: every boto3 session parses them again, a megabyte of JSON per client.
_described = functools.cache(functools.partial(JSONFileLoader.load_file, JSONFileLoader()))
JSONFileLoader.load_file = lambda self, file_path: _described(file_path)  # type: ignore[method-assign]


# The image has no pytest-xdist.
@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Start three processes per two cores, because tests wait for a server or Airflow a third of the time."""
    return round(1.5 * len(os.sched_getaffinity(0)))


def pytest_sessionfinish() -> None:
    """Remove the AIRFLOW_HOME of the session."""
    shutil.rmtree(AIRFLOW_HOME, ignore_errors=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run slow tests last, so that a mistake shows early. In one of several workers, run files with slow tests first.

    A worker takes whole files: if it took a file with slow tests last, the other workers would wait for it.
    """
    slow = [item for item in items if item.get_closest_marker("slow")]
    if hasattr(config, "workerinput"):
        slow_files = {item.path for item in slow}
        items.sort(key=lambda item: item.path not in slow_files)
    else:
        items.sort(key=lambda item: item.get_closest_marker("slow") is not None)


@pytest.fixture(scope="session")
def local_redshift() -> Iterator[service.Running]:
    """Run the services with the user and role that airflow_settings.yaml names.

    This replaces the whole fixture of the package local_redshift, not only its options: the package's own tests may use
    the original in the same process.
    """
    from local import airflow_settings
    from local_redshift import service
    from tests.world import TROUBLE

    with service.server(dataclasses.replace(airflow_settings.service_options(), trouble=TROUBLE)) as running:
        yield running


@pytest.fixture(scope="session")
def connections(local_redshift: service.Running) -> Iterator[dict[str, str]]:
    """Set and yield the environment variables with the Airflow connections and variables for the session's stand-in."""
    from local import airflow_settings

    found = airflow_settings.environment(local_redshift, Path(AIRFLOW_HOME))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in found.items():
            patch.setenv(name, value)
        yield found


@pytest.fixture(scope="session")
def airflow_database(connections: dict[str, str]) -> None:
    """Create Airflow's metadata database, SQLite in the session's AIRFLOW_HOME, for tests that run a DAG."""
    subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], check=True, capture_output=True)
    # On Airflow 2, a second DAG.test() with the same logical date deletes the first run, whose note may name a user.
    # SQLAlchemy then needs the model of the user table, which Airflow imports only with its web server.
    with contextlib.suppress(ModuleNotFoundError):
        importlib.import_module("airflow.providers.fab.auth_manager.models")
    from local import dag_runs

    dag_runs.wait_less()


_world_names = itertools.count(1)


@pytest.fixture(scope="session")
def s3(local_redshift: service.Running) -> Any:
    """Return a client for the session's S3."""
    return local_redshift.client("s3")


@pytest.fixture
def make_world(s3: Any, connections: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Yield a function that creates a world (tests/world.py) with its own buckets and schemas."""
    from include.sparkify.settings import settings
    from tests import shortcuts
    from tests.world import TROUBLE, World

    shortcuts.take(monkeypatch)
    if TROUBLE:
        shortcuts.connect_again(monkeypatch)

    def make(**more: Any) -> World:
        return enter(World(s3, f"t{next(_world_names)}"), **more)

    def enter(world: World, **more: Any) -> World:
        monkeypatch.setenv("AIRFLOW_VAR_SPARKIFY", world.settings(**more))
        settings.cache_clear()
        return world

    make.enter = enter  # type: ignore[attr-defined]
    yield make
    settings.cache_clear()


@pytest.fixture
def world(make_world: Any) -> Any:
    """Create a world for this test, with the default settings."""
    return make_world()


@pytest.fixture(scope="module")
def new_world(s3: Any, connections: dict[str, str]) -> Iterator[Any]:
    """Yield a function that creates a world with its tables for the tests of a module, and makes it the current one."""
    from include.sparkify.settings import settings
    from tests import shortcuts
    from tests.fresh_world import FreshWorld

    with pytest.MonkeyPatch.context() as patch:
        shortcuts.take(patch)

        def make() -> FreshWorld:
            world = FreshWorld(s3, f"f{next(_world_names)}")
            patch.setenv("AIRFLOW_VAR_SPARKIFY", world.settings())
            settings.cache_clear()
            world.create_tables()
            return world

        yield make
    settings.cache_clear()


@pytest.fixture(scope="module")
def module_world(new_world: Any) -> Any:
    return new_world()


@pytest.fixture
def own_sessions(fresh: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each thread its own sessions, as in production."""
    from tests import shortcuts

    shortcuts.connect_again(monkeypatch)


@pytest.fixture
def enter(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Yield a function that makes a module's world current for a test, with settings other than the defaults."""
    from include.sparkify.settings import settings

    def enter(world: Any, **more: Any) -> Any:
        monkeypatch.setenv("AIRFLOW_VAR_SPARKIFY", world.settings(**more))
        settings.cache_clear()
        return world

    yield enter
    settings.cache_clear()


@pytest.fixture
def fresh(module_world: Any, enter: Any) -> Any:
    """Empty the module's world. Return a function that enters and returns it, with other settings if any are given."""
    enter(module_world).empty()
    return lambda **more: enter(module_world, **more)
