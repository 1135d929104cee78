"""`local-redshift serve | status | stop`: run a local Redshift and S3 on this machine."""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import sys
from dataclasses import fields
from pathlib import Path

from .service import DEFAULT_HOME, Options, ServiceError, check_platform, status, stop


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="local-redshift", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (
        ("serve", "run in the foreground until Ctrl-C"),
        ("status", "print where the services answer and how to log in"),
        ("stop", "stop the services"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument(
            "--home", type=Path, default=DEFAULT_HOME, help=f"folder for state and logs ({DEFAULT_HOME})"
        )
    command = commands.choices["serve"]
    defaults = Options()
    command.add_argument("--redshift-port", type=int, default=5439, help="0 for any free port (5439)")
    command.add_argument("--aws-port", type=int, default=5566, help="0 for any free port (5566)")
    command.add_argument("--host", default=defaults.host, help="address to listen on (127.0.0.1)")
    command.add_argument(
        "--name",
        action="append",
        default=[],
        dest="names",
        metavar="NAME",
        help="another name of this machine that AWS clients may use",
    )
    command.add_argument("--user", default=defaults.user, help=f"master user ({defaults.user})")
    command.add_argument("--database", default=defaults.database, help=f"its database ({defaults.database})")
    command.add_argument("--role", default=defaults.role, help=f"IAM role for COPY ({defaults.role})")
    command.add_argument(
        "--trouble",
        type=float,
        default=0.0,
        help="share of statements, such as 0.02, that meet an error of concurrency or lose their connection (0)",
    )
    command.add_argument("--seed", type=int, default=0, help="seed of the trouble (0)")
    command.add_argument("--attached", action="store_true", help="stop when standard input closes")
    command.add_argument("--temporary", action="store_true", help="delete the home at the end")
    command.epilog = (
        "LOCAL_REDSHIFT_PASSWORD sets the master user's password. By default, a new password is generated."
    )
    return parser


def _serve(given: argparse.Namespace) -> None:
    check_platform()
    from .server import serve

    options = Options(
        **{field.name: vars(given)[field.name] for field in fields(Options) if field.name in given}
    )
    if password := os.environ.pop("LOCAL_REDSHIFT_PASSWORD", ""):
        options.password = password
    serve(given.home, options, given.attached)
    if given.temporary:
        shutil.rmtree(given.home, ignore_errors=True)


def _status(home: Path) -> None:
    running = status(home)
    if running is None:
        sys.exit(f"No local Redshift is running in {home}.")
    print(f"Redshift  psql {shlex.quote(running.dsn)}")
    print(f"AWS       {running.aws_endpoint} (any access key)")
    print(f"COPY      iam_role '{running.role}'")


def main() -> None:
    """Run one command."""
    given = _parser().parse_args()
    try:
        if given.command == "serve":
            _serve(given)
        elif given.command == "status":
            _status(given.home)
        else:
            stop(given.home)
    except (RuntimeError, ServiceError) as error:
        sys.exit(str(error))
