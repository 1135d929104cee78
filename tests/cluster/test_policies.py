"""Policies of include/iam by themselves: no way to become administrator, who may assume the role, AWS's size limit."""

from __future__ import annotations

import json
import string

import pytest

from tests.cluster.calls import REQUEST_TAG, RESOURCE_TAG, request
from tests.cluster.iam import ACCOUNT, FOLDER, REGION, Request, allows, as_list, load_policy, matches

NAME = "sparkify"
IAM = f"arn:aws:iam::{ACCOUNT}"
COPY_ROLE, COPY_POLICY = f"{IAM}:role/{NAME}-copy", f"{IAM}:policy/{NAME}-copy"
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
OURS = {REQUEST_TAG: NAME, RESOURCE_TAG: NAME}
CLUSTER = f"arn:aws:redshift:{REGION}:{ACCOUNT}:cluster:{NAME}"

ESCALATIONS = {
    "write a policy of the role": request("iam:PutRolePolicy", COPY_ROLE, **OURS),
    "attach another policy": request(
        "iam:AttachRolePolicy", COPY_ROLE, **OURS, **{"iam:PolicyARN": ADMINISTRATOR}
    ),
    "attach the policy to another role": request(
        "iam:AttachRolePolicy", f"{IAM}:role/airflow", **OURS, **{"iam:PolicyARN": COPY_POLICY}
    ),
    "change the policy": request("iam:CreatePolicyVersion", COPY_POLICY, **OURS),
    "create another role": request("iam:CreateRole", f"{IAM}:role/admin", **OURS),
    "trust oneself": request("iam:UpdateAssumeRolePolicy", f"{IAM}:role/admin", **OURS),
    "pass the role to a machine": request(
        "iam:PassRole", COPY_ROLE, **{"iam:PassedToService": "ec2.amazonaws.com"}
    ),
    "pass another role to Redshift": request(
        "iam:PassRole", f"{IAM}:role/admin", **{"iam:PassedToService": "redshift.amazonaws.com"}
    ),
    "write a policy of a user": Request("iam:PutUserPolicy", f"{IAM}:user/me"),
    "create a key": Request("iam:CreateAccessKey", f"{IAM}:user/admin"),
}


@pytest.mark.parametrize("attempt", ESCALATIONS)
def test_nobody_becomes_administrator_with_deploy(attempt: str) -> None:
    deploy = load_policy("deploy", NAME)
    assert not allows(deploy, ESCALATIONS[attempt])
    attach = request("iam:AttachRolePolicy", COPY_ROLE, **OURS, **{"iam:PolicyARN": COPY_POLICY})
    assert allows(deploy, attach), "the only policy that may be attached"


@pytest.mark.parametrize(
    ("service", "account", "source", "trusted"),
    [
        ("redshift", ACCOUNT, CLUSTER, True),
        ("redshift-serverless", ACCOUNT, f"arn:aws:redshift-serverless:{REGION}:{ACCOUNT}:workgroup/1", True),
        ("redshift", ACCOUNT, f"{CLUSTER}-2", False),
        ("redshift", "999999999999", CLUSTER.replace(ACCOUNT, "999999999999"), False),
        ("redshift", "999999999999", CLUSTER, False),
        ("redshift", ACCOUNT, CLUSTER.replace(REGION, "eu-west-1"), False),
        ("ec2", ACCOUNT, CLUSTER, False),
    ],
)
def test_only_this_cluster_may_assume_the_copy_role(
    service: str, account: str, source: str, trusted: bool
) -> None:
    (statement,) = load_policy("redshift-trust", NAME)
    asked = request("sts:AssumeRole", COPY_ROLE, **{"aws:SourceAccount": account, "aws:SourceArn": source})
    principals = as_list(statement["Principal"]["Service"])
    assert (f"{service}.amazonaws.com" in principals and allows([statement], asked)) == trusted


def test_the_work_bucket_is_closed_without_tls() -> None:
    (statement,) = load_policy("work-bucket", NAME)
    assert (statement["Effect"], statement["Principal"]) == ("Deny", "*")
    for resource in (f"arn:aws:s3:::work-{NAME}", f"arn:aws:s3:::work-{NAME}/runs/a"):
        for tls in ("true", "false"):
            asked = request("s3:GetObject", resource, **{"aws:SecureTransport": tls})
            assert matches(statement, asked) == (tls == "false")


def test_both_policies_fit_on_one_role() -> None:
    """A role takes 10,240 characters of inline policies, white space not counted:
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""
    values = dict.fromkeys(("work_bucket", "source_bucket"), "a-bucket-name-of-average-length")
    values |= {"name": "sparkify-production", "region": "ap-southeast-2", "account": ACCOUNT}
    values |= {"log_prefix": "log_data/", "song_prefix": "song_data/"}
    texts = [
        string.Template((FOLDER / f"{name}.json").read_text()).substitute(values)
        for name in ("deploy", "workers")
    ]
    assert sum(len(json.dumps(json.loads(text), separators=(",", ":"))) for text in texts) <= 10_240
