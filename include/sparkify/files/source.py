"""Read source files line by line, write accepted lines to the work bucket for COPY, and collect rejected lines.

A file is loaded or refused as a whole. A log file is refused if the share of rejected lines exceeds the threshold, if
no line is accepted, if a required field is missing from all lines, or if the file cannot be read to its end. A song
file is refused if its document is rejected. Therefore, the other files of a run do not affect whether a file is
refused. A file that S3 does not return is also refused, but the refusal is not recorded for a version, so that the next
run tries to read the file again.
"""

from __future__ import annotations

import codecs
import concurrent.futures
import dataclasses
import functools
import gzip
import io
import itertools
import logging
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import IO, Any, BinaryIO, cast

import botocore.exceptions
import msgspec
import orjson
from isal import igzip

from include.sparkify.errors import RETRIES_FAILED, TransientError
from include.sparkify.files import contract, lake
from include.sparkify.files.lake import LakeObject
from include.sparkify.settings import settings
from include.sparkify.tables import Source

# Size of a piece before compression, within the range of 1 MB to 1 GB that AWS recommends for COPY
# (https://docs.aws.amazon.com/redshift/latest/dg/c_best-practices-use-multiple-files.html).
PIECE_BYTES = 64 << 20
# Maximum number of bytes of accepted lines that are buffered in memory until a file is accepted or refused. The lines
# of larger files are buffered on disk.
SPOOL_BYTES = 8 << 20
# Number of bytes of a file that are split into lines, validated and written together.
BLOCK_BYTES = 1 << 20
# Number of song files that are read in parallel, because each file requires a round trip.
READERS = 16
# Maximum number of rejected lines that are stored per file, to limit memory usage. All rejected lines are counted.
KEPT_PER_FILE = 1_000
# Maximum number of milliseconds by which the clock of an event may be ahead of the clock of the lake.
CLOCK_SKEW = 24 * 60 * 60 * 1000

log = logging.getLogger(__name__)
Listed = tuple[LakeObject, str]
"""A listed file, and its ETag in the ledger (an empty string if it is not in the ledger)."""


@dataclasses.dataclass
class ValidatedFile:
    """A file that was read, as a row of ``staging_files``. Times are epoch milliseconds (COPY_OPTIONS)."""

    kind: str
    source_key: str
    etag: str
    size: int
    last_modified: int | None
    file_date: str | None
    ledger_etag: str
    """The ETag in the ledger when the run was planned, or an empty string if the file was not in the ledger."""
    vanished: bool = False
    """True if the file was loaded and is no longer in the lake. A full refresh deletes the rows of such a file."""
    lines: int = 0
    """Number of lines that are not blank, which is the sum of accepted and rejected lines."""
    blank_lines: int = 0
    accepted: int = 0
    rejected: int = 0
    cut_values: int = 0
    unknown_fields: str = ""


@dataclasses.dataclass(frozen=True)
class RejectedLine:
    """A line that violates the contract, as a row of ``rejected_lines``."""

    source_key: str
    etag: str
    line_number: int
    column_name: str
    reason: str
    raw_line: str


class Presence:
    """The fields that occur in the lines of a log file, to detect a renamed field, whose column would be null.

    A single line does not show whether a field was renamed or omitted, but a whole file does, because at least one of
    its lines has the field. A file with plays is refused if any field is missing from all of its lines. A file without
    plays is refused if a field that is required, or that every line has, is missing from all of its lines.

    In a typical file, only the lines up to the first play are inspected. The fields of these lines that have no column
    are added to ``unknown``.
    """

    def __init__(self, fields: tuple[contract.Field, ...], unknown: set[str]) -> None:
        self._absent = {field.source: field for field in fields}
        self._known = frozenset(self._absent)
        self._unknown = unknown
        self._has_lines = False
        self._has_plays = False

    def note(self, lines: list[bytes]) -> None:
        """Record the fields of lines, until every field has occurred."""
        for line in lines:
            if not self._absent:
                return
            try:
                source = orjson.loads(line)
            except orjson.JSONDecodeError:
                continue
            if isinstance(source, dict):
                self._has_lines = True
                self._has_plays |= source.get("page") == contract.PLAY
                self._unknown |= source.keys() - self._known
                for name in self._absent.keys() & source.keys():
                    del self._absent[name]

    def refusal(self) -> str:
        """Return the reason to refuse the file, or an empty string if no field is missing."""
        absent = [
            field.source
            for field in self._absent.values()
            if self._has_plays or (self._has_lines and (field.required or field.on_every_line))
        ]
        if not absent:
            return ""
        return (
            f"no line has {' or '.join(absent)}, which every file{' with plays' if self._has_plays else ''} must "
            "have: a field was renamed or dropped"
        )


