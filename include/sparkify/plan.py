"""The plan of a run: which files are due, and their screened lines ready for COPY."""

from __future__ import annotations

import collections
import dataclasses
import logging
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from airflow.providers.common.compat.sdk import AirflowSkipException

from include.sparkify import intervals, lake, screen, warehouse
from include.sparkify.checks import STAGING
from include.sparkify.errors import ConfigurationError, DataError, TransientError
from include.sparkify.intervals import Interval
from include.sparkify.lake import LakeObject
from include.sparkify.screen import Reject, Screened
from include.sparkify.settings import Settings, check_environment, run_schema, settings, star

MODES = {
    "load": "what is new or changed",
    "reload": "every log file of the interval, changed or not",
    "replay": "files with rejected lines (all of them, or of the interval given)",
    "full_refresh": "everything, from all files in the lake",
}
# Listings that may be overtaken by new versions before the run gives up.
LISTINGS = 5
# Rejected lines of a run that are kept in full, so that memory stays bounded; then one a file. All are counted.
KEPT_REJECTS = 20_000
# Files after which the log says how far the reading is.
PROGRESS_EVERY = 500

log = logging.getLogger(__name__)


@dataclasses.dataclass
class Ledger:
    """What ``loaded_files`` says: intervals by (key, ETag) of log files, ETags of song files, days processed."""

    events: dict[tuple[str, str], list[Interval]]
    songs: dict[str, str]
    processed: list[Interval]

    @property
    def log_keys(self) -> set[str]:
        return {key for key, _ in self.events}


@dataclasses.dataclass
class Due:
    """What a run has to read, and the stretches of time it will publish."""

    log_files: list[LakeObject]
    song_files: list[LakeObject]
    windows: list[Interval]
    vanished: list[Screened]
    absent_days: list[Interval]
    ledger: Ledger


def make(context: Mapping[str, Any]) -> dict[str, Any]:
    """Decide what is due, screen it into the work bucket, and say where it lies.

    :param context: the Airflow context of a task in the run.
    :returns: ``interval_start``, ``interval_end`` (ISO), ``windows`` (pairs of ISO times), the keys of the COPY
        manifests ``staging_events``, ``staging_songs`` and ``staging_files``, and ``files``, the number of files read.
    :raises AirflowSkipException: nothing is new, or the interval has no log file and the policy is to skip.
    :raises DataError: too many lines were rejected, a file is broken, or the policy is to fail without a log file.
    :raises ConfigurationError: a setting, a parameter, the bucket or a right has to be mended.
    :raises TransientError: files kept changing while they were read, or AWS or the warehouse did not answer.
    """
    check_environment()
    config, run_id = settings(), context["run_id"]
    mode = context["params"]["mode"]
    if mode not in MODES:
        raise ConfigurationError(f"mode must be one of {sorted(MODES)}, not {mode!r}")
    given = bool(context["params"].get("start") or context["params"].get("end"))
    if mode == "full_refresh" and given:
        raise ConfigurationError("a full refresh owns all of time: leave start and end empty")
    whole = mode == "full_refresh" or (mode == "replay" and not given)
    interval = intervals.ALL_TIME if whole else intervals.of_run(context)

    s3 = lake.client()
    for _ in range(LISTINGS):
        due = _due(s3, config, interval, mode, look_back=not given and mode == "load")
        _absent(due, interval, run_id, config, whole)
        if not (due.log_files or due.song_files or due.vanished):
            raise AirflowSkipException(f"nothing is new for {interval}: every file is loaded at its version")
        try:
            return _screened(s3, config, run_id, interval, due)
        except lake.ObjectChanged as changed:
            log.warning("s3://%s/%s changed while it was read: listing again", config.source_bucket, changed)
    raise TransientError(f"files of {interval} kept changing while they were read ({LISTINGS} listings)")


