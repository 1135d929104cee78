"""Stop retries that cannot help, on Airflow 3.3 and later. Operators of the providers raise the drivers' own errors."""

from __future__ import annotations

from typing import Any

from airflow.sdk import RetryDecision, RetryPolicy

from include.sparkify.errors import is_final


class FinalErrorsFail(RetryPolicy):
    """Fail a task at once if its error is final. Airflow tries all others again, at most ``retries`` times."""

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Any = None
    ) -> RetryDecision:
        """Return whether Airflow retries the task after this error."""
        if is_final(exception):
            return RetryDecision.fail("a retry cannot help")
        return RetryDecision.default()
