"""What an operator may set, with defaults that work anywhere.

Run-time settings are the keys of one Airflow Variable, ``sparkify`` (JSON): one look-up a task, whatever
the secrets backend charges for it. Only what the scheduler needs while it parses comes from the
environment, and a value it cannot read there (the deploy's parse test replaces them all) gives way to the
default until :func:`check_environment` fails the run by name.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import re
from datetime import UTC, datetime

from include.sparkify.errors import ConfigurationError

VARIABLE = "sparkify"
SCHEDULES = ("@hourly", "@daily")
ABSENT_POLICIES = ("skip", "warn", "fail")


@dataclasses.dataclass(frozen=True)
class Settings:
    """The run-time settings; every field is a key of the Variable ``sparkify``."""

    source_bucket: str = "sparkify-lake"
    """Bucket the JSON lands in."""
    log_prefix: str = "log_data/"
    """Prefix of the activity log; below it ``YYYY/MM/YYYY-MM-DD….json[.gz]``."""
    song_prefix: str = "song_data/"
    """Prefix of the song metadata, one object a file."""
    work_bucket: str = "sparkify-work"
    """Bucket for what a run writes: screened lines, manifests, reports. Must be writable."""
    schema: str = "sparkify"
    """Schema of the star."""
    absent: str = "skip"
    """What an interval without a log file does: skip, warn (goes on with the songs) or fail."""
    wait_minutes: int = 180
    """How long after its end an interval's log file may still arrive before the run goes on without it."""
    look_back_days: int = 3
    """Days before its interval in which a scheduled run looks for late and changed files."""
    reject_threshold: float = 0.01
    """Share of rejected lines over which nothing is published."""
    keep_days: int = 400
    """Days that quality_results, rejected_lines, publications and the reports of runs are kept."""
    keep_run_days: int = 14
    """Days that what a run wrote for COPY is kept in the work bucket."""
    failure_topic_arn: str = ""
    """SNS topic that is told of failed tasks; empty: nobody is."""


@functools.lru_cache(maxsize=1)
def settings() -> Settings:
    """The settings in force, read once a process (a task is a process).

    :raises ConfigurationError: the Variable is no JSON object, has an unknown key or a value of the wrong type.
    """
    from airflow.providers.common.compat.sdk import Variable

    given = Variable.get(VARIABLE, default_var={}, deserialize_json=True)
    if not isinstance(given, dict):
        raise ConfigurationError(f"Variable `{VARIABLE}` must be a JSON object, not {type(given).__name__}")
    fields = {field.name: field for field in dataclasses.fields(Settings)}
    unknown = sorted(set(given) - set(fields))
    if unknown:
        raise ConfigurationError(
            f"Variable `{VARIABLE}` has unknown keys {unknown}; known ones: {sorted(fields)}"
        )
    for name, value in given.items():
        wanted = type(fields[name].default)
        if wanted is float and isinstance(value, int) and not isinstance(value, bool):
            continue
        if not isinstance(value, wanted) or isinstance(value, bool):
            raise ConfigurationError(
                f"Variable `{VARIABLE}`: {name} must be {wanted.__name__}, not {value!r}"
            )
    result = Settings(**given)
    # The one setting that becomes part of SQL text.
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", result.schema):
        raise ConfigurationError(
            f"Variable `{VARIABLE}`: schema {result.schema!r} must be a plain lower-case name"
        )
    if result.absent not in ABSENT_POLICIES:
        raise ConfigurationError(f"Variable `{VARIABLE}`: absent must be one of {ABSENT_POLICIES}")
    return result


def star() -> str:
    """Schema of the star, for SQL templates."""
    return settings().schema


def run_schema(run_id: str) -> str:
    """The schema that belongs to one DAG run alone, for SQL templates.

    The same for every task and try of the run. At most 63 bytes, the shorter limit of the two engines.
    """
    import hashlib

    plain = re.sub(r"[^a-z0-9]+", "_", run_id.lower()).strip("_")[:24]
    return f"{star()[:20]}_run_{plain}_{hashlib.sha256(run_id.encode()).hexdigest()[:8]}"


def schedule() -> str:
    """``SPARKIFY_SCHEDULE``: ``@daily`` (default) or ``@hourly``."""
    value = os.environ.get("SPARKIFY_SCHEDULE", "@daily")
    return value if value in SCHEDULES else "@daily"


def start_date() -> datetime:
    """``SPARKIFY_START_DATE``: the first day owed, UTC (default 2018-11-01, the first of the public data)."""
    return _date("SPARKIFY_START_DATE") or datetime(2018, 11, 1, tzinfo=UTC)


def end_date() -> datetime | None:
    """``SPARKIFY_END_DATE``: start of the last interval to schedule, UTC (default none)."""
    return _date("SPARKIFY_END_DATE")


def pool() -> str:
    """``SPARKIFY_POOL``: the Airflow pool of statements on the warehouse, whose queue has few slots.

    The default is Airflow's own: a task of a pool that a deployment has not made would wait for ever.
    """
    return os.environ.get("SPARKIFY_POOL", "default_pool")


def check_environment() -> None:
    """Fail a run that was scheduled by a default because the environment could not be read.

    :raises ConfigurationError: naming the variable.
    """
    if os.environ.get("SPARKIFY_SCHEDULE", "@daily") not in SCHEDULES:
        raise ConfigurationError(f"SPARKIFY_SCHEDULE must be one of {SCHEDULES}")
    for name in ("SPARKIFY_START_DATE", "SPARKIFY_END_DATE"):
        if os.environ.get(name) and _date(name) is None:
            raise ConfigurationError(f"{name} must be an ISO date, for example 2018-11-01")


def _date(name: str) -> datetime | None:
    try:
        return datetime.fromisoformat(os.environ.get(name, "")).replace(tzinfo=UTC)
    except ValueError:
        return None
