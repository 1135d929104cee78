"""Read source objects from S3, and write objects to the work bucket."""

from __future__ import annotations

import bz2
import concurrent.futures
import contextlib
import dataclasses
import gzip
import io
import itertools
import logging
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any, BinaryIO, cast

import botocore.exceptions
import botocore.parsers
from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook

from include.sparkify import aws
from include.sparkify.errors import RETRIES_FAILED, TransientError, aws_error
from include.sparkify.intervals import ALL_TIME, Interval
from include.sparkify.settings import AWS_CONN_ID

# Maximum size of an object that may be read into memory as a whole.
SMALL_BYTES = 1 << 20
# Maximum number of concurrent LIST requests.
LISTERS = 8
_FIND_PROXY = "Next: if all retries fail, look for a proxy between the workers and S3, then clear the task."

log = logging.getLogger(__name__)


class ObjectGone(Exception):
    """An object that was deleted after it was listed."""


class UnreadableObject(Exception):
    """An object that S3 does not return, although other objects may be readable."""


class MisnamedObject(Exception):
    """An object whose name does not match the compression of the content, or whose name ends with a slash."""

    def __init__(self, found: LakeObject, reason: str) -> None:
        super().__init__(reason)
        self.found = found
        """The object in the version that was read, which may differ from the listed version."""


@dataclasses.dataclass(frozen=True)
class LakeObject:
    """A version of an object in the source bucket."""

    key: str
    etag: str
    size: int
    """Size in bytes."""
    last_modified: datetime
    """Time of the last modification, as naive UTC in whole seconds."""
    file_date: date | None = None
    """UTC day of a daily file, or None for other files."""


@dataclasses.dataclass(frozen=True)
class Listing:
    """The files of a daily source in the lake."""

    files: list[LakeObject]
    unrecognized: list[str]
    """Keys and folders whose path does not match the pattern of the source. Folders end with a slash."""


def client() -> Any:
    """Return a boto3 client for S3, with the connection ``aws_default``."""
    return aws.client("s3")


def list_daily(s3: Any, bucket: str, prefix: str, path: str, interval: Interval) -> Listing:
    """List the files of a daily source for the days of an interval.

    The files are in the folder ``YYYY/MM/`` of their day under the prefix. The months of the interval are listed with
    all subfolders, and their parent folders are listed without subfolders, to also find files with other names or in
    other folders.

    :param path: regular expression for the path of a file, see :class:`include.sparkify.tables.Source`.
    :raises ConfigurationError: the bucket does not exist or is in another Region, or the role may not list it.
    :raises TransientError: S3 throttles the request or cannot be reached.
    """
    days = set(interval.days())
    if interval == ALL_TIME:
        listed = list(list_objects(s3, bucket, prefix))
        folders: list[str] = []
    else:
        years = sorted({f"{day:%Y}/" for day in days})
        months = sorted({f"{day:%Y/%m}/" for day in days})
        listed, folders = [], []
        for folder, expected in (("", r"\d{4}/"), *((year, r"\d{4}/\d{2}/") for year in years)):
            for found in _list(s3, bucket, prefix + folder, Delimiter="/"):
                if isinstance(found, LakeObject):
                    listed.append(found)
                elif not re.fullmatch(expected, found.removeprefix(prefix)):
                    folders.append(found)
        for month in months:
            listed += list_objects(s3, bucket, prefix + month)
    files, unrecognized = [], folders
    for item in listed:
        day = file_date(path, item.key.removeprefix(prefix))
        if day is None:
            unrecognized.append(item.key)
        elif day in days:
            files.append(dataclasses.replace(item, file_date=day))
    return Listing(files, unrecognized)


def file_date(pattern: str, path: str) -> date | None:
    """Return the UTC day of a daily file from its path, or None if the path does not match the pattern."""
    match = re.fullmatch(pattern, path)
    try:
        day = date.fromisoformat(match["day"]) if match else None
    except ValueError:
        return None
    return day if day and ALL_TIME.start.date() <= day < ALL_TIME.end.date() else None


