"""Read the ledger, table `loaded_files`, which records the loaded version of each file."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterator
from datetime import datetime

from include.sparkify.intervals import Interval
from include.sparkify.redshift import warehouse
from include.sparkify.settings import ops

# Maximum number of files of the ledger in memory at a time, for a source without days.
LEDGER_PAGE = 100_000
# Number of files in one value of a result. A value has at most 65,535 bytes, and a key has at most 1,024 bytes.
FILES_OF_A_VALUE = 50


@dataclasses.dataclass
class Ledger:
    """The files that are loaded or refused."""

    etags: dict[str, dict[str, str]]
    """The loaded version of each daily file, by source and key."""
    refused: dict[tuple[str, str], str]
    """The reason for each refused version, by key and ETag."""
    commit_id: str
    """The newest commit before this ledger was read, or an empty string if nothing was published."""
    read_at: datetime
    """The time of the warehouse before this ledger was read."""


def newest_commit() -> str:
    """Return the SQL expression for the commit of the newest version, an empty string if nothing was published."""
    return (
        f"(select coalesce(max(l.commit_id), '') from {ops()}.publish_log as l inner join "
        f"(select max(version) as version from {ops()}.publish_log) as n on l.version = n.version)"
    )


def read(looked_at: Interval) -> Ledger:
    """Return the loaded files of the days of ``looked_at``, and all refused files."""
    ((commit_id, now),) = warehouse.query(f"select {newest_commit()}, sysdate")
    rows = warehouse.query(
        f"select source_key, kind, etag from {ops()}.loaded_files where file_date >= %s and file_date < %s",
        looked_at.start.date(),
        looked_at.end,
    )
    refused = warehouse.query(f"select source_key, etag, reason from {ops()}.refused_files")
    etags: dict[str, dict[str, str]] = collections.defaultdict(dict)
    for key, kind, etag in rows:
        etags[kind][key] = etag
    return Ledger(etags, {(key, etag): why for key, etag, why in refused}, commit_id, now)


def read_pages(kind: str) -> Iterator[list[tuple[str, str]]]:
    """Return pages with the key and the loaded version of each file of a source without days, in key order.

    The last page may be empty. One value of the result contains many files, because redshift_connector takes some
    microseconds per value.
    """
    after = ""
    while True:
        rows = warehouse.query(
            # Keys contain no empty folder names, and ETags contain no blanks.
            "select listagg(etag || ' ' || source_key, '//') within group (order by source_key) from ("
            f"select source_key, etag, row_number() over (order by source_key) / {FILES_OF_A_VALUE} as part from ("
            f"select source_key, etag from {ops()}.loaded_files where kind = %s and source_key > %s "
            f"order by source_key limit {LEDGER_PAGE}) as page) as parts group by part order by part",
            kind,
            after,
        )
        page = []
        for (files,) in rows:
            for file in files.split("//"):
                etag, _, key = file.partition(" ")
                page.append((key, etag))
        yield page
        if len(page) < LEDGER_PAGE:
            return
        after = page[-1][0]


def find_replayed(ledger: Ledger) -> set[str]:
    """Return the keys of refused files, and of files with rejected lines."""
    # The ledger keeps the number of rejected lines after the lines have expired.
    rows = warehouse.query(
        f"select source_key from {ops()}.rejected_lines "
        f"union select source_key from {ops()}.loaded_files where rejected > 0"
    )
    return {key for key, _ in ledger.refused} | {key for (key,) in rows}
