"""The driver behind the Makefile: runs the project on this machine alone.

    python -m include.local_aws.drive run [FOLDER] | up [FOLDER] | down | status | report | query SQL | serve

The stand-ins, the lake, the warehouse and Airflow's own database have one life: from the first `run` or `up` to
`down`. All state is below .local/. One life holds one folder's data: `run` on another folder, or on one from which
files have gone, begins a new life, so that the counts it prints are the folder's. Files that were added or changed are
uploaded and loaded like new arrivals.

Exit codes: 0 done; 1 a step failed, its message says where and what next; 2 the input or the machine must be mended.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import fcntl
import hashlib
import json
import os
import re
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psutil
import psycopg2
import redshift_connector
import yaml
from tqdm import tqdm

from include.local_aws import aws, sample, service

PROJECT = Path(__file__).resolve().parents[2]
HOME = PROJECT / ".local"
SERVICES = HOME / "services"
AIRFLOW_HOME = HOME / "airflow"
SETTINGS = PROJECT / "airflow_settings.yaml"
LAKE_NOTE = SERVICES / "lake.json"
AIRFLOW_NOTE = AIRFLOW_HOME / "processes.json"
RUN_LOG = HOME / "run.log"
REPORT = HOME / "report"

DAG_ID = "sparkify"
REPORTS_DAG_ID = "reports"
STAR = ("songplays", "users", "songs", "artists", "time")
UPLOAD_THREADS = 8
UI_TIMEOUT = 300


class Problem(Exception):
    """Something for the person at the keyboard: one message, and the exit code (see the module's docstring)."""

    def __init__(self, message: str, code: int = 2) -> None:
        super().__init__(message)
        self.code = code


# --- settings -----------------------------------------------------------------------------------------------------


def port(name: str, default: int) -> int:
    """The port of the environment variable ``name``.

    :raises Problem: it is no port number.
    """
    text = os.environ.get(name) or str(default)
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise Problem(f"{name}={text} is no port number")
    return int(text)


def ui_port() -> int:
    """Where `up` puts Airflow's web server."""
    return port("SPARKIFY_UI_PORT", 8080)


def local_settings(file: Path = SETTINGS) -> dict[str, Any]:
    """The content below ``airflow:`` of an airflow_settings.yaml."""
    return yaml.safe_load(file.read_text())["airflow"]


def environment(settings: Path, running: service.Running, home: Path) -> dict[str, str]:
    """Variables that make Airflow run this project in the local world; to be laid over `os.environ`.

    ``settings`` is the airflow_settings.yaml that `astro dev start` reads too: its host local-aws, a service of the
    compose file there, becomes the stand-ins that are ``running`` here. ``home`` becomes AIRFLOW_HOME.
    """
    found = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        # The two that the image sets too: see Dockerfile.
        "AIRFLOW__CORE__ALLOWED_DESERIALIZATION_CLASSES": "airflow.* astro.*",
        "AIRFLOW__ASTRO_SDK__ASSUME_SCHEMA_EXISTS": "True",
        "PYTHONPATH": str(PROJECT),
        # Nothing of this person's AWS accounts may be found or used.
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
    }
    content = local_settings(settings)
    for connection in content["connections"]:
        extra = connection.get("conn_extra") or {}
        extra = json.loads(extra) if isinstance(extra, str) else extra
        if "endpoint_url" in extra:
            extra["endpoint_url"] = running.aws_endpoint
        is_local = connection.get("conn_host") == "local-aws"
        value = {
            "conn_type": connection["conn_type"],
            "host": "127.0.0.1" if is_local else connection.get("conn_host"),
            "port": running.redshift_port if is_local else connection.get("conn_port"),
            "schema": connection.get("conn_schema"),
            "login": connection.get("conn_login"),
            "password": connection.get("conn_password"),
            "extra": extra,
        }
        found[f"AIRFLOW_CONN_{connection['conn_id'].upper()}"] = json.dumps(value)
    for variable in content["variables"]:
        found[f"AIRFLOW_VAR_{variable['variable_name'].upper()}"] = str(variable["variable_value"])
    return found