def explain_name(path: str) -> str:
    """Return the reason why the path of an object is not recognized as the path of a source file."""
    name = path.rpartition("/")[2]
    if not name:
        return "a name must not end with a slash, and a folder of log files must be YYYY/ or YYYY/MM/"
    if re.search(r"\.(zst|zstd|lzo|lz4|xz|snappy|zip|7z)$", name, re.I):
        return "its compression is not supported: compress it with gzip (.json.gz) or bzip2 (.json.bz2)"
    if not re.search(r"\.json(\.gz|\.bz2)?$", name):
        if re.search(r"\.json(\.gz|\.bz2)?$", name, re.I):
            return "the end of its name must be in lower case: .json, .json.gz or .json.bz2"
        return "its name does not end with .json, .json.gz or .json.bz2"
    if "//" in path or name.startswith(".json"):
        return "its name before .json, or that of a folder in its path, is empty"
    return "it is not in the folder YYYY/MM/ of the day YYYY-MM-DD that its name begins with"


def list_objects(s3: Any, bucket: str, prefix: str, after: str = "") -> Iterator[LakeObject]:
    """Return the objects under a prefix in key order, without folder markers.

    :param after: return only objects with a key greater than this one.
    :raises ConfigurationError, TransientError: see :func:`list_daily`.
    """
    return cast(Iterator[LakeObject], _list(s3, bucket, prefix, StartAfter=after))


def _list(s3: Any, bucket: str, prefix: str, **options: str) -> Iterator[LakeObject | str]:
    """Return objects in key order, without folder markers. With a delimiter, also return the names of folders."""
    given = {name: value for name, value in options.items() if value}
    try:
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, **given)
        for page in pages:
            # A proxy may return an error page with status 200.
            if "KeyCount" not in page or (page["IsTruncated"] and not page.get("NextContinuationToken")):
                raise TransientError(
                    f"could not list s3://{bucket}/{prefix}: a response is not from S3, or is incomplete. "
                    f"{_FIND_PROXY}"
                )
            for folder in page.get("CommonPrefixes", []):
                yield folder["Prefix"]
            for entry in page.get("Contents", []):
                # An object with content is not a folder marker, regardless of its name.
                if entry["Size"] or not entry["Key"].endswith("/"):
                    yield _object(entry["Key"], entry["ETag"], entry["Size"], entry["LastModified"])
    except (
        botocore.exceptions.BotoCoreError,
        botocore.exceptions.ClientError,
        botocore.parsers.ResponseParserError,
    ) as error:
        raise aws_error(error, f"list s3://{bucket}/{prefix}") from error


def _object(key: str, etag: str, size: int, last_modified: datetime) -> LakeObject:
    return LakeObject(
        key, etag.strip('"'), size, last_modified.astimezone(UTC).replace(tzinfo=None, microsecond=0)
    )


