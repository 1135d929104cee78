"""Define the three classes of errors, and assign errors of the drivers to these classes."""

from __future__ import annotations

import re

import botocore.exceptions
import redshift_connector
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException
from botocore.retries import standard


class TransientError(AirflowException):
    """A condition that may be resolved without intervention, so Airflow retries the task."""


class DataError(AirflowFailException):
    """Input that violates its contract, so a retry cannot succeed."""


class ConfigurationError(AirflowFailException):
    """A configuration that must be fixed first, so a retry cannot succeed."""


# SQLSTATE classes of the PostgreSQL family.
# The last three states mean that two sessions create the same object at the same time, because Redshift does not
# enforce keys, and every CREATE has IF NOT EXISTS. 53100 (disk full) is transient, because space can be freed.
_TRANSIENT_STATES = ("08", "40", "57P", "55P03", "53100", "53300", "23505", "42P06", "42P07")
# Concurrency errors that Redshift reports as XX000, "internal error". dbt retries after the same errors
# (https://github.com/dbt-labs/dbt-adapters/pull/1873). Dropped relations: https://github.com/dbt-labs/dbt-core/pull/825
# 1018 and 1023: https://docs.aws.amazon.com/redshift/latest/dg/c_serial_isolation.html VACUUM:
# https://docs.aws.amazon.com/redshift/latest/dg/r_VACUUM_command.html
_CONCURRENCY = re.compile(
    r"\b(1018|1023)\b|concurrently updated|conflict with concurrent transaction|could not open relation with OID"
    r"|Relation with OID \d+ does not exist|dropped by concurrent transaction|VACUUM is running"
)
# The statement exceeded statement_timeout, or was canceled.
STATEMENT_TIMEOUT = "57014"
# "schema ... does not exist". A catalog query also fails with this state if another session drops any schema:
# https://github.com/aws/amazon-redshift-jdbc-driver/issues/153, https://github.com/dbt-labs/dbt-adapters/pull/1718
NO_SCHEMA = "3F000"
_CONFIGURATION_STATES = ("28", "3D", "3F", "42")
# Transient errors whose HTTP status does not show that they are transient. S3 returns InternalError and
# ServiceUnavailable for single objects of a DeleteObjects request, and the other codes with status 400 or 403:
# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
_TRANSIENT_AWS = {
    "InternalError",
    "ServiceUnavailable",
    "RequestTimeTooSkewed",
    # Another operation on the same resource is in progress.
    "ConflictException",
    "InvalidClusterState",
    "InvalidClusterStateFault",
    "OperationAborted",
    # A retry is a new process, which requests new credentials.
    "ExpiredToken",
    "ExpiredTokenException",
    "RequestExpired",
    "TokenRefreshRequired",
}
_DENIED = (
    "the role of the workers is not allowed to do this. Deploy include/iam/permissions.yaml, with AllowProvisioning "
    "for provision and teardown. For a bucket with a customer managed key, or of another account, see docs/aws.md, "
    "Permissions"
)
RETRIES_FAILED = "Next: if all retries fail, check the status of the service in AWS, then clear the task."
_UNKNOWN_KEY = "the connection aws_default has a key that AWS does not know"
_AWS_HINTS = {
    "NoSuchBucket": "the bucket does not exist: fix source_bucket or work_bucket in the Variable `sparkify`",
    **dict.fromkeys(
        ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "Forbidden", "403"), _DENIED
    ),
    "AuthFailure": _UNKNOWN_KEY,
    "InvalidAccessKeyId": _UNKNOWN_KEY,
    "InvalidClientTokenId": _UNKNOWN_KEY,
    "UnrecognizedClientException": _UNKNOWN_KEY,
    "SignatureDoesNotMatch": "the connection aws_default has an incorrect secret key",
    "PermanentRedirect": "the bucket is in another region: fix region_name of connection aws_default",
    "AuthorizationHeaderMalformed": "the bucket is in another region: fix region_name of connection aws_default",
    "InvalidObjectState": "the object is archived (GLACIER): restore it in S3",
    "301": "the bucket is in another region: fix region_name of connection aws_default",
}


