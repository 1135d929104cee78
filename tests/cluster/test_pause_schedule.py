"""Test the schedules of pause and resume. A typo must cause an error, because an unpaused cluster incurs cost."""

from __future__ import annotations

import types
from datetime import UTC, datetime, timedelta

import pytest

from include.cluster import pause, schedule
from include.sparkify.errors import ConfigurationError
from tests.running import as_scheduled, dag_of, next_run

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
    assert schedule.is_due(variable, _context(datetime.now(UTC)))


@pytest.mark.parametrize("dag_id", VARIABLES)
@pytest.mark.parametrize("value", MALFORMED)
def test_a_malformed_schedule_runs_daily_and_fails_by_name(
    monkeypatch: pytest.MonkeyPatch, dag_id: str, value: str
) -> None:
    variable, _ = VARIABLES[dag_id]
    monkeypatch.setenv(variable, value)
    assert as_scheduled(dag_of(dag_id)).timetable.summary == "0 0 * * *"
    with pytest.raises(ConfigurationError, match=f"{variable} is .*, which is not a schedule"):
        schedule.is_due(variable, _context(datetime.now(UTC)))


@pytest.mark.finding("G7")
@pytest.mark.parametrize(("dag_id", "task_id"), [("pause", "find_pausable"), ("resume", "find_resumable")])
@pytest.mark.parametrize(("minutes", "found"), [(120, False), (10, True)])
def test_the_first_run_of_a_new_schedule_is_skipped_if_its_moment_is_long_ago(
    monkeypatch: pytest.MonkeyPatch, dag_id: str, task_id: str, minutes: int, found: bool
) -> None:
    """Airflow starts it immediately, for the most recent time of the schedule."""
    moment = datetime.now(UTC) - timedelta(minutes=minutes)
    monkeypatch.setenv(VARIABLES[dag_id][0], f"{moment.minute} {moment.hour} * * *")
    dag = dag_of(dag_id)
    due = next_run(as_scheduled(dag), None).data_interval.end
    assert due == moment.replace(second=0, microsecond=0)

    function = dag.get_task(task_id).python_callable
    monkeypatch.setitem(function.__globals__, "get_current_context", lambda: _context(due))
    monkeypatch.setattr(pause, task_id, lambda *_, **__: True)
    assert function() == found


def _context(due: datetime) -> dict[str, object]:
    """Return the context of a scheduled run."""
    return {"dag_run": types.SimpleNamespace(run_type="scheduled"), "params": {}, "data_interval_end": due}
