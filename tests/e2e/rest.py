"""A client of Airflow's REST API in `make up`, for Airflow 2 and 3."""

from __future__ import annotations

import base64
import json
import urllib.request
from typing import Any

from local import airflow
from local.home import AIRFLOW

VERSION = "v1" if AIRFLOW == 2 else "v2"
NO_LOGICAL_DATE = {} if AIRFLOW == 2 else {"logical_date": None}
"""A field of the request for a manual run: Airflow 3 requires it, and it may be null."""


def send(method: str, url: str, body: Any = None, authorization: str = "") -> Any:
    """Send a request and return the response.

    :raises urllib.error.HTTPError: if the API refuses the request.
    """
    headers = {"Content-Type": "application/json"} | (
        {"Authorization": authorization} if authorization else {}
    )
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, headers, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def login(password: str) -> str:
    """Return the Authorization header of the user admin. Airflow 3 exchanges the password for a token.

    :raises urllib.error.HTTPError: if the password is wrong (Airflow 3).
    """
    if AIRFLOW == 2:
        return "Basic " + base64.b64encode(f"admin:{password}".encode()).decode()
    found = send("POST", f"{airflow.url()}/auth/token", {"username": "admin", "password": password})
    return f"Bearer {found['access_token']}"


def call(authorization: str, method: str, path: str, body: Any = None) -> Any:
    """Call the API of `make up`."""
    return send(method, f"{airflow.url()}/api/{VERSION}{path}", body, authorization)
