"""Defaults of the cluster's DAGs."""

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
    # Switched on when they are new: they do nothing until they are triggered or have a schedule.
    "is_paused_upon_creation": False,
    "default_args": DEFAULT_ARGS
    | {
        # AWS takes about this long to change most states.
        "retry_delay": timedelta(seconds=30),
        # A step makes a few calls to AWS, each with botocore's own time limits.
        "execution_timeout": timedelta(minutes=10),
    },
    "tags": ["sparkify", "cluster"],
}
WAIT = timedelta(hours=1)
"""The time limit of a task that waits for the cluster: usually minutes, more with a large final snapshot."""
POKE: dict[str, Any] = {
    # No worker slot is occupied. The interval grows from 2 to 30 seconds.
    "mode": "reschedule",
    "poke_interval": 2,
    "exponential_backoff": True,
    "max_wait": timedelta(seconds=30),
    "timeout": WAIT.total_seconds(),
}
"""Arguments of a sensor that waits for AWS."""
WAITING_TIMEOUT = WAIT + timedelta(minutes=5)
"""``execution_timeout`` of a task that waits: later than :data:`WAIT`, whose message names what it waited for."""
