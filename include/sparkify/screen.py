"""Screening: every line of a new file is read once, held against the contract, and numbered.

COPY can tell neither which file a row came from nor which line broke a rule of ours, and it reads a file
that may be replaced under its hands. So the lines are read here, at the listed version, and what COPY loads
is their screened copy in the work bucket: typed, with file and line number, in few large pieces, and never
changed again.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import gzip
import itertools
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime
from typing import IO, Any, cast

import botocore.exceptions
import orjson

from include.sparkify import contract, lake
from include.sparkify.errors import DataError, TransientError
from include.sparkify.intervals import Interval, of_day
from include.sparkify.lake import LakeObject

# COPY reads pieces in parallel, best between 1 MB and 1 GB packed
# (https://docs.aws.amazon.com/redshift/latest/dg/c_best-practices-use-multiple-files.html); log lines pack
# about 15 to 1.
PIECE_BYTES = 256 * 1024 * 1024
# Small song files cost a round trip each; S3 answers that many at once with ease.
READERS = 16
# Rejected lines kept for each file; all are counted.
KEPT_REJECTS = 1000


@dataclasses.dataclass
class Screened:
    """What one file held; a row of ``staging_files``."""

    kind: str
    source_key: str
    etag: str
    size: int
    last_modified: int | None
    """ms since 1970, as COPY is told to read every timestamp."""
    file_date: str | None
    loaded_before: bool = False
    """The ledger knows the file, at whatever version."""
    vanished: bool = False
    """It was loaded once and is not in the lake any more (a full refresh drops its rows)."""
    lines: int = 0
    """Lines that are not blank: accepted and rejected ones."""
    blank_lines: int = 0
    accepted: int = 0
    staged: int = 0
    """Accepted lines that the run owns: in its windows, or of another day than the file's."""
    rejected: int = 0
    cut_values: int = 0
    unknown_fields: str = ""


@dataclasses.dataclass(frozen=True)
class Reject:
    """A line that was refused; a row of ``rejected_lines``."""

    source_key: str
    etag: str
    line_number: int
    column_name: str
    reason: str
    raw_line: str


class Pieces:
    """JSON lines on their way into the work bucket, as gzip pieces of bounded size, and their COPY manifest."""

    def __init__(self, s3: Any, bucket: str, prefix: str) -> None:
        self._s3, self._bucket, self._prefix = s3, bucket, prefix
        self._addresses: list[str] = []
        self._open()

    def _open(self) -> None:
        # The piece lies on disk: memory stays bounded however much comes in.
        self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the piece)
        self._gzip = gzip.GzipFile(fileobj=self._file, mode="wb", compresslevel=1, mtime=0)
        self._bytes = 0

    def write(self, row: dict[str, Any]) -> None:
        line = orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)
        self._gzip.write(line)
        self._bytes += len(line)
        if self._bytes >= PIECE_BYTES:
            self._close_piece()
            self._open()

    def _close_piece(self) -> None:
        self._gzip.close()
        self._file.seek(0)
        key = f"{self._prefix}/{len(self._addresses):05}.json.gz"
        self._addresses.append(lake.put(self._s3, self._bucket, key, self._file))  # type: ignore[arg-type]
        self._file.close()

    def finish(self) -> str:
        """Write what is left (an empty piece if nothing came) and the manifest; the manifest's key."""
        self._close_piece()
        key = f"{self._prefix}.manifest"
        manifest = {"entries": [{"url": address, "mandatory": True} for address in self._addresses]}
        lake.put(self._s3, self._bucket, key, orjson.dumps(manifest))
        return key


def described(kind: str, item: LakeObject) -> Screened:
    """The file as listed, nothing read yet."""
    day = item.file_date.isoformat() if kind == "events" and item.file_date else None
    return Screened(kind, item.key, item.etag, item.size, _ms(item.last_modified), day)


def log_files(
    s3: Any, bucket: str, items: Iterable[LakeObject], windows: list[Interval], pieces: Pieces
) -> Iterator[tuple[Screened, list[Reject]]]:
    """Screen log files, JSON lines each, one after the other; good lines that the run owns go to ``pieces``.

    The run owns what happened in its windows. A line of another day than its file's would be owned by no
    run that reads that file, so it is taken whenever its file is.

    :raises ObjectChanged: a file was replaced or deleted since it was listed.
    :raises DataError: a file cannot be unpacked.
    """
    owned = [(_ms(window.start), _ms(window.end)) for window in windows]
    for item in items:
        screened, tally = described("events", item), contract.Tally()
        rejects: list[Reject] = []
        day = of_day(cast(date, item.file_date))
        day_start, day_end = _ms(day.start), _ms(day.end)
        with lake.opened(s3, bucket, item) as stream:
            for number, line in _lines(stream, bucket, item):
                if not line.strip():
                    screened.blank_lines += 1
                    continue
                row = _read(line, number, contract.event, tally, screened, rejects)
                if row is None:
                    continue
                ts = row["ts"]
                if not day_start <= ts < day_end or any(start <= ts < end for start, end in owned):
                    screened.staged += 1
                    numbered = {
                        "source_key": item.key,
                        "line_number": number,
                        "file_date": screened.file_date,
                    }
                    pieces.write(numbered | row)
        yield _closed(screened, tally), rejects


