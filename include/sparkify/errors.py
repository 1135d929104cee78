"""The four classes of failure, and how a driver's error is sorted into them.

transient       a retry may help: Airflow tries the task again
data            the input is wrong: no retry; the message names the file and what to do
configuration   the set-up is wrong: no retry, never a skip; the message says what to mend
absent          there is nothing to load: skipped, warned about or failed, as the settings say
"""

from __future__ import annotations

import botocore.exceptions
import redshift_connector
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException


class TransientError(AirflowException):
    """May pass by itself: Airflow retries the task."""


class DataError(AirflowFailException):
    """The input breaks its contract: retrying cannot help."""


class ConfigurationError(AirflowFailException):
    """Something outside the data has to be mended first: retrying cannot help."""


# SQLSTATE classes of the PostgreSQL family. Redshift reports serializable conflicts as XX000 with the
# number 1023 in the text (https://docs.aws.amazon.com/redshift/latest/dg/r_STV_TRANS_CONFLICT.html).
# The last three are two sessions that create one thing at once: keys of ours are never enforced, and every
# CREATE says IF NOT EXISTS.
_TRANSIENT_STATES = ("08", "40", "57P", "55P03", "53300", "23505", "42P06", "42P07")
_CONFIGURATION_STATES = ("28", "3D", "3F", "42", "53100")
_TRANSIENT_AWS = {
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "RequestTimeout",
    "RequestTimeTooSkewed",
    "InternalError",
    "ServiceUnavailable",
    "500",
    "502",
    "503",
}
_AWS_HINTS = {
    "NoSuchBucket": "the bucket does not exist: mend source_bucket or work_bucket in the Variable `sparkify`",
    "AccessDenied": "the role of the workers may not do this: see include/iam/ for the rights it needs",
    "403": "the role of the workers may not do this: see include/iam/ for the rights it needs",
    "InvalidAccessKeyId": "connection aws_default holds a key that AWS does not know",
    "SignatureDoesNotMatch": "connection aws_default holds a wrong secret key",
    "PermanentRedirect": "the bucket is in another region: mend region_name of connection aws_default",
    "AuthorizationHeaderMalformed": "the bucket is in another region: mend region_name of connection aws_default",
    "301": "the bucket is in another region: mend region_name of connection aws_default",
}


def aws_error(error: Exception, doing: str) -> AirflowException:
    """The class of an AWS error, as an exception that says what was being done and what to mend.

    :param error: what botocore raised.
    :param doing: the action and the object, for example ``list s3://bucket/prefix``.
    """
    if isinstance(error, botocore.exceptions.ClientError):
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code in _TRANSIENT_AWS:
            return TransientError(f"could not {doing}: {error}")
        hint = _AWS_HINTS.get(code, "see the message of AWS above")
        return ConfigurationError(f"could not {doing}: {error}. What to mend: {hint}.")
    if isinstance(
        error, botocore.exceptions.NoCredentialsError | botocore.exceptions.PartialCredentialsError
    ):
        return ConfigurationError(f"could not {doing}: {error}. What to mend: connection aws_default.")
    return TransientError(f"could not {doing}: {type(error).__name__}: {error}")


def is_transient(error: Exception) -> bool:
    """Whether the whole transaction may be tried again on a new connection.

    A lost link, a server that restarts, a deadlock and Redshift's serializable conflict (1023) are;
    everything the server says about the statement itself is not.
    """
    if isinstance(error, OSError | redshift_connector.InterfaceError):
        return True
    if not isinstance(error, redshift_connector.Error):
        return False
    detail = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
    state, text = str(detail.get("C", "")), str(detail.get("M", error))
    if state:
        return state.startswith(_TRANSIENT_STATES) or "1023" in text or "concurrently updated" in text
    return isinstance(error, redshift_connector.OperationalError)


def warehouse_error(error: Exception, doing: str) -> AirflowException:
    """The class of an error of the warehouse, as an exception that says what was being done.

    :param error: what redshift_connector or the socket raised.
    :param doing: the action in a few words, for example ``publish 2018-11-01``.
    """
    detail = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
    state, text = str(detail.get("C", "")), str(detail.get("M", error))
    if is_transient(error):
        return TransientError(f"could not {doing}: {text}")
    if state == "57014":
        return TransientError(
            f"could not {doing}: {text}. The statement ran into its time limit: raise statement_timeout "
            "or give the cluster more room."
        )
    if state.startswith(_CONFIGURATION_STATES) or not state:
        return ConfigurationError(
            f"could not {doing}: {text} ({state or 'no SQLSTATE'}). What to mend: the connection redshift_default, "
            "the rights of its user, or the tables (task create_tables makes missing ones)."
        )
    return DataError(f"could not {doing}: {text} (SQLSTATE {state})")
