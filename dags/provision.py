"""
# provision: an AWS account becomes a warehouse that the pipeline can use

**What it makes**, or adopts if it was made by an earlier run: the work bucket, the role that Redshift assumes for
COPY, the security group, the subnet group (if subnets are named), the cluster (or a Serverless workgroup with a usage
limit), the pipeline's database user, and the Airflow connections `redshift_default` and `aws_copy_role` in AWS Secrets
Manager. Private, encrypted, TLS alone, tagged `project`, `managed-by`, `warehouse`, `region`.

**What it costs.** With the defaults about 0.54 US dollars an hour (one ra3.large, us-west-2) until paused or torn
down; `serverless` about 3 dollars for an hour of queries (8 RPU) and nothing while idle. Storage comes on top, about
0.024 dollars a GB and month. Prices: <https://aws.amazon.com/redshift/pricing/>.

**Running it again** is safe: it adopts what exists and puts ingress, policies, user and connections right. It does not
resize. Buckets and prefixes are those of the Variable `sparkify`.

**What it needs.** Rights: `include/iam/deploy.json` for the role of connection `aws_default`. Network: the workers
reach the VPC (the cluster has no public address), from the CIDRs that are stated.

**When it fails**, `report` says what exists by then and what it costs. Nothing is removed: mend, and run it again; or
`teardown`.

| red task | what it means | what to do |
|---|---|---|
| `check` | the request is unsafe, or a name is somebody else's; nothing was touched | the message says |
| `create_cluster` | AWS refused, for example over a quota | its message says |
| `wait_for_cluster` | not available within an hour | look at the cluster's events, run again |
| `database_user` | the cluster cannot be reached, or the master password was changed | network, CIDRs; the message |
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.amazon.aws.operators.redshift_cluster import (
    RedshiftCreateClusterOperator,
    RedshiftResumeClusterOperator,
)
from airflow.providers.amazon.aws.sensors.redshift_cluster import RedshiftClusterSensor
from airflow.providers.common.compat.sdk import Param, TriggerRule, dag, get_current_context, task

from include.cluster import provision as steps
from include.cluster import request
from include.sparkify import notify

GOES_ON = TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS


@dag(
    schedule=None,
    start_date=datetime(2018, 11, 1, tzinfo=UTC),
    max_active_runs=1,
    is_paused_upon_creation=False,
    default_args={
        "owner": "sparkify",
        "retries": 2,
        "retry_delay": timedelta(seconds=30),
        "on_failure_callback": notify.failure,
    },
    params={
        "name": request.NAME,
        "region": request.REGION,
        "cidrs": Param(
            [],
            type="array",
            items={"type": "string"},
            title="Let in",
            description="Address ranges of Airflow workers and analysts, for example 10.0.0.0/16. Nobody else gets in.",
        ),
        "allow_the_whole_internet": Param(
            False,
            type="boolean",
            title="Let in the whole internet",
            description="Needed as well if a range above is as wide as 0.0.0.0/0. Do not.",
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
            description="A Serverless workgroup in the place of a cluster.",
        ),
        "node_type": Param(
            "ra3.large",
            enum=list(request.NODE_PRICES),
            title="Node type",
            description="US dollars a node and hour: "
            + ", ".join(f"{kind} {price:.2f}" for kind, price in request.NODE_PRICES.items()),
        ),
        "nodes": Param(1, type="integer", minimum=1, maximum=16, title="Nodes"),
        "base_capacity": Param(
            8,
            type="integer",
            minimum=4,
            maximum=512,
            title="Serverless: base capacity",
            description=f"RPU; about {request.RPU_PRICE} US dollars each for an hour of queries.",
        ),
        "usage_limit": Param(
            16,
            type="integer",
            minimum=1,
            title="Serverless: usage limit",
            description="RPU-hours a day; queries are turned off beyond. "
            f"16 are at most {16 * request.RPU_PRICE:.0f} US dollars a day.",
        ),
        "user": Param(
            "sparkify_pipeline",
            type="string",
            pattern="^[a-z][a-z0-9_]*$",
            maxLength=60,
            title="Database user",
            description="Of the pipeline, with the rights to its own schemas alone.",
        ),
        "login": Param(
            "password",
            enum=["password", "iam"],
            title="Login",
            description="password: generated, in Secrets Manager. iam: none at all, but temporary credentials of the "
            "workers' role (not on Serverless, and not for DAGs on the Astro SDK).",
        ),
        "tls": Param(
            "verify-full",
            enum=["verify-full", "off"],
            title="TLS",
            description="off is for a local stand-in, whose AWS has no TLS either; refused elsewhere.",
        ),
    },
    tags=["sparkify", "cluster"],
    doc_md=__doc__,
)
def provision() -> None:
    @task(multiple_outputs=True)
    def check() -> dict[str, Any]:
        """Holds the request against what exists; refuses before anything is touched."""
        return steps.check(get_current_context()["params"])

    @task
    def work_bucket() -> str:
        """The bucket that runs write to: private, encrypted, TLS alone."""
        return steps.work_bucket(get_current_context()["params"])

    @task
    def copy_role() -> str:
        """The role for COPY, which reads the source prefixes and the work bucket."""
        return steps.copy_role(get_current_context()["params"])

    @task(multiple_outputs=True)
    def network() -> dict[str, str | None]:
        """The security group, open to the stated ranges alone, and the subnet group."""
        return steps.network(get_current_context()["params"])

    @task
    def master_secret() -> str:
        """The master user's password, generated into Secrets Manager."""
        return steps.master_secret(get_current_context()["params"])

    @task.branch
    def choose() -> str:
        """Create, resume or adopt the cluster, or go Serverless."""
        return steps.choose(get_current_context()["params"])

    @task
    def serverless(role: str, group: str) -> str:
        """The namespace, the workgroup, and its usage limit."""
        return steps.serverless(get_current_context()["params"], role, group)

    @task.sensor(mode="reschedule", poke_interval=30, timeout=3600)
    def wait_for_workgroup() -> bool:
        """Waits until the workgroup can be connected to."""
        return steps.workgroup_answers(get_current_context()["params"])

    @task(trigger_rule=GOES_ON)
    def connections(role: str) -> None:
        """The Airflow connections, written into Secrets Manager."""
        steps.connections(get_current_context()["params"], role)

    @task
    def database_user() -> None:
        """The pipeline's user, with the rights to its own schemas alone."""
        steps.database_user(get_current_context()["params"])

    @task
    def report() -> None:
        """Says what exists and what it costs, also after a failure."""
        steps.report(get_current_context()["params"])

    wanted, role, net = check(), copy_role(), network()
    cluster = {"cluster_identifier": wanted["name"], "region_name": wanted["region"]}

    create_cluster = RedshiftCreateClusterOperator(
        task_id="create_cluster",
        **cluster,
        node_type=wanted["node_type"],
        cluster_type=wanted["cluster_type"],
        number_of_nodes=wanted["nodes"],
        db_name=request.DATABASE,
        port=request.PORT,
        master_username=request.MASTER_USER,
        master_user_password="",
        pre_execute=steps.before_creating,
        publicly_accessible=False,
        encrypted=True,
        # The default group since 2025: it refuses connections without TLS.
        cluster_parameter_group_name="default.redshift-2.0",
        vpc_security_group_ids=[net["security_group"]],
        cluster_subnet_group_name=net["subnet_group"],
        iam_roles=[role],
        tags=wanted["tags"],
        wait_for_completion=False,
        deferrable=False,
        doc_md="Creates the cluster: private, encrypted, TLS alone. `wait_for_cluster` waits for it.",
    )
    resume_cluster = RedshiftResumeClusterOperator(
        task_id="resume_cluster",
        **cluster,
        doc_md="Resumes the cluster if it is paused: its user and rights are looked after too.",
    )
    wait_for_cluster = RedshiftClusterSensor(
        task_id="wait_for_cluster",
        **cluster,
        target_status="available",
        deferrable=True,
        poke_interval=30,
        timeout=3600,
        trigger_rule=GOES_ON,
        doc_md="Waits until the cluster is available, without holding a worker.",
    )
    chosen, group = choose(), serverless(role, net["security_group"])
    reachable, connected = wait_for_workgroup(), connections(role)

    wanted >> [work_bucket(), role, net, master_secret()] >> chosen
    chosen >> [create_cluster, resume_cluster] >> wait_for_cluster >> connected
    chosen >> [wait_for_cluster, group]
    group >> reachable >> connected
    connected >> database_user() >> report().as_teardown()


provision()
