"""Decompress COPY's objects piece by piece."""

from __future__ import annotations

import bz2
import zlib
from collections.abc import Callable
from typing import Any

import zstandard

from ..errors import SqlError

_STATES: dict[str, Callable[[], Any]] = {
    "gzip": lambda: zlib.decompressobj(31),
    "bzip2": bz2.BZ2Decompressor,
    "zstd": lambda: zstandard.ZstdDecompressor().decompressobj(),
}


def unpack(compression: str, name: str) -> Callable[[bytes, bool], bytes]:
    """Return a function that decompresses the next piece. An object may have several streams in a row.

    The function's second argument says whether the piece is the last one. The function raises SqlError, with the
    object's name, for data that does not have this compression or ends too early.
    """
    state = _STATES[compression]()

    def next_piece(data: bytes, last: bool) -> bytes:
        nonlocal state
        out = []
        try:
            while data:
                if state.eof:
                    state = _STATES[compression]()
                out.append(state.decompress(data))
                data = state.unused_data if state.eof else b""
        except (zlib.error, OSError, zstandard.ZstdError) as error:
            raise SqlError(f"Failed to inflate with {compression}: {name}: {error}") from None
        if last and not state.eof:
            raise SqlError(f"Failed to inflate with {compression}: {name}: the file ends too early")
        return b"".join(out)

    return next_piece
