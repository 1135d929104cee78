"""Define the settings of the pipeline, with defaults that are valid in all environments.

Run-time settings are the keys of one Airflow Variable, ``sparkify`` (JSON). A task reads the Variable once, because
secrets backends may charge per request. Settings that Airflow needs to parse a DAG file come from environment
variables. An invalid environment variable is replaced by its default during parsing, so that the DAG can be imported.
:func:`check_environment` then fails the run with a message that names the variable.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
import os
import re
import secrets
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

import pydantic
from pydantic import Field

from include.sparkify.errors import ConfigurationError, TransientError
from include.sparkify.tables import SOURCES, Source

VARIABLE = "sparkify"
# The connection for S3 and other AWS APIs.
AWS_CONN_ID = "aws_default"
SCHEDULES = ("@hourly", "@daily")
# Airflow 2 cannot import a DAG with a pool name that does not match this pattern.
POOL = re.compile(r"[\w.-]{1,250}")
# Reserved words of the warehouse, and names that the warehouse or this project uses for other schemas.
RESERVED_SCHEMAS = {
    "public", "pg_catalog", "pg_internal", "pg_temp", "information_schema", "catalog_history", "reports",
    "all", "analyse", "analyze", "and", "any", "array", "as", "asc", "authorization", "backup", "between", "binary",
    "both", "case", "cast", "check", "collate", "column", "constraint", "create", "cross", "current_user", "default",
    "delta", "desc", "distinct", "do", "else", "encode", "encrypt", "end", "except", "explicit", "false", "for",
    "foreign", "freeze", "from", "full", "grant", "group", "having", "identity", "ignore", "ilike", "in", "initially",
    "inner", "intersect", "into", "is", "isnull", "join", "leading", "left", "like", "limit", "localtime", "minus",
    "natural", "new", "not", "notnull", "null", "nulls", "off", "offline", "offset", "oid", "old", "on", "only", "open",
    "or", "order", "outer", "overlaps", "parallel", "partition", "percent", "permissions", "primary", "raw", "recover",
    "references", "rejectlog", "resort", "respect", "restore", "right", "select", "session_user", "similar",
    "snapshot", "some", "sysdate", "system", "table", "tag", "then", "timestamp", "to", "top", "trailing", "true",
    "truncatecolumns", "union", "unique", "user", "using", "verbose", "wallet", "when", "where", "with", "without",
}  # fmt: skip

Bucket = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")]
Prefix = Annotated[str, Field(pattern=r"^([^/]+/)*$")]


class Settings(pydantic.BaseModel):
    """The run-time settings. Every field is a key of the Variable ``sparkify``."""

    model_config = pydantic.ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    source_bucket: Bucket = "sparkify-lake"
    """The S3 bucket with the source files."""
    log_prefix: Prefix = "log_data/"
    """The prefix of log files, which are named ``YYYY/MM/YYYY-MM-DD….json[.gz|.bz2]``. It ends with a slash."""
    song_prefix: Prefix = "song_data/"
    """The prefix of song files, each of which contains one JSON object. It ends with a slash."""
    work_bucket: Bucket = "sparkify-work"
    """The S3 bucket to which runs write validated lines, manifests and run reports.

    It must not be the source bucket.
    """
    star_schema: Annotated[str, Field(alias="schema", pattern=r"^[a-z][a-z0-9_]{0,39}$")] = "sparkify"
    """The schema of the star.

    The operations tables are in the schema of this name with the suffix ``_ops``. The report tables are in the schema
    of this name with the suffix ``_reports``, or in ``reports`` for the default name.
    """
    absent: Literal["skip", "warn", "fail"] = "skip"
    """The action for an interval without a log file: skip the run, warn (and load the songs), or fail the run."""
    wait_minutes: Annotated[int, Field(ge=0, le=7 * 24 * 60)] = 180
    """Minutes after the end of an interval for which a run waits for its log file.

    If the file has not arrived by then, the run continues without it. The value must be less than
    ``SPARKIFY_RUN_HOURS``, after which Airflow ends the run.
    """
    look_back_days: Annotated[int, Field(ge=0, le=366)] = 3
    """Days before the interval for which a run in mode ``load`` without ``start`` loads late and changed files."""
    reject_threshold: Annotated[float, Field(ge=0, le=1)] = 0.01
    """Share of rejected lines above which a log file is refused, and share of refused song files above which a run
    loads no files."""
    delete_threshold: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Share of the loaded lines, or of the loaded song files, that a run may delete.

    Lines that the run adds to the same day, and song files that it adds, are subtracted. A run that would delete more
    fails before it publishes. To allow the deletion for one run, use the parameter ``confirm_deletes`` of the DAG.
    """
    lock_minutes: Annotated[float, Field(gt=0, le=24 * 60)] = 10
    """Minutes that a run waits for the lock for writers before it fails.

    The error message names the session that holds the lock.
    """
    statement_minutes: Annotated[float, Field(gt=0, le=24 * 60)] = 60
    """Minutes after which the warehouse stops a statement of the pipeline.

    Changes apply to the operators of the providers and to the Astro SDK only after the next run of ``provision``.
    """
    keep_days: Annotated[int, Field(ge=1)] = 400
    """Days to keep check results, rejected lines, the publish log and run reports."""
    keep_run_days: Annotated[int, Field(ge=1)] = 14
    """Days to keep files for COPY in the work bucket."""
    failure_topic_arn: Annotated[str, Field(pattern=r"^(arn:[^:]+:sns:.+)?$")] = ""
    """ARN of the Amazon SNS topic for notifications about failed tasks. If it is empty, no message is sent."""

    @pydantic.model_validator(mode="after")
    def _check_together(self) -> Settings:
        if self.source_bucket == self.work_bucket:
            raise ValueError(
                "work_bucket must not be the source bucket, because runs delete files in the work bucket"
            )
        if self.star_schema in RESERVED_SCHEMAS or re.search(
            r"^pg_|_ops$|reports(_state)?$", self.star_schema
        ):
            raise ValueError(f"schema {self.star_schema!r} is a reserved name: choose another one")
        for one, other in itertools.permutations((source.prefix for source in SOURCES), 2):
            if getattr(self, one).startswith(getattr(self, other)):
                raise ValueError(f"{one} and {other} must not contain each other")
        return self


