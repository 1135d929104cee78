"""The lake: what lies in S3, read at the version that was listed."""

from __future__ import annotations

import dataclasses
import gzip
import io
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any, BinaryIO, cast

import botocore.exceptions

from include.sparkify.errors import DataError, aws_error

AWS_CONN_ID = "aws_default"

# log_data/2018/11/2018-11-01-events.json, and any number of files a day: 2018-11-01-events-0001.json.gz
_LOG_FILE = re.compile(r"(\d{4}-\d{2}-\d{2})[^/]*\.json(\.gz)?$")
_SONG_FILE = re.compile(r"[^/]+\.json(\.gz)?$")


class ObjectChanged(Exception):
    """The object is no longer the version that was listed: list again."""


@dataclasses.dataclass(frozen=True)
class LakeObject:
    """One object of the source bucket at one version."""

    key: str
    etag: str
    size: int
    """Bytes."""
    last_modified: datetime
    """Naive UTC, whole seconds."""

    @property
    def file_date(self) -> date | None:
        """The UTC day in a log file's name; None where there is none."""
        match = _LOG_FILE.search(self.key)
        try:
            return date.fromisoformat(match[1]) if match else None
        except ValueError:
            return None

    @property
    def is_song(self) -> bool:
        return _SONG_FILE.search(self.key) is not None


def client() -> Any:
    """The boto3 S3 client of connection ``aws_default``."""
    # Here, not above: a DAG file that is only parsed need not pay for boto3.
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    return S3Hook(aws_conn_id=AWS_CONN_ID).get_conn()


def listing(s3: Any, bucket: str, prefix: str) -> Iterator[LakeObject]:
    """All objects below ``prefix``, in key order. Folder markers are left out.

    :raises ConfigurationError: no such bucket, no right to list it, wrong region.
    :raises TransientError: throttled or unreachable.
    """
    try:
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for entry in page.get("Contents", []):
                if entry["Key"].endswith("/"):
                    continue
                yield LakeObject(
                    entry["Key"],
                    entry["ETag"].strip('"'),
                    entry["Size"],
                    entry["LastModified"].astimezone(UTC).replace(tzinfo=None, microsecond=0),
                )
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        raise aws_error(error, f"list s3://{bucket}/{prefix}") from error


def opened(s3: Any, bucket: str, item: LakeObject) -> BinaryIO:
    """The object's bytes as a stream, unpacked if it is named ``.gz``.

    :raises ObjectChanged: it was replaced or deleted since it was listed.
    :raises DataError: its name and its content disagree on gzip.
    :raises ConfigurationError, TransientError: as AWS says.
    """
    try:
        body = s3.get_object(Bucket=bucket, Key=item.key, IfMatch=f'"{item.etag}"')["Body"]
        stream = io.BufferedReader(body, 1 << 20)
        packed = stream.peek(2)[:2] == b"\x1f\x8b"
    except botocore.exceptions.ClientError as error:
        if str(error.response["Error"]["Code"]) in ("PreconditionFailed", "412", "NoSuchKey", "404"):
            raise ObjectChanged(item.key) from error
        raise aws_error(error, f"read s3://{bucket}/{item.key}") from error
    except (botocore.exceptions.BotoCoreError, OSError) as error:
        raise aws_error(error, f"read s3://{bucket}/{item.key}") from error
    named = item.key.endswith(".gz")
    if packed != named and item.size:
        raise DataError(
            f"s3://{bucket}/{item.key} is {'' if packed else 'not '}gzip but its name says otherwise. "
            "Nothing was loaded. Rename or pack the file again, then run the interval again."
        )
    return cast(BinaryIO, gzip.GzipFile(fileobj=stream)) if packed else stream


def put(
    s3: Any, bucket: str, key: str, body: bytes | BinaryIO, content_type: str = "binary/octet-stream"
) -> str:
    """Write an object; its ``s3://`` address.

    :raises ConfigurationError, TransientError: as AWS says.
    """
    try:
        s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType=content_type)
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        raise aws_error(error, f"write s3://{bucket}/{key}") from error
    return f"s3://{bucket}/{key}"
