"""The ledger, table `loaded_files`: which version of which file is loaded, and for which intervals."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any

from include.sparkify import intervals, warehouse
from include.sparkify.intervals import Interval
from include.sparkify.settings import ops

# Song files of the ledger in memory at once.
LEDGER_PAGE = 100_000
# Song files in one value of a result: a value has at most 65,535 bytes, a key 1,024.
FILES_OF_A_VALUE = 50


@dataclasses.dataclass
class Ledger:
    """The files that are loaded or refused."""

    etags: dict[str, str]
    """The loaded version by key."""
    loaded: dict[str, list[Interval]]
    """The intervals loaded by key of a log file."""
    processed: list[Interval]
    """The time that a run has processed, with or without a file."""
    refused: dict[tuple[str, str], str]
    """The reason by key and ETag of the refused versions."""


def read_ledger(looked_at: Interval) -> Ledger:
    """Read the ledger of the log files of the days of ``looked_at``."""
    rows = warehouse.query(
        "select source_key, kind, etag, interval_start, interval_end "
        f"from {ops()}.loaded_files where interval_start >= %s and interval_start < %s",
        intervals.of_day(looked_at.start.date()).start,
        looked_at.end,
    )
    loaded: dict[str, list[Interval]] = collections.defaultdict(list)
    etags, processed = {}, []
    for key, kind, etag, interval_start, interval_end in rows:
        processed.append(Interval(interval_start, interval_end))
        if kind == "events":
            etags[key] = etag
            loaded[key].append(processed[-1])
    refused = warehouse.query(f"select source_key, etag, reason from {ops()}.refused_files")
    return Ledger(etags, loaded, intervals.union(processed), {(key, etag): why for key, etag, why in refused})


def read_song_ledger() -> Iterator[list[tuple[str, str]]]:
    """Return key and loaded version of the song files in the ledger, in key order, page by page; the last may be empty.

    Many files come in one value, because redshift_connector needs some microseconds for each.
    """
    after = ""
    while True:
        rows = warehouse.query(
            # No key of a song file has an empty folder name, no ETag a blank.
            "select listagg(etag || ' ' || source_key, '//') within group (order by source_key) from ("
            f"select source_key, etag, row_number() over (order by source_key) / {FILES_OF_A_VALUE} as part from ("
            f"select source_key, etag from {ops()}.loaded_files where kind = 'songs' and source_key > %s "
            f"order by source_key limit {LEDGER_PAGE}) as page) as parts group by part order by part",
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


def note_owed(run_id: str, parts: Iterable[tuple[str, Interval]]) -> None:
    """Record time that was processed without a file, unless the ledger has it already.

    :param parts: source key (or the prefix without a file) and interval.
    """
    wanted = list(parts)

    def note(cursor: Any) -> None:
        warehouse.lock(cursor)
        insert_owed(cursor, run_id, wanted)

    warehouse.transaction(note, "record absent days in the ledger")


def insert_owed(cursor: Any, run_id: str, parts: list[tuple[str, Interval]]) -> None:
    """Insert the parts that the ledger does not have yet; the lock is held."""
    if not parts:
        return
    cursor.execute(
        f"select interval_start, interval_end from {ops()}.loaded_files "
        "where interval_start is not null and interval_start < %s and interval_end > %s",
        (max(part.end for _, part in parts), min(part.start for _, part in parts)),
    )
    known = intervals.union(Interval(*row) for row in cursor.fetchall())
    cursor.execute("select getdate()")
    now = cursor.fetchone()[0]
    columns = "source_key kind etag size interval_start interval_end lines accepted rejected run_id loaded_at"
    warehouse.insert(
        cursor,
        f"{ops()}.loaded_files",
        columns.split(),
        [
            (key, "absent", "", 0, piece.start, piece.end, 0, 0, 0, run_id, now)
            for key, part in parts
            for piece in intervals.subtract(part, known)
        ],
    )
