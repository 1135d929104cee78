"""Test the requests that provision and teardown refuse before they change anything."""

from __future__ import annotations

import json
import types
from datetime import datetime
from unittest import mock

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException
from botocore.exceptions import ClientError

from include.cluster import aws, connections, database, inventory, request, stack, teardown
from include.sparkify.errors import ConfigurationError, TransientError
from tests.running import dag_of, run


def params_of(**given):
    defaults = dag_of("provision").params.dump()
    return defaults | {"cidrs": ["10.0.0.0/16"], **given}


def use_region(monkeypatch, region):
    connection = {"conn_type": "aws", "extra": {"region_name": region}}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(connection))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"cidrs": []}, "no one could connect"),
        ({"cidrs": ["0.0.0.0/0"]}, "0.0.0.0/0 is wider than /8, which is most of the internet"),
        ({"cidrs": ["0.0.0.0/1", "128.0.0.0/1"]}, "0.0.0.0/1 is wider than /8"),
        ({"cidrs": ["2001:db8::/32"]}, "parameter cidrs"),
        ({"cidrs": ["10.0.0.1/16"]}, "has host bits set"),
        ({"node_type": "rg.xlarge", "nodes": 1}, "2 to 16 nodes, not 1"),
        ({"node_type": "ra3.4xlarge", "nodes": 33}, "2 to 32 nodes, not 33"),
        ({"serverless": True, "base_capacity": 6}, "4 or a multiple of 8"),
    ],
)
def test_a_request_that_aws_would_refuse_half_way(monkeypatch, given, message):
    use_region(monkeypatch, "us-west-2")
    with pytest.raises(ConfigurationError, match=message):
        request.check_params(params_of(**given))


@pytest.mark.parametrize(
    "given",
    [
        {"cidrs": ["10.0.0.0/8"]},
        {"node_type": "rg.xlarge", "nodes": 2},
        {"serverless": True, "base_capacity": 4},
    ],
)
def test_a_request_that_aws_takes(monkeypatch, given):
    use_region(monkeypatch, "us-west-2")
    request.check_params(params_of(**given))


def test_every_node_type_has_a_price_and_the_stand_in_agrees_on_its_nodes():
    from include.cluster import prices
    from local_redshift import moto_clusters

    assert set(prices.NODE_HOUR) == set(request.NODES)
    for kind, (least, most, single) in request.NODES.items():
        low, high, one = moto_clusters.NODES[kind]
        assert (least, min(most, 100), single) == (low, min(high, 100), one)


def test_serverless_needs_three_zones(account, monkeypatch):
    ec2 = account.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.9.{n}.0/24", AvailabilityZone=f"us-west-2{zone}")[
            "Subnet"
        ]["SubnetId"]
        for n, zone in enumerate("aabc")
    ]
    two = account.params("provision", subnet_ids=subnets[:3], serverless=True)
    with pytest.raises(
        ConfigurationError, match="in 3 availability zones, but these 3 are in us-west-2a, us-west-2b"
    ):
        stack.check_request(two)
    zone = {"Name": "availability-zone", "Values": ["us-west-2d"]}
    elsewhere = ec2.describe_subnets(Filters=[zone])["Subnets"][0]["SubnetId"]
    with pytest.raises(ConfigurationError, match="in 2 VPCs"):
        stack.check_request(two | {"subnet_ids": [subnets[0], elsewhere]})
    # https://docs.aws.amazon.com/redshift/latest/mgmt/serverless-usage-considerations.html
    with monkeypatch.context() as patch:
        answer = {"Subnets": [{"VpcId": "vpc-1", "AvailabilityZone": f"us-west-1{zone}"} for zone in "aab"]}
        patch.setattr(aws.client("ec2", "us-west-1"), "describe_subnets", lambda **_: answer)
        far = request.Cluster(account.name, "us-west-1")
        assert stack._find_vpc(far, two) == "vpc-1"
        answer["Subnets"].pop()
        with pytest.raises(
            ConfigurationError, match="three subnets in 2 availability zones, but these 2 are"
        ):
            stack._find_vpc(far, two)
    # The stack of a cluster has a subnet group, and the stack of Serverless has none.
    for serverless in (False, True):
        stack.deploy_stack(two | {"subnet_ids": subnets, "serverless": serverless})
        assert account.stack()["StackStatus"] == "CREATE_COMPLETE"
        kinds = {one["LogicalResourceId"] for one in stack.list_resources(account.cluster)}
        assert ("SubnetGroup" in kinds) == (not serverless)
        (group,) = ec2.describe_security_groups(
            Filters=[{"Name": "vpc-id", "Values": [vpc]}, {"Name": "tag:warehouse", "Values": [account.name]}]
        )["SecurityGroups"]
        assert group["VpcId"] == vpc
        account.remove()


