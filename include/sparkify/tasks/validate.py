"""Validate the files of a chunk, and record rejected lines and refused files in the warehouse.

If a new version of a file is refused, the rows of the loaded version are kept.
"""

from __future__ import annotations

import collections
import dataclasses
import itertools
import logging
import tempfile
from typing import Any, TypedDict

import orjson

from include.sparkify.files import chunks, lake
from include.sparkify.files.source import (
    SPOOL_BYTES,
    Pieces,
    Reading,
    RejectedLine,
    ValidatedFile,
    read_files,
)
from include.sparkify.redshift import warehouse
from include.sparkify.settings import ops, settings
from include.sparkify.tables import SOURCES, STAGING

# Maximum number of rejected lines that are stored per task, to limit memory usage. All rejected lines are counted.
KEPT_PER_TASK = 20_000

log = logging.getLogger(__name__)


class Validated(TypedDict):
    """The result of the validation of a chunk."""

    pieces: dict[str, list[str]]
    """URIs of the pieces for COPY, by staging table."""
    chunk: str
    """Key of the chunk in the work bucket."""
    files: int
    """Number of rows for staging_files."""
    rows: int
    """Number of rows for the staging tables of the sources."""
    refused_of: dict[str, int]
    """Number of refused files by source."""
    refused: list[str]
    """The first 100 refused files of the chunk, as ``key: reason``."""


def validate_chunk(run_id: str, address: str) -> Validated:
    """Validate the files of a chunk, write accepted lines to the work bucket, and record rejects and refusals.

    :param address: the key of the chunk in the work bucket, see :class:`include.sparkify.files.chunks.Chunk`.
    :raises ConfigurationError: AWS denied access.
    :raises TransientError: AWS or the warehouse did not respond.
    """
    config, s3 = settings(), lake.client()
    chunk = chunks.read(s3, config.work_bucket, address)
    prefix = address.removesuffix(".json")
    pieces = {table: Pieces(s3, config.work_bucket, f"{prefix}/{table}") for table in STAGING}
    readings = itertools.chain.from_iterable(
        read_files(source, s3, config.source_bucket, chunk.files[source.kind], pieces[source.staging])
        for source in SOURCES
        if source.kind in chunk.files
    )
    total = sum(map(len, chunk.files.values()))
    files = [
        ValidatedFile(kind, key, "", 0, None, None, etag, vanished=True) for kind, key, etag in chunk.vanished
    ]
    refused: list[Reading] = []
    rejects: list[RejectedLine] = []
    rejected = 0
    for reading in readings:
        reading.close()
        rejected += reading.file.rejected
        # Store at least one rejected line per file.
        rejects += reading.rejects if len(rejects) < KEPT_PER_TASK else reading.rejects[:1]
        if reading.refusal:
            log.warning("refused %s: %s", reading.file.source_key, reading.refusal)
            refused.append(reading)
        else:
            files.append(reading.file)
    for reject in rejects[:20]:
        log.warning(
            "rejected %s line %d, %s: %s", reject.source_key, reject.line_number, reject.column_name, reject.reason
        )  # fmt: skip
    with tempfile.SpooledTemporaryFile(SPOOL_BYTES) as lines:
        for file in files:
            lines.write(orjson.dumps(dataclasses.asdict(file), option=orjson.OPT_APPEND_NEWLINE))
        pieces["staging_files"].append(lines, len(files))
    for piece in pieces.values():
        piece.close()
    _record(run_id, rejects, refused)
    log.info("%d files read: %d refused, %d lines rejected", total, len(refused), rejected)
    return {
        "pieces": {table: piece.addresses for table, piece in pieces.items()},
        "chunk": address,
        "files": len(files),
        "rows": sum(pieces[source.staging].rows for source in SOURCES),
        "refused_of": dict(collections.Counter(reading.file.kind for reading in refused)),
        "refused": [f"{reading.file.source_key}: {reading.refusal}" for reading in refused[:100]],
    }


def _record(run_id: str, rejects: list[RejectedLine], refused: list[Reading]) -> None:
    """Replace the rejects and refusals of each file that now has any, even if the run will not publish.

    Older rejects and refusals of accepted files are kept until the files are published. If the run fails before that,
    mode ``replay`` still finds the files.
    """
    if not rejects and not refused:
        return
    refused_keys = {reading.file.source_key for reading in refused}

    def record(cursor: Any) -> None:
        warehouse.lock(cursor)
        # sysdate is the start of this transaction, which is after the files were read. `publish` compares it with the
        # time of its plan.
        cursor.execute("select sysdate")
        now = cursor.fetchone()[0]
        keys = refused_keys | {reject.source_key for reject in rejects}
        warehouse.delete_keys(cursor, f"{ops()}.rejected_lines", sorted(keys))
        warehouse.delete_keys(cursor, f"{ops()}.refused_files", sorted(refused_keys))
        columns = [field.name for field in dataclasses.fields(RejectedLine)]
        rows = [(*dataclasses.astuple(reject), run_id, now) for reject in rejects]
        warehouse.insert(cursor, f"{ops()}.rejected_lines", [*columns, "run_id", "rejected_at"], rows)
        warehouse.insert(
            cursor,
            f"{ops()}.refused_files",
            ("source_key", "kind", "etag", "lines", "rejected", "reason", "run_id", "refused_at"),
            [
                (
                    reading.file.source_key, reading.file.kind, reading.file.etag, reading.file.lines,
                    reading.file.rejected, reading.refusal[:2000], run_id, now,
                )
                for reading in refused
            ],
        )  # fmt: skip

    warehouse.transaction(record, "keep rejected lines and refused files")