def buckets() -> tuple[str, str]:
    """The lake's and the work bucket, as the DAG will read them."""
    values = {item["variable_name"]: item["variable_value"] for item in local_settings()["variables"]}
    given = json.loads(values["sparkify"])
    return given["source_bucket"], given["work_bucket"]


# --- the folder ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Data:
    """A folder to load: its files by their key in the lake, and the interval [start, end) its logs are of."""

    folder: Path
    files: dict[str, Path]
    start: date
    end: date

    @property
    def identity(self) -> dict[str, str]:
        """What makes it the same folder next time; a sample that was made anew is another one."""
        marker = self.folder / sample.MARKER
        return {"folder": str(self.folder), "sample": marker.read_text() if marker.exists() else ""}


def read_folder(folder: Path) -> Data:
    """The files below log_data/ and song_data/; what does not end in .json or .json.gz stays out.

    :raises Problem: there is nothing to load, or no day in the logs' names.
    """
    shape = "it must hold log_data/ and song_data/, as the sample does (make sample; ls .local/sample)"
    if not folder.is_dir():
        raise Problem(
            f"no such folder: {folder}" if not folder.exists() else f"not a folder: {folder}; {shape}"
        )
    if not any(folder.iterdir()):
        raise Problem(f"{folder} is empty: {shape}")
    files: dict[str, Path] = {}
    for name in ("log_data", "song_data"):
        if not (folder / name).is_dir():
            raise Problem(f"{folder} has no {name}/: {shape}")
        found = [
            path for path in sorted((folder / name).rglob("*")) if re.search(r"\.json(\.gz)?$", path.name)
        ]
        if not found:
            raise Problem(f"{folder / name} holds no .json file: {shape}")
        files |= {path.relative_to(folder).as_posix(): path for path in found if path.is_file()}
    days = set()
    for key in files:
        stamp = re.match(r"log_data/(?:.*/)?(\d{4}-\d\d-\d\d)", key)
        with contextlib.suppress(ValueError):
            days.add(date.fromisoformat(stamp[1] if stamp else ""))
    if not days:
        raise Problem(
            f"no log file in {folder} is named by its day, such as log_data/2018/11/2018-11-01-events.json"
        )
    return Data(folder, files, min(days), max(days) + timedelta(days=1))


def chosen_folder(text: str | None) -> Data:
    """The folder asked for, or the sample month, made if it is not there."""
    if text:
        return read_folder(Path(text).expanduser().resolve())
    counts = sample.write(HOME / "sample", sample.Spec())
    say(f"sample month of {counts.events:,} events and {counts.songs:,} songs in {shown(HOME / 'sample')}")
    return read_folder(HOME / "sample")


# --- the lake -----------------------------------------------------------------------------------------------------


def lake_objects(running: service.Running) -> dict[str, str]:
    """Key and MD5 of every object of the lake; empty without the bucket."""
    s3 = aws.client(running.aws_endpoint, "s3")
    lake, _ = buckets()
    if lake not in {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}:
        return {}
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=lake)
    return {item["Key"]: item["ETag"].strip('"') for page in pages for item in page.get("Contents", [])}


def upload(running: service.Running, data: Data) -> int:
    """Put what the lake does not hold yet, or holds otherwise. Returns how many files that were."""
    s3 = aws.client(running.aws_endpoint, "s3")
    lake, work = buckets()
    there = {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}
    for bucket in {lake, work} - there:
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": aws.REGION})
    held = lake_objects(running)

    def put(item: tuple[str, Path]) -> int:
        key, path = item
        body = path.read_bytes()
        if hashlib.md5(body, usedforsecurity=False).hexdigest() == held.get(key):
            return 0
        s3.put_object(Bucket=lake, Key=key, Body=body)
        return 1

    with ThreadPoolExecutor(UPLOAD_THREADS) as pool:
        done = pool.map(put, data.files.items())
        return sum(tqdm(done, "uploading", len(data.files), unit=" files", disable=None, leave=False))


# --- one life of the services -------------------------------------------------------------------------------------