def test_a_stack_of_others_is_neither_changed_nor_deleted(account):
    log = {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "theirs", "RetentionInDays": 1}}
    template = json.dumps({"Resources": {"Log": log}})
    account.client("cloudformation").create_stack(StackName=account.name, TemplateBody=template)
    account.stack()
    for dag_id, module in (("provision", stack), ("teardown", teardown)):
        params = account.params(dag_id, confirm=account.name)
        with pytest.raises(ConfigurationError, match="is not a warehouse of Sparkify. Nothing was changed"):
            module.check_request(params)
    account.client("cloudformation").delete_stack(StackName=account.name)
    assert account.stack() is None


def test_a_bucket_of_another_account_is_said_with_both_causes(account, monkeypatch):
    error = ClientError({"Error": {"Code": "403", "Message": "Forbidden"}}, "HeadBucket")
    refuse = mock.Mock(side_effect=error)
    with monkeypatch.context() as patch:
        patch.setattr(aws.client("s3", "us-west-2"), "head_bucket", refuse)
        # A resource that could not be read is not reported as deleted or as free of charge.
        for work in (
            lambda: stack.check_request(account.params("provision")),
            lambda: inventory.log_costs(account.cluster, "now"),
            lambda: teardown.check_request(account.params("teardown", confirm=account.name)),
            lambda: teardown.delete_bucket(account.params("teardown", delete_work_bucket=True)),
            lambda: teardown.list_leftovers(account.params("teardown", delete_work_bucket=True)),
        ):
            with pytest.raises(ConfigurationError, match="belongs to another account.*or the role"):
                work()
    owners = [call.kwargs.get("ExpectedBucketOwner") for call in refuse.call_args_list]
    assert owners == ["123456789012", *[None] * 4]


@pytest.mark.finding("M6")
@pytest.mark.parametrize("dag_id", ["provision", "teardown", "pause", "resume", "recreate_tables", "reports"])
def test_a_misspelled_parameter_fails_the_run(airflow_database, caplog, dag_id):
    """Airflow would ignore it: a misspelled name would be that of the default warehouse."""
    state, tasks = run(dag_of(dag_id), nmae="other")
    first = next(iter(dag_of(dag_id).roots)).task_id
    assert (state, tasks[first]) == ("failed", "failed")
    assert "unknown parameters: nmae. Known parameters: " in caplog.text


