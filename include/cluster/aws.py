"""Call AWS through connection aws_default, and convert its errors into the project's exceptions."""

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
    """Return the boto3 client of a service. Each process (a task) creates it only once, because that takes 0.1 s."""
    return aws.client(service, region)


@contextlib.contextmanager
def doing(action: str) -> Iterator[None]:
    """Name the action in every AWS error.

    :param action: verb and object, for example ``create role sparkify-copy``.
    :raises ConfigurationError: a permission is missing, or a key or a value is wrong. A retry does not help.
    :raises TransientError: AWS is busy or unreachable, or another resource still blocks the action.
    """
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise aws_error(error, action) from error


def get_code(error: ClientError) -> str:
    """Return the AWS error code."""
    return str(error.response["Error"]["Code"])


@contextlib.contextmanager
def absent(*codes: str) -> Iterator[None]:
    """Ignore errors with these codes, which mean that the resource does not exist."""
    try:
        yield
    except ClientError as error:
        if get_code(error) not in codes:
            raise