def services(data: Data) -> service.Running:
    """The stand-ins with ``data`` in their lake and nothing else; started, or begun anew, where need be.

    :raises Problem: a port is taken, or Airflow is up on other data.
    """
    running = service.status(SERVICES)
    if running:
        note = json.loads(LAKE_NOTE.read_text()) if LAKE_NOTE.exists() else {}
        gone = lake_objects(running).keys() - data.files.keys()
        if note != data.identity or gone:
            if airflow_processes():
                raise Problem(
                    f"Airflow is up on the data of {note.get('folder', 'another folder')}: make down first"
                )
            reason = f"{len(gone)} files have gone from" if note == data.identity else "other data than"
            say(
                f"{reason} {shown(Path(note.get('folder', '?')))}: beginning with an empty lake and warehouse"
            )
            running = None
    if running is None:
        stop_services()
        aws_port, redshift_port = port("SPARKIFY_AWS_PORT", 5566), port("SPARKIFY_REDSHIFT_PORT", 5439)
        check_free(aws_port, "SPARKIFY_AWS_PORT")
        check_free(redshift_port, "SPARKIFY_REDSHIFT_PORT")
        SERVICES.mkdir(parents=True, exist_ok=True)
        running = service.start(SERVICES, aws_port, redshift_port)
        say(f"started AWS on {running.aws_endpoint} and Redshift on 127.0.0.1:{running.redshift_port}")
    LAKE_NOTE.write_text(json.dumps(data.identity))
    began = time.monotonic()
    sent = upload(running, data)
    say(
        f"lake s3://{buckets()[0]}: {len(data.files):,} files of {shown(data.folder)}, "
        f"{sent:,} of them new or changed ({time.monotonic() - began:.1f} s)"
    )
    return running


def stop_services() -> bool:
    """End the stand-ins, also such as no longer answer, and wait for their ports. Returns whether any answered."""
    running = service.status(SERVICES)
    service.stop(SERVICES)
    if running:
        with contextlib.suppress(psutil.NoSuchProcess):
            psutil.Process(running.pid).wait(30)
    return running is not None


def check_free(number: int, setting: str) -> None:
    """:raises Problem: another program listens there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", number))
        except OSError:
            raise Problem(
                f"port {number} is in use by another program: stop it, or choose another port, "
                f"for example {setting}={number + 1000} make …"
            ) from None


# --- Airflow ------------------------------------------------------------------------------------------------------


def metadata(running: service.Running) -> dict[str, str]:
    """How to reach Airflow's own database: one of its own in the private PostgreSQL, past the Redshift front."""
    return {
        "host": (SERVICES / "postgres.scratch").read_text(),
        "user": running.user,
        "password": running.password,
        "dbname": "airflow",
    }


def airflow_environment(running: service.Running, data: Data | None = None) -> dict[str, str]:
    """The whole environment of an Airflow process of this machine."""
    login = metadata(running)
    found = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "AIRFLOW"))}
    found |= environment(SETTINGS, running, AIRFLOW_HOME)
    found |= {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": (
            f"postgresql+psycopg2://{login['user']}:{login['password']}@/{login['dbname']}?host={login['host']}"
        ),
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__WEBSERVER__WORKERS": "2",
        "AIRFLOW__SCHEDULER__DAG_DIR_LIST_INTERVAL": "30",
        "SPARKIFY_POOL": local_settings()["pools"][0]["pool_name"],
        "PYTHONWARNINGS": "ignore",
    }
    if data:
        # One run a day of the data, and none for the years since.
        found["SPARKIFY_START_DATE"] = data.start.isoformat()
        found["SPARKIFY_END_DATE"] = (data.end - timedelta(days=1)).isoformat()
    return found


