"""Making a warehouse, each step so that it may run again: what exists already is adopted and put right."""

from __future__ import annotations

import hashlib
import ipaddress
import json
import logging
import secrets
import string
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import redshift_connector
from airflow.providers.common.compat.sdk import AirflowSkipException

from include.cluster import inventory
from include.cluster.aws import absent, client, doing
from include.cluster.inventory import COPY_CONNECTION, REDSHIFT_CONNECTION
from include.cluster.request import DATABASE, MASTER_USER, PORT, Warehouse, warehouse
from include.sparkify.errors import ConfigurationError, TransientError, warehouse_error
from include.sparkify.settings import settings

POLICIES = Path(__file__).parents[1] / "iam"
# A range wider than this counts as the whole world, which can be written as 0.0.0.0/1 and 128.0.0.0/1 too.
WIDEST_PREFIX = 8
# States out of which no cluster comes by waiting.
BROKEN = {
    "hardware-failure",
    "incompatible-hsm",
    "incompatible-network",
    "incompatible-parameters",
    "incompatible-restore",
    "storage-full",
}
REPORTS_SCHEMA = "reports"

log = logging.getLogger(__name__)


def check(params: Mapping[str, Any]) -> dict[str, Any]:
    """Hold the request against what is there, before anything is touched; the arguments of the other tasks.

    :raises ConfigurationError: the request is unsafe or at odds with itself or with what exists, a name is taken by
        somebody else, or the warehouse lives in another region.
    :raises TransientError: AWS is unreachable.
    """
    wanted = warehouse(params)
    for text in params["cidrs"]:
        try:
            network = ipaddress.ip_network(text)
        except ValueError as error:
            raise ConfigurationError(f"parameter cidrs: {error}; write it as 10.0.0.0/16") from None
        if network.prefixlen < WIDEST_PREFIX and not params["allow_the_whole_internet"]:
            raise ConfigurationError(
                f"parameter cidrs: {text} lets the whole internet try passwords. State the addresses of the Airflow "
                "workers and the analysts; if you do mean it, set allow_the_whole_internet as well."
            )
    if not params["cidrs"]:
        raise ConfigurationError(
            "parameter cidrs is empty: nobody could connect, this run included. State the address ranges of the "
            'Airflow workers and the analysts, for example ["10.0.0.0/16"].'
        )
    if params["tls"] == "off" and not client("redshift", wanted.region).meta.endpoint_url.startswith("http:"):
        raise ConfigurationError("parameter tls: off is for a local stand-in, whose AWS has no TLS either")
    if params["serverless"] and params["login"] == "iam":
        raise ConfigurationError(
            "parameter login: Serverless names its IAM users after roles, so the pipeline's user needs a password there"
        )
    existing = inventory.refuse_foreign(wanted)
    inventory.log_all(f"of {wanted.name} in {wanted.region} there is already", existing)
    cluster, workgroup = inventory.of_kind(existing, "cluster"), inventory.of_kind(existing, "workgroup")
    if (cluster and params["serverless"]) or (workgroup and not params["serverless"]):
        raise ConfigurationError(
            f"{wanted.name} exists as a {'cluster' if cluster else 'workgroup'}, so parameter serverless would make a "
            "second, costly one of the other kind. Tear it down first, or choose another name."
        )
    multiple = params["nodes"] > 1
    return {
        "name": wanted.name,
        "region": wanted.region,
        "node_type": params["node_type"],
        "cluster_type": "multi-node" if multiple else "single-node",
        "nodes": params["nodes"],
        "tags": wanted.tag_list,
    }


def work_bucket(params: Mapping[str, Any]) -> str:
    """The bucket that runs write to: private, encrypted, TLS alone; its name."""
    wanted, bucket = warehouse(params), settings().work_bucket
    s3 = client("s3", wanted.region)
    if not inventory.of_kind(inventory.owned(wanted), "work bucket"):
        with doing(f"create bucket {bucket}"):
            # us-east-1 is the one region that must not be named.
            place = {} if wanted.region == "us-east-1" else {"LocationConstraint": wanted.region}
            s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={**place, "Tags": wanted.tag_list})
            # Again, for an S3 that does not know tags at creation.
            s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": wanted.tag_list})
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
            s3.put_bucket_policy(Bucket=bucket, Policy=policy("work-bucket", wanted))
    return bucket


