"""The settings of the pipeline, with defaults that work anywhere.

Run-time settings are the keys of one Airflow Variable, ``sparkify`` (JSON): one lookup per task, because secrets
backends may bill per lookup. Only what the scheduler needs while it parses comes from the environment. A value that
it cannot read there is replaced by the default (the parse test of a deploy replaces them all) until
:func:`check_environment` fails the run by name.
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
# The connection for S3 and the APIs of AWS.
AWS_CONN_ID = "aws_default"
SCHEDULES = ("@hourly", "@daily")
# Airflow 2 cannot import a DAG whose pool has another kind of name.
POOL = re.compile(r"[\w.-]{1,250}")
# Names that the warehouse, or another part of this project, uses for a schema.
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
    """Bucket with the source files."""
    log_prefix: Prefix = "log_data/"
    """Prefix of the activity log, with files ``YYYY/MM/YYYY-MM-DD….json[.gz|.bz2]`` below it. Ends with a slash."""
    song_prefix: Prefix = "song_data/"
    """Prefix of the song metadata, one object per file. Ends with a slash."""
    work_bucket: Bucket = "sparkify-work"
    """Bucket for what a run writes: validated lines, manifests, run reports. Not the source bucket."""
    star_schema: Annotated[str, Field(alias="schema", pattern=r"^[a-z][a-z0-9_]{0,39}$")] = "sparkify"
    """Schema of the star. The pipeline's own tables are in the schema of this name with ``_ops``, the report tables in
    that with ``_reports`` (in ``reports`` for the default star)."""
    absent: Literal["skip", "warn", "fail"] = "skip"
    """Policy for an interval without a log file: skip the run, warn (load the songs) or fail."""
    wait_minutes: Annotated[int, Field(ge=0, le=7 * 24 * 60)] = 180
    """Minutes after the end of an interval in which its log file may still arrive before the run goes on without it.
    Must be less than ``SPARKIFY_RUN_HOURS``, after which Airflow ends the run."""
    look_back_days: Annotated[int, Field(ge=0, le=366)] = 3
    """Days before its interval in which a run in mode ``load`` without ``start`` looks for late and changed files."""
    reject_threshold: Annotated[float, Field(ge=0, le=1)] = 0.01
    """Share of rejected lines above which a log file is refused, and share of refused song files above which nothing
    is loaded."""
    delete_threshold: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Share of the loaded lines, or of the loaded song files, above which a run that deletes them fails before it
    publishes anything. The parameter ``confirm_deletes`` of the DAG allows it for one run."""
    lock_minutes: Annotated[float, Field(gt=0, le=24 * 60)] = 10
    """Minutes that a run waits for the lock for writers before it fails and names the session that holds it."""
    statement_minutes: Annotated[float, Field(gt=0, le=24 * 60)] = 60
    """Minutes after which the warehouse stops a statement of the pipeline. For the providers' operators and the Astro
    SDK, the value at the last run of ``provision`` applies."""
    keep_days: Annotated[int, Field(ge=1)] = 400
    """Days that check results, rejected lines, the publish log and run reports are kept."""
    keep_run_days: Annotated[int, Field(ge=1)] = 14
    """Days that files written for COPY are kept in the work bucket."""
    failure_topic_arn: Annotated[str, Field(pattern=r"^(arn:[^:]+:sns:.+)?$")] = ""
    """SNS topic that is notified of failed tasks. If it is empty, no message is sent."""

    @pydantic.model_validator(mode="after")
    def _check_together(self) -> Settings:
        if self.source_bucket == self.work_bucket:
            raise ValueError("work_bucket must not be the source bucket: runs delete what they wrote there")
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
    """Return the settings, read once per process (a task is a process).

    :raises ConfigurationError: the Variable is not a JSON object, has an unknown key, or a value is out of range.
    :raises TransientError: there is no such Variable, or a secrets backend did not answer. Airflow does
        not distinguish the two.
    """
    from airflow.providers.common.compat.sdk import Variable

    # The default by position: Airflow 2 and 3 give this parameter different names. Not `deserialize_json`: Airflow 3
    # takes a Variable that is not JSON for one that does not exist.
    found = Variable.get(VARIABLE, None)
    if found is None:
        raise TransientError(
            f"there is no Variable `{VARIABLE}`, or a secrets backend did not answer (see the log). Set it in Airflow "
            "(Admin, Variables) or in the secrets backend; {} means the defaults. Then clear the task."
        )
    try:
        given = json.loads(found)
    except ValueError as error:
        raise ConfigurationError(
            f"Variable `{VARIABLE}` is not JSON ({error}). Fix it in Airflow (Admin, Variables) or in the secrets "
            "backend, then clear the task."
        ) from None
    try:
        return Settings.model_validate(given)
    except pydantic.ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc'])) or 'value'}: {fault['msg'].removeprefix('Value error, ')}"
            for fault in error.errors()
        )
        raise ConfigurationError(
            f"Variable `{VARIABLE}`: {faults}. Known keys: {', '.join(sorted(keys()))}. Fix it, then clear the task."
        ) from None


