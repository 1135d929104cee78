"""From nothing to a loaded star and back, once, with everything on record: calls of AWS, statements, logs, XComs.

The pipeline's connections come from Secrets Manager by Airflow's own backend, as on Astro: the load goes through what
provision wrote.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import string
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path

import airflow.configuration
import botocore.client
import pytest
import redshift_connector

from include.cluster import inventory, provision, teardown
from tests.cluster.account import ALL_KINDS, REGION, ROOT, Account
from tests.world import event, lines, song

pytestmark = pytest.mark.slow
POLICIES = ROOT / "include" / "iam"
ACCOUNT = "123456789012"
PLANTED = {"key": "AKIAPLANTEDPLANTED00", "secret": "planted/secret+access/key"}
# Rights that AWS checks on behalf of a call, or that only an account unlike this one needs.
NOT_SEEN = {
    "deploy": {
        # Redshift looks at the VPC in the caller's name when it creates a cluster.
        "ec2:DescribeAccountAttributes",
        "ec2:DescribeAddresses",
        "ec2:DescribeAvailabilityZones",
        "ec2:DescribeInternetGateways",
        # Redshift's own role, with the first cluster of an account.
        "iam:CreateServiceLinkedRole",
        # Versions are deleted by the call that deletes objects.
        "s3:DeleteObjectVersion",
        # The final snapshot of a Serverless namespace.
        "redshift-serverless:CreateSnapshot",
        # A cluster that was paused: see test_provisioned.py.
        "redshift:ResumeCluster",
    },
    "workers": {
        # Large uploads that were broken off.
        "s3:AbortMultipartUpload",
        # Connections with login `iam`: see test_login_by_iam.
        "redshift:GetClusterCredentials",
    },
}


class Record:
    """What was called, said and asked while the story went on."""

    def __init__(self):
        self.actor, self.calls, self.statements, self.log = "", [], [], []


@pytest.fixture(scope="module")
def story(cloud, airflow_database):
    """The record; its ``account``, ``secrets``, ``states`` of the runs and ``owner`` of the loaded tables."""
    record = Record()
    with pytest.MonkeyPatch.context() as patch:
        _record_calls(patch, record)
        _record_statements(patch, record)
        handler = logging.Handler(logging.INFO)
        handler.emit = lambda entry: record.log.append(handler.format(entry))
        logging.getLogger().addHandler(handler)
        try:
            _live(cloud, patch, record)
        finally:
            logging.getLogger().removeHandler(handler)
    return record


def _live(cloud, patch, record):
    account = record.account = Account(cloud, "wh-story")
    account.enter(patch, PLANTED["key"], PLANTED["secret"])
    for name in ("AIRFLOW_CONN_REDSHIFT_DEFAULT", "AIRFLOW_CONN_AWS_COPY_ROLE"):
        patch.delenv(name)
    patch.setenv(
        "AIRFLOW__SECRETS__BACKEND",
        "airflow.providers.amazon.aws.secrets.secrets_manager.SecretsManagerBackend",
    )
    backend = {
        "connections_prefix": "airflow/connections",
        "connections_lookup_pattern": "^(redshift_default|aws_copy_role)$",
        "variables_prefix": None,
        "config_prefix": None,
        "region_name": REGION,
        "endpoint_url": cloud.aws_endpoint,
        "aws_access_key_id": PLANTED["key"],
        "aws_secret_access_key": PLANTED["secret"],
    }
    patch.setenv("AIRFLOW__SECRETS__BACKEND_KWARGS", json.dumps(backend))
    # As a worker does when it starts; later it would be made anew at every look.
    patch.setattr(
        airflow.configuration, "secrets_backend_list", airflow.configuration.initialize_secrets_backends()
    )
    s3, lake = account.client("s3"), f"lake-{account.name}"
    s3.create_bucket(Bucket=lake, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket=lake, Key="song_data/A/A/A/TR1.json", Body=json.dumps(song()).encode())
    noon = datetime(2018, 11, 1, 12)
    s3.put_object(Bucket=lake, Key="log_data/2018/11/2018-11-01-events.json", Body=lines(event(noon)))

    states = record.states = {}
    record.actor = "deploy"
    states["provision"] = account.provision()
    record.kinds = account.kinds()
    record.secrets = [
        PLANTED["secret"],
        account.secret(f"{account.name}/master")["password"],
        account.secret(inventory.REDSHIFT_CONNECTION)["password"],
    ]
    record.actor = "workers"
    states["load"] = account.run("sparkify", start="2018-11-01", end="2018-11-02")
    states["pause"] = account.run("pause", name=account.name, only_if_idle=True)
    states["pause"] = account.run("pause", name=account.name)
    states["resume"] = account.run("resume", name=account.name)
    states["maintenance"] = account.run("maintenance")
    record.actor = "test"
    with account.connect() as link:
        cursor = link.cursor()
        cursor.execute(f"select count(*) from {account.schema}.songplays where song_id is not null")
        (record.plays,) = cursor.fetchone()
        cursor.execute(
            "select tableowner from pg_tables where schemaname = %s and tablename = 'songplays'",
            (account.schema,),
        )
        (record.owner,) = cursor.fetchone()
    record.actor = "deploy"
    states["teardown"] = account.teardown(final_snapshot=True)
    record.left = account.kinds()

    # The branches that one story cannot take, step by step.
    other = Account(cloud, "wh-other")
    other.enter(patch, PLANTED["key"], PLANTED["secret"])
    record.actor = "test"
    vpc = other.client("ec2").create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
    subnet = other.client("ec2").create_subnet(VpcId=vpc, CidrBlock="10.8.1.0/24")["Subnet"]["SubnetId"]
    record.actor = "deploy"
    params = other.params("provision", **other.wanted(subnet_ids=[subnet], serverless=True))
    provision.work_bucket(params | {"tls": "verify-full"})
    provision.network(params | {"serverless": False})
    provision.network(params | {"cidrs": ["10.3.0.0/16"]})
    provision.master_secret(params)
    other.client("secretsmanager").delete_secret(SecretId=other.warehouse.master_secret)
    provision.master_secret(params)
    provision.serverless(params, "role", "group")
    provision.serverless(params | {"usage_limit": 3}, "role", "group")
    gone = other.params("teardown", final_snapshot=False, delete_work_bucket=False)
    record.gone = teardown.delete_serverless(gone, {})
    teardown.delete_network(gone)
    teardown.delete_secrets(gone)


def _record_calls(patch, record):
    call = botocore.client.BaseClient._make_api_call

    def recorded(self, operation, given):
        record.calls.append((record.actor, self.meta.service_model.service_name, operation, dict(given)))
        return call(self, operation, given)

    patch.setattr(botocore.client.BaseClient, "_make_api_call", recorded)


def _record_statements(patch, record):
    execute = redshift_connector.Cursor.execute

    def recorded(self, operation, args=None, *more, **named):
        record.statements.append(operation)
        return execute(self, operation, args, *more, **named)

    patch.setattr(redshift_connector.Cursor, "execute", recorded)


# What the story tells ----------------------------------------------------------------------------------------


def test_from_nothing_to_a_loaded_star_and_back(story):
    assert {name: states["run"] for name, states in story.states.items()} == dict.fromkeys(
        story.states, "success"
    )
    assert story.kinds == ALL_KINDS
    assert set(story.states["load"].values()) == {"success"}
    assert story.plays == 1
    assert story.left == ["snapshot"]
    assert story.gone


def test_the_load_went_through_the_connections_that_provision_wrote(story):
    assert story.owner == "sparkify_pipeline"
    copies = [statement for statement in story.statements if statement.lstrip().lower().startswith("copy ")]
    role = f"arn:aws:iam::{ACCOUNT}:role/{story.account.name}-copy"
    assert copies
    assert all(f"aws_iam_role={role}" in statement for statement in copies)


def test_no_secret_is_in_a_log_a_template_an_xcom_or_a_statement(story):
    home = Path(os.environ["AIRFLOW_HOME"])
    places = {
        "log": "\n".join(story.log).encode(),
        "statements": "\n".join(story.statements).encode(),
        # Rendered templates, XComs, runs' parameters and all else that Airflow keeps.
        "database": b"".join(path.read_bytes() for path in home.glob("airflow.db*")),
        "files of logs": b"".join(path.read_bytes() for path in (home / "logs").rglob("*.log")),
    }
    # The search finds what is there.
    assert story.account.name.encode() in places["log"]
    assert story.account.name.encode() in places["database"]
    assert b"sparkify_pipeline" in places["statements"]
    assert len(set(story.secrets)) == 3
    for name, content in places.items():
        for secret in story.secrets:
            assert secret.encode() not in content, f"a secret is in the {name}"


def test_the_create_operators_password_is_in_no_template(story):
    with sqlite3.connect(f"file:{os.environ['AIRFLOW_HOME']}/airflow.db?mode=ro", uri=True) as database:
        rendered = database.execute(
            "select rendered_fields from rendered_task_instance_fields where task_id = 'create_cluster'"
        ).fetchall()
    assert rendered
    for (fields,) in rendered:
        assert json.loads(fields)["master_user_password"] in ("", "***")


def test_login_by_iam(account, monkeypatch):
    """No password anywhere: the hook asks AWS for one that passes, with the right that workers.json gives."""
    from airflow.providers.amazon.aws.hooks.redshift_sql import RedshiftSQLHook

    params = account.params("provision", **account.wanted(login="iam", tls="verify-full"))
    provision.master_secret(params)
    account.client("redshift").create_cluster(
        ClusterIdentifier=account.name,
        NodeType="ra3.large",
        MasterUsername="awsuser",
        MasterUserPassword=account.secret(f"{account.name}/master")["password"],
        Tags=account.warehouse.tag_list,
    )
    provision.connections(params, "arn:aws:iam::123456789012:role/any")
    provision.database_user(params | {"tls": "off"})
    with account.connect(f"{account.name}/master") as master:
        cursor = master.cursor()
        cursor.execute("select usename from pg_user where usename = 'sparkify_pipeline'")
        assert cursor.fetchone()

    written = account.secret(inventory.REDSHIFT_CONNECTION)
    assert "password" not in written
    monkeypatch.setenv("AIRFLOW_CONN_REDSHIFT_DEFAULT", json.dumps(written))
    given = {}
    monkeypatch.setattr(redshift_connector, "connect", lambda **named: given.update(named))
    RedshiftSQLHook().get_conn()
    assert given["user"] == "IAM:sparkify_pipeline"
    assert given["db_user"] == "sparkify_pipeline"
    assert (given["iam"], given["ssl"], given["sslmode"]) == (True, True, "verify-full")
    assert (given["cluster_identifier"], given["region"]) == (account.name, REGION)


# The policies ------------------------------------------------------------------------------------------------


def statements(policy):
    """The policy's statements with the story's names in them, each list of actions and resources a list."""
    values = {
        "name": "wh-*",
        "region": REGION,
        "account": ACCOUNT,
        "work_bucket": "work-wh-*",
        "source_bucket": "lake-wh-*",
        "log_prefix": "log_data/",
        "song_prefix": "song_data/",
    }
    text = string.Template((POLICIES / f"{policy}.json").read_text()).substitute(values)
    found = json.loads(text)["Statement"]
    for statement in found:
        for key in ("Action", "Resource"):
            statement[key] = [statement[key]] if isinstance(statement[key], str) else statement[key]
    return found


# Calls whose right has another name.
_S3_RIGHTS = {
    "HeadBucket": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "ListObjectVersions": "ListBucketVersions",
    "HeadObject": "GetObject",
    "DeleteObjects": "DeleteObject",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "PutBucketEncryption": "PutEncryptionConfiguration",
}


def rights(service, operation, given):
    """The pairs of right and resource that AWS asks for on this call."""
    role = f"arn:aws:iam::{ACCOUNT}:role/"
    tagged = given.get("Tags") or given.get("tags") or given.get("TagSpecifications")
    if service == "s3":
        bucket = f"arn:aws:s3:::{given['Bucket']}"
        of_object = operation in ("GetObject", "PutObject", "HeadObject", "DeleteObject", "DeleteObjects")
        keys = [o["Key"] for o in given.get("Delete", {}).get("Objects", [])] or [given.get("Key")]
        for key in keys:
            yield f"s3:{_S3_RIGHTS.get(operation, operation)}", f"{bucket}/{key}" if of_object else bucket
        if given.get("CreateBucketConfiguration", {}).get("Tags"):
            yield "s3:TagResource", bucket
    elif service == "iam":
        yield f"iam:{operation}", role + given.get("RoleName", "")
        if tagged:
            yield "iam:TagRole", role + given["RoleName"]
    elif service == "ec2":
        base = f"arn:aws:ec2:{REGION}:{ACCOUNT}"
        if operation.startswith("Describe"):
            yield f"ec2:{operation}", "*"
        else:
            yield f"ec2:{operation}", f"{base}:security-group/{given.get('GroupId', 'sg-new')}"
        if tagged:
            yield "ec2:CreateTags", f"{base}:security-group/sg-new"
    elif service == "redshift":
        base = f"arn:aws:redshift:{REGION}:{ACCOUNT}"
        if operation.startswith("Describe"):
            yield f"redshift:{operation}", "*"
            return
        if operation == "GetClusterCredentials":
            yield f"redshift:{operation}", f"{base}:dbuser:{given['ClusterIdentifier']}/{given['DbUser']}"
            return
        subnets = given.get("ClusterSubnetGroupName") if "SubnetGroup" in operation else None
        resource = (
            f"{base}:subnetgroup:{subnets}" if subnets else f"{base}:cluster:{given['ClusterIdentifier']}"
        )
        yield f"redshift:{operation}", resource
        if tagged:
            yield "redshift:CreateTags", resource
        for arn in given.get("IamRoles", []):
            yield "iam:PassRole", arn
        if given.get("SkipFinalClusterSnapshot") is False:
            name = given["FinalClusterSnapshotIdentifier"]
            yield "redshift:CreateClusterSnapshot", f"{base}:snapshot:{given['ClusterIdentifier']}/{name}"
    elif service == "redshift-serverless":
        base = f"arn:aws:redshift-serverless:{REGION}:{ACCOUNT}"
        kind = "workgroup" if "Workgroup" in operation or "Limit" in operation else "namespace"
        yield f"{service}:{operation}", "*" if operation == "ListSnapshots" else f"{base}:{kind}/some-id"
        if tagged:
            yield f"{service}:TagResource", f"{base}:{kind}/some-id"
    elif service == "secretsmanager":
        resource = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{given.get('SecretId') or given['Name']}-AbCdEf"
        yield f"secretsmanager:{operation}", resource
        if tagged:
            yield "secretsmanager:TagResource", resource
    else:
        yield f"{service}:{operation}", "*"


def asked_of(story, actor):
    return {right for who, *call in story.calls if who == actor for right in rights(*call)}


@pytest.mark.parametrize("policy", ["deploy", "workers"])
def test_a_policy_allows_what_the_dags_do(story, policy):
    allowed = statements(policy)
    asked = asked_of(story, policy)
    assert len(asked) > 10
    refused = [
        (right, resource)
        for right, resource in sorted(asked)
        if not any(
            right in statement["Action"]
            and any(fnmatchcase(resource, pattern) for pattern in statement["Resource"])
            for statement in allowed
        )
    ]
    assert refused == []


@pytest.mark.parametrize("policy", ["deploy", "workers"])
def test_a_policy_allows_nothing_else(story, policy):
    allowed = {action for statement in statements(policy) for action in statement["Action"]}
    seen = {right for right, _ in asked_of(story, policy)}
    assert not any("*" in action for action in allowed)
    assert allowed - seen == NOT_SEEN[policy]


def test_the_check_of_policies_can_fail():
    """A right too few and a foreign resource are found."""
    call = ("secretsmanager", "GetSecretValue", {"SecretId": "airflow/connections/other"})
    ((right, resource),) = rights(*call)
    patterns = [p for s in statements("workers") if right in s["Action"] for p in s["Resource"]]
    assert patterns
    assert not any(fnmatchcase(resource, pattern) for pattern in patterns)


def test_policies_have_no_stray_placeholder():
    for path in POLICIES.glob("*.json"):
        names = {match.group("named") for match in string.Template.pattern.finditer(path.read_text())} - {
            None
        }
        names |= {match.group("braced") for match in string.Template.pattern.finditer(path.read_text())} - {
            None
        }
        assert names <= {
            "name",
            "region",
            "account",
            "work_bucket",
            "source_bucket",
            "log_prefix",
            "song_prefix",
        }
        json.loads(path.read_text())
