"""Create, change and delete, through the API, the resources of CloudFormation stacks, by type."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any, ClassVar

from botocore.config import Config
from botocore.exceptions import ClientError
from moto.cloudformation.models import cloudformation_backends
from moto.core.common_models import CloudFormationModel

from .service import session

Properties = dict[str, Any]


class Resource(CloudFormationModel):
    """One resource of a stack. Each subclass has the API calls of a type. moto's map of resources calls the class."""

    endpoint: ClassVar[str]
    type: ClassVar[str]
    service: ClassVar[str]

    def __init__(self, name: str, properties: Properties, tags: dict[str, str], region: str) -> None:
        self.name, self.properties, self.tags, self.region = name, properties, tags, region
        self.attributes: dict[str, Any] = {}

    @staticmethod
    def cloudformation_name_type() -> str:
        return ""

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        return True

    @classmethod
    def create_from_cloudformation_json(  # type: ignore[override]
        cls, name: str, given: Properties, account_id: str, region: str, **named: Any
    ) -> Resource:
        stack = cloudformation_backends[account_id][region].stacks[named["StackId"]]
        # AWS generates a lowercase name for a resource that must have a name.
        resource = cls(name.lower(), given.get("Properties", {}), stack.tags, region)
        resource.create(**resource.properties)
        return resource

    @property
    def physical_resource_id(self) -> str:
        return self.name

    def is_created(self) -> bool:
        return True

    def get_cfn_attribute(self, name: str) -> Any:
        return self.attributes[name]

    @property
    def api(self) -> Any:
        """Return a client of the service to which the type belongs."""
        return session().client(
            self.service,
            endpoint_url=self.endpoint,
            region_name=self.region,
            aws_access_key_id="local",
            aws_secret_access_key="local",
            # Do not retry a slow call, because the retry would find the resource that the call created.
            config=Config(
                proxies={},
                s3={"addressing_style": "path"},
                read_timeout=600,
                retries={"total_max_attempts": 1},
            ),
        )

    @property
    def tag_list(self) -> list[dict[str, str]]:
        return [{"Key": key, "Value": value} for key, value in self.tags.items()]

    def change(self, properties: Properties) -> None:
        """Update the properties of the resource."""
        self.update(**properties)
        self.properties = properties

    def _changes(self, given: Properties, *names: str) -> bool:
        return any(given.get(name) != self.properties.get(name) for name in names)

    def create(self, **given: Any) -> None:
        raise NotImplementedError

    def update(self, **given: Any) -> None:
        raise NotImplementedError(f"the local CloudFormation does not replace {self.type}")

    def delete(self) -> None:
        raise NotImplementedError

    def remove(self) -> None:
        """Delete the resource. Succeed if it was already deleted by hand."""
        try:
            self.delete()
        except ClientError as error:
            if "NotFound" not in error.response["Error"]["Code"] and "NoSuch" not in str(error):
                raise


def wait(reached: Any) -> None:
    """Wait until a function returns a true value, or raise TimeoutError."""
    deadline = time.monotonic() + 30
    while not reached():
        if time.monotonic() > deadline:
            raise TimeoutError("Resource creation did not stabilize")
        time.sleep(0.05)


