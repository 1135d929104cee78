"""COPY from S3: the statement's options, the objects' lines, and one INSERT ... SELECT that converts them.

PostgreSQL reads the JSON. The lines go unparsed into a temporary table on the client's own connection,
so that the load lies inside the client's transaction. Only when that fails are the bad lines looked for.
"""

from __future__ import annotations

import asyncio
import codecs
import collections
import json
import re
import traceback
import zlib
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from botocore.exceptions import ClientError

from .aws import REGION, read_many
from .dialect import README, Token, render, tokenize, visible

GROUP = 100  # objects asked for at once
CHUNK = 1 << 20  # bytes of a long object read at a time


class SqlError(Exception):
    """An error for the client. `fields` are those of PostgreSQL's ErrorResponse (C code, M message, D detail ...)."""

    def __init__(
        self, message: str, code: str = "XX000", detail: str = "", hint: str = "", **fields: str
    ) -> None:
        super().__init__(message)
        self.fields = {"S": "ERROR", "V": "ERROR", "C": code, "M": message, "D": detail, "H": hint} | fields

    @property
    def code(self) -> str:
        return self.fields["C"]


def as_sql_error(error: Exception) -> SqlError:
    """What the client is told about any failure; one of our own making leaves its trace in the log."""
    if isinstance(error, SqlError):
        return error
    traceback.print_exception(error)
    return SqlError(f"the local stand-in for Amazon Redshift failed: {error!r} (its log has the trace)")


class Backend(Protocol):
    """The client's own PostgreSQL connection."""

    status: str  # I idle, T in a transaction block, E in a failed one

    @property
    def tag(self) -> str: ...

    async def query(self, sql: str) -> list[list[str | None]]: ...

    async def copy_in(self, sql: str, chunks: AsyncIterator[bytes]) -> None: ...


class Books(Protocol):
    """Where loads are recorded, outside the client's transaction."""

    def next_query(self) -> int: ...

    def record_errors(self, rows: Sequence[dict[str, Any]]) -> None: ...

    def record_files(self, rows: Sequence[dict[str, Any]]) -> None: ...


@dataclass
class Copy:
    """A parsed COPY. `columns` is None when the statement names none."""

    table: str
    columns: list[str] | None
    bucket: str
    key: str
    role: str = ""
    format: str = ""
    json: str = ""
    manifest: bool = False
    gzip: bool = False
    region: str = REGION
    timeformat: str = "auto"
    invalid_characters: str = ""  # the replacement of ACCEPTINVCHARS
    truncate: bool = False
    empty_as_null: bool = False
    blanks_as_null: bool = False
    max_error: int = 0
    delimiter: str = ","
    quote: str = '"'
    ignore_header: int = 0
    options: set[str] = field(default_factory=set)


# The statement --------------------------------------------------------------------------------------


def _unquote(token: Token) -> str:
    text = token.text[1:-1].replace("''", "'")
    return re.sub(r"\\(.)", lambda m: {"t": "\t", "n": "\n"}.get(m[1], m[1]), text)


