"""Define the schedules of the DAGs pause and resume.

Airflow reads these values when it parses the DAG files, which must never fail. Therefore, a DAG with an invalid value
is scheduled daily, and its first task fails with an error that names the variable. If an invalid value meant "no
schedule", no run would fail, and a cluster that is not paused would incur charges unnoticed.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

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


def is_scheduled(context: Mapping[str, Any]) -> bool:
    """Return whether this is a scheduled run."""
    return bool(context["dag_run"].run_type == "scheduled")


def is_due(variable: str, context: Mapping[str, Any]) -> bool:
    """Return whether this run is a manual run, or a scheduled run that started at most an hour late.

    If a DAG gets a schedule or is unpaused, Airflow immediately starts the most recent past run. Without this check,
    the cluster would be paused or resumed unexpectedly, and both DAGs could run at the same time.

    :raises ConfigurationError: the run was scheduled only because the variable is invalid.
    """
    if not is_scheduled(context):
        return True
    value = os.environ.get(variable, "")
    if not _is_valid(value):
        raise ConfigurationError(
            f"{variable} is {value!r}, which is not a schedule, so this DAG runs daily and does nothing. Fix the "
            f"environment variable: one of {', '.join(PRESETS)}, a cron expression such as '0 20 * * 1-5', or unset."
        )
    due = context["data_interval_end"]
    late = datetime.now(UTC) - due > LATE
    if late:
        log.info(
            "this run was due at %s, more than an hour ago, so it does nothing. To run it now, trigger the DAG.",
            due,
        )
    return not late


def _schedule(variable: str) -> str | None:
    value = os.environ.get(variable, "")
    if not _is_valid(value):
        return "@daily"
    return value or None


def _is_valid(value: str) -> bool:
    # croniter also accepts a sixth field for seconds, with which Airflow would run the DAG every few seconds.
    return value in ("", *PRESETS) or (len(value.split()) == 5 and croniter.is_valid(value))
