"""An AWS account to provision in: a stand-in of this folder's own, a warehouse of its own for each test."""

from __future__ import annotations

import itertools

import pytest

from include.cluster import aws, inventory
from include.local_aws import service
from include.sparkify.settings import settings
from tests.cluster.account import Account

_names = itertools.count(1)


@pytest.fixture(scope="session")
def cloud(tmp_path_factory):
    """Not the session's shared stand-in: here permissions are switched on, and clusters change the database."""
    home = tmp_path_factory.mktemp("cloud")
    yield service.start(home, aws_port=0, redshift_port=0)
    service.stop(home)
    aws.client.cache_clear()


def _account(cloud, patch):
    account = Account(cloud, f"wh-{next(_names)}")
    account.enter(patch)
    yield account
    account.permissions(False)
    account.enter(patch)
    if inventory.owned(account.warehouse):
        account.teardown()
    settings.cache_clear()


@pytest.fixture
def account(cloud, airflow_database, monkeypatch):
    """An account in which nothing of this test's warehouse exists; swept when the test is over."""
    yield from _account(cloud, monkeypatch)


@pytest.fixture(scope="module")
def provisioned(cloud, airflow_database):
    """An account with a warehouse that was provisioned twice: ``first``, then ``again`` with other addresses.

    For tests that look, in a module of their own: the connections' secrets have one name in an account.
    """
    with pytest.MonkeyPatch.context() as patch:
        for account in _account(cloud, patch):
            account.first = account.provision()
            account.login = account.secret("airflow/connections/redshift_default")
            account.again = account.provision(cidrs=["10.1.0.0/16", "2001:db8::/32"])
            yield account
