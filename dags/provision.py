"""
# provision: create the warehouse and its connections

**Resources.** The DAG creates, or updates, the AWS CloudFormation stack `name` (`include/cluster/warehouse.yaml`). The
stack contains the work bucket, the security group, the subnet group, the audit log, and the cluster or a Serverless
namespace and workgroup. The DAG also creates the usage limit of the workgroup, the database user of the pipeline, and
the Airflow connections `redshift_default` and `aws_copy_role` in AWS Secrets Manager. The resources are private and
encrypted, require TLS, and have the tags `project`, `managed-by` and `warehouse`.

**Cost.** A cluster incurs hourly charges until it is paused or deleted. Serverless incurs charges only while queries
run. The descriptions of the parameters `node_type` and `base_capacity` show the prices, without storage. For all
prices, see `docs/aws.md`.

**Repeated runs** are safe. A run updates the stack with its parameters, which can resize the cluster, and updates the
user and the connections. Data is never replaced. The Variable `sparkify` determines the names of the work bucket and
the schemas. The duration of a resize depends on the amount of data (see `docs/aws.md`).

**Prerequisites.** An administrator must deploy the permissions once (`docs/aws.md`, step 2). The workers must be able
to reach the VPC from the CIDR ranges in `cidrs`, because the cluster has no public address.

**Failures.** If AWS rejects a change, CloudFormation rolls back the changes of the run, and `wait_for_stack` reports
the reason. `log_costs` lists the existing resources.

| failed task | possible causes | next step |
|---|---|---|
| `deploy_stack` | the request is unsafe or contradicts existing resources, the cluster is paused, the stack must be \
deleted first, or a permission is missing. Nothing was changed | see the message |
| `wait_for_stack` | AWS rejected a resource and rolled back to the previous state | fix the reported cause, then run \
the DAG again |
| `wait_for_stack` (timeout) | a change, such as a resize, takes more than an hour and continues | run the DAG again \
to wait longer |
| `limit_usage` | the usage limit could not be set. The database user was not created | clear the task |
| `ensure_database_user` | the cluster cannot be reached | see the message |
| any other | a permission is missing | see the message, then clear the task |
"""

from __future__ import annotations

from airflow.providers.common.compat.sdk import Param, TriggerRule, chain, dag, get_current_context, task

from include.cluster import database, inventory, prices, request, serverless, stack
from include.cluster.defaults import DAG_ARGUMENTS, POKE, WAIT
from include.sparkify import parameters

# If the stack needs no change, the tasks of the stack are skipped.
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
            "Other addresses cannot connect.",
        ),
        "subnet_ids": Param(
            [],
            type="array",
            items={"type": "string"},
            title="Subnets",
            description="Subnets of one VPC. Serverless needs three subnets in three zones (in us-west-1: in two). "
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
            + ". Two or more nodes tolerate the loss of a node.",
        ),
        "base_capacity": Param(
            8,
            type="integer",
            minimum=4,
            maximum=512,
            title="Serverless: base capacity",
            description=f"4 RPUs or a multiple of 8. About {prices.RPU_HOUR} US dollars per RPU and hour of queries.",
        ),
        "usage_limit": Param(
            16,
            type="integer",
            minimum=1,
            title="Serverless: usage limit",
            description="RPU-hours per day after which AWS stops queries. "
            f"16 RPU-hours cost at most {16 * prices.RPU_HOUR:.0f} US dollars per day.",
        ),
    },
    doc_md=__doc__,
)
def provision() -> None:
    @task
    def deploy_stack() -> None:
        """Validate the request, and start the creation or the update of the stack."""
        stack.deploy_stack(parameters.of_run(get_current_context()))

    @task.sensor(**POKE)
    def wait_for_stack() -> bool:
        """Wait until the stack has the parameters of this run. If AWS rolled it back, report the reason."""
        return stack.is_settled(get_current_context()["params"])

    @task(trigger_rule=NONE_FAILED, retries=5)
    def limit_usage() -> None:
        """Limit the usage of a Serverless workgroup before the database user is created."""
        serverless.limit_usage(get_current_context()["params"])

    @task(trigger_rule=NONE_FAILED)
    def write_connections() -> None:
        """Write the Airflow connections to Secrets Manager."""
        database.write_connections(get_current_context()["params"])

    @task
    def ensure_database_user() -> None:
        """Create the database user of the pipeline, which owns only the schemas of the project."""
        database.ensure_database_user(get_current_context()["params"])

    @task
    def log_costs() -> None:
        """Log the existing resources and their cost, even after a failure."""
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