def prepare_airflow(running: service.Running) -> None:
    """Make Airflow's database and pools, once a life.

    :raises Problem: Airflow could not.
    """
    AIRFLOW_HOME.mkdir(parents=True, exist_ok=True)
    name = metadata(running)["dbname"]
    connection = psycopg2.connect(**{**metadata(running), "dbname": running.database})
    connection.autocommit = True
    with contextlib.closing(connection), connection.cursor() as cursor:
        cursor.execute("select 1 from pg_database where datname = %s", (name,))
        if not cursor.fetchone():
            cursor.execute(f"create database {name} template template0")
            # The server is set up as Redshift is; Airflow counts on PostgreSQL's own defaults.
            cursor.execute(f"alter database {name} set default_transaction_isolation to 'read committed'")
            cursor.execute(f"alter database {name} set standard_conforming_strings to on")
    with ask_airflow(running) as cursor:
        # The last thing made here, so half a preparation is done again.
        cursor.execute("select to_regclass('local_ready') is not null")
        if cursor.fetchone()[0]:
            return
    say("preparing Airflow's database")
    with RUN_LOG.open("w") as log:
        command = [sys.executable, "-m", "airflow", "db", "migrate"]
        done = subprocess.run(command, env=airflow_environment(running), stdout=log, stderr=log, check=False)
    if done.returncode:
        raise Problem(
            f"Airflow could not make its database; see {shown(RUN_LOG)}, which ends in:\n{tail()}", 1
        )
    with ask_airflow(running) as cursor:
        for pool in local_settings()["pools"]:
            cursor.execute(
                "insert into slot_pool (pool, slots, description, include_deferred) values (%s, %s, %s, false)",
                (pool["pool_name"], pool["pool_slot"], pool["pool_description"]),
            )
        cursor.execute("create table local_ready ()")


@contextlib.contextmanager
def ask_airflow(running: service.Running) -> Iterator[Any]:
    """A cursor on Airflow's own database; what it changes is kept."""
    connection = psycopg2.connect(**metadata(running))
    try:
        with connection, connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()


def airflow_processes() -> list[psutil.Process]:
    """The processes that `up` started and that still live."""
    found = []
    with contextlib.suppress(FileNotFoundError):
        for number, began in json.loads(AIRFLOW_NOTE.read_text()):
            with contextlib.suppress(psutil.NoSuchProcess):
                process = psutil.Process(number)
                # The number may have gone to another program since.
                if process.create_time() == began and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
    return found


def stop_airflow() -> int:
    """End what `up` started, with all it started in turn. Returns how many main processes there were."""
    main = airflow_processes()
    every = [child for process in main for child in [process, *process.children(recursive=True)]]
    for process in every:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    _, stubborn = psutil.wait_procs(every, 15)
    for process in stubborn:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(stubborn, 5)
    AIRFLOW_NOTE.unlink(missing_ok=True)
    return len(main)


# --- run ----------------------------------------------------------------------------------------------------------


# What to call the states in which a task has ended.
ENDED = {"success": "ok", "failed": "FAILED", "up_for_retry": "failed, will be tried again"}


def tasks(running: service.Running, dag_id: str, run_id: str) -> dict[str, str]:
    """The state of each of the run's tasks that has one, in the order they ended."""
    with ask_airflow(running) as cursor:
        cursor.execute(
            "select task_id || case when map_index < 0 then '' else '[' || map_index || ']' end, state"
            " from task_instance where dag_id = %s and run_id = %s and state is not null order by end_date, task_id",
            (dag_id, run_id),
        )
        return dict(cursor.fetchall())