class _Reader:
    """The options of a COPY, read from left to right."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tokens
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._tokens)

    def peek(self) -> str:
        return self._tokens[self._at].low if self else ""

    def at_string(self) -> bool:
        return self._at < len(self._tokens) and self._tokens[self._at].kind == "string"

    def take(self) -> Token:
        if not self:
            raise SqlError("syntax error at the end of COPY", "42601")
        self._at += 1
        return self._tokens[self._at - 1]

    def skip(self, word: str) -> None:
        if self.peek() == word:
            self._at += 1

    def string(self, option: str) -> str:
        self.skip("as")
        token = self.take()
        if token.kind != "string":
            raise SqlError(
                f'syntax error at or near "{token.text}": {option} needs a string in quotes', "42601"
            )
        return _unquote(token)

    def number(self, option: str) -> int:
        self.skip("as")
        token = self.take()
        text = _unquote(token) if token.kind == "string" else token.text
        if not text.isdigit():
            raise SqlError(f'syntax error at or near "{token.text}": {option} needs a number', "42601")
        return int(text)


def _refuse(what: str) -> SqlError:
    return SqlError(
        f"the local stand-in for Amazon Redshift does not cover COPY ... {what}: {README}", "0A000"
    )


def parse(sql: str) -> Copy:
    """Read the statement; raises SqlError for what is wrong and, by name, for what is not covered."""
    reader = _Reader(visible(tokenize(sql)))
    reader.take()
    name = [reader.take()]
    while reader.peek() == ".":
        name += [reader.take(), reader.take()]
    columns = None
    if reader.peek() == "(":
        reader.take()
        columns = []
        while (token := reader.take()).text != ")":
            if token.text != ",":
                columns.append(token.text[1:-1].replace('""', '"') if token.kind == "name" else token.low)
    if (token := reader.take()).low != "from":
        raise SqlError(f'syntax error at or near "{token.text}"', "42601")
    source = reader.string("FROM")
    match = re.fullmatch(r"s3://([^/]+)/(.*)", source)
    if match is None:
        if source.startswith("s3://"):
            raise SqlError(f"Invalid S3 path {source}: it needs a bucket and a key prefix")
        raise _refuse(f"FROM '{source}' (only s3://)")
    copy = Copy(render(name), columns, match[1], match[2])
    reader.skip("with")
    while reader:
        _option(reader, copy)
    _check(copy)
    return copy


def _option(reader: _Reader, copy: Copy) -> None:
    token = reader.take()
    option = token.low
    if option in copy.options:
        raise SqlError(f"conflicting or redundant options: {option.upper()}", "42601")
    copy.options.add(option)
    if option == "credentials":
        value = reader.string("CREDENTIALS")
        if not value.lower().startswith("aws_iam_role="):
            raise _keys()
        copy.role = value.split("=", 1)[1]
    elif option == "iam_role":
        if reader.peek() == "default":
            raise _refuse("IAM_ROLE DEFAULT (name the role)")
        copy.role = reader.string("IAM_ROLE")
    elif option in ("access_key_id", "secret_access_key", "session_token"):
        raise _keys()
    elif option == "format":
        reader.skip("as")
        copy.options.discard(reader.peek())
        _option(reader, copy)
    elif option == "json":
        reader.skip("as")
        copy.format = "json"
        copy.json = reader.string("JSON") if reader.at_string() else "auto"
    elif option == "csv":
        copy.format = "csv"
    elif option in ("manifest", "gzip"):
        setattr(copy, option, True)
    elif option == "region":
        copy.region = reader.string("REGION")
    elif option == "timeformat":
        copy.timeformat = reader.string("TIMEFORMAT")
    elif option == "dateformat":
        if (value := reader.string("DATEFORMAT")).lower() != "auto":
            raise _refuse(f"DATEFORMAT '{value}' (only 'auto')")
    elif option == "acceptinvchars":
        reader.skip("as")
        copy.invalid_characters = reader.string("ACCEPTINVCHARS") if reader.at_string() else "?"
    elif option == "truncatecolumns":
        copy.truncate = True
    elif option == "emptyasnull":
        copy.empty_as_null = True
    elif option == "blanksasnull":
        copy.blanks_as_null = True
    elif option == "maxerror":
        copy.max_error = reader.number("MAXERROR")
    elif option in ("compupdate", "statupdate"):
        # Both speak of speed alone; the stand-in always analyzes.
        if reader.peek() in ("on", "off", "true", "false", "preset"):
            reader.take()
    elif option == "ignoreheader":
        copy.ignore_header = reader.number("IGNOREHEADER")
    elif option == "delimiter":
        copy.delimiter = reader.string("DELIMITER")
    elif option == "quote":
        copy.quote = reader.string("QUOTE")
    else:
        raise _refuse(token.text.upper())


def _keys() -> SqlError:
    return SqlError(
        "COPY with access keys is refused: this project never sends keys in SQL",
        "0A000",
        hint="Give the operator an AWS connection whose extra has role_arn, or write IAM_ROLE 'arn:aws:iam::...'.",
    )


def _check(copy: Copy) -> None:
    if not copy.role:
        raise SqlError("COPY needs IAM_ROLE 'arn:...' or CREDENTIALS 'aws_iam_role=arn:...'", "42601")
    if not copy.format:
        raise _refuse("delimited text (write FORMAT JSON or CSV)")
    if copy.max_error > 100000:
        raise SqlError("MAXERROR must be between 0 and 100000", "22023")
    for option in ("quote", "delimiter"):
        if option in copy.options and copy.format != "csv":
            raise _refuse(f"{copy.format.upper()} with {option.upper()}")
        if len(getattr(copy, option).encode()) != 1:
            raise SqlError(f"COPY {option} must be a single character", "22023")
    if "ignoreheader" in copy.options and copy.format == "json":
        raise SqlError("IGNOREHEADER option is not supported with JSON", "42601")
    if (
        copy.format == "json"
        and not copy.json.startswith("s3://")
        and copy.json not in ("auto", "auto ignorecase")
    ):
        raise _refuse(f"JSON '{copy.json}' (only 'auto', 'auto ignorecase', 's3://...')")
    if copy.timeformat.lower() not in ("auto", "epochsecs", "epochmillisecs"):
        raise _refuse(f"TIMEFORMAT '{copy.timeformat}' (only 'auto', 'epochsecs', 'epochmillisecs')")
    if len(copy.invalid_characters.encode()) > 1:
        raise SqlError("ACCEPTINVCHARS needs one ASCII character", "22023")


# The objects ----------------------------------------------------------------------------------------


def _s3_error(message: str, status: int, code: str, context: str) -> SqlError:
    text = f"S3ServiceException:{message},Status {status},Error {code},Rid LOCAL,CanRetry 1"
    return SqlError(text, detail=f"\n  error:  {text}\n  code:      8001\n  context:   {context}\n")


def _from_client_error(error: ClientError, context: str) -> SqlError:
    response = error.response
    code = response.get("Error", {}).get("Code", "Unknown")
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
    message = response.get("Error", {}).get("Message", str(error))
    return _s3_error(message, status, code, context)


class Objects:
    """The S3 objects that a COPY names, read with the role it names."""

    def __init__(self, s3: Any, iam: Any, copy: Copy) -> None:
        self._s3, self._iam, self._copy = s3, iam, copy

    def authorize(self) -> None:
        """Raise as Redshift does for a role or a bucket that is not there, or lies in another region."""
        arn = self._copy.role
        try:
            known = self._iam.get_role(RoleName=arn.rsplit("/", 1)[-1])["Role"]["Arn"] == arn
        except ClientError:
            known = False
        if not known:
            text = f"S3ServiceException:The cluster is not authorized to assume IAM Role {arn},Status 403"
            raise SqlError(
                f"User arn:aws:redshift:{REGION}:123456789012:dbuser:local/sparkify is not authorized to assume "
                f"IAM Role {arn}",
                detail=f"\n  error:  {text}\n  code:      8001\n  context:   IAM Role={arn}\n",
            )
        self._in_region(self._copy.bucket)

    def _in_region(self, bucket: str) -> None:
        try:
            region = self._s3.get_bucket_location(Bucket=bucket)["LocationConstraint"] or "us-east-1"
        except ClientError as error:
            raise _from_client_error(error, f"Listing bucket={bucket} prefix={self._copy.key}") from None
        if region != self._copy.region:
            message = (
                "The S3 bucket addressed by the query is in a different region from this cluster."
                f" (bucket {bucket}: {region}; REGION: {self._copy.region})"
            )
            raise _s3_error(message, 301, "PermanentRedirect", f"Listing bucket={bucket}")

    def small(self, bucket: str, key: str, what: str) -> bytes:
        """A manifest or a jsonpaths file."""
        try:
            return bytes(self._s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        except ClientError as error:
            found = _from_client_error(error, f"Reading s3://{bucket}/{key}")
            raise SqlError(f"Problem reading {what} file - {found}", detail=found.fields["D"]) from None

    def jsonpaths(self) -> list[str]:
        bucket, key = self._copy.json[5:].split("/", 1)
        raw = self.small(bucket, key, "jsonpaths")
        try:
            paths = json.loads(raw)["jsonpaths"]
        except (ValueError, KeyError, TypeError):
            raise SqlError(
                f"Invalid JSONPath format: {self._copy.json} is no object with an array 'jsonpaths'"
            ) from None
        return list(paths)

    def names(self) -> list[tuple[str, str, bool]]:
        """(bucket, key, mandatory) of every object to load, in order."""
        copy = self._copy
        if copy.manifest:
            return self._manifest()
        found = []
        for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=copy.bucket, Prefix=copy.key):
            found += [(copy.bucket, item["Key"], True) for item in page.get("Contents", [])]
        if not found:
            raise SqlError(f"The specified S3 prefix '{copy.key}' does not exist")
        return found

    def _manifest(self) -> list[tuple[str, str, bool]]:
        copy = self._copy
        where = f"s3://{copy.bucket}/{copy.key}"
        raw = self.small(copy.bucket, copy.key, "manifest")
        try:
            entries = json.loads(raw)["entries"]
            names = []
            for entry in entries:
                match = re.fullmatch(r"s3://([^/]+)/(.+)", entry["url"])
                if match is None:
                    raise ValueError(entry["url"])
                names.append((match[1], match[2], bool(entry.get("mandatory", False))))
        except (ValueError, KeyError, TypeError) as error:
            raise SqlError(f"Invalid manifest file {where}: {error!r}") from None
        if not names:
            raise SqlError(f"Manifest file {where} contains no entries")
        for bucket in {bucket for bucket, _, _ in names} - {copy.bucket}:
            self._in_region(bucket)
        return names

    def read_ahead(self, names: Sequence[tuple[str, str, bool]]) -> list[bytes | None]:
        """The content of the short ones among some objects."""
        return read_many(self._s3.meta.endpoint_url, [(bucket, key) for bucket, key, _ in names])

    def open(self, bucket: str, key: str, mandatory: bool) -> Any:
        """One object's stream, or None if it may be missing."""
        try:
            return self._s3.get_object(Bucket=bucket, Key=key)["Body"]
        except ClientError as error:
            if not mandatory and error.response.get("Error", {}).get("Code") == "NoSuchKey":
                return None
            raise _from_client_error(error, f"Reading s3://{bucket}/{key}") from None


