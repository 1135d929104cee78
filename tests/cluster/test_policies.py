"""Test that the templates are well formed, do not allow privilege escalation, and grant only necessary permissions."""

from __future__ import annotations

import glob
import json
import re
from fnmatch import fnmatchcase
from pathlib import Path

import cfnlint
import pytest

from include.cluster.request import NAME as NAME_PARAM
from tests.cluster import templates
from tests.cluster.calls import REQUEST_TAG, RESOURCE_TAG, request
from tests.cluster.iam import ACCOUNT, REGION, Request, allows, as_list, load_policy

NAME = "sparkify"
IAM = f"arn:aws:iam::{ACCOUNT}"
CLUSTER = f"arn:aws:redshift:{REGION}:{ACCOUNT}:cluster:{NAME}"
HOLDERS = ("Workers", "Deploy", "CloudFormationRole", "CopyRole")
# Permissions that AWS's schemas name for properties that warehouse.yaml does not set: other bucket configuration,
# networks that Redshift's own role creates, restores, resource policies, and customer managed keys.
NOT_SET = """
    s3:*Abac s3:*Accelerate* s3:*Analytics* s3:*Acl s3:*Cors s3:*CORS s3:*Intelligent* s3:*Inventory*
    s3:*Logging s3:*MetadataTable* s3:*Metadata* s3:*Metrics* s3:*Notification s3:*ObjectLock*
    s3:*OwnershipControls s3:*Replication* s3:*Versioning s3:*Website s3:DeleteObject s3:ListAllMyBuckets
    s3:DeleteBucketEncryption s3:DeleteBucketLifecycle s3:ListTagsForResource s3:REST* s3tables:*
    s3:*DeleteBucketTagging kms:* firehose:* initech:* cloudwatch:PutMetricData ec2:A*Address
    ec2:A*NetworkInterface ec2:DescribeInstances ec2:*VpcEndpoint* ec2:CreateNetworkInterface
    ec2:ModifyNetworkInterfaceAttribute ec2:UpdateSecurityGroupRule* logs:*DataProtection* logs:*Delivery
    logs:*ResourcePol* logs:*Index* logs:*Bearer* logs:*KmsKey logs:*DeletionProtection
    logs:DeleteRetentionPolicy redshift:*Restore* redshift:PutResourcePolicy redshift:DeleteResourcePolicy
    redshift:*Maintenance redshift:*SnapshotCopy* redshift:*Aqua* redshift:ModifyClusterDbRevisions
    redshift:RotateEncryptionKey redshift:FailoverPrimaryCompute redshift:PauseCluster redshift:ResumeCluster
    redshift:RebootCluster redshift:ResetClusterParameterGroup redshift-serverless:Restore*
    redshift-serverless:*SnapshotCopyConfiguration redshift-serverless:ListNamespaces
    redshift-serverless:ListWorkgroups
""".split()


@pytest.mark.parametrize("path", ["iam/permissions.yaml", "cluster/warehouse.yaml"])
def test_a_template_is_well_formed(path: str) -> None:
    text = (templates.INCLUDE / path).read_text()
    config = cfnlint.ManualArgs(regions=[REGION])
    assert [str(found) for found in cfnlint.lint(text, config=config)] == []
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
    assert len(text) < 51_200


def test_both_stacks_take_the_same_names() -> None:
    given = templates.read("iam/permissions.yaml")["Parameters"]["Name"]
    asked = NAME_PARAM.schema
    assert (given["AllowedPattern"], given["MaxLength"]) == (asked["pattern"], asked["maxLength"])
    for name, taken in {"sg-x": False, "sgx": True, "s-sg-x": True, "Sparkify": False, "a--b": False}.items():
        assert bool(re.match(asked["pattern"], name)) == taken, name