def run_dag(running: service.Running, dag_id: str, configuration: dict[str, str]) -> str:
    """Run a DAG with these parameters and say what each task came to. Returns the run's id.

    :raises Problem: it failed, with the task, its error, the log and what to do.
    """
    moment = datetime.now(UTC).replace(microsecond=0)
    run_id = f"manual__{moment.isoformat()}"
    command = [sys.executable, "-m", "airflow", "dags", "test", dag_id, moment.isoformat()]
    began = time.monotonic()
    told: dict[str, str] = {}
    with RUN_LOG.open("w") as log:
        process = subprocess.Popen(
            [*command, "--conf", json.dumps(configuration)],
            env=airflow_environment(running),
            cwd=PROJECT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        try:
            ended = False
            while not ended:
                # Asked before the look, so that the last look comes after the end.
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(0.3)
                    ended = True
                now = tasks(running, dag_id, run_id)
                for name, state in now.items():
                    if state in ENDED and told.get(name) != state:
                        clear_line()
                        say(f"  {time.monotonic() - began:6.1f} s  {name:<38} {ENDED[state]}")
                    told[name] = state
                show_running(now)
        except BaseException:
            process.terminate()
            process.wait()
            raise
    clear_line()
    for state, words in {"skipped": "were skipped", "upstream_failed": "were not run"}.items():
        count = sum(found == state for found in now.values())
        if count:
            say(f"{'':12}{count} tasks {words}")
    failed = [name for name, state in now.items() if state == "failed"]
    if process.returncode or failed:
        raise Problem(failure(running, dag_id, failed), 1)
    return run_id


def show_running(now: dict[str, str]) -> None:
    """On a terminal, what is at work just now; elsewhere nothing."""
    if sys.stderr.isatty():
        working = ", ".join(name for name, state in now.items() if state in ("running", "deferred"))
        clear_line()
        sys.stderr.write(f"  … {working:.90}" if working else "")
        sys.stderr.flush()


def clear_line() -> None:
    """Take back what `show_running` wrote."""
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()


def tail(lines: int = 15) -> str:
    """The end of the run's log."""
    return "\n".join(RUN_LOG.read_text(errors="replace").splitlines()[-lines:])


def error_of(dag_id: str, task: str) -> str:
    """The message of a task's last error in the run's log; empty if there is none."""
    text = RUN_LOG.read_text(errors="replace")
    # Airflow writes the traceback, then "Marking task as FAILED. dag_id=..., task_id=<task>,".
    ends = [
        match.start()
        for match in re.finditer(rf"Marking task as \w+\. dag_id={dag_id}, task_id={task},", text)
    ]
    if not ends:
        return ""
    block = text[: ends[-1]]
    block = block[block.rfind("Task failed with exception") :]
    block = block[: block.rfind("\n")]
    found = list(
        re.finditer(r"^(?:[\w.]+\.)?\w*(?:Error|Exception|Fail|Skip|Timeout)\w*(?:: |$)", block, re.MULTILINE)
    )
    message = block[found[-1].start() :].strip() if found else block.strip()
    # redshift_connector's errors are a dictionary; M is the message in it.
    inner = re.search(r"'M': (['\"])(.*?)\1[,}]", message)
    return inner[2] if inner else message


def load_errors(running: service.Running) -> str:
    """The lines that COPY refused last, as it recorded them; empty if there are none."""
    _, rows = ask(
        running,
        "select trim(filename), line_number, trim(colname), trim(err_reason) from stl_load_errors"
        " order by starttime desc limit 3",
    )
    return "".join(
        f"\n  {name} line {line}, column {column}: {reason}" for name, line, column, reason in rows
    )


def failure(running: service.Running, dag_id: str, failed: list[str]) -> str:
    """What to say of a run that failed."""
    log = shown(RUN_LOG)
    if not failed:
        return (
            f"Airflow ended before the run did.\n\nThe log {log} ends in:\n{tail()}\n\n"
            "Next: if it names a DAG file, mend that and run again; make test says more about imports."
        )
    parts = [f"task {name} failed:\n{error_of(dag_id, name) or tail()}" for name in failed]
    if any("stl_load_errors" in part for part in parts):
        parts.append(f"stl_load_errors has:{load_errors(running)}")
    return "\n\n".join(parts) + (
        f"\n\nThe published tables are as they were. Log: {log}\n"
        "Next: mend what the message names and run the same command again, it goes on from what is loaded.\n"
        '      make query SQL="select * from sparkify.quality_results where not passed"\n'
        "      make report  the run as a page: what came in, what was rejected, every check\n"
        "      make down && make run   begins with an empty lake and warehouse"
    )


def ask(running: service.Running, sql: str) -> tuple[list[str], list[Any]]:
    """Column names and rows of one statement on the warehouse; no columns for one that answers nothing.

    :raises redshift_connector.error.ProgrammingError: the warehouse refuses it.
    """
    connection = redshift_connector.connect(
        host="127.0.0.1",
        port=running.redshift_port,
        database=running.database,
        user=running.user,
        password=running.password,
        ssl=False,
    )
    try:
        connection.autocommit = True
        cursor = connection.cursor()
        cursor.execute(sql)
        if cursor.description is None:
            return [], []
        names = [item[0].decode() if isinstance(item[0], bytes) else item[0] for item in cursor.description]
        return names, list(cursor.fetchall())
    finally:
        connection.close()


def report(running: service.Running, run_id: str | None) -> None:
    """The rows of every table of the star's schema, and the checks of that run."""
    schema = json.loads(environment(SETTINGS, running, AIRFLOW_HOME)["AIRFLOW_VAR_SPARKIFY"])["schema"]
    _, rows = ask(
        running,
        f"select table_name from information_schema.tables where table_schema = '{schema}' order by 1",
    )
    names = [row[0] for row in rows]
    if not names:
        say(f"\nno table in schema {schema} yet")
        return
    say(f"\nrows in schema {schema}")
    for name in (*STAR, *(name for name in names if name not in STAR)):
        if name in names:
            count = ask(running, f'select count(*) from {schema}."{name}"')[1][0][0]
            say(f"  {name:<20} {count:>12,}")
    if run_id and "quality_results" in names:
        report_checks(running, schema, run_id)


def report_checks(running: service.Running, schema: str, run_id: str) -> None:
    """Checks passed and failed by table, and each that did not pass."""
    _, rows = ask(
        running,
        "select table_name, check_name, severity, expected, actual, passed "
        f"from {schema}.quality_results where run_id = '{run_id}' order by table_name, check_name",
    )
    if not rows:
        say("\nno check was run: nothing was new")
        return
    say(f"\nchecks: {sum(bool(row[5]) for row in rows)} of {len(rows)} passed")
    for table in sorted({row[0] for row in rows}):
        of_table = [row for row in rows if row[0] == table]
        say(f"  {table:<20} {sum(bool(row[5]) for row in of_table):>3} of {len(of_table)}")
    for table, check, severity, expected, actual, passed in rows:
        if not passed:
            say(f"  {severity}: {table}.{check}: expected {expected}, found {actual}")


# --- the commands -------------------------------------------------------------------------------------------------


def command_run(folder: str | None) -> None:
    """Load a folder, or the sample month, through the DAG and show what came of it."""
    if airflow_processes():
        raise Problem(
            f"Airflow is up on http://127.0.0.1:{ui_port()}: switch the DAG on or trigger it there, or make down first"
        )
    began = time.monotonic()
    data = chosen_folder(folder)
    running = services(data)
    prepare_airflow(running)
    say(f"running DAG {DAG_ID} for {data.start} up to and including {data.end - timedelta(days=1)}")
    run_id = run_dag(running, DAG_ID, {"start": data.start.isoformat(), "end": data.end.isoformat()})
    if tasks(running, DAG_ID, run_id).get("publish") == "success":
        # With a scheduler the Dataset of songplays starts it.
        say(f"running DAG {REPORTS_DAG_ID}, which follows every publication")
        run_dag(running, REPORTS_DAG_ID, {})
    else:
        say("nothing is new in the lake: the warehouse is as it was")
    report(running, run_id)
    say(f"\ndone in {time.monotonic() - began:.0f} s. To look further:")
    say("  make report  this run as a page for the browser")
    say('  make query SQL="select * from sparkify.songplays limit 5"')
    say('  make query SQL="select * from reports.daily order by day"')
    say("  make up      Airflow's pages, with this run")
    say(f"  less {shown(RUN_LOG)}")
    say("  make down    stop it all and forget it")


def command_up(folder: str | None) -> None:
    """Start Airflow beside the services, the DAG ready to be switched on."""
    url = f"http://127.0.0.1:{ui_port()}"
    if airflow_processes():
        say(f"Airflow is up already: {url} (make status, make down)")
        return
    check_free(ui_port(), "SPARKIFY_UI_PORT")
    held = (
        json.loads(LAKE_NOTE.read_text())["folder"]
        if service.status(SERVICES) and LAKE_NOTE.exists()
        else None
    )
    # Without a folder named, what the lake holds already is what is wanted.
    data = chosen_folder(folder or (held if held != str(HOME / "sample") else None))
    running = services(data)
    prepare_airflow(running)
    password = make_user(running)
    env = airflow_environment(running, data)
    # All share one folder of logs, so none need serve them (which they would on every address).
    commands = {
        "scheduler": ["scheduler", "--skip-serve-logs"],
        "triggerer": ["triggerer", "--skip-serve-logs"],
        "webserver": ["webserver", "--hostname", "127.0.0.1", "--port", str(ui_port())],
    }
    started = []
    for name, arguments in commands.items():
        with (AIRFLOW_HOME / f"{name}.log").open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "airflow", *arguments],
                env=env,
                cwd=PROJECT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        started.append((process.pid, psutil.Process(process.pid).create_time()))
        AIRFLOW_NOTE.write_text(json.dumps(started))
    say("starting Airflow's scheduler, triggerer and web server")
    try:
        wait_until_up(running, url, set(commands))
    except BaseException:
        stop_airflow()
        raise
    say(f"\nAirflow is up: {url}   user admin, password {password}")
    say(
        f"DAG {DAG_ID} is off; switched on, it loads {data.start} to {data.end - timedelta(days=1)}, a run a day"
    )
    say(f"logs: {shown(AIRFLOW_HOME)}/*.log   stop it all: make down")


