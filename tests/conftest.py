"""What all tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from include.local_aws import service


@pytest.fixture(scope="session")
def local_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[service.Running]:
    """The local S3 and Redshift of this test session: a home of their own, any free ports."""
    home = tmp_path_factory.mktemp("local_aws")
    yield service.start(home, aws_port=0, redshift_port=0)
    service.stop(home)
