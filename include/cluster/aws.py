"""Call AWS APIs with the connection aws_default, and convert AWS errors to the exceptions of this project."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from include.sparkify import aws
from include.sparkify.errors import aws_error


@functools.lru_cache
def client(service: str, region: str) -> Any:
    """Return the boto3 client of a service, which is cached per process, because its creation takes 0.1 s."""
    return aws.client(service, region)


@contextlib.contextmanager
def doing(action: str) -> Iterator[None]:
    """Convert each AWS error in the context to an exception whose message names the action.

    :param action: a verb and an object, for example ``create role sparkify-copy``.
    :raises ConfigurationError: a permission is missing, or a key or a value is invalid. A retry cannot succeed.
    :raises TransientError: AWS is busy or cannot be reached, or another resource still blocks the action.
    """
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise aws_error(error, action) from error


def get_code(error: ClientError) -> str:
    """Return the AWS error code of an error."""
    return str(error.response["Error"]["Code"])


@contextlib.contextmanager
def absent(*codes: str) -> Iterator[None]:
    """Ignore AWS errors with these codes, which mean that the resource does not exist."""
    try:
        yield
    except ClientError as error:
        if get_code(error) not in codes:
            raise