def make_user(running: service.Running) -> str:
    """The administrator of the pages, once a life; returns the password."""
    note = AIRFLOW_HOME / "password"
    with ask_airflow(running) as cursor:
        cursor.execute("select to_regclass('ab_user') is not null")
        exists = cursor.fetchone()[0]
        if exists:
            cursor.execute("select count(*) from ab_user")
            exists = cursor.fetchone()[0]
    if exists and note.exists():
        return note.read_text()
    note.touch(mode=0o600)
    note.write_text(secrets.token_urlsafe(9))
    names = (
        "--username admin --role Admin --firstname Local --lastname Admin --email admin@example.com".split()
    )
    done = subprocess.run(
        [sys.executable, "-m", "airflow", "users", "create", *names, "--password", note.read_text()],
        env=airflow_environment(running),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Problem(f"Airflow could not make its user:\n{done.stderr.strip()[-2000:]}", 1)
    return note.read_text()


def wait_until_up(running: service.Running, url: str, wanted: set[str]) -> None:
    """Until the pages answer, scheduler and triggerer beat, and the DAG is known.

    :raises Problem: a process ended, the DAG does not import, or nothing came in time.
    """
    deadline = time.monotonic() + UI_TIMEOUT
    with tqdm(total=4, desc="waiting", unit="", disable=None, leave=False) as bar:
        while True:
            if len(airflow_processes()) < len(wanted):
                logs = [
                    f"{name}.log: {(AIRFLOW_HOME / f'{name}.log').read_text()[-800:]}"
                    for name in sorted(wanted)
                ]
                raise Problem("Airflow ended while starting:\n" + "\n".join(logs), 1)
            healthy = healthy_parts(url)
            with ask_airflow(running) as cursor:
                cursor.execute("select count(*) from dag where dag_id = %s and is_active", (DAG_ID,))
                known = cursor.fetchone()[0]
                cursor.execute("select filename, stacktrace from import_error")
                broken = cursor.fetchall()
            if broken and not known:
                raise Problem("\n".join(f"{name} does not import:\n{trace}" for name, trace in broken), 1)
            bar.update(healthy + known - bar.n)
            if healthy + known == 4:
                return
            if time.monotonic() > deadline:
                raise Problem(f"Airflow is not up after {UI_TIMEOUT} s; see {shown(AIRFLOW_HOME)}/*.log", 1)
            time.sleep(0.5)


def healthy_parts(url: str) -> int:
    """How many of web server, scheduler and triggerer say they are well."""
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=5) as answer:
            parts = json.load(answer)
    except (OSError, ValueError):
        return 0
    return 1 + sum(parts.get(name, {}).get("status") == "healthy" for name in ("scheduler", "triggerer"))


