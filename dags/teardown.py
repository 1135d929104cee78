"""
# teardown: delete the resources that provision created

**Deleted resources.** The DAG deletes the AWS CloudFormation stack `name` with all of its resources except the work
bucket, and the connections in Secrets Manager. With `delete_work_bucket`, it also deletes the work bucket and every
object in the bucket. The DAG never changes the source bucket.

**Remaining resources.** The DAG keeps the work bucket and, unless `final_snapshot` is false, a final snapshot of the
data. The last task, `list_leftovers`, lists the remaining resources of every service, with the cost of each resource
and the command that removes it. The task fails if any other resource remains.

**Repeated runs** are safe in any state, even if no resource exists, or if the warehouse is partially created or paused.
A paused cluster is resumed for some minutes, because AWS does not take a snapshot of a paused cluster.

**Prerequisites.** The parameter `confirm` must be the name of the warehouse. The permissions in
`include/iam/permissions.yaml` must be deployed with `AllowProvisioning`.

| failed task | possible causes | next step |
|---|---|---|
| `check_request` | `confirm` is not the name, or the stack is not a warehouse. Nothing was changed | see the message |
| `take_final_snapshot` | AWS did not take a snapshot. Nothing was deleted | see the message, or set `final_snapshot` \
to false |
| `wait_for_deletion` | AWS could not delete a resource | see the resource and the reason in the log of \
`list_leftovers`, then run the DAG again |
| `list_leftovers` | a resource that should have been deleted remains | run the command in the log, which removes the \
resource |
| any other | AWS rejected a change, or a permission is missing | see the message, then run the DAG again |
"""

from __future__ import annotations

from airflow.providers.amazon.aws.sensors.cloud_formation import CloudFormationDeleteStackSensor
from airflow.providers.common.compat.sdk import Param, TriggerRule, chain, dag, get_current_context, task

from include.cluster import connections, prices, request, stack
from include.cluster import teardown as steps
from include.cluster.defaults import DAG_ARGUMENTS, POKE, WAIT
from include.sparkify import parameters
from include.sparkify.settings import AWS_CONN_ID


@dag(
    **DAG_ARGUMENTS,
    schedule=None,
    dagrun_timeout=3 * WAIT,
    params={
        "name": request.NAME,
        "confirm": Param(
            "",
            type="string",
            title="Confirm",
            description="Enter the name of the cluster again to confirm that its data will be deleted.",
        ),
        "final_snapshot": Param(
            True,
            type="boolean",
            title="Final snapshot",
            description=f"Keep a snapshot of the data, about {prices.REDSHIFT_GB_MONTH} US dollars per GB and month.",
        ),
        "delete_work_bucket": Param(
            False,
            type="boolean",
            title="Delete the work bucket",
            description="Also delete the work bucket, with all objects and versions.",
        ),
    },
    doc_md=__doc__,
)
def teardown() -> None:
    @task
    def check_request() -> None:
        """Compare the parameter `confirm` with the name of the warehouse."""
        steps.check_request(parameters.of_run(get_current_context()))

    @task.sensor(**POKE)
    def take_final_snapshot() -> bool:
        """Take the final snapshot, and wait until it is complete."""
        return steps.has_snapshot(get_current_context())

    @task(trigger_rule=TriggerRule.NONE_FAILED)
    def delete_stack() -> None:
        """Disable the termination protection of the stack, and start its deletion."""
        stack.delete_stack(request.Cluster.from_params(get_current_context()["params"]))

    @task
    def delete_connections() -> None:
        """Delete the Airflow connections from Secrets Manager."""
        connections.delete_connections(get_current_context()["params"])

    @task
    def delete_bucket() -> None:
        """Delete the work bucket if `delete_work_bucket` is true."""
        steps.delete_bucket(get_current_context()["params"])

    @task
    def list_leftovers() -> list[str]:
        """List the remaining resources, and fail if a resource remains that the parameters do not keep."""
        return steps.list_leftovers(get_current_context()["params"])

    checked = check_request()
    wait_for_deletion = CloudFormationDeleteStackSensor(
        task_id="wait_for_deletion",
        aws_conn_id=AWS_CONN_ID,
        stack_name="{{ params.name }}",
        **POKE,
        doc_md="Wait until the stack is deleted.",
    )
    chain(
        checked,
        take_final_snapshot(),
        delete_stack(),
        wait_for_deletion,
        [delete_connections(), delete_bucket()],
        list_leftovers().as_teardown(setups=checked, on_failure_fail_dagrun=True),
    )


teardown()
