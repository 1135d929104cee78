"""The AWS side: a moto server in a process of its own (S3, IAM, STS, Secrets Manager, Redshift, ...)."""

from __future__ import annotations

import json
import socket
import struct
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from . import clusters

REGION = "us-west-2"
COPY_ROLE = "sparkify-copy"


def client(endpoint: str, service: str) -> Any:
    """A boto3 client of the local AWS; nothing of the caller's environment or home is used."""
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id="local",
        aws_secret_access_key="local",
        config=Config(
            max_pool_connections=16,
            retries={"max_attempts": 3, "mode": "standard"},
            s3={"addressing_style": "path"},
            # Checksums of a local copy cost a third of a small request.
            response_checksum_validation="when_required",
            request_checksum_calculation="when_required",
        ),
    )


def create_copy_role(endpoint: str) -> None:
    """The role COPY names, attached to nothing: moto does not check permissions."""
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "redshift.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
    client(endpoint, "iam").create_role(RoleName=COPY_ROLE, AssumeRolePolicyDocument=json.dumps(trust))


_MANY = "/local-aws/objects"  # beside moto's own paths
_MANY_BYTES = 4 << 20


def read_many(endpoint: str, names: Sequence[tuple[str, str]]) -> list[bytes | None]:
    """The content of objects (bucket, key) in one request; None for one that is missing, or beyond the first 4 MB.

    moto answers some 400 requests a second: a catalogue of 15,000 one-song files would take half a minute.
    """
    request = urllib.request.Request(endpoint + _MANY, json.dumps(names).encode())
    with urllib.request.urlopen(request, timeout=60) as answer:
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


def spawn(listening: socket.socket, log: Any, home: Path, redshift_port: int) -> subprocess.Popen[bytes]:
    """Serve moto on an already bound socket until standard input closes, that is: until the parent ends.

    Its clusters are the front at `redshift_port`, whose state is in `home`.
    """
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "include.local_aws.aws"),
            *(str(listening.fileno()), str(home), str(redshift_port)),
        ],
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=log,
        pass_fds=(listening.fileno(),),
        start_new_session=True,
    )


def _serve(file_number: int, home: Path, redshift_port: int) -> None:
    import logging

    from moto.moto_server.werkzeug_app import (
        DomainDispatcherApplication,
        MotoRequestHandler,
        create_backend_app,
    )
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    listening = socket.socket(fileno=file_number)
    host, port = listening.getsockname()[:2]
    moto = clusters.attached(DomainDispatcherApplication(create_backend_app), home, redshift_port)

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] != _MANY:
            return moto(environ, start_response)
        names = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
        body = b"".join(_many(names))
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]

    server = make_server(
        host, port, application, threaded=True, request_handler=MotoRequestHandler, fd=file_number
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.buffer.read()


if __name__ == "__main__":
    _serve(int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