def command_down() -> None:
    """Stop Airflow and the services; what they held is gone, the sample and the logs stay."""
    ended = stop_airflow()
    running = stop_services()
    LAKE_NOTE.unlink(missing_ok=True)
    if not ended and not running:
        say("nothing was running")
    else:
        say(
            "stopped"
            + (" Airflow and" if ended else "")
            + " the local services; lake and warehouse are empty again"
        )


def command_serve() -> None:
    """The services with the sample month in their lake, in the foreground and on every address: for a container."""
    LAKE_NOTE.unlink(missing_ok=True)
    data = chosen_folder(None)
    command = [
        sys.executable,
        "-m",
        "include.local_aws",
        "serve",
        "--host",
        "0.0.0.0",
        "--home",
        str(SERVICES),
    ]
    with subprocess.Popen(command, cwd=PROJECT) as process:
        while not (running := service.status(SERVICES)):
            with contextlib.suppress(subprocess.TimeoutExpired):
                raise Problem(f"the services ended with code {process.wait(0.2)}", 1)
        upload(running, data)
        LAKE_NOTE.write_text(json.dumps(data.identity))
        say(f"ready: {len(data.files):,} files in s3://{buckets()[0]}")


def command_status() -> None:
    """What runs, and what the lake and the warehouse hold."""
    running = service.status(SERVICES)
    if not running:
        say("nothing is running: make run, or make up")
        return
    say(f"AWS        {running.aws_endpoint}")
    say(f"Redshift   127.0.0.1:{running.redshift_port} database {running.database} user {running.user}")
    say(f"Airflow    {f'http://127.0.0.1:{ui_port()}' if airflow_processes() else 'not up (make up)'}")
    say(f"lake       {len(lake_objects(running)):,} files of {json.loads(LAKE_NOTE.read_text())['folder']}")
    report(running, None)


