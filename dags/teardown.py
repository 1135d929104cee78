"""
# teardown: what provision made goes, and nothing else

**What it removes.** Everything with this warehouse's tags: the cluster (or the Serverless workgroup and namespace),
the connections and the master password in Secrets Manager, the security group, the subnet group, the role for COPY.
The work bucket goes with all that is in it if `delete_work_bucket` says so. The source bucket is never touched.

**What it keeps.** A final snapshot of the data, unless `final_snapshot` is off, and the work bucket. `leftovers`, the
last task, lists what is left, what it costs and the command that removes it; it fails if anything else is left.

**Running it again** is safe, whatever state things are in: nothing there, half created, paused.

**What it needs.** The parameter `confirm` repeats the warehouse's name; rights: `include/iam/deploy.json` for the role
of connection `aws_default`.

| red task | what it means | what to do |
|---|---|---|
| `check` | not confirmed, or the wrong region; nothing was touched | the message says |
| `delete_network` | the cluster's network card still hangs on to the group | run again after some minutes |
| `leftovers` | something is left that should be gone | its log lists it with the command to remove it |
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.providers.amazon.aws.operators.redshift_cluster import RedshiftDeleteClusterOperator
from airflow.providers.common.compat.sdk import (
    Param,
    TriggerRule,
    cross_downstream,
    dag,
    get_current_context,
    task,
)

from include.cluster import request
from include.cluster import teardown as steps
from include.sparkify import notify


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
        "confirm": Param(
            "",
            type="string",
            title="Confirm",
            description="The warehouse's name again: its data will be gone.",
        ),
        "final_snapshot": Param(
            True,
            type="boolean",
            title="Final snapshot",
            description="Keep a snapshot of the data, at about 0.024 US dollars a GB and month.",
        ),
        "delete_work_bucket": Param(
            False,
            type="boolean",
            title="Delete the work bucket",
            description="With all that runs have written into it.",
        ),
    },
    tags=["sparkify", "cluster"],
    doc_md=__doc__,
)
def teardown() -> None:
    @task(multiple_outputs=True)
    def check() -> dict[str, str]:
        """Makes sure that this warehouse is meant."""
        return steps.check(get_current_context()["params"])

    @task.sensor(mode="reschedule", poke_interval=30, timeout=3600)
    def delete_serverless() -> bool:
        """Deletes the workgroup and the namespace, and waits until both are gone."""
        context = get_current_context()
        return steps.delete_serverless(context["params"], context)

    @task(trigger_rule=TriggerRule.NONE_FAILED)
    def delete_secrets() -> None:
        """The connections and the master password."""
        steps.delete_secrets(get_current_context()["params"])

    # The network card of a deleted cluster takes some minutes to go.
    @task(trigger_rule=TriggerRule.NONE_FAILED, retries=6, retry_delay=timedelta(minutes=1))
    def delete_network() -> None:
        """The subnet group and the security group."""
        steps.delete_network(get_current_context()["params"])

    @task(trigger_rule=TriggerRule.NONE_FAILED)
    def delete_role() -> None:
        """The role for COPY."""
        steps.delete_role(get_current_context()["params"])

    @task(trigger_rule=TriggerRule.NONE_FAILED)
    def delete_bucket() -> None:
        """The work bucket, if asked for."""
        steps.delete_bucket(get_current_context()["params"])

    @task
    def leftovers() -> list[str]:
        """Lists what is left; fails if that is more than was to be kept."""
        return steps.leftovers(get_current_context()["params"])

    wanted = check()
    delete_cluster = RedshiftDeleteClusterOperator(
        task_id="delete_cluster",
        cluster_identifier=wanted["name"],
        region_name=wanted["region"],
        pre_execute=steps.before_deleting,
        wait_for_completion=True,
        deferrable=True,
        # An hour: a final snapshot of much data takes its time.
        poll_interval=30,
        max_attempts=120,
        doc_md="Deletes the cluster, with a final snapshot unless that is off, and waits without holding a worker.",
    )

    warehouse = [delete_cluster, delete_serverless()]
    rest = [delete_secrets(), delete_network(), delete_role(), delete_bucket()]

    wanted >> warehouse
    cross_downstream(warehouse, rest)
    rest >> leftovers().as_teardown(setups=wanted, on_failure_fail_dagrun=True)


teardown()
