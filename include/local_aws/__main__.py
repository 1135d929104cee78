"""`python -m include.local_aws serve`: the local AWS and Redshift in the foreground, until SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import errno
import fcntl
import json
import os
import signal
import socket
import sys
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import aws, postgres
from .front import Front


class Books:
    """Loads on record: written outside the client's transaction, so that they outlive its rollback."""

    def __init__(self, server: postgres.Postgres) -> None:
        self._server = server

    def next_query(self) -> int:
        with self._server.transaction() as cursor:
            cursor.execute("select nextval('local_query_id')")
            return int(cursor.fetchone()[0])

    def record_errors(self, rows: Sequence[dict[str, Any]]) -> None:
        self._record("local_load_errors", "starttime", rows)

    def record_files(self, rows: Sequence[dict[str, Any]]) -> None:
        self._record("local_load_commits", "curtime", rows)

    def _record(self, table: str, when: str, rows: Sequence[dict[str, Any]]) -> None:
        with self._server.transaction() as cursor:
            cursor.execute(
                f"insert into {table} select (jsonb_populate_record(null::{table}, r ||"
                f" json_build_object('{when}', localtimestamp)::jsonb)).* from jsonb_array_elements(%s::jsonb) as r",
                (json.dumps(rows),),
            )


def _listen(host: str, port: int, what: str, setting: str) -> socket.socket:
    # asyncio switches Nagle's delay (40 ms a statement) off only where the protocol is named.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        sys.exit(
            f"Port {port} ({what}) is in use: set {setting} to another one,"
            " or run `make down` if it is an older run of this project."
        )
    listening.listen(128)
    return listening


def _only_one(home: Path) -> int:
    """Hold this folder's lock as long as the process lives."""
    lock = os.open(home / "local_aws.lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(f"The local services already run with their state in {home}; stop them first (`make down`).")
    return lock


def _wait_for_aws(endpoint: str, process: Any) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(f"{endpoint}/moto-api/data.json", timeout=60).read()
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                sys.exit("The local AWS (moto) did not start; see the lines above.")
            time.sleep(0.05)


async def _run_front(front: Front, listening: socket.socket, children: Sequence[Any]) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    server = await asyncio.start_server(front.serve, sock=listening)
    watching = asyncio.create_task(_watch(children, stop))
    await stop.wait()
    watching.cancel()
    server.close()


async def _watch(children: Sequence[Any], stop: asyncio.Event) -> None:
    """A stand-in without one of its halves is worse than none."""
    while all(child.poll() is None for child in children):
        await asyncio.sleep(1)
    print("One of the local services ended unexpectedly; stopping the others.", file=sys.stderr)
    stop.set()


def serve(home: Path, host: str, aws_port: int, redshift_port: int) -> None:
    """Run both stand-ins; DIR/local_aws.json exists while they answer."""
    home.mkdir(parents=True, exist_ok=True)
    home = home.resolve()
    lock = _only_one(home)
    state = home / "local_aws.json"
    state.unlink(missing_ok=True)
    aws_socket = _listen(host, aws_port, "the local AWS", "SPARKIFY_AWS_PORT")
    redshift_socket = _listen(host, redshift_port, "the local Redshift", "SPARKIFY_REDSHIFT_PORT")
    endpoint = f"http://127.0.0.1:{aws_socket.getsockname()[1]}"
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with contextlib.ExitStack() as stack:
        moto = aws.spawn(aws_socket, sys.stderr, home, redshift_socket.getsockname()[1])
        aws_socket.close()
        stack.callback(moto.wait)
        stack.callback(moto.terminate)
        server = postgres.Postgres(home)
        stack.callback(server.stop)
        server.start()
        server.bootstrap()
        _wait_for_aws(endpoint, moto)
        aws.create_copy_role(endpoint)
        front = Front(server.socket, Books(server), (aws.client(endpoint, "s3"), aws.client(endpoint, "iam")))
        stack.callback(state.unlink, missing_ok=True)
        answer = {
            "pid": os.getpid(),
            "aws_endpoint": endpoint,
            "redshift_port": redshift_socket.getsockname()[1],
            "user": postgres.MASTER_USER,
            "password": postgres.MASTER_PASSWORD,
            "database": postgres.DATABASE,
        }
        draft = state.with_suffix(".new")
        draft.write_text(json.dumps(answer))
        draft.replace(state)
        print(f"Local AWS at {endpoint}, local Redshift at 127.0.0.1:{answer['redshift_port']}.", flush=True)
        asyncio.run(_run_front(front, redshift_socket, [moto, server.process]))
    os.close(lock)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m include.local_aws", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("serve", help="run in the foreground until SIGTERM or SIGINT")
    command.add_argument("--home", type=Path, required=True, help="folder for data, logs and local_aws.json")
    command.add_argument("--aws-port", type=int, default=5566, help="0 for any free port (default 5566)")
    command.add_argument("--redshift-port", type=int, default=5439, help="0 for any free port (default 5439)")
    command.add_argument("--host", default="127.0.0.1", help="address to listen on (default: loopback alone)")
    given = parser.parse_args()
    try:
        serve(given.home, given.host, given.aws_port, given.redshift_port)
    except RuntimeError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
