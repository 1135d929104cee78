"""Answer plain requests for S3 objects directly from moto's backend, and pass all other requests to moto.

Every request through moto's Flask application costs about 2 ms of CPU. Most requests of a pipeline are GET, HEAD and
PUT of one object, and ListObjectsV2. This module serves them from the same objects in about a tenth of that time. The
module answers only requests that succeed. It passes a request to moto unchanged if the request would fail, is for a
bucket with settings such as a policy, or has a parameter or header that the lists below do not allow.
"""

from __future__ import annotations

import asyncio
import base64
import bisect
import collections
import functools
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qs, quote
from xml.sax.saxutils import escape

from moto.iam.access_control import PermissionResult
from moto.s3.models import FakeBucket, FakeDeleteMarker, FakeKey, S3Backend, s3_backends
from moto.s3.utils import ARCHIVE_STORAGE_CLASSES, metadata_from_headers

Scope = Mapping[str, Any]
Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = dict[str, str]

# Headers that do not affect the response. A request with any other header that begins with x-amz- goes to moto.
_IDLE = {
    "x-amz-date", "x-amz-content-sha256", "x-amz-security-token", "x-amz-user-agent", "x-amz-checksum-mode",
    "x-amz-te",
}  # fmt: skip
_PUT_ONLY = {"x-amz-sdk-checksum-algorithm"}
# Headers without that prefix that also send a request to moto.
_HANDED_ON = {
    "cache-control", "content-disposition", "content-encoding", "content-language", "content-md5", "expires",
    "if-match", "if-modified-since", "if-none-match", "if-unmodified-since", "origin", "range",
}  # fmt: skip
_PARAMETERS = {
    "HEAD": set(),
    "GET": {"x-id"},
    "PUT": {"x-id"},
    "LIST": {
        "list-type", "prefix", "delimiter", "max-keys", "continuation-token", "start-after", "encoding-type",
    },
}  # fmt: skip
_CHECKSUM = re.compile(r"x-amz-checksum-(?:crc32|crc32c|crc64nvme|sha1|sha256)")


class Objects:
    """An ASGI application that passes the requests that it does not answer to another one."""

    def __init__(self, otherwise: Application) -> None:
        self._otherwise = otherwise
        self._listings: collections.OrderedDict[tuple[str, str, str, str], list[str]] = (
            collections.OrderedDict()
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request, or pass it on before reading any of its body."""
        if scope["type"] == "http" and scope["method"] in ("GET", "HEAD", "PUT"):
            headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
            _, name, *key = scope["path"].split("/", 2)
            bucket = _find_bucket(name)
            if bucket is not None and _is_plain(headers, scope["method"]):
                handled = await self._serve(scope, receive, send, bucket, key[0] if key else "", headers)
                if handled:
                    return
        await self._otherwise(scope, receive, send)

    async def _serve(
        self, scope: Scope, receive: Receive, send: Send, bucket: FakeBucket, key: str, headers: Headers
    ) -> bool:
        """Answer the request if possible, and return whether it was answered."""
        query = {
            name: values[0]
            for name, values in parse_qs(scope["query_string"].decode(), keep_blank_values=True).items()
        }
        kind = scope["method"] if key else "LIST"
        if not set(query) <= _PARAMETERS[kind]:
            return False
        answer: tuple[int, Headers, bytes] | None = None
        if not key:
            if scope["method"] == "GET" and query.get("list-type") == "2":
                answer = self._list(bucket, query)
        elif kind == "PUT":
            answer = _put(bucket, key, await _read(receive), headers)
        else:
            answer = _get(bucket, key, headers, scope["method"])
        if answer is None:
            return False
        status, given, body = answer
        encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in given.items()]
        await send({"type": "http.response.start", "status": status, "headers": encoded})
        await send({"type": "http.response.body", "body": body})
        return True

    def _list(self, bucket: FakeBucket, query: dict[str, str]) -> tuple[int, Headers, bytes] | None:
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
        body = _list_body(bucket, page, query, more)
        return 200, {"content-type": "application/xml", "content-length": str(len(body))}, body


@functools.lru_cache
def _wants_only_tls(policy: bytes) -> bool:
    """Return whether a bucket's policy only refuses requests without TLS.

    This server represents a server with TLS, so such a policy does not refuse any request here. moto ignores conditions
    and would refuse every request.
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
    """Return the bucket, or None if this module cannot serve its objects."""
    owner = s3_backends.bucket_accounts.get(name)
    if owner is None:
        return None
    partition, account = owner
    backend: S3Backend = s3_backends[account][partition]
    bucket = backend.buckets.get(name)
    special = type(bucket) is not FakeBucket or (
        (bucket.policy and not _wants_only_tls(bucket.policy))
        or bucket.cors
        or bucket.logging
        or bucket.object_lock_enabled
    )
    return None if special else bucket


def _is_plain(headers: Headers, method: str) -> bool:
    """Return whether the request is signed, path-style, and without headers that need moto."""
    if not headers.get("authorization", "").startswith("AWS4-HMAC-SHA256"):
        return False
    if headers.get("host", "").endswith(".amazonaws.com"):
        return False
    if method == "PUT" and headers.get("x-amz-content-sha256", "").startswith("STREAMING-"):
        return False
    for name in headers:
        if name.startswith("x-amz-"):
            if name in _IDLE:
                continue
            if method != "PUT" or not (
                name in _PUT_ONLY or _CHECKSUM.fullmatch(name) or name.startswith("x-amz-meta-")
            ):
                return False
        elif name in _HANDED_ON:
            return False
    algorithm = headers.get("x-amz-sdk-checksum-algorithm", "").lower()
    given = [name for name in headers if _CHECKSUM.fullmatch(name)]
    return given == ([f"x-amz-checksum-{algorithm}"] if algorithm else [])


async def _read(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise asyncio.CancelledError
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


def _put(bucket: FakeBucket, key: str, body: bytes, headers: Headers) -> tuple[int, Headers, bytes]:
    backend = s3_backends[bucket.account_id][bucket.partition]
    algorithm = headers.get("x-amz-sdk-checksum-algorithm", "")
    checksum = f"x-amz-checksum-{algorithm.lower()}"
    made = backend.put_object(
        bucket.name, key, body, storage="STANDARD", checksum_value=headers.get(checksum)
    )
    made.set_metadata(metadata_from_headers(headers))
    made.set_acl(bucket.acl)
    if algorithm:
        made.checksum_algorithm = algorithm
    given = {checksum: headers[checksum]} if algorithm else {}
    given |= {name.lower(): str(value) for name, value in made.response_dict.items()}
    return 200, given | {"content-length": "0"}, b""


def _get(bucket: FakeBucket, key: str, headers: Headers, method: str) -> tuple[int, Headers, bytes] | None:
    backend = s3_backends[bucket.account_id][bucket.partition]
    found = backend.get_object(bucket.name, key)
    if found is None or found.storage_class in ARCHIVE_STORAGE_CLASSES:
        return None
    if headers.get("x-amz-checksum-mode") and found.checksum_algorithm:
        return None
    given = {name.lower(): str(value) for name, value in found.response_dict.items()}
    given |= {name.lower(): str(value) for name, value in found.metadata.items()}
    given["accept-ranges"] = "bytes"
    return 200, given, b"" if method == "HEAD" else found.value


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
