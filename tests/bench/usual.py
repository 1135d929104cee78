"""Compare the tasks of the DAG with the usual pipeline, on the same stand-in and lake (14,896 song files, a month of
logs).

Our figure excludes Airflow itself and the run report, which the part `run` includes.
"""

from __future__ import annotations

import collections
import contextlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jinja2
import redshift_connector
from airflow.providers.amazon.aws.hooks.redshift_sql import RedshiftSQLHook
from airflow.providers.common.compat.sdk import AirflowSkipException

from include.sparkify import tables
from include.sparkify.files import lake, source
from include.sparkify.redshift import warehouse
from local import sample
from tests.bench.row import Row, seconds
from tests.bench.setting import Setting, StandIn
from tests.world import World

# As much data as the public data.
FULL_EDITION = sample.Spec(songs=14_896)
MONTH = ("2018-11-01", "2018-12-01")
SCRIPTS = [
    Path(__file__).parent / "usual_pipeline" / f"{name}.sql"
    for name in ("create", "stage", "songplays", "users", "songs", "artists", "time")
]


def measure(setting: Setting) -> Iterator[Row]:
    """Yield the rows of this part."""
    folder = one_line_songs(setting, FULL_EDITION)
    with setting.stand_in() as stand_in:
        world = stand_in.world("usual", folder)
        usual = [seconds(lambda: run_usual(stand_in, world)) for _ in range(2)]
        ours = [seconds(lambda: run_ours(world)) for _ in range(2)]
        yield Row(
            "first load of 14,896 songs and a month: our tasks by the usual pipeline",
            ours[0] / usual[0],
            2,
            12,
            details=f"{ours[0]:.1f} s by {usual[0]:.1f} s; only the GET requests: "
            f"{seconds(lambda: get_all(world)):.1f} s; {errors(world)}",
        )
        yield Row(
            "nothing new, the same lake: our tasks by the usual pipeline",
            ours[1] / usual[1],
            0.3,
            3,
            details=f"{ours[1]:.1f} s by {usual[1]:.1f} s",
        )


def one_line_songs(setting: Setting, spec: sample.Spec) -> Path:
    """Return the folder of a sample with one line per song file, as the public data has."""
    folder = setting.sample(spec)
    for path in folder.glob("song_data/**/*.json"):
        # Some of the sample's files have several lines, which the stand-in's COPY does not read.
        if b"\n" in (body := path.read_bytes()):
            path.write_text(json.dumps(json.loads(body)))
    return folder


def run_ours(world: World) -> None:
    """Do the work of the DAG's tasks."""
    with contextlib.suppress(AirflowSkipException):
        world.load(*MONTH)


def get_all(world: World) -> None:
    """Get every song file with one request each, and discard the content."""
    songs = lake.ManyObjects(lake.client(), world.lake)
    with ThreadPoolExecutor(source.READERS) as pool:
        collections.deque(pool.map(songs.read, songs.list_objects("song_data/")), maxlen=0)


def run_usual(stand_in: StandIn, world: World) -> None:
    """Run the usual pipeline once, each statement in its own transaction."""
    text = "\n".join(script.read_text() for script in SCRIPTS)
    script = jinja2.Template(text).render(lake=world.lake, role=stand_in.copy_role)
    connection: redshift_connector.Connection = warehouse.connect()
    connection.autocommit = True
    try:
        for statement in RedshiftSQLHook.split_sql_string(script, strip_semicolon=True):
            connection.cursor().execute(statement)
    finally:
        connection.close()


def errors(world: World) -> str:
    """Return a text with the differences between the row counts of the usual pipeline and of this project."""
    found = []
    for table in tables.STAR:
        ((usual,),) = world.rows(f'select count(*) from usual."{table}"')
        if wrong := usual - world.count(f'"{table}"' if table == "time" else table):
            found.append(f"{table} {wrong:+,}")
    return f"rows too many or too few of the usual one after its second run: {', '.join(found) or 'none'}"
