"""
# teardown: delete only what provision created

**What it deletes.** The stack `name` of AWS CloudFormation with everything in it except the work bucket, and the
connections in Secrets Manager. With `delete_work_bucket`, also the work bucket and every object in it. It never changes
the source bucket.

**What it keeps.** A final snapshot of the data, unless `final_snapshot` is off, and the work bucket. The last task,
`list_leftovers`, lists the remaining resources of every service, with their cost and the command that removes them. It
fails if any other resource is left.

**Running it again** is safe in any state: if nothing exists, and if the warehouse is half created or paused (a paused
cluster then runs for some minutes, because AWS takes a snapshot only of a running cluster).

**What it needs.** The parameter `confirm` must be the cluster's name. Permissions: `include/iam/permissions.yaml`, with
`AllowProvisioning`.

| red task | meaning | what to do |
|---|---|---|
| `check_request` | `confirm` is not the name, or the stack is not a warehouse. Nothing was changed | see the message |
| `take_final_snapshot` | AWS took no snapshot. Nothing was deleted | see the message, or turn `final_snapshot` off |
| `wait_for_deletion` | AWS could not delete a resource | `list_leftovers` names it and the reason. Run it again |
| `list_leftovers` | something is left that should have been deleted | its log has the command that removes it |
| any other | AWS refused a change, or a permission is missing | see the message, then run it again |
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
            description="Repeat the cluster's name: its data will be deleted.",
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
            description="Also delete the work bucket, with every object and version in it.",
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
        """Turn off the stack's termination protection, and start to delete it."""
        stack.delete_stack(request.Cluster.from_params(get_current_context()["params"]))

    @task
    def delete_connections() -> None:
        """Delete the connections."""
        connections.delete_connections(get_current_context()["params"])

    @task
    def delete_bucket() -> None:
        """Delete the work bucket, if the parameters ask for it."""
        steps.delete_bucket(get_current_context()["params"])

    @task
    def list_leftovers() -> list[str]:
        """List the remaining resources, and fail if there are more than the parameters keep."""
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
