"""Divide the due files of a run into chunks, one for each mapped task instance of `validate`."""

from __future__ import annotations

import dataclasses
import logging
import math
from typing import Any

import msgspec

from include.sparkify.files import lake
from include.sparkify.files.lake import LakeObject

# These limits keep a task instance to some seconds, so that a large load is distributed over the workers. The limits
# double after every CHUNKS_OF_A_SIZE chunks, because Airflow maps a task to at most 1,024 instances
# (core.max_map_length).
CHUNK_BYTES = 64 << 20
CHUNK_FILES = 5_000
CHUNKS_OF_A_SIZE = 128

log = logging.getLogger(__name__)


@dataclasses.dataclass
class Chunk:
    """The files that one task instance validates."""

    files: dict[str, list[tuple[LakeObject, str]]] = dataclasses.field(default_factory=dict)
    """The files to read, by kind of source. Each file has its ETag in the ledger, or an empty string without one."""
    vanished: list[tuple[str, str, str]] = dataclasses.field(default_factory=list)
    """Loaded files that are no longer in the lake, as tuples of kind, key and ETag in the ledger."""


def read(s3: Any, bucket: str, key: str) -> Chunk:
    """Read a chunk from the work bucket."""
    return msgspec.json.decode(lake.read(s3, bucket, key), type=Chunk)


class Chunks:
    """Write the list of due files to the work bucket in chunks of similar size.

    Only one chunk is in memory at a time.
    """

    def __init__(self, s3: Any, bucket: str, prefix: str, expected: int = 0) -> None:
        """Begin the first chunk.

        :param expected: the minimum number of bytes that will be added. These bytes are distributed evenly, so that the
            last chunk is not a small remainder.
        """
        self._s3, self._bucket, self._prefix = s3, bucket, prefix
        self._limit = CHUNK_BYTES
        if expected > CHUNK_BYTES:
            self._limit = math.ceil(expected / math.ceil(expected / CHUNK_BYTES))
        self._keys: list[str] = []
        self.files = self.vanished = 0
        self._open()

    def add(self, kind: str, item: LakeObject, ledger_etag: str) -> None:
        """Add a file to read."""
        self._chunk.files.setdefault(kind, []).append((item, ledger_etag))
        self.files += 1
        self._entries += 1
        self._bytes += item.size
        self._close_if_full()

    def add_vanished(self, kind: str, key: str, ledger_etag: str) -> None:
        """Add a loaded file that is no longer in the lake."""
        self._chunk.vanished.append((kind, key, ledger_etag))
        self.vanished += 1
        self._entries += 1
        self._close_if_full()

    def close(self, at_least: int = 1) -> list[str]:
        """Write the last chunk and return the keys of all chunks.

        :param at_least: the minimum number of chunks. Empty chunks are added up to this number.
        """
        while self._entries or len(self._keys) < max(at_least, 1):
            self._write()
        log.info("%d files to read, in %d chunks", self.files, len(self._keys))
        return self._keys

    def _open(self) -> None:
        self._chunk = Chunk()
        self._bytes = self._entries = 0

    def _close_if_full(self) -> None:
        size = 2 ** (len(self._keys) // CHUNKS_OF_A_SIZE)
        if self._bytes >= self._limit * size or self._entries >= CHUNK_FILES * size:
            self._write()

    def _write(self) -> None:
        self._keys.append(f"{self._prefix}/{len(self._keys):05}.json")
        lake.put(self._s3, self._bucket, self._keys[-1], msgspec.json.encode(self._chunk))
        self._open()
