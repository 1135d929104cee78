"""Prevent useless retries on Airflow 3.3 and later. The operators of the providers raise the errors of the drivers."""

from __future__ import annotations

from typing import Any

from airflow.sdk import RetryDecision, RetryPolicy

from include.sparkify.errors import is_final


class FinalErrorsFail(RetryPolicy):
    """Fail a task immediately after a final error.

    Airflow retries a task after other errors, at most ``retries`` times.
    """

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Any = None
    ) -> RetryDecision:
        """Return whether Airflow retries the task after this error."""
        if is_final(exception):
            return RetryDecision.fail("a retry cannot help")
        return RetryDecision.default()
