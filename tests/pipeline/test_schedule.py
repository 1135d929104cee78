"""Test the DAG as Airflow's scheduler sees it: serialized, not as a Python file."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pendulum
import pytest

from tests.running import as_scheduled, create_run, dag_of, next_run

# Other tests leave their runs in the worker's database. None of them has this logical date or this test's run ID.
MUCH_LATER = datetime(2026, 2, 1, tzinfo=UTC)


@pytest.fixture
def serialized(airflow_database: None, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that reads the DAG with the given environment variables, as the scheduler does."""

    def read(**environment: str) -> Any:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return as_scheduled(dag_of("sparkify"))

    return read


def scheduled_days(dag: Any, most: int) -> list[date]:
    """Return the days of the first runs that the scheduler would create, at most ``most``, in order."""
    found, last = [], None
    while len(found) < most and (last := next_run(dag, last)) is not None:
        interval = last.data_interval
        assert interval.end - interval.start == timedelta(days=1)
        found.append(interval.start.date())
    return found


def test_the_schedule_ends_with_its_last_day(serialized: Any) -> None:
    dag = serialized(SPARKIFY_START_DATE="2018-11-01", SPARKIFY_LAST_DAY="2018-11-30")
    assert scheduled_days(dag, 100) == [date(2018, 11, day) for day in range(1, 31)]


def test_failed_runs_in_a_row_switch_the_dag_off(serialized: Any) -> None:
    assert serialized().max_consecutive_failed_dag_runs == 10


def test_the_schedule_has_no_end_without_a_last_day(serialized: Any) -> None:
    dag = serialized(SPARKIFY_START_DATE="2018-11-01")
    assert len(scheduled_days(dag, 100)) == 100


@pytest.mark.parametrize(
    ("schedule", "logical_date", "first", "last"),
    [
        ("@daily", "2018-11-05T00:00", "2018-11-05T00:00", "2018-11-06T00:00"),
        ("@daily", "2018-11-05T12:00", "2018-11-05T00:00", "2018-11-06T00:00"),
        ("@hourly", "2018-11-05T12:30", "2018-11-05T12:00", "2018-11-05T13:00"),
        # A run without a logical date uses the current time, so it owns the day that has just ended.
        ("@daily", None, "yesterday", "today"),
    ],
)
def test_a_manual_run_owns_the_day_of_its_logical_date(
    serialized: Any, schedule: str, logical_date: str | None, first: str, last: str
) -> None:
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    known = {"yesterday": today - timedelta(days=1), "today": today}
    timetable = serialized(SPARKIFY_SCHEDULE=schedule).timetable
    moment = pendulum.parse(logical_date) if logical_date else pendulum.now("UTC")
    found = timetable.infer_manual_data_interval(run_after=moment)
    assert [found.start, found.end] == [
        known.get(end) or datetime.fromisoformat(end).replace(tzinfo=UTC) for end in (first, last)
    ]


def test_a_manual_run_after_the_last_day_has_tasks_that_may_run(serialized: Any) -> None:
    """An end_date on the DAG would leave such a run without tasks, and would block any task that it had."""
    from airflow.ti_deps.deps.runnable_exec_date_dep import RunnableExecDateDep
    from airflow.utils.session import create_session

    dag = serialized(SPARKIFY_START_DATE="2018-11-01", SPARKIFY_LAST_DAY="2018-11-30")
    with create_session() as session:
        run = create_run(dag, MUCH_LATER, session, "after-the-last-day")
        instances = run.get_task_instances(session=session)
        assert {each.task_id for each in instances} == set(dag.task_dict)
        for each in instances:
            each.task = dag.get_task(each.task_id)
            assert RunnableExecDateDep().is_met(each, session=session)
        session.rollback()
