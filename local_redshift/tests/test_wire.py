"""Test sequences of protocol messages that no driver in the other tests sends."""

from __future__ import annotations

import hashlib
import socket
import struct
from collections.abc import Iterator

import pytest
from local_redshift.wire import message

from local_redshift import Running


class Raw:
    """A client that sends several statements in the extended protocol before one Sync, like the JDBC driver."""

    def __init__(self, running: Running) -> None:
        self._socket = socket.create_connection((running.host, running.redshift_port), timeout=60)
        self._file = self._socket.makefile("rb")
        body = f"user\0{running.user}\0database\0{running.database}\0\0".encode()
        self._socket.sendall(struct.pack("!II", len(body) + 8, 196608) + body)
        salt = self._read()[1][4:]
        inner = hashlib.md5((running.password + running.user).encode()).hexdigest().encode()
        answer = b"md5" + hashlib.md5(inner + salt).hexdigest().encode()
        self._socket.sendall(message(b"p", answer + b"\0"))
        self._until_ready()

    def _read(self) -> tuple[bytes, bytes]:
        kind = self._file.read(1)
        (size,) = struct.unpack("!I", self._file.read(4))
        return kind, self._file.read(size - 4)

    def _until_ready(self) -> list[tuple[bytes, bytes]]:
        found = [self._read()]
        while found[-1][0] != b"Z":
            found.append(self._read())
        return found

    def batch(self, *statements: str) -> tuple[str, str]:
        """Send the statements and one Sync. Return the response's message types and its last tag or error message."""
        sent = b""
        for statement in statements:
            sent += message(b"P", b"\0" + statement.encode() + b"\0\0\0") + message(b"B", b"\0" * 8)
            sent += message(b"D", b"P\0") + message(b"E", b"\0" * 5)
        self._socket.sendall(sent + message(b"S"))
        found = self._until_ready()
        told = [payload for kind, payload in found if kind in (b"C", b"E")]
        return b"".join(kind for kind, _ in found).decode(), told[-1].decode()

    def close(self) -> None:
        self._file.close()
        self._socket.close()


@pytest.fixture
def raw(local_redshift: Running) -> Iterator[Raw]:
    client = Raw(local_redshift)
    yield client
    client.close()


def test_alias_behind_begin_in_one_batch(raw: Raw) -> None:
    assert raw.batch("begin", "select 1 as a, a + 1 as b") == ("12nC12TDCZ", "SELECT 1\0")
    assert raw.batch("select 1 as a, a + 1 as b", "select 5 as c, c + 1 as d") == (
        "12TDC12TDCZ",
        "SELECT 1\0",
    )
    assert raw.batch("commit")[1] == "COMMIT\0"


def test_a_batch_ends_at_its_first_error(raw: Raw) -> None:
    letters, error = raw.batch("select nonsense", "select 3 as a, a + 1 as b")
    assert letters == "EZ" and "nonsense" in error
    assert raw.batch("select 1 as a, a + 1 as b")[0] == "12TDCZ"
