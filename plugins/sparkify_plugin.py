"""Register the project's timetable with Airflow, whose scheduler reads it back from the serialized DAG."""

from airflow.providers.common.compat.sdk import AirflowPlugin

from include.sparkify.timetable import SparkifyTimetable


class SparkifyPlugin(AirflowPlugin):
    """See include/sparkify/timetable.py."""

    name = "sparkify"
    timetables = [SparkifyTimetable]