def aws_error(error: Exception, doing: str) -> AirflowException:
    """Convert a botocore error to an exception of this module, whose message names the action and the fix.

    :param error: the error that botocore raised.
    :param doing: the action and the object, for example ``list s3://bucket/prefix``.
    """
    if isinstance(error, botocore.exceptions.ClientError):
        code = str(error.response.get("Error", {}).get("Code", ""))
        if _is_transient_aws(error):
            return TransientError(f"could not {doing}: {error}. {RETRIES_FAILED}")
        hint = _AWS_HINTS.get(code, "see the message of AWS")
        return ConfigurationError(f"could not {doing}: {error}. Next: {hint}.")
    if isinstance(
        error, botocore.exceptions.NoCredentialsError | botocore.exceptions.PartialCredentialsError
    ):
        return ConfigurationError(
            f"could not {doing}: {error}. Next: give connection aws_default credentials."
        )
    return TransientError(f"could not {doing}: {type(error).__name__}: {error}. {RETRIES_FAILED}")


def _is_transient_aws(error: botocore.exceptions.ClientError) -> bool:
    """Return whether an error is transient: a failure of AWS, throttling, missing capacity, or expired credentials.

    The result depends on the status, on the lists of botocore, and on the name of the error. The name is required
    because Redshift reports missing capacity, and throttling by another service, with status 400.
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
        # The response was lost, and botocore repeated the call. A retry of the task finds the result of the first call.
        or "AlreadyExists" in code
        or "IN_PROGRESS state and can not be updated" in str(error)
        # Secrets Manager deletes a secret some time after the call returns, and reserves the name until then.
        or "scheduled for deletion" in str(error)
    )


def answer(error: BaseException) -> tuple[str, str]:
    """Return the SQLSTATE of a warehouse error (an empty string if it has none) and its message."""
    detail = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
    return str(detail.get("C", "")), str(detail.get("M", error))


def is_transient(error: Exception) -> bool:
    """Return whether the whole transaction can be repeated on a new connection.

    A lost connection, a restarting server, a deadlock and the concurrency errors of Redshift are transient. An error in
    the statement itself is not transient.
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
    """Return whether a retry of the task cannot succeed, because data, configuration or statement must be fixed first.

    XX000 is not final, because Redshift uses it for most errors, for example for a COPY that S3 throttles. A missing
    schema is not final, because a catalog query, such as those of the Astro SDK, fails with this error if any schema is
    dropped.
    """
    if isinstance(error, botocore.exceptions.ClientError):
        return not _is_transient_aws(error)
    if not isinstance(error, redshift_connector.Error) or is_transient(error):
        return False
    state, _ = answer(error)
    return state.startswith(("22", *_CONFIGURATION_STATES)) and state != NO_SCHEMA


def warehouse_error(error: Exception, doing: str) -> AirflowException:
    """Convert a warehouse error to an exception of this module, whose message names the action and the next step.

    :param error: the error that redshift_connector or the socket raised.
    :param doing: a short description of the action, for example ``publish 2018-11-01``.
    """
    state, text = answer(error)
    if state.startswith("53100"):
        return TransientError(
            f"could not {doing}: {text}. Nothing was changed. Next: free space on the warehouse (or resize the "
            "cluster), then clear the task."
        )
    if is_transient(error):
        return TransientError(f"could not {doing}: {text}. {RETRIES_FAILED}")
    if state == STATEMENT_TIMEOUT:
        return TransientError(
            f"could not {doing}: {text}. Next: if another session holds a lock, end that session. Otherwise, increase "
            "statement_minutes in the Variable `sparkify`, or resize the cluster."
        )
    if state.startswith(_CONFIGURATION_STATES) or not state:
        return ConfigurationError(
            f"could not {doing}: {text} ({state or 'no SQLSTATE'}). Next: check the connection redshift_default, the "
            "privileges of its user, and the tables (the task create_tables creates missing tables)."
        )
    return DataError(
        f"could not {doing}: {text} (SQLSTATE {state}). Next: find the statement in the log of the task. Fix it "
        "or its data, then clear the task."
    )
