"""Decide what a run has to read: compare the lake with the ledger. Nothing is read here but names and versions."""

from __future__ import annotations

import collections
import dataclasses
import logging
import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypedDict

import orjson
from airflow.providers.common.compat.sdk import AirflowSkipException

from include.sparkify import intervals, lake, warehouse
from include.sparkify.errors import ConfigurationError, DataError
from include.sparkify.intervals import Interval
from include.sparkify.lake import LakeObject
from include.sparkify.settings import Settings, check_environment, ops, run_prefix, settings
from include.sparkify.validate import Chunk

MODES = {
    "load": "new and changed files",
    "reload": "every log file of the interval, changed or not",
    "replay": "files with rejected lines and refused files (all of them, or of the interval given)",
    "full_refresh": "everything, from all files in the lake",
}
# Bounds on what one task validates: about ten seconds of work, so that a large load spreads over the workers.
CHUNK_BYTES = 64 << 20
CHUNK_FILES = 5_000

log = logging.getLogger(__name__)


class Plan(TypedDict):
    """The decision of `plan`, for the tasks that follow."""

    mode: str
    began_at: str
    """When this try of `plan` began, ISO, UTC: of what is older, an earlier try of the run is the author."""
    interval_start: str
    interval_end: str
    """The interval of the run, ISO."""
    windows: list[tuple[str, str]]
    """The disjoint intervals that the run publishes, ISO."""
    files: int
    """Files to read."""
    listed_songs: int
    """Song files in the lake."""
    refused_songs: int
    """Those of them that are refused at their present version and not read again."""
    refused: list[str]
    """``key: reason`` of log files of the interval that are refused at their present version and not read again."""
    unrecognized: list[str]
    """Keys and folders in the lake that are not where, or not named as, a source file must be (the first 100)."""


@dataclasses.dataclass
class Ledger:
    """The files that are loaded or refused."""

    etags: dict[str, str]
    """The loaded version by key."""
    loaded: dict[str, list[Interval]]
    """The intervals loaded by key of a log file."""
    songs: dict[str, str]
    """The loaded version by key of a song file."""
    processed: list[Interval]
    """The time that a run has processed, with or without a file."""
    refused: dict[tuple[str, str], str]
    """The reason by key and ETag of the refused versions."""


@dataclasses.dataclass
class Due:
    """The files that a run has to read, and the intervals that it publishes."""

    log_files: list[LakeObject]
    song_files: list[LakeObject]
    windows: list[Interval]
    vanished: list[tuple[str, str, str]] = dataclasses.field(default_factory=list)
    absent: list[Interval] = dataclasses.field(default_factory=list)
    refused: list[str] = dataclasses.field(default_factory=list)
    refused_songs: int = 0


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
    songs = lake.list_song_files(s3, config.source_bucket, config.song_prefix)
    unrecognized = [*logs.unrecognized, *songs.unrecognized]
    for key in unrecognized[:20]:
        log.warning(
            "s3://%s/%s is not named as a source file, or in the wrong folder: ignored",
            config.source_bucket,
            key,
        )
    ledger = _read_ledger(looked_at)
    due = _find_due(mode, interval, looked_at, logs.files, songs.files, ledger)

    reasons = [f"{key}: {reason}" for (key, _), reason in ledger.refused.items()]
    check_refused_songs(due.refused_songs, len(songs.files), reasons)
    if interval != intervals.ALL_TIME:
        _apply_absent_policy(due, interval, run_id, config)
    if not (due.log_files or due.song_files or due.vanished):
        if due.refused:
            raise DataError(f"nothing was published. {describe_left_out(due.refused, [])}")
        raise AirflowSkipException(f"nothing is new for {interval}: every file is loaded at its version")
    plan: Plan = {
        "mode": mode,
        "began_at": began.isoformat(),
        "interval_start": interval.start.isoformat(),
        "interval_end": interval.end.isoformat(),
        "windows": [(window.start.isoformat(), window.end.isoformat()) for window in due.windows],
        "files": len(due.log_files) + len(due.song_files),
        "listed_songs": len(songs.files),
        "refused_songs": due.refused_songs,
        "refused": due.refused,
        "unrecognized": unrecognized[:100],
    }
    return plan, _write_chunks(s3, config.work_bucket, run_prefix(run_id), due, ledger)


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


