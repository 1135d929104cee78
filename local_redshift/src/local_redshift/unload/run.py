"""Run one UNLOAD: query in the client's snapshot, write the rows to files, and put the files into S3."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any
from urllib.parse import quote

from botocore.exceptions import ClientError

from ..backend import Backend
from ..copy.objects import authorize, check_assumerole, from_client_error
from ..errors import SqlError
from .options import Options, select
from .writers import Column, ParquetWriter, Row, TextWriter, Writer

_SUFFIXES = {"": "", "gzip": ".gz", "bzip2": ".bz2", "zstd": ".zst"}
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


class Unload:
    """One UNLOAD on one client connection. There is one slice, so it writes one file unless MAXFILESIZE splits it."""

    def __init__(self, backend: Backend, clients: tuple[Any, Any], options: Options) -> None:
        self._backend, self._options = backend, options
        self._s3, self._iam = clients
        self._columns: list[Column] = []
        self._kept: list[int] = []  # indexes of the columns in the files
        self._partition: list[int] = []
        self._writers: dict[tuple[str | None, ...], Writer] = {}
        self._parts: dict[tuple[str | None, ...], int] = {}
        self._files: list[tuple[str, int]] = []  # key, bytes
        self.rows = 0

    @property
    def message(self) -> str:
        """Return the message that psql prints after an UNLOAD."""
        return f"UNLOAD completed, {self.rows} record(s) unloaded successfully."

    async def run(self) -> None:
        """Write the files, or raise SqlError."""
        options = self._options
        query = select(options.query)
        user = await check_assumerole(self._backend, options.role, "unload")
        await asyncio.to_thread(authorize, self._s3, self._iam, options, user)
        self._columns = [Column(*column) for column in await self._backend.describe(query)]
        self._choose_columns()
        await asyncio.to_thread(self._make_room)
        if not options.partition_by:
            self._writer(())
        rest = b""
        async for data in self._backend.copy_out(f"copy ({query}) to stdout"):
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                await self._add(_row(line.decode()))
        # UNLOAD to JSON without rows writes no file: https://docs.aws.amazon.com/redshift/latest/dg/r_UNLOAD.html
        for partition in list(self._writers) if self.rows or options.format != "json" else ():
            await self._close(partition)
        if options.manifest:
            await self._put(options.key + "manifest", json.dumps({"entries": self._entries()}).encode())

    def _choose_columns(self) -> None:
        names = [column.name for column in self._columns]
        if self._options.format == "json" and len(set(names)) < len(names):
            raise SqlError("UNLOAD to JSON needs a name for each column, and each name once", "42701")
        for name in self._options.partition_by:
            if name not in names:
                raise SqlError(f'Partition column "{name}" is not in the select list of UNLOAD', "42703")
            self._partition.append(names.index(name))
        left_out = [] if self._options.include else self._partition
        self._kept = [index for index in range(len(names)) if index not in left_out]
        if not self._kept:
            raise SqlError("UNLOAD needs a column besides those of PARTITION BY: use INCLUDE", "42601")

    def _make_room(self) -> None:
        """Delete existing objects if CLEANPATH is given, or raise SqlError if the destination is not empty."""
        options = self._options
        if options.allow_overwrite:
            return
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=options.bucket, Prefix=options.key)
        for page in pages:
            found = [{"Key": item["Key"]} for item in page.get("Contents", [])]
            if found and not options.clean_path:
                raise SqlError(
                    "Specified unload destination on S3 is not empty. Consider using a different bucket / prefix, "
                    "manually removing the target files in S3, or using the ALLOWOVERWRITE option."
                )
            if found:
                self._s3.delete_objects(Bucket=options.bucket, Delete={"Objects": found, "Quiet": True})

    def _writer(self, partition: tuple[str | None, ...]) -> Writer:
        if partition not in self._writers:
            columns = [self._columns[index] for index in self._kept]
            make = ParquetWriter if self._options.format == "parquet" else TextWriter
            self._writers[partition] = make(columns, self._options)
        return self._writers[partition]

    async def _add(self, row: Row) -> None:
        partition = tuple(row[index] for index in self._partition)
        writer = self._writer(partition)
        if writer.size >= self._options.max_size:
            await self._close(partition)
            writer = self._writer(partition)
        writer.add([row[index] for index in self._kept] if self._partition else row)
        self.rows += 1

    async def _close(self, partition: tuple[str | None, ...]) -> None:
        number = self._parts.get(partition, 0)
        self._parts[partition] = number + 1
        data = await asyncio.to_thread(self._writers.pop(partition).finish)
        key = self._name(partition, number)
        await self._put(key, data)
        self._files.append((key, len(data)))

    def _name(self, partition: tuple[str | None, ...], number: int) -> str:
        options, key = self._options, self._options.key
        if partition and not key.endswith("/"):
            key += "/"
        for index, value in zip(self._partition, partition, strict=True):
            spelled = "__HIVE_DEFAULT_PARTITION__" if value is None else quote(value, safe=" :")
            key += f"{self._columns[index].name}={spelled}/"
        key += f"0000_part_{number:02}" if options.parallel else f"{number:03}"
        if options.extension:
            return f"{key}.{options.extension.lstrip('.')}"
        kind = {"parquet": ".parquet", "json": ".json"}.get(options.format, "")
        return key + kind + _SUFFIXES[options.compression]

    async def _put(self, key: str, data: bytes) -> None:
        target = {"Bucket": self._options.bucket, "Key": key, **self._options.encryption}
        try:
            await asyncio.to_thread(self._s3.put_object, **target, Body=data)
        except ClientError as error:
            raise from_client_error(error, f"Writing s3://{self._options.bucket}/{key}") from None

    def _entries(self) -> list[dict[str, Any]]:
        """Return the manifest's entries. The entries contain lengths, because COPY of Parquet needs them."""
        return [
            {"url": f"s3://{self._options.bucket}/{key}", "meta": {"content_length": size}}
            for key, size in self._files
        ]


def _row(line: str) -> Row:
    """Return the values of a line of PostgreSQL's text format."""
    values = line.split("\t")
    if "\\" not in line:
        return values
    return [
        None if value == "\\N" else re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[1]), value)
        for value in values
    ]
