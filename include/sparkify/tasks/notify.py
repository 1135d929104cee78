"""Send notifications about failed tasks and runs to Amazon SNS, as callbacks of Airflow."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Any

import redshift_connector

from include.sparkify import intervals, run_plan
from include.sparkify.errors import STATEMENT_TIMEOUT, ConfigurationError, answer, warehouse_error
from include.sparkify.redshift import warehouse
from include.sparkify.settings import AWS_CONN_ID, settings

# Key of the XCom with the message of a failed task, which Airflow stores only in the log.
FAILURE = "failure"
KEPT_CHARACTERS = 8000
# The maximum length of a subject in Amazon SNS: https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
SUBJECT_CHARACTERS = 99

log = logging.getLogger(__name__)


def failure(context: Mapping[str, Any], cause: Exception | None = None) -> None:
    """Store the message of a failed task for the run report, and publish it to the topic, as ``on_failure_callback``.

    The topic is ``failure_topic_arn`` of the Variable `sparkify`. If the setting is empty, no message is sent.

    :param cause: an exception with more information, which replaces the exception of the task.
    """
    ti, exception = context["ti"], cause or context.get("exception")
    state, error = "", "the task gave no message: its worker may have died. Next: clear the task."
    if exception:
        state, error = answer(exception)
    timed_out = state == STATEMENT_TIMEOUT or re.search(
        "statement timeout|cancelled on user's request", error
    )
    if run_plan.is_of_ended_run(error):
        error = f"the run has ended, and its schema was dropped. {run_plan.CLEAR} The error was: {error}"
    # The operators of the providers raise the driver's own errors.
    elif isinstance(exception, redshift_connector.Error):
        error = str(warehouse_error(exception, f"run {ti.task_id}"))
    if timed_out:
        error += f"\nLocks at this moment: {warehouse.describe_blockers()}."
    if "load_error" in error:
        prefix = context["task"].s3_key.rpartition("/")[0]
        error += f"\nCOPY: {warehouse.describe_load_error(prefix)}."
    if error != str(exception):
        log.error("%s", error)
    # If the worker has died, the context has no exception. Airflow 3 then calls this function in the DAG processor,
    # where xcom_push never returns.
    if context.get("exception"):
        ti.xcom_push(key=FAILURE, value=error[:KEPT_CHARACTERS])
    if settings().failure_topic_arn:
        _publish(context, f"Failed: {ti.dag_id} {ti.task_id} {context['run_id']}", _message(context, error))


def run_ended(context: Mapping[str, Any]) -> None:
    """Publish to the topic that Airflow has ended a run without a failed task, as ``on_failure_callback`` of a DAG.

    Either the run has reached its timeout and its tasks are skipped, or its tasks wait for each other. In all other
    cases, the failed task sends a notification.
    """
    reason = context.get("reason")
    if reason == "task_failure":
        return
    # If no task remains, the context in Airflow 3 contains only the DAG, the run ID and the reason.
    dag_id, run_id = context["dag"].dag_id, context["run_id"]
    why = "has reached its time limit" if reason == "timed_out" else f"cannot continue ({reason})"
    reasons = (
        "AWS took longer than usual"
        if "cluster" in context["dag"].tags
        else "a pool without free slots (SPARKIFY_POOL), a time limit that is too short (SPARKIFY_RUN_HOURS)"
    )
    text = (
        f"DAG run {dag_id} {run_id} {why}, and Airflow has ended it. Likely reasons: no worker, {reasons}, or a task "
        "whose state was changed manually. Next: fix the cause, then clear the first task that was not "
        "successful (`plan` in sparkify and reports) with its downstream tasks."
    )
    log.error("%s", text)
    if settings().failure_topic_arn:
        _publish(context, f"Ended: {dag_id} {run_id}", text)


def _publish(context: Mapping[str, Any], subject: str, message: str) -> None:
    topic = settings().failure_topic_arn
    # The import is slow and only needed after a failure.
    from airflow.providers.amazon.aws.notifications.sns import SnsNotifier

    SnsNotifier(
        aws_conn_id=AWS_CONN_ID, target_arn=topic, subject=subject[:SUBJECT_CHARACTERS], message=message
    ).notify(context)
    log.info("notified %s", topic)


def _message(context: Mapping[str, Any], error: str) -> str:
    """Return a message with run, interval, task, error and log URL. It has no rows, because it may be sent by email."""
    ti = context["ti"]
    try:
        interval = str(intervals.of_run(context))
    except (ConfigurationError, KeyError):
        interval = "none"
    # Remove the failing rows, which follow a failed check as JSON lines, because they may contain names of people.
    said = "\n".join(line for line in error.splitlines() if not line.startswith("{"))
    # Airflow does not send a notification when it pauses a DAG.
    if most := context["dag"].max_consecutive_failed_dag_runs:
        said += (
            f"\n\nAfter {most} failed runs in a row, Airflow pauses the DAG. Fix the cause, then unpause it."
        )
    return (
        f"DAG run   {ti.dag_id} {context['run_id']}\n"
        f"Interval  {interval} UTC\n"
        f"Task      {ti.task_id}, try {ti.try_number}\n"
        f"Log       {ti.log_url}\n\n"
        f"{said}\n\n"
        f"For possible causes and the next step, see the documentation of the DAG {ti.dag_id}."
    )