@functools.lru_cache(maxsize=1)
def settings() -> Settings:
    """Return the settings, which are read once per process. Each task is a process.

    :raises ConfigurationError: the Variable is not a JSON object, has an unknown key, or a value is out of range.
    :raises TransientError: the Variable does not exist, or a secrets backend did not respond. Airflow does not
        distinguish these cases.
    """
    from airflow.providers.common.compat.sdk import Variable

    # Pass the default by position, because the name of this parameter differs between Airflow 2 and 3. Do not use
    # `deserialize_json`, because Airflow 3 returns the default for a Variable that is not JSON.
    found = Variable.get(VARIABLE, None)
    if found is None:
        raise TransientError(
            f"there is no Variable `{VARIABLE}`, or a secrets backend did not answer (see the log). Next: set it in "
            "Airflow (Admin, Variables) or in the secrets backend, to {} for all defaults, then clear the task."
        )
    try:
        given = json.loads(found)
    except ValueError as error:
        raise ConfigurationError(
            f"Variable `{VARIABLE}` is not JSON ({error}). Next: fix it in Airflow (Admin, Variables) or in the "
            "secrets backend, then clear the task."
        ) from None
    try:
        return Settings.model_validate(given)
    except pydantic.ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc'])) or 'value'}: {fault['msg'].removeprefix('Value error, ')}"
            for fault in error.errors()
        )
        raise ConfigurationError(
            f"Variable `{VARIABLE}`: {faults}. Known keys: {', '.join(sorted(keys()))}. Next: fix it, then "
            "clear the task."
        ) from None


def keys() -> dict[str, pydantic.fields.FieldInfo]:
    """Return the fields of the settings by their keys in the Variable."""
    return {field.alias or name: field for name, field in Settings.model_fields.items()}


def star() -> str:
    """Return the schema of the star, for SQL templates."""
    return settings().star_schema


def ops() -> str:
    """Return the schema of the operations tables, for SQL templates."""
    return f"{star()}_ops"


def prefix_of(source: Source) -> str:
    """Return the prefix of the files of a source."""
    return str(getattr(settings(), source.prefix))


def reports() -> str:
    """Return the schema of the report tables, for SQL templates. For the default star, the name has no prefix."""
    return "reports" if star() == "sparkify" else f"{star()}_reports"


def reports_state() -> str:
    """Return the schema of the internal tables of the reports, for SQL templates."""
    return f"{reports()}_state"


