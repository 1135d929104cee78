"""Collect the facts about a run for the run report.

The sources are available even if the run fails: the files in the work bucket, the rejects and check results in the
warehouse, the task instances in Airflow, and the star. If a source cannot be read, the report names it as not
available.
"""

from __future__ import annotations

import collections
import gzip
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

import botocore.exceptions
import orjson

from include.sparkify import intervals, run_plan
from include.sparkify.errors import ConfigurationError, DataError, TransientError, aws_error
from include.sparkify.files import lake
from include.sparkify.intervals import Interval
from include.sparkify.redshift import warehouse
from include.sparkify.redshift.reach import UnreachableError
from include.sparkify.settings import ops, run_prefix, settings, star
from include.sparkify.tables import HISTORY, SOURCES, STAR
from include.sparkify.tasks import checks, notify
from include.sparkify.tasks.publish import Published, check_complete

# Maximum number of days that the report shows.
DAYS_SHOWN = 62
# Number of weeks before the interval that the report shows, which is the same as in the checks.
WEEKS_BEFORE = 4
SAMPLES = 20
SAMPLES_OF_A_REASON = 3
# This task runs at the same time as the task that writes the report.
CHECK_COMPLETE = "check_complete"
# Maximum difference between the clocks of worker, warehouse and S3.
CLOCK_SKEW = timedelta(minutes=1)

T = TypeVar("T")


