"""The wire front: a relay between clients and PostgreSQL that edits, refuses or itself runs a few statements."""

from __future__ import annotations

import asyncio
import itertools
import struct
from collections.abc import AsyncIterator, Sequence
from typing import Any

from .copy import Load, SqlError, as_sql_error
from .dialect import Statement, translate

SSL_REQUEST, GSS_REQUEST, CANCEL_REQUEST, PROTOCOL_3 = 80877103, 80877104, 80877102, 196608
# Startup parameters of redshift_connector and the JDBC driver that PostgreSQL refuses.
_DRIVER_PARAMETERS = {
    "client_protocol_version", "driver_version", "os_version", "driver_discovery_version", "plugin_name", "idp_type",
    "provider_name",
}  # fmt: skip
_BLOCK = 1 << 16


def _message(kind: bytes, payload: bytes = b"") -> bytes:
    return kind + struct.pack("!I", len(payload) + 4) + payload


def _fields(payload: bytes) -> dict[str, str]:
    """An ErrorResponse's or NoticeResponse's fields by their letter."""
    return {part[:1].decode(): part[1:].decode("utf-8", "replace") for part in payload.split(b"\0") if part}


def _response(kind: bytes, fields: dict[str, str]) -> bytes:
    body = b"".join(key.encode() + value.encode() + b"\0" for key, value in fields.items() if value)
    return _message(kind, body + b"\0")


