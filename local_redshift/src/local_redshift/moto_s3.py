"""Answer plain requests for a listing of S3 objects from moto's backend, and pass all other requests to moto.

moto reads and sorts all names of a bucket for every page of a listing. For 15,000 song files, that takes ten seconds.
This module answers only with success. moto receives unchanged, and answers, each request that would fail, is for a
bucket with settings such as CORS, or has a parameter or header that the lists below do not allow.
"""

from __future__ import annotations

import base64
import bisect
import collections
import functools
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qs, quote
from xml.sax.saxutils import escape

from moto.iam.access_control import PermissionResult
from moto.s3.models import FakeBucket, FakeDeleteMarker, FakeKey, S3Backend, s3_backends

Scope = Mapping[str, Any]
Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

# Headers that do not affect the response. A request with any other header that begins with x-amz- goes to moto.
_IDLE = {"x-amz-date", "x-amz-content-sha256", "x-amz-security-token", "x-amz-user-agent", "x-amz-te"}
_PARAMETERS = {
    "list-type", "prefix", "delimiter", "max-keys", "continuation-token", "start-after", "encoding-type",
}  # fmt: skip


class Listings:
    """An ASGI application that passes the requests that it does not answer to another one."""

    def __init__(self, otherwise: Application) -> None:
        self._otherwise = otherwise
        self._listings: collections.OrderedDict[tuple[str, str, str, str], list[str]] = (
            collections.OrderedDict()
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request, or pass it on before reading any of its body."""
        answer = self._answer(scope) if scope["type"] == "http" and scope["method"] == "GET" else None
        if answer is None:
            await self._otherwise(scope, receive, send)
            return
        headers = [(b"content-type", b"application/xml"), (b"content-length", str(len(answer)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    def _answer(self, scope: Scope) -> bytes | None:
        _, name, *key = scope["path"].split("/", 2)
        bucket = _find_bucket(name)
        if bucket is None or any(key) or not _is_plain(dict(scope["headers"])):
            return None
        given = parse_qs(scope["query_string"].decode(), keep_blank_values=True)
        query = {name: values[0] for name, values in given.items()}
        plain = query.get("list-type") == "2" and set(query) <= _PARAMETERS
        return self._list(bucket, query) if plain else None

    def _list(self, bucket: FakeBucket, query: dict[str, str]) -> bytes | None:
        """Return one page of ListObjectsV2. The names of a listing are sorted once, not for every page."""
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        encoding, token = query.get("encoding-type"), query.get("continuation-token")
        size = query.get("max-keys", "1000")
        if not size.isdigit() or not 1 <= int(size) <= 1000 or encoding not in (None, "url") or token == "":
            return None
        after = _decode_token(token) if token else query.get("start-after", "")
        if after is None:
            return None
        listing = (bucket.name, prefix, delimiter, token or "")
        names = self._listings.pop(listing, None) or _names(bucket, prefix, delimiter)
        first = bisect.bisect_right(names, after) if after else 0
        last = first + int(size)
        page = names[first:last]
        more = ""
        if last < len(names):
            more = _encode_token(page[-1])
            self._listings[(bucket.name, prefix, delimiter, more)] = names
            if len(self._listings) > 16:
                self._listings.popitem(last=False)
        return _list_body(bucket, page, query, more)


@functools.lru_cache
def _wants_only_tls(policy: bytes) -> bool:
    """Return whether a bucket's policy only refuses requests without TLS.

    This server is a substitute for one with TLS, so such a policy refuses nothing here. moto ignores conditions and
    would refuse every request.
    """
    statements = json.loads(policy)["Statement"]
    return all(
        (one["Effect"], one.get("Condition")) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
        for one in statements
    )


_get_permission = FakeBucket.get_permission


def _get_permission_over_tls(self: FakeBucket, action: str, resource: str) -> Any:
    if self.policy is not None and _wants_only_tls(self.policy):
        return PermissionResult.NEUTRAL
    return _get_permission(self, action, resource)


FakeBucket.get_permission = _get_permission_over_tls  # type: ignore[method-assign]


def _find_bucket(name: str) -> FakeBucket | None:
    """Return the bucket, or None if this module cannot list its objects."""
    owner = s3_backends.bucket_accounts.get(name)
    if owner is None:
        return None
    partition, account = owner
    backend: S3Backend = s3_backends[account][partition]
    bucket = backend.buckets.get(name)
    special = type(bucket) is not FakeBucket or bucket.cors or bucket.logging or bucket.object_lock_enabled
    return None if special else bucket


def _is_plain(headers: dict[bytes, bytes]) -> bool:
    """Return whether the request is signed, path-style, and without headers that need moto."""
    if not headers.get(b"authorization", b"").startswith(b"AWS4-HMAC-SHA256"):
        return False
    if headers.get(b"host", b"").endswith(b".amazonaws.com") or b"origin" in headers:
        return False
    special = {name.decode("latin-1") for name in headers if name.startswith(b"x-amz-")}
    return special <= _IDLE


def _names(bucket: FakeBucket, prefix: str, delimiter: str) -> list[str]:
    """Return keys and common prefixes, sorted. Only a common prefix ends with the delimiter."""
    keys = [
        name
        for name, versions in dict.items(bucket.keys)
        if name.startswith(prefix) and not isinstance(versions[-1], FakeDeleteMarker)
    ]
    if not delimiter:
        return sorted(keys)
    start = len(prefix)
    cut = {name: name.find(delimiter, start) for name in keys}
    return sorted({name if at < 0 else name[: at + len(delimiter)] for name, at in cut.items()})


def _list_body(bucket: FakeBucket, page: list[str], query: dict[str, str], more: str) -> bytes:
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    spell = quote if query.get("encoding-type") == "url" else escape
    out = [
        '<?xml version="1.0" encoding="utf-8"?>\n'
        '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<Name>{bucket.name}</Name><Prefix>{spell(prefix)}</Prefix>"
        f"<MaxKeys>{query.get('max-keys', '1000')}</MaxKeys>"
    ]
    count = 0
    for name in page:
        if delimiter and name.find(delimiter, len(prefix)) >= 0:
            out.append(f"<CommonPrefixes><Prefix>{spell(name)}</Prefix></CommonPrefixes>")
        else:
            found = bucket.keys.get(name)
            if not isinstance(found, FakeKey):
                continue  # deleted since the first page
            algorithm = found.checksum_algorithm
            out.append(
                f"<Contents><Key>{spell(name)}</Key><LastModified>{found.last_modified_ISO8601}</LastModified>"
                f"<ETag>{found.etag}</ETag><Size>{found.size}</Size>"
                + (f"<ChecksumAlgorithm>{algorithm}</ChecksumAlgorithm>" if algorithm else "")
                + f"<StorageClass>{found.storage_class}</StorageClass></Contents>"
            )
        count += 1
    for element, value in (
        ("KeyCount", str(count)),
        ("IsTruncated", "true" if more else "false"),
        ("Delimiter", spell(delimiter)),
        ("EncodingType", query.get("encoding-type", "")),
        ("ContinuationToken", escape(query.get("continuation-token", ""))),
        ("NextContinuationToken", more),
        ("StartAfter", spell(query.get("start-after", ""))),
    ):
        if value:
            out.append(f"<{element}>{value}</{element}>")
    out.append("</ListBucketResult>")
    return "".join(out).encode()


def _encode_token(name: str) -> str:
    return base64.urlsafe_b64encode(name.encode()).decode()


def _decode_token(token: str) -> str | None:
    try:
        return base64.urlsafe_b64decode(token).decode()
    except ValueError:
        return None
