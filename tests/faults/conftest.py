"""Fixtures of the faults."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest

from include.sparkify import lake, source
from include.sparkify.lake import LakeObject


@pytest.fixture
def read_lines():
    """Reads the lines of a file with this content, or with this stream as its content."""

    def read_lines(body: bytes | io.RawIOBase) -> list[bytes]:
        stream = io.BytesIO(body) if isinstance(body, bytes) else body

        class OneObject:
            def get_object(self, **_):
                return {
                    "Body": stream,
                    "ETag": '"e"',
                    "ContentLength": 10,
                    "LastModified": datetime.now(UTC),
                }

        item = LakeObject("log_data/2018/11/2018-11-01-events.json", "etag", 10, datetime.now(UTC))
        with lake.open_object(OneObject(), "lake", item) as (found, opened):
            return [line for lines in source._lines(opened, "lake", found) for line in lines]

    return read_lines