class Front:
    """Accepts clients; `books` records loads, `clients` is the pair of boto3 clients (S3, IAM) that COPY uses."""

    def __init__(self, postgres_socket: str, books: Any, clients: tuple[Any, Any]) -> None:
        self._socket, self.books, self.clients = postgres_socket, books, clients

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_unix_connection(self._socket)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client's life, from its first byte."""
        try:
            startup = await self._startup(reader, writer)
            if startup is not None:
                await Session(self, reader, writer).run(startup)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _startup(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> dict[str, str] | None:
        while True:
            (length,) = struct.unpack("!I", await reader.readexactly(4))
            if not 8 <= length <= 10000:
                return None
            body = await reader.readexactly(length - 4)
            (code,) = struct.unpack("!I", body[:4])
            if code in (SSL_REQUEST, GSS_REQUEST):
                writer.write(b"N")
                await writer.drain()
            elif code == CANCEL_REQUEST:
                _, backend = await self.connect()
                backend.write(struct.pack("!I", length) + body)
                await backend.drain()
                backend.close()
                return None
            elif code >> 16 == 3:
                words = body[4:].decode("utf-8", "replace").split("\0")
                return dict(zip(words[0::2], words[1::2], strict=False))
            else:
                return None


class Session:
    """One client and its PostgreSQL connection.

    Messages are relayed as they come. A statement that the front runs itself reaches PostgreSQL as an empty
    query, which keeps the protocol's order right; PostgreSQL's answer to that is the cue to begin.
    """

    _numbers = itertools.count(1)

    def __init__(self, front: Front, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._front = front
        self._client_in, self._client_out = reader, writer
        self._in: asyncio.StreamReader
        self._out: asyncio.StreamWriter
        self._old_driver = False
        self.status = "I"
        self._tags: list[str] = []  # of the last exchange
        self._waiting = 0  # ReadyForQuery messages the client has still to get
        self._settled = asyncio.Event()
        self._cue: asyncio.Future[bool] | None = None
        self._captured: asyncio.Queue[tuple[bytes, bytes]] | None = None
        self._refusals: dict[str, str] = {}
        self._prepared: dict[bytes, Statement] = {}
        self._portals: dict[bytes, Statement] = {}
        self._skipping = False
        self._logged_in = False

    async def run(self, startup: dict[str, str]) -> None:
        self._old_driver = "client_protocol_version" in startup or "driver_version" in startup
        kept = {key: value for key, value in startup.items() if key and key not in _DRIVER_PARAMETERS}
        body = b"".join(f"{key}\0{value}\0".encode() for key, value in kept.items())
        self._in, self._out = await self._front.connect()
        self._out.write(struct.pack("!II", len(body) + 9, PROTOCOL_3) + body + b"\0")
        self._waiting = 1
        answers = asyncio.create_task(self._from_postgres())
        questions = asyncio.create_task(self._from_client())
        try:
            await asyncio.wait({answers, questions}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (answers, questions):
                task.cancel()
            results = await asyncio.gather(answers, questions, return_exceptions=True)
            self._out.close()
            for result in results:
                if isinstance(result, Exception) and not isinstance(result, ConnectionError):
                    raise result

    # From PostgreSQL to the client -------------------------------------------------------------------

    async def _from_postgres(self) -> None:
        buffer = bytearray()
        while data := await self._in.read(_BLOCK):
            buffer += data
            position, size, out = 0, len(buffer), bytearray()
            while size - position >= 5:
                end = position + 1 + int.from_bytes(buffer[position + 1 : position + 5], "big")
                if end > size:
                    break
                kind = buffer[position]
                if self._captured is not None:
                    self._captured.put_nowait(
                        (bytes(buffer[position : position + 1]), bytes(buffer[position + 5 : end]))
                    )
                elif kind in b"DTC12tn":
                    out += buffer[position:end]
                else:
                    out += self._answer(
                        bytes(buffer[position : position + 1]), bytes(buffer[position + 5 : end])
                    )
                position = end
            del buffer[:position]
            if out:
                self._client_out.write(bytes(out))
                await self._client_out.drain()
        if self._captured is not None:
            self._captured.put_nowait((b"", b""))

    def _answer(self, kind: bytes, payload: bytes) -> bytes:
        """One of PostgreSQL's rarer messages, as the client should see it."""
        if kind == b"Z":
            self.status = payload.decode()
            self._waiting -= 1
            self._settled.set()
            self._logged_in = True
        elif kind == b"I" and self._cue is not None:
            self._captured = asyncio.Queue()
            self._cue.set_result(True)
            self._cue = None
            return b""
        elif kind == b"E":
            if self._cue is not None:
                self._cue.set_result(False)
                self._cue = None
            return _response(b"E", self._rewritten(_fields(payload)))
        elif kind == b"S" and self._old_driver and payload.startswith(b"server_version\0"):
            return _message(b"S", b"server_version\0008.0.2\0")
        return _message(kind, payload)

    def _rewritten(self, fields: dict[str, str]) -> dict[str, str]:
        """Put the reason of a refusal, or Redshift's words, in place of PostgreSQL's error."""
        for mark in [mark for mark in self._refusals if mark in fields.get("M", "")]:
            return SqlError(self._refusals.pop(mark), "0A000").fields
        if fields.get("C") == "40001":
            detail = f"Serializable isolation violation on table (stand-in: {fields.get('M', '')})"
            return SqlError("1023", "XX000", detail).fields
        return fields

    # From the client to PostgreSQL ---------------------------------------------------------------------

    async def _from_client(self) -> None:
        buffer = bytearray()
        while data := await self._client_in.read(_BLOCK):
            buffer += data
            position, size = 0, len(buffer)
            while size - position >= 5:
                end = position + 1 + int.from_bytes(buffer[position + 1 : position + 5], "big")
                if end > size:
                    break
                await self._question(
                    bytes(buffer[position : position + 1]), bytes(buffer[position + 5 : end])
                )
                position = end
            del buffer[:position]
            await self._out.drain()

    async def _question(self, kind: bytes, payload: bytes) -> None:
        """One message of the client."""
        if self._skipping and kind not in b"SX":
            return
        if kind == b"H" and not self._logged_in:
            # redshift_connector sends one behind the password; unread, it would cost the client the refusal's text.
            return
        if kind == b"Q":
            await self._simple(payload)
            return
        if kind == b"P":
            payload = self._parse(payload)
        elif kind == b"B":
            portal, name, _ = payload.split(b"\0", 2)
            self._portals.pop(portal, None)
            if name in self._prepared:
                self._portals[portal] = self._prepared[name]
        elif kind == b"C":
            (self._prepared if payload[:1] == b"S" else self._portals).pop(payload[1:-1], None)
        elif kind == b"E" and (statement := self._portals.get(payload.split(b"\0", 1)[0])) is not None:
            await self._extended(payload, statement)
            return
        elif kind == b"S":
            self._skipping = False
            self._waiting += 1
        elif kind == b"F":
            self._waiting += 1
        self._out.write(_message(kind, payload))

    def _refuse(self, reason: str) -> str:
        """SQL that PostgreSQL cannot even parse: so the error comes at the right place in the protocol."""
        mark = f"refused_statement_{next(self._numbers)}_"
        self._refusals[mark] = reason
        return mark

    def _parse(self, payload: bytes) -> bytes:
        name, sql, rest = payload.split(b"\0", 2)
        self._prepared.pop(name, None)
        statements = translate(sql.decode("utf-8", "replace"))
        text = sql
        if len(statements) > 1:
            # PostgreSQL's own words, which are Redshift's as well.
            text = self._refuse("cannot insert multiple commands into a prepared statement").encode()
        elif statements:
            statement = statements[0]
            if statement.kind == "refused":
                text = self._refuse(statement.text).encode()
            elif statement.kind == "plain":
                text = statement.text.encode()
            else:
                self._prepared[name] = statement
                text = b""
        return name + b"\0" + text + b"\0" + rest

    async def _extended(self, payload: bytes, statement: Statement) -> None:
        cue = self._cue = asyncio.get_running_loop().create_future()
        self._out.write(_message(b"E", payload) + _message(b"H"))
        if not await cue:
            return
        failure = await self._perform(statement)
        self._captured = None
        if failure is not None:
            self._client_out.write(_response(b"E", failure.fields))
            self._skipping = True
        await self._client_out.drain()

    async def _simple(self, payload: bytes) -> None:
        sql = payload[:-1].decode("utf-8", "replace")
        statements = translate(sql)
        kinds = {statement.kind for statement in statements}
        self._waiting += 1
        if kinds <= {"plain", "refused"}:
            refused = [statement for statement in statements if statement.kind == "refused"]
            text = self._refuse(refused[0].text) if refused else ";".join(s.text for s in statements)
            self._out.write(_message(b"Q", text.encode() + b"\0"))
            return
        while self._waiting > 1:
            self._settled.clear()
            await self._settled.wait()
        self._captured = asyncio.Queue()
        for statement in statements:
            failure = await self._perform(statement)
            if failure is not None:
                self._client_out.write(_response(b"E", failure.fields))
                break
        self._captured = None
        self._waiting -= 1
        self._client_out.write(_message(b"Z", self.status.encode()))
        await self._client_out.drain()

    # Statements that the front runs ----------------------------------------------------------------------

    async def _perform(self, statement: Statement) -> SqlError | None:
        """Run one statement and tell the client its tag; answers the error, whose block is then spoilt."""
        try:
            if statement.kind == "plain":
                await self._exchange(_message(b"Q", statement.text.encode() + b"\0"), relay=True)
            elif statement.kind == "refused":
                raise SqlError(statement.text, "0A000")
            elif statement.kind == "script":
                parts = [part for part in (statement.before, statement.text, statement.after) if part]
                await self.query("\n;".join(parts), notices=True)
                self._complete(self._tags[1 if statement.before else 0])
            elif statement.kind == "truncate":
                await self.query(statement.text)
                if self.status == "T":
                    await self.query("commit")
                self._complete("TRUNCATE TABLE")
            else:
                load = Load(self, self._front.books, self._front.clients, statement.text)
                await load.run()
                self._client_out.write(
                    _response(b"N", {"S": "INFO", "V": "INFO", "C": "00000", "M": load.message})
                )
                self._complete("COPY")
            return None
        except SqlError as error:
            if self.status == "T":
                await self._exchange(_message(b"Q", b"spoil the transaction block\0"), check=False)
            return error

    def _complete(self, tag: str) -> None:
        self._client_out.write(_message(b"C", tag.encode() + b"\0"))

    @property
    def tag(self) -> str:
        """PostgreSQL's word for the last command that the front ran, such as INSERT 0 71."""
        return self._tags[-1]

    async def query(self, sql: str, notices: bool = False) -> list[list[str | None]]:
        """Run SQL on the client's connection unseen by the client; the rows as text. Raises SqlError."""
        return await self._exchange(_message(b"Q", sql.encode() + b"\0"), notices=notices)

    async def copy_in(self, sql: str, chunks: AsyncIterator[bytes]) -> None:
        """Run a COPY FROM STDIN with these bytes as its input."""
        self._out.write(_message(b"Q", sql.encode() + b"\0"))
        assert self._captured is not None
        captured = self._captured
        held: list[tuple[bytes, bytes]] = []
        while (frame := await captured.get())[0] not in (b"G", b"E", b""):
            pass
        held.append(frame)
        if frame[0] == b"G":
            failure: SqlError | None = None
            try:
                async for chunk in chunks:
                    if not captured.empty():
                        break  # PostgreSQL has found an error
                    self._out.write(_message(b"d", chunk))
                    await self._out.drain()
                end = _message(b"c")
            except Exception as error:
                failure, end = as_sql_error(error), _message(b"f", b"\0")
            self._out.write(end)
            try:
                await self._exchange(b"")
            except SqlError:
                if failure is None:
                    raise
            if failure is not None:
                raise failure
        else:
            await self._exchange(b"", already=held)

    async def _exchange(
        self,
        message: bytes,
        relay: bool = False,
        notices: bool = False,
        check: bool = True,
        already: Sequence[tuple[bytes, bytes]] = (),
    ) -> list[list[str | None]]:
        """Send one message and collect the answer up to ReadyForQuery."""
        assert self._captured is not None
        if message:
            self._out.write(message)
        rows: list[list[str | None]] = []
        self._tags.clear()
        failure: SqlError | None = None
        pending = list(already)
        while True:
            kind, payload = pending.pop(0) if pending else await self._captured.get()
            if kind == b"":
                raise ConnectionResetError("PostgreSQL closed the connection")
            if kind == b"Z":
                self.status = payload.decode()
                break
            if kind == b"E":
                fields = self._rewritten(_fields(payload))
                failure = SqlError(fields.get("M", ""), fields.get("C", "XX000"))
                failure.fields.update(fields)
            elif relay or (notices and kind == b"N"):
                self._client_out.write(_message(kind, payload))
            elif kind == b"D":
                rows.append(_row(payload))
            if kind == b"C":
                self._tags.append(payload[:-1].decode())
        if failure is not None and check:
            raise failure
        return rows


def _row(payload: bytes) -> list[str | None]:
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
