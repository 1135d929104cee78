"""Decide what a run has to read: compare the lake with the ledger. Nothing is read here but names and versions."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, TypedDict, TypeVar

from airflow.providers.common.compat.sdk import AirflowSkipException

from include.sparkify import intervals, lake, warehouse
from include.sparkify.chunks import Chunks
from include.sparkify.errors import ConfigurationError, DataError
from include.sparkify.intervals import Interval
from include.sparkify.lake import LakeObject
from include.sparkify.ledger import Ledger, read_ledger, read_song_ledger
from include.sparkify.settings import Settings, check_environment, ops, run_prefix, settings

MODES = {
    "load": "new and changed files",
    "reload": "every log file of the interval, changed or not",
    "replay": "files with rejected lines and refused files (all of them, or of the interval given)",
    "full_refresh": "everything, from all files in the lake",
}
# Unrecognized keys that a plan names.
KEPT_KEYS = 100
# Songs of the ledger for which the lake is listed at once: some LIST requests, each for 1,000 objects.
SONGS_OF_A_RANGE = 6_000

log = logging.getLogger(__name__)
T = TypeVar("T")

# Key, the object in the lake (None if there is none), and the loaded version (empty if none).
Compared = tuple[str, LakeObject | None, str]


class Plan(TypedDict):
    """The decision of `plan`, for the tasks that follow."""

    mode: str
    began_at: str
    """When this try of `plan` began, ISO, UTC: of what is older, an earlier try of the run is the author."""
    interval_start: str
    interval_end: str
    """The interval of the run, ISO."""
    files: int
    """Files to read."""
    listed_songs: int
    """Song files in the lake; 0 if the run does not list them."""
    refused_songs: int
    """Those of them that are refused at their present version and not read again."""
    refused: list[str]
    """``key: reason`` of log files of the interval that are refused at their present version and not read again."""
    unrecognized: list[str]
    """Keys and folders in the lake that are not where, or not named as, a source file must be (the first 100)."""


@dataclasses.dataclass
class Due:
    """The log files that a run has to read."""

    log_files: list[LakeObject]
    vanished: list[tuple[str, str, str]] = dataclasses.field(default_factory=list)
    absent: list[date] = dataclasses.field(default_factory=list)
    refused: list[str] = dataclasses.field(default_factory=list)


def make_plan(context: Mapping[str, Any]) -> tuple[Plan, list[str]]:
    """Decide what is due, and write it to the work bucket in chunks.

    :param context: the Airflow context of a task in the run.
    :returns: the plan, and the keys of the chunks in the work bucket (at least one).
    :raises AirflowSkipException: nothing is new, or the interval has no log file and the policy is to skip.
    :raises DataError: files of the interval are refused and nothing else is due, too many song files are refused, or
        the interval has no log file and the policy is to fail.
    :raises ConfigurationError: a setting, a parameter, the bucket or a permission must be fixed.
    :raises TransientError: AWS or the warehouse did not answer.
    """
    began = datetime.now(UTC)
    check_environment()
    config, run_id, params = settings(), context["run_id"], context["params"]
    mode = params["mode"]
    if mode not in MODES:
        raise ConfigurationError(f"mode must be one of {sorted(MODES)}, not {mode!r}")
    interval = intervals.of_run(context)
    # A scheduled run also looks for files that came late or changed.
    back = config.look_back_days if mode == "load" and not params.get("start") else 0
    looked_at = Interval(interval.start - timedelta(days=back), interval.end)

    s3 = lake.client()
    logs = lake.list_log_files(s3, config.source_bucket, config.log_prefix, looked_at)
    ledger = read_ledger(looked_at)
    wanted = _find_replayed(ledger) if mode == "replay" else set()
    due = _find_due(mode, interval, looked_at, logs.files, ledger, wanted)
    expected = sum(item.size for item in due.log_files)
    chunks = Chunks(s3, config.work_bucket, run_prefix(run_id), expected)
    for item in due.log_files:
        chunks.add("events", item, ledger.etags.get(item.key, ""))
    for vanished in due.vanished:
        chunks.add_vanished(*vanished)
    unrecognized = logs.unrecognized[:KEPT_KEYS]
    listed = refused_songs = 0
    if _lists_songs(run_id, interval):
        songs = _compare_songs(lake.ManyObjects(s3, config.source_bucket), config.song_prefix)
        listed, refused_songs = _add_songs(chunks, songs, mode, ledger, wanted, unrecognized)
    for key in unrecognized[:20]:
        log.warning(
            "s3://%s/%s is not named as a source file, or in the wrong folder: ignored",
            config.source_bucket,
            key,
        )

    reasons = [f"{key}: {reason}" for (key, _), reason in ledger.refused.items()]
    check_refused_songs(refused_songs, listed, reasons)
    if interval != intervals.ALL_TIME:
        _apply_absent_policy(due, interval, config)
    if not (chunks.files or chunks.vanished):
        if due.refused:
            raise DataError(f"nothing was published. {describe_left_out(due.refused, [])}")
        raise AirflowSkipException(f"nothing is new for {interval}: every file is loaded at its version")
    plan: Plan = {
        "mode": mode,
        "began_at": began.isoformat(),
        "interval_start": interval.start.isoformat(),
        "interval_end": interval.end.isoformat(),
        "files": chunks.files,
        "listed_songs": listed,
        "refused_songs": refused_songs,
        "refused": due.refused,
        "unrecognized": unrecognized,
    }
    return plan, chunks.close()


def check_refused_songs(refused: int, listed: int, reasons: list[str]) -> None:
    """Stop before anything is loaded if too many of the song files in the lake are refused.

    :param reasons: ``key: reason`` of refused files, song files among them.
    :raises DataError: more than ``reject_threshold`` of them are.
    """
    config = settings()
    if refused > config.reject_threshold * listed:
        first = next((reason for reason in reasons if reason.startswith(config.song_prefix)), "")
        raise DataError(
            f"{refused} of {listed} song files are refused (threshold {config.reject_threshold:.2%}); nothing was "
            f"published. First: {first}. All: select * from {ops()}.refused_files where kind = 'songs'. Next: have the "
            "files corrected and delivered again (new versions are found automatically), or fix the contract and run "
            "with mode=replay."
        )


def describe_left_out(refused: list[str], replaced: list[str]) -> str:
    """Return which files a run could not load, why, and the next step.

    :param refused: ``key: reason`` of refused files.
    :param replaced: keys of files that another run has loaded at another version meanwhile.
    """
    text = []
    if refused:
        text.append(
            f"{len(refused)} files are refused: {'; '.join(refused[:10])}. "
            f"All of them: select * from {ops()}.refused_files. Next: have the files corrected and delivered again "
            "(new versions are found automatically), or fix the contract and run with mode=replay."
        )
    if replaced:
        text.append(
            f"{len(replaced)} files were loaded by another run at another version while this run was reading them: "
            f"{', '.join(replaced[:10])}. Next: run the interval again; it loads the present version."
        )
    return " ".join(text)


def _lists_songs(run_id: str, interval: Interval) -> bool:
    """Return whether the run looks for new song files.

    The scheduled run whose interval ends a day does, and every run by hand: listing song files costs one request per
    1,000 of them, every time.
    """
    return interval.end.time() == time() or not run_id.startswith(("scheduled__", "backfill__"))


def _add_songs(
    chunks: Chunks,
    songs: Iterable[Compared],
    mode: str,
    ledger: Ledger,
    replayed: set[str],
    unrecognized: list[str],
) -> tuple[int, int]:
    """Add the song files that are due to the chunks, and keys that are not named as a song file to ``unrecognized``.

    :returns: the number of song files in the lake, and of those that are refused at their present version.
    """
    prefix, listed, refused = settings().song_prefix, 0, 0
    for key, song, etag in songs:
        if song is None or not lake.is_song_file(key.removeprefix(prefix)):
            if song is not None:
                unrecognized += [key][: KEPT_KEYS - len(unrecognized)]
            if mode == "full_refresh" and etag:
                chunks.add_vanished("songs", key, etag)
            continue
        listed += 1
        if mode in ("replay", "full_refresh"):
            is_due = mode == "full_refresh" or key in replayed
        elif (key, song.etag) in ledger.refused:
            refused += 1
            is_due = False
        else:
            is_due = song.etag != etag
        if is_due:
            chunks.add("songs", song, etag)
    return listed, refused


def _compare_songs(songs: lake.ManyObjects, prefix: str) -> Iterator[Compared]:
    """Compare the lake with the ledger in ranges of keys, so that the lake can be listed in parallel."""
    after, rest = "", list[tuple[str, str]]()
    for page in read_song_ledger():
        rest += page
        bounds = [after, *(key for key, _ in rest[SONGS_OF_A_RANGE - 1 :: SONGS_OF_A_RANGE])]
        within = (len(bounds) - 1) * SONGS_OF_A_RANGE
        yield from compare(songs.list_ranges(prefix, bounds), rest[:within])
        after, rest = bounds[-1], rest[within:]
    yield from compare(songs.list_objects(prefix, after), rest)


def compare(listed: Iterable[LakeObject], loaded: Iterable[tuple[str, str]]) -> Iterator[Compared]:
    """Return every key of the lake or the ledger, the object in the lake, and the loaded version.

    Both come in the order of their bytes and are read side by side, so that memory does not grow with the lake.

    :raises ConfigurationError: one of them comes in another order.
    """
    objects = _ascending(((item.key, item) for item in listed), "the source bucket lists its keys")
    etags = _ascending(iter(loaded), "the database sorts text")
    item, row = next(objects, None), next(etags, None)
    while item or row:
        if row is None or item is not None and item[0] < row[0]:
            assert item is not None
            yield item[0], item[1], ""
            item = next(objects, None)
        elif item is None or row[0] < item[0]:
            yield row[0], None, row[1]
            row = next(etags, None)
        else:
            yield item[0], item[1], row[1]
            item, row = next(objects, None), next(etags, None)


def _ascending(pairs: Iterator[tuple[str, T]], what: str) -> Iterator[tuple[str, T]]:
    last = ""
    for pair in pairs:
        # Python compares code points, which are in the order of their bytes in UTF-8.
        if pair[0] < last:
            raise ConfigurationError(
                f"{what} in another order than that of bytes: {pair[0]!r} comes after {last!r}. Next: use a general "
                "purpose bucket, and a database without COLLATE CASE_INSENSITIVE."
            )
        last = pair[0]
        yield pair


def _find_replayed(ledger: Ledger) -> set[str]:
    """Return the keys of refused files, and of files with rejected lines."""
    rows = warehouse.query(f"select distinct source_key from {ops()}.rejected_lines")
    return {key for key, _ in ledger.refused} | {key for (key,) in rows}


def _find_due(
    mode: str, interval: Interval, looked_at: Interval, logs: list[LakeObject], ledger: Ledger, replayed: set[str]
) -> Due:  # fmt: skip
    """Return the log files that are not loaded at the present version, or that the mode asks for."""
    if mode == "full_refresh":
        present = {item.key for item in logs}
        gone = [("events", key, etag) for key, etag in sorted(ledger.etags.items()) if key not in present]
        return Due(logs, gone)
    if mode == "replay":
        return Due([item for item in logs if item.key in replayed])
    due = Due([])
    for item in logs:
        assert item.file_date is not None
        own = intervals.of_day(item.file_date).intersection(interval)
        reason = ledger.refused.get((item.key, item.etag)) if mode == "load" else None
        if reason is not None:
            due.refused += [f"{item.key}: {reason}"] if own else []
        elif mode == "reload" or ledger.etags.get(item.key) != item.etag:
            due.log_files.append(item)
    present_days = {item.file_date for item in logs}
    due.absent = [day for day in interval.days() if day not in present_days]
    return due


def _apply_absent_policy(due: Due, interval: Interval, config: Settings) -> None:
    """Apply the policy for days without a log file.

    :raises AirflowSkipException, DataError: according to the policy.
    """
    if not due.absent:
        return
    missing = ", ".join(map(str, due.absent[:10]))
    message = f"no log file for {len(due.absent)} day(s) of {interval}: {missing}"
    if config.absent == "fail":
        raise DataError(
            f"{message}. Nothing was loaded. Next: have the files delivered, then run the interval again."
        )
    log.warning("%s; a late file is found by look-back, or by a run with start and end", message)
    if config.absent == "skip" and not due.log_files and due.absent == list(interval.days()):
        raise AirflowSkipException(message)
