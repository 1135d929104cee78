"""Fixtures for the reports' tests: the DAGs, and a star of the whole sample month with its report tables."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from include.sparkify.redshift import warehouse
from local import lake, sample
from local_redshift import service
from tests.running import dag_of, run
from tests.world import World


@pytest.fixture(scope="session")
def sparkify(airflow_database: None) -> Any:
    return dag_of("sparkify")


@pytest.fixture(scope="session")
def reports(airflow_database: None) -> Any:
    return dag_of("reports")


@pytest.fixture
def chrome() -> Iterator[Any]:
    """Yield a browser. Skip the test if none is installed."""
    from local import screenshots

    if screenshots.installed() is None:
        pytest.skip(
            "no chromium and chromedriver on the PATH (Debian: apt-get install chromium chromium-driver)"
        )
    with screenshots.browser() as chrome:
        yield chrome


_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def loaded_month(
    request: pytest.FixtureRequest,
    local_redshift: service.Running,
    s3: Any,
    connections: dict[str, str],
    reports: Any,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[World]:
    """Yield the sample month of `make run` in the schema `sparkify`, with the report tables that their DAG creates.

    A module can define a smaller sample, ``SAMPLE``.
    """
    from include.sparkify.settings import settings

    folder = tmp_path_factory.mktemp("sample")
    sample.write(folder, getattr(request.module, "SAMPLE", sample.Spec()))
    world = World(s3, f"month{next(_numbers)}")
    world.schema = "sparkify"  # The query pack uses this name.
    files = {path.relative_to(folder).as_posix(): path for path in folder.glob("*_data/**/*.json")}
    lake.upload(local_redshift, files, world.lake)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_VAR_SPARKIFY", world.settings())
        settings.cache_clear()
        world.create_tables()
        world.load("2018-11-01", "2018-12-01", audited=False)
        state, tasks = run(reports)
        assert state == "success", tasks
        assert set(tasks.values()) == {"success"}
        yield world

        # Another module in the same process may create its own month in the same schemas.
        def drop(cursor: Any) -> None:
            for schema in ("sparkify", "sparkify_ops", "reports", "reports_state"):
                cursor.execute(f"drop schema if exists {schema} cascade")

        warehouse.transaction(drop, "drop the month")
    settings.cache_clear()


@pytest.fixture
def month(loaded_month: World, enter: Any) -> World:
    """Return the sample month as the current world."""
    return enter(loaded_month)
