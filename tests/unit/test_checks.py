"""Test that a sample of failing rows is JSON and fits into its column."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from decimal import Decimal

import orjson

from include.sparkify.tasks import checks


def test_a_sample_has_as_many_rows_as_fit():
    rows = [{"id": 1, "text": "x" * 5000}, {"id": 2, "text": "y" * 5000}, {"id": 3, "text": "z"}]

    assert checks._pack(rows) == orjson.dumps(rows[0]).decode()
    assert checks._pack([{"text": "ü" * 5000}]) == ""
    assert checks._pack(rows[2:] * 2) == '{"id":3,"text":"z"}\n{"id":3,"text":"z"}'


def test_the_values_of_a_sample_are_numbers_and_text():
    row = {
        "latitude": Decimal("1.5"),
        "day": date(2018, 11, 1),
        "at": datetime(2018, 11, 1, 12),
        "other": uuid.UUID(int=1),
        "none": None,
    }

    assert orjson.loads(checks._pack([row])) == {
        "latitude": 1.5,
        "day": "2018-11-01",
        "at": "2018-11-01T12:00:00",
        "other": "00000000-0000-0000-0000-000000000001",
        "none": None,
    }
