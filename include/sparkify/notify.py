"""A word to the people on call when a task has failed for good: Airflow's callback, Amazon's SNS notifier."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from include.sparkify import intervals
from include.sparkify.errors import ConfigurationError
from include.sparkify.settings import settings

# Key of the XCom that keeps a failed task's message: Airflow itself keeps it in the log alone.
FAILURE = "failure"
KEPT_CHARACTERS = 8000
# The limits of SNS: https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
SUBJECT_CHARACTERS = 99

log = logging.getLogger(__name__)


def failure(context: Mapping[str, Any]) -> None:
    """``on_failure_callback`` of every task: keep the message for the run report, and publish it to the topic.

    The topic is ``failure_topic_arn`` of the Variable `sparkify`; without one nothing is sent.
    """
    ti = context["ti"]
    error = str(context.get("exception") or "it gave no message")
    ti.xcom_push(key=FAILURE, value=error[:KEPT_CHARACTERS])
    topic = settings().failure_topic_arn
    if not topic:
        return
    # Here, not above: a DAG file that is only parsed need not pay for it.
    from airflow.providers.amazon.aws.notifications.sns import SnsNotifier

    subject = f"Failed: {ti.dag_id} {ti.task_id} {context['run_id']}"[:SUBJECT_CHARACTERS]
    SnsNotifier(
        aws_conn_id="aws_default", target_arn=topic, subject=subject, message=_message(context, error)
    ).notify(context)
    log.info("told %s", topic)


def _message(context: Mapping[str, Any], error: str) -> str:
    """Run, interval, task, what failed, and where to look. No rows: a topic reaches mailboxes."""
    ti = context["ti"]
    try:
        interval = str(intervals.of_run(context))
    except ConfigurationError:
        interval = "none"
    # Offending rows follow a failed check as JSON lines; they may name people.
    said = "\n".join(line for line in error.splitlines() if not line.startswith("{"))
    return (
        f"DAG run   {ti.dag_id} {context['run_id']}\n"
        f"Interval  {interval} UTC\n"
        f"Task      {ti.task_id}, try {ti.try_number}\n"
        f"Log       {ti.log_url}\n\n"
        f"{said}\n\n"
        f"What each failure means and what to do: the page of DAG {ti.dag_id}."
    )