@dataclasses.dataclass
class Reading:
    """The state of a file while it is read, and the decision whether to refuse it."""

    file: ValidatedFile
    tally: contract.Tally = dataclasses.field(default_factory=contract.Tally)
    rejects: list[RejectedLine] = dataclasses.field(default_factory=list)
    refusal: str = ""
    """The reason for the refusal, or an empty string if the file is accepted."""

    def __post_init__(self) -> None:
        self.presence = Presence(contract.CONTRACTS[self.file.kind].fields, self.tally.unknown_fields)

    def parse(
        self, text: bytes, number: int, read: Callable[[bytes, contract.Tally], dict[str, Any]]
    ) -> dict[str, Any] | None:
        """Return the line as a row. If the line violates the contract, store it as a rejected line and return None."""
        self.file.lines += 1
        try:
            row = read(text, self.tally)
        except contract.Reject as reject:
            self.file.rejected += 1
            if len(self.rejects) < KEPT_PER_FILE:
                raw = _without_nul(text[: contract.RAW_BYTES].decode(errors="replace"))
                # Replacement characters increase the length of the text, so truncate it again at a character boundary.
                raw = raw.encode()[: contract.RAW_BYTES].decode(errors="ignore")
                key, etag, reason = self.file.source_key, self.file.etag, _without_nul(reject.reason)[:500]
                self.rejects.append(RejectedLine(key, etag, number, reject.column, reason, raw))
            return None
        self.file.accepted += 1
        return row

    def judge(self, threshold: float) -> None:
        """Set the reason for the refusal of a log file, unless the file is already refused."""
        if self.refusal:
            return
        file = self.file
        # If a field is missing from all lines, report the field instead of the lines that are rejected without it.
        if file.lines and (refusal := self.presence.refusal()):
            self.refusal = refusal
        elif file.lines and not file.accepted:
            self.refusal = f"none of its {file.lines} lines was accepted"
        elif file.rejected > threshold * file.lines:
            self.refusal = f"{file.rejected} of {file.lines} lines were rejected (threshold {threshold:.2%})"
        if self.refusal and self.rejects:
            first = self.rejects[0]
            self.refusal += (
                f"; first: line {first.line_number}, {first.column_name or 'whole line'}: {first.reason}"
            )

    def refuse_empty(self) -> None:
        """Refuse an empty file if another version of it is loaded, to keep the rows of that version."""
        if not (self.file.lines or self.refusal) and self.file.ledger_etag not in ("", self.file.etag):
            self.refusal = (
                "it is empty, and a version of it is loaded, whose rows stay. To delete them, delete the file and run "
                "with mode=full_refresh"
            )

    def refuse_unreadable(self, error: Exception) -> None:
        """Refuse a file that cannot be read, without its version, so that the next run tries to read it again."""
        self.file.etag, self.refusal = "", f"{error} The next run tries to read it again."

    def close(self) -> None:
        self.file.cut_values = self.tally.cut_values
        self.file.unknown_fields = _without_nul(", ".join(sorted(self.tally.unknown_fields)))[:500]