class Lines:
    """All objects' lines as one stream of bytes for PostgreSQL; remembers which line came from where."""

    def __init__(self, objects: Objects, copy: Copy) -> None:
        self._objects, self._copy = objects, copy
        self.files: list[tuple[str, int]] = []  # name, number of lines so far
        self._invalid = copy.invalid_characters.encode() or b"\x04"

    async def chunks(self) -> AsyncIterator[bytes]:
        """Whole lines; short objects are read by the hundred, the next hundred while one is on its way."""
        names = await asyncio.to_thread(self._objects.names)
        groups = [names[i : i + GROUP] for i in range(0, len(names), GROUP)]
        ahead = [
            asyncio.ensure_future(asyncio.to_thread(self._objects.read_ahead, group)) for group in groups[:1]
        ]
        for number, group in enumerate(groups):
            bodies = await ahead.pop()
            for following in groups[number + 1 : number + 2]:
                ahead.append(asyncio.ensure_future(asyncio.to_thread(self._objects.read_ahead, following)))
            for name, content in zip(group, bodies, strict=True):
                body = content if content is not None else await asyncio.to_thread(self._objects.open, *name)
                if body is not None:
                    async for chunk in self._lines(f"s3://{name[0]}/{name[1]}", body):
                        yield chunk
        if not self.files:
            raise SqlError(f"The specified S3 prefix '{self._copy.key}' does not exist")

    async def _lines(self, name: str, body: Any) -> AsyncIterator[bytes]:
        unpack = _gunzip(name) if self._copy.gzip else None
        rest, skip, done = b"", self._copy.ignore_header, False
        self.files.append((name, 0))
        while not done:
            if isinstance(body, bytes):
                data, done = body, True
            else:
                data = await asyncio.to_thread(body.read, CHUNK)
                done = not data
            if unpack is not None:
                data = unpack(data, done)
            data = rest + data
            if done:
                if data and not data.endswith(b"\n"):
                    data += b"\n"
                cut = len(data)
            else:
                cut = data.rfind(b"\n") + 1
            rest, data = data[cut:], data[:cut]
            if data:
                self.files[-1] = (name, self.files[-1][1] + data.count(b"\n"))
                while skip and data:
                    data = data[data.index(b"\n") + 1 :]
                    skip -= 1
                yield self._clean(data)

    def _clean(self, data: bytes) -> bytes:
        """UTF-8 for PostgreSQL, without the control characters that delimit here; a bad byte stays visible as one."""
        if not data.isascii():
            try:
                data.decode()
            except UnicodeDecodeError:
                text = data.decode("utf-8", "surrogateescape")
                data = text.encode("utf-8", _replacing(self._invalid))
        if b"\r" in data:
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b" ")
        if _DELIMITING.search(data):
            data = _DELIMITING.sub(b"\x03", data)
        return data

    def locate(self, number: int) -> tuple[str, int]:
        """File and line of the n-th line of the stream (both from 1)."""
        for name, lines in self.files:
            if number <= lines:
                return name, number
            number -= lines
        return (self.files[-1][0], number) if self.files else ("", number)


