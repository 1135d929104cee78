"""Decide how long a run waits for the log file of its interval."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from include.sparkify import intervals
from include.sparkify.errors import ConfigurationError
from include.sparkify.files import lake
from include.sparkify.settings import prefix_of, run_limit, settings
from include.sparkify.tables import SOURCES


def has_waited_enough(context: Mapping[str, Any]) -> bool:
    """Return whether the log file of the interval's last day is there, or the run need not wait for it any longer.

    A run waits until ``wait_minutes`` after the end of its interval, so a backfill does not wait. Runs of modes
    ``replay`` and ``full_refresh`` do not wait either. ``plan`` decides whether an absent file is a failure.

    :raises ConfigurationError: the run would wait beyond its time limit.
    :raises ConfigurationError, TransientError: the bucket cannot be listed (see :mod:`include.sparkify.files.lake`).
    """
    interval, wait = intervals.of_run(context), timedelta(minutes=settings().wait_minutes)
    time_is_up = datetime.now(UTC).replace(tzinfo=None) >= interval.end + wait
    if time_is_up or context["params"]["mode"] not in ("load", "reload"):
        return True
    last_day, bucket = intervals.of_day(list(interval.days())[-1]), settings().source_bucket
    is_there = all(
        lake.list_daily(lake.client(), bucket, prefix_of(source), source.path, last_day).files
        for source in SOURCES
        if source.daily
    )
    if not is_there and wait >= run_limit():
        raise ConfigurationError(
            f"wait_minutes = {settings().wait_minutes} of the Variable `sparkify` must be less than the time limit of "
            f"a run ({run_limit()}), at which Airflow ends a waiting run. Lower it, or raise SPARKIFY_RUN_HOURS."
        )
    return is_there
