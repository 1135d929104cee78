"""Register the project's timetable with Airflow, so that the scheduler can read it from the serialized DAG."""

from airflow.providers.common.compat.sdk import AirflowPlugin

from include.sparkify.timetable import SparkifyTimetable


class SparkifyPlugin(AirflowPlugin):
    """A plugin that registers the timetable of include/sparkify/timetable.py."""

    name = "sparkify"
    timetables = [SparkifyTimetable]
