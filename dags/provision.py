"""
# provision: create a cluster that the pipeline can use

**What it creates**, or changes if it exists: the stack `name` of AWS CloudFormation (`include/cluster/warehouse.yaml`:
work bucket, security group, subnet group, audit log, and the cluster or a Serverless namespace and workgroup), the
workgroup's usage limit, the pipeline's database user, and the Airflow connections `redshift_default` and
`aws_copy_role` in AWS Secrets Manager. The resources are private, encrypted, TLS only and tagged with `project`,
`managed-by` and `warehouse`.

**What it costs.** A cluster costs by the hour until it is paused or torn down, Serverless by the hour of queries. The
parameters `node_type` and `base_capacity` show the prices. Storage is extra. All prices: `docs/aws.md`.

**Running it again** is safe: it gives the stack the parameters of this run, which can resize the cluster, and updates
user and connections. Data is never replaced. The Variable `sparkify` names the work bucket and the schemas. The
duration of a resize depends on the amount of data (see `docs/aws.md`).

**What it needs.** The permissions that an administrator deploys once (`docs/aws.md`, step 2). The workers must reach
the VPC from the given CIDRs, because the cluster has no public address.

**When it fails**, CloudFormation undoes its changes, and `wait_for_stack` names the reason. `log_costs` lists the
resources that exist.

| red task | meaning | what to do |
|---|---|---|
| `deploy_stack` | the request is unsafe or contradicts existing resources, the cluster is paused, the stack has to be \
deleted, or a permission is missing. Nothing was changed | see the message |
| `wait_for_stack` | AWS refused a resource and rolled back to the previous state | see the message, run it again |
| `wait_for_stack`: timeout | AWS took over an hour, for example to resize, and goes on | run it again to wait longer |
| `limit_usage` | the usage limit could not be set; no login was created | clear the task |
| `ensure_database_user` | the cluster cannot be reached | see the message |
| any other | a permission is missing | see the message, then clear the task |
"""

from __future__ import annotations

from airflow.providers.common.compat.sdk import Param, TriggerRule, chain, dag, get_current_context, task

from include.cluster import database, inventory, prices, request, serverless, stack
from include.cluster.defaults import DAG_ARGUMENTS, POKE, WAIT
from include.sparkify import parameters

# If there is nothing to change in the stack, its tasks are skipped.
NONE_FAILED = TriggerRule.NONE_FAILED


@dag(
    **DAG_ARGUMENTS,
    schedule=None,
    dagrun_timeout=3 * WAIT,
    params={
        "name": request.NAME,
        "cidrs": Param(
            [],
            type="array",
            items={"type": "string"},
            maxItems=3,
            title="Allowed addresses",
            description="Up to three IPv4 ranges of Airflow workers and analysts, such as 10.0.0.0/16, at most a /8. "
            "No one else can connect.",
        ),
        "subnet_ids": Param(
            [],
            type="array",
            items={"type": "string"},
            title="Subnets",
            description="Subnets of one VPC; for Serverless, three in three zones (in us-west-1: in two). "
            "If empty, the default VPC is used.",
        ),
        "serverless": Param(
            False,
            type="boolean",
            title="Serverless",
            description="Create a Serverless workgroup instead of a cluster.",
        ),
        "node_type": Param(
            "rg.large",
            enum=list(request.NODES),
            title="Node type",
            description="US dollars per node and hour: "
            + ", ".join(f"{kind} {price:.2f}" for kind, price in prices.NODE_HOUR.items()),
        ),
        "nodes": Param(
            1,
            type="integer",
            minimum=1,
            maximum=100,
            title="Nodes",
            description="One node is possible for "
            + ", ".join(kind for kind, (_, _, single) in request.NODES.items() if single)
            + "; two or more survive the loss of a node.",
        ),
        "base_capacity": Param(
            8,
            type="integer",
            minimum=4,
            maximum=512,
            title="Serverless: base capacity",
            description=f"4 RPU or a multiple of 8; about {prices.RPU_HOUR} US dollars per RPU and hour of queries.",
        ),
        "usage_limit": Param(
            16,
            type="integer",
            minimum=1,
            title="Serverless: usage limit",
            description="RPU-hours per day; beyond that, AWS turns queries off. "
            f"16 are at most {16 * prices.RPU_HOUR:.0f} US dollars per day.",
        ),
    },
    doc_md=__doc__,
)
def provision() -> None:
    @task
    def deploy_stack() -> None:
        """Validate the request, and then start to create or update the stack."""
        stack.deploy_stack(parameters.of_run(get_current_context()))

    @task.sensor(**POKE)
    def wait_for_stack() -> bool:
        """Wait until the stack has the parameters of this run, and name the reason if AWS rolled it back."""
        return stack.is_settled(get_current_context()["params"])

    @task(trigger_rule=NONE_FAILED, retries=5)
    def limit_usage() -> None:
        """Limit the usage of a Serverless workgroup before a login exists."""
        serverless.limit_usage(get_current_context()["params"])

    @task(trigger_rule=NONE_FAILED)
    def write_connections() -> None:
        """Write the Airflow connections into Secrets Manager."""
        database.write_connections(get_current_context()["params"])

    @task
    def ensure_database_user() -> None:
        """Create the pipeline's user, which owns only its own schemas."""
        database.ensure_database_user(get_current_context()["params"])

    @task
    def log_costs() -> None:
        """Log the existing resources and their cost, also after a failure."""
        inventory.log_costs(request.Cluster.from_params(get_current_context()["params"]), "now")

    chain(
        deploy_stack(),
        wait_for_stack(),
        limit_usage(),
        write_connections(),
        ensure_database_user(),
        log_costs().as_teardown(),
    )


provision()
