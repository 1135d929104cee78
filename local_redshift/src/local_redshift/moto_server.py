"""Run the AWS side: moto in its own process, with S3, IAM, STS, Secrets Manager, Redshift and other services."""

from __future__ import annotations

import functools
import json
import os
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from .aws_json import Application
from .roles import Address, Roles
from .service import Running, urlopen

_MANY = "/local-redshift/objects"  # beside moto's own paths
_MANY_BYTES = 4 << 20


def read_many(endpoint: str, names: Sequence[tuple[str, str]]) -> list[bytes | None]:
    """Return the contents of several objects (bucket, key), or None for each that is missing or beyond the first 4 MB.

    moto answers about 400 requests per second, so 15,000 song files would otherwise take half a minute.
    """
    request = urllib.request.Request(endpoint + _MANY, json.dumps(names).encode())
    with urlopen(request, timeout=60) as answer:
        found: list[bytes | None] = []
        for _ in names:
            (size,) = struct.unpack("!i", answer.read(4))
            found.append(answer.read(size) if size >= 0 else None)
        return found


def _many(names: Iterable[tuple[str, str]]) -> Iterator[bytes]:
    from moto.s3.models import s3_backends

    sent = 0
    for bucket, key in names:
        content = None
        if bucket in s3_backends.bucket_accounts and sent < _MANY_BYTES:
            partition, account = s3_backends.bucket_accounts[bucket]
            found = s3_backends[account][partition].get_object(bucket, key)
            if found is not None and sent + found.size <= _MANY_BYTES:
                content = found.value
        sent += len(content or b"")
        yield struct.pack("!i", -1) if content is None else struct.pack("!i", len(content)) + content


def spawn(
    listening: socket.socket, log: Any, running: Running, superuser: str, names: Sequence[str]
) -> subprocess.Popen[bytes]:
    """Serve moto on an already bound socket until standard input closes, which happens when the parent ends.

    Each cluster has the endpoint of the Redshift of `running`.

    :param superuser: conninfo of PostgreSQL's superuser.
    :param names: other names of this machine that clients use, besides 127.0.0.1 and localhost.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "local_redshift.moto_server", str(listening.fileno())],
        # As on AWS, the bucket's CORS rules determine what a browser may read from S3.
        env={**os.environ, "MOTO_DISABLE_GLOBAL_CORS": "true"},
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=log,
        pass_fds=(listening.fileno(),),
        start_new_session=True,
    )
    # Send the passwords through the pipe, because arguments are visible in the process list.
    assert process.stdin is not None
    process.stdin.write(json.dumps([asdict(running), superuser, list(names)]).encode() + b"\n")
    process.stdin.flush()
    return process


def _serve(file_number: int, running: Running, superuser: str, names: Sequence[str]) -> None:
    import uvicorn
    from a2wsgi import WSGIMiddleware
    from moto import backends
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    from .local_only import LocalOnly
    from .moto_s3 import Objects

    # moto lists the directory of its services twice per request, which is half the cost of a request.
    modules = list(backends.list_of_moto_modules())
    backends.list_of_moto_modules = lambda: modules
    moto = _attach(DomainDispatcherApplication(create_backend_app), Roles(running, superuser), running)
    # a2wsgi declares its own types for WSGI and ASGI.
    through_flask: Any = WSGIMiddleware(moto, workers=16)  # type: ignore[arg-type]
    application = LocalOnly(Objects(through_flask), names)
    config = uvicorn.Config(
        application,
        http="httptools",
        loop="asyncio",
        lifespan="off",
        access_log=False,
        log_level="error",
        server_header=False,
        # boto3 keeps connections open. If the server closed one, boto3 would have to retry.
        timeout_keep_alive=600,
        timeout_graceful_shutdown=1,
    )
    _create_role(running.role)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=file_number)])


def _create_role(arn: str) -> None:
    """Create the role that COPY names, without a policy: moto does not check permissions."""
    from moto.iam.models import iam_backends

    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "redshift.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    account, name = arn.split(":")[4], arn.rsplit("/", 1)[-1]
    iam_backends[account]["aws"].create_role(name, document, "/", None, "", [], None)


def wait(endpoint: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until the server answers. Raise SystemExit if it ends first or does not answer within a minute."""
    deadline = time.monotonic() + 60
    while True:
        try:
            read_many(endpoint, [])
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                sys.exit("The local AWS (moto) did not start. See the lines above.")
            time.sleep(0.05)


def _attach(moto: Application, roles: Roles, running: Running) -> Application:
    """Return moto's application with the front as its clusters, and with the services that moto does not have."""
    from moto.core.request import (
        PRESERVED_HEADER_NAMES_ENVIRON_KEY,
        environ_key_for_header,
        should_preserve_original_header_name,
    )

    port, endpoint = running.redshift_port, running.aws_endpoint
    address, lock = Address(port), threading.Lock()

    @functools.cache
    def redshift() -> Application:
        # Import these on first use, because they take as long as the rest of moto.
        from . import aws_json, moto_clusters
        from .data_api import DataApi
        from .data_logins import Logins
        from .serverless import Serverless

        moto_clusters.attach(roles, address)
        serverless = Serverless(roles, address)
        logins = Logins(roles, serverless, running.host, port)
        data_api = DataApi(logins.check, logins.connect)
        beside = aws_json.serve(moto, "redshift-serverless", serverless)
        return aws_json.serve(beside, "redshift-data", data_api)

    @functools.cache
    def stacks() -> None:
        from . import moto_stacks

        moto_stacks.attach(endpoint)

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] == _MANY:
            body = b"".join(_many(json.loads(environ["wsgi.input"].read())))
            start_response("200 OK", [("Content-Length", str(len(body)))])
            return [body]
        address.host = environ.get("HTTP_HOST", "127.0.0.1").rsplit(":", 1)[0]
        # Copy values that only ASGI's scope has to the names that moto expects from its own server.
        scope = environ["asgi.scope"]
        query = scope["query_string"].decode()
        environ["RAW_URI"] = scope["raw_path"].decode() + (f"?{query}" if query else "")
        environ["wsgi.input_terminated"] = True
        names = [name.decode("latin-1") for name, _ in scope["headers"]]
        environ[PRESERVED_HEADER_NAMES_ENVIRON_KEY] = {
            environ_key_for_header(name): name for name in names if should_preserve_original_header_name(name)
        }
        signed = environ.get("HTTP_AUTHORIZATION", "")
        if "/cloudformation/" in signed:
            with lock:
                stacks()
        # The services redshift, redshift-serverless and redshift-data.
        if "/redshift" not in signed:
            return moto(environ, start_response)
        with lock:
            application = redshift()
        return application(environ, start_response)

    return application


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    _running, _superuser, _names = json.loads(sys.stdin.buffer.readline())
    _serve(int(sys.argv[1]), Running(**_running), _superuser, _names)