_DELIMITING = re.compile(rb"[\x00-\x02]")


def _replacing(byte: bytes) -> str:
    """The name of an error handler that writes `byte` for each byte that was no UTF-8."""
    name = f"local-{byte.hex()}"

    def handler(error: UnicodeError) -> tuple[bytes, int]:
        assert isinstance(error, UnicodeEncodeError)
        return byte * (error.end - error.start), error.end

    codecs.register_error(name, handler)
    return name


def _gunzip(name: str) -> Callable[[bytes, bool], bytes]:
    state = zlib.decompressobj(31)

    def unpack(data: bytes, last: bool) -> bytes:
        nonlocal state
        out = b""
        try:
            while data:
                out += state.decompress(data)
                data = state.unused_data
                if state.eof and data:
                    state = zlib.decompressobj(31)
        except zlib.error as error:
            raise SqlError(f"Failed to inflate with gzip: {name}: {error}") from None
        if last and not state.eof:
            raise SqlError(f"Failed to inflate with gzip: {name}: the file ends too early")
        return out

    return unpack


# The load -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Column:
    """A target column; `size` is bytes of a string, or (precision, scale), or None."""

    name: str
    type: str
    modifier: int
    spelled: str
    not_null: bool

    @property
    def is_string(self) -> bool:
        return self.type in ("varchar", "bpchar", "text")

    @property
    def bytes(self) -> int:
        return self.modifier - 4 if self.modifier > 4 else 65535

    @property
    def scale(self) -> int:
        return (self.modifier - 4) & 0x7FF

    @property
    def precision(self) -> int:
        return ((self.modifier - 4) >> 16) & 0xFFFF