class Bucket(Resource):
    type, service = "AWS::S3::Bucket", "s3"

    def create(self, **given: Any) -> None:
        self.name = given.get("BucketName", self.name)
        place = {} if self.region == "us-east-1" else {"LocationConstraint": self.region}
        self.api.create_bucket(Bucket=self.name, **({"CreateBucketConfiguration": place} if place else {}))
        self.attributes["Arn"] = f"arn:aws:s3:::{self.name}"
        self.update(**given)

    def update(self, **given: Any) -> None:
        api, bucket = self.api, self.name
        if self.tags:
            api.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": self.tag_list})
        if "PublicAccessBlockConfiguration" in given:
            block = given["PublicAccessBlockConfiguration"]
            api.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=block)
        for rule in given.get("BucketEncryption", {}).get("ServerSideEncryptionConfiguration", []):
            encryption = {"ApplyServerSideEncryptionByDefault": rule["ServerSideEncryptionByDefault"]}
            api.put_bucket_encryption(
                Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [encryption]}
            )
        if rules := given.get("LifecycleConfiguration", {}).get("Rules"):
            api.put_bucket_lifecycle_configuration(
                Bucket=bucket, LifecycleConfiguration={"Rules": [self._rule(rule) for rule in rules]}
            )

    @staticmethod
    def _rule(rule: dict[str, Any]) -> dict[str, Any]:
        found = {"ID": rule["Id"], "Status": rule["Status"], "Filter": {"Prefix": rule.get("Prefix", "")}}
        if "ExpirationInDays" in rule:
            found["Expiration"] = {"Days": int(rule["ExpirationInDays"])}
        if "AbortIncompleteMultipartUpload" in rule:
            found["AbortIncompleteMultipartUpload"] = rule["AbortIncompleteMultipartUpload"]
        return found

    def delete(self) -> None:
        self.api.delete_bucket(Bucket=self.name)


class BucketPolicy(Resource):
    type, service = "AWS::S3::BucketPolicy", "s3"

    def create(self, **given: Any) -> None:
        self.name = given["Bucket"]
        self.update(**given)

    def update(self, **given: Any) -> None:
        self.api.put_bucket_policy(Bucket=given["Bucket"], Policy=json.dumps(given["PolicyDocument"]))

    def delete(self) -> None:
        self.api.delete_bucket_policy(Bucket=self.name)


class SecurityGroup(Resource):
    type, service = "AWS::EC2::SecurityGroup", "ec2"

    def create(self, **given: Any) -> None:
        if self.name.startswith("sg-"):
            raise ValueError("Invalid value for groupName: group names may not be in the format sg-*")
        vpc = {"VpcId": given["VpcId"]} if "VpcId" in given else {}
        found = self.api.create_security_group(
            GroupName=self.name, Description=given["GroupDescription"], **vpc
        )
        self.name = self.attributes["GroupId"] = found["GroupId"]
        self._open(given)
        # AWS tags the group last: https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/714
        if self.tags:
            self.api.create_tags(Resources=[self.name], Tags=self.tag_list)

    def update(self, **given: Any) -> None:
        (group,) = self.api.describe_security_groups(GroupIds=[self.name])["SecurityGroups"]
        if group["IpPermissions"]:
            self.api.revoke_security_group_ingress(GroupId=self.name, IpPermissions=group["IpPermissions"])
        self._open(given)

    def _open(self, given: Properties) -> None:
        for rule in given.get("SecurityGroupIngress", []):
            self.api.authorize_security_group_ingress(GroupId=self.name, **rule)

    def delete(self) -> None:
        self.api.delete_security_group(GroupId=self.name)


class Role(Resource):
    type, service = "AWS::IAM::Role", "iam"

    def create(self, **given: Any) -> None:
        self.name = given.get("RoleName", self.name)
        trust = json.dumps(given["AssumeRolePolicyDocument"])
        role = self.api.create_role(RoleName=self.name, AssumeRolePolicyDocument=trust, Tags=self.tag_list)
        self.attributes["Arn"] = role["Role"]["Arn"]
        self._put(given)

    def update(self, **given: Any) -> None:
        trust = json.dumps(given["AssumeRolePolicyDocument"])
        self.api.update_assume_role_policy(RoleName=self.name, PolicyDocument=trust)
        self._put(given)

    def _put(self, given: Properties) -> None:
        documents = {
            one["PolicyName"]: json.dumps(one["PolicyDocument"], separators=(",", ":"))
            for one in given.get("Policies", [])
        }
        # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
        if sum(map(len, documents.values())) > 10240:
            raise ValueError(
                f"LimitExceeded: Maximum policy size of 10240 bytes exceeded for role {self.name}"
            )
        for name, document in documents.items():
            self.api.put_role_policy(RoleName=self.name, PolicyName=name, PolicyDocument=document)

    def delete(self) -> None:
        for name in self.api.list_role_policies(RoleName=self.name)["PolicyNames"]:
            self.api.delete_role_policy(RoleName=self.name, PolicyName=name)
        self.api.delete_role(RoleName=self.name)