def new_run_schema(run_id: str) -> str:
    """Return a new, unique name for the schema of a try of a DAG run.

    The name has at most 63 bytes, which is the limit of PostgreSQL and less than the limit of Redshift. The name
    identifies the try, because two deployments that share a warehouse can have runs with the same ID.
    """
    plain = re.sub(r"[^a-z0-9]+", "_", run_id.lower()).strip("_")[:22]
    return f"{star()[:20]}_run_{plain}_{secrets.token_hex(6)}"


def environment() -> str:
    """Return a name that identifies this star and its warehouse, so that environments can share a work bucket."""
    from airflow.providers.common.compat.sdk import BaseHook

    warehouse = BaseHook.get_connection("redshift_default")
    place = f"{warehouse.host}:{warehouse.port}/{warehouse.schema} {star()}"
    return f"{star()}-{hashlib.sha256(place.encode()).hexdigest()[:8]}"


def run_prefix(run_schema: str) -> str:
    """Return the prefix of a try of a run in the work bucket, without a trailing slash.

    The prefix contains the name of the environment, because environments that share a bucket can have run schemas with
    the same name.
    """
    return f"runs/{environment()}/{run_schema}"


def schedule() -> str:
    """Return ``SPARKIFY_SCHEDULE``: ``@daily`` (default) or ``@hourly``."""
    value = os.environ.get("SPARKIFY_SCHEDULE", "@daily")
    return value if value in SCHEDULES else "@daily"


def start_date() -> datetime:
    """Return ``SPARKIFY_START_DATE``: the first scheduled day, UTC (default 2018-11-01, as in the public data)."""
    return _date("SPARKIFY_START_DATE") or datetime(2018, 11, 1, tzinfo=UTC)


def last_day() -> datetime | None:
    """Return ``SPARKIFY_LAST_DAY``: the last scheduled day, UTC. If it is not set, the schedule has no end."""
    return _date("SPARKIFY_LAST_DAY")


def pool() -> str:
    """Return ``SPARKIFY_POOL``: the Airflow pool of the tasks that run statements (default ``default_pool``).

    The default is a pool that exists in every deployment, because a task in a pool that does not exist waits forever.
    """
    value = os.environ.get("SPARKIFY_POOL") or "default_pool"
    return value if POOL.fullmatch(value) else "default_pool"


def task_limit() -> timedelta:
    """Return ``SPARKIFY_TASK_HOURS``: the hours after which Airflow stops a task (default 4)."""
    return timedelta(hours=_hours("SPARKIFY_TASK_HOURS") or 4)


def run_limit() -> timedelta:
    """Return ``SPARKIFY_RUN_HOURS``: the hours after which Airflow stops a DAG run (default 24)."""
    return timedelta(hours=_hours("SPARKIFY_RUN_HOURS") or 24)


def check_environment() -> None:
    """Fail the run if an environment variable is invalid, because the DAG was parsed with the default instead.

    :raises ConfigurationError: an environment variable is invalid. The message names the variable.
    """
    if os.environ.get("SPARKIFY_SCHEDULE", "@daily") not in SCHEDULES:
        raise ConfigurationError(f"SPARKIFY_SCHEDULE must be one of {SCHEDULES}")
    for name in ("SPARKIFY_START_DATE", "SPARKIFY_LAST_DAY"):
        if os.environ.get(name) and _date(name) is None:
            raise ConfigurationError(f"{name} must be an ISO date, for example 2018-11-01")
    if os.environ.get("SPARKIFY_POOL") and not POOL.fullmatch(os.environ["SPARKIFY_POOL"]):
        raise ConfigurationError(
            "SPARKIFY_POOL must be the name of an Airflow pool: letters, digits, dashes, dots and underscores"
        )
    for name in ("SPARKIFY_TASK_HOURS", "SPARKIFY_RUN_HOURS"):
        if os.environ.get(name) and _hours(name) is None:
            raise ConfigurationError(f"{name} must be a number of hours above 0, for example 4")


def _date(name: str) -> datetime | None:
    try:
        return datetime.fromisoformat(os.environ.get(name, "")).replace(tzinfo=UTC)
    except ValueError:
        return None


def _hours(name: str) -> float | None:
    try:
        hours = float(os.environ.get(name, ""))
    except ValueError:
        return None
    return hours if 0 < hours <= 24 * 365 else None
