"""`make cloud-demo`: run the commands that docs/aws.md prints for AWS, from provision to teardown, on this machine.

    permissions -> provision -> load the sample -> pause -> resume -> teardown, on its own services below .local/cloud

Airflow's own secrets backend reads the pipeline's connections from the (local) Secrets Manager, where provision wrote
them. The argument is ``cluster`` or ``serverless``. Exit codes: 0 if the demo succeeded and no resource is left; 1 if
a step failed or a resource is left; 130 if interrupted.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from include.sparkify.tables import STAR
from local import airflow, airflow_settings, lake, sample
from local.dataset import read_folder
from local.home import PROJECT, Home, Problem, say, shown
from local.walkthrough import Api, read_commands, write_tools
from local_redshift import REGION, service

PAGE = PROJECT / "docs" / "aws.md"
# The names that the page uses.
NAME, ROLE, LAKE = "sparkify", "MyAirflowRole", "my-lake"


def environment(running: service.Running, cloud: Home) -> dict[str, str]:
    """Return the environment of the demo's Airflow: the page's variables, with the addresses of the local AWS."""
    given: dict[str, str] = json.loads((cloud.path / "variables.json").read_text())
    keys = {
        "aws_access_key_id": "local",
        "aws_secret_access_key": "local",
        "endpoint_url": running.aws_endpoint,
    }
    backend = json.loads(given["AIRFLOW__SECRETS__BACKEND_KWARGS"]) | keys
    found = airflow_settings.environment(running, cloud.airflow)
    for conn_id in ("REDSHIFT_DEFAULT", "AWS_COPY_ROLE"):
        del found[f"AIRFLOW_CONN_{conn_id}"]
    local = {name: found[name] for name in ("AIRFLOW_CONN_AWS_DEFAULT",)}
    return {
        **found,
        **given,
        **local,
        "AIRFLOW__SECRETS__BACKEND_KWARGS": json.dumps(backend),
        "PYTHONWARNINGS": "ignore",
    }


def is_paused_when_new(dag_id: str) -> bool:
    """Return whether Airflow creates a DAG paused, which is its default."""
    create = getattr(importlib.import_module(f"dags.{dag_id}"), dag_id)
    return create().is_paused_upon_creation is not False


class Demo:
    """The demo, on services that already run."""

    def __init__(self, running: service.Running, cloud: Home, kind: str) -> None:
        self.running, self.cloud, self.kind = running, cloud, kind
        self.log, self.began = cloud.path / "dags.log", time.monotonic()
        self.failure: Exception | None = None
        self.api = Api(self.run, self.fail)

    def say(self, text: str) -> None:
        """Print the seconds since the start and a completed step."""
        say(f"{time.monotonic() - self.began:6.1f} s  {text}")

    def airflow(self, *arguments: str) -> None:
        """Run an Airflow command and write its output to the log.

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

    def prepare(self, folder: Path) -> None:
        """Create the page's prerequisites: the lake with a month of a small sample, and Airflow's role."""
        sample.write(folder, sample.Spec(scale=0.1, songs=100))
        data = read_folder(folder)
        lake.upload(self.running, data.files, LAKE)
        self.running.client("iam").create_role(RoleName=ROLE, AssumeRolePolicyDocument="{}")
        self.say(f"the lake s3://{LAKE} holds {len(data.files):,} files")

    def run(self, dag_id: str, conf: dict[str, Any]) -> None:
        """Run a DAG to completion and check its result.

        :raises Problem: the DAG is paused, the run failed, or its result is wrong.
        """
        if "AIRFLOW_HOME" not in os.environ:
            # Airflow reads its environment on import, in this process and in its commands.
            os.environ |= environment(self.running, self.cloud)
            self.airflow("db", "migrate")
        if dag_id not in self.api.switched_on and is_paused_when_new(dag_id):
            raise Problem(
                f"{dag_id} is created paused, so Airflow would not run it.\nNext: unpause it first, in "
                f"{shown(PAGE)}",
                1,
            )
        began = time.monotonic()
        moment = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())
        self.airflow("dags", "test", dag_id, moment, "--conf", json.dumps(conf))
        self.say(f"{dag_id} {json.dumps(conf)}: success in {time.monotonic() - began:.0f} s")
        if dag_id == "provision":
            self.show("provision created:")
        elif dag_id in ("sparkify", "resume"):
            self.show_star()
        elif dag_id == "pause":
            self.check_paused()
        elif dag_id == "teardown":
            self.show("left of it:")
            if self.inventory():
                raise Problem("teardown left the resources above.\nNext: see the log of its last task", 1)

    def inventory(self) -> list[Any]:
        """Return the resources of the warehouse, as provision and teardown list them."""
        from include.cluster import inventory
        from include.cluster.request import Cluster

        return inventory.list_things(Cluster(NAME, REGION))

    def show(self, heading: str) -> None:
        """Print the resources of the warehouse and their cost."""
        things = self.inventory()
        say(f"{'':10}{heading} {'nothing' if not things else ''}")
        for thing in things:
            say(f"{'':12}{thing.kind:<15} {thing.name}: {thing.cost}")

    def show_star(self) -> None:
        """Print the row count of each table of the star, read through `redshift_default` from the secrets backend.

        :raises Problem: a table is empty.
        """
        from include.sparkify.redshift import warehouse

        for table in STAR:
            ((rows,),) = warehouse.query(f"select count(*) from sparkify.{table}")
            if not rows:
                raise Problem(f"sparkify.{table} is empty", 1)
            say(f"{'':12}{table:<15} {rows:>8,} rows")

    def check_paused(self) -> None:
        """Check that the paused cluster refuses the pipeline.

        :raises Problem: the cluster accepts a connection.
        """
        import redshift_connector
        from airflow.providers.amazon.aws.hooks.redshift_sql import RedshiftSQLHook

        login = RedshiftSQLHook.get_connection("redshift_default")
        try:
            # Bypass the hook's retries: one refusal is enough.
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

    def follow_the_page(self) -> None:
        """Run the commands of docs/aws.md.

        :raises Problem: a command failed.
        """
        tools = self.cloud.path / "bin"
        write_tools(tools, self.cloud.services)
        given = {
            "PATH": f"{tools}:{os.environ['PATH']}",
            "PYTHONPATH": str(PROJECT),
            "airflow": self.api.url,
            "ASTRO_API_TOKEN": "token",
            "deployment": "demo",
        }
        commands = read_commands(PAGE)
        if self.kind == "serverless":
            commands = commands.replace("serverless=false", "serverless=true")
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", f"state=\n{commands}"], cwd=PROJECT, env=given, check=False
        )
        self.api.server.shutdown()
        if self.failure:
            raise self.failure
        if done.returncode:
            raise Problem("a command of docs/aws.md failed, see above", 1)
        self.say(
            f"the commands of docs/aws.md have ended; unpaused: {', '.join(sorted(self.api.switched_on))}"
        )

    def fail(self, failure: Exception) -> None:
        self.failure = failure


def main(kind: str, home: Home | None = None) -> int:
    """Run the demo of one kind and return the exit code (see the module's docstring)."""
    home = home or Home()
    home.create()
    cloud = Home(home.path / "cloud")
    # A killed demo may have left its services running.
    service.stop(cloud.services)
    shutil.rmtree(cloud.path, ignore_errors=True)
    cloud.create()
    # Do not use the options of airflow_settings.yaml: their role for COPY has the same name as the role of this demo.
    running = service.start(cloud.services, service.Options())
    try:
        for name in list(os.environ):
            if name.startswith(("AIRFLOW", "AWS_", "SPARKIFY_")):
                del os.environ[name]
        # Airflow's own messages in this process would hide the demo's. Its commands write to their log.
        logging.disable(logging.INFO)
        say(
            f"AWS and Redshift of this demo ({kind}): {running.aws_endpoint}, 127.0.0.1:{running.redshift_port}"
        )
        demo = Demo(running, cloud, kind)
        demo.prepare(cloud.path / "sample")
        demo.follow_the_page()
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
    sys.exit(main(sys.argv[1]))
