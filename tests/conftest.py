"""What all tests share."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

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
def connections(
    local_aws: service.Running, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """Airflow's connections and variables for the session's stand-in, in the environment; what was set."""
    settings = Path(__file__).parents[1] / "airflow_settings.yaml"
    found = drive.environment(settings, local_aws, tmp_path_factory.mktemp("airflow"))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in found.items():
            patch.setenv(name, value)
        yield found
