"""Test half-open intervals of UTC time."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.sparkify.errors import ConfigurationError
from include.sparkify.intervals import ALL_TIME, Interval, of_day, of_run

HOUR = timedelta(hours=1)
ORIGIN = datetime(2018, 10, 31)


def hours(start: int, end: int) -> Interval:
    return Interval(ORIGIN + start * HOUR, ORIGIN + end * HOUR)


def moments(interval: Interval) -> set[datetime]:
    """Return the start of each hour in the interval."""
    return {interval.start + n * HOUR for n in range((interval.end - interval.start) // HOUR)}


ANY = st.builds(lambda start, length: hours(start, start + length), st.integers(0, 72), st.integers(1, 30))


@given(ANY)
def test_days_are_those_the_interval_touches(interval):
    assert list(interval.days()) == sorted({moment.date() for moment in moments(interval)})


@pytest.mark.parametrize("end", [ORIGIN, ORIGIN - HOUR])
def test_an_empty_interval_is_refused(end):
    with pytest.raises(ConfigurationError, match="is empty: its end must be after its start"):
        Interval(ORIGIN, end)


# Interval of a run ----------------------------------------------------------------------------------------


def context(start=None, end=None, data_interval=(None, None), mode="load"):
    return {
        "params": {"start": start, "end": end, "mode": mode},
        "data_interval_start": data_interval[0],
        "data_interval_end": data_interval[1],
    }


DATA_INTERVAL = (datetime(2018, 11, 1, tzinfo=UTC), datetime(2018, 11, 2, tzinfo=UTC))


def test_a_scheduled_run_owns_its_data_interval_as_naive_utc():
    zone = pendulum.timezone("America/New_York")
    abroad = tuple(pendulum.instance(moment).in_timezone(zone) for moment in DATA_INTERVAL)

    for data_interval in (DATA_INTERVAL, abroad):
        owned = of_run(context(data_interval=data_interval))
        assert owned == of_day(date(2018, 11, 1))
        assert type(owned.start) is datetime and owned.start.tzinfo is None


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2018-11-03", "2018-11-04"),
        ("2018-11-03T00:00", "2018-11-04T00:00:00"),
        ("2018-11-03T00:00:00Z", "2018-11-04T00:00:00+00:00"),
        ("2018-11-03T02:00:00+02:00", "2018-11-03T19:00:00-05:00"),
    ],
)
def test_parameters_come_before_the_data_interval(start, end):
    assert of_run(context(start, end, DATA_INTERVAL)) == of_day(date(2018, 11, 3))


@pytest.mark.finding("B4", "D3")
@pytest.mark.parametrize(
    ("given", "message"),
    [
        (context("2018-11-01", None, DATA_INTERVAL), "give both start and end, or neither"),
        (context(None, "2018-11-01", DATA_INTERVAL), "give both start and end, or neither"),
        (
            context("1 November", "2018-11-02"),
            "start = '1 November' is not an ISO time, for example 2018-11-01",
        ),
        (context("2018-11-01", "2018-11-31"), "end = '2018-11-31' is not an ISO time"),
        (context("2018-11-02", "2018-11-01"), "is empty"),
        (context(), "this run has no data interval: trigger it with start and end"),
        (context("0001-01-01T00:00+05:00", "2018-11-01"), "is not an ISO time"),
        (context("2018-11-01", "9999-12-31T23:59:59"), "ends in the future: the latest end is"),
        (context("2018-11-01", (datetime.now(UTC) + timedelta(days=2)).isoformat()), "ends in the future"),
        (context("1999-12-31T23:59:59", "2000-01-02"), "use mode=full_refresh to load everything"),
        (context("2008-01-01", "2018-01-08T00:00:01"), "is longer than 3660 days.* use mode=full_refresh"),
        (context("2018-11-01", "2018-11-02", mode="full_refresh"), "leave start and end empty"),
        (context("2018-11-01", None, mode="full_refresh"), "leave start and end empty"),
        (context(None, "2018-11-01", mode="replay"), "give both start and end, or neither"),
        (context(data_interval=(DATA_INTERVAL[0], None)), "this run has no data interval"),
    ],
)
def test_an_interval_that_cannot_be_is_refused_by_name(given, message):
    with pytest.raises(ConfigurationError, match=message):
        of_run(given)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2000-01-01", "2000-01-02"),
        ("2008-01-01", "2018-01-08"),  # 3,660 days
        ("2018-11-01", f"{datetime.now(UTC).date() + timedelta(days=1)}"),
    ],
    ids=["the first day", "the longest", "up to tomorrow"],
)
def test_an_interval_at_the_bounds_is_taken(start, end):
    assert of_run(context(start, end)) == Interval(datetime.fromisoformat(start), datetime.fromisoformat(end))


@pytest.mark.parametrize("times", [(None, None), DATA_INTERVAL])
def test_all_time_is_for_a_full_refresh_and_for_a_replay_without_times(times):
    assert Interval(datetime(2000, 1, 1), datetime(2101, 1, 1)) == ALL_TIME
    assert of_run(context(data_interval=times, mode="full_refresh")) == ALL_TIME
    assert of_run(context(data_interval=times, mode="replay")) == ALL_TIME
    assert of_run(context("2018-11-01", "2018-11-02", mode="replay")) == of_day(date(2018, 11, 1))
