"""Run PostgreSQL, moto and the front together, and accept clients."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import json
import os
import signal
import socket
import struct
import sys
import threading
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from . import moto_server, wire
from .copy.history import LoadHistory
from .postgres import Postgres
from .service import STATE, Options, Running
from .session import Session, Streams
from .trouble import Cluster


class Front:
    """The server of the wire protocol. It opens one PostgreSQL connection per client."""

    def __init__(
        self, postgres_socket: str, history: LoadHistory, clients: tuple[Any, Any], cluster: Cluster
    ) -> None:
        self._socket, self._history, self._clients = postgres_socket, history, clients
        self._cluster = cluster

    async def _connect(self) -> Streams:
        return await asyncio.open_unix_connection(self._socket)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client from its first byte to its last."""
        try:
            startup = await self._startup(reader, writer)
            if startup is not None:
                postgres = await self._connect()
                session = Session((reader, writer), postgres, self._history, self._clients, self._cluster)
                await session.run(startup)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _startup(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> dict[str, str] | None:
        while True:
            (length,) = struct.unpack("!I", await reader.readexactly(4))
            if not 8 <= length <= 10000:
                return None
            body = await reader.readexactly(length - 4)
            (code,) = struct.unpack("!I", body[:4])
            if code in (wire.SSL_REQUEST, wire.GSS_REQUEST):
                writer.write(b"N")
                await writer.drain()
            elif code == wire.CANCEL_REQUEST:
                _, backend = await self._connect()
                backend.write(struct.pack("!I", length) + body)
                await backend.drain()
                backend.close()
                return None
            elif code >> 16 == 3:
                words = body[4:].decode("utf-8", "replace").split("\0")
                return dict(zip(words[0::2], words[1::2], strict=False))
            else:
                return None


def _listen(host: str, port: int, what: str, option: str) -> socket.socket:
    # asyncio disables Nagle's algorithm (a delay of 40 ms per statement) only if the socket names its protocol.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except (OSError, OverflowError) as error:
        if getattr(error, "errno", None) == errno.EADDRINUSE:
            sys.exit(f"Port {port} ({what}) is in use. Choose another port with {option} (0: any free port).")
        sys.exit(
            f"Cannot listen on {host}, port {port} ({what}): {error}. Next: choose another IPv4 address of this machine"
            f" with --host, or another port with {option}."
        )
    listening.listen(128)
    return listening


def _lock(home: Path) -> int:
    """Hold the lock on the folder until the process exits."""
    lock = os.open(home / "local_redshift.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(f"A local Redshift is already running in {home}. Stop it first, or choose another --home.")
    return lock


def serve(home: Path, options: Options, attached: bool = False) -> None:
    """Run in the foreground until SIGTERM or SIGINT. While the services answer, home/local_redshift.json exists.

    :param attached: also stop when standard input closes, which happens when the parent process ends.
    """
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    home = home.resolve()
    lock = _lock(home)
    state = home / STATE
    state.unlink(missing_ok=True)
    aws_socket = _listen(options.host, options.aws_port, "S3 and AWS", "--aws-port")
    redshift_socket = _listen(options.host, options.redshift_port, "Redshift", "--redshift-port")
    host = "127.0.0.1" if options.host == "0.0.0.0" else options.host
    endpoint = f"http://{host}:{aws_socket.getsockname()[1]}"
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with contextlib.ExitStack() as stack:
        postgres = Postgres(home, options.user, options.password, options.database)
        running = Running(
            pid=os.getpid(),
            aws_endpoint=endpoint,
            redshift_port=redshift_socket.getsockname()[1],
            user=options.user,
            password=options.password,
            database=options.database,
            role=f"arn:aws:iam::123456789012:role/{options.role}",
            postgres_host=postgres.host,
            host=host,
        )
        moto = moto_server.spawn(aws_socket, sys.stderr, running, postgres.superuser, (*options.names, host))
        aws_socket.close()
        stack.callback(moto.wait)
        stack.callback(moto.terminate)
        stack.callback(postgres.stop)
        postgres.start()
        postgres.bootstrap()
        # Importing boto3 takes as long as starting PostgreSQL. Meanwhile, moto starts in its own process, which takes
        # even longer.
        clients = running.client("s3"), running.client("iam")
        cluster = Cluster(options.trouble, options.seed)
        front = Front(postgres.socket, LoadHistory(postgres), clients, cluster)
        moto_server.wait(endpoint, moto)
        stack.callback(state.unlink, missing_ok=True)
        draft = state.with_suffix(".new")
        draft.touch(mode=0o600)
        draft.write_text(json.dumps(asdict(running)))
        draft.replace(state)
        print(f"Local AWS at {endpoint}, local Redshift at {host}:{running.redshift_port}.", flush=True)
        asyncio.run(_run(front, redshift_socket, [moto, postgres.process], attached))
    os.close(lock)


async def _run(front: Front, listening: socket.socket, children: Sequence[Any], attached: bool) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if attached:
        threading.Thread(target=_wait_for_parent, args=(loop, stop), daemon=True).start()
    server = await asyncio.start_server(front.serve, sock=listening)
    watching = asyncio.create_task(_watch(children, stop))
    await stop.wait()
    watching.cancel()
    server.close()


def _wait_for_parent(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """Stop when standard input closes, which happens when the parent process ends."""
    os.read(0, 1)
    loop.call_soon_threadsafe(stop.set)


async def _watch(children: Sequence[Any], stop: asyncio.Event) -> None:
    """Stop all services when one of them ends, because the others need it."""
    while all(child.poll() is None for child in children):
        await asyncio.sleep(1)
    print("One of the local services stopped unexpectedly. The other services are stopped.", file=sys.stderr)
    stop.set()