_TYPES = {
    "int2": 1207, "int4": 1207, "int8": 1207, "float4": 1208, "float8": 1208, "numeric": 1209, "bool": 1210,
    "date": 1205, "timestamp": 1206, "timestamptz": 1206, "varchar": 1204, "bpchar": 1204, "text": 1204,
}  # fmt: skip

_REASONS = {
    1204: "String length exceeds DDL length",
    1202: "Extra column(s) found",
    1203: "Input data had fewer columns than were defined in the DDL",
    1205: "Invalid Date Format - length must be 10 or more",
    1206: "Invalid timestamp format or value [YYYY-MM-DD HH24:MI:SS]",
    1207: "Invalid digit, Value '{0}', Pos 0, Type: {1}",
    1208: "Invalid data for FLOAT",
    1209: "Invalid data for NUMERIC, or overflow",
    1210: "Unknown boolean format",
    1213: "Missing data for not-null field",
    1216: "Invalid JSON or JSON line",
    1220: "String contains invalid or unsupported UTF8 codepoints. Bad UTF8 hex sequence (error 4)",
}
_REDSHIFT_TYPES = {"int2": "Short", "int4": "Integer", "int8": "Long"}


def _literal(value: str) -> str:
    return "E'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def _name(value: str) -> str:
    return '"' + value.replace('"', '""') + '"'


# A blank line is no record. (The first test is the cheap one.)
_NOT_BLANK = "(starts_with(l.raw, '{') or btrim(l.raw, E' \\t') <> '')"


