"""Fixtures that sqlalchemy-redshift's tests need, on the local Redshift and with each of two drivers."""

import contextlib
import os

import pytest
import sqlalchemy as sa
from rs_sqla_test_utils import models
from rs_sqla_test_utils.utils import make_mock_engine

SECURITY = {"psycopg2": {"sslmode": "prefer"}, "redshift_connector": {"ssl": False}}
LONG = models.LongTablename.__table__
ACCOUNT = "123456789012"


@pytest.fixture(scope="session", params=list(SECURITY))
def redshift_dialect_flavor(request):
    return f"redshift+{request.param}"


@pytest.fixture(scope="session")
def stub_redshift_dialect(redshift_dialect_flavor):
    return make_mock_engine(redshift_dialect_flavor).dialect


@pytest.fixture(scope="session")
def _migrated(redshift_dialect_flavor):
    driver = redshift_dialect_flavor.partition("+")[2]
    url = sa.URL.create(
        redshift_dialect_flavor,
        username=os.environ["REDSHIFT_USER"],
        password=os.environ["REDSHIFT_PASSWORD"],
        host=os.environ["REDSHIFT_HOST"],
        port=int(os.environ["REDSHIFT_PORT"]),
        database=os.environ["REDSHIFT_DATABASE"],
    )
    engine = sa.create_engine(url, connect_args=SECURITY[driver])
    with engine.begin() as connection:
        connection.execute(sa.text("drop schema if exists other_schema cascade"))
        connection.execute(sa.text("create schema other_schema"))
        models.Base.metadata.drop_all(connection)
        tables = [table for table in models.Base.metadata.sorted_tables if table is not LONG]
        models.Base.metadata.create_all(connection, tables=tables)
    # This table has its own transaction, because it may fail: PostgreSQL limits names to 63 bytes, Redshift to 127.
    with contextlib.suppress(sa.exc.DBAPIError), engine.begin() as connection:
        LONG.create(connection)
    yield engine
    engine.dispose()


@pytest.fixture
def redshift_engine(_migrated):
    yield _migrated
    with _migrated.begin() as connection:
        connection.execute(sa.text("drop table if exists public.t1"))


@pytest.fixture
def redshift_session(_migrated):
    with _migrated.connect() as connection:
        transaction = connection.begin()
        session = sa.orm.Session(bind=connection)
        yield session
        session.close()
        transaction.rollback()


@pytest.fixture
def aws_account_id():
    return ACCOUNT


@pytest.fixture
def iam_role_name():
    return "myrole"


@pytest.fixture
def iam_role_arn():
    return f"arn:aws:iam::{ACCOUNT}:role/myrole"


@pytest.fixture
def iam_role_arns(iam_role_arn):
    return [iam_role_arn, f"arn:aws:iam::{ACCOUNT}:role/myrole2"]


@pytest.fixture
def iam_role_arn_with_aws_partition():
    return f"arn:aws-us-gov:iam::{ACCOUNT}:role/myrole"


@pytest.fixture
def iam_role_arns_with_aws_partition(iam_role_arn_with_aws_partition):
    return [iam_role_arn_with_aws_partition, f"arn:aws-us-gov:iam::{ACCOUNT}:role/myrole2"]
