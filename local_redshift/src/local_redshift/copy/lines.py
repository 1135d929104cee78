"""Join the lines of all S3 objects into one stream for PostgreSQL."""

from __future__ import annotations

import asyncio
import codecs
import json
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import SqlError
from ..sql.refusals import not_covered
from . import parquet, records
from .convert import INVALID, INVALID_BYTE, Column
from .objects import Objects
from .options import Copy
from .unpack import unpack

GROUP = 100  # objects per request
CHUNK = 1 << 20  # bytes per read of a long object


@dataclass
class File:
    """One object: the numbers of lines sent to PostgreSQL and of skipped header lines."""

    name: str
    lines: int = 0
    skipped: int = 0


class Lines:
    """The lines of all objects as one stream of bytes for PostgreSQL, with a record of each line's origin."""

    def __init__(self, objects: Objects, copy: Copy) -> None:
        self._objects, self._copy = objects, copy
        self.files: list[File] = []
        self.has_invalid = (
            False  # whether there are bytes that are not UTF-8 and that ACCEPTINVCHARS does not replace
        )
        self._replacement = _replacing(copy.invalid_characters)

    async def chunks(self, columns: Sequence[Column]) -> AsyncIterator[bytes]:
        """Yield whole lines, about CHUNK bytes at a time. The next batch is read while PostgreSQL takes this one."""
        found = self._gathered(columns)
        following = asyncio.ensure_future(anext(found, None))
        try:
            while (lines := await following) is not None:
                following = asyncio.ensure_future(anext(found, None))
                yield lines
        finally:
            following.cancel()

    async def _gathered(self, columns: Sequence[Column]) -> AsyncIterator[bytes]:
        """Join the pieces of the stream into batches of about CHUNK bytes."""
        gathered: list[bytes] = []
        size = 0
        async for piece in self._pieces(columns):
            gathered.append(piece)
            size += len(piece)
            if size >= CHUNK:
                yield b"".join(gathered)
                gathered, size = [], 0
        yield b"".join(gathered)

    async def _pieces(self, columns: Sequence[Column]) -> AsyncIterator[bytes]:
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
                if body is None:
                    continue
                self.files.append(File(f"s3://{name[0]}/{name[1]}"))
                if self._copy.format == "parquet" or records.is_needed(self._copy) or self._is_spread(body):
                    whole = body if isinstance(body, bytes) else await asyncio.to_thread(body.read)
                    yield await asyncio.to_thread(self._rewrite, whole, columns)
                else:
                    async for piece in self._lines(body):
                        yield piece
        if not self.files:
            raise SqlError(f"The specified S3 prefix '{self._copy.key}' does not exist")

    async def _lines(self, body: Any) -> AsyncIterator[bytes]:
        file, rest, done = self.files[-1], b"", False
        inflate = unpack(self._copy.compression, file.name) if self._copy.compression else None
        while not done:
            if isinstance(body, bytes):
                data, done = body, True
            else:
                data = await asyncio.to_thread(body.read, CHUNK)
                done = not data
            if inflate is not None:
                data = await asyncio.to_thread(inflate, data, done)
            if rest:
                data = rest + data
            if done:
                if data and not data.endswith(b"\n"):
                    data += b"\n"
                cut = len(data)
            else:
                cut = data.rfind(b"\n") + 1
            rest, data = data[cut:], data[:cut]
            while data and file.skipped < self._copy.ignore_header:
                data = data[data.index(b"\n") + 1 :]
                file.skipped += 1
            if data:
                file.lines += data.count(b"\n")
                yield self._clean(data)

    def _is_spread(self, body: Any) -> bool:
        """Return whether this short S3 object has JSON objects that span lines, or several on one line.

        The first line, or two adjacent brackets, determine the result. A long S3 object must have one JSON object per
        line.
        """
        if self._copy.format != "json" or not isinstance(body, bytes):
            return False
        if self._copy.compression:
            body = unpack(self._copy.compression, self.files[-1].name)(body, True)
        first = body.lstrip().partition(b"\n")[0].rstrip()
        return bool(first) and not first.endswith((b"}", b"]")) or b"}{" in body or b"} {" in body

    def _rewrite(self, whole: bytes, columns: Sequence[Column]) -> bytes:
        """Return a whole object as CSV in PostgreSQL's format."""
        file = self.files[-1]
        if self._copy.format == "parquet":
            data, file.lines = parquet.to_csv(whole, columns, file.name, self._copy.fill_record)
            return data
        if self._copy.compression:
            whole = unpack(self._copy.compression, file.name)(whole, True)
        data = self._clean(whole)
        if self._copy.format == "json":
            data = one_per_line(data.decode()).encode()
            file.lines = data.count(b"\n")
            return data
        while data and file.skipped < self._copy.ignore_header:
            data = data.partition(b"\n")[2]
            file.skipped += 1
        try:
            data = records.rewrite(self._copy, data.decode(), len(columns)).encode()
        except records.BadRecord as bad:
            bad.line += sum(earlier.lines for earlier in self.files)
            raise
        file.lines = data.count(b"\n")
        return data

    def _clean(self, data: bytes) -> bytes:
        """Return the data as valid UTF-8, without the control characters that serve as delimiters."""
        if not data.isascii():
            try:
                data.decode()
            except UnicodeDecodeError:
                self.has_invalid |= not self._copy.invalid_characters
                data = data.decode("utf-8", "surrogateescape").encode("utf-8", self._replacement)
        if b"\r" in data:
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b" ")
        # Three searches for single bytes are ten times as fast as one search for a character class.
        if b"\0" in data:
            if self._copy.format != "json":
                raise not_covered(f"NUL in text ({self.files[-1].name})")
            data = data.replace(b"\0", b"\x03")
        if b"\x01" in data or b"\x02" in data:
            data = data.replace(b"\x01", b"\x03").replace(b"\x02", b"\x03")
        return data

    def locate(self, number: int) -> tuple[str, int]:
        """Return the file and its line number of line `number` of the stream. Both numbers begin at 1."""
        for file in self.files:
            if number <= file.lines:
                return file.name, number + file.skipped
            number -= file.lines
        return (self.files[-1].name, number) if self.files else ("", number)


def one_per_line(text: str) -> str:
    """Return the text with one JSON value per line, each on the line where it began. Leave other text unchanged."""
    decoder, out, position = json.JSONDecoder(), [], 0
    while (start := _NOT_SPACE.search(text, position)) is not None:
        out.append("\n" * text.count("\n", position, start.start()))
        try:
            _, end = decoder.raw_decode(text, start.start())
        except ValueError:
            end = text.find("\n", start.start())
            end = len(text) if end < 0 else end
        value = text[start.start() : end]
        out.append(value.replace("\n", " ") + "\n" * (value.count("\n") + 1))
        # The end of this line is already written.
        rest = re.compile("[ \\t]*\\n").match(text, end)
        position = rest.end() if rest else end
    return "".join(out)


_NOT_SPACE = re.compile(r"\S")


def _replacing(text: str) -> str:
    """Return the name of an error handler that writes `text`, or else a mark, for each byte that is not UTF-8."""
    name = f"local-{text.encode().hex()}"

    def handler(error: UnicodeError) -> tuple[bytes, int]:
        assert isinstance(error, UnicodeEncodeError)
        lost = (ord(character) - 0xDC00 for character in error.object[error.start : error.end])
        return "".join(text or INVALID + chr(INVALID_BYTE + byte) for byte in lost).encode(), error.end

    codecs.register_error(name, handler)
    return name