def copy_role(params: Mapping[str, Any]) -> str:
    """The role that Redshift assumes for COPY: reads the source prefixes and the work bucket; its ARN."""
    wanted = warehouse(params)
    iam = client("iam", wanted.region)
    existing = inventory.of_kind(inventory.owned(wanted), "role")
    with doing(f"create role {wanted.role}"):
        if existing:
            arn = existing.id
        else:
            arn = iam.create_role(
                RoleName=wanted.role,
                AssumeRolePolicyDocument=policy("redshift-trust", wanted),
                Description="Redshift's COPY into warehouse " + wanted.name,
                Tags=wanted.tag_list,
            )["Role"]["Arn"]
        iam.put_role_policy(
            RoleName=wanted.role, PolicyName="copy", PolicyDocument=policy("redshift-copy", wanted)
        )
    return arn


def network(params: Mapping[str, Any]) -> dict[str, str | None]:
    """The security group, open to the stated CIDRs on one port and to nothing else, and the subnet group, if asked for.

    Returns ``security_group`` (its id) and ``subnet_group`` (its name, or None).
    """
    wanted = warehouse(params)
    ec2, redshift = client("ec2", wanted.region), client("redshift", wanted.region)
    existing = inventory.owned(wanted)
    subnets = params["subnet_ids"]
    group = inventory.of_kind(existing, "security group")
    with doing(f"create security group {wanted.security_group}"):
        if group:
            group_id = group.id
        else:
            group_id = ec2.create_security_group(
                GroupName=wanted.security_group,
                Description="Redshift warehouse " + wanted.name,
                VpcId=_vpc(ec2, subnets, wanted),
                TagSpecifications=[{"ResourceType": "security-group", "Tags": wanted.tag_list}],
            )["GroupId"]
    with doing(f"set the ingress of security group {wanted.security_group}"):
        _set_ingress(ec2, group_id, params["cidrs"])
    if not subnets:
        return {"security_group": group_id, "subnet_group": None}
    if not params["serverless"] and not inventory.of_kind(existing, "subnet group"):
        with doing(f"create subnet group {wanted.subnet_group}"):
            redshift.create_cluster_subnet_group(
                ClusterSubnetGroupName=wanted.subnet_group,
                Description="Redshift warehouse " + wanted.name,
                SubnetIds=subnets,
                Tags=wanted.tag_list,
            )
    return {"security_group": group_id, "subnet_group": None if params["serverless"] else wanted.subnet_group}


def _vpc(ec2: Any, subnets: list[str], wanted: Warehouse) -> str:
    if subnets:
        vpcs = {subnet["VpcId"] for subnet in ec2.describe_subnets(SubnetIds=subnets)["Subnets"]}
        if len(vpcs) != 1:
            raise ConfigurationError(
                f"parameter subnet_ids: {subnets} lie in {len(vpcs)} VPCs; they must share one"
            )
        return str(vpcs.pop())
    default = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
    if not default:
        raise ConfigurationError(
            f"account and region {wanted.region} have no default VPC: name subnets in parameter subnet_ids"
        )
    return str(default[0]["VpcId"])


def _set_ingress(ec2: Any, group_id: str, cidrs: list[str]) -> None:
    """Let in the stated CIDRs on Redshift's port; whatever else the group lets in goes."""
    wanted = {str(ipaddress.ip_network(text)) for text in cidrs}
    (group,) = ec2.describe_security_groups(GroupIds=[group_id])["SecurityGroups"]
    there: set[str] = set()
    for rule in group["IpPermissions"]:
        ranges = {entry["CidrIp"] for entry in rule["IpRanges"]} | {
            entry["CidrIpv6"] for entry in rule["Ipv6Ranges"]
        }
        ours = rule["IpProtocol"] == "tcp" and rule.get("FromPort") == rule.get("ToPort") == PORT
        if ours and ranges <= wanted and not rule["UserIdGroupPairs"] and not rule["PrefixListIds"]:
            there |= ranges
        else:
            ec2.revoke_security_group_ingress(GroupId=group_id, IpPermissions=[rule])
    for cidr in sorted(wanted - there):
        family, key = ("Ipv6Ranges", "CidrIpv6") if ":" in cidr else ("IpRanges", "CidrIp")
        ec2.authorize_security_group_ingress(
            GroupId=group_id,
            IpPermissions=[
                {
                    "IpProtocol": "tcp",
                    "FromPort": PORT,
                    "ToPort": PORT,
                    family: [{key: cidr, "Description": "stated when provisioned"}],
                }
            ],
        )