class ManyObjects:
    """A client that lists and reads many small objects in at most an eighth of the CPU time of boto3.

    This client raises no errors. If it cannot list or read an object, boto3 does so, or raises the error.
    """

    def __init__(self, s3: Any, bucket: str) -> None:
        """Create the client with the credentials, the Region and the endpoint of the connection ``aws_default``.

        :param s3: the boto3 client of the connection.
        """
        # Only the tasks that list and read song files need these modules.
        from obstore.auth.boto3 import Boto3CredentialProvider
        from obstore.store import S3Store

        hook, endpoint = AwsBaseHook(AWS_CONN_ID, client_type="s3"), s3.meta.endpoint_url
        self._s3, self._bucket, self._store = s3, bucket, None
        # If the connection defines a proxy or a certificate authority, use only boto3, which supports both.
        if s3.meta.config.proxies or hook.verify not in (None, True):
            return
        try:
            self._store = S3Store(
                bucket,
                endpoint=endpoint,
                region=s3.meta.region_name,
                virtual_hosted_style_request=False,
                # The provider assumes the role of the connection and renews expiring credentials. It must cache them
                # for less than ten minutes, because botocore renews them ten minutes before they expire.
                credential_provider=Boto3CredentialProvider(hook.get_session(), ttl=timedelta(minutes=5)),
                client_options={"allow_http": endpoint.startswith("http://")},
                retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=30)},
            )
        except Exception as error:  # boto3 reports the cause if it also fails
            self._give_up(error)

    def list_objects(self, prefix: str, after: str = "") -> Iterator[LakeObject]:
        """Return the objects that :func:`list_objects` returns."""
        import obstore

        if self._store is not None:
            try:
                for page in obstore.list(self._store, prefix, offset=after or None, chunk_size=1000):
                    for meta in page:
                        # obstore removes a slash at the end of a key, so the key can be out of order.
                        if meta["path"] <= after:
                            raise ValueError(f"a slash at the end of {meta['path']}")
                        if not meta["size"] and find_etag(self._s3, self._bucket, meta["path"]) is None:
                            continue
                        yield _object(meta["path"], meta["e_tag"] or "", meta["size"], meta["last_modified"])
                        after = meta["path"]
            # The error concerns one key that this client cannot represent, or all keys.
            except (OSError, ValueError, obstore.exceptions.BaseError) as error:
                log.info("using boto3 to list s3://%s/%s: %s", self._bucket, prefix, _first_line(error))
        # This is usually one request, which finds no objects. It is required because obstore interprets a response that
        # is not from S3 as the end of the list.
        yield from list_objects(self._s3, self._bucket, prefix, after)

    def list_ranges(self, prefix: str, bounds: list[str]) -> Iterator[LakeObject]:
        """Return, in key order, the objects after the first key of ``bounds``, up to and including the last key.

        The ranges between the bounds, which must be in ascending order, are listed in parallel and stored in memory.
        """

        def list_range(after: str, last: str) -> list[LakeObject]:
            return list(itertools.takewhile(lambda item: item.key <= last, self.list_objects(prefix, after)))

        with concurrent.futures.ThreadPoolExecutor(LISTERS) as pool:
            for found in pool.map(list_range, bounds, bounds[1:]):
                yield from found

    def read(self, item: LakeObject) -> tuple[LakeObject, io.BufferedReader] | None:
        """Return the current version of an object and its bytes, or None if boto3 must read the object."""
        import obstore

        if self._store is None or item.size > SMALL_BYTES:
            return None
        try:
            answer = obstore.get(self._store, item.key)
            if answer.meta["size"] > SMALL_BYTES or not answer.meta["e_tag"]:
                return None
            body = answer.bytes()
        # The error concerns only this object: it was deleted, is forbidden or archived, or its key has an empty
        # segment.
        except (OSError, ValueError, obstore.exceptions.PermissionDeniedError):
            return None
        except obstore.exceptions.BaseError as error:
            self._give_up(error)
            return None
        meta = answer.meta
        found = _object(item.key, meta["e_tag"] or "", meta["size"], meta["last_modified"])
        return found, io.BufferedReader(io.BytesIO(body))

    def _give_up(self, error: Exception) -> None:
        log.warning("using boto3 to read small objects: %s", _first_line(error))
        self._store = None


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


