"""Relay a client's messages to PostgreSQL, and edit, refuse or run some of its statements."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import re
import struct
from collections.abc import AsyncIterator
from typing import Any

from . import wire
from .backend import Backend
from .copy.history import LoadHistory
from .copy.load import Load
from .errors import Refused, SqlError, as_sql_error
from .results import results
from .sql.documented.tables import NOT_COVERED
from .sql.expressions import render
from .sql.refusals import not_covered, refuse_value
from .sql.settings import CASE_SENSITIVE, TRUE
from .sql.statement import Names, Statement
from .sql.statements import translate, translate_one
from .sql.tokens import literal
from .trouble import VACUUM_IS_RUNNING, Cluster, LostAfterwards
from .unload.options import parse as parse_unload
from .unload.run import Unload

# Startup parameters of redshift_connector and the JDBC driver that PostgreSQL refuses.
_DRIVER_PARAMETERS = {
    "client_protocol_version", "driver_version", "os_version", "driver_discovery_version", "plugin_name", "idp_type",
    "provider_name",
}  # fmt: skip


# Amazon Redshift reports these parameters at login. asyncpg recognizes Redshift by padb_revision.
_IDENTITY = (("server_version", "8.0.2"), ("padb_version", "1.0"), ("padb_revision", "1"))

_ROW_DESCRIPTION, _COMMAND_COMPLETE = ord("T"), ord("C")
_INTERVAL_OID = 1186
_INTERVAL = Refused(
    "the local stand-in for Amazon Redshift does not cover INTERVAL in a result for redshift_connector, which would"
    " read PostgreSQL's form of it wrongly: cast it to varchar, or use DATEDIFF"
)
# Redshift has about 200 of these: https://docs.aws.amazon.com/redshift/latest/dg/c_intro_system_tables.html
_SYSTEM_VIEW = re.compile(r'relation "(?:pg_catalog\.)?((?:stl|stv|svl|svv|svcs|sys)_\w+)" does not exist')
_COLUMN = re.compile(r'column "(\w+)" does not exist')
_ALIASES = 100  # maximum number of aliases to replace in one statement

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Session:
    """One client and its PostgreSQL connection.

    Messages are relayed as they arrive. A statement that the front runs itself reaches PostgreSQL as an empty query,
    which preserves the protocol's order. When PostgreSQL responds to the empty query, the front runs the statement.
    """

    _numbers = itertools.count(1)

    def __init__(
        self,
        client: Streams,
        postgres: Streams,
        history: LoadHistory,
        clients: tuple[Any, Any],
        cluster: Cluster,
    ) -> None:
        """:param clients: the pair of boto3 clients (S3, IAM) that COPY uses."""
        self._cluster = cluster
        self._losing = False  # whether to drop the connection instead of answering the pending COMMIT
        self._client_in, self._client_out = client
        self._in, self._out = postgres
        self._history, self._clients = history, clients
        self._backend = Backend(self._out, self._client_out, self._rewritten)
        self._names = Names()
        self._knows_names = False  # whether the setting from ALTER USER was read
        self._redshift_connector = False
        self._default_encoding = False  # whether the client named no encoding
        self._parsed = self._unread = b""  # prepared statements: the latest, and one with an INTERVAL
        self._in_batch = False  # whether extended-protocol messages were sent since the last Sync
        self._batch_failed = False
        self._own_sync = False  # whether a Sync that the front added is pending
        self._waiting = 0  # ReadyForQuery messages that the client has not received yet
        self._settled = asyncio.Event()
        self._cue: asyncio.Future[bool] | None = None
        self._refusals: dict[str, SqlError] = {}
        self._prepared: dict[bytes, Statement] = {}
        self._portals: dict[bytes, Statement] = {}
        self._skipping = False
        self._logged_in = False

    async def run(self, startup: dict[str, str]) -> None:
        """Relay messages until one side closes."""
        self._redshift_connector = (
            "driver_version" in startup and "redshift" in startup["driver_version"].lower()
        )
        asked = ("client_encoding" in place for place in (startup, startup.get("options", "")))
        self._default_encoding = not any(asked)
        self._names.database = startup.get("database") or startup.get("user", "")
        kept = {key: value for key, value in startup.items() if key and key not in _DRIVER_PARAMETERS}
        body = b"".join(f"{key}\0{value}\0".encode() for key, value in kept.items())
        self._out.write(struct.pack("!II", len(body) + 9, wire.PROTOCOL_3) + body + b"\0")
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
        while data := await self._in.read(wire.BLOCK):
            buffer += data
            position, size, out = 0, len(buffer), bytearray()
            while size - position >= 5:
                end = position + 1 + int.from_bytes(buffer[position + 1 : position + 5], "big")
                if end > size:
                    break
                kind = buffer[position]
                if self._backend.captured is not None:
                    self._backend.captured.put_nowait(
                        (bytes(buffer[position : position + 1]), bytes(buffer[position + 5 : end]))
                    )
                elif kind == _ROW_DESCRIPTION and self._cannot_read(buffer[position:end]):
                    out += wire.response(b"E", _INTERVAL.fields)
                elif self._losing and kind == _COMMAND_COMPLETE:
                    raise LostAfterwards
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
        if self._backend.captured is not None:
            self._backend.captured.put_nowait((b"", b""))

    def _cannot_read(self, row_description: bytearray) -> bool:
        # These bytes may also belong to another number, such as the OID of a table.
        if not self._redshift_connector or _INTERVAL_OID.to_bytes(4, "big") not in row_description:
            return False
        if all(oid != _INTERVAL_OID for _, oid, _ in wire.columns(bytes(row_description[5:]))):
            return False
        self._unread = self._parsed
        return True

    def _answer(self, kind: bytes, payload: bytes) -> bytes:
        """Process one of PostgreSQL's less frequent messages, and return its form for the client."""
        if kind == b"Z":
            self._backend.status = payload.decode()
            self._waiting -= 1
            self._settled.set()
            self._logged_in = True
            if self._own_sync and self._waiting == 0:
                self._own_sync = False
                return b""
            self._batch_failed = False
        elif kind == b"I" and self._cue is not None:
            self._backend.captured = asyncio.Queue()
            self._cue.set_result(True)
            self._cue = None
            return b""
        elif kind == b"E":
            self._batch_failed = True
            if self._cue is not None:
                self._cue.set_result(False)
                self._cue = None
            return wire.response(b"E", self._rewritten(wire.fields(payload)))
        elif kind == b"S" and payload == b"client_encoding\0UTF8\0" and self._default_encoding:
            payload = b"client_encoding\0UNICODE\0"
            self._default_encoding = False
        elif kind == b"S" and payload.startswith(b"server_version\0"):
            return b"".join(wire.message(b"S", f"{name}\0{value}\0".encode()) for name, value in _IDENTITY)
        return wire.message(kind, payload)

    def _rewritten(self, fields: dict[str, str]) -> dict[str, str]:
        """Replace PostgreSQL's error with the reason of a refusal, or with Redshift's error."""
        for mark in [mark for mark in self._refusals if mark in fields.get("M", "")]:
            return self._refusals.pop(mark).fields
        if fields.get("M") == "cannot accept a value of a shell type":
            return refuse_value().fields
        if fields.get("C") == "42P01" and (found := _SYSTEM_VIEW.match(fields.get("M", ""))):
            return not_covered(f"the system view {found[1]}").fields
        column = _COLUMN.fullmatch(fields.get("M", "")) if fields.get("C") == "42703" else None
        if column and column[1] in NOT_COVERED:  # a function that is called without parentheses
            return not_covered(f"function {column[1]}").fields
        if fields.get("C") == "23502" and fields.get("c"):
            detail = f"(stand-in: {fields.get('M', '')})"
            return SqlError(f"Cannot insert a NULL value into column {fields['c']}", "23502", detail).fields
        if fields.get("C") == "40001":
            detail = f"Serializable isolation violation on table (stand-in: {fields.get('M', '')})"
            return SqlError("1023", "XX000", detail).fields
        return fields

    # From the client to PostgreSQL ---------------------------------------------------------------------

    async def _from_client(self) -> None:
        buffer = bytearray()
        while data := await self._client_in.read(wire.BLOCK):
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
        """Handle one message from the client."""
        if self._skipping and kind not in b"SX":
            return
        if kind == b"H" and not self._logged_in:
            # redshift_connector sends a Flush after the password. If PostgreSQL refused the login without reading it,
            # the client would not receive the error message.
            return
        if kind in b"QP" and not self._knows_names:
            self._knows_names = True
            async with self._own_exchange():
                question = f"select pg_catalog.current_setting('local.{CASE_SENSITIVE}', true)"
                ((value,),) = await self._backend.query(question)
                self._names.case_sensitive = (value or "").lower() in TRUE
        if kind == b"Q":
            await self._simple(payload)
            return
        if kind == b"P":
            payload = await self._parse(payload)
            if self._skipping:
                return
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
            self._skipping = self._in_batch = False
            self._waiting += 1
        elif kind == b"F":
            self._waiting += 1
        self._in_batch |= kind in b"PBDEC"
        self._out.write(wire.message(kind, payload))

    def _note(self, statement: Statement) -> None:
        if statement.case_sensitive is not None:
            self._names.case_sensitive = statement.case_sensitive

    async def _all_answered(self, waiting: int) -> None:
        """Wait until at most this number of ReadyForQuery messages is outstanding."""
        while self._waiting > waiting:
            self._settled.clear()
            await self._settled.wait()

    @contextlib.asynccontextmanager
    async def _own_exchange(self) -> AsyncIterator[None]:
        """Reserve the PostgreSQL connection for the front between two exchanges of the client."""
        synced = self._in_batch
        if synced:
            # For example, the JDBC driver sends BEGIN together with the first statement.
            self._own_sync, self._in_batch = True, False
            self._waiting += 1
            self._out.write(wire.message(b"S"))
        await self._all_answered(0)
        self._skipping = synced and self._batch_failed
        self._backend.captured = asyncio.Queue()
        try:
            yield
        finally:
            self._backend.captured = None

    async def _settle(self, statement: Statement) -> Statement:
        """Replace each alias that is not a column in PostgreSQL with the alias's value."""
        reuse = statement.reuse
        assert reuse is not None
        for _ in range(_ALIASES):
            if self._backend.status == "E":
                break
            question = f"select pg_catalog.local_missing_column({literal(reuse.query(render))})"
            ((name,),) = await self._backend.query(question)
            if name is None or not reuse.substitute(name):
                break
        for relation, column in reuse.rows:
            question = f'select "{column}" from (select * from {relation}) as local_rows'
            ((name,),) = await self._backend.query(
                f"select pg_catalog.local_missing_column({literal(question)})"
            )
            if name is not None:
                return Statement("refused", f'column "{name}" does not exist')
        return translate_one(reuse.tokens, self._names, settled=True)

    def _refuse(self, reason: str | SqlError) -> str:
        """Return SQL that PostgreSQL cannot parse, so that the error comes at the right position."""
        mark = f"refused_statement_{next(self._numbers)}_"
        self._refusals[mark] = reason if isinstance(reason, SqlError) else Refused(reason)
        return mark

    def _plain(self, statement: Statement) -> str:
        """Return the SQL that PostgreSQL runs for a plain or refused statement, or raise ConnectionError."""
        trouble = self._cluster.strike(statement.text) if statement.kind == "plain" else None
        if isinstance(trouble, LostAfterwards):
            self._losing = True
        elif isinstance(trouble, SqlError):
            return self._refuse(trouble)
        elif trouble is not None:
            raise trouble
        return self._refuse(statement.text) if statement.kind == "refused" else statement.text

    async def _parse(self, payload: bytes) -> bytes:
        name, sql, rest = payload.split(b"\0", 2)
        self._prepared.pop(name, None)
        if name and name == self._unread:
            # The driver assumes that the statement failed, and reuses its name.
            async with self._own_exchange():
                await self._backend.query(f'deallocate "{name.decode()}"')
            self._unread = b""
        self._parsed = name
        statements = translate(sql.decode("utf-8", "replace"), self._names)
        text = sql
        if len(statements) > 1:
            # PostgreSQL's message, which is the same as Redshift's.
            text = self._refuse("cannot insert multiple commands into a prepared statement").encode()
        elif statements:
            statement = statements[0]
            if statement.reuse is not None:
                async with self._own_exchange():
                    statement = await self._settle(statement)
            self._note(statement)
            if statement.kind in ("refused", "plain"):
                text = self._plain(statement).encode()
            else:
                self._prepared[name] = statement
                text = b""
        return name + b"\0" + text + b"\0" + rest

    async def _extended(self, payload: bytes, statement: Statement) -> None:
        cue = self._cue = asyncio.get_running_loop().create_future()
        self._out.write(wire.message(b"E", payload) + wire.message(b"H"))
        if not await cue:
            return
        failure = await self._perform(statement)
        self._backend.captured = None
        if failure is not None:
            self._client_out.write(wire.response(b"E", failure.fields))
            self._skipping = True
        await self._client_out.drain()

    async def _simple(self, payload: bytes) -> None:
        sql = payload[:-1].decode("utf-8", "replace")
        statements = translate(sql, self._names)
        kinds = {statement.kind for statement in statements}
        self._waiting += 1
        if kinds <= {"plain", "refused"}:
            for statement in statements:
                self._note(statement)
            refused = [statement for statement in statements if statement.kind == "refused"]
            text = ";".join(self._plain(statement) for statement in refused[:1] or statements)
            self._out.write(wire.message(b"Q", text.encode() + b"\0"))
            return
        await self._all_answered(1)
        self._backend.captured = asyncio.Queue()
        for statement in statements:
            failure = await self._perform(statement)
            if failure is not None:
                self._client_out.write(wire.response(b"E", failure.fields))
                break
        self._backend.captured = None
        self._waiting -= 1
        self._client_out.write(wire.message(b"Z", self._backend.status.encode()))
        await self._client_out.drain()

    # Statements that the front runs ----------------------------------------------------------------------

    async def _perform(self, statement: Statement) -> SqlError | None:
        """Run one statement and send the client its tag. On an error, fail the transaction block and return it."""
        backend = self._backend
        trouble = self._cluster.strike("query" if statement.kind == "query" else statement.text)
        try:
            if trouble is not None and not isinstance(trouble, LostAfterwards):
                raise trouble
            if statement.reuse is not None:
                statement = await self._settle(statement)
            if statement.finish is not None:
                found = await results(backend, statement.text, may_fail=statement.unbound is not None)
                statement = (
                    statement.unbound
                    if found is None and statement.unbound
                    else statement.finish(found or [])
                )
            self._note(statement)
            if statement.kind == "plain":
                await backend.relay(statement.text)
            elif statement.kind == "refused":
                raise Refused(statement.text)
            elif statement.kind == "script":
                if statement.outside:
                    # A BEGIN may still be in progress. After this query, the status is current.
                    await backend.query("select 1")
                    if backend.status == "T":
                        raise SqlError(f"{statement.outside} cannot run inside a transaction block", "25001")
                parts = [part for part in (statement.before, statement.text, statement.after) if part]
                await backend.query("\n;".join(parts), notices=True)
                self._complete(statement.tag or backend.tags[1 if statement.before else 0])
            elif statement.kind == "truncate":
                await backend.query(statement.text)
                if backend.status == "T":
                    await backend.query("commit")
                self._complete("TRUNCATE TABLE")
            elif statement.kind == "vacuum":
                await self._vacuum(statement.text)
            elif statement.kind == "unload":
                options = parse_unload(statement.text, self._names)
                if options.query.reuse is not None:
                    options.query = await self._settle(options.query)
                unload = Unload(backend, self._clients, options)
                await unload.run()
                notice = {"S": "INFO", "V": "INFO", "C": "00000", "M": unload.message}
                self._client_out.write(wire.response(b"N", notice))
                self._complete("UNLOAD")
            else:
                load = Load(backend, self._history, self._clients, self._names.database, statement.text)
                await load.run()
                if trouble is not None:
                    raise trouble
                notice = {"S": "INFO", "V": "INFO", "C": "00000", "M": load.message}
                self._client_out.write(wire.response(b"N", notice))
                self._complete("COPY")
            return None
        except ConnectionError:
            raise
        except Exception as error:
            failure = as_sql_error(error)
            if backend.status == "T":
                await backend.spoil()
            return failure

    async def _vacuum(self, sql: str) -> None:
        """Run VACUUM. Raise SqlError if another VACUUM is running on the cluster."""
        if self._cluster.vacuuming:
            raise VACUUM_IS_RUNNING
        self._cluster.vacuuming = True
        try:
            await self._backend.relay(sql)
        finally:
            self._cluster.vacuuming = False

    def _complete(self, tag: str) -> None:
        self._client_out.write(wire.message(b"C", tag.encode() + b"\0"))
