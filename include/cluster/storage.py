"""Create the work bucket, and the role with which COPY reads it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from include.cluster import inventory
from include.cluster.aws import absent, client, doing
from include.cluster.policies import render_policy
from include.cluster.request import Cluster
from include.sparkify.errors import ConfigurationError
from include.sparkify.settings import settings


def ensure_work_bucket(params: Mapping[str, Any]) -> str:
    """Create the bucket that runs write to, if missing, and make it private, encrypted and TLS only; return its name.

    :raises ConfigurationError, TransientError: AWS refused a call, or is unreachable.
    """
    cluster, bucket = Cluster.from_params(params), settings().work_bucket
    s3 = client("s3", cluster.region)
    if not inventory.find_kind(inventory.list_owned(cluster), "work bucket"):
        with doing(f"create bucket {bucket}"):
            # us-east-1 is the only region that must not be named.
            place = {} if cluster.region == "us-east-1" else {"LocationConstraint": cluster.region}
            s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={**place, "Tags": cluster.tag_list})
            # Again, for an S3 that ignores tags at creation.
            s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": cluster.tag_list})
    with doing(f"protect bucket {bucket}"):
        s3.put_public_access_block(
            Bucket=bucket,
            PublicAccessBlockConfiguration={
                "BlockPublicAcls": True,
                "IgnorePublicAcls": True,
                "BlockPublicPolicy": True,
                "RestrictPublicBuckets": True,
            },
        )
        rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
        s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
        if params["tls"] != "off":
            s3.put_bucket_policy(Bucket=bucket, Policy=render_policy("work-bucket", cluster))
    return bucket


def ensure_copy_role(params: Mapping[str, Any]) -> str:
    """Create the role that Redshift assumes for COPY, if missing, and attach its policy; return its ARN.

    Its policy is a managed one that an administrator creates: a role that may create roles and write their policies
    could make itself administrator (include/iam/deploy.json may only attach this policy).

    :raises ConfigurationError: the managed policy does not exist, or AWS refused a call.
    :raises TransientError: AWS is unreachable.
    """
    cluster = Cluster.from_params(params)
    iam = client("iam", cluster.region)
    existing = inventory.find_kind(inventory.list_owned(cluster), "role")
    if existing:
        arn = existing.id
    else:
        with doing(f"create role {cluster.role}"):
            arn = iam.create_role(
                RoleName=cluster.role,
                AssumeRolePolicyDocument=render_policy("redshift-trust", cluster),
                Description=f"Redshift's COPY into {cluster.name}",
                Tags=cluster.tag_list,
            )["Role"]["Arn"]
    policy = cluster.copy_policy_arn(arn)
    with doing(f"attach policy {policy} to role {cluster.role}"), absent("NoSuchEntity"):
        iam.attach_role_policy(RoleName=cluster.role, PolicyArn=policy)
        return str(arn)
    raise ConfigurationError(
        f"role {cluster.role} has no permissions, because the managed policy {policy} does not exist. An administrator "
        "creates it once from include/iam/redshift-copy.json (docs/aws.md, step 2); then run provision again."
    )
