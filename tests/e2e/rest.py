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


def login(password: str) -> str:
    """Return the Authorization header of the user admin. Airflow 3 exchanges the password for a token.

    :raises urllib.error.HTTPError: if the password is wrong (Airflow 3).
    """
    if AIRFLOW == 2:
        return "Basic " + base64.b64encode(f"admin:{password}".encode()).decode()
    body = json.dumps({"username": "admin", "password": password}).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{airflow.url()}/auth/token", body, headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return f"Bearer {json.load(answer)['access_token']}"


def call(authorization: str, method: str, path: str, body: Any = None) -> Any:
    """Send a request and return the response.

    :raises urllib.error.HTTPError: if the API refuses the request.
    """
    headers = {"Content-Type": "application/json", "Authorization": authorization}
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(f"{airflow.url()}/api/{VERSION}{path}", data, headers, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)
