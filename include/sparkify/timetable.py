"""The schedule of the pipeline: one run per interval, with no end or, if the data ends, up to its last day.

The timetable defines the end. The DAG's ``end_date`` does not, because Airflow copies that date to every task and then
refuses to run any task of a manual run that is triggered later.
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
    """Schedule the intervals of a cron expression, in UTC, up to and including ``last_day`` if there is one.

    plugins/sparkify_plugin.py registers it: Airflow reads only registered timetables back from a serialized DAG.
    """

    def __init__(self, cron: str, last_day: datetime | None = None) -> None:
        super().__init__(cron, timezone="UTC")
        self._last_day = last_day

    def infer_manual_data_interval(self, *, run_after: Any) -> DataInterval:
        """Return the data interval of a manual run with this logical date: the interval that contains it.

        If that interval has not ended, return the previous one. Airflow's own timetable always returns the previous
        one, so that a run for November 5 would load November 4.
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
