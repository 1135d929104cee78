"""Run steps of a client's first-day work, and print each result as one line with JSON on standard output."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager

HOST = os.environ["REDSHIFT_HOST"]
PORT = int(os.environ["REDSHIFT_PORT"])
USER = os.environ["REDSHIFT_USER"]
PASSWORD = os.environ["REDSHIFT_PASSWORD"]
DATABASE = os.environ["REDSHIFT_DATABASE"]
LOGIN = {"host": HOST, "port": PORT, "user": USER, "password": PASSWORD}
ROLE = os.environ["REDSHIFT_ROLE"]
BUCKET = os.environ["REDSHIFT_BUCKET"]


def report(name: str, error: str | None = None) -> None:
    """Print one result. A step without an error works."""
    print("STEP " + json.dumps({"name": name, "error": error}), flush=True)


@contextmanager
def step(name: str) -> Iterator[None]:
    """Report whether the body works. The code after the body runs in either case."""
    try:
        yield
    except Exception as error:
        report(name, f"{type(error).__name__}: {error}"[:600])
    else:
        report(name)


@contextmanager
def refused(name: str, words: str) -> Iterator[None]:
    """Report whether the body is refused, as on Redshift, with a message that contains ``words``."""
    try:
        yield
    except Exception as error:
        answer = str(error)
        report(name, None if words.lower() in answer.lower() else f"refused in other words: {answer}"[:600])
    else:
        report(name, "accepted, and Redshift refuses it")


def expect(value: object, wanted: object) -> None:
    """Raise AssertionError unless both are equal."""
    assert value == wanted, f"{value!r} instead of {wanted!r}"