def gather(context: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts about the run as values that can be serialized to JSON.

    :returns: ``run``, ``verdict`` (published, nothing_new or failed), ``skipped`` (the reason why `plan` was skipped,
        or None), ``failures``, ``input``, ``rejected``, ``refused_files``, ``changed``, ``checks``, ``phases``,
        ``days`` (the days of the interval and of the four weeks before it), and ``gaps`` (the sources that could not be
        read, with the reasons).
    """
    gaps: list[str] = []
    silent: list[UnreachableError] = []

    def read(what: str, function: Callable[..., T], *values: Any) -> T | None:
        try:
            # If the warehouse did not respond once, do not wait for it again.
            if silent:
                raise silent[0]
            return function(*values)
        except (TransientError, ConfigurationError, DataError) as error:
            if isinstance(error, UnreachableError):
                silent.append(error)
            gaps.append(f"{what}: {error}")
            return None

    run_id = context["run_id"]
    tasks = [task for task in _tasks(context) if task["task"] != CHECK_COMPLETE]
    state = {task["task"]: task["state"] for task in tasks}
    plan_began = _plan_began(context) if state.get("plan") == "success" else None
    failed = [task for task in tasks if task["state"] == "failed"]
    verdict = "failed" if failed else "nothing_new"
    if state.get("publish") == "success":
        verdict = "published"
    published = context["ti"].xcom_pull(task_ids="publish") if verdict == "published" else None
    skipped = context["ti"].xcom_pull(task_ids="plan", key="skipped")
    interval = _interval(context)
    read_files = read("input", _read_input, context)
    began = context["dag_run"].start_date
    return {
        "run": {
            "dag_id": context["ti"].dag_id,
            "run_id": run_id,
            "mode": context["params"]["mode"],
            "interval_start": interval.start.isoformat() if interval else None,
            "interval_end": interval.end.isoformat() if interval else None,
            "started_at": _naive(began).isoformat(timespec="seconds"),
            "seconds": round((datetime.now(UTC) - began).total_seconds(), 1),
        },
        "verdict": verdict,
        "skipped": skipped if verdict == "nothing_new" else None,
        "failures": [{"task": _name(task), "message": task["message"], "log": task["log"]} for task in failed]
        + (_left_out(published) if verdict == "published" else []),
        "input": read_files,
        "rejected": read("rejected lines", _read_rejects, run_id),
        "refused_files": read("refused files", _read_refused, run_id) or [],
        "changed": read("changes", _read_changes, published),
        "checks": read("checks", _read_checks, run_id, plan_began),
        "phases": _phases(tasks, began),
        "days": read("the star", _read_days, interval) or [],
        "gaps": gaps,
    }


def _left_out(published: Published | None) -> list[dict[str, Any]]:
    """Return the failure of the task `check_complete` if it has failed or will fail."""
    try:
        check_complete(published)
    except DataError as error:
        return [{"task": CHECK_COMPLETE, "message": str(error), "log": None}]
    return []


def _name(task: Mapping[str, Any]) -> str:
    """Return the name of a task, with the map index if the task is mapped."""
    index = task["map_index"]
    return str(task["task"]) if index < 0 else f"{task['task']} [{index}]"


def _plan_began(context: Mapping[str, Any]) -> datetime | None:
    plan = run_plan.of_run(context)
    return datetime.fromisoformat(plan["began_at"]) if plan else None


def _tasks(context: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the finished task instances of the run in the order in which they ran."""
    run, this = context["dag_run"], context["ti"]
    # The methods to get the other task instances of a run differ between Airflow 2 and 3.
    found = _task_breadcrumbs(context) if hasattr(this, "get_task_breadcrumbs") else _task_instances(run)
    for task in found:
        task["message"] = None
        if task["state"] == "failed":
            # Without the map index, Airflow returns the messages of all instances of a mapped task.
            place = {"task_ids": task["task"], "map_indexes": task["map_index"]}
            task["message"] = this.xcom_pull(**place, key=notify.FAILURE)
    return found


def _task_instances(run: Any) -> list[dict[str, Any]]:
    """Return the finished task instances, on Airflow 2."""
    found = [
        {
            "task": ti.task_id,
            "map_index": ti.map_index,
            "state": str(ti.state),
            "start": ti.start_date,
            "end": ti.end_date,
            "tries": ti.try_number,
            "log": ti.log_url if ti.state == "failed" else None,
        }
        for ti in run.get_task_instances()
        if ti.state not in (None, "scheduled", "queued", "running")
    ]
    # `airflow dags test` records no start times, and runs the tasks one at a time.
    before = run.start_date
    for task in sorted((task for task in found if task["end"]), key=lambda task: task["end"]):
        task["start"] = task["start"] or before
        before = max(before, task["end"])
    never = datetime.max.replace(tzinfo=UTC)
    return sorted(found, key=lambda task: (task["start"] or never, task["end"] or never, task["task"]))


def _task_breadcrumbs(context: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the finished task instances in the order of the DAG, on Airflow 3, with state and duration."""
    run = context["dag_run"]
    place = {task.task_id: number for number, task in enumerate(context["dag"].topological_sort())}
    crumbs = context["ti"].get_task_breadcrumbs(run.dag_id, run.run_id)
    return [
        {
            "task": crumb["task_id"],
            "map_index": crumb["map_index"],
            "state": str(crumb["state"]),
            "seconds": crumb["duration"],
        }
        | dict.fromkeys(("start", "end", "tries", "log"))
        # After a deployment during the run, the run may have tasks that the DAG no longer contains.
        for crumb in sorted(crumbs, key=lambda crumb: place.get(crumb["task_id"], len(place)))
    ]


def _interval(context: Mapping[str, Any]) -> Interval | None:
    """Return the interval of the run, or None if the run has no limits or invalid parameters."""
    plan = run_plan.of_run(context)
    try:
        if plan:
            ends = (plan["interval_start"], plan["interval_end"])
            found = Interval(*map(datetime.fromisoformat, ends))
        else:
            found = intervals.of_run(context)
    except ConfigurationError:
        return None
    return None if found == intervals.ALL_TIME else found


def _read_input(context: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the totals and the remarkable files of the input, or None if the latest try did not write manifests.

    :returns: ``kinds`` (totals by source), ``noted`` (the first :data:`SAMPLES` files that vanished, are empty, or have
        rejects, truncated values or unknown fields), and ``files_noted`` (the number of all such files).
    """
    plan = run_plan.of_run(context)
    if plan is None:
        return None
    s3, bucket = lake.client(), settings().work_bucket
    key = f"{run_prefix(plan['run_schema'])}/staging_files.manifest"
    # Use LIST, because GET returns 403 for a missing key if the role may list only some prefixes.
    if lake.find_etag(s3, bucket, key) is None:
        return None
    try:
        manifest = s3.get_object(Bucket=bucket, Key=key)
        files: list[dict[str, Any]] = []
        for entry in orjson.loads(manifest["Body"].read())["entries"]:
            piece = s3.get_object(Bucket=bucket, Key=entry["url"].removeprefix(f"s3://{bucket}/"))
            files += map(orjson.loads, gzip.decompress(piece["Body"].read()).splitlines())
    except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
        raise aws_error(error, f"read s3://{bucket}/{key}") from error
    sums = ("size", "lines", "accepted", "rejected", "blank_lines", "cut_values")
    read = [file for file in files if not file["vanished"]]
    noted = [
        {name: file[name] for name in ("source_key", *sums, "unknown_fields", "vanished")}
        for file in files
        if any(file[name] for name in ("rejected", "cut_values", "unknown_fields", "vanished"))
        or not file["lines"]
    ]
    return {
        "kinds": [
            {"kind": kind, "files": len(of_kind)}
            | {name: sum(file[name] for file in of_kind) for name in sums}
            for kind in (source.kind for source in SOURCES)
            for of_kind in [[file for file in read if file["kind"] == kind]]
        ],
        "noted": sorted(noted, key=lambda file: (-file["rejected"], file["source_key"]))[:SAMPLES],
        "files_noted": len(noted),
    }


def _read_rejects(run_id: str) -> dict[str, Any]:
    """Return the reasons for rejected lines, and the first lines for each reason."""
    table = f"{ops()}.rejected_lines"
    reasons = warehouse.query(
        f"select column_name, reason, count(*) as lines, count(distinct source_key) as files from {table} "
        "where run_id = %s group by column_name, reason order by lines desc, column_name, reason limit 20",
        run_id,
    )
    samples = warehouse.query(
        "select source_key, line_number, column_name, reason, raw_line from ("
        "select source_key, line_number, column_name, reason, raw_line, row_number() over "
        "(partition by column_name, reason order by source_key, line_number) as place "
        f"from {table} where run_id = %s) as numbered where place <= {SAMPLES_OF_A_REASON} "
        f"order by column_name, reason, source_key, line_number limit {SAMPLES}",
        run_id,
    )
    return {
        "reasons": _named(("column", "reason", "lines", "files"), reasons),
        "samples": _named(("source_key", "line_number", "column", "reason", "raw_line"), samples),
    }


def _read_refused(run_id: str) -> list[dict[str, Any]]:
    """Return the first files that this run refused, with the reasons."""
    rows = warehouse.query(
        f"select source_key, lines, rejected, reason from {ops()}.refused_files where run_id = %s "
        f"order by source_key limit {SAMPLES}",
        run_id,
    )
    return _named(("source_key", "lines", "rejected", "reason"), rows)


def _read_changes(published: Published | None) -> list[dict[str, Any]]:
    """Return the row count of each published table, and the numbers of deleted, inserted and updated rows."""
    changed = published["changed"] if published else {}
    tables = (*STAR, *HISTORY)
    counts = warehouse.query(
        " union all ".join(
            f"select '{table}' as name, count(*) as counted from {star()}.{table}" for table in tables
        )
    )
    now = dict(counts)
    return [
        {"table": table, "rows": now[table]}
        | {kind: changed.get(table, {}).get(kind, 0) for kind in ("deleted", "inserted", "updated")}
        for table in tables
    ]


def _read_checks(run_id: str, since: datetime | None) -> list[dict[str, Any]]:
    """Return all declared checks, each with its status: pass, warn, fail or not run."""
    results = {}
    for table, check, actual, passed, sample, checked_at in warehouse.query(
        f"select table_name, check_name, actual, passed, sample, checked_at from {ops()}.quality_results "
        "where run_id = %s",
        run_id,
    ):
        if since and checked_at >= _naive(since) - CLOCK_SKEW:
            results[table, check] = (actual, passed, sample)
    found = []
    for check in checks.all_checks():
        actual, passed, sample = results.get((check.table, check.name), ("", None, ""))
        status = "not run" if passed is None else "pass" if passed else check.severity
        found.append(
            {
                "table": check.table,
                "check": check.name,
                "description": check.description,
                "severity": check.severity,
                "status": status,
                "actual": actual,
                "sample": sample,
            }
        )
    return found


def _phases(tasks: Sequence[Mapping[str, Any]], began: datetime) -> list[dict[str, Any]]:
    """Return the start, in seconds since the run began, and the duration of each task or task group.

    On Airflow 3, the start is not available, and the duration is the sum of the durations of the tasks.
    """
    groups: dict[str, list[Mapping[str, Any]]] = collections.defaultdict(list)
    for task in tasks:
        groups[task["task"].split(".")[0]].append(task)
    found = []
    for phase, members in groups.items():
        states = {task["state"] for task in members}
        # The state of a group is the worst state of its tasks.
        state = next(
            (one for one in ("failed", "upstream_failed", "running", "success") if one in states), "skipped"
        )
        starts = [task["start"] for task in members if task["start"]]
        ends = [task["end"] for task in members if task["end"]]
        ran = starts and ends and state != "upstream_failed"
        seconds = (max(ends) - min(starts)).total_seconds() if ran else None
        if durations := [task["seconds"] for task in members if task.get("seconds") is not None]:
            seconds = sum(durations)
        found.append(
            {
                "phase": phase,
                "state": state,
                "tasks": len(members),
                "tries": max((task["tries"] for task in members if task["tries"] is not None), default=None),
                "start": round(max((min(starts) - began).total_seconds(), 0), 1) if ran else None,
                "seconds": None if seconds is None else round(seconds, 1),
            }
        )
    return found


def _read_days(interval: Interval | None) -> list[dict[str, Any]]:
    """Return the plays by day and hour, for all days of the run and of the four weeks before it.

    :returns: ``day`` (ISO 8601), ``own`` (whether the day is in the interval), ``plays``, ``free``, ``paid``,
        ``matched``, ``hours`` (24 counts) and ``usual`` (the mean for the same weekday in the four weeks before, or
        None with fewer than two such days).
    """
    start, end = (interval.start.date(), list(interval.days())[-1]) if interval else (date.min, date.max)
    if (end - start).days >= DAYS_SHOWN:
        # A chart with more days would not be readable, so show only the latest days.
        ((last,),) = warehouse.query(
            f"select max(start_time) from {star()}.songplays where start_time < %s",
            interval.end if interval else intervals.ALL_TIME_END,
        )
        if last is None:
            return []
        end = min(end, last.date())
        start = max(start, end - timedelta(days=DAYS_SHOWN - 1))
    before = timedelta(weeks=WEEKS_BEFORE)
    rows = warehouse.query(
        "select trunc(start_time), extract(hour from start_time), level, count(*), count(song_id) "
        f"from {star()}.songplays where start_time >= %s and start_time < %s group by 1, 2, 3",
        datetime.combine(start - before, datetime.min.time()),
        datetime.combine(end + timedelta(days=1), datetime.min.time()),
    )
    shown = [end - timedelta(days=back) for back in range((end - start + before).days, -1, -1)]
    found: dict[date, dict[str, Any]] = {
        day: {"day": day.isoformat(), "own": day >= start, "hours": [0] * 24, "usual": None}
        | dict.fromkeys(("plays", "free", "paid", "matched"), 0)
        for day in shown
    }
    for day, hour, level, plays, matched in rows:
        found[day]["plays"] += plays
        found[day][level] += plays
        found[day]["matched"] += matched
        found[day]["hours"][int(hour)] += plays
    for day, facts in found.items():
        if facts["own"]:
            past = [found[day - timedelta(weeks=week)]["plays"] for week in range(1, WEEKS_BEFORE + 1)]
            played = [plays for plays in past if plays]
            facts["usual"] = sum(played) / len(played) if len(played) >= 2 else None
    first = min([start, *(day for day, facts in found.items() if facts["plays"])])
    return [facts for day, facts in found.items() if day >= first]


def _named(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[dict[str, Any]]:
    return [dict(zip(names, row, strict=True)) for row in rows]


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)