class Pieces:
    """The JSON lines for one COPY, as gzip objects of limited size in the work bucket."""

    def __init__(self, s3: Any, bucket: str, prefix: str) -> None:
        self._s3, self._bucket, self._prefix = s3, bucket, prefix
        self.addresses: list[str] = []
        self.rows = 0
        self._bytes = 0
        self._file: IO[bytes] | None = None

    def append(self, lines: IO[bytes], count: int) -> None:
        """Append ``count`` lines, each of which ends with a newline."""
        if not count:
            return
        if self._file is None:
            # Write the lines to disk, so that memory usage does not depend on the number of lines.
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the piece)
            self._gzip = igzip.IGzipFile(fileobj=self._file, mode="wb", mtime=0)
        lines.seek(0)
        shutil.copyfileobj(lines, self._gzip, BLOCK_BYTES)
        self.rows += count
        self._bytes += lines.tell()
        if self._bytes >= PIECE_BYTES:
            self.close()

    def close(self) -> None:
        """Write the current piece to the work bucket, if there is one."""
        if self._file is None:
            return
        self._gzip.close()
        self._file.seek(0)
        key = f"{self._prefix}/{len(self.addresses):05}.json.gz"
        self.addresses.append(lake.put(self._s3, self._bucket, key, cast(BinaryIO, self._file)))
        self._file.close()
        self._file, self._bytes = None, 0


def read_files(
    source: Source, s3: Any, bucket: str, items: Iterable[Listed], pieces: Pieces
) -> Iterator[Reading]:
    """Validate files of a source, and write the lines of accepted files to ``pieces``."""
    return (read_daily_files if source.daily else read_documents)(source.kind, s3, bucket, items, pieces)


def _read(
    kind: str,
    s3: Any,
    bucket: str,
    listed: Listed,
    take: Callable[[LakeObject, io.BufferedIOBase, Reading], None],
    small: lake.ManyObjects | None = None,
) -> Reading | None:
    """Read a file with the function ``take``, and return the (possibly refused) reading, or None for a deleted file."""
    item, ledger_etag = listed
    reading = Reading(_as_listed(kind, item, ledger_etag))
    try:
        with lake.open_object(s3, bucket, item, small) as (found, stream):
            reading.file = _as_listed(kind, found, ledger_etag)
            take(found, stream, reading)
    except lake.ObjectGone:
        log.warning("s3://%s/%s was deleted after it was listed", bucket, item.key)
        return None
    except lake.MisnamedObject as error:
        reading.file, reading.refusal = _as_listed(kind, error.found, ledger_etag), str(error)
    except _Corrupt as error:
        reading.refusal = str(error)
    except lake.UnreadableObject as error:
        reading.refuse_unreadable(error)
    return reading


def read_daily_files(
    kind: str, s3: Any, bucket: str, items: Iterable[Listed], pieces: Pieces
) -> Iterator[Reading]:
    """Validate files of JSON lines one at a time, and write the lines of accepted files to ``pieces``."""
    threshold = settings().reject_threshold
    for listed in items:
        with _spool() as spool:
            reading = _read(kind, s3, bucket, listed, functools.partial(_read_lines, bucket, spool=spool))
            if reading is None:
                continue
            reading.judge(threshold)
            reading.refuse_empty()
            if not reading.refusal:
                pieces.append(spool, reading.file.accepted)
        yield reading


def _read_lines(
    bucket: str, item: LakeObject, stream: io.BufferedIOBase, reading: Reading, spool: IO[bytes]
) -> None:
    file, rules = reading.file, contract.CONTRACTS[reading.file.kind]
    latest = _ms(item.last_modified) + CLOCK_SKEW

    def read(line: bytes, tally: contract.Tally) -> dict[str, Any]:
        return rules.read(line, tally, latest)

    encode = msgspec.json.Encoder().encode_lines
    number = 1
    for lines in _lines(stream, bucket, item):
        reading.presence.note(lines)
        rows: list[Any] = [None] * len(lines)
        if rules.read_plain:
            unknown = reading.tally.unknown_fields
            rows = rules.read_plain(lines, number, item.key, file.file_date, latest, unknown)
        others = [index for index, row in enumerate(rows) if row is None]
        file.lines += len(rows) - len(others)
        file.accepted += len(rows) - len(others)
        for index in others:
            line = lines[index]
            if not line.strip():
                file.blank_lines += 1
                continue
            values = reading.parse(line.rstrip(b"\r"), number + index, read)
            if values is None:
                continue
            rows[index] = {
                "source_key": item.key,
                "line_number": number + index,
                "file_date": file.file_date,
                **values,
            }
        spool.write(encode([row for row in rows if row is not None]))
        number += len(lines)


