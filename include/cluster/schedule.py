"""The schedules of the DAGs pause and resume.

The scheduler reads these values when it parses the DAG files, which must never fail. Therefore, a DAG with a malformed
value is scheduled daily, and its first task fails with an error that names the variable. If a malformed value meant "no
schedule", no run would fail, and an unpaused cluster would incur cost unnoticed.
"""

from __future__ import annotations

import logging
import os
from datetime import UTC, datetime, timedelta

from croniter import croniter

from include.sparkify.errors import ConfigurationError

PRESETS = ("@hourly", "@daily", "@weekly")
PAUSE = "SPARKIFY_PAUSE_SCHEDULE"
RESUME = "SPARKIFY_RESUME_SCHEDULE"
LATE = timedelta(hours=1)

log = logging.getLogger(__name__)


def pause_schedule() -> str | None:
    """Return ``SPARKIFY_PAUSE_SCHEDULE``: when to pause the cluster if it is idle: `@hourly`, `@daily`, `@weekly` or a
    cron expression of five fields, in UTC (default: never)."""
    return _schedule(PAUSE)


def resume_schedule() -> str | None:
    """Return ``SPARKIFY_RESUME_SCHEDULE``: when to resume the cluster, in the form of ``SPARKIFY_PAUSE_SCHEDULE``,
    for example `30 23 * * *` before the daily load (default: never)."""
    return _schedule(RESUME)


def check_schedule(variable: str) -> None:
    """Fail a run that was scheduled only because the variable is malformed.

    :raises ConfigurationError: the variable is neither a preset nor a cron expression.
    """
    value = os.environ.get(variable, "")
    if not _is_valid(value):
        raise ConfigurationError(
            f"{variable} is {value!r}, which is not a schedule, so this DAG runs daily and does nothing. Fix the "
            f"environment variable: one of {', '.join(PRESETS)}, a cron expression such as '0 20 * * 1-5', or unset."
        )


def is_late(due: datetime) -> bool:
    """Return whether a scheduled run has started more than an hour after the time at which it was due.

    If a DAG gets a schedule or is unpaused, Airflow starts its most recent past run at once. Without this check, the
    cluster would be paused or resumed unexpectedly, and both DAGs could run at the same time.
    """
    late = datetime.now(UTC) - due > LATE
    if late:
        log.info(
            "this run was due at %s, more than an hour ago, so it does nothing. To run it now, trigger the DAG.",
            due,
        )
    return late


def _schedule(variable: str) -> str | None:
    value = os.environ.get(variable, "")
    if not _is_valid(value):
        return "@daily"
    return value or None


def _is_valid(value: str) -> bool:
    # croniter also accepts a sixth field for seconds, with which Airflow would run the DAG every few seconds.
    return value in ("", *PRESETS) or (len(value.split()) == 5 and croniter.is_valid(value))
