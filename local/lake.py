"""The S3 buckets of the local world: the lake with the dataset, and the work bucket of the runs."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import obstore
from obstore.store import S3Store
from tqdm import tqdm

from local.airflow_settings import buckets
from local.dataset import Dataset
from local.home import Home
from local_redshift import REGION, service

UPLOAD_THREADS = 8


@dataclass(frozen=True)
class Note:
    """The dataset in the lake, recorded in a file beside the services."""

    identity: dict[str, str]
    start: str
    """First day of the log files, in ISO format."""
    last_day: str
    """Last day of the log files, in ISO format."""

    @property
    def days(self) -> tuple[date, date]:
        """Return the first and the last day."""
        return date.fromisoformat(self.start), date.fromisoformat(self.last_day)

    @staticmethod
    def read(home: Home) -> Note | None:
        """Return the note, or None if there is none."""
        return Note(**json.loads(home.lake_note.read_text())) if home.lake_note.exists() else None

    @staticmethod
    def write(home: Home, data: Dataset) -> None:
        """Record that the lake holds ``data``."""
        note = Note(data.identity, data.start.isoformat(), data.last_day.isoformat())
        home.lake_note.write_text(json.dumps(asdict(note)))


def bucket_names(running: service.Running) -> set[str]:
    """Return the names of all buckets."""
    return {bucket["Name"] for bucket in running.client("s3").list_buckets()["Buckets"]}


def list_objects(running: service.Running, bucket: str, prefix: str = "") -> list[dict[str, Any]]:
    """Return the objects of a bucket as S3 lists them, or an empty list if there is no such bucket."""
    if bucket not in bucket_names(running):
        return []
    pages = running.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return [item for page in pages for item in page.get("Contents", [])]


def lake_objects(running: service.Running) -> dict[str, str]:
    """Return the MD5 hash of every object of the lake by its key."""
    return {item["Key"]: item["ETag"].strip('"') for item in list_objects(running, buckets()[0])}


def upload(running: service.Running, files: dict[str, Path], bucket: str) -> int:
    """Upload the files that are missing from the bucket or differ there. Create the bucket if needed.

    :returns: the number of uploaded files.
    """
    if bucket not in bucket_names(running):
        running.client("s3").create_bucket(
            Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION}
        )
    held = {item["Key"]: item["ETag"].strip('"') for item in list_objects(running, bucket)}
    store = S3Store(
        bucket,
        endpoint=running.aws_endpoint,
        region=REGION,
        access_key_id="local",
        secret_access_key="local",
        client_options={"allow_http": True},
    )

    def put(item: tuple[str, Path]) -> int:
        key, path = item
        body = path.read_bytes()
        if hashlib.md5(body, usedforsecurity=False).hexdigest() == held.get(key):
            return 0
        obstore.put(store, key, body, use_multipart=False)
        return 1

    with ThreadPoolExecutor(UPLOAD_THREADS) as pool:
        done = pool.map(put, files.items())
        return sum(tqdm(done, "uploading", len(files), unit=" files", disable=None, leave=False))


def fill(home: Home, running: service.Running, data: Dataset) -> int:
    """Upload the dataset to the lake, create the work bucket, and record the dataset in the note.

    :returns: the number of new or changed files.
    """
    lake, work = buckets()
    sent = upload(running, data.files, lake)
    upload(running, {}, work)
    Note.write(home, data)
    return sent
