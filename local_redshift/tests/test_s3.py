"""Test that the short path for S3 answers like moto, and that the endpoint answers only programs on this machine."""

from __future__ import annotations

import http.client
import json
import re
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import botocore.exceptions
import pytest

from local_redshift import Running

SIGNED = {
    "Authorization": "AWS4-HMAC-SHA256 Credential=local/20260101/us-west-2/s3/aws4_request, SignedHeaders=host, "
    "Signature=0",
    "x-amz-content-sha256": "UNSIGNED-PAYLOAD",
}
# moto ignores this header. The short path does not support it and passes the request to moto.
BY_MOTO = {"x-amz-expected-bucket-owner": "123456789012"}
# These headers differ in every response, or belong to the server instead of S3.
CHANGING = {"date", "server", "x-amz-request-id", "x-amzn-requestid", "x-amz-id-2", "connection"}


class Bucket:
    """A new bucket, and raw requests to it."""

    def __init__(self, running: Running) -> None:
        self.s3, self.name = running.client("s3"), f"s3-{uuid.uuid4().hex}"
        self.s3.create_bucket(Bucket=self.name, CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
        address = urlsplit(running.aws_endpoint)
        self._connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=30)

    def put(self, key: str, body: bytes = b"", **more: Any) -> Any:
        return self.s3.put_object(Bucket=self.name, Key=key, Body=body, **more)

    def read(self, key: str, **more: Any) -> bytes:
        return bytes(self.s3.get_object(Bucket=self.name, Key=key, **more)["Body"].read())

    def request(
        self, method: str, path: str, headers: dict[str, str], body: bytes | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        self._connection.request(method, f"/{self.name}{path}", body, {**SIGNED, **headers})
        answer = self._connection.getresponse()
        found = {name.lower(): value for name, value in answer.getheaders()}
        self.by_moto = "x-amzn-requestid" in found
        body = re.sub(rb"<RequestId>\w+</RequestId>", b"", answer.read())
        return answer.status, {name: value for name, value in found.items() if name not in CHANGING}, body


@pytest.fixture
def bucket(local_redshift: Running) -> Iterator[Bucket]:
    made = Bucket(local_redshift)
    yield made


def _parse(body: bytes) -> list[str]:
    """Return the sorted elements of a listing without the tokens, which may differ."""
    text = re.sub(rb"<(Next)?ContinuationToken>.*?</(Next)?ContinuationToken>", b"", body).decode()
    text = re.sub(r"<(StartAfter|Prefix|Delimiter)\s*/>|<(StartAfter|Prefix|Delimiter)></\2>", "", text)
    return sorted(re.findall(r"<[A-Z]\w*>[^<]+</\w+>|<Contents>|<CommonPrefixes>", text))


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    "key", ["plain", "with%20space", "%C3%A4%2B", "empty", "meta", "missing", "deep/er/"]
)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Range": "bytes=2-4"},
        {"Range": "bytes=3-"},
        {"Range": "bytes=-3"},
        {"Range": "bytes=4-400"},
        {"Range": "bytes=400-"},
        {"Range": "bytes=0-1,3-4"},
        {"If-Match": '"5eb63bbbe01eeed093cb22bb8f5acdc3"'},
        {"If-Match": '"00000000000000000000000000000000"'},
        {"If-None-Match": '"5eb63bbbe01eeed093cb22bb8f5acdc3"'},
        {"If-Modified-Since": "Sat, 01 Jan 2000 00:00:00 GMT"},
        {"x-amz-checksum-mode": "ENABLED"},
    ],
    ids=str,
)
def test_reading_is_as_by_moto(both: Bucket, method: str, key: str, headers: dict[str, str]) -> None:
    short = both.request(method, f"/{key}", headers)
    assert short == both.request(method, f"/{key}", headers | BY_MOTO)


def test_the_short_path_is_taken(both: Bucket) -> None:
    for method, path, headers, short in (
        ("GET", "/plain", {}, True),
        ("GET", "/plain", {"Range": "bytes=2-"}, False),
        ("HEAD", "/plain", {}, True),
        ("PUT", "/other", {"x-amz-meta-color": "red"}, True),
        ("GET", "?list-type=2&prefix=p", {}, True),
        ("GET", "/plain", BY_MOTO, False),
        ("GET", "/plain?acl", {}, False),
        ("GET", "?location", {}, False),
    ):
        both.request(method, path, headers, b"" if method == "PUT" else None)
        assert both.by_moto is not short, (method, path)


