"""An AWS account to provision in, as its owner sees it, and Airflow's runs of the DAGs in it."""

from __future__ import annotations

import json
import urllib.request

import boto3
import redshift_connector

from include.cluster import aws, inventory, request
from include.cluster.policies import render_policy
from include.sparkify.settings import settings
from tests.running import dag_of, run

REGION = "us-west-2"
ALL_KINDS = ["cluster", "role", "secret", "secret", "secret", "security group", "work bucket"]
_clients_of = []


class Account:
    """The account as its owner sees it, and Airflow's runs of the DAGs in it."""

    def __init__(self, cloud, name):
        self.cloud, self.name = cloud, name
        self.work, self.schema = f"work-{name}", f"sparkify_{name.replace('-', '_')}"
        self.cluster = request.Cluster(name, REGION)

    def enter(self, patch, key="local", secret="local", region=REGION):
        """Point connection aws_default and the settings here, with these credentials."""
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
        # Creating all clients again takes seconds: only for other credentials.
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

    def create_copy_policy(self):
        """Create the managed policy of the role for COPY, as an administrator does once (docs/aws.md)."""
        document = render_policy("redshift-copy", self.cluster)
        self.client("iam").create_policy(PolicyName=self.cluster.role, PolicyDocument=document)

    def params(self, dag_id, **given):
        """Return a run's parameters: the defaults, updated with what is given."""
        return dag_of(dag_id).params.dump() | {"name": self.name, **given}

    def run(self, dag_id, **params):
        """Run a DAG once, without retries; return the states of its tasks, and of the run as ``"run"``."""
        dag = dag_of(dag_id)
        for task in dag.tasks:
            task.retries = 0
        state, tasks = run(dag, **params)
        return {"run": state} | tasks

    def provision(self, **params):
        return self.run("provision", **self.wanted(**params))

    def wanted(self, **params):
        return {"name": self.name, "cidrs": ["10.0.0.0/16"], "tls": "off", **params}

    def teardown(self, **params):
        all_of_it = {"confirm": self.name, "final_snapshot": False, "delete_work_bucket": True}
        return self.run("teardown", **{"name": self.name, **all_of_it, **params})

    def kinds(self):
        """Return the kinds of all resources with the cluster's names."""
        return sorted(thing.kind for thing in inventory.list_resources(self.cluster))

    def secret(self, name):
        return json.loads(self.client("secretsmanager").get_secret_value(SecretId=name)["SecretString"])

    def connect(self, secret="airflow/connections/redshift_default"):
        """Connect to the cluster with the login in a secret."""
        login = self.secret(secret)
        return redshift_connector.connect(
            host="127.0.0.1",
            port=self.cloud.redshift_port,
            database="dev",
            user=login.get("login") or login["username"],
            password=login["password"],
            ssl=False,
        )

    def permissions(self, on):
        """Switch moto's check of permissions on or off."""
        url, body = f"{self.cloud.aws_endpoint}/moto-api/reset-auth", b"0" if on else b"inf"
        urllib.request.urlopen(urllib.request.Request(url, body, {"Content-Type": "text/plain"})).read()
