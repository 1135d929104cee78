"""List the requests that AWS authorizes for an API call, and the same requests on foreign resources.

Actions, resource types and condition keys are those of the Service Authorization Reference:
https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tests.cluster.iam import ACCOUNT, REGION, Request

REQUEST_TAG, RESOURCE_TAG = "aws:RequestTag/warehouse", "aws:ResourceTag/warehouse"
# API operations whose IAM action has another name.
_S3_ACTIONS = {
    "HeadBucket": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "ListObjectVersions": "ListBucketVersions",
    "HeadObject": "GetObject",
    "DeleteObjects": "DeleteObject",
}
# Values of the condition keys in foreign requests.
FOREIGN = {
    REQUEST_TAG: "payroll",
    RESOURCE_TAG: "payroll",
    "iam:PassedToService": "ec2.amazonaws.com",
    "cloudformation:RoleArn": "arn:aws:iam::123456789012:role/admin",
    "s3:prefix": "payroll/",
    "aws:RequestedRegion": "eu-west-1",
}


def request(action: str, resource: str, **context: str) -> Request:
    return Request(action, resource, frozenset(context.items()))


def list_requests(service: str, operation: str, given: Mapping[str, Any], name: str) -> Iterator[Request]:
    """Yield the requests that AWS authorizes for an API call on behalf of the cluster ``name``."""
    if service == "sts":
        return  # GetCallerIdentity needs no permission.
    if service in ("cloudwatch", "ec2"):
        yield Request(f"{service}:{operation}", "*")
    else:
        yield from _BY_SERVICE[service](operation, given, name)


def _s3(operation: str, given: Mapping[str, Any], name: str) -> Iterator[Request]:
    bucket, action = f"arn:aws:s3:::{given['Bucket']}", f"s3:{_S3_ACTIONS.get(operation, operation)}"
    if operation == "DeleteObjects":
        for item in given["Delete"]["Objects"]:
            yield Request(action, f"{bucket}/{item['Key']}")
            if "VersionId" in item:
                yield Request("s3:DeleteObjectVersion", f"{bucket}/{item['Key']}")
    elif "Key" in given:
        yield Request(action, f"{bucket}/{given['Key']}")
    elif operation == "ListObjectsV2" and "Prefix" in given:
        yield request(action, bucket, **{"s3:prefix": given["Prefix"]})
    else:
        yield Request(action, bucket)


def _cloudformation(operation: str, given: Mapping[str, Any], name: str) -> Iterator[Request]:
    stack = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{given['StackName']}/0a1b2c3d"
    if operation != "CreateStack":
        yield Request(f"cloudformation:{operation}", stack)
        return
    yield request("cloudformation:CreateStack", stack, **{"cloudformation:RoleArn": given["RoleARN"]})
    for action in ("SetStackPolicy", "TagResource", "UpdateTerminationProtection"):
        yield Request(f"cloudformation:{action}", stack)
    yield request("iam:PassRole", given["RoleARN"], **{"iam:PassedToService": "cloudformation.amazonaws.com"})


def _redshift(operation: str, given: Mapping[str, Any], name: str) -> Iterator[Request]:
    base = f"arn:aws:redshift:{REGION}:{ACCOUNT}"
    if operation.startswith("Describe"):
        yield Request(f"redshift:{operation}", "*")
    elif operation == "CreateClusterSnapshot":
        snapshot = f"{base}:snapshot:{given['ClusterIdentifier']}/{given['SnapshotIdentifier']}"
        for action in (operation, "CreateTags"):
            yield Request(f"redshift:{action}", snapshot)
    else:
        yield Request(f"redshift:{operation}", f"{base}:cluster:{given['ClusterIdentifier']}")


def _serverless(operation: str, given: Mapping[str, Any], name: str) -> Iterator[Request]:
    base = f"arn:aws:redshift-serverless:{REGION}:{ACCOUNT}"
    action = f"redshift-serverless:{operation}"
    if operation in ("CreateUsageLimit", "UpdateUsageLimit"):
        yield request(action, "*", **{"aws:RequestedRegion": REGION})
    elif operation in ("ListSnapshots", "ListUsageLimits"):
        yield Request(action, "*")
    elif operation == "CreateSnapshot":
        yield request(action, f"{base}:namespace/0a1b2c3d", **{RESOURCE_TAG: name})
        for each in (action, "redshift-serverless:TagResource"):
            yield Request(each, f"{base}:snapshot/4e5f6a7b")
    else:
        is_workgroup = "workgroup" in f"{operation} {given.get('resourceArn')}".lower()
        yield Request(action, f"{base}:{'workgroup' if is_workgroup else 'namespace'}/0a1b2c3d")


def _secretsmanager(operation: str, given: Mapping[str, Any], name: str) -> Iterator[Request]:
    identifier = given.get("SecretId") or given["Name"]
    if identifier.startswith("arn:"):
        yield Request(f"secretsmanager:{operation}", identifier)
        return
    secret = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{identifier}"
    if identifier.startswith("redshift!"):
        # Redshift's own secret does not have our tag, so the policy restricts its name.
        yield Request(f"secretsmanager:{operation}", f"{secret}-AbCdEf")
        return
    # AWS appends six characters to the name of a secret that it creates. Until then it checks only the name.
    resources = [f"{secret}-AbCdEf"]
    if operation in ("CreateSecret", "DescribeSecret"):
        resources.append(secret)
    for resource in resources:
        if operation == "CreateSecret":
            for action in ("CreateSecret", "TagResource"):
                (tag,) = [tag["Value"] for tag in given["Tags"] if tag["Key"] == "warehouse"]
                yield request(f"secretsmanager:{action}", resource, **{REQUEST_TAG: tag})
        else:
            yield request(f"secretsmanager:{operation}", resource, **{RESOURCE_TAG: name})


_BY_SERVICE = {
    "s3": _s3,
    "cloudformation": _cloudformation,
    "redshift": _redshift,
    "redshift-serverless": _serverless,
    "secretsmanager": _secretsmanager,
}


def list_foreign(own: Request, name: str) -> Iterator[tuple[str, Request]]:
    """Yield the same request on foreign resources, with one fact changed at a time.

    Each comes with the name of the fact: ``account``, ``region``, ``name``, or the condition key.
    """

    def on(resource: str) -> Request:
        return Request(own.action, resource, own.context)

    for fact, ours, theirs in (("account", ACCOUNT, "999999999999"), ("region", REGION, "eu-west-1")):
        if ours in own.resource:
            yield fact, on(own.resource.replace(ours, theirs))
    for resource in _rename(own.resource, name):
        yield "name", on(resource)
    for key, _ in sorted(own.context):
        yield key, own.with_context(key, FOREIGN[key])
        yield key, own.with_context(key, None)


def _rename(arn: str, name: str) -> Iterator[str]:
    """Yield similar names of foreign resources. Resources with an ID instead of a name differ by their tags."""
    if arn.startswith("arn:aws:s3:::"):
        bucket, _, key = arn.partition("/")
        yield arn.replace(bucket, f"{bucket}-2", 1)
        yield arn.replace(bucket, "arn:aws:s3:::payroll", 1)
        if key and not bucket.endswith(f"work-{name}"):
            yield f"{bucket}/payroll/{key}"
    elif ":secret:" in arn:
        stem, suffix = (arn[:-7], arn[-7:]) if arn.endswith("-AbCdEf") else (arn, "")
        yield f"{stem}-2{suffix}"
        yield f"{stem[: stem.rindex('/')]}/payroll{suffix}" if "/" in stem else arn.replace(name, "payroll")
    elif name in arn:
        yield arn.replace(name, "payroll")
        if ":stack/" in arn:
            yield arn.replace(name, f"{name}-2")
        elif ":snapshot:" not in arn:
            yield f"{arn}-2"