def command_report() -> None:
    """Fetch the newest run's report, the page and the JSON beside it, and say where it lies."""
    running = service.status(SERVICES)
    if not running:
        raise Problem("nothing is running: make run (or make up) first", 1)
    s3 = aws.client(running.aws_endpoint, "s3")
    _, work = buckets()
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=work, Prefix="reports/")
    found = [item for page in pages for item in page.get("Contents", []) if item["Key"].endswith(".html")]
    if not found:
        raise Problem("no run has left a report yet: make run first", 1)
    folder = max(found, key=lambda item: item["LastModified"])["Key"].rpartition("/")[0]
    REPORT.mkdir(exist_ok=True)
    for name in ("report.html", "report.json"):
        (REPORT / name).write_bytes(s3.get_object(Bucket=work, Key=f"{folder}/{name}")["Body"].read())
    say(f"{shown(REPORT / 'report.html')}   for a browser: {(REPORT / 'report.html').as_uri()}")


def command_query(sql: str) -> None:
    """The answer as CSV with a header line; NULL is empty, true and false are words."""
    if not sql.strip():
        raise Problem('what to ask? make query SQL="select count(*) from sparkify.songplays"')
    running = service.status(SERVICES)
    if not running:
        raise Problem("nothing is running: make run (or make up) first", 1)
    try:
        names, rows = ask(running, sql)
    except redshift_connector.error.Error as error:
        detail = error.args[0] if error.args else error
        raise Problem(detail.get("M", str(detail)) if isinstance(detail, dict) else str(detail), 1) from None
    writer = csv.writer(sys.stdout, lineterminator="\n")
    if names:
        writer.writerow(names)
    for row in rows:
        writer.writerow([as_text(value) for value in row])


def as_text(value: Any) -> Any:
    """A value as a Redshift client prints it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return f"{value:f}"
    return value


def shown(path: Path) -> str:
    """A path as a person would type it here."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def say(text: str) -> None:
    """A line of progress or result."""
    print(text, flush=True)


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """One command at a time may change what runs.

    :raises Problem: another one is at work.
    """
    HOME.mkdir(exist_ok=True)
    with (HOME / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Problem("another make run, up or down is at work in this folder: wait for it") from None
        yield


def main(arguments: list[str] | None = None) -> int:
    """The command line; see the module's docstring for the exit codes."""
    parser = argparse.ArgumentParser(prog="drive", description="Run the project on this machine.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("run", "up"):
        commands.add_parser(name).add_argument("folder", nargs="?", help="holds log_data/ and song_data/")
    for name in ("down", "status", "serve", "report"):
        commands.add_parser(name)
    commands.add_parser("query").add_argument("sql")
    given = parser.parse_args(arguments)
    # A proxy of this person's is not for the local services.
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"
    try:
        if given.command == "query":
            command_query(given.sql)
        elif given.command == "status":
            command_status()
        elif given.command == "report":
            command_report()
        else:
            with alone():
                if given.command == "run":
                    command_run(given.folder)
                elif given.command == "up":
                    command_up(given.folder)
                elif given.command == "serve":
                    command_serve()
                else:
                    command_down()
    except Problem as problem:
        clear_line()
        print(f"\n{problem}" if given.command != "query" else problem, file=sys.stderr)
        return problem.code
    except service.ServiceError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        clear_line()
        print("\nstopped; the same command goes on from here", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


if __name__ == "__main__":
    sys.exit(main())
