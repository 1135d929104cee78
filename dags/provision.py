"""
# provision: create a cluster that the pipeline can use

**What it creates**, or reuses from an earlier run: the work bucket, the role that Redshift assumes for COPY, the
security group, the subnet group (if subnets are given), the cluster (or a Serverless workgroup with a usage limit), the
pipeline's database user, and the Airflow connections `redshift_default` and `aws_copy_role` in AWS Secrets Manager.
Private, encrypted, TLS only, tagged `project`, `managed-by`, `warehouse`, `region`.

**What it costs.** A cluster costs by the hour until it is paused or torn down, Serverless by the hour of queries; the
parameters `node_type` and `base_capacity` show the prices. Storage is extra. All prices: `docs/aws.md`.

**Running it again** is safe: it reuses existing resources and updates ingress, policies, user and connections. It does
not resize. Buckets and prefixes come from the Variable `sparkify`.

**What it needs.** Permissions: `include/iam/deploy.json` for the role of connection `aws_default`, and the managed
policy for COPY that an administrator creates once (`docs/aws.md`, step 2). Network: the workers reach the VPC (the
cluster has no public address) from the given CIDRs.

**When it fails**, `log_inventory` lists what was created so far and its cost. Nothing is removed: fix the problem and
run it again, or run `teardown`.

| red task | meaning | what to do |
|---|---|---|
| `check_request` | unsafe request, or a name is taken by a foreign resource; nothing was changed | see the message |
| `ensure_copy_role` | the managed policy for COPY does not exist | create it as the message says |
| `create_cluster` | AWS refused, for example because of a quota | see AWS's message |
| `wait_for_cluster` | not available within an hour | look at the cluster's events in AWS, then run it again |
| `ensure_database_user` | the cluster cannot be reached, or its master password was changed | see the message |
"""

from __future__ import annotations

from airflow.providers.amazon.aws.operators.redshift_cluster import (
    RedshiftCreateClusterOperator,
    RedshiftResumeClusterOperator,
)
from airflow.providers.amazon.aws.sensors.redshift_cluster import RedshiftClusterSensor
from airflow.providers.common.compat.sdk import Param, TriggerRule, chain, dag, get_current_context, task

from include.cluster import credentials, database, network, prices, request, serverless, storage
from include.cluster import provision as steps
from include.cluster.defaults import DAG_ARGUMENTS, WAIT, WAITING_TIMEOUT

ONE_PATH_SUCCEEDED = TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS


