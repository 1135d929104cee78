"""`make cloud-demo`: the cluster's whole life on this machine, by the DAGs that do it on AWS.

    provision -> load the sample -> pause -> resume -> teardown, on stand-ins of the demo's own below .local/cloud

The pipeline's connections come from (local) Secrets Manager by Airflow's own secrets backend, where provision wrote
them. Exit codes: 0 done and nothing left; 1 a step failed, or something is left; 130 interrupted.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tqdm import tqdm

from include.local_aws import aws, drive, sample, service

HOME = drive.HOME / "cloud"
LOG = HOME / "dags.log"
NAME = "sparkify-demo"
BUCKETS = {"source_bucket": f"{NAME}-lake", "work_bucket": f"{NAME}-work"}
STAR = ("songplays", "users", "songs", "artists", "time")


class Failed(Exception):
    """A step did not end as it should; str() says which and where to look."""


def environment(running: service.Running) -> dict[str, str]:
    """The environment of the demo's Airflow: aws_default and the secrets backend, and no other connection."""
    found = drive.environment(drive.SETTINGS, running, HOME / "airflow")
    for conn_id in ("REDSHIFT_DEFAULT", "AWS_COPY_ROLE"):
        del found[f"AIRFLOW_CONN_{conn_id}"]
    backend = {
        "connections_prefix": "airflow/connections",
        "connections_lookup_pattern": "^(redshift_default|aws_copy_role)$",
        "variables_prefix": None,
        "config_prefix": None,
        "region_name": aws.REGION,
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


def say(text: str) -> None:
    """A line of progress or result."""
    print(text, flush=True)


class Story:
    """The demo's steps, on running services."""

    def __init__(self, running: service.Running) -> None:
        self.running, self.began = running, time.monotonic()

    def step(self, text: str) -> None:
        say(f"{time.monotonic() - self.began:6.1f} s  {text}")

    def airflow(self, *arguments: str) -> None:
        """:raises Failed: the command failed."""
        with LOG.open("a") as log:
            done = subprocess.run(
                [sys.executable, "-m", "airflow", *arguments],
                cwd=drive.PROJECT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                check=False,
            )
        if done.returncode:
            tail = "\n".join(LOG.read_text(errors="replace").splitlines()[-25:])
            raise Failed(f"airflow {' '.join(arguments[:3])} failed; {drive.shown(LOG)} ends in:\n{tail}")

    def run(self, dag_id: str, **params: Any) -> None:
        """Run a DAG to its end."""
        began = time.monotonic()
        moment = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())
        self.airflow("dags", "test", dag_id, moment, "--conf", json.dumps(params))
        self.step(f"{dag_id} {json.dumps(params)}: success in {time.monotonic() - began:.0f} s")

    def fill_the_lake(self) -> drive.Data:
        """The sample month, uploaded into the source bucket, which provision reads and never makes."""
        folder = drive.HOME / "sample"
        sample.write(folder, sample.Spec())
        data = drive.read_folder(folder)
        s3, bucket = aws.client(self.running.aws_endpoint, "s3"), BUCKETS["source_bucket"]
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": aws.REGION})
        with ThreadPoolExecutor(drive.UPLOAD_THREADS) as pool:
            puts = pool.map(
                lambda file: s3.put_object(Bucket=bucket, Key=file[0], Body=file[1].read_bytes()),
                data.files.items(),
            )
            for _ in tqdm(puts, "uploading", len(data.files), unit=" files", disable=None, leave=False):
                pass
        self.step(f"the lake s3://{bucket} holds {len(data.files):,} files")
        return data

    def existing(self) -> list[Any]:
        """What the account holds of the warehouse; provision's and teardown's own list."""
        from include.cluster import inventory
        from include.cluster.request import Warehouse

        return inventory.owned(Warehouse(NAME, aws.REGION))

    def show(self, heading: str) -> None:
        things = self.existing()
        say(f"{'':10}{heading} {'nothing' if not things else ''}")
        for thing in things:
            status = f" ({thing.status})" if thing.status else ""
            say(f"{'':12}{thing.kind:<15} {thing.name}{status}: {thing.cost}")

    def show_star(self) -> None:
        """Rows of the star, asked through redshift_default as the secrets backend has it.

        :raises Failed: a table is empty.
        """
        from include.sparkify import warehouse

        for table in STAR:
            ((rows,),) = warehouse.query(f"select count(*) from sparkify.{table}")
            if not rows:
                raise Failed(f"sparkify.{table} is empty")
            say(f"{'':12}{table:<15} {rows:>8,} rows")

    def expect_nobody_gets_in(self) -> None:
        """:raises Failed: the paused cluster still lets the pipeline in."""
        import redshift_connector
        from airflow.providers.amazon.aws.hooks.redshift_sql import RedshiftSQLHook

        login = RedshiftSQLHook.get_connection("redshift_default")
        try:
            # Without the hook's tries, as one refusal is enough.
            redshift_connector.connect(
                host=login.host,
                port=login.port,
                database=login.schema,
                user=login.login,
                password=login.password,
                **login.extra_dejson,
            ).close()
        except redshift_connector.Error:
            say(f"{'':12}the paused cluster lets nobody in")
            return
        raise Failed("the paused cluster lets the pipeline in")


def tell(story: Story) -> None:
    """The demo itself.

    :raises Failed: a step failed, or something is left at the end.
    """
    data = story.fill_the_lake()
    story.airflow("db", "migrate")
    story.step("Airflow has a database of its own")
    story.run("provision", name=NAME, cidrs=["10.0.0.0/16"], tls="off")
    story.show("provision made, all of it tagged:")
    story.run("sparkify", start=data.start.isoformat(), end=data.end.isoformat())
    story.show_star()
    story.run("reports")
    story.run("pause", name=NAME)
    story.expect_nobody_gets_in()
    story.run("resume", name=NAME)
    story.show_star()
    story.run("teardown", name=NAME, confirm=NAME, final_snapshot=False, delete_work_bucket=True)
    story.show("left of it:")
    if story.existing():
        raise Failed("something is left")


def main() -> int:
    """The command line."""
    # An earlier demo that was killed may have left its services.
    service.stop(HOME / "services")
    shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir(parents=True)
    running = service.start(HOME / "services", aws_port=0, redshift_port=0)
    try:
        for name in list(os.environ):
            if name.startswith(("AIRFLOW", "AWS_", "SPARKIFY_")):
                del os.environ[name]
        # Before Airflow is imported, here and in the commands.
        os.environ |= environment(running)
        # What Airflow says in this process would hide what the demo says; its commands write to their log.
        logging.disable(logging.INFO)
        say(f"AWS and Redshift of this demo: {running.aws_endpoint}, 127.0.0.1:{running.redshift_port}")
        story = Story(running)
        tell(story)
        story.step(f"done; the DAGs' log: {drive.shown(LOG)}")
    except (Failed, drive.Problem) as problem:
        print(f"\n{problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        service.stop(HOME / "services")
    return 0


if __name__ == "__main__":
    sys.exit(main())
