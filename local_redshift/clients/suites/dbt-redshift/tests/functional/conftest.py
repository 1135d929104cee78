"""The profile for dbt-redshift's functional tests on the local Redshift."""

import os

import pytest
from dbt.adapters.redshift.connections import RedshiftSSLConfig

# The local Redshift listens on loopback only and has no TLS, and some tests have a profile that does not disable TLS.
RedshiftSSLConfig.parse = classmethod(lambda cls, mode: cls(ssl=False, sslmode=None))


@pytest.fixture(scope="class")
def dbt_profile_target():
    return {
        "type": "redshift",
        "host": os.environ["REDSHIFT_HOST"],
        "port": int(os.environ["REDSHIFT_PORT"]),
        "dbname": os.environ["REDSHIFT_DATABASE"],
        "user": os.environ["REDSHIFT_USER"],
        "pass": os.environ["REDSHIFT_PASSWORD"],
        "region": os.environ["AWS_DEFAULT_REGION"],
        "threads": 1,
        # A failed statement would fail again, and six tries with pauses would take hours.
        "retries": 0,
    }
