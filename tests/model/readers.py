"""Readers of the published tables. In a loop, each reads the version and a digest of every table in one transaction.

``python -m tests.model.readers redshift://user@host:5439/database STAR REPORTS [COUNT]`` reads any warehouse while its
runs publish, with the password in PGPASSWORD, and prints a summary of the observations.
"""

from __future__ import annotations

import collections
import functools
import os
import sys
import threading
import urllib.parse
from collections.abc import Callable
from typing import Any

import redshift_connector

from include.sparkify import tables

READERS = 4
# Tables per statement. A statement costs more than a test's few rows. A transaction still has several statements.
TABLES_OF_A_STATEMENT = 8
# Error codes for a table that is being dropped or created, so that there is nothing to observe.
ABSENT = ("42P01", "3F000", "XX000", "40001", "40P01")

Version = tuple[str | None, str | None]
"""The IDs of the last publish of the star and of the report tables."""
Digests = tuple[tuple[int, int], ...]


@functools.cache
def queries(star: str, reports: str) -> tuple[list[str], list[str]]:
    """Return the queries for the two parts of the version, and those for row counts and digests of all tables."""
    found = [
        (f"{star}{'_ops' if name in tables.OPS else ''}.{name}", tables.published(name))
        for name in (*tables.STAR, *tables.HISTORY, "loaded_files")
    ]
    found += [(f"{reports}.{name}", table) for name, table in tables.reports().items()]
    digests = []
    for number, (name, table) in enumerate(found):
        row = " || '|' || ".join(f"coalesce({column.name}::varchar, '~')" for column in table.columns)
        digests.append(
            f"select {number} as number, count(*) as found, "
            f"coalesce(sum(strtol(substring(md5({row}), 1, 12), 16)), 0)::bigint as digest from {name}"
        )
    statements = [
        f"{' union all '.join(digests[start : start + TABLES_OF_A_STATEMENT])} order by number"
        for start in range(0, len(digests), TABLES_OF_A_STATEMENT)
    ]
    versions = [
        f"select commit_id from {star}_ops.publish_log order by version desc limit 1",
        f"select commit_id from {reports}_state.reported",
    ]
    return versions, statements


def observe(connection: Any, star: str, reports: str) -> tuple[Version, Digests]:
    """Return the version and the digests that one transaction reads."""
    versions, statements = queries(star, reports)
    cursor = connection.cursor()
    found = []
    try:
        for sql in versions:
            cursor.execute(sql)
            row = cursor.fetchone()
            found.append(row[0] if row else None)
        read = []
        for sql in statements:
            cursor.execute(sql)
            read += [(int(count), int(digest)) for _, count, digest in cursor.fetchall()]
    finally:
        connection.rollback()
    return (found[0], found[1]), tuple(read)


class Readers:
    """Threads that read until they are stopped."""

    def __init__(self, connect: Callable[[], Any], star: str, reports: str) -> None:
        self._connect, self._schemas = connect, (star, reports)
        self._over = threading.Event()
        self.seen: collections.Counter[tuple[Version, Digests]] = collections.Counter()
        self.absent = 0
        self.errors: list[Exception] = []
        self._threads = [threading.Thread(target=self._read) for _ in range(READERS)]

    def __enter__(self) -> Readers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    @property
    def count(self) -> int:
        """Return the number of observations so far."""
        return sum(self.seen.copy().values())

    def mixed(self) -> list[Version]:
        """Return the versions whose observations differ."""
        found = collections.Counter(version for version, _ in self.seen)
        return [version for version, count in found.items() if count > 1]

    def _read(self) -> None:
        connection = self._connect()
        try:
            while not self._over.is_set():
                try:
                    self.seen[observe(connection, *self._schemas)] += 1
                except redshift_connector.Error as error:
                    detail = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
                    if detail.get("C") not in ABSENT:
                        raise
                    self.absent += 1
        except Exception as error:
            self.errors.append(error)
        finally:
            connection.close()


def main(dsn: str, star: str, reports: str, observations: str = "10000") -> None:
    """Read a warehouse until there are enough observations. Fail if two observations of one version differ."""
    place = urllib.parse.urlsplit(dsn)

    def connect() -> Any:
        return redshift_connector.connect(
            host=place.hostname,
            port=place.port or 5439,
            database=place.path.strip("/"),
            user=urllib.parse.unquote(place.username or ""),
            password=os.environ["PGPASSWORD"],
        )

    with Readers(connect, star, reports) as readers:
        while readers.count < int(observations) and not readers.errors:
            threading.Event().wait(1)
    versions = len({version for version, _ in readers.seen})
    print(
        f"{readers.count} observations, {versions} versions, {len(readers.mixed())} mixed, {readers.absent} absent"
    )
    if readers.errors or readers.mixed():
        sys.exit(f"{readers.errors} {readers.mixed()}")


if __name__ == "__main__":
    main(*sys.argv[1:])
