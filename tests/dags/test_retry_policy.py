"""Test that, on Airflow 3.3 and later, an error that a retry cannot fix fails the task at its first try."""

from __future__ import annotations

import botocore.exceptions
import pytest
import redshift_connector

pytest.importorskip(
    "airflow.sdk.definitions.retry_policy", reason="Airflow 3.3 and later have retry policies"
)

from airflow.sdk import RetryAction

from dags.sparkify import sparkify


def answer(state: str, message: str) -> redshift_connector.ProgrammingError:
    return redshift_connector.ProgrammingError({"S": "ERROR", "C": state, "M": message})


@pytest.mark.parametrize(
    ("error", "action"),
    [
        (answer("42703", "column x does not exist"), RetryAction.FAIL),
        (answer("22012", "division by zero"), RetryAction.FAIL),
        (answer("40001", "conflict"), RetryAction.DEFAULT),
        # COPY reports S3ServiceException: SlowDown, Status 503.
        (answer("XX000", "SlowDown"), RetryAction.DEFAULT),
        (redshift_connector.InterfaceError("closed"), RetryAction.DEFAULT),
        (
            botocore.exceptions.ClientError({"Error": {"Code": "AccessDenied"}}, "ListObjectsV2"),
            RetryAction.FAIL,
        ),
        (botocore.exceptions.ClientError({"Error": {"Code": "SlowDown"}}, "GetObject"), RetryAction.DEFAULT),
        (ValueError("ours"), RetryAction.DEFAULT),
    ],
    ids=str,
)
def test_a_final_error_is_not_retried(error: Exception, action: RetryAction) -> None:
    for task in sparkify().tasks:
        assert task.retry_policy.evaluate(error, 1, 3).action is action, task.task_id
