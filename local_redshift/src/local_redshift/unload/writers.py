"""Convert the rows of an UNLOAD to the bytes of a file in each format."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import zstandard

from ..copy.parquet import import_pyarrow
from ..sql.refusals import not_covered
from .options import Options

Row = Sequence[str | None]


class Column(NamedTuple):
    """A column of the query: its name, and the OID and modifier of its PostgreSQL type."""

    name: str
    type: int
    modifier: int


class Writer(Protocol):
    """A file that is being written."""

    size: int  # bytes so far, before compression

    def add(self, row: Row) -> None: ...

    def finish(self) -> bytes: ...


COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "": lambda data: data,
    "gzip": lambda data: gzip.compress(data, 6, mtime=0),
    "bzip2": bz2.compress,
    "zstd": zstandard.compress,
}
_NUMBERS = {20, 21, 23, 700, 701, 1700}


class TextWriter:
    """A writer of CSV, delimited text or JSON lines."""

    def __init__(self, columns: Sequence[Column], options: Options) -> None:
        self._columns, self._options, self.size = columns, options, 0
        self._lines: list[bytes] = []
        self._line = {"csv": self._csv, "json": self._json}.get(options.format, self._text)
        if options.header:
            self._keep(self._line([column.name for column in columns]))

    def add(self, row: Row) -> None:
        """Add one row."""
        self._keep(self._line(row))

    def _keep(self, line: str) -> None:
        self._lines.append(line.encode() + b"\n")
        self.size += len(self._lines[-1])

    def _csv(self, row: Row) -> str:
        delimiter, special = self._options.delimiter, self._options.delimiter + '"\r\n'
        return delimiter.join(
            self._options.null
            if value is None
            else '"' + value.replace('"', '""') + '"'
            if not value or any(character in value for character in special)
            else value
            for value in row
        )

    def _text(self, row: Row) -> str:
        return self._options.delimiter.join(map(self._field, row))

    def _field(self, value: str | None) -> str:
        if value is None:
            return self._options.null
        if self._options.escape:
            quotes = "\"'" if self._options.add_quotes else ""
            value = re.sub(f"([\\\\\r\n{re.escape(self._options.delimiter)}{quotes}])", r"\\\1", value)
        return f'"{value}"' if self._options.add_quotes else value

    def _json(self, row: Row) -> str:
        pairs = zip(self._columns, row, strict=True)
        return "{" + ",".join(f"{json.dumps(c.name)}:{_json_value(c, value)}" for c, value in pairs) + "}"

    def finish(self) -> bytes:
        """Return the whole file."""
        return COMPRESS[self._options.compression](b"".join(self._lines))


def _json_value(column: Column, value: str | None) -> str:
    if value is None:
        return "null"
    if column.type not in _NUMBERS:  # a Boolean is t or f
        return json.dumps(value, ensure_ascii=False)
    if value in ("NaN", "Infinity", "-Infinity"):
        raise not_covered(f"UNLOAD to JSON of {value} in {column.name}")
    return value


class ParquetWriter:
    """A writer of Parquet with snappy compression, which Redshift also uses."""

    def __init__(self, columns: Sequence[Column], options: Options) -> None:
        self._pyarrow = import_pyarrow()
        self._columns, self.size = columns, 0
        self._types = [self._type(column) for column in columns]
        self._rows: list[Row] = []

    def _type(self, column: Column) -> Any:
        pa = self._pyarrow
        found = {
            16: pa.bool_(), 20: pa.int64(), 21: pa.int16(), 23: pa.int32(), 700: pa.float32(), 701: pa.float64(),
            25: pa.string(), 1042: pa.string(), 1043: pa.string(), 1082: pa.date32(), 1114: pa.timestamp("us"),
            1184: pa.timestamp("us", "UTC"),
        }.get(column.type)  # fmt: skip
        if column.type == 1700:
            modifier = column.modifier - 4 if column.modifier > 0 else 38 << 16 | 10
            found = pa.decimal128(modifier >> 16 & 0xFFFF, modifier & 0x7FF)
        if found is None:
            raise not_covered(f"UNLOAD to PARQUET of column {column.name} (cast it to VARCHAR)")
        return found

    def add(self, row: Row) -> None:
        """Add one row."""
        self._rows.append(row)
        self.size += sum(len(value or "") for value in row)

    def finish(self) -> bytes:
        """Return the whole file."""
        pa, arrays = self._pyarrow, []
        for index, kind in enumerate(self._types):
            values = [row[index] for row in self._rows]
            if pa.types.is_boolean(kind):
                values = [value and {"t": "true", "f": "false"}[value] for value in values]
            array = pa.array(values, pa.string())
            if pa.types.is_decimal(kind):
                # A NUMERIC without a scale may have more digits than the file. Only a cast of decimals checks them.
                longer = re.compile(rf"(\.\d{{{kind.scale}}})\d+")
                array = pa.array([value and longer.sub(r"\1", value) for value in values], pa.string())
                array = array.cast(pa.decimal256(76, kind.scale))
            arrays.append(array.cast(kind))
        sink = io.BytesIO()
        names = [column.name for column in self._columns]
        pa.parquet.write_table(pa.table(arrays, names), sink, compression="snappy")
        return sink.getvalue()