def master_secret(params: Mapping[str, Any]) -> str:
    """The master user and its generated password, in Secrets Manager and nowhere else; the secret's name."""
    wanted = warehouse(params)
    if _read_secret(wanted, wanted.master_secret) is None:
        _write_secret(wanted, wanted.master_secret, {"username": MASTER_USER, "password": new_password()})
    return wanted.master_secret


def choose(params: Mapping[str, Any]) -> str:
    """The task that goes on from what is there.

    :raises ConfigurationError: the cluster is broken, or on its way out.
    """
    wanted = warehouse(params)
    if params["serverless"]:
        return "serverless"
    with doing(f"look at cluster {wanted.name}"):
        cluster = inventory.describe_cluster(wanted)
    if cluster is None:
        return "create_cluster"
    state = cluster["ClusterStatus"]
    if state in BROKEN:
        raise ConfigurationError(
            f"cluster {wanted.name} is {state}: mend it, or tear it down and provision it anew"
        )
    if state in ("deleting", "final-snapshot"):
        raise ConfigurationError(f"cluster {wanted.name} is being deleted: provision again when it is gone")
    if (cluster["NodeType"], cluster["NumberOfNodes"]) != (params["node_type"], params["nodes"]):
        log.warning(
            "cluster %s has %d x %s and is adopted as it is, not resized to %d x %s",
            *(
                wanted.name,
                cluster["NumberOfNodes"],
                cluster["NodeType"],
                params["nodes"],
                params["node_type"],
            ),
        )
    return "resume_cluster" if state in ("paused", "pausing") else "wait_for_cluster"


def before_creating(context: Mapping[str, Any]) -> None:
    """Give the create operator its password at the last moment: it is in no template, rendered or not.

    :raises AirflowSkipException: an earlier try has created the cluster.
    """
    wanted = warehouse(context["params"])
    with doing(f"look at cluster {wanted.name}"):
        if inventory.describe_cluster(wanted) is not None:
            raise AirflowSkipException(f"an earlier try has created cluster {wanted.name}")
    context["task"].master_user_password = master(wanted)["password"]


def serverless(params: Mapping[str, Any], role: str, group: str) -> str:
    """The namespace, the workgroup and its usage limit; the workgroup's ARN.

    :param role: ARN of the role for COPY.
    :param group: id of the security group.
    """
    wanted = warehouse(params)
    api = client("redshift-serverless", wanted.region)
    existing = inventory.owned(wanted)
    tags = [{"key": key, "value": value} for key, value in wanted.tags.items()]
    if not inventory.of_kind(existing, "namespace"):
        login = master(wanted)
        with doing(f"create namespace {wanted.name}"):
            api.create_namespace(
                namespaceName=wanted.name,
                dbName=DATABASE,
                adminUsername=login["username"],
                adminUserPassword=login["password"],
                iamRoles=[role],
                tags=tags,
            )
    workgroup = inventory.of_kind(existing, "workgroup")
    with doing(f"create workgroup {wanted.name}"):
        if workgroup:
            arn = workgroup.id
        else:
            arn = api.create_workgroup(
                workgroupName=wanted.name,
                namespaceName=wanted.name,
                baseCapacity=params["base_capacity"],
                securityGroupIds=[group],
                publiclyAccessible=False,
                configParameters=[{"parameterKey": "require_ssl", "parameterValue": "true"}],
                tags=tags,
                **({"subnetIds": params["subnet_ids"]} if params["subnet_ids"] else {}),
            )["workgroup"]["workgroupArn"]
    with doing(f"limit the usage of workgroup {wanted.name}"):
        limits = api.list_usage_limits(resourceArn=arn, usageType="serverless-compute")["usageLimits"]
        amount = params["usage_limit"]
        if not limits:
            api.create_usage_limit(
                resourceArn=arn,
                usageType="serverless-compute",
                amount=amount,
                period="daily",
                breachAction="deactivate",
            )
        elif limits[0]["amount"] != amount:
            api.update_usage_limit(
                usageLimitId=limits[0]["usageLimitId"], amount=amount, breachAction="deactivate"
            )
    return arn