class ManagedPolicy(Resource):
    type, service = "AWS::IAM::ManagedPolicy", "iam"

    def create(self, **given: Any) -> None:
        document = json.dumps(given["PolicyDocument"], separators=(",", ":"))
        # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
        if len(document) > 6144:
            raise ValueError("LimitExceeded: Cannot exceed quota for PolicySize: 6144")
        policy = self.api.create_policy(
            PolicyName=given.get("ManagedPolicyName", self.name), PolicyDocument=document
        )
        self.name = policy["Policy"]["Arn"]
        for role in given.get("Roles", []):
            self.api.attach_role_policy(RoleName=role, PolicyArn=self.name)

    def update(self, **given: Any) -> None:
        self.delete()
        self.create(**given)

    def delete(self) -> None:
        for role in self.api.list_entities_for_policy(PolicyArn=self.name)["PolicyRoles"]:
            self.api.detach_role_policy(RoleName=role["RoleName"], PolicyArn=self.name)
        self.api.delete_policy(PolicyArn=self.name)


class LogGroup(Resource):
    type, service = "AWS::Logs::LogGroup", "logs"

    def create(self, **given: Any) -> None:
        self.name = given["LogGroupName"]
        self.api.create_log_group(logGroupName=self.name, tags=self.tags)
        self.update(**given)

    def update(self, **given: Any) -> None:
        self.api.put_retention_policy(logGroupName=self.name, retentionInDays=given["RetentionInDays"])

    def delete(self) -> None:
        self.api.delete_log_group(logGroupName=self.name)


class SubnetGroup(Resource):
    type, service = "AWS::Redshift::ClusterSubnetGroup", "redshift"

    def create(self, **given: Any) -> None:
        # AWS's handler does not include the stack's name in the generated name.
        self.name = f"subnetgroup-{uuid.uuid4().hex[:12]}"
        self.api.create_cluster_subnet_group(ClusterSubnetGroupName=self.name, Tags=self.tag_list, **given)

    def delete(self) -> None:
        self.api.delete_cluster_subnet_group(ClusterSubnetGroupName=self.name)


class ParameterGroup(Resource):
    type, service = "AWS::Redshift::ClusterParameterGroup", "redshift"

    def create(self, **given: Any) -> None:
        self.api.create_cluster_parameter_group(
            ParameterGroupName=self.name,
            ParameterGroupFamily=given["ParameterGroupFamily"],
            Description=given["Description"],
            Tags=self.tag_list,
        )
        self.update(**given)

    def update(self, **given: Any) -> None:
        self.api.modify_cluster_parameter_group(
            ParameterGroupName=self.name, Parameters=given.get("Parameters", [])
        )

    def delete(self) -> None:
        self.api.delete_cluster_parameter_group(ParameterGroupName=self.name)