class Load:
    """One COPY on one client connection."""

    def __init__(self, backend: Backend, books: Books, clients: tuple[Any, Any], sql: str) -> None:
        self._backend, self._books = backend, books
        self._copy = parse(sql)
        self._objects = Objects(*clients, self._copy)
        self._lines = Lines(self._objects, self._copy)
        self._columns: list[Column] = []
        self._sources: list[str] = []  # SQL of each column's text
        self._record = ""  # the FROM clause that yields them
        self.rows = 0
        self.rejected = 0

    @property
    def message(self) -> str:
        """What psql prints after a COPY."""
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
        """Load, inside the client's transaction if it has one; raises SqlError and leaves the block to its fate."""
        backend = self._backend
        own = backend.status == "I"
        await backend.query("begin" if own else "savepoint local_copy")
        try:
            self._columns = await self._target()
            await asyncio.to_thread(self._objects.authorize)
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
            f" a.attidentity from pg_attribute a join pg_type t on t.oid = a.atttypid"
            f" where a.attrelid = to_regclass({_literal(copy.table)}) and a.attnum > 0 and not a.attisdropped"
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
        for column in columns:
            if column.type not in _TYPES:
                raise _refuse(f"into a column of type {column.spelled} ({column.name})")
        return columns

    async def _fill(self) -> None:
        """Put the lines into a temporary table and say how each column's text is found in them."""
        copy = self._copy
        if copy.format == "csv":
            names = ", ".join(f"c{i} text" for i in range(len(self._columns)))
            await self._backend.query(f"create temp table local_copy_lines ({names}) on commit drop")
            options = f"format csv, quote {_literal(copy.quote)}, delimiter {_literal(copy.delimiter)}, null E'\\\\N'"
            self._sources = [f"l.c{i}" for i in range(len(self._columns))]
        else:
            paths = (
                await asyncio.to_thread(self._objects.jsonpaths) if copy.json.startswith("s3://") else None
            )
            if paths is not None and len(paths) != len(self._columns):
                raise SqlError(
                    "Number of jsonpaths and the number of columns should match. "
                    f"JSONPath size: {len(paths)}, Number of columns in table or column list: {len(self._columns)}"
                )
            await self._backend.query("create temp table local_copy_lines (raw text) on commit drop")
            options = "format csv, quote E'\\x01', delimiter E'\\x02'"
        await self._backend.query("savepoint local_copy_fill")
        try:
            await self._backend.copy_in(f"copy local_copy_lines from stdin ({options})", self._lines.chunks())
        except SqlError as error:
            if copy.format == "csv" and error.code == "22P04":
                await self._structural_error(error)
            raise
        if copy.format == "json":
            if paths is None and copy.json == "auto ignorecase":
                await self._ignore_case()
            else:
                self._by_path(
                    [[c.name] for c in self._columns] if paths is None else [steps(p) for p in paths]
                )

    def _by_path(self, paths: list[list[str]]) -> None:
        """Columns by path; the keys of the outermost object become a record, the rest is taken from JSON."""
        nested = {path[0] for path in paths if len(path) > 1}
        keys = dict.fromkeys(path[0] for path in paths)
        fields = ", ".join(f"{_name(key)} {'json' if key in nested else 'text'}" for key in keys)
        self._record = f"json_to_record({{raw}}::json) as r({fields})"
        self._sources = [
            f"(r.{_name(path[0])} #>> array[{', '.join(map(_literal, path[1:]))}]::text[])"
            if path[0] in nested
            else f"r.{_name(path[0])}"
            for path in paths
        ]

    async def _ignore_case(self) -> None:
        """Every spelling of a key that occurs becomes a field; the first that has a value wins."""
        keys_of = (
            "select distinct k from local_copy_lines l, lateral json_object_keys({}) k where {} order by 1"
        )
        await self._backend.query("savepoint local_copy_keys")
        try:
            rows = await self._backend.query(keys_of.format("l.raw::json", _NOT_BLANK))
        except SqlError:
            await self._backend.query("rollback to savepoint local_copy_keys")
            rows = await self._backend.query(
                keys_of.format("(case when local_is_object(l.raw) then l.raw else '{}' end)::json", "true")
            )
        spellings = collections.defaultdict(list)
        for (key,) in rows:
            if key is not None:
                spellings[key.lower()].append(key)
        keys = [key for found in spellings.values() for key in found] or ["-"]
        self._record = (
            f"json_to_record({{raw}}::json) as r({', '.join(f'{_name(key)} text' for key in keys)})"
        )
        self._sources = [
            f"coalesce({', '.join(f'r.{_name(key)}' for key in spellings[column.name.lower()])})"
            if spellings.get(column.name.lower())
            else "null::text"
            for column in self._columns
        ]

    def _value(self, column: Column) -> str:
        """SQL that turns text `s.v` of this column into its type, as COPY does."""
        return self._converted(column, f"s.{_name(column.name)}")

    def _converted(self, column: Column, text: str) -> str:
        if column.is_string:
            if self._copy.empty_as_null:
                text = f"nullif({text}, '')"
            if self._copy.blanks_as_null:
                text = f"(case when btrim({text}, E' \\t') <> '' then {text} end)"
            # The assignment to VARCHAR(n) refuses what is longer, an explicit cast cuts it off. (A CASE here would
            # keep the planner from writing that cast into the query, which costs nine tenths of the speed.)
            return f"{text}::{column.spelled}" if self._copy.truncate else text
        text = f"nullif({text}, '')"
        if column.type == "numeric":
            # Digits behind the scale are cut off, not rounded.
            return f"trunc({text}::numeric, {column.scale})" if column.modifier > 0 else f"{text}::numeric"
        if column.type in ("timestamp", "timestamptz") and self._copy.timeformat.lower() != "auto":
            unit = "second" if self._copy.timeformat.lower() == "epochsecs" else "millisecond"
            zone = " at time zone 'UTC'" if column.type == "timestamptz" else ""
            return f"((timestamp '1970-01-01' + {text}::bigint * interval '1 {unit}'){zone})"
        return f"{text}::{column.type}"

    def _selected(self) -> str:
        fields = ", ".join(
            f"{source} as {_name(column.name)}"
            for source, column in zip(self._sources, self._columns, strict=True)
        )
        if self._copy.format == "csv":
            return f"select {fields} from local_copy_lines l"
        record = self._record.format(raw="l.raw")
        return f"select {fields} from local_copy_lines l, lateral {record} where {_NOT_BLANK}"

    async def _insert(self) -> None:
        """The conversion; a failure in the data leads to the search for the lines that caused it."""
        backend = self._backend
        columns = ", ".join(_name(column.name) for column in self._columns)
        values = ", ".join(self._value(column) for column in self._columns)
        insert = f"insert into {self._copy.table} ({columns}) select {values} from ({self._selected()}) s"
        await backend.query("savepoint local_copy_insert")
        for attempt in range(2):
            try:
                await backend.query(insert)
                self.rows = int(backend.tag.split()[-1])
                return
            except SqlError as error:
                if attempt or not (error.code.startswith("22") or error.code == "23502"):
                    raise
                await backend.query("rollback to savepoint local_copy_insert")
                await self._reject(error)

    async def _reject(self, error: SqlError) -> None:
        """Record the bad lines; take them out if MAXERROR allows so many, else fail the load."""
        backend, limit = self._backend, max(1, self._copy.max_error)
        await backend.query(f"create temp table local_copy_bad on commit drop as {self._diagnosis()}")
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

    def _diagnosis(self) -> str:
        """A query of the bad lines: line (ctid), n, col (index, -1: the whole line), raw, value, code."""
        if self._copy.format == "csv":
            numbered = "select ctid as line, row_number() over (order by ctid) n, true as ok, * from local_copy_lines"
            raw = "concat_ws(',', " + ", ".join(f"l.c{i}" for i in range(len(self._columns))) + ")"
            source = f"({numbered}) l"
        else:
            numbered = (
                "select ctid as line, row_number() over (order by ctid) as n, raw, local_is_object(raw) as ok"
                " from local_copy_lines"
            )
            raw = "l.raw"
            record = self._record.format(raw="(case when l.ok then l.raw else '{}' end)")
            source = f"(select * from ({numbered}) l where {_NOT_BLANK}) l, lateral {record}"
        checks = []
        for i, (column, text) in enumerate(zip(self._columns, self._sources, strict=True)):
            value = f"nullif({text}, '')"
            if column.is_string:
                if not self._copy.truncate:
                    checks.append(f"when octet_length(rtrim({text})) > {column.bytes} then array[{i}, 1204]")
                null = self._converted(column, text) if self._copy.truncate else text
                if self._copy.empty_as_null or self._copy.blanks_as_null:
                    null = f"nullif({'btrim(' + text + ')' if self._copy.blanks_as_null else text}, '')"
            else:
                null, code = value, _TYPES[column.type]
                epoch = code == 1206 and self._copy.timeformat.lower() != "auto"
                checked = "bigint" if epoch else column.spelled if column.type != "numeric" else "numeric"
                checks.append(f"when not pg_input_is_valid({value}, '{checked}') then array[{i}, {code}]")
                if column.type == "numeric" and column.modifier > 0:
                    limit = f"10::numeric ^ {column.precision - column.scale}"
                    checks.append(f"when abs(trunc({value}::numeric)) >= {limit} then array[{i}, {code}]")
            if column.not_null:
                checks.append(f"when {null} is null then array[{i}, 1213]")
        texts = ", ".join(self._sources)
        control = "when l.raw like E'%\\x04%' then array[-1, 1220]" if self._copy.format == "json" else ""
        return (
            "select line, n, bad[1] as col, raw, case when bad[1] >= 0 then texts[bad[1] + 1] end as value,"
            " bad[2] as code from ("
            f"select l.line, l.n, {raw} as raw, array[{texts}]::text[] as texts,"
            f" case {control} when not l.ok then array[-1, 1216] {' '.join(checks)} end as bad from {source}"
            ") x where bad is not null"
        )

    async def _record_errors(self, bad: Iterable[Sequence[str | None]]) -> None:
        query = await asyncio.to_thread(self._books.next_query)
        identity = (
            await self._backend.query(
                f"select to_regclass({_literal(self._copy.table)})::oid::int, pg_backend_pid(),"
                " (select oid::int from pg_roles where rolname = current_user)"
            )
        )[0]
        rows = []
        for n, index, raw, value, code in bad:
            column = self._columns[int(index)] if index is not None and int(index) >= 0 else None
            filename, line = self._lines.locate(int(n or 0))
            reason = _REASONS[int(code or 1216)].format(
                (value or "")[:1], _REDSHIFT_TYPES.get(column.type, "") if column else ""
            )
            rows.append(
                {
                    "userid": identity[2], "slice": 0, "tbl": identity[0], "table_name": self._bare_table,
                    "session": identity[1], "query": query, "filename": filename[:256], "line_number": line,
                    "colname": column.name[:127] if column else "",
                    "type": column.type[:10] if column else "",
                    "col_length": str(column.bytes) if column and column.is_string else "",
                    "position": 0, "raw_line": (raw or "")[:1024], "raw_field_value": (value or "")[:1024],
                    "err_code": int(code or 1216), "err_reason": reason[:100],
                }
            )  # fmt: skip
        await asyncio.to_thread(self._books.record_errors, rows)

    async def _structural_error(self, error: SqlError) -> None:
        """Record a CSV line with too few or too many fields, as PostgreSQL's reader reports it."""
        where = re.search(r"line (\d+)(?:, column \w+)?: ?\"?(.*?)\"?$", error.fields.get("W", ""), re.DOTALL)
        code = "1202" if "extra data" in str(error) else "1203"
        await self._backend.query("rollback to savepoint local_copy_fill")
        await self._record_errors([(where[1] if where else "0", "-1", where[2] if where else "", None, code)])
        raise self._failed()

    async def _finish(self) -> None:
        backend = self._backend
        query = await asyncio.to_thread(self._books.next_query)
        await backend.query(
            f"select set_config('local.last_copy_count', '{self.rows}', false),"
            f" set_config('local.last_copy_id', '{query}', false)"
        )
        # Without statistics the first join after a load can take minutes; Redshift's STATUPDATE does the same.
        await backend.query(f"analyze {self._copy.table}")
        await backend.query("drop table if exists pg_temp.local_copy_lines, pg_temp.local_copy_bad")
        (userid,) = (await backend.query("select oid::int from pg_roles where rolname = current_user"))[0]
        rows = [
            {"userid": userid, "query": query, "slice": 0, "name": self._bare_table, "filename": name[:256],
             "lines_scanned": lines, "errors": -1, "file_format": "J" if self._copy.format == "json" else "C"}
            for name, lines in self._lines.files
        ]  # fmt: skip
        await asyncio.to_thread(self._books.record_files, rows)


def steps(path: Any) -> list[str]:
    """'$.a.b[0]' and '$['a']['b']' as ['a', 'b', '0'] and ['a', 'b']."""
    if not isinstance(path, str) or not path.startswith("$"):
        raise SqlError(
            f"Invalid JSONPath format: {path!r}. Supported notations are 'dot-notation' and 'bracket-notation'"
        )
    steps = re.findall(r"\.([^.\[\]]+)|\[\s*['\"]([^'\"]+)['\"]\s*\]|\[(\d+)\]", path)
    if not steps or "".join(path.split()) != "$" + "".join(
        re.findall(r"\.[^.\[\]]+|\[['\"][^'\"]+['\"]\]|\[\d+\]", "".join(path.split()))
    ):
        raise SqlError(
            f"Invalid JSONPath format: {path!r}. Supported notations are 'dot-notation' and 'bracket-notation'"
        )
    return [a or b or c for a, b, c in steps]