def keys() -> dict[str, pydantic.fields.FieldInfo]:
    """Return the keys of the Variable, as an operator writes them."""
    return {field.alias or name: field for name, field in Settings.model_fields.items()}


def star() -> str:
    """Return the schema of the star, for SQL templates."""
    return settings().star_schema


def ops() -> str:
    """Return the schema of the pipeline's own tables, for SQL templates."""
    return f"{star()}_ops"


def prefix_of(source: Source) -> str:
    """Return the prefix of the files of a source."""
    return str(getattr(settings(), source.prefix))


def reports() -> str:
    """Return the schema of the star's report tables, for SQL templates. That of the default star has a plain name."""
    return "reports" if star() == "sparkify" else f"{star()}_reports"


def reports_state() -> str:
    """Return the schema of the internal tables of the reports, for SQL templates."""
    return f"{reports()}_state"


def new_run_schema(run_id: str) -> str:
    """Return a name for the schema of one try of a DAG run, different at every call.

    It has at most 63 bytes, the shorter limit of the two engines. The name is the identity of the try, because two
    deployments that share a warehouse have runs of the same id.
    """
    plain = re.sub(r"[^a-z0-9]+", "_", run_id.lower()).strip("_")[:22]
    return f"{star()[:20]}_run_{plain}_{secrets.token_hex(6)}"


def environment() -> str:
    """Return a name for this star in its warehouse, which keeps environments apart that share a work bucket."""
    from airflow.providers.common.compat.sdk import BaseHook

    warehouse = BaseHook.get_connection("redshift_default")
    place = f"{warehouse.host}:{warehouse.port}/{warehouse.schema} {star()}"
    return f"{star()}-{hashlib.sha256(place.encode()).hexdigest()[:8]}"


def run_prefix(run_schema: str) -> str:
    """Return the prefix of one try of a run in the work bucket, without a slash at the end.

    It names the environment, because two of them may share a bucket, and runs of one name.
    """
    return f"runs/{environment()}/{run_schema}"


def schedule() -> str:
    """Return ``SPARKIFY_SCHEDULE``: ``@daily`` (default) or ``@hourly``."""
    value = os.environ.get("SPARKIFY_SCHEDULE", "@daily")
    return value if value in SCHEDULES else "@daily"


def start_date() -> datetime:
    """Return ``SPARKIFY_START_DATE``: the first scheduled day, UTC (default 2018-11-01, where the public data
    begins)."""
    return _date("SPARKIFY_START_DATE") or datetime(2018, 11, 1, tzinfo=UTC)


def last_day() -> datetime | None:
    """Return ``SPARKIFY_LAST_DAY``: the last scheduled day, UTC. If it is unset, the schedule has no end."""
    return _date("SPARKIFY_LAST_DAY")


def pool() -> str:
    """Return ``SPARKIFY_POOL``: the Airflow pool of statements on the warehouse (default ``default_pool``).

    A task in a pool that a deployment has not created would wait forever.
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
    """Fail a run that was scheduled by a default because the environment could not be read.

    :raises ConfigurationError: a variable cannot be read. The message names it.
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