def workgroup_answers(params: Mapping[str, Any]) -> bool:
    """Whether the workgroup can be connected to."""
    wanted = warehouse(params)
    with doing(f"look at workgroup {wanted.name}"):
        answer = client("redshift-serverless", wanted.region).get_workgroup(workgroupName=wanted.name)
    return answer["workgroup"]["status"] == "AVAILABLE"


def connections(params: Mapping[str, Any], role: str) -> None:
    """Write the Airflow connections ``redshift_default`` and ``aws_copy_role`` into Secrets Manager.

    :param role: ARN of the role for COPY.
    """
    wanted = warehouse(params)
    host, port = endpoint(params)
    connection = {
        "conn_type": "redshift",
        "host": host,
        "port": port,
        "schema": DATABASE,
        "login": params["user"],
        "extra": {**tls(params), "application_name": "sparkify"},
    }
    if params["login"] == "iam":
        connection["extra"] |= {
            "iam": True,
            "db_user": params["user"],
            "cluster_identifier": wanted.name,
            "region": wanted.region,
        }
    else:
        before = _read_secret(wanted, REDSHIFT_CONNECTION) or {}
        connection["password"] = before.get("password") or new_password()
    _write_secret(wanted, REDSHIFT_CONNECTION, connection)
    _write_secret(
        wanted,
        COPY_CONNECTION,
        {"conn_type": "aws", "extra": {"role_arn": role, "region_name": wanted.region}},
    )


def database_user(params: Mapping[str, Any]) -> None:
    """The pipeline's user, with the password of its connection and the rights to its own schemas alone.

    It may create schemas, as every run has one of its own, and owns the star's and the reports'; it is no superuser
    and cannot see what others own.

    :raises ConfigurationError: the master password is wrong, or a statement is refused.
    :raises TransientError: the warehouse cannot be reached.
    """
    wanted = warehouse(params)
    user, star = params["user"], settings().schema
    host, port = endpoint(params)
    login = master(wanted)
    connection = _read_secret(wanted, REDSHIFT_CONNECTION) or {}
    if params["login"] == "iam":
        password = "disable"
    else:
        # As PostgreSQL has it: the statement holds a hash, not the password.
        digest = hashlib.md5((connection["password"] + user).encode(), usedforsecurity=False).hexdigest()
        password = f"'md5{digest}'"
    try:
        link = redshift_connector.connect(
            host=host,
            port=port,
            database=DATABASE,
            user=login["username"],
            password=login["password"],
            timeout=30,
            **tls(params),
        )
        try:
            cursor = link.cursor()
            cursor.execute("select usename from pg_user where usename = %s", (user,))
            known = bool(cursor.fetchall())
            cursor.execute(f"{'alter' if known else 'create'} user {user} password {password}")
            cursor.execute(f"grant create, temporary on database {DATABASE} to {user}")
            cursor.execute("revoke create on schema public from public")
            for schema in (star, REPORTS_SCHEMA):
                cursor.execute(f"create schema if not exists {schema} authorization {user}")
            link.commit()
        finally:
            link.close()
    except (redshift_connector.Error, OSError) as error:
        refused = warehouse_error(
            error, f"make user {user} in {wanted.name} as {login['username']} at {host}:{port}"
        )
        # The driver wraps a refused password and an unreachable host alike; each needs another remedy.
        hint = (
            " Can the workers reach the cluster's VPC, and do the CIDRs let them in? If the master password was "
            f"changed by hand, put it into secret {wanted.master_secret}."
        )
        raise type(refused)(f"{refused}{hint}") from None


def report(params: Mapping[str, Any]) -> None:
    """Say what exists of the warehouse and what it costs, whether the run succeeded or not."""
    wanted = warehouse(params)
    inventory.log_all(f"of {wanted.name} in {wanted.region} there is now", inventory.owned(wanted))
    log.info(
        "running provision again goes on from here; teardown with confirm=%s removes it all", wanted.name
    )