@pytest.fixture(scope="module")
def both(local_redshift: Running) -> Bucket:
    """Return a bucket whose objects are read by the short path and by moto. No test writes to it."""
    made = Bucket(local_redshift)
    made.put("plain", b"hello world")
    for key in ("with space", "ä+", "deep/er/", "deep/er/1", "deep/er/2", "deep/3", "dee", "zoo/&<>"):
        made.put(key, key.encode())
    made.put("empty")
    made.put("meta", b"{}", ContentType="application/json", Metadata={"Some": "thing", "under_score": "1"})
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
    status, _, body = both.request("GET", f"?list-type=2{query}", {})
    by_moto = both.request("GET", f"?list-type=2{query}", BY_MOTO)
    assert (status, _parse(body)) == (by_moto[0], _parse(by_moto[2]))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": "text/csv"},
        {"x-amz-meta-color": "red", "x-amz-meta-under_score": "2"},
        {"x-amz-sdk-checksum-algorithm": "CRC32", "x-amz-checksum-crc32": "NSRBwg=="},
        {"Content-Encoding": "gzip"},
        {"x-amz-storage-class": "GLACIER"},
        {"x-amz-server-side-encryption": "AES256"},
        {"If-None-Match": "*"},
        {"x-amz-tagging": "a=b"},
    ],
    ids=str,
)
def test_writing_is_as_by_moto(bucket: Bucket, headers: dict[str, str]) -> None:
    short = bucket.request("PUT", "/short", headers, b"abc")
    by_moto = bucket.request("PUT", "/moto", headers | BY_MOTO, b"abc")
    for _, answer, _ in (short, by_moto):
        answer.pop("last-modified")
        answer.pop("content-type", None)  # Flask sets it for an empty body.
    assert short == by_moto
    assert short[0] == 200
    found = [bucket.request("HEAD", f"/{key}", BY_MOTO) for key in ("short", "moto")]
    for _, answer, _ in found:
        answer.pop("last-modified")
    assert found[0] == found[1]


def test_a_listing_under_way_sees_what_is_deleted_and_added(bucket: Bucket) -> None:
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


def test_versions(bucket: Bucket) -> None:
    bucket.put("key", b"null")
    bucket.s3.put_bucket_versioning(Bucket=bucket.name, VersioningConfiguration={"Status": "Enabled"})
    first, second = bucket.put("key", b"1"), bucket.put("key", b"2")
    assert first["VersionId"] != second["VersionId"]
    assert bucket.read("key") == b"2"
    assert bucket.read("key", VersionId=first["VersionId"]) == b"1"
    bucket.s3.delete_object(Bucket=bucket.name, Key="key")
    with pytest.raises(bucket.s3.exceptions.NoSuchKey):
        bucket.read("key")
    assert bucket.s3.list_objects_v2(Bucket=bucket.name)["KeyCount"] == 0
    assert bucket.read("key", VersionId=second["VersionId"]) == b"2"
    versions = bucket.s3.list_object_versions(Bucket=bucket.name)["Versions"]
    assert len(versions) == 3


def test_multipart_and_copies(bucket: Bucket) -> None:
    upload = bucket.s3.create_multipart_upload(Bucket=bucket.name, Key="big")["UploadId"]
    parts = []
    for number, body in ((1, b"a" * (5 << 20)), (2, b"b" * 10)):
        answer = bucket.s3.upload_part(
            Bucket=bucket.name, Key="big", UploadId=upload, PartNumber=number, Body=body
        )
        parts.append({"ETag": answer["ETag"], "PartNumber": number})
    bucket.s3.complete_multipart_upload(
        Bucket=bucket.name, Key="big", UploadId=upload, MultipartUpload={"Parts": parts}
    )
    assert bucket.s3.head_object(Bucket=bucket.name, Key="big")["ETag"].endswith('-2"')
    assert bucket.read("big", Range="bytes=5242878-5242881") == b"aabb"
    bucket.s3.copy_object(Bucket=bucket.name, Key="copy", CopySource=f"{bucket.name}/big")
    assert len(bucket.read("copy")) == (5 << 20) + 10


def test_if_match_writes(bucket: Bucket) -> None:
    tag = bucket.put("key", b"1")["ETag"]
    bucket.put("key", b"2", IfMatch=tag)
    with pytest.raises(botocore.exceptions.ClientError, match="PreconditionFailed"):
        bucket.put("key", b"3", IfMatch=tag)
    with pytest.raises(botocore.exceptions.ClientError, match="PreconditionFailed"):
        bucket.put("key", b"3", IfNoneMatch="*")
    assert bucket.read("key") == b"2"


def test_a_policy_is_motos_business(bucket: Bucket) -> None:
    bucket.put("key", b"1")
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{bucket.name}/*",
    }
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    bucket.s3.put_bucket_policy(Bucket=bucket.name, Policy=json.dumps(policy))
    assert bucket.request("GET", "/key", {})[0] == 403


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
