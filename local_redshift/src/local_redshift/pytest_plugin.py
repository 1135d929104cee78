"""Fixture ``local_redshift``: a Redshift and S3 for the test session, on any free ports, gone after it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from . import service


@pytest.fixture(scope="session")
def local_redshift_options() -> service.Options:
    """Return the options of the session's Redshift; override it in conftest.py to choose user, role, ports."""
    return service.Options()


@pytest.fixture(scope="session")
def local_redshift(local_redshift_options: service.Options) -> Iterator[service.Running]:
    """Run a local Redshift and S3 for the test session."""
    with service.server(local_redshift_options) as running:
        yield running
