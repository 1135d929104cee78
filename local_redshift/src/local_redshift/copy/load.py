"""Run one COPY: load the lines into a temporary table, and convert them with one INSERT ... SELECT.

PostgreSQL reads the JSON. The lines go unparsed into a temporary table on the client's own connection, so that the
load is part of the client's transaction. Only if the INSERT fails does this module search for the bad lines.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Sequence
from typing import Any

from ..backend import Backend
from ..errors import SqlError, as_sql_error
from ..sql.refusals import not_covered
from . import records
from .convert import INVALID, Column, Conversion, literal, quote_name
from .diagnose import find_bad_lines, is_covered, reason
from .history import LoadHistory
from .lines import Lines
from .objects import Objects, authorize, check_assumerole, steps
from .options import parse
from .records import BadRecord


class Load:
    """One COPY on one client connection."""

    def __init__(
        self, backend: Backend, history: LoadHistory, clients: tuple[Any, Any], database: str, sql: str
    ) -> None:
        """:param database: the database of the connection. Its system views show the load."""
        self._backend, self._history, self._database = backend, history, database
        self._copy = parse(sql)
        self._clients = clients
        self._objects = Objects(clients[0], self._copy)
        self._lines = Lines(self._objects, self._copy)
        self._conversion = Conversion(self._copy, [])
        self.rows = 0
        self.rejected = 0

    @property
    def message(self) -> str:
        """Return the message that psql prints after a COPY."""
        if self.rejected:
            return (
                f"Load into table '{self._bare_table}' completed, {self.rejected} record(s) could not be loaded.  "
                "Check 'stl_load_errors' system table for details."
            )
        return f"Load into table '{self._bare_table}' completed, {self.rows} record(s) loaded successfully."

    @property
    def _bare_table(self) -> str:
        return self._copy.table.rsplit(".", 1)[-1].strip('"')

    async def run(self) -> None:
        """Load in the client's transaction, if it has one. Raise SqlError without ending the transaction."""
        backend = self._backend
        own = backend.status == "I"
        await backend.query("begin" if own else "savepoint local_copy")
        try:
            self._conversion.columns = await self._target()
            user = await check_assumerole(backend, self._copy.role, "copy")
            await asyncio.to_thread(authorize, *self._clients, self._copy, user)
            await self._fill()
            await self._insert()
            await self._finish()
            await backend.query("commit" if own else "release savepoint local_copy")
        except ConnectionError:
            raise
        except Exception as error:
            await backend.query("rollback" if own else "rollback to savepoint local_copy")
            raise as_sql_error(error) from error

    async def _target(self) -> list[Column]:
        copy = self._copy
        found = await self._backend.query(
            "select a.attname, t.typname, a.atttypmod, format_type(a.atttypid, a.atttypmod), a.attnotnull,"
            f" a.attidentity, a.atthasdef from pg_attribute a join pg_type t on t.oid = a.atttypid"
            f" where a.attrelid = to_regclass({literal(copy.table)}) and a.attnum > 0 and not a.attisdropped"
            " order by a.attnum"
        )
        if not found:
            raise SqlError(f"Cannot COPY into nonexistent table {self._bare_table}", "42P01")
        known = {
            row[0]: Column(row[0], row[1], int(row[2] or -1), row[3] or "", row[4] == "t")
            for row in found
            if row[0] is not None and row[1] is not None and (copy.columns is not None or not row[5])
        }
        for name in copy.columns or []:
            if name not in known:
                raise SqlError(f'column "{name}" of relation "{self._bare_table}" does not exist', "42703")
        columns = [known[name] for name in (copy.columns or known)]
        for other, _, _, _, not_null, identity, has_default in found:
            needed = not_null == "t" and has_default != "t" and not identity
            if copy.columns and other not in copy.columns and needed:
                # https://docs.aws.amazon.com/redshift/latest/dg/copy-parameters-column-mapping.html
                raise SqlError(
                    f"NOT NULL column without DEFAULT must be included in column list: {other}", "42601"
                )
        for column in columns:
            if not is_covered(column):
                raise not_covered(f"COPY ... into a column of type {column.spelled} ({column.name})")
        return columns

    async def _fill(self) -> None:
        """Load the lines into a temporary table, and determine how to read each column's text from them."""
        copy = self._copy
        paths: list[str] | None = None
        if copy.format != "json":
            names = ", ".join(f"c{i} text" for i in range(len(self._conversion.columns)))
            await self._backend.query(f"create temp table local_copy_lines ({names}) on commit drop")
            self._conversion.texts = [f"l.c{i}" for i in range(len(self._conversion.columns))]
            options = self._csv_options()
        else:
            paths = (
                await asyncio.to_thread(self._objects.jsonpaths) if copy.json.startswith("s3://") else None
            )
            if paths is not None and len(paths) != len(self._conversion.columns):
                raise SqlError(
                    "Number of jsonpaths and the number of columns should match. "
                    f"JSONPath size: {len(paths)}, "
                    f"Number of columns in table or column list: {len(self._conversion.columns)}"
                )
            await self._backend.query("create temp table local_copy_lines (raw text) on commit drop")
            options = "format csv, quote E'\\x01', delimiter E'\\x02'"
        await self._backend.query("savepoint local_copy_fill")
        try:
            lines = self._lines.chunks(self._conversion.columns)
            await self._backend.copy_in(f"copy local_copy_lines from stdin ({options})", lines)
        except SqlError as error:
            if isinstance(error, BadRecord) or (copy.format != "json" and error.code == "22P04"):
                await self._structural_error(error)
            raise
        if copy.format == "json":
            if paths is None and copy.json == "auto ignorecase":
                self._conversion.by_name_ignoring_case()
            elif paths and all(re.match(r"\$\s*\[\s*\d", str(path)) for path in paths):
                self._conversion.by_position([steps(path) for path in paths])
            else:
                self._conversion.by_path(
                    [[c.name] for c in self._conversion.columns]
                    if paths is None
                    else [steps(p) for p in paths]
                )

    def _csv_options(self) -> str:
        """Return PostgreSQL's COPY options for a stream of rewritten records, or of lines with a delimiter."""
        copy = self._copy
        if copy.format == "parquet":
            return "format csv, null ''"
        if records.is_needed(copy):
            return "format csv, null E'\\\\N'"
        # A quote character that no line contains has no effect.
        quote = literal(copy.quote) if copy.format == "csv" else "E'\\x01'"
        return f"format csv, quote {quote}, delimiter {literal(copy.delimiter)}, null {literal(copy.null)}"

    async def _insert(self) -> None:
        """Convert and insert the lines. If the data is invalid, find the lines that caused the failure."""
        backend, conversion = self._backend, self._conversion
        columns = ", ".join(quote_name(column.name) for column in conversion.columns)
        await backend.query("savepoint local_copy_insert")
        if self._lines.has_invalid:
            await self._reject(SqlError("invalid UTF-8"))
        ways = [True, False, False] if conversion.typed_record else [False, False]
        for number, typed in enumerate(ways):
            values = ", ".join(conversion.value(column, typed) for column in conversion.columns)
            try:
                await backend.query(
                    f"insert into {self._copy.table} ({columns}) select {values} from ({conversion.selected(typed)}) s"
                )
                self.rows = int(backend.tag.split()[-1])
                return
            except SqlError as error:
                if number == len(ways) - 1 or not (error.code.startswith("22") or error.code == "23502"):
                    raise
                await backend.query("rollback to savepoint local_copy_insert")
                if not typed:
                    await self._reject(error)

    async def _reject(self, error: SqlError) -> None:
        """Record the bad lines. Remove them if MAXERROR allows their number. Otherwise, fail the load."""
        backend, limit = self._backend, max(1, self._copy.max_error)
        await backend.query(
            f"create temp table local_copy_bad on commit drop as {find_bad_lines(self._conversion)}"
        )
        (total,) = (await backend.query("select count(*) from local_copy_bad"))[0]
        bad = await backend.query(
            f"select n, col, raw, value, code from local_copy_bad order by n limit {limit}"
        )
        if not bad:
            raise error
        await self._record_errors(bad)
        if int(total or 0) >= limit:
            raise self._failed()
        self.rejected = int(total or 0)
        await backend.query("delete from local_copy_lines l using local_copy_bad b where l.ctid = b.line")
        await backend.query("savepoint local_copy_insert")

    def _failed(self) -> SqlError:
        return SqlError(
            f"Load into table '{self._bare_table}' failed.  Check 'stl_load_errors' system table for details."
        )

    async def _record_errors(self, bad: Iterable[Sequence[str | None]]) -> None:
        query = await asyncio.to_thread(self._history.next_query, self._database)
        identity = (
            await self._backend.query(
                f"select to_regclass({literal(self._copy.table)})::oid::int, pg_backend_pid(),"
                " (select oid::int from pg_roles where rolname = current_user)"
            )
        )[0]
        rows = []
        for n, index, raw, value, code in bad:
            column = self._conversion.columns[int(index)] if index is not None and int(index) >= 0 else None
            why = reason(int(code or 1216), column, value if value is not None else raw or "")
            raw, value = (text and re.sub(f"{INVALID}.", "?", text) for text in (raw, value))
            filename, line = self._lines.locate(int(n or 0))
            rows.append(
                {
                    "userid": identity[2], "slice": 0, "tbl": identity[0], "table_name": self._bare_table,
                    "session": identity[1], "query": query, "filename": filename[:256], "line_number": line,
                    "colname": column.name[:127] if column else "",
                    "type": column.type[:10] if column else "",
                    "col_length": str(column.bytes) if column and column.is_string else "",
                    "position": 0, "raw_line": (raw or "")[:1024], "raw_field_value": (value or "")[:1024],
                    "err_code": int(code or 1216), "err_reason": why[:100],
                }
            )  # fmt: skip
        await asyncio.to_thread(self._history.record, self._database, "local_load_errors", rows)

    async def _structural_error(self, error: SqlError) -> None:
        """Record a line that cannot be split into fields, such as a CSV line with too few, and fail the load."""
        where = re.search(r"line (\d+)(?:, column \w+)?: ?\"?(.*?)\"?$", error.fields.get("W", ""), re.DOTALL)
        number, raw = (where[1], where[2]) if where else ("0", "")
        code = "1202" if "extra data" in str(error) else "1203" if self._copy.format == "csv" else "1214"
        if isinstance(error, BadRecord):
            number, raw, code = str(error.line), error.raw, str(error.reason)
        await self._backend.query("rollback to savepoint local_copy_fill")
        await self._record_errors([(number, "-1", raw, None, code)])
        raise self._failed()

    async def _finish(self) -> None:
        backend = self._backend
        query = await asyncio.to_thread(self._history.next_query, self._database)
        await backend.query(
            f"select set_config('local.last_copy_count', '{self.rows}', false),"
            f" set_config('local.last_copy_id', '{query}', false)"
        )
        # Without statistics, the first join after a load can take minutes. Redshift's STATUPDATE also analyzes.
        # A small sample is enough and takes a tenth of the time.
        await backend.query("set local default_statistics_target = 10")
        await backend.query(f"analyze {self._copy.table}")
        await backend.query("set local default_statistics_target to default")
        await backend.query("drop table if exists pg_temp.local_copy_lines, pg_temp.local_copy_bad")
        (userid,) = (await backend.query("select oid::int from pg_roles where rolname = current_user"))[0]
        rows = [
            {"userid": userid, "query": query, "slice": 0, "name": self._bare_table, "filename": file.name[:256],
             "lines_scanned": file.lines + file.skipped, "errors": -1, "file_format": self._copy.format[0].upper(),
             "loaded": self.rows}
            for file in self._lines.files
        ]  # fmt: skip
        await asyncio.to_thread(self._history.record, self._database, "local_load_commits", rows)