def song_files(
    s3: Any, bucket: str, items: Iterable[LakeObject], pieces: Pieces
) -> Iterator[tuple[Screened, list[Reject]]]:
    """Screen song files, one JSON object each, several at once, in order; good ones go to ``pieces``.

    :raises ObjectChanged: a file was replaced or deleted since it was listed.
    :raises DataError: a file cannot be unpacked.
    """

    def read(item: LakeObject) -> tuple[LakeObject, bytes]:
        document = bytearray()
        with lake.opened(s3, bucket, item) as stream:
            for _, line in _lines(stream, bucket, item):
                document += line + b"\n"
                # The contract refuses it for its length: the rest would only fill memory.
                if len(document) > contract.MAX_LINE_BYTES:
                    break
        return item, bytes(document)

    with concurrent.futures.ThreadPoolExecutor(READERS) as pool:
        # In batches, so that a failure ends the reading soon and memory stays bounded.
        for batch in _batches(items):
            for item, document in pool.map(read, batch):
                screened, tally = described("songs", item), contract.Tally()
                rejects: list[Reject] = []
                if document.strip():
                    row = _read(document, 1, contract.song, tally, screened, rejects)
                    if row is not None:
                        screened.staged += 1
                        pieces.write({"source_key": item.key} | row)
                yield _closed(screened, tally), rejects


def _batches(items: Iterable[LakeObject]) -> Iterator[tuple[LakeObject, ...]]:
    iterator = iter(items)
    while batch := tuple(itertools.islice(iterator, READERS * 8)):
        yield batch


def _read(
    text: bytes,
    number: int,
    read: Callable[[bytes, contract.Tally], dict[str, Any]],
    tally: contract.Tally,
    screened: Screened,
    rejects: list[Reject],
) -> dict[str, Any] | None:
    """The line as a row; None, and a note why, if it breaks the contract."""
    screened.lines += 1
    try:
        row = read(text, tally)
    except contract.Breach as breach:
        screened.rejected += 1
        if len(rejects) < KEPT_REJECTS:
            raw = _without_nul(text[: contract.RAW_BYTES].decode(errors="replace"))
            # Replacing makes text longer: cut again, at a character's edge.
            raw = raw.encode()[: contract.RAW_BYTES].decode(errors="ignore")
            reason = _without_nul(breach.reason)[:500]
            rejects.append(Reject(screened.source_key, screened.etag, number, breach.column, reason, raw))
        return None
    screened.accepted += 1
    return row


def _ms(moment: datetime) -> int:
    return int(moment.replace(tzinfo=UTC).timestamp() * 1000)


def _closed(screened: Screened, tally: contract.Tally) -> Screened:
    screened.cut_values = tally.cut_values
    screened.unknown_fields = _without_nul(", ".join(sorted(tally.unknown_fields)))[:500]
    return screened


def _without_nul(text: str) -> str:
    """NUL as JSON writes it: the warehouse has no such character."""
    return text.replace("\x00", "\\u0000")


def _lines(stream: IO[bytes], bucket: str, item: LakeObject) -> Iterator[tuple[int, bytes]]:
    """Numbered lines without their ends; a byte order mark is dropped. Of a line over 4 MB the start is given."""
    number = 0
    try:
        while line := stream.readline(contract.MAX_LINE_BYTES + 1):
            number += 1
            if number == 1 and line.startswith(b"\xef\xbb\xbf"):
                line = line[3:]
            yield number, line.rstrip(b"\r\n")
            while len(line) > contract.MAX_LINE_BYTES and not line.endswith(b"\n"):
                line = stream.readline(contract.MAX_LINE_BYTES + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(
            f"s3://{bucket}/{item.key} is broken after line {number}: {error}. Nothing was loaded. "
            "Have it delivered again; the new version is picked up by itself."
        ) from error
    except (botocore.exceptions.BotoCoreError, OSError) as error:
        raise TransientError(f"lost s3://{bucket}/{item.key} after line {number}: {error}") from error