@pytest.mark.parametrize("policy", HOLDERS)
def test_a_policy_fits_with_the_longest_names(policy: str) -> None:
    """A managed policy has at most 6,144 characters; the inline policies of a role have at most 10,240 in total:
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""
    longest = {
        "name": "n" * 40,
        "WorkBucket": "b" * 63,
        "SourceBucket": "s" * 63,
        "LogPrefix": "p" * 100,
        "SongPrefix": "p" * 100,
        "AWS::Partition": "aws-us-gov",
        "AWS::Region": "ap-southeast-2",
    }
    text = json.dumps(templates.policy(policy, **longest), separators=(",", ":"))
    assert len(text) <= (10240 if policy.endswith("Role") else 6144)


ESCALATIONS = {
    "write a policy of the role": Request("iam:PutRolePolicy", f"{IAM}:role/{NAME}-copy"),
    "attach a policy": Request("iam:AttachRolePolicy", f"{IAM}:role/{NAME}-copy"),
    "change a policy": Request("iam:CreatePolicyVersion", f"{IAM}:policy/{NAME}-deploy"),
    "create a role": Request("iam:CreateRole", f"{IAM}:role/{NAME}-copy"),
    "trust oneself": Request("iam:UpdateAssumeRolePolicy", f"{IAM}:role/{NAME}-cloudformation"),
    "assume a role": Request("sts:AssumeRole", f"{IAM}:role/{NAME}-cloudformation"),
    "write a policy of a user": Request("iam:PutUserPolicy", f"{IAM}:user/me"),
    "create a key": Request("iam:CreateAccessKey", f"{IAM}:user/admin"),
    "pass a role to a machine": request(
        "iam:PassRole", f"{IAM}:role/{NAME}-copy", **{"iam:PassedToService": "ec2.amazonaws.com"}
    ),
    "pass another role": request(
        "iam:PassRole", f"{IAM}:role/admin", **{"iam:PassedToService": "cloudformation.amazonaws.com"}
    ),
    "another stack": Request(
        "cloudformation:UpdateStack", f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/payroll/1"
    ),
}


@pytest.mark.parametrize("attempt", ESCALATIONS)
@pytest.mark.parametrize("policy", HOLDERS)
def test_no_role_becomes_administrator(policy: str, attempt: str) -> None:
    assert not allows(load_policy(policy, NAME), ESCALATIONS[attempt])


@pytest.mark.parametrize(
    ("service", "account", "source", "trusted"),
    [
        ("redshift", ACCOUNT, CLUSTER, True),
        ("redshift-serverless", ACCOUNT, f"arn:aws:redshift-serverless:{REGION}:{ACCOUNT}:workgroup/1", True),
        ("redshift", ACCOUNT, f"{CLUSTER}-2", False),
        ("redshift", "999999999999", CLUSTER, False),
        ("redshift", ACCOUNT, CLUSTER.replace(REGION, "eu-west-1"), False),
        ("ec2", ACCOUNT, CLUSTER, False),
    ],
)
def test_only_this_cluster_may_assume_the_copy_role(
    service: str, account: str, source: str, trusted: bool
) -> None:
    properties = templates.read("iam/permissions.yaml")["Resources"]["CopyRole"]["Properties"]
    (statement,) = templates.resolve(properties["AssumeRolePolicyDocument"], templates.names(NAME))[
        "Statement"
    ]
    statement["Action"] = as_list(statement["Action"])
    for keys in statement["Condition"].values():
        keys.update({key: as_list(value) for key, value in keys.items()})
    asked = request("sts:AssumeRole", "role", **{"aws:SourceAccount": account, "aws:SourceArn": source})
    principals = statement["Principal"]["Service"]
    assert (f"{service}.amazonaws.com" in principals and allows([statement], asked)) == trusted


def test_the_key_of_an_encrypted_lake_is_for_s3_only() -> None:
    statements = templates.policy("Workers", name=NAME, EncryptedLake="true")["Statement"]
    (decrypt,) = [one for one in statements if one["Action"] == "kms:Decrypt"]
    assert decrypt["Resource"].startswith("arn:aws:kms:")
    assert decrypt["Condition"] == {"StringEquals": {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}}


def test_no_name_of_aws_is_of_one_partition_only() -> None:
    """GovCloud and China have their own partitions, and China has its own URL suffix."""
    for path in [*templates.INCLUDE.rglob("*.py"), *templates.INCLUDE.rglob("*.yaml")]:
        assert "arn:aws:" not in path.read_text(), path
    china = {"AWS::Partition": "aws-cn", "AWS::URLSuffix": "amazonaws.com.cn", "AWS::Region": "cn-north-1"}
    statements = templates.policy("Workers", name=NAME, **china)["Statement"]
    (decrypt,) = [one for one in statements if one["Action"] == "kms:Decrypt"]
    assert decrypt["Condition"]["StringEquals"]["kms:ViaService"] == "s3.cn-north-1.amazonaws.com.cn"


def _schemas() -> dict[str, set[str]]:
    """Return the permissions that AWS's schemas name for each resource type in warehouse.yaml."""
    wanted = {one["Type"] for one in templates.read("cluster/warehouse.yaml")["Resources"].values()}
    found = {}
    for path in glob.glob(str(Path(cfnlint.__file__).parent / "data/schemas/resources/*.json")):
        schema = json.loads(Path(path).read_text())
        if schema.get("typeName") in wanted:
            handlers = [schema["handlers"].get(verb, {}) for verb in ("create", "read", "update", "delete")]
            found[schema["typeName"]] = {
                one for handler in handlers for one in handler.get("permissions", [])
            }
    assert set(found) == wanted
    return found


def test_cloudformation_may_do_what_the_schemas_name_and_no_more() -> None:
    granted = {action for one in load_policy("CloudFormationRole", NAME) for action in one["Action"]}
    named = set().union(*_schemas().values())
    wildcards = {one for one in named if "*" in one}
    missing = named - granted - wildcards
    assert {one for one in missing if not any(fnmatchcase(one, pattern) for pattern in NOT_SET)} == set()
    # Secrets Manager requires this permission if Redshift manages the password:
    # https://docs.aws.amazon.com/redshift/latest/mgmt/redshift-secrets-manager-integration.html
    more = {one for one in granted - named if not any(fnmatchcase(one, pattern) for pattern in wildcards)}
    assert more == {"secretsmanager:GetRandomPassword"}


