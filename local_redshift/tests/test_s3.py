"""Test that the short path for listings answers like moto, and that only programs on this machine get answers."""

from __future__ import annotations

import http.client
import json
import re
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from local_redshift import Running

SIGNED = {
    "Authorization": "AWS4-HMAC-SHA256 Credential=local/20260101/us-west-2/s3/aws4_request, SignedHeaders=host, "
    "Signature=0",
    "x-amz-content-sha256": "UNSIGNED-PAYLOAD",
}
# moto ignores this header. The short path does not support it and passes the request to moto.
BY_MOTO = {"x-amz-expected-bucket-owner": "123456789012"}


class Bucket:
    """A new bucket, and raw requests to it."""

    def __init__(self, running: Running) -> None:
        self.s3, self.name = running.client("s3"), f"s3-{uuid.uuid4().hex}"
        self.s3.create_bucket(Bucket=self.name, CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
        address = urlsplit(running.aws_endpoint)
        self._connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=30)

    def put(self, key: str, body: bytes = b"", **more: Any) -> Any:
        return self.s3.put_object(Bucket=self.name, Key=key, Body=body, **more)

    def request(self, method: str, path: str, headers: dict[str, str]) -> tuple[int, bytes]:
        self._connection.request(method, f"/{self.name}{path}", headers={**SIGNED, **headers})
        answer = self._connection.getresponse()
        self.by_moto = answer.headers["x-amzn-requestid"] is not None
        return answer.status, answer.read()


@pytest.fixture
def bucket(local_redshift: Running) -> Iterator[Bucket]:
    made = Bucket(local_redshift)
    yield made


def _parse(body: bytes) -> list[str]:
    """Return the sorted elements of a listing without the tokens and the request ID, which may differ."""
    body = re.sub(rb"<RequestId>\w+</RequestId>", b"", body)
    text = re.sub(rb"<(Next)?ContinuationToken>.*?</(Next)?ContinuationToken>", b"", body).decode()
    text = re.sub(r"<(StartAfter|Prefix|Delimiter)\s*/>|<(StartAfter|Prefix|Delimiter)></\2>", "", text)
    return sorted(re.findall(r"<[A-Z]\w*>[^<]+</\w+>|<Contents>|<CommonPrefixes>", text))


def test_the_short_path_is_taken(both: Bucket) -> None:
    for method, path, headers, short in (
        ("GET", "?list-type=2&prefix=p", {}, True),
        ("GET", "?list-type=2&prefix=p", BY_MOTO, False),
        ("GET", "?list-type=2&prefix=p", {"Origin": "http://localhost"}, False),
        ("HEAD", "?list-type=2", {}, False),
        ("GET", "/plain?list-type=2", {}, False),
        ("GET", "?location", {}, False),
    ):
        both.request(method, path, headers)
        assert both.by_moto is not short, (method, path)


@pytest.fixture(scope="module")
def both(local_redshift: Running) -> Bucket:
    """Return a bucket whose objects are read by the short path and by moto. No test writes to it."""
    made = Bucket(local_redshift)
    made.put("plain", b"hello world")
    for key in ("with space", "ä+", "deep/er/", "deep/er/1", "deep/er/2", "deep/3", "dee", "zoo/&<>"):
        made.put(key, key.encode())
    made.put("empty")
    made.put("sum", b"abc", ChecksumAlgorithm="SHA256")
    return made


@pytest.mark.parametrize(
    "query",
    [
        "", "&prefix=deep%2F", "&delimiter=%2F", "&prefix=deep%2F&delimiter=%2F", "&max-keys=3", "&max-keys=0",
        "&start-after=deep%2Fer%2F1", "&encoding-type=url", "&encoding-type=url&prefix=%C3%A4", "&prefix=no",
        "&delimiter=%2F&max-keys=2", "&fetch-owner=true", "&delimiter=er&encoding-type=url", "&max-keys=x",
        "&continuation-token=",
    ],
)  # fmt: skip
def test_listing_is_as_by_moto(both: Bucket, query: str) -> None:
    status, body = both.request("GET", f"?list-type=2{query}", {})
    status_of_moto, body_of_moto = both.request("GET", f"?list-type=2{query}", BY_MOTO)
    assert (status, _parse(body)) == (status_of_moto, _parse(body_of_moto))


@pytest.mark.parametrize("versioning", ["Suspended", "Enabled"])
def test_a_listing_under_way_sees_what_is_deleted_and_added(bucket: Bucket, versioning: str) -> None:
    bucket.s3.put_bucket_versioning(Bucket=bucket.name, VersioningConfiguration={"Status": versioning})
    for n in range(25):
        bucket.put(f"k/{n:02}")
    first = bucket.s3.list_objects_v2(Bucket=bucket.name, Prefix="k/", MaxKeys=10)
    bucket.s3.delete_object(Bucket=bucket.name, Key="k/12")
    bucket.put("k/zz")
    keys = [item["Key"] for item in first["Contents"]]
    token = first["NextContinuationToken"]
    for _ in range(2):  # A client may request the same page again.
        rest = bucket.s3.list_objects_v2(Bucket=bucket.name, Prefix="k/", ContinuationToken=token)
        assert rest["ContinuationToken"] == token
    keys += [item["Key"] for item in rest["Contents"]]
    assert keys == [f"k/{n:02}" for n in range(25) if n != 12] + ["k/zz"]
    assert not rest["IsTruncated"]
    assert bucket.s3.list_objects_v2(Bucket=bucket.name)["KeyCount"] == 25


def test_a_policy_for_requests_without_tls_refuses_nothing(bucket: Bucket) -> None:
    bucket.s3.put_object(Bucket=bucket.name, Key="key")
    for condition, status in (({"Bool": {"aws:SecureTransport": "false"}}, 200), ({}, 403)):
        statement = {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Condition": condition}
        statement["Resource"] = f"arn:aws:s3:::{bucket.name}/*"
        policy = {"Version": "2012-10-17", "Statement": [statement]}
        bucket.s3.put_bucket_policy(Bucket=bucket.name, Policy=json.dumps(policy))
        assert bucket.request("GET", "/key", {})[0] == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost:5566"}, 200),
        ({"Host": "evil.example"}, 403),
        ({"Host": "127.0.0.1.evil.example:5566"}, 403),
        ({"Host": "[bad"}, 403),
        ({"Origin": "http://localhost:3000"}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
    ],
    ids=str,
)
def test_web_pages_from_elsewhere_are_refused(
    local_redshift: Running, headers: dict[str, str], status: int
) -> None:
    address = urlsplit(local_redshift.aws_endpoint)
    for method, path in (("GET", "/moto-api/config"), ("OPTIONS", "/bucket/key")):
        connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=30)
        connection.request(method, path, headers={"Access-Control-Request-Method": "DELETE", **headers})
        answer = connection.getresponse()
        assert "access-control-allow-origin" not in {name.lower() for name, _ in answer.getheaders()}
        if method == "GET":
            assert answer.status == (201 if status == 200 else status)  # moto returns its settings with 201.
            assert (b"refuses" in answer.read()) == (status == 403)
        connection.close()


def test_another_origin_resets_nothing(bucket: Bucket, local_redshift: Running) -> None:
    address = urlsplit(local_redshift.aws_endpoint)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=30)
    connection.request("POST", "/moto-api/reset", headers={"Origin": "https://evil.example"})
    assert connection.getresponse().status == 403
    bucket.s3.head_bucket(Bucket=bucket.name)
