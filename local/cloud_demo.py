"""`make cloud-demo`: the life of a warehouse on this machine, by the DAGs that run it on AWS.

    provision -> load the sample -> reports -> pause -> resume -> teardown, on its own services below .local/cloud

The pipeline's connections come from the (local) Secrets Manager, where provision wrote them, by Airflow's own secrets
backend. Exit codes: 0 done and nothing left; 1 a step failed, or something is left; 130 interrupted.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from local import airflow, airflow_settings, lake, sample
from local.dataset import Dataset, read_folder
from local.home import PROJECT, Home, Problem, say, shown
from local.warehouse import STAR
from local_redshift import REGION, service

NAME = "sparkify-demo"
BUCKETS = {"source_bucket": f"{NAME}-lake", "work_bucket": f"{NAME}-work"}


def environment(running: service.Running, airflow_home: Path) -> dict[str, str]:
    """Return the environment of the demo's Airflow: aws_default, the secrets backend, and no other connection."""
    found = airflow_settings.environment(running, airflow_home)
    for conn_id in ("REDSHIFT_DEFAULT", "AWS_COPY_ROLE"):
        del found[f"AIRFLOW_CONN_{conn_id}"]
    backend = {
        "connections_prefix": "airflow/connections",
        "connections_lookup_pattern": "^(redshift_default|aws_copy_role)$",
        "variables_prefix": None,
        "config_prefix": None,
        "region_name": REGION,
        "endpoint_url": running.aws_endpoint,
        "aws_access_key_id": "local",
        "aws_secret_access_key": "local",
    }
    return found | {
        "AIRFLOW__SECRETS__BACKEND": "airflow.providers.amazon.aws.secrets.secrets_manager.SecretsManagerBackend",
        "AIRFLOW__SECRETS__BACKEND_KWARGS": json.dumps(backend),
        "AIRFLOW_VAR_SPARKIFY": json.dumps(BUCKETS),
        "PYTHONWARNINGS": "ignore",
    }


class Demo:
    """The steps of the demo, on running services."""

    def __init__(self, running: service.Running, log: Path) -> None:
        """``log`` gets the output of every Airflow command."""
        self.running, self.log, self.began = running, log, time.monotonic()

    def say(self, text: str) -> None:
        """Print a finished step with the seconds since the start."""
        say(f"{time.monotonic() - self.began:6.1f} s  {text}")

    def airflow(self, *arguments: str) -> None:
        """Run an Airflow command.

        :raises Problem: it failed.
        """
        with self.log.open("a") as log:
            done = subprocess.run(
                [sys.executable, "-m", "airflow", *arguments],
                cwd=PROJECT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                check=False,
            )
        if done.returncode:
            raise Problem(
                f"airflow {' '.join(arguments[:3])} failed; {shown(self.log)} ends in:\n{airflow.tail(self.log, 25)}",
                1,
            )

    def run(self, dag_id: str, **params: Any) -> None:
        """Run a DAG to its end."""
        began = time.monotonic()
        moment = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())
        self.airflow("dags", "test", dag_id, moment, "--conf", json.dumps(params))
        self.say(f"{dag_id} {json.dumps(params)}: success in {time.monotonic() - began:.0f} s")

    def fill_lake(self, folder: Path) -> Dataset:
        """Upload the sample month into the source bucket, which provision reads and never creates."""
        sample.write(folder, sample.Spec())
        data = read_folder(folder)
        lake.upload(self.running, data.files, BUCKETS["source_bucket"])
        self.say(f"the lake s3://{BUCKETS['source_bucket']} holds {len(data.files):,} files")
        return data

    def create_copy_policy(self) -> None:
        """Create the managed policy of the role for COPY, as an administrator does once on AWS (docs/aws.md)."""
        from include.cluster.policies import render_policy
        from include.cluster.request import Cluster

        document = render_policy("redshift-copy", Cluster(NAME, REGION))
        self.running.client("iam").create_policy(PolicyName=f"{NAME}-copy", PolicyDocument=document)

    def inventory(self) -> list[Any]:
        """Return the resources of the warehouse in the account, as provision and teardown list them."""
        from include.cluster import inventory
        from include.cluster.request import Cluster

        return inventory.list_owned(Cluster(NAME, REGION))

    def show(self, heading: str) -> None:
        """Print the resources of the warehouse with their cost."""
        things = self.inventory()
        say(f"{'':10}{heading} {'nothing' if not things else ''}")
        for thing in things:
            status = f" ({thing.status})" if thing.status else ""
            say(f"{'':12}{thing.kind:<15} {thing.name}{status}: {thing.cost}")

    def show_star(self) -> None:
        """Print the rows of the star, read by the redshift_default of the secrets backend.

        :raises Problem: a table is empty.
        """
        from include.sparkify import warehouse

        for table in STAR:
            ((rows,),) = warehouse.query(f"select count(*) from sparkify.{table}")
            if not rows:
                raise Problem(f"sparkify.{table} is empty", 1)
            say(f"{'':12}{table:<15} {rows:>8,} rows")

    def check_paused(self) -> None:
        """Check that the paused cluster refuses the pipeline.

        :raises Problem: it does not.
        """
        import redshift_connector
        from airflow.providers.amazon.aws.hooks.redshift_sql import RedshiftSQLHook

        login = RedshiftSQLHook.get_connection("redshift_default")
        try:
            # Without the retries of the hook: one refusal is enough.
            redshift_connector.connect(
                host=login.host,
                port=login.port,
                database=login.schema,
                user=login.login,
                password=login.password,
                **login.extra_dejson,
            ).close()
        except redshift_connector.Error:
            say(f"{'':12}the paused cluster refuses connections")
            return
        raise Problem("the paused cluster accepts connections", 1)


