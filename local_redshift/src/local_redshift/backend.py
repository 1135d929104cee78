"""Run the front's own statements on a client's PostgreSQL connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

from . import wire
from .errors import SqlError, as_sql_error

Frame = tuple[bytes, bytes]  # letter and payload of one PostgreSQL message


class Backend:
    """Runs SQL unseen by the client while `captured` receives PostgreSQL's messages.

    `rewrite` turns the fields of a PostgreSQL error into those of Redshift's error.
    """

    def __init__(
        self,
        to_postgres: asyncio.StreamWriter,
        to_client: asyncio.StreamWriter,
        rewrite: Callable[[dict[str, str]], dict[str, str]],
    ) -> None:
        self._out, self._client_out, self._rewrite = to_postgres, to_client, rewrite
        self.status = "I"  # I idle, T in a transaction block, E in a failed one
        self.captured: asyncio.Queue[Frame] | None = None
        self.tags: list[str] = []  # of the last exchange
        self._description = b""  # the last RowDescription

    @property
    def tag(self) -> str:
        """Return PostgreSQL's command tag of the last command that the front ran, such as INSERT 0 71."""
        return self.tags[-1]

    async def query(self, sql: str, notices: bool = False) -> list[list[str | None]]:
        """Run SQL unseen by the client and return the rows as text, or raise SqlError."""
        return await self._exchange(wire.query(sql), notices=notices)

    async def relay(self, sql: str) -> None:
        """Run SQL and pass the complete response to the client, or raise SqlError."""
        await self._exchange(wire.query(sql), relay=True)

    async def spoil(self) -> None:
        """Make the transaction block fail, as an error in Redshift does."""
        await self._exchange(wire.query("spoil the transaction block"), check=False)

    async def copy_in(self, sql: str, chunks: AsyncIterator[bytes]) -> None:
        """Run a COPY FROM STDIN with these bytes as its input, or raise SqlError."""
        self._out.write(wire.query(sql))
        assert self.captured is not None
        captured = self.captured
        while (frame := await captured.get())[0] not in (b"G", b"E", b""):
            pass
        if frame[0] != b"G":
            await self._exchange(b"", already=[frame])
            return
        failure: SqlError | None = None
        try:
            async for chunk in chunks:
                if not captured.empty():
                    break  # PostgreSQL has reported an error
                self._out.write(wire.message(b"d", chunk))
                await self._out.drain()
            end = wire.message(b"c")
        except Exception as error:
            failure, end = as_sql_error(error), wire.message(b"f", b"\0")
        self._out.write(end)
        try:
            await self._exchange(b"", already=[frame])
        except SqlError:
            if failure is None:
                raise
        if failure is not None:
            raise failure

    async def describe(self, select: str) -> list[tuple[str, int, int]]:
        """Return the name, type and type modifier of each of a query's columns, or raise SqlError."""
        await self._exchange(wire.query(f"select * from ({select}) as described limit 0"))
        return wire.columns(self._description)

    async def copy_out(self, sql: str) -> AsyncIterator[bytes]:
        """Run a COPY TO STDOUT and yield its lines, or raise SqlError."""
        assert self.captured is not None
        self._out.write(wire.query(sql))
        while (frame := await self.captured.get())[0] not in (b"c", b"E", b""):
            if frame[0] == b"d":
                yield frame[1]
        await self._exchange(b"", already=[frame])

    async def _exchange(
        self,
        message: bytes,
        relay: bool = False,
        notices: bool = False,
        check: bool = True,
        already: Sequence[Frame] = (),
    ) -> list[list[str | None]]:
        """Send one message and collect the response up to ReadyForQuery."""
        assert self.captured is not None
        if message:
            self._out.write(message)
        rows: list[list[str | None]] = []
        self.tags.clear()
        failure: SqlError | None = None
        pending = list(already)
        while True:
            kind, payload = pending.pop(0) if pending else await self.captured.get()
            if kind == b"":
                raise ConnectionResetError("PostgreSQL closed the connection")
            if kind == b"Z":
                self.status = payload.decode()
                break
            if kind == b"E":
                fields = self._rewrite(wire.fields(payload))
                failure = SqlError(fields.get("M", ""), fields.get("C", "XX000"))
                failure.fields.update(fields)
            elif relay or (notices and kind == b"N"):
                self._client_out.write(wire.message(kind, payload))
            elif kind == b"D":
                rows.append(wire.row(payload))
            elif kind == b"T":
                self._description = payload
            if kind == b"C":
                self.tags.append(payload[:-1].decode())
        if failure is not None and check:
            raise failure
        return rows
