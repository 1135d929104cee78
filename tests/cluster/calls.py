"""Which requests AWS checks on a call of its API, and the same requests on foreign resources.

Actions, resource types and condition keys as in the Service Authorization Reference:
https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tests.cluster.iam import ACCOUNT, REGION, Request

REQUEST_TAG, RESOURCE_TAG = "aws:RequestTag/warehouse", "aws:ResourceTag/warehouse"
# API operations whose action has another name.
_S3_ACTIONS = {
    "HeadBucket": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "ListObjectVersions": "ListBucketVersions",
    "HeadObject": "GetObject",
    "DeleteObjects": "DeleteObject",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "PutBucketEncryption": "PutEncryptionConfiguration",
}
# Values of the condition keys in requests that are not ours.
FOREIGN = {
    REQUEST_TAG: "payroll",
    RESOURCE_TAG: "payroll",
    "iam:PassedToService": "ec2.amazonaws.com",
    "iam:PolicyARN": "arn:aws:iam::aws:policy/AdministratorAccess",
    "iam:AWSServiceName": "ec2.amazonaws.com",
    "ec2:CreateAction": "RunInstances",
    "s3:prefix": "payroll/",
    "aws:RequestedRegion": "eu-west-1",
}


def request(action: str, resource: str, **context: str) -> Request:
    return Request(action, resource, frozenset(context.items()))


def list_requests(service: str, operation: str, given: Mapping[str, Any], name: str) -> Iterator[Request]:
    """Yield what AWS checks on a call that works for the cluster ``name``."""
    if service == "sts":
        return  # GetCallerIdentity needs no permission.
    yield from _BY_SERVICE.get(service, _unrestricted)(operation, given, name)


def _unrestricted(operation: str, given: Mapping[str, Any], name: str) -> Iterator[Request]:
    assert operation == "GetMetricStatistics", f"add {operation} to {__name__}"
    yield Request(f"cloudwatch:{operation}", "*")


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
    if given.get("CreateBucketConfiguration", {}).get("Tags"):
        yield Request("s3:TagResource", bucket)


def _iam(operation: str, given: Mapping[str, Any], name: str) -> Iterator[Request]:
    role = f"arn:aws:iam::{ACCOUNT}:role/{given['RoleName']}"
    if operation == "CreateRole":
        for action in ("iam:CreateRole", "iam:TagRole"):
            yield request(action, role, **_request_tag(given["Tags"]))
    elif "PolicyArn" in given:
        yield request(f"iam:{operation}", role, **{RESOURCE_TAG: name, "iam:PolicyARN": given["PolicyArn"]})
    else:
        yield request(f"iam:{operation}", role, **{RESOURCE_TAG: name})


def _ec2(operation: str, given: Mapping[str, Any], name: str) -> Iterator[Request]:
    base = f"arn:aws:ec2:{REGION}:{ACCOUNT}"
    if operation.startswith("Describe"):
        yield Request(f"ec2:{operation}", "*")
    elif operation == "CreateSecurityGroup":
        (tags,) = given["TagSpecifications"]
        tag = _request_tag(tags["Tags"])
        yield request("ec2:CreateSecurityGroup", f"{base}:security-group/sg-1", **tag)
        yield Request("ec2:CreateSecurityGroup", f"{base}:vpc/{given['VpcId']}")
        action = {"ec2:CreateAction": "CreateSecurityGroup"}
        yield request("ec2:CreateTags", f"{base}:security-group/sg-1", **tag, **action)
    else:
        yield request(f"ec2:{operation}", f"{base}:security-group/{given['GroupId']}", **{RESOURCE_TAG: name})


def _redshift(operation: str, given: Mapping[str, Any], name: str) -> Iterator[Request]:
    base = f"arn:aws:redshift:{REGION}:{ACCOUNT}"
    if operation.startswith("Describe"):
        yield Request(f"redshift:{operation}", "*")
        return
    if "SubnetGroup" in operation:
        resource = f"{base}:subnetgroup:{given['ClusterSubnetGroupName']}"
    else:
        resource = f"{base}:cluster:{given['ClusterIdentifier']}"
    if "Tags" in given:
        for action in (f"redshift:{operation}", "redshift:CreateTags"):
            yield request(action, resource, **_request_tag(given["Tags"]))
    else:
        yield request(f"redshift:{operation}", resource, **{RESOURCE_TAG: name})
    for arn in given.get("IamRoles", []):
        yield _pass_role(arn, "redshift.amazonaws.com")
    if given.get("SkipFinalClusterSnapshot") is False:
        snapshot = f"{base}:snapshot:{given['ClusterIdentifier']}/{given['FinalClusterSnapshotIdentifier']}"
        yield Request("redshift:CreateClusterSnapshot", snapshot)


def _serverless(operation: str, given: Mapping[str, Any], name: str) -> Iterator[Request]:
    base = f"arn:aws:redshift-serverless:{REGION}:{ACCOUNT}"
    action = f"redshift-serverless:{operation}"
    kind = (
        "workgroup"
        if "Workgroup" in operation or "workgroup" in given.get("resourceArn", "")
        else "namespace"
    )
    resource = f"{base}:{kind}/0a1b2c3d"
    if operation == "CreateUsageLimit":
        yield request(action, "*", **{"aws:RequestedRegion": REGION})
    elif operation in ("ListSnapshots", "ListUsageLimits"):
        yield Request(action, "*")
    elif "tags" in given:
        for each in (action, "redshift-serverless:TagResource"):
            yield request(each, resource, **_request_tag(given["tags"]))
    else:
        yield request(action, resource, **{RESOURCE_TAG: name})
    if "finalSnapshotName" in given:
        yield request("redshift-serverless:CreateSnapshot", resource, **{RESOURCE_TAG: name})
        yield Request("redshift-serverless:CreateSnapshot", f"{base}:snapshot/4e5f6a7b")
    for arn in given.get("iamRoles", []):
        yield _pass_role(arn, "redshift-serverless.amazonaws.com")


def _secretsmanager(operation: str, given: Mapping[str, Any], name: str) -> Iterator[Request]:
    secret = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{given.get('SecretId') or given['Name']}"
    # AWS appends six characters to the name of a secret that it creates. Until then it checks only the name.
    resources = [f"{secret}-AbCdEf"]
    if operation in ("CreateSecret", "DescribeSecret"):
        resources.append(secret)
    for resource in resources:
        if operation == "CreateSecret":
            for action in ("CreateSecret", "TagResource"):
                yield request(f"secretsmanager:{action}", resource, **_request_tag(given["Tags"]))
        else:
            yield request(f"secretsmanager:{operation}", resource, **{RESOURCE_TAG: name})


_BY_SERVICE = {
    "s3": _s3,
    "iam": _iam,
    "ec2": _ec2,
    "redshift": _redshift,
    "redshift-serverless": _serverless,
    "secretsmanager": _secretsmanager,
}


def _request_tag(tags: list[dict[str, str]]) -> dict[str, str]:
    found = {tag.get("Key", tag.get("key")): tag.get("Value", tag.get("value")) for tag in tags}
    return {REQUEST_TAG: str(found["warehouse"])}


def _pass_role(arn: str, service: str) -> Request:
    return request("iam:PassRole", arn, **{"iam:PassedToService": service})


def list_foreign(own: Request, name: str) -> Iterator[tuple[str, Request]]:
    """Yield the same request on foreign resources: one fact is changed at a time.

    Each comes with the fact: ``account``, ``region``, ``name``, or the condition key.
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
    """Yield similar names of foreign resources; resources with an id instead of a name differ by their tags."""
    if arn.startswith("arn:aws:s3:::"):
        bucket, _, key = arn.partition("/")
        yield arn.replace(bucket, f"{bucket}-2", 1)
        yield arn.replace(bucket, "arn:aws:s3:::payroll", 1)
        if key and not bucket.endswith(f"work-{name}"):
            yield f"{bucket}/payroll/{key}"
    elif ":secret:" in arn:
        stem, suffix = (arn[:-7], arn[-7:]) if arn.endswith("-AbCdEf") else (arn, "")
        yield f"{stem}-2{suffix}"
        yield f"{stem[: stem.rindex('/')]}/payroll{suffix}"
    elif "aws-service-role" in arn:
        yield arn.replace("redshift.amazonaws.com", "ec2.amazonaws.com")
    elif name in arn:
        yield arn.replace(name, "payroll")
        if ":snapshot:" not in arn:
            yield f"{arn}-2"
