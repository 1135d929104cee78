"""Requests that provision and teardown refuse before they change anything."""

from __future__ import annotations

import types

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from include.cluster import credentials, database, inventory, network, provision, storage, teardown
from include.sparkify.errors import ConfigurationError, TransientError


def create_foreign_cluster(account):
    account.client("redshift").create_cluster(
        ClusterIdentifier=account.name,
        NodeType="ra3.large",
        MasterUsername="theirs",
        MasterUserPassword="Theirs123456",
    )


def create_foreign_bucket(account):
    account.client("s3").create_bucket(
        Bucket=account.work, CreateBucketConfiguration={"LocationConstraint": "us-west-2"}
    )


def create_foreign_role(account):
    account.client("iam").create_role(RoleName=f"{account.name}-copy", AssumeRolePolicyDocument="{}")


def create_foreign_security_group(account):
    account.client("ec2").create_security_group(GroupName=f"{account.name}-redshift", Description="theirs")


def create_foreign_connection(account):
    account.client("secretsmanager").create_secret(
        Name="airflow/connections/redshift_default", SecretString="{}"
    )


def create_foreign_namespace(account):
    account.client("redshift-serverless").create_namespace(
        namespaceName=account.name, adminUsername="theirs", adminUserPassword="Theirs123456"
    )


FOREIGN = {
    "cluster": create_foreign_cluster,
    "work bucket": create_foreign_bucket,
    "role": create_foreign_role,
    "security group": create_foreign_security_group,
    "secret": create_foreign_connection,
    "namespace": create_foreign_namespace,
}


@pytest.fixture
def remove_foreign(account):
    """Remove foreign resources after the test: the cluster's user and the secret have the same names in all tests."""
    yield
    for thing in inventory.list_resources(account.cluster):
        if thing.kind == "cluster":
            account.client("redshift").delete_cluster(
                ClusterIdentifier=thing.name, SkipFinalClusterSnapshot=True
            )
        elif thing.kind == "namespace":
            account.client("redshift-serverless").delete_namespace(namespaceName=thing.name)
        elif thing.kind == "secret":
            account.client("secretsmanager").delete_secret(
                SecretId=thing.name, ForceDeleteWithoutRecovery=True
            )


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_name_taken_by_a_foreign_resource_is_refused(account, kind, remove_foreign):
    FOREIGN[kind](account)
    before = inventory.list_resources(account.cluster)
    assert [thing.kind for thing in before] == [kind]

    with pytest.raises(
        ConfigurationError,
        match=f"not created by provision.*{kind} .*Nothing was changed.*Choose another name",
    ):
        provision.check_request(account.params("provision", **account.wanted()))
    for step in (
        credentials.delete_secrets,
        network.delete_network,
        teardown.delete_role,
        teardown.delete_bucket,
    ):
        step(account.params("teardown", delete_work_bucket=True))
    assert inventory.list_resources(account.cluster) == before


def test_the_whole_run_stops_at_a_foreign_cluster(account, remove_foreign):
    create_foreign_cluster(account)
    before = inventory.list_resources(account.cluster)
    states = account.provision()
    assert (states["run"], states["check_request"], states["create_cluster"]) == (
        "failed",
        "failed",
        "upstream_failed",
    )
    removed = account.teardown()
    assert (removed["run"], removed["delete_cluster"]) == ("success", "skipped")
    assert inventory.list_resources(account.cluster) == before


@pytest.mark.parametrize("cidr", ["0.0.0.0/0", "::/0", "0.0.0.0/1", "64.0.0.0/2"])
def test_the_whole_internet_has_to_be_asked_for_twice(account, cidr):
    params = account.params("provision", **account.wanted(cidrs=["10.0.0.0/16", cidr]))
    with pytest.raises(ConfigurationError, match="the whole internet"):
        provision.check_request(params)
    provision.check_request(params | {"allow_the_whole_internet": True})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"cidrs": []}, "no one could connect"),
        ({"cidrs": ["10.0.0.1/16"]}, "has host bits set"),
        ({"cidrs": ["office"]}, "does not appear to be an IPv4 or IPv6 network"),
        ({"region": "us-west-9"}, "no Redshift in region 'us-west-9'"),
        ({"serverless": True, "login": "iam"}, "needs a password"),
    ],
)
def test_a_request_that_cannot_work_is_refused_at_once(account, given, message):
    with pytest.raises(ConfigurationError, match=message):
        provision.check_request(account.params("provision", **account.wanted(**given)))
    assert account.kinds() == []


def test_tls_stays_on_for_aws_itself(account, monkeypatch):
    class RealAws:
        class meta:
            endpoint_url = "https://redshift.us-west-2.amazonaws.com"

    monkeypatch.setattr(provision, "client", lambda service, region: RealAws)
    with pytest.raises(ConfigurationError, match="off is for a local stand-in"):
        provision.check_request(account.params("provision", **account.wanted(tls="off")))
    assert database.tls_settings({"tls": "verify-full"}) == {"ssl": True, "sslmode": "verify-full"}


def test_another_region_is_told_from_nothing_there(account, monkeypatch):
    storage.ensure_copy_role(account.params("provision", **account.wanted()))
    for params in (
        account.params("provision", **account.wanted(region="eu-central-1")),
        account.params("teardown", confirm=account.name, region="eu-central-1"),
    ):
        with pytest.raises(
            ConfigurationError, match="is in region us-west-2, not in eu-central-1; nothing was"
        ):
            (provision if "cidrs" in params else teardown).check_request(params)
    # The region of the connection counts where none is named.
    account.enter(monkeypatch, region="eu-central-1")
    with pytest.raises(ConfigurationError, match="is in region us-west-2"):
        teardown.check_request(account.params("teardown", confirm=account.name))


def test_access_denied_is_no_leftover_and_names_the_policy(account, monkeypatch):
    iam = account.client("iam")
    user = f"{account.name}-nobody"
    iam.create_user(UserName=user)
    key = iam.create_access_key(UserName=user)["AccessKey"]
    account.enter(monkeypatch, key["AccessKeyId"], key["SecretAccessKey"])
    account.permissions(True)
    states = account.provision()
    assert (states["run"], states["check_request"]) == ("failed", "failed")
    with pytest.raises(AirflowFailException, match=r"could not look for .*include/iam/deploy\.json"):
        provision.check_request(account.params("provision", **account.wanted()))
    # A resource that could not be looked for is not taken for deleted.
    states = account.teardown()
    assert states["run"] == "failed"


def test_a_wrong_key_names_the_connection(account, monkeypatch):
    account.enter(monkeypatch, "AKIAUNKNOWN", "wrong")
    account.permissions(True)
    with pytest.raises(ConfigurationError, match="aws_default"):
        provision.check_request(account.params("provision", **account.wanted()))


def test_aws_out_of_reach_is_tried_again(account, monkeypatch):
    reachable, account.cloud = account.cloud, types.SimpleNamespace(aws_endpoint="http://127.0.0.1:9")
    account.enter(monkeypatch, key="other")
    account.cloud = reachable
    with pytest.raises(TransientError, match="could not look for"):
        provision.check_request(account.params("provision", **account.wanted()))
