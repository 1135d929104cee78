"""How long a run waits for its interval's log file."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from include.sparkify import intervals
from include.sparkify.settings import settings


def last_day(params: Mapping[str, Any], data_interval_start: Any, data_interval_end: Any) -> str:
    """``YYYY/MM/YYYY-MM-DD`` of the interval's last day, whose file comes last; for templates."""
    run = {
        "params": params,
        "data_interval_start": data_interval_start,
        "data_interval_end": data_interval_end,
    }
    return f"{list(intervals.of_run(run).days())[-1]:%Y/%m/%Y-%m-%d}"


def no_longer_than_set(context: Mapping[str, Any]) -> None:
    """Give the sensor what is left of ``wait_minutes`` after the interval's end; nothing left: look once.

    A backfill then never waits for files of long ago. Whether their absence is a failure is for ``plan``.
    """
    sensor = context["task"]
    until = intervals.of_run(context).end + timedelta(minutes=settings().wait_minutes)
    left = (until - datetime.now(UTC).replace(tzinfo=None)).total_seconds()
    if left > 0 and context["params"]["mode"] in ("load", "reload"):
        sensor.timeout = left
    else:
        # Deferred sensors have a minimum of one poke interval; one that is not looks once.
        sensor.deferrable, sensor.timeout = False, 0
