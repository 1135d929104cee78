"""Test the schedules of pause and resume. A typo must cause an error, because an unpaused cluster incurs cost."""

from __future__ import annotations

import pytest

from include.cluster import schedule
from include.sparkify.errors import ConfigurationError
from tests.running import as_scheduled, dag_of

VARIABLES = {
    "pause": (schedule.PAUSE, schedule.pause_schedule),
    "resume": (schedule.RESUME, schedule.resume_schedule),
}
MALFORMED = ["tonight", "0 25 * * *", "0 20 * *", "*/10 * * * * *", "MOCKED_SPARKIFY_PAUSE_SCHEDULE_VALUE"]


@pytest.mark.parametrize("dag_id", VARIABLES)
@pytest.mark.parametrize(
    ("value", "expected", "cron"),
    [
        (None, None, "None"),
        ("", None, "None"),
        ("@hourly", "@hourly", "0 * * * *"),
        ("0 20 * * 1-5", "0 20 * * 1-5", "0 20 * * 1-5"),
    ],
)
def test_a_schedule_is_read_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, dag_id: str, value: str | None, expected: str | None, cron: str
) -> None:
    variable, read = VARIABLES[dag_id]
    monkeypatch.delenv(variable, raising=False)
    if value is not None:
        monkeypatch.setenv(variable, value)
    assert read() == expected
    assert as_scheduled(dag_of(dag_id)).timetable.summary == cron
    schedule.check_schedule(variable)


@pytest.mark.parametrize("dag_id", VARIABLES)
@pytest.mark.parametrize("value", MALFORMED)
def test_a_malformed_schedule_runs_daily_and_fails_by_name(
    monkeypatch: pytest.MonkeyPatch, dag_id: str, value: str
) -> None:
    variable, _ = VARIABLES[dag_id]
    monkeypatch.setenv(variable, value)
    assert as_scheduled(dag_of(dag_id)).timetable.summary == "0 0 * * *"
    with pytest.raises(ConfigurationError, match=f"{variable} is .*, which is not a schedule"):
        schedule.check_schedule(variable)
