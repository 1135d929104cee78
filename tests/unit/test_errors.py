"""Test that a driver's error becomes a transient, data or configuration error whose message names the next step."""

from __future__ import annotations

import botocore.exceptions
import pytest
import redshift_connector

from include.sparkify.errors import (
    ConfigurationError,
    DataError,
    TransientError,
    aws_error,
    is_final,
    is_transient,
    warehouse_error,
)


def client_error(code: str, status: int = 400) -> botocore.exceptions.ClientError:
    return botocore.exceptions.ClientError(
        {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}},
        "ListObjectsV2",
    )


def answer(state: str, message: str) -> redshift_connector.ProgrammingError:
    """Return a driver's error with the server's SQLSTATE and message."""
    return redshift_connector.ProgrammingError({"S": "ERROR", "C": state, "M": message})


@pytest.mark.finding("D6")
@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (client_error("SlowDown"), TransientError, "SlowDown"),
        (client_error("AccessDenied"), ConfigurationError, "a customer managed key, or of another account"),
        (client_error("InvalidObjectState"), ConfigurationError, "archived (GLACIER): restore it"),
        (client_error("SomethingNew"), ConfigurationError, "Next: see the message of AWS"),
        (
            botocore.exceptions.NoCredentialsError(),
            ConfigurationError,
            "give connection aws_default credentials",
        ),
        (
            botocore.exceptions.EndpointConnectionError(endpoint_url="http://nowhere"),
            TransientError,
            "EndpointConnectionError: Could not connect",
        ),
    ],
    ids=str,
)
def test_errors_of_aws(error, kind, said):
    found = aws_error(error, "list s3://lake/")

    assert type(found) is kind
    assert "could not list s3://lake/: " in str(found)
    assert said in str(found)
    assert "Next: " in str(found)


@pytest.mark.finding("F7")
@pytest.mark.parametrize(
    ("code", "status"),
    [
        # The status determines the result, regardless of the code.
        ("SomethingNew", 500),
        ("SomethingNew", 503),
        ("TooManyRequests", 429),
        ("429", 0),
        ("503", 0),
        # These codes are in botocore's own lists.
        ("RequestLimitExceeded", 400),
        ("EC2ThrottledException", 400),
        ("TooManyRequestsException", 400),
        ("RequestTimeout", 400),
        # Redshift returns these codes with the status 400.
        ("DependentServiceRequestThrottlingFault", 400),
        ("InsufficientClusterCapacity", 400),
        ("InsufficientCapacityException", 400),
        # Another operation is in progress.
        ("InvalidClusterState", 400),
        ("ConflictException", 409),
        # A retry gets new credentials.
        ("ExpiredToken", 400),
        ("ExpiredTokenException", 403),
        ("RequestExpired", 400),
        # DeleteObjects returns this code for one object, and no status for it.
        ("InternalError", 200),
    ],
)
def test_what_aws_means_to_be_tried_again(code, status):
    assert type(aws_error(client_error(code, status), "list")) is TransientError


@pytest.mark.parametrize(
    ("code", "status"),
    [("AccessDenied", 403), ("NoSuchBucket", 404), ("ValidationException", 400), ("5000", 400)],
)
def test_what_aws_means_to_be_fixed(code, status):
    assert type(aws_error(client_error(code, status), "list")) is ConfigurationError


CONFLICT = "could not complete because of conflict with concurrent transaction"
# The error, its kind, and words of its message.
WAREHOUSE = {
    "socket": (OSError("reset"), TransientError, "reset"),
    "lost link": (redshift_connector.InterfaceError("closed"), TransientError, "closed"),
    "no state, operational": (redshift_connector.OperationalError("gone"), TransientError, "gone"),
    "serialization": (answer("40001", "conflict"), TransientError, "conflict"),
    "1023": (answer("XX000", "1023: Serializable isolation violation"), TransientError, "1023"),
    "concurrent": (answer("XX000", "tuple concurrently updated"), TransientError, "concurrently"),
    "conflict": (answer("XX000", CONFLICT), TransientError, CONFLICT),
    "no OID": (answer("XX000", "could not open relation with OID 12"), TransientError, "OID 12"),
    "no relation": (answer("XX000", "Relation with OID 12 does not exist."), TransientError, "OID 12"),
    "1018": (answer("XX000", "1018"), TransientError, "1018"),
    "dropped": (answer("XX000", "table 12 dropped by concurrent transaction"), TransientError, "table 12"),
    "vacuum": (answer("XX000", "VACUUM is running"), TransientError, "VACUUM"),
    "a number": (answer("XX000", "assertion of 10234"), DataError, "10234"),
    "disk full": (
        answer("53100", "no space"),
        TransientError,
        "no space. Nothing was changed. Next: free space",
    ),
    "timeout": (
        answer("57014", "canceled"),
        TransientError,
        "canceled. Next: if another session holds a lock",
    ),
    "no table": (
        answer("42P01", "no table"),
        ConfigurationError,
        "no table (42P01). Next: check the connection",
    ),
    "no schema": (
        answer("3F000", "no schema"),
        ConfigurationError,
        "no schema (3F000). Next: check the connection",
    ),
    "no state": (redshift_connector.ProgrammingError("what"), ConfigurationError, "what (no SQLSTATE). Next"),
    "nothing": (redshift_connector.ProgrammingError(), ConfigurationError, "(no SQLSTATE). Next"),
    "division": (answer("22012", "division by zero"), DataError, "division by zero (SQLSTATE 22012)"),
    "internal": (answer("XX000", "assertion"), DataError, "assertion (SQLSTATE XX000)"),
}


@pytest.mark.finding("D5")
@pytest.mark.parametrize(("error", "kind", "said"), WAREHOUSE.values(), ids=WAREHOUSE)
def test_errors_of_the_warehouse(error, kind, said):
    found = warehouse_error(error, "publish 1")

    assert type(found) is kind
    assert "could not publish 1: " in str(found)
    assert said in str(found)
    assert "Next: " in str(found)


def test_what_is_tried_again_at_once():
    """A statement that exceeded the time limit is not retried, because the retry would also exceed it."""
    tried_again = {name for name, (error, *_) in WAREHOUSE.items() if is_transient(error)}

    transient = {name for name, (_, kind, _) in WAREHOUSE.items() if kind is TransientError}
    assert tried_again == transient - {"timeout"}
    assert not is_transient(ValueError("ours"))


def test_what_a_retry_of_the_task_cannot_help():
    """XX000 is not final, because S3 throttling also causes it; nor is 3F000, because a concurrent DROP SCHEMA does."""
    final = {name for name, (error, *_) in WAREHOUSE.items() if is_final(error)}

    assert final == {"no table", "division"}
    assert is_final(client_error("AccessDenied", 403)) and not is_final(client_error("SlowDown", 503))
    assert not is_final(ValueError("ours"))