class Cluster(Resource):
    type, service = "AWS::Redshift::Cluster", "redshift"

    def create(self, **given: Any) -> None:
        logging = given.pop("LoggingProperties", None)
        given.pop("Classic", None)
        self.name = given.setdefault("ClusterIdentifier", self.name)
        nodes = {"NumberOfNodes": int(given.pop("NumberOfNodes"))} if "NumberOfNodes" in given else {}
        self.api.create_cluster(Tags=self.tag_list, **given, **nodes)
        wait(lambda: self._describe()["ClusterStatus"] == "available")
        endpoint = self._describe()["Endpoint"]
        self.attributes |= {f"Endpoint.{key}": value for key, value in endpoint.items()}
        if logging:
            self.api.enable_logging(ClusterIdentifier=self.name, **logging)

    def _describe(self) -> dict[str, Any]:
        found: dict[str, Any] = self.api.describe_clusters(ClusterIdentifier=self.name)["Clusters"][0]
        return found

    def update(self, **given: Any) -> None:
        fixed = ("ClusterIdentifier", "ClusterSubnetGroupName", "DBName", "MasterUsername")
        if self._changes(given, *fixed):
            super().update(**given)
        # AWS's handler does the same: "aws-cloudformation-resource-providers-redshift" on GitHub.
        if self._changes(given, "NodeType", "NumberOfNodes", "ClusterType"):
            nodes = {"NumberOfNodes": int(given["NumberOfNodes"])} if "NumberOfNodes" in given else {}
            self.api.resize_cluster(
                ClusterIdentifier=self.name,
                ClusterType=given["ClusterType"],
                NodeType=given["NodeType"],
                Classic=given.get("Classic", False),
                **nodes,
            )
            wait(lambda: self._describe()["ClusterStatus"] == "available")
        if self._changes(given, "VpcSecurityGroupIds"):
            groups = given["VpcSecurityGroupIds"]
            self.api.modify_cluster(ClusterIdentifier=self.name, VpcSecurityGroupIds=groups)
            wait(lambda: self._describe()["ClusterStatus"] == "available")

    def delete(self) -> None:
        self.api.delete_cluster(ClusterIdentifier=self.name, SkipFinalClusterSnapshot=True)
        wait(lambda: not _exists(self._describe))


class Namespace(Resource):
    type, service = "AWS::RedshiftServerless::Namespace", "redshift-serverless"

    def create(self, **given: Any) -> None:
        self.name = given["NamespaceName"]
        self.api.create_namespace(tags=_lower(self.tag_list), **_lower(given))

    def delete(self) -> None:
        self.api.delete_namespace(namespaceName=self.name)
        wait(lambda: not _exists(lambda: self.api.get_namespace(namespaceName=self.name)))


class Workgroup(Resource):
    type, service = "AWS::RedshiftServerless::Workgroup", "redshift-serverless"

    def create(self, **given: Any) -> None:
        self.name = given["WorkgroupName"]
        self.api.create_workgroup(tags=_lower(self.tag_list), **_lower(given))
        wait(lambda: self._describe()["status"] == "AVAILABLE")
        for key, value in self._describe()["endpoint"].items():
            self.attributes[f"Workgroup.Endpoint.{key.capitalize()}"] = value

    def _describe(self) -> dict[str, Any]:
        found: dict[str, Any] = self.api.get_workgroup(workgroupName=self.name)["workgroup"]
        return found

    def update(self, **given: Any) -> None:
        # AWS's handler does the same ("aws-cloudformation-resource-providers-redshift-serverless" on GitHub): one call
        # with all properties that differ from the workgroup's, and no change for a property that is removed.
        found = self._describe()
        wanted = _lower({key: value for key, value in given.items() if key != "NamespaceName"})
        changed = {key: value for key, value in wanted.items() if _sorted(value) != _sorted(found.get(key))}
        self.api.update_workgroup(workgroupName=self.name, **changed)
        wait(lambda: self._describe()["status"] == "AVAILABLE")

    def delete(self) -> None:
        self.api.delete_workgroup(workgroupName=self.name)
        wait(lambda: not _exists(self._describe))


def _exists(describe: Any) -> bool:
    try:
        describe()
    except ClientError:
        return False
    return True


def _sorted(value: Any) -> Any:
    return sorted(value, key=str) if isinstance(value, list) else value


def _lower(given: Any) -> Any:
    """Return properties with the names of the JSON API, which begin with a lowercase letter."""
    if isinstance(given, list):
        return [_lower(one) for one in given]
    if isinstance(given, dict):
        return {key[0].lower() + key[1:]: _lower(value) for key, value in given.items()}
    return given


TYPES: dict[str, type[Resource]] = {
    kind.type: kind
    for kind in (
        Bucket, BucketPolicy, Role, ManagedPolicy, SecurityGroup, LogGroup, SubnetGroup, ParameterGroup, Cluster,
        Namespace, Workgroup,
    )
}  # fmt: skip