def test_a_bucket_in_another_region_is_refused(account):
    """COPY cannot read it. Without the refusal, the cluster would incur cost before anyone noticed."""
    s3 = account.client("s3", "eu-west-1")
    s3.create_bucket(Bucket=account.work, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    with pytest.raises(ConfigurationError, match="is in eu-west-1, and COPY in us-west-2 does not"):
        stack.check_request(account.params("provision"))
    s3.delete_bucket(Bucket=account.work)


def test_a_region_without_serverless_can_be_left(account, monkeypatch):
    """Redshift Serverless has no API endpoint in that region. Teardown does not call it."""
    nowhere = request.Cluster(account.name, "me-south-1")
    assert not nowhere.has_serverless and account.cluster.has_serverless
    asked = aws.client

    def no_serverless(service, region):
        assert service != "redshift-serverless"
        return asked(service, region)

    monkeypatch.setattr(inventory, "client", no_serverless)
    assert inventory.list_things(nowhere) == []


def test_an_update_that_could_not_be_rolled_back_names_the_command(account, monkeypatch):
    params = account.params("provision")
    stack.deploy_stack(params)
    stuck = account.stack() | {"StackStatus": "UPDATE_ROLLBACK_FAILED"}
    with monkeypatch.context() as patch:
        patch.setattr(stack, "describe_stack", lambda cluster: stuck)
        for work in (stack.check_request, stack.is_settled):
            with pytest.raises(ConfigurationError, match="continue-update-rollback --region us-west-2"):
                work(params)
    account.remove()


def test_the_final_snapshot_includes_a_cluster_that_has_lost_its_tags(account):
    params = account.params("provision")
    stack.deploy_stack(params)
    account.stack()
    arn = f"arn:aws:redshift:us-west-2:123456789012:cluster:{account.name}"
    account.client("redshift").delete_tags(ResourceName=arn, TagKeys=["warehouse"])
    assert account.teardown(final_snapshot=True)["take_final_snapshot"] == "success"
    assert account.stack() is None
    assert len(inventory.list_snapshots(account.cluster)) == 1


@pytest.mark.parametrize(
    ("state", "outcome"),
    [
        ("available, resize-cleanup", "waits"),
        ("cancelling-resize", "waits"),
        ("deleting", "skips"),
        ("incompatible-network", "fails"),
    ],
)
def test_a_final_snapshot_of_a_cluster_in_another_state(account, monkeypatch, state, outcome):
    answer = {"Clusters": [{"ClusterStatus": state}]}
    with monkeypatch.context() as patch:
        patch.setattr(aws.client("redshift", "us-west-2"), "describe_clusters", lambda **_: answer)
        if outcome == "waits":
            assert teardown._take_of_cluster(account.cluster, "any") is None
            return
        error = AirflowSkipException if outcome == "skips" else ConfigurationError
        with pytest.raises(error, match=f"is {state}"):
            teardown._take_of_cluster(account.cluster, "any")


@pytest.mark.parametrize("kind", ["Cluster", "Namespace"])
@pytest.mark.parametrize("state", ["CREATE_COMPLETE", "CREATE_IN_PROGRESS", "DELETE_IN_PROGRESS"])
def test_a_warehouse_that_does_not_exist_has_no_final_snapshot(account, monkeypatch, kind, state):
    """It was deleted by hand, is not created yet, or an earlier teardown is deleting it."""
    kinds = {"Cluster": "AWS::Redshift::Cluster", "Namespace": "AWS::RedshiftServerless::Workgroup"}
    monkeypatch.setattr(
        teardown, "list_resources", lambda _: [{"ResourceType": kinds[kind], "ResourceStatus": state}]
    )
    if state != "CREATE_COMPLETE":
        # The cluster of this name may be that of others.
        monkeypatch.setattr(teardown, "client", None)
    context = {
        "params": account.params("teardown"),
        "dag_run": types.SimpleNamespace(start_date=datetime(2026, 1, 1)),
    }
    with pytest.raises(AirflowSkipException, match="there is no cluster or workgroup"):
        teardown.has_snapshot(context)


def test_the_stack_gets_the_role_of_its_own_partition(account, monkeypatch):
    identity = {"Account": "123456789012", "Arn": "arn:aws-us-gov:sts::123456789012:assumed-role/a/b"}
    with monkeypatch.context() as patch:
        patch.setattr(aws.client("sts", "us-west-2"), "get_caller_identity", lambda: identity)
        given = stack.check_request(account.params("provision"))
    assert given["RoleARN"] == f"arn:aws-us-gov:iam::123456789012:role/{account.name}-cloudformation"


def test_a_bucket_that_provision_did_not_create_is_used_and_never_deleted(account):
    s3 = account.client("s3")
    s3.create_bucket(Bucket=account.work, CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    assert not inventory.owns_bucket(account.cluster)
    states = account.teardown()
    assert (states["run"], states["delete_bucket"]) == ("success", "skipped")
    s3.delete_bucket(Bucket=account.work)


def test_a_secret_that_is_being_deleted_is_tried_again(account, monkeypatch):
    text = "You can't create this secret because a secret with this name is already scheduled for deletion."
    error = ClientError({"Error": {"Code": "InvalidRequestException", "Message": text}}, "CreateSecret")
    busy = mock.Mock(side_effect=error)
    monkeypatch.setattr(aws.client("secretsmanager", "us-west-2"), "create_secret", busy)
    with pytest.raises(TransientError, match="could not write secret"):
        connections.write_secret(account.cluster, connections.COPY_CONNECTION, {})


def test_a_connection_of_others_is_not_overwritten(account):
    api = account.client("secretsmanager")
    api.create_secret(Name=connections.COPY_CONNECTION, SecretString="{}")
    with pytest.raises(ConfigurationError, match="was not created by provision.*Nothing was"):
        connections.write_secret(account.cluster, connections.COPY_CONNECTION, {})
    # Provision raises the same error before it creates a cluster.
    with pytest.raises(ConfigurationError, match="If another warehouse owns it"):
        stack.check_request(account.params("provision"))
    connections.delete_connections(account.params("teardown"))
    assert connections.describe_secret(account.cluster, connections.COPY_CONNECTION)
    api.delete_secret(SecretId=connections.COPY_CONNECTION, ForceDeleteWithoutRecovery=True)


def test_tls_is_off_only_for_a_stand_in(account, monkeypatch):
    assert database.tls_settings(account.cluster) == {"ssl": False}
    # No other test uses this region, so the client is a new one, with the address of AWS.
    use_region(monkeypatch, "sa-east-1")
    real = request.Cluster(account.name, "sa-east-1")
    assert database.tls_settings(real) == {"ssl": True, "sslmode": "verify-full"}


def test_access_denied_names_the_policy(account, monkeypatch):
    iam = account.client("iam")
    user = f"{account.name}-nobody"
    iam.create_user(UserName=user)
    key = iam.create_access_key(UserName=user)["AccessKey"]
    account.enter(monkeypatch, key["AccessKeyId"], key["SecretAccessKey"])
    account.permissions(True)
    with pytest.raises(
        AirflowFailException, match=r"could not describe stack.*include/iam/permissions\.yaml"
    ):
        stack.check_request(account.params("provision"))
    # A resource is not considered deleted if the lookup fails.
    with pytest.raises(AirflowFailException, match="could not look"):
        teardown.list_leftovers(account.params("teardown", delete_work_bucket=True))


def test_a_wrong_key_names_the_connection(account, monkeypatch):
    account.enter(monkeypatch, "AKIAUNKNOWN", "wrong")
    account.permissions(True)
    with pytest.raises(ConfigurationError, match="aws_default"):
        stack.check_request(account.params("provision"))


def test_aws_out_of_reach_is_tried_again(account, monkeypatch):
    reachable, account.cloud = account.cloud, types.SimpleNamespace(aws_endpoint="http://127.0.0.1:9")
    account.enter(monkeypatch, key="other")
    account.cloud = reachable
    with pytest.raises(TransientError, match="could not describe stack"):
        stack.check_request(account.params("provision"))


@pytest.mark.parametrize(
    ("region", "message"),
    [
        (
            "us-west-9",
            "there is no Redshift in region 'us-west-9'. Next: fix region_name of connection aws_default",
        ),
        (None, "there is no Redshift in region None"),
        ("me-south-1", "Redshift Serverless is not available in me-south-1"),
    ],
)
def test_a_region_without_redshift_is_refused(monkeypatch, region, message):
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    use_region(monkeypatch, region)
    with pytest.raises(ConfigurationError, match=message):
        request.check_params(params_of(serverless=True))
