"""An AWS account for provisioning, its owner's view of it, and Airflow's runs of the DAGs in it."""

from __future__ import annotations

import contextlib
import json
import time
import urllib.request
from pathlib import Path

import boto3
import redshift_connector
from airflow.providers.common.compat.sdk import AirflowSkipException

from include.cluster import aws, connections, inventory, request, teardown
from include.sparkify.settings import settings
from tests.running import dag_of, run

REGION = "us-west-2"
PERMISSIONS = Path(__file__).parents[2] / "include" / "iam" / "permissions.yaml"
_clients_of = []


class Account:
    """The owner's view of an account, and Airflow's runs of the DAGs in it."""

    def __init__(self, cloud, name):
        self.cloud, self.name = cloud, name
        self.work, self.schema = f"work-{name}", f"sparkify_{name.replace('-', '_')}"
        self.cluster = request.Cluster(name, REGION)

    def enter(self, patch, key="local", secret="local", region=REGION):
        """Point the connection aws_default and the settings to this account, with these credentials."""
        connection = {
            "conn_type": "aws",
            "login": key,
            "password": secret,
            "extra": {
                "endpoint_url": self.cloud.aws_endpoint,
                "region_name": region,
                "config_kwargs": {"s3": {"addressing_style": "path"}, "retries": {"max_attempts": 0}},
            },
        }
        patch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(connection))
        config = {"work_bucket": self.work, "source_bucket": f"lake-{self.name}", "schema": self.schema}
        patch.setenv("AIRFLOW_VAR_SPARKIFY", json.dumps({**config, "wait_minutes": 0}))
        settings.cache_clear()
        # Recreating all clients takes seconds, so clear the cache only if the key or the region changes.
        if _clients_of != [(key, region)]:
            aws.client.cache_clear()
            _clients_of[:] = [(key, region)]

    def client(self, service_name, region=REGION):
        return boto3.client(
            service_name,
            endpoint_url=self.cloud.aws_endpoint,
            region_name=region,
            aws_access_key_id="owner",
            aws_secret_access_key="owner",
            config=boto3.session.Config(s3={"addressing_style": "path"}),
        )

    def create_permissions(self):
        """Deploy include/iam/permissions.yaml, as an administrator does once (docs/aws.md)."""
        iam, formation = self.client("iam"), self.client("cloudformation")
        iam.create_role(RoleName=f"{self.name}-airflow", AssumeRolePolicyDocument="{}")
        given = {
            "Name": self.name,
            "AirflowRole": f"{self.name}-airflow",
            "SourceBucket": f"lake-{self.name}",
            "WorkBucket": self.work,
        }
        formation.create_stack(
            StackName=f"{self.name}-permissions",
            TemplateBody=PERMISSIONS.read_text(),
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()],
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
        formation.get_waiter("stack_create_complete").wait(
            StackName=f"{self.name}-permissions", WaiterConfig={"Delay": 0.1}
        )

    def stack(self):
        """Wait until no operation on the warehouse's stack is in progress. Return the stack, or None if none exists."""
        while True:
            try:
                (stack,) = self.client("cloudformation").describe_stacks(StackName=self.name)["Stacks"]
            except self.client("cloudformation").exceptions.ClientError:
                return None
            if not stack["StackStatus"].endswith("IN_PROGRESS"):
                return stack
            time.sleep(0.05)

    def params(self, dag_id, **given):
        """Return a run's parameters: the defaults, overridden by ``given``."""
        wanted = self.wanted(**given) if dag_id == "provision" else {"name": self.name, **given}
        return dag_of(dag_id).params.dump() | wanted

    def run(self, dag_id, **params):
        """Run a DAG once, without retries. Return the states of its tasks, and of the run as ``"run"``."""
        dag = dag_of(dag_id)
        for task in dag.tasks:
            task.retries = 0
            # The stand-in needs less than a second for work that takes AWS minutes.
            task.poke_interval, task.poll_interval, task.exponential_backoff = 0.1, 0.2, False
        state, tasks = run(dag, **params)
        return {"run": state} | tasks

    def provision(self, **params):
        return self.run("provision", **self.wanted(**params))

    def wanted(self, **params):
        return {"name": self.name, "cidrs": ["10.0.0.0/16"], **params}

    def teardown(self, **params):
        all_of_it = {"confirm": self.name, "final_snapshot": False, "delete_work_bucket": True}
        return self.run("teardown", **{"name": self.name, **all_of_it, **params})

    def describe_cluster(self):
        (cluster,) = self.client("redshift").describe_clusters(ClusterIdentifier=self.name)["Clusters"]
        return cluster

    def wait_for_cluster(self):
        """Wait until the cluster may be changed or deleted."""
        self.client("redshift").get_waiter("cluster_available").wait(
            ClusterIdentifier=self.name, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
        )

    def kinds(self):
        """Return the kinds of the warehouse's existing resources."""
        return sorted(thing.kind for thing in inventory.list_things(self.cluster))

    def remove(self):
        """Delete all resources of the warehouse, regardless of their state."""
        self.permissions(False)
        formation = self.client("cloudformation")
        if self.stack():
            formation.update_termination_protection(StackName=self.name, EnableTerminationProtection=False)
            formation.delete_stack(StackName=self.name)
            assert self.stack() is None
        params = self.params("teardown", delete_work_bucket=True)
        connections.delete_connections(params)
        with contextlib.suppress(AirflowSkipException):
            teardown.delete_bucket(params)
        for one in self.client("redshift").describe_cluster_snapshots(SnapshotType="manual")["Snapshots"]:
            if one["SnapshotIdentifier"].startswith(self.cluster.snapshot_prefix):
                self.client("redshift").delete_cluster_snapshot(SnapshotIdentifier=one["SnapshotIdentifier"])
        for one in self.client("redshift-serverless").list_snapshots()["snapshots"]:
            if one["snapshotName"].startswith(self.cluster.snapshot_prefix):
                self.client("redshift-serverless").delete_snapshot(snapshotName=one["snapshotName"])

    def secret(self, name):
        return json.loads(self.client("secretsmanager").get_secret_value(SecretId=name)["SecretString"])

    def connect(self, secret="airflow/connections/redshift_default"):
        """Connect to the cluster with the login in a secret."""
        login = self.secret(secret)
        return self.log_in(login.get("login") or login["username"], login["password"])

    def log_in(self, user, password):
        place = {"host": "127.0.0.1", "port": self.cloud.redshift_port, "database": "dev", "ssl": False}
        return redshift_connector.connect(user=user, password=password, **place)

    def connect_as_master(self):
        """Connect as the master user, with the password that Redshift keeps in Secrets Manager."""
        return self.connect(f"redshift!{self.name}-awsuser")

    def permissions(self, on):
        """Enable or disable moto's permission checks."""
        url, body = f"{self.cloud.aws_endpoint}/moto-api/reset-auth", b"0" if on else b"inf"
        urllib.request.urlopen(urllib.request.Request(url, body, {"Content-Type": "text/plain"})).read()
