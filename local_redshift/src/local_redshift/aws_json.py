"""AWS's JSON protocol, for services that moto does not have, or for which it returns made-up rows."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from botocore import xform_name

Given = dict[str, Any]
Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


@dataclass(frozen=True)
class Caller:
    """The signer of a request: access key and region."""

    access_key: str
    region: str


_CREDENTIAL = re.compile(r"Credential=([^/]+)/\d+/([^/]+)/")


class Fault(Exception):
    """An error in AWS's form, with a code and a message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message = code, message


def serve(application: Application, name: str, operations: object) -> Application:
    """Return an application that serves a service, and passes all other requests to `application`.

    :param name: the service's name in boto3.
    :param operations: has a method with boto3's name for each operation. Other operations are refused by name.
    """
    from botocore.session import Session  # takes long to import

    model = Session().get_service_model(name)
    service = model.metadata["targetPrefix"]

    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        asked, _, operation = environ.get("HTTP_X_AMZ_TARGET", "").partition(".")
        if asked != service:
            return application(environ, start_response)
        given = json.loads(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)) or b"{}")
        signed = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
        caller = Caller(signed[1], signed[2]) if signed else Caller("", "")
        try:
            method = getattr(operations, xform_name(operation), None)
            if operation not in model.operation_names or method is None:
                raise Fault(
                    "UnknownOperationException", f"the local Redshift does not cover {service} {operation}"
                )
            status, found = "200 OK", method(caller, given)
        except Fault as fault:
            status, found = "400 Bad Request", {"__type": fault.code, "message": fault.message}
        body = json.dumps(found).encode()
        headers = [("Content-Type", "application/x-amz-json-1.1"), ("Content-Length", str(len(body)))]
        start_response(status, headers)
        return [body]

    return answer
