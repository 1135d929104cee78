"""Define half-open intervals of UTC time, and determine the interval of a run."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from include.sparkify import parameters
from include.sparkify.errors import ConfigurationError

# The interval of a full refresh, which includes every time that the contract accepts for an event.
ALL_TIME_START = datetime(2000, 1, 1)
ALL_TIME_END = datetime(2101, 1, 1)
# To load a longer interval, use a full refresh, which lists the lake once instead of by month.
MAX_DAYS = 3660


@dataclasses.dataclass(frozen=True)
class Interval:
    """A half-open interval ``[start, end)`` in UTC, with naive datetimes, like TIMESTAMP columns in the warehouse."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start >= self.end:
            raise ConfigurationError(f"interval {self} is empty: its end must be after its start")

    def __str__(self) -> str:
        return f"[{self.start:%Y-%m-%dT%H:%M:%S}, {self.end:%Y-%m-%dT%H:%M:%S})"

    def days(self) -> Iterator[date]:
        """Return the UTC days that overlap the interval, in ascending order."""
        day = self.start.date()
        while datetime.combine(day, datetime.min.time()) < self.end:
            yield day
            day += timedelta(days=1)


ALL_TIME = Interval(ALL_TIME_START, ALL_TIME_END)


def of_day(day: date) -> Interval:
    """Return the interval of a UTC day."""
    start = datetime.combine(day, datetime.min.time())
    return Interval(start, start + timedelta(days=1))


def of_run(context: Mapping[str, Any]) -> Interval:
    """Return the interval of a DAG run.

    The interval of a full refresh, and of a replay without ``start`` and ``end``, is :data:`ALL_TIME`. For all other
    runs, it is defined by the parameters ``start`` and ``end`` or, without these parameters, by the data interval.

    :raises ConfigurationError: a parameter is unknown, only one of ``start`` and ``end`` is given, one of them is not
        an ISO 8601 time, or the end is not after the start. Also raised if the interval ends in the future, starts
        before the years that the contract accepts, or is longer than :data:`MAX_DAYS`, or if the run has neither
        parameters nor a data interval (a manual run on Airflow 3).
    """
    params = parameters.of_run(context)
    start, end, mode = params.get("start"), params.get("end"), params["mode"]
    if mode == "full_refresh" and (start or end):
        raise ConfigurationError("a full refresh owns all time: leave start and end empty")
    if mode == "full_refresh" or (mode == "replay" and not (start or end)):
        return ALL_TIME
    if start or end:
        if not (start and end):
            raise ConfigurationError("give both start and end, or neither")
        interval = Interval(_parse("start", start), _parse("end", end))
    else:
        start, end = context.get("data_interval_start"), context.get("data_interval_end")
        if start is None or end is None:
            raise ConfigurationError("this run has no data interval: trigger it with start and end")
        interval = Interval(_utc(start), _utc(end))
    tomorrow = of_day(datetime.now(UTC).date()).end
    if interval.end > tomorrow:
        raise ConfigurationError(f"{interval} ends in the future: the latest end is {tomorrow:%Y-%m-%d}")
    if interval.start < ALL_TIME_START or interval.end - interval.start > timedelta(days=MAX_DAYS):
        raise ConfigurationError(
            f"{interval} starts before {ALL_TIME_START:%Y} or is longer than {MAX_DAYS} days: "
            "use mode=full_refresh to load everything"
        )
    return interval


def _parse(name: str, value: object) -> datetime:
    try:
        return _utc(datetime.fromisoformat(str(value)))
    except (ValueError, OverflowError) as error:
        raise ConfigurationError(
            f"{name} = {value!r} is not an ISO time, for example 2018-11-01 or 2018-11-01T13:00"
        ) from error


def _utc(moment: datetime) -> datetime:
    """Return the time as naive UTC. A time without a time zone is interpreted as UTC."""
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC)
    # Do not use moment.replace, because Airflow passes pendulum objects, whose arithmetic differs.
    return datetime(moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second)