def play(demo: Demo, folder: Path) -> None:
    """Run all steps, with the sample in ``folder``.

    :raises Problem: a step failed, or something is left at the end.
    """
    data = demo.fill_lake(folder)
    demo.airflow("db", "migrate")
    demo.say("Airflow has its own database")
    demo.create_copy_policy()
    demo.run("provision", name=NAME, cidrs=["10.0.0.0/16"], tls="off")
    demo.show("provision created, all of it tagged:")
    demo.run("sparkify", start=data.start.isoformat(), end=data.end.isoformat())
    demo.show_star()
    demo.run("reports")
    demo.run("pause", name=NAME)
    demo.check_paused()
    demo.run("resume", name=NAME)
    demo.show_star()
    demo.run("teardown", name=NAME, confirm=NAME, final_snapshot=False, delete_work_bucket=True)
    demo.show("left of it:")
    if demo.inventory():
        raise Problem("teardown left the resources above.\nNext: see the log of its last task", 1)


def main(home: Home | None = None) -> int:
    """Run the demo and return the exit code; see the module's docstring."""
    home = home or Home()
    home.create()
    cloud = Home(home.path / "cloud")
    # A killed demo may have left its services.
    service.stop(cloud.services)
    shutil.rmtree(cloud.path, ignore_errors=True)
    cloud.create()
    running = service.start(cloud.services, airflow_settings.service_options())
    try:
        for name in list(os.environ):
            if name.startswith(("AIRFLOW", "AWS_", "SPARKIFY_")):
                del os.environ[name]
        # Before Airflow is imported, here and in its commands.
        os.environ |= environment(running, cloud.airflow)
        # Airflow's own messages in this process would hide the demo's; its commands write to their log.
        logging.disable(logging.INFO)
        say(f"AWS and Redshift of this demo: {running.aws_endpoint}, 127.0.0.1:{running.redshift_port}")
        demo = Demo(running, cloud.path / "dags.log")
        play(demo, home.sample)
        demo.say(f"done; the DAGs' log: {shown(demo.log)}")
    except Problem as problem:
        print(f"\n{problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        service.stop(cloud.services)
    return 0


if __name__ == "__main__":
    sys.exit(main())