def _due(s3: Any, config: Settings, interval: Interval, mode: str, look_back: bool) -> Due:
    """Compare what lies in the lake with what the ledger says is loaded."""
    if interval == intervals.ALL_TIME:
        looked_at = interval
        listed = list(lake.listing(s3, config.source_bucket, config.log_prefix))
    else:
        back = timedelta(days=config.look_back_days if look_back else 0)
        looked_at = Interval(interval.start - back, interval.end)
        listed = [
            item
            for day in looked_at.days()
            for item in lake.listing(s3, config.source_bucket, f"{config.log_prefix}{day:%Y/%m/%Y-%m-%d}")
        ]
    log_files = [item for item in listed if item.file_date is not None]
    for item in listed:
        if item.file_date is None:
            log.warning("s3://%s/%s is no log file by its name: ignored", config.source_bucket, item.key)
    songs = [item for item in lake.listing(s3, config.source_bucket, config.song_prefix) if item.is_song]
    ledger = _ledger(looked_at)

    if mode == "full_refresh":
        present = {item.key for item in log_files} | {item.key for item in songs}
        gone = [
            Screened(kind, key, "", 0, None, None, loaded_before=True, vanished=True)
            for kind, keys in (("events", ledger.log_keys), ("songs", set(ledger.songs)))
            for key in sorted(keys - present)
        ]
        return Due(log_files, songs, [interval], gone, [], ledger)
    if mode == "replay":
        wanted = {
            key for (key,) in warehouse.query(f"select distinct source_key from {star()}.rejected_lines")
        }
        log_files = [item for item in log_files if item.key in wanted]
        days = [intervals.of_day(item.file_date) for item in log_files if item.file_date]
        return Due(
            log_files,
            [item for item in songs if item.key in wanted],
            intervals.union(part for day in days if (part := day.intersection(interval))),
            [],
            [],
            ledger,
        )

    before = []
    if looked_at.start < interval.start:
        past = Interval(looked_at.start, interval.start)
        before = [part for known in ledger.processed if (part := known.intersection(past))]
    windows: list[Interval] = []
    due_files = []
    for item in log_files:
        day = intervals.of_day(item.file_date)  # type: ignore[arg-type]
        loaded = ledger.events.get((item.key, item.etag), [])
        # Its own part of the day is owed; before that, only what was processed once is looked at again.
        owed = [day.intersection(interval)]
        owed += [part.intersection(day) for part in before]
        late = [part for part in owed if part and (mode == "reload" or not intervals.covers(loaded, part))]
        if late:
            due_files.append(item)
            windows += late
    with_files = {item.file_date for item in log_files}
    absent = [
        part
        for day in interval.days()
        if day not in with_files and (part := intervals.of_day(day).intersection(interval))
    ]
    due_songs = [item for item in songs if ledger.songs.get(item.key) != item.etag]
    return Due(due_files, due_songs, intervals.union(windows), [], absent, ledger)


def _ledger(looked_at: Interval) -> Ledger:
    """The ledger of the song files, and of the log files' intervals that begin in ``looked_at``'s days."""
    start = intervals.of_day(looked_at.start.date()).start
    rows = warehouse.query(
        "select source_key, kind, etag, interval_start, interval_end "
        f"from {star()}.loaded_files where kind = 'songs' or (interval_start >= %s and interval_start < %s)",
        start,
        looked_at.end,
    )
    events: dict[tuple[str, str], list[Interval]] = collections.defaultdict(list)
    songs, processed = {}, []
    for key, kind, etag, interval_start, interval_end in rows:
        if kind == "songs":
            songs[key] = etag
            continue
        part = Interval(interval_start, interval_end)
        processed.append(part)
        if kind == "events":
            events[key, etag].append(part)
    return Ledger(events, songs, intervals.union(processed))


def _absent(due: Due, interval: Interval, run_id: str, config: Settings, whole: bool) -> None:
    """Apply the policy for days without a log file; the ledger remembers them, so that a late file is found."""
    if whole or not due.absent_days:
        return
    missing = ", ".join(f"{part.start:%Y-%m-%d}" for part in due.absent_days[:10])
    message = f"no log file for {len(due.absent_days)} day(s) of {interval}: {missing}"
    if config.absent == "fail":
        raise DataError(
            f"{message}. Nothing was loaded. Have the files delivered, then run the interval again."
        )
    new = [part for part in due.absent_days if not intervals.covers(due.ledger.processed, part)]

    def remember(cursor: Any) -> None:
        warehouse.lock(cursor)
        for part in new:
            values = (f"{config.log_prefix}{part.start:%Y/%m/%Y-%m-%d}", part.start, part.end)
            cursor.execute(
                f"delete from {star()}.loaded_files "
                "where kind = 'absent' and source_key = %s and interval_start = %s and interval_end = %s",
                values,
            )
            cursor.execute(
                f"insert into {star()}.loaded_files (source_key, kind, etag, size, interval_start, interval_end, "
                "lines, accepted, rejected, run_id, loaded_at) "
                "values (%s, 'absent', '', 0, %s, %s, 0, 0, 0, %s, getdate())",
                (*values, run_id),
            )

    if new:
        warehouse.transaction(remember, "note absent days in the ledger")
    log.warning("%s; a file that comes later is found by look-back, or by a run with start and end", message)
    if config.absent == "skip" and not due.log_files and intervals.union(due.absent_days) == [interval]:
        raise AirflowSkipException(message)


