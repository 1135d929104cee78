"""A proxy that reads PostgreSQL's protocol, which Redshift uses, and counts clients' requests to a warehouse.

The message formats: https://www.postgresql.org/docs/current/protocol-message-formats.html
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import threading
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from typing import Self

import sqlparse

SSL_REQUEST, GSS_REQUEST, CANCEL_REQUEST = 80877103, 80877104, 80877102
# These statements open, close or configure a transaction. They are not counted.
FRAME = {"begin", "start", "commit", "end", "rollback", "abort", "set", "reset"}
READS = {"select", "with", "show", "explain", "fetch", "declare", "close", "lock"}


@dataclass(order=True)
class Counts:
    """Numbers of logins, of statements other than BEGIN, COMMIT, SET and similar, and of commits that wrote data."""

    logins: int = 0
    statements: int = 0
    commits: int = 0

    def __sub__(self, earlier: Counts) -> Counts:
        return Counts(*(getattr(self, name.name) - getattr(earlier, name.name) for name in fields(self)))


@dataclass
class Session:
    """The state of one client's session, derived from its messages."""

    counts: Counts
    _prepared: dict[bytes, str] = field(default_factory=dict)
    _portals: dict[bytes, str] = field(default_factory=dict)
    _wrote: bool = False
    _failed: bool = False

    def asked(self, kind: bytes, body: bytes) -> None:
        """Process a message from the client."""
        if kind == b"Q":
            for statement in sqlparse.split(body.rstrip(b"\0").decode(errors="replace")):
                self._statement(statement)
        elif kind == b"P":
            name, text, _ = body.split(b"\0", 2)
            self._prepared[name] = text.decode(errors="replace")
        elif kind == b"B":
            portal, name, _ = body.split(b"\0", 2)
            self._portals[portal] = self._prepared.get(name, "")
        elif kind == b"E":
            # Another Execute message for a portal only fetches its next rows, so the statement is counted once.
            self._statement(self._portals.pop(body.split(b"\0", 1)[0], ""))

    def answered(self, kind: bytes, body: bytes) -> None:
        """Process a message from the server."""
        if kind == b"E" or (kind == b"C" and body.startswith(b"ROLLBACK")):
            self._failed = True
        elif kind == b"Z" and body == b"I":
            # The session is idle: the transaction, or the statement outside a transaction, has ended.
            self.counts.commits += self._wrote and not self._failed
            self._wrote = self._failed = False

    def _statement(self, text: str) -> None:
        plain = re.sub(r"--.*|/\*(?s:.*?)\*/|'(?:[^']|'')*'", " ", text).lower().lstrip(" \t\r\n(")
        verb = re.match(r"[a-z]*", plain)[0]  # type: ignore[index]
        if verb and verb not in FRAME:
            self.counts.statements += 1
            self._wrote |= verb not in READS or re.search(r"\binto\b", plain) is not None


class Wire:
    """A port that forwards all messages to the warehouse's port and counts them."""

    def __init__(self, target: int) -> None:
        self.counts = Counts()
        self.port = 0
        self._target = target

    @classmethod
    @contextlib.contextmanager
    def open(cls, target: int) -> Iterator[Self]:
        """Listen on a free loopback port for a warehouse on the port ``target``, which may start listening later."""
        wire, loop = cls(target), asyncio.new_event_loop()
        server = loop.run_until_complete(asyncio.start_server(wire._serve, "127.0.0.1", 0))
        wire.port = server.sockets[0].getsockname()[1]
        thread = threading.Thread(target=loop.run_forever)
        thread.start()
        try:
            yield wire
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            server.close()
            loop.run_until_complete(end_sessions())
            loop.close()

    async def _serve(self, client: StreamReader, to_client: StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, OSError), contextlib.closing(to_client):
            first = await packet(client)
            while (request := int.from_bytes(first[4:8])) in (SSL_REQUEST, GSS_REQUEST):
                # The proxy refuses encryption: the client continues without it or closes the connection.
                to_client.write(b"N")
                first = await packet(client)
            server, to_server = await asyncio.open_connection("127.0.0.1", self._target)
            to_server.write(first)
            self.counts.logins += request != CANCEL_REQUEST
            session = Session(self.counts)
            await asyncio.gather(
                hand_on(client, to_server, session.asked), hand_on(server, to_client, session.answered)
            )


async def end_sessions() -> None:
    """End every session that is still open."""
    sessions = asyncio.all_tasks() - {asyncio.current_task()}
    for session in sessions:
        session.cancel()
    await asyncio.gather(*sessions, return_exceptions=True)


async def packet(source: StreamReader) -> bytes:
    """Return the length and body of a message. A client's first message has only these, and no type."""
    length = await source.readexactly(4)
    return length + await source.readexactly(int.from_bytes(length) - 4)


async def hand_on(source: StreamReader, sink: StreamWriter, note: Callable[[bytes, bytes], None]) -> None:
    """Forward one direction of a session, message by message, until it ends."""
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError), contextlib.closing(sink):
        while True:
            kind, message = await source.readexactly(1), await packet(source)
            note(kind, message[4:])
            sink.write(kind + message)
            await sink.drain()
