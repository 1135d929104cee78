"""The warehouse of the conformance tests: the stand-in or a real cluster.

The tests use a real cluster if these variables are set (the package's README has more details):
LOCAL_REDSHIFT_CONFORMANCE_DSN     libpq's format: host=... port=5439 dbname=... user=... password=...
LOCAL_REDSHIFT_CONFORMANCE_BUCKET  a bucket in the cluster's region that this account may write to
LOCAL_REDSHIFT_CONFORMANCE_ROLE    the ARN of a role of the cluster that may read and write the bucket
Cases marked `stand_in` test only refusals and views of the stand-in, and are skipped on a real cluster.
"""

from __future__ import annotations

import json
import os
import uuid
from dataclasses import dataclass
from typing import Any

import boto3
import psycopg2
import psycopg2.extensions
import pytest
import redshift_connector

DSN = os.environ.get("LOCAL_REDSHIFT_CONFORMANCE_DSN")
stand_in = pytest.mark.skipif(DSN is not None, reason="about the stand-in only")


@dataclass
class Warehouse:
    """A cluster and the bucket that COPY reads."""

    login: dict[str, Any]
    s3: Any
    bucket: str
    prefix: str
    role: str

    def redshift(self, **other: Any) -> Any:
        login = self.login | other
        login["database"] = login.pop("dbname")
        # Without a name, the driver searches the call stack for one.
        name = "conformance"
        connection = redshift_connector.connect(**login, ssl=DSN is not None, application_name=name)
        connection.autocommit = True
        return connection

    def psycopg(self, **other: Any) -> Any:
        connection = psycopg2.connect(**(self.login | other))
        connection.autocommit = True
        return connection

    def put(self, key: str, *objects: Any, raw: bytes | None = None) -> str:
        """Write JSON lines (or bytes) to an object, and return its s3:// address."""
        body = (
            raw if raw is not None else "\n".join(json.dumps(o, ensure_ascii=False) for o in objects).encode()
        )
        self.s3.put_object(Bucket=self.bucket, Key=self.prefix + key, Body=body)
        return f"s3://{self.bucket}/{self.prefix}{key}"


def prefix() -> str:
    """Return the prefix of the objects of one test run."""
    return f"conformance/{uuid.uuid4().hex}/"


def login_of(dsn: str) -> dict[str, Any]:
    """Return the driver's arguments for a login in libpq's format."""
    login: dict[str, Any] = dict(psycopg2.extensions.parse_dsn(dsn))
    return login | {"port": int(login.get("port", 5439))}


def real() -> Warehouse | None:
    """Return the real cluster that the environment names, or None. If it names no bucket, `bucket` is empty."""
    if DSN is None:
        return None
    bucket, role = (os.environ.get(f"LOCAL_REDSHIFT_CONFORMANCE_{name}", "") for name in ("BUCKET", "ROLE"))
    return Warehouse(login_of(DSN), boto3.client("s3") if bucket else None, bucket, prefix(), role)


@dataclass
class Client:
    """One connection with its own schema. In a statement, `{s}` is replaced with the schema."""

    connection: Any
    schema: str
    warehouse: Warehouse

    def __call__(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Run one statement, and return its rows, if any."""
        cursor = self.connection.cursor()
        cursor.execute(sql.replace("{s}", self.schema), *([parameters] if parameters else []))
        return [tuple(row) for row in cursor.fetchall()] if cursor.description else []

    def copy(self, table: str, source: str, options: str = "json 'auto'") -> None:
        self(f"copy {{s}}.{table} from '{source}' iam_role '{self.warehouse.role}' {options}")

    def fails(self, sql: str, *words: str) -> str:
        """Run a statement that must fail with these words in its error, and return the error."""
        with pytest.raises((redshift_connector.Error, psycopg2.Error)) as caught:
            self(sql)
        text = str(caught.value)
        for word in words:
            assert word in text, f"{word!r} is not in {text!r}"
        return text

    def copy_fails(self, table: str, source: str, options: str, *words: str) -> str:
        return self.fails(
            f"copy {{s}}.{table} from '{source}' iam_role '{self.warehouse.role}' {options}", *words
        )

    def load(self, table: str, key: str, raw: bytes, options: str) -> list[tuple[Any, ...]]:
        """Replace a table's rows with those that COPY loads from one object, and return them."""
        self(f"delete from {{s}}.{table}")
        self.copy(table, self.warehouse.put(key, raw=raw), options)
        return self(f"select * from {{s}}.{table} order by 1")

    def load_errors(self) -> list[tuple[Any, ...]]:
        """Return (file, line, column, code) of each error in this connection's last failed load."""
        return self(
            "select trim(filename), line_number, trim(colname), err_code from stl_load_errors"
            " where session = pg_backend_pid() and query = (select max(query) from stl_load_errors"
            " where session = pg_backend_pid()) order by line_number"
        )
