"""
# teardown: delete what provision created, and nothing else

**What it deletes.** Every resource with this cluster's tags: the cluster (or the Serverless workgroup and namespace),
the connections and the master password in Secrets Manager, the security group, the subnet group, the role for COPY.
With `delete_work_bucket`, also the work bucket and every object in it. It never changes the source bucket.

**What it keeps.** A final snapshot of the data, unless `final_snapshot` is off, and the work bucket. The last task,
`list_leftovers`, lists what is left, what it costs and the command that removes it; it fails if anything else is left.

**Running it again** is safe in any state: nothing there, half created, paused.

**What it needs.** The parameter `confirm` repeats the cluster's name. Permissions: `include/iam/deploy.json` for the
role of connection `aws_default`.

| red task | meaning | what to do |
|---|---|---|
| `check_request` | not confirmed, or the wrong region; nothing was changed | see the message |
| `delete_network` | the cluster's network interface still uses the security group | run it again after some minutes |
| `list_leftovers` | something is left that should have been deleted | its log has the command that removes it |
"""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.amazon.aws.operators.redshift_cluster import RedshiftDeleteClusterOperator
from airflow.providers.common.compat.sdk import (
    Param,
    TriggerRule,
    cross_downstream,
    dag,
    get_current_context,
    task,
)

from include.cluster import credentials, network, prices, request, serverless
from include.cluster import teardown as steps
from include.cluster.defaults import DAG_ARGUMENTS, WAIT, WAITING_TIMEOUT


@dag(
    **DAG_ARGUMENTS,
    schedule=None,
    dagrun_timeout=3 * WAIT,
    params={
        "name": request.NAME,
        "region": request.REGION,
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
            description="And every object that runs have written to it.",
        ),
    },
    doc_md=__doc__,
)
def teardown() -> None:
    @task(multiple_outputs=True)
    def check_request() -> steps.DeleteArguments:
        """Make sure that this cluster is meant."""
        return steps.check_request(get_current_context()["params"])

    @task.sensor(mode="reschedule", poke_interval=30, timeout=WAIT.total_seconds())
    def delete_serverless() -> bool:
        """Delete the workgroup and the namespace, and wait until both are deleted."""
        context = get_current_context()
        return serverless.delete_serverless(context["params"], steps.name_snapshot(context))

    @task(trigger_rule=TriggerRule.NONE_FAILED)
    def delete_secrets() -> None:
        """Delete the connections and the master password."""
        credentials.delete_secrets(get_current_context()["params"])

    # The network interface of a deleted cluster exists for some more minutes.
    @task(trigger_rule=TriggerRule.NONE_FAILED, retries=6, retry_delay=timedelta(minutes=1))
    def delete_network() -> None:
        """Delete the subnet group and the security group."""
        network.delete_network(get_current_context()["params"])

    @task(trigger_rule=TriggerRule.NONE_FAILED)
    def delete_role() -> None:
        """Delete the role for COPY."""
        steps.delete_role(get_current_context()["params"])

    @task(trigger_rule=TriggerRule.NONE_FAILED)
    def delete_bucket() -> None:
        """Delete the work bucket, if the parameters ask for it."""
        steps.delete_bucket(get_current_context()["params"])

    @task
    def list_leftovers() -> list[str]:
        """List what is left; fail if that is more than the parameters keep."""
        return steps.list_leftovers(get_current_context()["params"])

    cluster = check_request()
    delete_cluster = RedshiftDeleteClusterOperator(
        task_id="delete_cluster",
        aws_conn_id=request.AWS_CONN_ID,
        cluster_identifier=cluster["name"],
        region_name=cluster["region"],
        pre_execute=steps.prepare_deletion,
        wait_for_completion=True,
        deferrable=True,
        poll_interval=30,
        max_attempts=WAIT.seconds // 30,
        execution_timeout=WAITING_TIMEOUT,
        doc_md="Delete the cluster, with a final snapshot unless that is off, and wait without occupying a worker.",
    )

    warehouse = [delete_cluster, delete_serverless()]
    rest = [delete_secrets(), delete_network(), delete_role(), delete_bucket()]

    cluster >> warehouse
    cross_downstream(warehouse, rest)
    rest >> list_leftovers().as_teardown(setups=cluster, on_failure_fail_dagrun=True)


this_dag = teardown()

if __name__ == "__main__":
    this_dag.test()
