"""Fixtures with an AWS account for provisioning. This folder has its own stand-in."""

from __future__ import annotations

import itertools

import pytest

from include.cluster import aws
from include.sparkify.settings import settings
from local.airflow_settings import service_options
from local_redshift import service
from tests.cluster.account import Account

_names = itertools.count(1)


@pytest.fixture(scope="session")
def cloud():
    """Start a stand-in for this folder only, because tests enable permissions and clusters change the database."""
    with service.server(service_options()) as running:
        yield running
    aws.client.cache_clear()


def _account(cloud, patch):
    account = Account(cloud, f"wh-{next(_names)}")
    account.enter(patch)
    account.create_permissions()
    yield account
    account.enter(patch)
    account.remove()
    settings.cache_clear()


@pytest.fixture
def account(cloud, airflow_database, monkeypatch):
    """Yield an account without resources of this test's warehouse, and empty it after the test."""
    yield from _account(cloud, monkeypatch)


@pytest.fixture(scope="module")
def provisioned(cloud, airflow_database):
    """Yield an account with a cluster that was provisioned twice: ``first``, then ``again`` with other addresses.

    Tests must restore what they change. The connections' secrets have one name per account.
    """
    with pytest.MonkeyPatch.context() as patch:
        for account in _account(cloud, patch):
            account.first = account.provision()
            account.login = account.secret("airflow/connections/redshift_default")
            account.again = account.provision(cidrs=["10.1.0.0/16", "10.2.0.0/16"])
            yield account
