"""Define the plan of a run, which `plan` passes to the other tasks, and the schema name that identifies the run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypedDict

import jinja2

from include.sparkify.errors import DataError
from include.sparkify.settings import run_prefix

MODES = {
    "load": "new and changed files",
    "reload": "every log file of the interval, even if it has not changed",
    "replay": "refused files and files with rejected lines (of the interval, or all if no interval is given)",
    "full_refresh": "all files in the lake",
}
# The next step for a run with inconsistent task states.
CLEAR = "Next: clear the task `plan` with its downstream tasks, so that the run starts again."


class Plan(TypedDict):
    """The result of the task `plan`, which the downstream tasks use."""

    run_schema: str
    """The name of the schema of this try of the run, which identifies the try."""
    mode: str
    commit_id: str
    """The commit of the version of the star before the ledger was read, or an empty string if nothing was published.

    If the newest commit changes, `publish` rebuilds the candidates. The number of the version is not sufficient,
    because it restarts when the tables are recreated.
    """
    read_at: str
    """The time of the warehouse before the ledger and the lake were read, in ISO 8601."""
    began_at: str
    """Start time of this try of `plan` in ISO 8601, UTC. Older rows and objects belong to an earlier try of the run."""
    interval_start: str
    interval_end: str
    """The interval of the run, in ISO 8601."""
    files: int
    """Number of files to read."""
    chunks: int
    """Number of mapped task instances of `validate`."""
    listed: dict[str, int]
    """Number of files in the lake by kind, for each source without days that the run lists."""
    refused_of: dict[str, int]
    """Number of the listed files, by kind, whose current version is refused and not read again."""
    refused: list[str]
    """Daily files of the interval whose current version is refused and not read again, as ``key: reason``."""
    unrecognized: list[str]
    """The first 100 keys and folders in the lake whose path does not match the pattern of a source."""


def of_run(context: Mapping[str, Any]) -> Plan | None:
    """Return the plan of the run, or None if the run has no plan."""
    found: Plan | None = context["ti"].xcom_pull(task_ids="plan", key="plan")
    return found


def plan_of(context: Mapping[str, Any]) -> Plan:
    """Return the plan of the run.

    :raises DataError: the run has no plan, because its tasks were cleared individually.
    """
    plan = of_run(context)
    if plan is None:
        raise DataError(f"the run has no plan, so nothing was published. {CLEAR}")
    return plan


def is_of_ended_run(error: str) -> bool:
    """Return whether a task failed because the schema of its run was already dropped, after only this task was cleared.

    The error of the warehouse names the relation or the schema, for example ``relation
    "sparkify_run_x_0123456789ab.plays" does not exist``.
    """
    return re.search(r'"\w+_run_\w+_[0-9a-f]{12}(\.\w+)?"\)? does not exist', error) is not None


@jinja2.pass_context
def run_schema(variables: jinja2.runtime.Context) -> str:
    """Return the schema of the run, for SQL templates."""
    return _plan_in(variables)["run_schema"]


@jinja2.pass_context
def planned_commit(variables: jinja2.runtime.Context) -> str:
    """Return the commit of the version of the star on which the plan is based, for SQL templates."""
    return _plan_in(variables)["commit_id"]


@jinja2.pass_context
def prefix_of_run(variables: jinja2.runtime.Context) -> str:
    """Return the prefix of the run in the work bucket, for templates."""
    return run_prefix(run_schema(variables))


def _plan_in(variables: jinja2.runtime.Context) -> Plan:
    """Return the plan. The result is cached, because templates need the plan several times per task."""
    ti = variables["ti"]
    task = (ti.run_id, ti.task_id, ti.map_index, ti.try_number)
    if _known.get("task") != task:
        _known.update(task=task, plan=plan_of({"ti": ti}))
    plan: Plan = _known["plan"]
    return plan


_known: dict[str, Any] = {}