@dag(
    **DAG_ARGUMENTS,
    schedule=None,
    dagrun_timeout=3 * WAIT,
    params={
        "name": request.NAME,
        "region": request.REGION,
        "cidrs": Param(
            [],
            type="array",
            items={"type": "string"},
            title="Allowed addresses",
            description="Address ranges of Airflow workers and analysts, such as 10.0.0.0/16. No one else can connect.",
        ),
        "allow_the_whole_internet": Param(
            False,
            type="boolean",
            title="Allow the whole internet",
            description="Also required if a range above is as wide as 0.0.0.0/0. Not recommended.",
        ),
        "subnet_ids": Param(
            [],
            type="array",
            items={"type": "string"},
            title="Subnets",
            description="Subnets of one VPC for the cluster. Empty: the default VPC.",
        ),
        "serverless": Param(
            False,
            type="boolean",
            title="Serverless",
            description="Create a Serverless workgroup instead of a cluster.",
        ),
        "node_type": Param(
            "ra3.large",
            enum=list(prices.NODE_HOUR),
            title="Node type",
            description="US dollars per node and hour: "
            + ", ".join(f"{kind} {price:.2f}" for kind, price in prices.NODE_HOUR.items()),
        ),
        "nodes": Param(1, type="integer", minimum=1, maximum=16, title="Nodes"),
        "base_capacity": Param(
            8,
            type="integer",
            minimum=4,
            maximum=512,
            title="Serverless: base capacity",
            description=f"RPU; about {prices.RPU_HOUR} US dollars each per hour of queries.",
        ),
        "usage_limit": Param(
            16,
            type="integer",
            minimum=1,
            title="Serverless: usage limit",
            description="RPU-hours per day; beyond that, AWS turns queries off. "
            f"16 are at most {16 * prices.RPU_HOUR:.0f} US dollars per day.",
        ),
        "user": Param(
            "sparkify_pipeline",
            type="string",
            pattern="^[a-z][a-z0-9_]*$",
            maxLength=60,
            title="Database user",
            description="The pipeline's user; it owns its own schemas and nothing else.",
        ),
        "login": Param(
            "password",
            enum=["password", "iam"],
            title="Login",
            description="password: generated, in Secrets Manager. iam: no password, but temporary credentials of the "
            "workers' role (not on Serverless, and not for DAGs on the Astro SDK).",
        ),
        "tls": Param(
            "verify-full",
            enum=["verify-full", "off"],
            title="TLS",
            description="off is for a local stand-in, whose AWS has no TLS either; refused elsewhere.",
        ),
    },
    doc_md=__doc__,
)
def provision() -> None:
    @task(multiple_outputs=True)
    def check_request() -> steps.ClusterArguments:
        """Validate the request against what exists before anything is changed."""
        return steps.check_request(get_current_context()["params"])

    @task
    def ensure_work_bucket() -> str:
        """Create the bucket that runs write to: private, encrypted, TLS only."""
        return storage.ensure_work_bucket(get_current_context()["params"])

    @task
    def ensure_copy_role() -> str:
        """Create the role for COPY, which reads the work bucket."""
        return storage.ensure_copy_role(get_current_context()["params"])

    @task(multiple_outputs=True)
    def ensure_network() -> network.Network:
        """Create the security group, open to the given ranges only, and the subnet group."""
        return network.ensure_network(get_current_context()["params"])

    @task
    def ensure_master_secret() -> str:
        """Generate the master user's password into Secrets Manager."""
        return credentials.ensure_master_secret(get_current_context()["params"])

    @task.branch
    def choose_path() -> str:
        """Create, resume or reuse the cluster, or use Serverless."""
        return steps.choose_path(get_current_context()["params"])

    @task
    def ensure_serverless(role: str, group: str) -> str:
        """Create the namespace, the workgroup, and its usage limit."""
        return serverless.ensure_serverless(get_current_context()["params"], role, group)

    @task.sensor(mode="reschedule", poke_interval=30, timeout=WAIT.total_seconds())
    def wait_for_workgroup() -> bool:
        """Wait until the workgroup accepts connections."""
        return serverless.is_workgroup_available(get_current_context()["params"])

    @task(trigger_rule=ONE_PATH_SUCCEEDED)
    def write_connections(role: str) -> None:
        """Write the Airflow connections into Secrets Manager."""
        database.write_connections(get_current_context()["params"], role)

    @task
    def ensure_database_user(role: str) -> None:
        """Create the pipeline's user, owner of its own schemas only."""
        database.ensure_database_user(get_current_context()["params"], role)

    @task
    def log_inventory() -> None:
        """Log what exists and what it costs, also after a failure."""
        steps.log_inventory(get_current_context()["params"])

    cluster, role, net = check_request(), ensure_copy_role(), ensure_network()
    identity = {
        "aws_conn_id": request.AWS_CONN_ID,
        "cluster_identifier": cluster["name"],
        "region_name": cluster["region"],
    }
    create_cluster = RedshiftCreateClusterOperator(
        task_id="create_cluster",
        **identity,
        node_type=cluster["node_type"],
        cluster_type=cluster["cluster_type"],
        number_of_nodes=cluster["nodes"],
        db_name=request.DATABASE,
        port=request.PORT,
        master_username=request.MASTER_USER,
        master_user_password="",
        pre_execute=steps.prepare_creation,
        publicly_accessible=False,
        encrypted=True,
        # The default group since 2025: it refuses connections without TLS.
        cluster_parameter_group_name="default.redshift-2.0",
        vpc_security_group_ids=[net["security_group"]],
        cluster_subnet_group_name=net["subnet_group"],
        iam_roles=[role],
        tags=cluster["tags"],
        wait_for_completion=False,
        deferrable=False,
        # A later run reuses what exists after a failure; nothing is deleted.
        delete_cluster_on_failure=False,
        doc_md="Create the cluster: private, encrypted, TLS only. `wait_for_cluster` waits for it.",
    )
    resume_cluster = RedshiftResumeClusterOperator(
        task_id="resume_cluster",
        **identity,
        doc_md="Resume a paused cluster, because its user and permissions are checked too.",
    )
    wait_for_cluster = RedshiftClusterSensor(
        task_id="wait_for_cluster",
        **identity,
        target_status="available",
        deferrable=True,
        poke_interval=30,
        timeout=WAIT.total_seconds(),
        execution_timeout=WAITING_TIMEOUT,
        trigger_rule=ONE_PATH_SUCCEEDED,
        doc_md="Wait until the cluster is available, without occupying a worker.",
    )
    path = choose_path()
    workgroup = ensure_serverless(role, net["security_group"])
    connections = write_connections(role)

    chain(cluster, [ensure_work_bucket(), role, net, ensure_master_secret()], path)
    chain(path, [create_cluster, resume_cluster, wait_for_cluster])
    chain([create_cluster, resume_cluster], wait_for_cluster, connections)
    chain(path, workgroup, wait_for_workgroup(), connections)
    chain(connections, ensure_database_user(role), log_inventory().as_teardown())


this_dag = provision()

if __name__ == "__main__":
    this_dag.test()