def endpoint(params: Mapping[str, Any]) -> tuple[str, int]:
    """Host and port of the warehouse.

    :raises TransientError: it has none yet.
    """
    wanted = warehouse(params)
    with doing(f"look up the address of {wanted.name}"):
        if params["serverless"]:
            api = client("redshift-serverless", wanted.region)
            address = api.get_workgroup(workgroupName=wanted.name)["workgroup"].get("endpoint", {})
            host, port = address.get("address"), address.get("port")
        else:
            address = (inventory.describe_cluster(wanted) or {}).get("Endpoint", {})
            host, port = address.get("Address"), address.get("Port")
    if not host:
        raise TransientError(f"{wanted.name} has no address yet")
    return host, port


def tls(params: Mapping[str, Any]) -> dict[str, Any]:
    """The driver's settings for TLS: certificate and host name are verified, but by a local stand-in."""
    return {"ssl": False} if params["tls"] == "off" else {"ssl": True, "sslmode": "verify-full"}


def policy(name: str, wanted: Warehouse) -> str:
    """A policy of include/iam with this warehouse's names in it, as JSON text."""
    config = settings()
    values = {
        "name": wanted.name,
        "region": wanted.region,
        "work_bucket": config.work_bucket,
        "source_bucket": config.source_bucket,
        "log_prefix": config.log_prefix,
        "song_prefix": config.song_prefix,
    }
    return string.Template((POLICIES / f"{name}.json").read_text()).substitute(values)


def master(wanted: Warehouse) -> dict[str, str]:
    """The master user's ``username`` and ``password``.

    :raises ConfigurationError: there is no such secret.
    """
    login = _read_secret(wanted, wanted.master_secret)
    if login is None:
        raise ConfigurationError(
            f"secret {wanted.master_secret} is gone, so the master password is lost. What to mend: set a new one "
            f"(aws redshift modify-cluster --cluster-identifier {wanted.name} --master-user-password ...) and write "
            f'the secret as {{"username": "{MASTER_USER}", "password": ...}} with the tags {wanted.tags}'
        )
    return login


def new_password() -> str:
    """Forty letters and digits, of each kind that Redshift asks for at least one; masked in this process's logs."""
    from airflow.providers.common.compat.sdk import mask_secret

    alphabet = string.ascii_letters + string.digits
    password = "Aa0" + "".join(secrets.choice(alphabet) for _ in range(37))
    mask_secret(password)
    return password


def _read_secret(wanted: Warehouse, name: str) -> dict[str, Any] | None:
    """A secret's JSON content; its password is masked in this process's logs from here on.

    :raises ConfigurationError: the secret is somebody else's.
    """
    from airflow.providers.common.compat.sdk import mask_secret

    with doing(f"read secret {name}"):
        api = client("secretsmanager", wanted.region)
        with absent("ResourceNotFoundException"):
            secret = api.describe_secret(SecretId=name)
            _refuse_foreign_secret(wanted, secret)
            if "DeletedDate" in secret:
                return None
            content = json.loads(api.get_secret_value(SecretId=name)["SecretString"])
            if content.get("password"):
                mask_secret(content["password"])
            return content
    return None


def _write_secret(wanted: Warehouse, name: str, content: Mapping[str, Any]) -> None:
    with doing(f"write secret {name}"):
        api = client("secretsmanager", wanted.region)
        text = json.dumps(content)
        with absent("ResourceNotFoundException"):
            secret = api.describe_secret(SecretId=name)
            _refuse_foreign_secret(wanted, secret)
            if "DeletedDate" in secret:
                # Deleted by hand, a secret holds its name for up to thirty days.
                api.restore_secret(SecretId=name)
            api.put_secret_value(SecretId=name, SecretString=text)
            return
        api.create_secret(Name=name, SecretString=text, Tags=wanted.tag_list)


def _refuse_foreign_secret(wanted: Warehouse, secret: Mapping[str, Any]) -> None:
    if not wanted.owns({tag["Key"]: tag["Value"] for tag in secret.get("Tags", [])}):
        raise ConfigurationError(
            f"secret {secret['Name']} belongs to somebody else: it lacks the tags {wanted.tags}"
        )