def ask(action: str, resource: str, tagging: str = "", tagged: str = "") -> Request:
    """Return a request on a resource of the action's service.

    :param tagging: the tag in the request.
    :param tagged: the tag of the resource.
    """
    tags = {REQUEST_TAG: tagging, RESOURCE_TAG: tagged}
    arn = f"arn:aws:{action.partition(':')[0]}:{REGION}:{ACCOUNT}:{resource}"
    return request(action, arn, **{key: tag for key, tag in tags.items() if tag})


SUBNETS, PARAMETERS = "subnetgroup:subnetgroup-a1b2c3d4e5f6", "parametergroup:{}-parametergroup-a1b2"
PASSWORD = "secret:redshift!{}-awsuser"
# Requests of the handlers of CloudFormation's resource types, with the names that they generate. Their sources are
# aws-cloudformation-resource-providers-redshift and cloudformation-cli-java-plugin on GitHub. A security group has no
# tags when it is created (https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/714).
OF_THE_HANDLERS = {
    "create a security group in a VPC": ask("ec2:CreateSecurityGroup", "vpc/vpc-1"),
    "create a security group": ask("ec2:CreateSecurityGroup", "security-group/*"),
    "open it before it has tags": ask("ec2:AuthorizeSecurityGroupIngress", "security-group/sg-1"),
    "tag it": ask("ec2:CreateTags", "security-group/sg-1", tagging=NAME),
    "open it when it has them": ask("ec2:AuthorizeSecurityGroupIngress", "security-group/sg-1", tagged=NAME),
    "delete it in a rollback before it has tags": ask("ec2:DeleteSecurityGroup", "security-group/sg-1"),
    "create a subnet group, named without the stack": ask("redshift:CreateClusterSubnetGroup", SUBNETS),
    "tag a subnet group": ask("redshift:CreateTags", SUBNETS),
    "delete a subnet group": ask("redshift:DeleteClusterSubnetGroup", SUBNETS, tagged=NAME),
    "a parameter group, named after the stack": ask(
        "redshift:ModifyClusterParameterGroup", PARAMETERS.format(NAME)
    ),
    "create the password of the master user": ask("secretsmanager:CreateSecret", PASSWORD.format(NAME)),
    "delete it": ask("secretsmanager:DeleteSecret", PASSWORD.format(NAME) + "-AbCdEf"),
}
OTHER = f"{NAME}-dev"
FOREIGN = {
    "tag the group of another warehouse": ask(
        "ec2:CreateTags", "security-group/sg-2", tagging=NAME, tagged=OTHER
    ),
    "tag a VPC": ask("ec2:CreateTags", "vpc/vpc-1", tagging=NAME),
    "open the group of another warehouse": ask(
        "ec2:AuthorizeSecurityGroupIngress", "security-group/sg-2", tagged=OTHER
    ),
    "tag the namespace of another warehouse": ask(
        "redshift-serverless:TagResource", "namespace/1", tagging=NAME, tagged=OTHER
    ),
    "the subnets of another warehouse": ask("redshift:DeleteClusterSubnetGroup", SUBNETS, tagged=OTHER),
    "the parameters of another warehouse": ask(
        "redshift:ModifyClusterParameterGroup", PARAMETERS.format(OTHER)
    ),
    "the password of another warehouse": ask(
        "secretsmanager:DeleteSecret", PASSWORD.format(OTHER) + "-AbCdEf"
    ),
}


@pytest.mark.parametrize("step", OF_THE_HANDLERS)
def test_cloudformation_may_do_what_its_handlers_ask(step: str) -> None:
    assert allows(load_policy("CloudFormationRole", NAME), OF_THE_HANDLERS[step])


@pytest.mark.parametrize("attempt", FOREIGN)
def test_cloudformation_may_not_change_what_is_foreign(attempt: str) -> None:
    assert not allows(load_policy("CloudFormationRole", NAME), FOREIGN[attempt])


def test_what_cloudformation_changes_is_bound_to_the_warehouse() -> None:
    for one in load_policy("CloudFormationRole", NAME):
        reading = all(
            action.split(":")[1].startswith(("Describe", "Get", "List")) for action in one["Action"]
        )
        named = all(NAME in resource or ":subnetgroup-" in resource for resource in one["Resource"])
        made = set(one["Action"]) & {"ec2:CreateSecurityGroup", "redshift-serverless:CreateNamespace"}
        assert reading or named or "Condition" in one or made, one["Sid"]
    assert not any(
        "*" in action for holder in HOLDERS for one in load_policy(holder, NAME) for action in one["Action"]
    )
