"""The three classes of failure, and how the error of a driver is classified."""

from __future__ import annotations

import re

import botocore.exceptions
import redshift_connector
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException
from botocore.retries import standard


class TransientError(AirflowException):
    """A condition that may clear up without intervention: Airflow retries the task."""


class DataError(AirflowFailException):
    """The input breaks its contract: a retry cannot help."""


class ConfigurationError(AirflowFailException):
    """Something outside the data must be fixed first: a retry cannot help."""


# SQLSTATE classes of the PostgreSQL family.
# The last three mean that two sessions create the same thing at once, because our keys are never enforced, and every
# CREATE says IF NOT EXISTS. 53100 (disk full) clears up when space is freed.
_TRANSIENT_STATES = ("08", "40", "57P", "55P03", "53100", "53300", "23505", "42P06", "42P07")
# Errors of concurrency that Redshift reports as XX000, "internal error". dbt tries again after the same ones
# (https://github.com/dbt-labs/dbt-adapters/pull/1873). Dropped: https://github.com/dbt-labs/dbt-core/pull/825
# 1018 and 1023: https://docs.aws.amazon.com/redshift/latest/dg/c_serial_isolation.html
# VACUUM: https://docs.aws.amazon.com/redshift/latest/dg/r_VACUUM_command.html
_CONCURRENCY = re.compile(
    r"\b(1018|1023)\b|concurrently updated|conflict with concurrent transaction|could not open relation with OID"
    r"|Relation with OID \d+ does not exist|dropped by concurrent transaction|VACUUM is running"
)
# The statement ran into statement_timeout, or was canceled.
STATEMENT_TIMEOUT = "57014"
# "schema ... does not exist". A catalog query also fails with it if another session drops any schema at the same time:
# https://github.com/aws/amazon-redshift-jdbc-driver/issues/153, https://github.com/dbt-labs/dbt-adapters/pull/1718
NO_SCHEMA = "3F000"
_CONFIGURATION_STATES = ("28", "3D", "3F", "42")
# S3 returns these per object of a DeleteObjects, and the others with status 400 or 403, so that their status does not
# show that they are transient: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
_TRANSIENT_AWS = {
    "InternalError",
    "ServiceUnavailable",
    "RequestTimeTooSkewed",
    # Another operation on the same resource is in progress.
    "ConflictException",
    "InvalidClusterState",
    "InvalidClusterStateFault",
    "OperationAborted",
    # A retry is a new process, which asks for new credentials.
    "ExpiredToken",
    "ExpiredTokenException",
    "RequestExpired",
    "TokenRefreshRequired",
}
_DENIED = (
    "the role of the workers is not allowed to do this. Deploy include/iam/permissions.yaml, with AllowProvisioning "
    "for provision and teardown; a bucket with a customer managed key, or of another account, needs more: docs/aws.md, "
    "Permissions"
)
_RETRIES_FAILED = "Next: if all retries fail, check the status of the service in AWS; then clear the task."
_UNKNOWN_KEY = "connection aws_default has a key that AWS does not know"
_AWS_HINTS = {
    "NoSuchBucket": "the bucket does not exist: fix source_bucket or work_bucket in the Variable `sparkify`",
    **dict.fromkeys(
        ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "Forbidden", "403"), _DENIED
    ),
    "AuthFailure": _UNKNOWN_KEY,
    "InvalidAccessKeyId": _UNKNOWN_KEY,
    "InvalidClientTokenId": _UNKNOWN_KEY,
    "UnrecognizedClientException": _UNKNOWN_KEY,
    "SignatureDoesNotMatch": "connection aws_default has a wrong secret key",
    "PermanentRedirect": "the bucket is in another region: fix region_name of connection aws_default",
    "AuthorizationHeaderMalformed": "the bucket is in another region: fix region_name of connection aws_default",
    "InvalidObjectState": "the object is archived (GLACIER): restore it in S3",
    "301": "the bucket is in another region: fix region_name of connection aws_default",
}


def aws_error(error: Exception, doing: str) -> AirflowException:
    """Convert an error of botocore into one of our exceptions, naming the action and the fix.

    :param error: the error that botocore raised.
    :param doing: the action and the object, for example ``list s3://bucket/prefix``.
    """
    if isinstance(error, botocore.exceptions.ClientError):
        code = str(error.response.get("Error", {}).get("Code", ""))
        if _is_transient_aws(error):
            return TransientError(f"could not {doing}: {error}. {_RETRIES_FAILED}")
        hint = _AWS_HINTS.get(code, "see the message of AWS")
        return ConfigurationError(f"could not {doing}: {error}. Next: {hint}.")
    if isinstance(
        error, botocore.exceptions.NoCredentialsError | botocore.exceptions.PartialCredentialsError
    ):
        return ConfigurationError(
            f"could not {doing}: {error}. Next: give connection aws_default credentials."
        )
    return TransientError(f"could not {doing}: {type(error).__name__}: {error}. {_RETRIES_FAILED}")


