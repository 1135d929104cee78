"""Read Parquet objects with pyarrow, which this package's extra `parquet` installs."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from ..errors import Refused, SqlError
from .convert import Column

# The types of columns, and the Parquet types that each accepts.
_TAKES = {
    "int2": ("int8", "int16"),
    "int4": ("int8", "int16", "int32", "uint8", "uint16"),
    "int8": ("int64", "uint32"),
    "float4": ("float",),
    "float8": ("double",),
    "bool": ("bool",),
    "date": ("date32[day]",),
    "timestamp": ("timestamp[ms", "timestamp[us", "timestamp[ns"),
    "timestamptz": ("timestamp[ms", "timestamp[us", "timestamp[ns"),
    "numeric": ("decimal128",),
    "varchar": ("string", "large_string", "binary"),
    "bpchar": ("string", "large_string", "binary"),
    "text": ("string", "large_string", "binary"),
}


def import_pyarrow() -> Any:
    """Import and return pyarrow with its modules csv and parquet, or raise SqlError."""
    try:
        import pyarrow
        import pyarrow.csv
        import pyarrow.parquet
    except ImportError:
        raise Refused(
            "the local Redshift needs pyarrow for FORMAT PARQUET",
            hint="Install it: pip install 'local-redshift[parquet]'",
        ) from None
    return pyarrow


def to_csv(data: bytes, columns: Sequence[Column], name: str, fill: bool = False) -> tuple[bytes, int]:
    """Return the rows as CSV, with every value in quotes and NULL empty, and their number, or raise SqlError.

    :param fill: whether the file may lack the last columns (FILLRECORD).
    """
    if not data:  # an empty object, such as a folder's, is skipped
        return b"", 0
    pyarrow = import_pyarrow()
    try:
        table = pyarrow.parquet.read_table(io.BytesIO(data))
    except pyarrow.ArrowException as error:
        raise _scan_error(f"Invalid Parquet file {name}: {error}") from None
    if len(table.schema) != len(columns) and not (fill and len(table.schema) < len(columns)):
        raise _scan_error(
            f"Unmatched number of columns between table and file. Table columns: {len(columns)}, "
            f"Data columns: {len(table.schema)}, File name: {name}"
        )
    fields = []
    for field, column in zip(table.schema, columns, strict=False):
        if pyarrow.types.is_dictionary(field.type):
            field = field.with_type(field.type.value_type)
        spelled = str(field.type)
        if spelled != "null" and not spelled.startswith(_TAKES.get(column.type, ())):
            raise _scan_error(
                f"File '{name}' has an incompatible Parquet schema for column '{field.name}'. "
                f"Column type: {column.spelled.upper()}, Parquet schema: {spelled}"
            )
        if pyarrow.types.is_timestamp(field.type):
            # Redshift has microseconds. If the table's column has no time zone, it gets the time in UTC.
            zone = field.type.tz and ("UTC" if column.type == "timestamp" else field.type.tz)
            field = field.with_type(pyarrow.timestamp("us", zone))
        fields.append(field.with_type(pyarrow.string()) if column.is_string and spelled != "null" else field)
    table = table.cast(pyarrow.schema(fields), safe=False)
    for column in columns[len(table.schema) :]:
        table = table.append_column(column.name, pyarrow.nulls(table.num_rows))
    sink = io.BytesIO()
    options = pyarrow.csv.WriteOptions(include_header=False, quoting_style="all_valid")
    pyarrow.csv.write_csv(table, sink, options)
    return sink.getvalue(), table.num_rows


def _scan_error(context: str) -> SqlError:
    return SqlError(
        "Spectrum Scan Error",
        detail=f"\n  error:  Spectrum Scan Error\n  code:      15007\n  context:   {context}\n",
    )
