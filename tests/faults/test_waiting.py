"""Test how long `plan` waits for a log file that has not arrived yet, and which runs wait at all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from include.sparkify.errors import ConfigurationError
from include.sparkify.tasks import plan
from tests.world import event

D1, D2 = datetime(2018, 11, 1), datetime(2018, 11, 2)
DAY1, BOTH_DAYS = ("2018-11-01", "2018-11-02"), ("2018-11-01", "2018-11-03")


@pytest.fixture
def waiting(fresh, monkeypatch):
    """Return a world whose runs wait three hours, and a function that sets the clock."""
    world = fresh(wait_minutes=180)

    def set_clock(moment: datetime) -> None:
        class Clock(datetime):
            @classmethod
            def now(cls, tz=None):
                assert tz is UTC
                return moment.replace(tzinfo=UTC)

        monkeypatch.setattr(plan, "datetime", Clock)

    return world, set_clock


def goes_on(world, *interval: str, mode: str = "load") -> bool:
    return plan.has_waited_enough(world.context(*interval, mode=mode))


@pytest.mark.parametrize("mode", ["load", "reload"])
def test_a_run_waits_for_wait_minutes_after_the_end_of_its_interval(waiting, mode):
    world, set_clock = waiting
    until = D2 + timedelta(minutes=180)

    for moment, enough in (
        (D2 - timedelta(hours=1), False),
        (until - timedelta(seconds=1), False),
        (until, True),
        (until + timedelta(days=30), True),
    ):
        set_clock(moment)
        assert goes_on(world, *DAY1, mode=mode) is enough, moment


@pytest.mark.finding("G5")
def test_a_run_that_would_wait_beyond_its_time_limit_fails(waiting, monkeypatch):
    """Airflow would end it without applying the policy for an absent file.

    A run that does not need to wait continues.
    """
    world, set_clock = waiting
    monkeypatch.setenv("SPARKIFY_RUN_HOURS", "3")
    set_clock(D2)
    with pytest.raises(ConfigurationError, match="wait_minutes = 180 .* less than .*SPARKIFY_RUN_HOURS"):
        goes_on(world, *DAY1)
    world.log("2018-11-01", event(D1))
    assert goes_on(world, *DAY1)


def test_a_run_goes_on_when_the_file_of_its_last_day_is_there(waiting):
    world, set_clock = waiting
    set_clock(D2 + timedelta(days=1, hours=1))
    world.log("2018-11-01", event(D1))
    assert not goes_on(world, *BOTH_DAYS)

    world.log("2018-11-02", event(D2))
    assert goes_on(world, *BOTH_DAYS)


def test_a_scheduled_run_waits_for_the_file_of_its_day(waiting):
    world, set_clock = waiting
    set_clock(D2 + timedelta(hours=1))
    world.log("2018-11-02", event(D2))
    assert not goes_on(world, "2018-11-01")

    world.log("2018-11-01", event(D1))
    assert goes_on(world, "2018-11-01")


@pytest.mark.parametrize(("mode", "interval"), [("replay", DAY1), ("replay", ()), ("full_refresh", ())])
def test_a_mode_that_takes_the_lake_as_it_is_does_not_wait(waiting, mode, interval):
    world, set_clock = waiting
    set_clock(D2 - timedelta(hours=1))

    assert goes_on(world, *interval, mode=mode)
