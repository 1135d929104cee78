"""A world of its own for every test of the pipeline, on the session's stand-in."""

import itertools

import boto3
import botocore.config
import pytest

from include.sparkify.settings import settings
from tests.world import World

_names = itertools.count(1)


@pytest.fixture(scope="session")
def s3(local_aws):
    return boto3.client(
        "s3",
        endpoint_url=local_aws.aws_endpoint,
        region_name="us-west-2",
        aws_access_key_id="local",
        aws_secret_access_key="local",
        config=botocore.config.Config(s3={"addressing_style": "path"}, max_pool_connections=32),
    )


@pytest.fixture
def make_world(s3, connections, monkeypatch):
    """Makes worlds; the one made or entered last is the one in force."""

    def make(**more):
        world = World(s3, f"t{next(_names)}")
        enter(world, **more)
        return world

    def enter(world, **more):
        monkeypatch.setenv("AIRFLOW_VAR_SPARKIFY", world.settings(**more))
        settings.cache_clear()
        return world

    make.enter = enter
    yield make
    settings.cache_clear()


@pytest.fixture
def world(make_world):
    return make_world()
