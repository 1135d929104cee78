"""Fixtures ``local_redshift``, a Redshift and S3 for the test session, and ``redshift``, a clean database per test."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from psycopg2 import sql

from . import service

_numbers = itertools.count(1)
# Extensions of the files that `load` accepts, and the COPY options of each.
FORMATS = {
    ".json": "json 'auto'",
    ".jsonl": "json 'auto'",
    ".csv": "csv ignoreheader 1",
    ".parquet": "parquet",
}
BUCKET = "local-redshift-loads"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--local-redshift-home",
        metavar="FOLDER",
        help="use the server that `local-redshift serve --home FOLDER` runs, instead of starting one",
    )


@pytest.fixture(scope="session")
def local_redshift_options() -> service.Options:
    """Return the options of the session's Redshift. Override it in conftest.py to choose the user, role or ports."""
    return service.Options()


@pytest.fixture(scope="session")
def local_redshift(
    request: pytest.FixtureRequest, local_redshift_options: service.Options
) -> Iterator[service.Running]:
    """Run a local Redshift and S3 for the test session, or use the one that ``--local-redshift-home`` names."""
    home = request.config.getoption("--local-redshift-home")
    if home is None:
        with service.server(local_redshift_options) as running:
            yield running
        return
    found = service.status(Path(home))
    if found is None:
        pytest.exit(
            f"no local Redshift runs in {home}. Next: local-redshift serve --home {home}", returncode=4
        )
    yield found


@dataclasses.dataclass(frozen=True)
class Database:
    """A database of the local Redshift."""

    server: service.Running
    name: str

    @property
    def login(self) -> dict[str, Any]:
        """Return arguments for ``psycopg2.connect(**login)`` or ``redshift_connector.connect(**login, ssl=False)``."""
        return {**self.server.login, "database": self.name}

    def connect(self) -> Any:
        """Open a psycopg2 connection in which every statement is a transaction."""
        connection = psycopg2.connect(**self.login)
        connection.autocommit = True
        return connection

    def run(self, statements: str | Path) -> list[tuple[Any, ...]]:
        """Run SQL, or a file of SQL, and return the rows of the last statement."""
        text = statements.read_text() if isinstance(statements, Path) else statements
        with contextlib.closing(self.connect()) as connection, connection.cursor() as cursor:
            cursor.execute(text)
            return cursor.fetchall() if cursor.description else []

    def load(self, table: str, file: Path) -> None:
        """Load a file (.json, .jsonl, .csv with a header, .parquet) into a table with COPY, through S3.

        :raises KeyError: the file name has another extension.
        """
        options, s3 = FORMATS[file.suffix], self.server.client("s3")
        with contextlib.suppress(s3.exceptions.BucketAlreadyOwnedByYou):
            s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": service.REGION})
        key = f"{self.name}/{table}/{file.name}"
        s3.put_object(Bucket=BUCKET, Key=key, Body=file.read_bytes())
        self.run(f"copy {table} from 's3://{BUCKET}/{key}' iam_role '{self.server.role}' {options}")


@pytest.fixture(scope="session")
def redshift_template(local_redshift: service.Running) -> Iterator[Database]:
    """Create the empty database that each ``redshift`` is a copy of.

    Override it in conftest.py to create tables, or load files, once for all tests::

        @pytest.fixture(scope="session")
        def redshift_template(redshift_template):
            redshift_template.run(Path("schema.sql"))
            return redshift_template
    """
    with _database(local_redshift, "template1") as database:
        yield database


@pytest.fixture
def redshift(redshift_template: Database) -> Iterator[Database]:
    """Create a database for this test: a copy of ``redshift_template``, which is dropped after the test."""
    with _database(redshift_template.server, redshift_template.name) as database:
        yield database


@contextlib.contextmanager
def _database(server: service.Running, template: str) -> Iterator[Database]:
    """Copy a database file by file, which takes some hundredths of a second."""
    # The process ID is in the name because test processes may share a server.
    name = f"test_{os.getpid()}_{next(_numbers)}"
    # Bypass Redshift's front, because only PostgreSQL has TEMPLATE.
    beside = psycopg2.connect(
        host=server.postgres_host,
        port=5432,
        user=server.user,
        password=server.password,
        dbname=server.database,
    )
    beside.autocommit = True
    with contextlib.closing(beside), beside.cursor() as cursor:
        create = sql.SQL("create database {} template {} strategy file_copy")
        cursor.execute(create.format(sql.Identifier(name), sql.Identifier(template)))
        try:
            yield Database(server, name)
        finally:
            # FORCE is needed because a test may leave connections open.
            cursor.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))
