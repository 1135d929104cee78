"""The plan of a run, passed from task to task: the decision of `plan`, and the schema that identifies the run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypedDict

import jinja2

from include.sparkify.errors import DataError
from include.sparkify.settings import run_prefix

MODES = {
    "load": "new and changed files",
    "reload": "every log file of the interval, changed or not",
    "replay": "files with rejected lines and refused files (all of them, or of the interval given)",
    "full_refresh": "everything, from all files in the lake",
}
# The next step for a run whose tasks are inconsistent.
CLEAR = "Next: clear the task `plan` with everything downstream; the run starts over, which is safe."


class Plan(TypedDict):
    """The decision of `plan`, for the tasks that follow."""

    run_schema: str
    """The schema of this try of the run. The name is its identity."""
    mode: str
    version: int
    """The version of the star before the ledger was read. A later one makes `publish` rebuild the candidates."""
    read_at: str
    """The warehouse's clock before the ledger and the lake were read, in ISO 8601."""
    began_at: str
    """Start of this try of `plan` in ISO 8601, UTC. Older rows and objects are from an earlier try of the run."""
    interval_start: str
    interval_end: str
    """The interval of the run, in ISO 8601."""
    files: int
    """Number of files to read."""
    chunks: int
    """Number of `validate` tasks."""
    listed: dict[str, int]
    """Number of files in the lake by kind, for the sources without days that the run lists."""
    refused_of: dict[str, int]
    """Number of those files, by kind, whose current version is refused and not read again."""
    refused: list[str]
    """``key: reason`` of daily files of the interval whose current version is refused and not read again."""
    unrecognized: list[str]
    """Keys and folders in the lake whose path is not that of a source file (the first 100)."""


def of_run(context: Mapping[str, Any]) -> Plan | None:
    """Return the plan of the run, or None if there is none."""
    found: Plan | None = context["ti"].xcom_pull(task_ids="plan", key="plan")
    return found


def plan_of(context: Mapping[str, Any]) -> Plan:
    """Return the plan of the run.

    :raises DataError: the run has no plan, because its tasks were cleared one by one.
    """
    plan = of_run(context)
    if plan is None:
        raise DataError(f"the run has no plan; nothing was published. {CLEAR}")
    return plan


def is_of_ended_run(error: str) -> bool:
    """Return whether a task failed because the schema of its run is dropped, as happens to a task cleared on its own.

    The warehouse names the relation or the schema: ``relation "sparkify_run_x_0123456789ab.plays" does not exist``.
    """
    return re.search(r'"\w+_run_\w+_[0-9a-f]{12}(\.\w+)?"\)? does not exist', error) is not None


@jinja2.pass_context
def run_schema(variables: jinja2.runtime.Context) -> str:
    """Return the schema of the run, for SQL templates."""
    return _plan_in(variables)["run_schema"]


@jinja2.pass_context
def planned_version(variables: jinja2.runtime.Context) -> int:
    """Return the version of the star that the run was planned for, for SQL templates."""
    return _plan_in(variables)["version"]


@jinja2.pass_context
def prefix_of_run(variables: jinja2.runtime.Context) -> str:
    """Return the prefix of the run in the work bucket, for templates."""
    return run_prefix(run_schema(variables))


def _plan_in(variables: jinja2.runtime.Context) -> Plan:
    """Return the plan. Templates need it often, so a task asks Airflow only once."""
    ti = variables["ti"]
    task = (ti.run_id, ti.task_id, ti.map_index, ti.try_number)
    if _known.get("task") != task:
        _known.update(task=task, plan=plan_of({"ti": ti}))
    plan: Plan = _known["plan"]
    return plan


_known: dict[str, Any] = {}
