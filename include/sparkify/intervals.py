"""Half-open intervals of UTC time: what a run owns, what a file covers, what is due."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from include.sparkify.errors import ConfigurationError

# A full refresh owns all of time that the contract lets an event have.
ALL_TIME_START = datetime(2000, 1, 1)
ALL_TIME_END = datetime(2101, 1, 1)


@dataclasses.dataclass(frozen=True, order=True)
class Interval:
    """``[start, end)`` in UTC, as naive datetimes: what the warehouse's TIMESTAMP columns hold."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start >= self.end:
            raise ConfigurationError(f"interval {self} is empty: its end must come after its start")

    def __str__(self) -> str:
        return f"[{self.start:%Y-%m-%dT%H:%M:%S}, {self.end:%Y-%m-%dT%H:%M:%S})"

    def days(self) -> Iterator[date]:
        """The UTC days that the interval touches, in order."""
        day = self.start.date()
        while datetime.combine(day, datetime.min.time()) < self.end:
            yield day
            day += timedelta(days=1)

    def intersection(self, other: Interval) -> Interval | None:
        """What both own, or None."""
        start, end = max(self.start, other.start), min(self.end, other.end)
        return Interval(start, end) if start < end else None


ALL_TIME = Interval(ALL_TIME_START, ALL_TIME_END)


def of_day(day: date) -> Interval:
    """The whole UTC day."""
    start = datetime.combine(day, datetime.min.time())
    return Interval(start, start + timedelta(days=1))


def union(intervals: Iterable[Interval]) -> list[Interval]:
    """The same moments as disjoint intervals in order; neighbours are joined."""
    merged: list[Interval] = []
    for interval in sorted(intervals):
        if merged and interval.start <= merged[-1].end:
            merged[-1] = Interval(merged[-1].start, max(merged[-1].end, interval.end))
        else:
            merged.append(interval)
    return merged


def covers(intervals: Iterable[Interval], wanted: Interval) -> bool:
    """Whether every moment of ``wanted`` is in one of ``intervals``."""
    return any(part.start <= wanted.start and wanted.end <= part.end for part in union(intervals))


def of_run(context: Mapping[str, Any]) -> Interval:
    """The interval a DAG run owns: its parameters ``start`` and ``end``, else its data interval.

    :raises ConfigurationError: one of the two is missing, no ISO time, or the end is not after the start; or
        the run has neither parameters nor a data interval (a manual run on Airflow 3).
    """
    params = context["params"]
    start, end = params.get("start"), params.get("end")
    if start or end:
        if not (start and end):
            raise ConfigurationError("give both start and end, or neither")
        return Interval(_parse("start", start), _parse("end", end))
    start, end = context.get("data_interval_start"), context.get("data_interval_end")
    if start is None or end is None:
        raise ConfigurationError("this run has no data interval: trigger it with start and end")
    return Interval(_utc(start), _utc(end))


def _parse(name: str, value: str) -> datetime:
    try:
        return _utc(datetime.fromisoformat(value))
    except ValueError as error:
        raise ConfigurationError(
            f"{name} = {value!r} is no ISO time, for example 2018-11-01 or 2018-11-01T13:00"
        ) from error


def _utc(moment: datetime) -> datetime:
    """Naive UTC; a time without a zone is taken as UTC already."""
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC)
    # Not moment.replace: Airflow hands out pendulum objects, whose arithmetic is its own.
    return datetime(moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second)
