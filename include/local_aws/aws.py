"""The AWS side: a moto server in a process of its own (S3, IAM, STS, Secrets Manager, Redshift, ...)."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from typing import Any

import boto3
from botocore.config import Config

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


def spawn(listening: socket.socket, log: Any) -> subprocess.Popen[bytes]:
    """Serve moto on an already bound socket until standard input closes, that is: until the parent ends."""
    return subprocess.Popen(
        [sys.executable, "-m", "include.local_aws.aws", str(listening.fileno())],
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=log,
        pass_fds=(listening.fileno(),),
        start_new_session=True,
    )


def _serve(file_number: int) -> None:
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
    application = DomainDispatcherApplication(create_backend_app)
    server = make_server(
        host, port, application, threaded=True, request_handler=MotoRequestHandler, fd=file_number
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.buffer.read()


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
