"""Errors in the form in which a Redshift client receives them."""

from __future__ import annotations

import traceback


class SqlError(Exception):
    """An error for the client. `fields` are those of PostgreSQL's ErrorResponse, such as C code and M message."""

    def __init__(
        self, message: str, code: str = "XX000", detail: str = "", hint: str = "", **fields: str
    ) -> None:
        super().__init__(message)
        self.fields = {"S": "ERROR", "V": "ERROR", "C": code, "M": message, "D": detail, "H": hint} | fields

    @property
    def code(self) -> str:
        return self.fields["C"]


class Refused(SqlError):
    """An error for a refused statement. The message names the refused feature and the reason."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, "0A000", hint=hint)


def as_sql_error(error: Exception) -> SqlError:
    """Return the error that the client gets for a failure, and log the traceback of an internal error."""
    if isinstance(error, SqlError):
        return error
    traceback.print_exception(error)
    return SqlError(f"the local stand-in for Amazon Redshift failed: {error!r} (its log has the trace)")
