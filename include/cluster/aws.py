"""AWS by way of the connection aws_default, its errors sorted into the project's classes."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from include.cluster.request import AWS_CONN_ID
from include.sparkify.errors import ConfigurationError, TransientError, aws_error

# What is in the way now and goes by itself, such as the network card of a cluster that was just deleted.
_BUSY = {
    "DependencyViolation",
    "DeleteConflict",
    "ConflictException",
    "InvalidClusterState",
    "InvalidClusterStateFault",
    "InvalidClusterSubnetGroupStateFault",
    "OperationAborted",
    "EntityTemporarilyUnmodifiable",
    "ConcurrentModification",
}
_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403", "Forbidden"}
_BAD_KEY = {
    "AuthFailure",
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
}


@functools.lru_cache
def client(service: str, region: str) -> Any:
    """The boto3 client of a service; one a process (a task is a process), as a new one takes a tenth of a second."""
    from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook

    return AwsBaseHook(AWS_CONN_ID, client_type=service, region_name=region).get_conn()


@contextlib.contextmanager
def doing(what: str) -> Iterator[None]:
    """Name the action in any error of AWS.

    :param what: verb and object, for example ``create role sparkify-copy``.
    :raises ConfigurationError: no right, a wrong key, a wrong value; no retry helps.
    :raises TransientError: AWS is busy or unreachable, or something is still in the way.
    """
    try:
        yield
    except ClientError as error:
        if code(error) in _BUSY:
            raise TransientError(f"could not {what} yet: {error}") from error
        if code(error) in _DENIED:
            raise ConfigurationError(
                f"could not {what}: {error}. What to mend: give the role of connection {AWS_CONN_ID} the rights in "
                "include/iam/deploy.json (provision, teardown) or include/iam/workers.json (all others)."
            ) from error
        if code(error) in _BAD_KEY:
            raise ConfigurationError(
                f"could not {what}: {error}. What to mend: the credentials of connection {AWS_CONN_ID}."
            ) from error
        raise aws_error(error, what) from error
    except BotoCoreError as error:
        raise aws_error(error, what) from error


def code(error: ClientError) -> str:
    """AWS's short name of an error."""
    return str(error.response["Error"]["Code"])


@contextlib.contextmanager
def absent(*codes: str) -> Iterator[None]:
    """Take errors with these codes for the answer that there is nothing."""
    try:
        yield
    except ClientError as error:
        if code(error) not in codes:
            raise