def read_documents(
    kind: str, s3: Any, bucket: str, items: Iterable[Listed], pieces: Pieces
) -> Iterator[Reading]:
    """Validate files with one JSON object each, several in parallel, and write accepted objects in order."""
    small = lake.ManyObjects(s3, bucket)

    def read(listed: Listed) -> tuple[Reading | None, bytes]:
        document = bytearray()

        def take(item: LakeObject, stream: io.BufferedIOBase, reading: Reading) -> None:
            for lines in _lines(stream, bucket, item):
                document.extend(b"".join(line.rstrip(b"\r") + b"\n" for line in lines))
                # The contract rejects a document of this length, so do not read the rest into memory.
                if len(document) > contract.MAX_LINE_BYTES:
                    break

        return _read(kind, s3, bucket, listed, take, small), bytes(document)

    with concurrent.futures.ThreadPoolExecutor(READERS) as pool:
        # Read in batches, so that a failure soon stops the reading and memory usage is limited.
        for batch in _batches(items):
            for reading, document in pool.map(read, batch):
                if reading is None:
                    continue
                if document.strip() and not reading.refusal:
                    row = reading.parse(document, 1, contract.CONTRACTS[kind].read)
                    if row is None:
                        reject = reading.rejects[0]
                        reading.refusal = f"{reject.column_name or 'document'}: {reject.reason}"
                    else:
                        row = {"source_key": reading.file.source_key} | row
                        line = orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)
                        pieces.append(io.BytesIO(line), 1)
                reading.refuse_empty()
                yield reading


class _Corrupt(Exception):
    """The error of a compressed file that cannot be decompressed to its end."""


def _lines(stream: io.BufferedIOBase, bucket: str, item: LakeObject) -> Iterator[list[bytes]]:
    """Return batches of lines without newlines and byte order mark. For a line over 4 MB, return only the beginning."""
    number, start = 0, True
    rest = b""
    try:
        # `read1` reads the underlying stream at most once, so it returns the data before a corrupt part.
        while block := stream.read1(BLOCK_BYTES):
            lines = (rest + block).split(b"\n")
            # Keep one more byte than the contract accepts, and one byte for a carriage return.
            rest = lines.pop()[: contract.MAX_LINE_BYTES + 2]
            if start and lines:
                lines[0], start = lines[0].removeprefix(codecs.BOM_UTF8), False
            number += len(lines)
            yield lines
        if rest:
            yield [rest.removeprefix(codecs.BOM_UTF8) if start else rest]
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise _Corrupt(f"the file is corrupt after line {number}: {error}") from error
    except (botocore.exceptions.BotoCoreError, OSError) as error:
        # bz2 raises OSError for invalid content. Connection errors are instances of subclasses of OSError.
        if type(error) is OSError and isinstance(stream, lake.Bzip2):
            raise _Corrupt(f"the file is corrupt after line {number}: {error}") from error
        raise TransientError(
            f"lost s3://{bucket}/{item.key} after line {number}: {error}. {RETRIES_FAILED}"
        ) from error


def _spool() -> IO[bytes]:
    return cast(IO[bytes], tempfile.SpooledTemporaryFile(SPOOL_BYTES))


def _batches(items: Iterable[Listed]) -> Iterator[tuple[Listed, ...]]:
    iterator = iter(items)
    while batch := tuple(itertools.islice(iterator, READERS * 8)):
        yield batch


def _as_listed(kind: str, item: LakeObject, ledger_etag: str) -> ValidatedFile:
    day = item.file_date.isoformat() if item.file_date else None
    return ValidatedFile(kind, item.key, item.etag, item.size, _ms(item.last_modified), day, ledger_etag)


def _ms(moment: datetime) -> int:
    return int(moment.replace(tzinfo=UTC).timestamp() * 1000)


def _without_nul(text: str) -> str:
    """Return the text with NUL characters in JSON notation, because the warehouse does not store NUL."""
    return text.replace("\x00", "\\u0000")
