"""Determine the due files of a run by comparing the versions of files in the lake with the ledger."""

from __future__ import annotations

import dataclasses
import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Literal, NamedTuple, TypeVar

from airflow.providers.common.compat.sdk import AirflowSkipException

from include.sparkify import intervals
from include.sparkify.errors import ConfigurationError, DataError
from include.sparkify.files import lake
from include.sparkify.files.chunks import Chunks
from include.sparkify.files.lake import LakeObject
from include.sparkify.intervals import Interval
from include.sparkify.redshift import ledger
from include.sparkify.run_plan import MODES, Plan
from include.sparkify.settings import (
    Settings,
    check_environment,
    new_run_schema,
    ops,
    prefix_of,
    run_limit,
    run_prefix,
    settings,
)
from include.sparkify.tables import SOURCES, Source

# Maximum number of unrecognized keys in a plan.
KEPT_KEYS = 100
# Number of files of the ledger in a range of keys that one thread lists, with some LIST requests for 1,000 objects
# each.
FILES_OF_A_RANGE = 6_000

log = logging.getLogger(__name__)
T = TypeVar("T")


class Compared(NamedTuple):
    """A key of the lake or the ledger, with the object and the loaded version."""

    key: str
    item: LakeObject | None
    """The object in the lake, or None if the object does not exist."""
    loaded: str
    """The loaded version, or an empty string if no version is loaded."""


@dataclasses.dataclass
class Due:
    """The daily files that a run must read."""

    files: list[tuple[str, LakeObject, str]] = dataclasses.field(default_factory=list)
    """Due files as (kind, file, loaded version or an empty string)."""
    vanished: list[tuple[str, str, str]] = dataclasses.field(default_factory=list)
    """Loaded files that are no longer in the lake, as (kind, key, loaded version)."""
    absent: dict[str, list[date]] = dataclasses.field(default_factory=dict)
    """Days of the interval without a file, by kind."""
    refused: list[str] = dataclasses.field(default_factory=list)
    """``key: reason`` of the files of the interval whose current version is refused."""
    refused_before: int = 0
    """Number of such files of the days before the interval."""
    unrecognized: list[str] = dataclasses.field(default_factory=list)


