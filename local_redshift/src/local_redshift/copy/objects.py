"""Find and read the S3 objects that a COPY names."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, Protocol

from botocore.exceptions import ClientError

from ..backend import Backend
from ..errors import SqlError
from ..moto_server import read_many
from ..service import REGION
from .convert import literal
from .options import DEFAULT_ROLE, Copy


def s3_error(message: str, status: int, code: str, context: str) -> SqlError:
    text = f"S3ServiceException:{message},Status {status},Error {code},Rid LOCAL,CanRetry 1"
    return SqlError(text, detail=f"\n  error:  {text}\n  code:      8001\n  context:   {context}\n")


def from_client_error(error: ClientError, context: str) -> SqlError:
    response = error.response
    code = response.get("Error", {}).get("Code", "Unknown")
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
    message = response.get("Error", {}).get("Message", str(error))
    return s3_error(message, status, code, context)


class Place(Protocol):
    """The fields of a COPY or an UNLOAD that name the place in S3 and the role."""

    bucket: str
    key: str
    role: str
    region: str


async def check_assumerole(backend: Backend, role: str, command: str) -> str | None:
    """Return the client's user if they may use the role in this command. Otherwise, raise SqlError."""
    ((user, allowed),) = await backend.query(
        f"select current_user, pg_catalog.local_may_assume({literal(role)}, '{command}')"
    )
    if allowed != "t":
        raise SqlError(
            f"User {user} does not have ASSUMEROLE permission on IAM role '{role}' for {command.upper()}",
            "42501",
        )
    return user


def authorize(s3: Any, iam: Any, place: Place, user: str | None) -> None:
    """Raise as Redshift does for a role or a bucket that does not exist, or is in another region."""
    # The services create the default role when they start. A role chain names several roles, without blanks:
    # https://docs.aws.amazon.com/redshift/latest/mgmt/authorizing-redshift-service.html
    for arn in place.role.split(",") if place.role != DEFAULT_ROLE else ():
        try:
            known = iam.get_role(RoleName=arn.rsplit("/", 1)[-1])["Role"]["Arn"] == arn
        except ClientError:
            known = False
        if not known:
            text = f"S3ServiceException:The cluster is not authorized to assume IAM Role {arn},Status 403"
            raise SqlError(
                f"User arn:aws:redshift:{REGION}:123456789012:dbuser:local/{user} is not authorized to assume "
                f"IAM Role {arn}",
                detail=f"\n  error:  {text}\n  code:      8001\n  context:   IAM Role={arn}\n",
            )
    check_region(s3, place.bucket, place)


def check_region(s3: Any, bucket: str, place: Place) -> None:
    """Raise SqlError for a bucket that does not exist, or is in a region other than the statement's."""
    try:
        region = s3.get_bucket_location(Bucket=bucket)["LocationConstraint"] or "us-east-1"
    except ClientError as error:
        raise from_client_error(error, f"Listing bucket={bucket} prefix={place.key}") from None
    if region != place.region:
        message = (
            "The S3 bucket addressed by the query is in a different region from this cluster."
            f" (bucket {bucket}: {region}; REGION: {place.region})"
        )
        raise s3_error(message, 301, "PermanentRedirect", f"Listing bucket={bucket}")


class Objects:
    """The S3 objects that a COPY names."""

    def __init__(self, s3: Any, copy: Copy) -> None:
        self._s3, self._copy = s3, copy

    def small(self, bucket: str, key: str, what: str) -> bytes:
        """Return the content of a manifest or a jsonpaths file."""
        try:
            return bytes(self._s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        except ClientError as error:
            found = from_client_error(error, f"Reading s3://{bucket}/{key}")
            raise SqlError(f"Problem reading {what} file - {found}", detail=found.fields["D"]) from None

    def jsonpaths(self) -> list[str] | None:
        """Return the paths of a jsonpaths file. Return None, which means 'auto', if it has no array named jsonpaths.

        https://docs.aws.amazon.com/redshift/latest/dg/copy-usage_notes-copy-from-json.html
        """
        bucket, key = self._copy.json[5:].split("/", 1)
        raw = self.small(bucket, key, "jsonpaths")
        try:
            paths = json.loads(raw).get("jsonpaths", [])
            return list(paths) or None
        except (ValueError, AttributeError, TypeError):
            raise SqlError(
                f"Invalid JSONPath format: {self._copy.json} is not an object with an array 'jsonpaths'"
            ) from None

    def names(self) -> list[tuple[str, str, bool]]:
        """Return (bucket, key, mandatory) for every object to load, in order."""
        copy = self._copy
        if copy.manifest:
            return self._manifest()
        found = []
        for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=copy.bucket, Prefix=copy.key):
            found += [(copy.bucket, item["Key"], True) for item in page.get("Contents", [])]
        if not found:
            raise SqlError(f"The specified S3 prefix '{copy.key}' does not exist")
        return found

    def _manifest(self) -> list[tuple[str, str, bool]]:
        copy = self._copy
        where = f"s3://{copy.bucket}/{copy.key}"
        raw = self.small(copy.bucket, copy.key, "manifest")
        try:
            entries = json.loads(raw)["entries"]
            names = []
            for entry in entries:
                match = re.fullmatch(r"s3://([^/]+)/(.+)", entry["url"])
                if match is None:
                    raise ValueError(entry["url"])
                if copy.format == "parquet" and "content_length" not in entry.get("meta", {}):
                    # https://docs.aws.amazon.com/redshift/latest/dg/loading-data-files-using-manifest.html
                    raise SqlError(
                        f"Manifest file {where}: the meta key content_length is needed for PARQUET"
                    )
                names.append((match[1], match[2], bool(entry.get("mandatory", False))))
        except (ValueError, KeyError, TypeError) as error:
            raise SqlError(f"Invalid manifest file {where}: {error!r}") from None
        if not names:
            raise SqlError(f"Manifest file {where} contains no entries")
        for bucket in {bucket for bucket, _, _ in names} - {copy.bucket}:
            check_region(self._s3, bucket, copy)
        return names

    def read_ahead(self, names: Sequence[tuple[str, str, bool]]) -> list[bytes | None]:
        """Return the content of each object, or None if it is missing or does not fit into the first 4 MB."""
        return read_many(self._s3.meta.endpoint_url, [(bucket, key) for bucket, key, _ in names])

    def open(self, bucket: str, key: str, mandatory: bool) -> Any:
        """Return the stream of an object, or None if it is missing and not mandatory."""
        try:
            return self._s3.get_object(Bucket=bucket, Key=key)["Body"]
        except ClientError as error:
            if not mandatory and error.response.get("Error", {}).get("Code") == "NoSuchKey":
                return None
            raise from_client_error(error, f"Reading s3://{bucket}/{key}") from None


def steps(path: Any) -> list[str]:
    """Split a JSONPath: '$.a.b[0]' into ['a', 'b', '0'], and '$['a']['b']' into ['a', 'b']."""
    if not isinstance(path, str) or not re.fullmatch(rf"\$(?:\s*(?:{_STEP}))+\s*", path):
        raise SqlError(
            f"Invalid JSONPath format: {path!r}. Supported notations are 'dot-notation' and 'bracket-notation'"
        )
    return [a or b or c for a, b, c in re.findall(_STEP, path)]


# The possessive quantifier leaves one way to match blanks. Otherwise, the time would grow exponentially.
_STEP = r"""\.(\s*[^.\[\]\s][^.\[\]]*+)|\[\s*['"]([^'"]+)['"]\s*\]|\[\s*(\d+)\s*\]"""
