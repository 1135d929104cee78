"""Restrict the AWS endpoint to programs on this machine, and refuse web pages of other sites.

moto accepts any signature, so only this restriction protects its data. A browser sends the page's origin and, in the
Host header, the name that the page resolved, which may be that of an attacker (DNS rebinding). Both must refer to this
machine.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from .moto_s3 import Application, Receive, Scope, Send

_NAMES = {"127.0.0.1", "localhost", "::1"}


class LocalOnly:
    """An ASGI application that refuses requests from elsewhere with 403 before they reach `application`."""

    def __init__(self, application: Application, names: Iterable[str] = ()) -> None:
        """:param names: other names of this machine that clients use, such as its service in a compose file."""
        self._application, self._names = application, _NAMES | {name.lower() for name in names}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with 403, or pass the request on."""
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        reason = self._reason(
            headers.get(b"host", ""), headers.get(b"origin"), headers.get(b"sec-fetch-site", "")
        )
        if reason is None:
            await self._application(scope, receive, send)
            return
        body = f"The local AWS refuses this request: {reason}.\n".encode()
        plain = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 403, "headers": plain})
        await send({"type": "http.response.body", "body": body})

    def _reason(self, host: str, origin: str | None, site: str) -> str | None:
        if not self._is_local(f"//{host}"):
            return (
                f"its Host header {host!r} is not this machine (local-redshift serve --name {host.split(':')[0]}"
                " allows it)"
            )
        if (origin is not None and not self._is_local(origin)) or site == "cross-site":
            return f"it comes from a web page of {origin or 'another site'}"
        return None

    def _is_local(self, address: str) -> bool:
        try:
            name = (urlsplit(address).hostname or "").lower()
        except ValueError:
            return False
        # bucket.localhost is the virtual-hosted style. Every resolver maps it to this machine.
        return name in self._names or name.endswith(".localhost")