def has_waited_enough(context: Mapping[str, Any]) -> bool:
    """Return whether the log file of the interval's last day exists, or the run no longer has to wait for the file.

    A run waits until ``wait_minutes`` after the end of its interval, so a backfill does not wait. Runs in mode
    ``replay`` or ``full_refresh`` do not wait. :func:`make_plan` determines whether an absent file is an error.

    :raises ConfigurationError: the run would wait longer than its timeout.
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
            f"a run ({run_limit()}), at which Airflow ends a waiting run. Next: lower it, or raise SPARKIFY_RUN_HOURS."
        )
    return is_there


def make_plan(context: Mapping[str, Any]) -> tuple[Plan, list[str]]:
    """Determine the due files, and write the list of due files to the work bucket in chunks.

    A file is due if its current version in the lake is not in the ledger. Earlier runs do not affect this decision.

    :param context: the Airflow context of a task in the run.
    :returns: the plan, and the keys of the chunks in the work bucket (at least one).
    :raises AirflowSkipException: no file is due, or the interval has no log file and the policy is to skip.
    :raises DataError: files of the interval are refused and no other file is due, too many song files are refused, or
        the interval has no log file and the policy is to fail.
    :raises ConfigurationError: a setting, a parameter, the bucket or a permission must be fixed.
    :raises TransientError: AWS or the warehouse did not respond.
    """
    began = datetime.now(UTC)
    check_environment()
    config, run_id, params = settings(), context["run_id"], context["params"]
    mode = params["mode"]
    if mode not in MODES:
        raise ConfigurationError(f"mode must be one of {sorted(MODES)}, not {mode!r}")
    interval = intervals.of_run(context)
    # A run in mode load without the parameter start also looks for late and changed files.
    back = config.look_back_days if mode == "load" and not params.get("start") else 0
    looked_at = Interval(interval.start - timedelta(days=back), interval.end)

    s3 = lake.client()
    loaded = ledger.read(looked_at)
    wanted = ledger.find_replayed(loaded) if mode == "replay" else set()
    due = _find_due(s3, mode, interval, looked_at, loaded, wanted)
    schema = new_run_schema(run_id)
    expected = sum(item.size for _, item, _ in due.files)
    chunks = Chunks(s3, config.work_bucket, run_prefix(schema), expected)
    for file in due.files:
        chunks.add(*file)
    for vanished in due.vanished:
        chunks.add_vanished(*vanished)
    listed: dict[str, int] = {}
    refused: dict[str, int] = {}
    for source in SOURCES:
        if not source.daily and _is_listed(run_id, interval):
            compared = _compare(lake.ManyObjects(s3, config.source_bucket), source)
            listed[source.kind], refused[source.kind] = _add_due(
                chunks, source, compared, mode, loaded, wanted, due.unrecognized
            )
            reasons = [f"{key}: {reason}" for (key, _), reason in loaded.refused.items()]
            check_refused(source, refused[source.kind], listed[source.kind], reasons)
    for key in due.unrecognized[:20]:
        log.warning("s3://%s/%s is not read: %s", config.source_bucket, key, lake.explain_name(key))
    if interval != intervals.ALL_TIME:
        _apply_absent_policy(due, interval, config)
    if not (chunks.files or chunks.vanished):
        if due.refused:
            raise DataError(f"nothing was published. {describe_left_out(due.refused, [])}")
        message = f"nothing is new for {interval}: the current version of every file is loaded"
        if count := due.refused_before + sum(refused.values()):
            message += f", except for {count} refused files: select * from {ops()}.refused_files"
        raise AirflowSkipException(message)
    keys = chunks.close(_earlier_chunks(context))
    plan: Plan = {
        "run_schema": schema,
        "mode": mode,
        "commit_id": loaded.commit_id,
        "read_at": loaded.read_at.isoformat(),
        "began_at": began.isoformat(),
        "interval_start": interval.start.isoformat(),
        "interval_end": interval.end.isoformat(),
        "files": chunks.files,
        "chunks": len(keys),
        "listed": listed,
        "refused_of": refused,
        "refused": due.refused,
        "unrecognized": due.unrecognized[:KEPT_KEYS],
    }
    return plan, keys


def _earlier_chunks(context: Mapping[str, Any]) -> int:
    """Return the number of mapped task instances of `validate` in an earlier try of the run.

    Airflow 2 sets task instances without a chunk to the state removed, and then never starts `open_run`, because
    removed is not success: https://github.com/apache/airflow/blob/2.11.2/airflow/ti_deps/deps/trigger_rule_dep.py.
    Airflow 3 starts `open_run`, and its ``dag_run`` does not provide other task instances to a task.
    """
    run: Any = context.get("dag_run")
    if not hasattr(run, "get_task_instances"):
        return 0
    return sum(ti.task_id == "validate" and ti.map_index >= 0 for ti in run.get_task_instances())


def check_refused(source: Source, refused: int, listed: int, reasons: list[str]) -> None:
    """Stop the run before it loads a file if too many files of a source without days are refused.

    :param reasons: ``key: reason`` of refused files, including files of other sources.
    :raises DataError: the share of refused files is above ``reject_threshold``.
    """
    threshold, prefix = settings().reject_threshold, prefix_of(source)
    if refused > threshold * listed:
        first = next((reason for reason in reasons if reason.startswith(prefix)), "")
        raise DataError(
            f"{refused} of {listed} files of {source.kind} are refused (threshold {threshold:.2%}), so nothing was "
            f"published. First: {first}. All: select * from {ops()}.refused_files where kind = '{source.kind}'. Next: "
            "have the files corrected and delivered again (new versions are found automatically), or fix the contract "
            "and run with mode=replay."
        )


def describe_left_out(refused: list[str], replaced: list[str]) -> str:
    """Return a message with the files that a run could not load, the reasons, and the next step.

    :param refused: ``key: reason`` of refused files.
    :param replaced: keys of files of which another run has loaded another version in the meantime.
    """
    text = []
    if refused:
        text.append(
            f"{len(refused)} {'file is' if len(refused) == 1 else 'files are'} refused: {'; '.join(refused[:10])}. "
            f"All of them: select * from {ops()}.refused_files. Next: have the files corrected and delivered again "
            "(new versions are found automatically), or fix the contract and run with mode=replay."
        )
    if replaced:
        text.append(
            f"{len(replaced)} {'file was' if len(replaced) == 1 else 'files were'} loaded by another run at another "
            "version while this run was reading: "
            f"{', '.join(replaced[:10])}. Next: run the interval again, to load the current version."
        )
    return " ".join(text)


def decide(
    mode: str, etag: str, loaded: str, is_refused: bool, is_replayed: bool
) -> Literal["due", "loaded", "refused"]:
    """Return the state of a file, given its version in the lake and the loaded version (or an empty string).

    :param is_refused: an earlier run has refused this version.
    :param is_replayed: mode ``replay`` must read the file.
    """
    if mode == "load":
        if is_refused:
            return "refused"
        return "loaded" if etag == loaded else "due"
    return "loaded" if mode == "replay" and not is_replayed else "due"


def _find_due(
    s3: Any, mode: str, interval: Interval, looked_at: Interval, loaded: ledger.Ledger, replayed: set[str]
) -> Due:
    """Return the files of daily sources whose current version is not loaded, or that the mode selects."""
    due = Due()
    own_days = [] if interval == intervals.ALL_TIME else list(interval.days())
    for source in SOURCES:
        if not source.daily:
            continue
        found = lake.list_daily(s3, settings().source_bucket, prefix_of(source), source.path, looked_at)
        due.unrecognized += found.unrecognized
        etags = loaded.etags[source.kind]
        for item in found.files:
            etag, reason = etags.get(item.key, ""), loaded.refused.get((item.key, item.etag))
            verdict = decide(mode, item.etag, etag, reason is not None, item.key in replayed)
            if verdict == "refused" and item.file_date in own_days:
                due.refused.append(f"{item.key}: {reason}")
            elif verdict == "refused":
                due.refused_before += 1
            elif verdict == "due":
                due.files.append((source.kind, item, etag))
        if mode == "full_refresh":
            vanished = etags.keys() - {item.key for item in found.files}
            due.vanished += [(source.kind, key, etags[key]) for key in sorted(vanished)]
        days = {item.file_date for item in found.files}
        due.absent[source.kind] = [day for day in own_days if day not in days]
    return due


def _is_listed(run_id: str, interval: Interval) -> bool:
    """Return whether the run looks for new files of the sources without days.

    A scheduled run or a backfill run looks for them only if its interval ends at midnight, because each listing takes
    one request per 1,000 song files. A manual run always looks for them.
    """
    return interval.end.time() == time() or not run_id.startswith(("scheduled__", "backfill__"))


def _add_due(
    chunks: Chunks,
    source: Source,
    compared: Iterable[Compared],
    mode: str,
    loaded: ledger.Ledger,
    replayed: set[str],
    unrecognized: list[str],
) -> tuple[int, int]:
    """Add due files to the chunks, and keys whose path does not match the source to ``unrecognized``.

    :returns: the number of files in the lake, and the number of files whose current version is refused.
    """
    prefix, listed, refused = prefix_of(source), 0, 0
    for key, item, etag in compared:
        if item is None or not re.fullmatch(source.path, key.removeprefix(prefix)):
            if item is not None:
                unrecognized += [key][: KEPT_KEYS - len(unrecognized)]
            if mode == "full_refresh" and etag:
                chunks.add_vanished(source.kind, key, etag)
            continue
        listed += 1
        # Mode reload applies only to daily files. Otherwise, a manual run would read all song files.
        asked = "load" if mode == "reload" else mode
        verdict = decide(asked, item.etag, etag, (key, item.etag) in loaded.refused, key in replayed)
        if verdict == "due":
            chunks.add(source.kind, item, etag)
        elif verdict == "refused":
            refused += 1
    return listed, refused


def _compare(objects: lake.ManyObjects, source: Source) -> Iterator[Compared]:
    """Compare the lake with the ledger in ranges of keys, to list the lake in parallel."""
    prefix, after, rest = prefix_of(source), "", list[tuple[str, str]]()
    for page in ledger.read_pages(source.kind):
        rest += page
        bounds = [after, *(key for key, _ in rest[FILES_OF_A_RANGE - 1 :: FILES_OF_A_RANGE])]
        within = (len(bounds) - 1) * FILES_OF_A_RANGE
        yield from compare(objects.list_ranges(prefix, bounds), rest[:within])
        after, rest = bounds[-1], rest[within:]
    yield from compare(objects.list_objects(prefix, after), rest)


def compare(listed: Iterable[LakeObject], loaded: Iterable[tuple[str, str]]) -> Iterator[Compared]:
    """Return every key of the lake and the ledger, with the object in the lake and the loaded version.

    Both inputs must be sorted by byte value. They are merged in one pass, so memory usage does not grow with the lake.

    :raises ConfigurationError: one of the inputs is not sorted by byte value.
    """
    objects = _ascending(((item.key, item) for item in listed), "the source bucket lists its keys")
    etags = _ascending(iter(loaded), "the database sorts text")
    item, row = next(objects, None), next(etags, None)
    while item or row:
        if row is None or item is not None and item[0] < row[0]:
            assert item is not None
            yield Compared(item[0], item[1], "")
            item = next(objects, None)
        elif item is None or row[0] < item[0]:
            yield Compared(row[0], None, row[1])
            row = next(etags, None)
        else:
            yield Compared(item[0], item[1], row[1])
            item, row = next(objects, None), next(etags, None)


def _ascending(pairs: Iterator[tuple[str, T]], what: str) -> Iterator[tuple[str, T]]:
    last = ""
    for pair in pairs:
        # Python compares code points, which have the same order as their bytes in UTF-8.
        if pair[0] < last:
            raise ConfigurationError(
                f"{what} out of byte order: {pair[0]!r} comes after {last!r}. Next: use a general "
                "purpose bucket, and a database without COLLATE CASE_INSENSITIVE."
            )
        last = pair[0]
        yield pair


def _apply_absent_policy(due: Due, interval: Interval, config: Settings) -> None:
    """Apply the policy for days without a log file.

    :raises AirflowSkipException, DataError: according to the policy.
    """
    missing = {kind: days for kind, days in due.absent.items() if days}
    if not missing:
        return
    message = "; ".join(
        f"no file of {kind} for {len(days)} day(s) of {interval}: {', '.join(map(str, days[:10]))}"
        for kind, days in missing.items()
    )
    if due.unrecognized:
        named = "; ".join(f"{key}: {lake.explain_name(key)}" for key in due.unrecognized[:3])
        message += f". {len(due.unrecognized)} keys below log_prefix are not read ({named})"
    if config.absent == "fail":
        raise DataError(
            f"{message}. Nothing was loaded. Next: have the files delivered, then run the interval again."
        )
    log.warning("%s. A later run finds a late file by look-back, or with start and end", message)
    all_days = list(interval.days())
    if config.absent == "skip" and not due.files and all(days == all_days for days in due.absent.values()):
        raise AirflowSkipException(message)