@contextlib.contextmanager
def open_object(
    s3: Any, bucket: str, item: LakeObject, small: ManyObjects | None = None
) -> Iterator[tuple[LakeObject, io.BufferedIOBase]]:
    """Open the latest version of an object. Yield this version and a stream of its decompressed bytes.

    :param small: a client that reads the object if it can.
    :raises ObjectGone: the object was deleted after it was listed.
    :raises UnreadableObject: the object is archived, or the role may not read it.
    :raises MisnamedObject: the name of the object does not match the compression of its content, or ends with a slash.
    :raises ConfigurationError, TransientError: see :func:`list_daily`.
    """
    try:
        found, stream = (small and small.read(item)) or _get(s3, bucket, item.key)
        packed = next((name for name, start in _STARTS.items() if stream.peek(3).startswith(start)), "")
    except botocore.exceptions.ClientError as error:
        if find_etag(s3, bucket, item.key) is None:
            if find_etag(s3, bucket, f"{item.key}/") is not None:
                raise MisnamedObject(item, "its name ends with a slash") from error
            raise ObjectGone(item.key) from error
        # The object was deleted, and uploaded again before this listing.
        if error.response["Error"]["Code"] == "NoSuchKey":
            raise TransientError(
                f"could not read s3://{bucket}/{item.key}: {error}. {RETRIES_FAILED}"
            ) from error
        failure = aws_error(error, f"read s3://{bucket}/{item.key}")
        if error.response["Error"]["Code"].startswith(_OF_ONE_OBJECT):
            raise UnreadableObject(str(failure)) from error
        raise failure from error
    except (botocore.exceptions.BotoCoreError, OSError) as error:
        raise aws_error(error, f"read s3://{bucket}/{item.key}") from error
    found = dataclasses.replace(found, file_date=item.file_date)
    with contextlib.closing(stream):
        named = next((name for name in _STARTS if item.key.endswith(name)), "")
        if packed != named and found.size:
            raise MisnamedObject(
                found,
                f"the file is {_KINDS[packed] if packed else f'not {_KINDS[named]}'} but its name says otherwise: it "
                f"must end with .json{packed}",
            )
        if packed == ".gz":
            yield found, gzip.GzipFile(fileobj=stream)
        else:
            yield found, cast(io.BufferedIOBase, Bzip2(stream) if packed else stream)


class Bzip2(io.BufferedIOBase):
    """The content of a bzip2 file. Unlike ``bz2.BZ2File``, this class does not ignore data after the first stream."""

    def __init__(self, packed: io.BufferedReader) -> None:
        self._packed, self._stream = packed, bz2.BZ2Decompressor()

    def read1(self, size: int = -1, /) -> bytes:
        content = b""
        while not content:
            block = b""
            if self._stream.eof:
                block = self._stream.unused_data or self._packed.read1(size)
                if not block:
                    break
                self._stream = bz2.BZ2Decompressor()
            elif self._stream.needs_input:
                block = self._packed.read1(size)
                if not block:
                    raise EOFError("the end is missing")
            content = self._stream.decompress(block, size)
        return content


# Error codes that S3 returns for a single object because of a policy, the storage class, or the encryption key.
_OF_ONE_OBJECT = ("AccessDenied", "InvalidObjectState", "KMS.")
# The first bytes of compressed content and the name of the format, by the extension of the object.
_STARTS = {".gz": b"\x1f\x8b", ".bz2": b"BZh"}
_KINDS = {".gz": "gzip", ".bz2": "bzip2"}


def _get(s3: Any, bucket: str, key: str) -> tuple[LakeObject, io.BufferedReader]:
    answer = s3.get_object(Bucket=bucket, Key=key)
    if "ETag" not in answer:
        raise TransientError(
            f"could not read s3://{bucket}/{key}: the response is not from S3. {_FIND_PROXY}"
        )
    found = _object(key, answer["ETag"], answer["ContentLength"], answer["LastModified"])
    return found, io.BufferedReader(answer["Body"], 1 << 20)


def find_etag(s3: Any, bucket: str, key: str) -> str | None:
    """Return the ETag of the current version of an object, or None if the object does not exist.

    This function uses a LIST request, because GET and HEAD return 403 for a missing key if the role may list only some
    prefixes.

    :raises ConfigurationError, TransientError: see :func:`list_daily`.
    """
    return next((item.etag for item in list_objects(s3, bucket, key) if item.key == key), None)


def put(
    s3: Any, bucket: str, key: str, body: bytes | BinaryIO, content_type: str = "binary/octet-stream"
) -> str:
    """Write an object, and return its ``s3://`` URI.

    :raises ConfigurationError, TransientError: see :func:`list_daily`.
    """
    try:
        s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType=content_type)
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        raise aws_error(error, f"write s3://{bucket}/{key}") from error
    return f"s3://{bucket}/{key}"


def read(s3: Any, bucket: str, key: str) -> bytes:
    """Return the content of a small object of the work bucket.

    :raises ConfigurationError, TransientError: see :func:`list_daily`.
    """
    try:
        return bytes(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError, OSError) as error:
        raise aws_error(error, f"read s3://{bucket}/{key}") from error
