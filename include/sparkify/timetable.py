"""Define the timetable of the pipeline, with one run per interval and an optional last day.

The timetable defines the last day instead of the DAG's ``end_date``, because Airflow copies ``end_date`` to every task
and then does not run tasks of manual runs with a later date.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pendulum
from airflow.timetables.base import DataInterval
from airflow.timetables.interval import CronDataIntervalTimetable

if TYPE_CHECKING:
    from airflow.timetables.base import DagRunInfo


class SparkifyTimetable(CronDataIntervalTimetable):
    """A timetable for the intervals of a cron expression, in UTC, up to and including ``last_day`` if it is set.

    plugins/sparkify_plugin.py registers this timetable, because Airflow deserializes only registered timetables.
    """

    def __init__(self, cron: str, last_day: datetime | None = None) -> None:
        super().__init__(cron, timezone="UTC")
        self._last_day = last_day

    def infer_manual_data_interval(self, *, run_after: Any) -> DataInterval:
        """Return the data interval of a manual run, which is the interval that contains the logical date.

        If this interval has not ended, return the previous interval. Airflow's timetable always returns the previous
        interval, so a run for November 5 would load November 4.
        """
        before = super().infer_manual_data_interval(run_after=run_after)
        # In UTC, all hours and all days have the same length.
        around = DataInterval(before.end, before.end + (before.end - before.start))
        return around if around.end <= pendulum.now("UTC") else before

    def next_dagrun_info(self, **arguments: Any) -> DagRunInfo | None:
        """Return the next scheduled run, or None after the last day."""
        found = super().next_dagrun_info(**arguments)
        if found and self._last_day and found.data_interval.start >= self._last_day + timedelta(days=1):
            return None
        return found

    def serialize(self) -> dict[str, Any]:
        """Return the arguments that :meth:`deserialize` needs."""
        return {"cron": self._expression, "last_day": self._last_day and self._last_day.date().isoformat()}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> SparkifyTimetable:
        """Return the timetable that was serialized as ``data``."""
        last_day = data["last_day"]
        return cls(data["cron"], last_day and datetime.fromisoformat(last_day).replace(tzinfo=UTC))