def _is_transient_aws(error: botocore.exceptions.ClientError) -> bool:
    """Return whether AWS is at fault, throttles, or lacks capacity at this moment, or credentials have expired.

    The status, botocore's own lists or the name of the error decide. The name is needed because Redshift answers
    throttling by a service that it depends on, and missing capacity, with status 400.
    """
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    code = str(error.response.get("Error", {}).get("Code", ""))
    answer = standard.RetryContext(1, parsed_response=error.response)
    return (
        status >= 500
        or status == 429
        or re.fullmatch("429|5[0-9][0-9]", code) is not None
        or code in _TRANSIENT_AWS
        or standard.ThrottledRetryableChecker().is_retryable(answer)
        or standard.TransientRetryableChecker().is_retryable(answer)
        or "Throttling" in code
        or re.match("Insufficient.*Capacity", code) is not None
        # The answer to a call was lost, and botocore sent it again: a retry finds the result of the first one.
        or "AlreadyExists" in code
        or "IN_PROGRESS state and can not be updated" in str(error)
        # Secrets Manager deletes a secret some time after the call returns, and keeps its name until then.
        or "scheduled for deletion" in str(error)
    )


def answer(error: BaseException) -> tuple[str, str]:
    """Return the SQLSTATE of an error of the warehouse, empty if it has none, and its message."""
    detail = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
    return str(detail.get("C", "")), str(detail.get("M", error))


def is_transient(error: Exception) -> bool:
    """Return whether the whole transaction may be tried again on a new connection.

    A lost connection, a restarting server, a deadlock and Redshift's errors of concurrency are transient. An error
    about the statement itself is not.
    """
    if isinstance(error, OSError | redshift_connector.InterfaceError):
        return True
    if not isinstance(error, redshift_connector.Error):
        return False
    state, text = answer(error)
    if state:
        return state.startswith(_TRANSIENT_STATES) or state == "XX000" and bool(_CONCURRENCY.search(text))
    return isinstance(error, redshift_connector.OperationalError)


def is_final(error: BaseException) -> bool:
    """Return whether a retry of the task cannot help: the data, the setup or the statement must be fixed first.

    XX000 is not final: Redshift uses it for nearly everything, for example for a COPY that S3 throttles. A missing
    schema is not final, either: a catalog query, as the Astro SDK sends it, fails with it if any schema is dropped.
    """
    if isinstance(error, botocore.exceptions.ClientError):
        return not _is_transient_aws(error)
    if not isinstance(error, redshift_connector.Error) or is_transient(error):
        return False
    state, _ = answer(error)
    return state.startswith(("22", *_CONFIGURATION_STATES)) and state != NO_SCHEMA


def warehouse_error(error: Exception, doing: str) -> AirflowException:
    """Convert an error of the warehouse into one of our exceptions, naming the action and the next step.

    :param error: the error that redshift_connector or the socket raised.
    :param doing: the action in a few words, for example ``publish 2018-11-01``.
    """
    state, text = answer(error)
    if state.startswith("53100"):
        return TransientError(
            f"could not {doing}: {text}. Nothing was changed. Next: free space on the warehouse (or resize the "
            "cluster); then clear the task."
        )
    if is_transient(error):
        return TransientError(f"could not {doing}: {text}. {_RETRIES_FAILED}")
    if state == STATEMENT_TIMEOUT:
        return TransientError(
            f"could not {doing}: {text}. Next: if another session holds a lock, end it; else raise statement_minutes "
            "in the Variable `sparkify` or enlarge the cluster."
        )
    if state.startswith(_CONFIGURATION_STATES) or not state:
        return ConfigurationError(
            f"could not {doing}: {text} ({state or 'no SQLSTATE'}). Next: check connection redshift_default, the "
            "rights of its user, and the tables (task create_tables creates missing ones)."
        )
    return DataError(
        f"could not {doing}: {text} (SQLSTATE {state}). Next: find the statement in the log of the task; fix it or its "
        "data; then clear the task."
    )