def _find_due(
    mode: str, interval: Interval, looked_at: Interval, logs: list[LakeObject], songs: list[LakeObject], ledger: Ledger
) -> Due:  # fmt: skip
    if mode == "full_refresh":
        present = {item.key for item in (*logs, *songs)}
        vanished = [
            (kind, key, etag)
            for kind, etags in (("events", ledger.etags), ("songs", ledger.songs))
            for key, etag in sorted(etags.items())
            if key not in present
        ]
        return Due(logs, songs, [interval], vanished)
    if mode == "replay":
        wanted = {key for key, _ in ledger.refused} | {
            key for (key,) in warehouse.query(f"select distinct source_key from {ops()}.rejected_lines")
        }
        logs = [item for item in logs if item.key in wanted]
        days = [intervals.of_day(item.file_date) for item in logs if item.file_date]
        windows = intervals.union(part for day in days if (part := day.intersection(interval)))
        return Due(logs, [item for item in songs if item.key in wanted], windows)
    due = _find_due_log_files(mode, interval, looked_at, logs, ledger)
    for item in songs:
        if (item.key, item.etag) in ledger.refused:
            due.refused_songs += 1
        elif ledger.songs.get(item.key) != item.etag:
            due.song_files.append(item)
    return due


def _find_due_log_files(
    mode: str, interval: Interval, looked_at: Interval, logs: list[LakeObject], ledger: Ledger
) -> Due:
    """Return the log files of which a part is not loaded at the present version, and those parts."""
    before: list[Interval] = []
    if looked_at.start < interval.start:
        past = Interval(looked_at.start, interval.start)
        before = [part for known in ledger.processed if (part := known.intersection(past))]
    due, windows = Due([], [], []), []
    for item in logs:
        assert item.file_date is not None
        day = intervals.of_day(item.file_date)
        loaded = ledger.loaded.get(item.key, []) if ledger.etags.get(item.key) == item.etag else []
        own = day.intersection(interval)
        # The run owes its own part of the day; of the days before, only the time that was processed once.
        owed = [part for part in (own, *(part.intersection(day) for part in before)) if part]
        late = [part for part in owed if mode == "reload" or not intervals.covers(loaded, part)]
        reason = ledger.refused.get((item.key, item.etag)) if mode == "load" else None
        if late and reason is None:
            due.log_files.append(item)
            windows += late
        elif reason is not None and own in late:
            due.refused.append(f"{item.key}: {reason}")
    present = {item.file_date for item in logs}
    due.absent = [
        part
        for day in interval.days()
        if day not in present and (part := intervals.of_day(day).intersection(interval))
    ]
    due.windows = intervals.union(windows)
    return due


def _read_ledger(looked_at: Interval) -> Ledger:
    """Read the ledger of the song files, and of the log files of the days of ``looked_at``."""
    rows = warehouse.query(
        "select source_key, kind, etag, interval_start, interval_end "
        f"from {ops()}.loaded_files where kind = 'songs' or (interval_start >= %s and interval_start < %s)",
        intervals.of_day(looked_at.start.date()).start,
        looked_at.end,
    )
    loaded: dict[str, list[Interval]] = collections.defaultdict(list)
    etags, songs, processed = {}, {}, []
    for key, kind, etag, interval_start, interval_end in rows:
        if kind == "songs":
            songs[key] = etag
            continue
        processed.append(Interval(interval_start, interval_end))
        if kind == "events":
            etags[key] = etag
            loaded[key].append(processed[-1])
    refused = warehouse.query(f"select source_key, etag, reason from {ops()}.refused_files")
    return Ledger(
        etags, loaded, songs, intervals.union(processed), {(key, etag): why for key, etag, why in refused}
    )


