"""What all tests share."""

from __future__ import annotations

import importlib
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import botocore.config
import pytest

# Before anything imports Airflow, which reads its configuration then: no test may see or touch this person's
# Airflow, settings of the pipeline or AWS accounts (but for a conformance run, which is asked for by name).
AIRFLOW_HOME = tempfile.mkdtemp(prefix="sparkify-tests-")
for name in list(os.environ):
    if name.startswith("AIRFLOW") or name in (
        "SPARKIFY_SCHEDULE",
        "SPARKIFY_START_DATE",
        "SPARKIFY_END_DATE",
    ):
        del os.environ[name]
os.environ |= {
    "AIRFLOW_HOME": AIRFLOW_HOME,
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    "NO_PROXY": "127.0.0.1,localhost",
    "no_proxy": "127.0.0.1,localhost",
}
if "SPARKIFY_CONFORMANCE_DSN" not in os.environ:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ |= {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }

from include.local_aws import drive, service  # noqa: E402


@pytest.fixture(scope="session")
def local_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[service.Running]:
    """The local S3 and Redshift of this test session: a home of their own, any free ports."""
    home = tmp_path_factory.mktemp("local_aws")
    yield service.start(home, aws_port=0, redshift_port=0)
    service.stop(home)


def pytest_sessionfinish() -> None:
    """Remove the AIRFLOW_HOME of the session."""
    shutil.rmtree(AIRFLOW_HOME, ignore_errors=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is slow comes last, so that a mistake shows early."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is not None)


@pytest.fixture(scope="session")
def connections(local_aws: service.Running) -> Iterator[dict[str, str]]:
    """Airflow's connections and variables for the session's stand-in, in the environment; what was set."""
    settings = Path(__file__).parents[1] / "airflow_settings.yaml"
    found = drive.environment(settings, local_aws, Path(AIRFLOW_HOME))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in found.items():
            patch.setenv(name, value)
        yield found


@pytest.fixture(scope="session")
def airflow_database(connections: dict[str, str]) -> None:
    """Airflow's own database for tests that run a DAG: SQLite in the session's AIRFLOW_HOME."""
    subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], check=True, capture_output=True)
    # A second DAG.test() of a moment deletes the first run, whose note may point to a user: SQLAlchemy then
    # wants to know the table of users, which Airflow imports only with its web server.
    importlib.import_module("airflow.providers.fab.auth_manager.models")


_world_names = itertools.count(1)


@pytest.fixture(scope="session")
def s3(local_aws: service.Running) -> Any:
    """A client of the session's S3."""
    return boto3.client(
        "s3",
        endpoint_url=local_aws.aws_endpoint,
        region_name="us-west-2",
        aws_access_key_id="local",
        aws_secret_access_key="local",
        config=botocore.config.Config(s3={"addressing_style": "path"}, max_pool_connections=32),
    )


@pytest.fixture
def make_world(s3: Any, connections: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Makes worlds (tests/world.py), each with buckets and a schema of its own; the last one is in force."""
    from include.sparkify.settings import settings
    from tests.world import World

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
    """A world of the test's own, with the default settings."""
    return make_world()
