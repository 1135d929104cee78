"""Define the default arguments for the tasks of all DAGs."""

from __future__ import annotations

from datetime import timedelta
from importlib.util import find_spec
from typing import Any

from include.sparkify import settings
from include.sparkify.tasks import notify

DEFAULT_ARGS: dict[str, Any] = {
    "owner": "sparkify",
    "retries": 2,
    "retry_delay": timedelta(seconds=10),
    "execution_timeout": settings.task_limit(),
    "on_failure_callback": notify.failure,
}
# Airflow supports retry policies since version 3.3.
if find_spec("airflow.sdk") and find_spec("airflow.sdk.definitions.retry_policy"):
    from include.retry_policy import FinalErrorsFail

    DEFAULT_ARGS["retry_policy"] = FinalErrorsFail()