def _screened(s3: Any, config: Settings, run_id: str, interval: Interval, due: Due) -> dict[str, Any]:
    """Read what is due into the work bucket; account for every line."""
    schema = run_schema(run_id)
    pieces = {name: screen.Pieces(s3, config.work_bucket, f"runs/{schema}/{name}") for name in STAGING}
    known = due.ledger.log_keys | set(due.ledger.songs)
    files: list[Screened] = list(due.vanished)
    rejects: list[Reject] = []
    total = len(due.log_files) + len(due.song_files)
    log.info("reading %d log files and %d song files", len(due.log_files), len(due.song_files))
    readings = (
        screen.log_files(s3, config.source_bucket, due.log_files, due.windows, pieces["staging_events"]),
        screen.song_files(s3, config.source_bucket, due.song_files, pieces["staging_songs"]),
    )
    for reading in readings:
        for screened, refused in reading:
            screened.loaded_before = screened.source_key in known
            files.append(screened)
            # One a file at least: it is by them that mode=replay finds the file.
            rejects += refused if len(rejects) < KEPT_REJECTS else refused[:1]
            if len(files) % PROGRESS_EVERY == 0:
                log.info("read %d of %d files", len(files), total)
    for screened in files:
        pieces["staging_files"].write(dataclasses.asdict(screened))
    manifests = {name: piece.finish() for name, piece in pieces.items()}
    _remember_rejects(run_id, files, rejects)
    _account(files, rejects, config.reject_threshold)
    return {
        "interval_start": interval.start.isoformat(),
        "interval_end": interval.end.isoformat(),
        "windows": [[window.start.isoformat(), window.end.isoformat()] for window in due.windows],
        "files": total,
        **manifests,
    }


def _remember_rejects(run_id: str, files: Iterable[Screened], rejects: list[Reject]) -> None:
    """Replace the rejected lines of the files just read: also of a run that publishes nothing."""
    table = f"{star()}.rejected_lines"
    read = {screened.source_key for screened in files}
    stale = sorted(read & {key for (key,) in warehouse.query(f"select distinct source_key from {table}")})
    if not (stale or rejects):
        return

    def replace(cursor: Any) -> None:
        warehouse.lock(cursor)
        for key in sorted({*stale, *(reject.source_key for reject in rejects)}):
            cursor.execute(f"delete from {table} where source_key = %s", (key,))
        cursor.execute("select getdate()")
        now = cursor.fetchone()[0]
        columns = [field.name for field in dataclasses.fields(Reject)] + ["run_id", "rejected_at"]
        warehouse.insert(
            cursor, table, columns, [(*dataclasses.astuple(row), run_id, now) for row in rejects]
        )

    warehouse.transaction(replace, "keep rejected lines")


def _account(files: list[Screened], rejects: list[Reject], threshold: float) -> None:
    """Stop the run if too much of what came in was refused.

    :raises DataError: over the threshold, or a log file none of whose lines was accepted.
    """
    lines = sum(screened.lines for screened in files)
    rejected = sum(screened.rejected for screened in files)
    log.info("%d lines in %d files: %d rejected", lines, len(files), rejected)
    for reject in rejects[:20]:
        log.warning(
            "rejected %s line %d, %s: %s",
            reject.source_key,
            reject.line_number,
            reject.column_name,
            reject.reason,
        )
    unread = [s.source_key for s in files if s.kind == "events" and s.lines and not s.accepted]
    if rejected > threshold * lines or unread:
        first = rejects[0]
        raise DataError(
            f"{rejected} of {lines} lines were rejected (threshold {threshold:.2%})"
            + (f", and all of {unread[0]}" if unread else "")
            + f"; nothing was published. First: {first.source_key} line {first.line_number}, "
            f"{first.column_name or 'whole line'}: {first.reason}. All of them: select * from {star()}.rejected_lines. "
            "Have the files corrected and delivered again (found by itself), or mend the contract and run with "
            "mode=replay."
        )
