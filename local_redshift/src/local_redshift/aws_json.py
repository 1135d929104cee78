"""AWS's JSON protocol, for services that moto lacks or answers with made-up rows."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

Given = dict[str, Any]
Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


@dataclass(frozen=True)
class Caller:
    """The signer of a request: access key and region."""

    access_key: str
    region: str


Operation = Callable[[Caller, Given], Given]
_CREDENTIAL = re.compile(r"Credential=([^/]+)/\d+/([^/]+)/")


class Fault(Exception):
    """An error in AWS's form, with a code and a message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message = code, message


def serve(application: Application, service: str, operations: dict[str, Operation]) -> Application:
    """Return an application that serves `service`, and passes all other requests to `application`.

    :param service: the part of the header X-Amz-Target before the dot.
    :param operations: functions by the name of the operation. Other operations of the service are refused by name.
    """

    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        asked, _, operation = environ.get("HTTP_X_AMZ_TARGET", "").partition(".")
        if asked != service:
            return application(environ, start_response)
        given = json.loads(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)) or b"{}")
        signed = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
        caller = Caller(signed[1], signed[2]) if signed else Caller("", "")
        try:
            if operation not in operations:
                raise Fault(
                    "UnknownOperationException", f"the local Redshift does not cover {service} {operation}"
                )
            status, found = "200 OK", operations[operation](caller, given)
        except Fault as fault:
            status, found = "400 Bad Request", {"__type": fault.code, "message": fault.message}
        body = json.dumps(found).encode()
        headers = [("Content-Type", "application/x-amz-json-1.1"), ("Content-Length", str(len(body)))]
        start_response(status, headers)
        return [body]

    return answer
