"""Define the default arguments of the DAGs that manage the cluster."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from include.defaults import DEFAULT_ARGS
from include.sparkify.tasks import notify

DAG_ARGUMENTS: dict[str, Any] = {
    "start_date": datetime(2018, 11, 1, tzinfo=UTC),
    "catchup": False,
    "max_active_runs": 1,
    "on_failure_callback": notify.run_ended,
    # The DAGs run only when they are triggered, or on a schedule if the user sets one.
    "is_paused_upon_creation": False,
    "default_args": DEFAULT_ARGS
    | {
        # Most state changes in AWS take about 30 seconds.
        "retry_delay": timedelta(seconds=30),
        # A task makes a few calls to AWS, each with the timeouts of botocore.
        "execution_timeout": timedelta(minutes=10),
    },
    "tags": ["sparkify", "cluster"],
}
WAIT = timedelta(hours=1)
"""Timeout of a task that waits for the cluster, which takes minutes, or longer for a large final snapshot."""
POKE: dict[str, Any] = {
    # The task does not occupy a worker slot between two checks. The interval increases from 2 to 30 seconds.
    "mode": "reschedule",
    "poke_interval": 2,
    "exponential_backoff": True,
    "max_wait": timedelta(seconds=30),
    "timeout": WAIT.total_seconds(),
}
"""Arguments of a sensor that waits for AWS."""
WAITING_TIMEOUT = WAIT + timedelta(minutes=5)
"""``execution_timeout`` of a task that waits. It is longer than :data:`WAIT`, whose error names the awaited state."""
