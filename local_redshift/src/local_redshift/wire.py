"""Build and parse messages of PostgreSQL's protocol, version 3."""

from __future__ import annotations

import struct

SSL_REQUEST, GSS_REQUEST, CANCEL_REQUEST, PROTOCOL_3 = 80877103, 80877104, 80877102, 196608
BLOCK = 1 << 16  # bytes read at a time


def message(kind: bytes, payload: bytes = b"") -> bytes:
    """Return one message: its letter, length and payload."""
    return kind + struct.pack("!I", len(payload) + 4) + payload


def query(sql: str) -> bytes:
    """Return a simple Query message."""
    return message(b"Q", sql.encode() + b"\0")


def fields(payload: bytes) -> dict[str, str]:
    """Return the fields of an ErrorResponse or NoticeResponse by their letters."""
    return {part[:1].decode(): part[1:].decode("utf-8", "replace") for part in payload.split(b"\0") if part}


def response(kind: bytes, content: dict[str, str]) -> bytes:
    """Return an ErrorResponse or NoticeResponse with these fields."""
    body = b"".join(key.encode() + value.encode() + b"\0" for key, value in content.items() if value)
    return message(kind, body + b"\0")


def row(payload: bytes) -> list[str | None]:
    """Return the values of a DataRow in text format."""
    values: list[str | None] = []
    position = 2
    for _ in range(struct.unpack_from("!H", payload)[0]):
        (size,) = struct.unpack_from("!i", payload, position)
        position += 4
        if size < 0:
            values.append(None)
        else:
            values.append(payload[position : position + size].decode("utf-8", "replace"))
            position += size
    return values


def columns(payload: bytes) -> list[tuple[str, int, int]]:
    """Return the name, type and type modifier of each column of a RowDescription."""
    found = []
    position = 2
    for _ in range(struct.unpack_from("!H", payload)[0]):
        end = payload.index(b"\0", position)
        name = payload[position:end].decode("utf-8", "replace")
        _, _, kind, _, modifier, _ = struct.unpack_from("!IHIhih", payload, end + 1)
        found.append((name, kind, modifier))
        position = end + 19
    return found