def _apply_absent_policy(due: Due, interval: Interval, run_id: str, config: Settings) -> None:
    """Apply the policy for days without a log file; the ledger records them, so that a late file is found.

    :raises AirflowSkipException, DataError: according to the policy.
    """
    if not due.absent:
        return
    missing = ", ".join(f"{part.start:%Y-%m-%d}" for part in due.absent[:10])
    message = f"no log file for {len(due.absent)} day(s) of {interval}: {missing}"
    if config.absent == "fail":
        raise DataError(
            f"{message}. Nothing was loaded. Next: have the files delivered, then run the interval again."
        )
    note_owed(run_id, [(f"{config.log_prefix}{part.start:%Y/%m/%Y-%m-%d}", part) for part in due.absent])
    log.warning("%s; a late file is found by look-back, or by a run with start and end", message)
    if config.absent == "skip" and not due.log_files and intervals.union(due.absent) == [interval]:
        raise AirflowSkipException(message)


def note_owed(run_id: str, parts: Iterable[tuple[str, Interval]]) -> None:
    """Record time that was processed without a file, unless the ledger has it already.

    :param parts: source key (or the prefix without a file) and interval.
    """
    wanted = list(parts)

    def note(cursor: Any) -> None:
        warehouse.lock(cursor)
        insert_owed(cursor, run_id, wanted)

    warehouse.transaction(note, "record absent days in the ledger")


def insert_owed(cursor: Any, run_id: str, parts: list[tuple[str, Interval]]) -> None:
    """Insert the parts that the ledger does not have yet; the lock is held."""
    if not parts:
        return
    cursor.execute(
        f"select interval_start, interval_end from {ops()}.loaded_files "
        "where interval_start is not null and interval_start < %s and interval_end > %s",
        (max(part.end for _, part in parts), min(part.start for _, part in parts)),
    )
    known = intervals.union(Interval(*row) for row in cursor.fetchall())
    cursor.execute("select getdate()")
    now = cursor.fetchone()[0]
    columns = "source_key kind etag size interval_start interval_end lines accepted rejected run_id loaded_at"
    warehouse.insert(
        cursor,
        f"{ops()}.loaded_files",
        columns.split(),
        [
            (key, "absent", "", 0, piece.start, piece.end, 0, 0, 0, run_id, now)
            for key, part in parts
            for piece in intervals.subtract(part, known)
        ],
    )


def _write_chunks(s3: Any, bucket: str, prefix: str, due: Due, ledger: Ledger) -> list[str]:
    """Write the due files in chunks of about the same size; their keys in the work bucket, at least one."""
    entries = [("events", item, ledger.etags.get(item.key, "")) for item in due.log_files]
    entries += [("songs", item, ledger.songs.get(item.key, "")) for item in due.song_files]
    total = sum(item.size for _, item, _ in entries)
    number = max(1, math.ceil(total / CHUNK_BYTES), math.ceil(len(entries) / CHUNK_FILES))
    chunks: list[Chunk] = [{"events": [], "songs": [], "vanished": []} for _ in range(number)]
    chunks[0]["vanished"] = due.vanished
    weight = 0.0
    # A file weighs its bytes and its share of the round trips.
    whole = total / CHUNK_BYTES + len(entries) / CHUNK_FILES
    for kind, item, etag in entries:
        position = min(int(weight / whole * number), number - 1) if whole else 0
        weight += item.size / CHUNK_BYTES + 1 / CHUNK_FILES
        day = item.file_date.isoformat() if item.file_date else None
        entry = (item.key, item.etag, item.size, item.last_modified.isoformat(), day, etag)
        (chunks[position]["events"] if kind == "events" else chunks[position]["songs"]).append(entry)
    keys = []
    for position, chunk in enumerate(chunks):
        keys.append(f"{prefix}/{position:05}.json")
        lake.put(s3, bucket, keys[-1], orjson.dumps(chunk))
    log.info(
        "%d log files and %d song files to read, in %d chunks",
        len(due.log_files),
        len(due.song_files),
        number,
    )
    return keys
