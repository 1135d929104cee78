"""When the pipeline is scheduled: one run per interval, without an end or, where the data ends, up to its last day.

The end is the timetable's, not the DAG's ``end_date``: Airflow copies that date to every task and then refuses to run
any task of a manual run that is triggered later.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.timetables.interval import CronDataIntervalTimetable

from include.sparkify import settings

if TYPE_CHECKING:
    from airflow.timetables.base import DagRunInfo


def schedule() -> CronDataIntervalTimetable:
    """Return the timetable that ``SPARKIFY_SCHEDULE`` and ``SPARKIFY_LAST_DAY`` ask for."""
    last_day = settings.last_day()
    if last_day is None:
        return CronDataIntervalTimetable(settings.schedule(), timezone="UTC")
    return BoundedTimetable(settings.schedule(), last_day)


class BoundedTimetable(CronDataIntervalTimetable):
    """Schedule the intervals of a cron expression, in UTC, that start on or before ``last_day``.

    plugins/sparkify_plugin.py registers it: Airflow reads only registered timetables back from a serialized DAG.
    """

    def __init__(self, cron: str, last_day: datetime) -> None:
        super().__init__(cron, timezone="UTC")
        self._last_day = last_day

    def next_dagrun_info(self, **arguments: Any) -> DagRunInfo | None:
        """Return the next scheduled run; None after the last day."""
        found = super().next_dagrun_info(**arguments)
        if found is None or found.data_interval.start >= self._last_day + timedelta(days=1):
            return None
        return found

    def serialize(self) -> dict[str, Any]:
        """Return what :meth:`deserialize` needs."""
        return {"cron": self._expression, "last_day": self._last_day.date().isoformat()}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> BoundedTimetable:
        """Return the timetable that was serialized as ``data``."""
        return cls(data["cron"], datetime.fromisoformat(data["last_day"]).replace(tzinfo=UTC))
