"""The command line behind the Makefile, which runs Sparkify on this machine without a cloud.

    python -m local.cli run [FOLDER] | up [FOLDER] | down | report | listening | env
    python -m local.cli query SQL [analyst] | airflow "COMMAND"

The services and their data exist from the first `run` or `up` until `down`. Their state is below .local/.

Exit codes: 0 for success; 1 if a step failed (the message names the step and the next action); 2 for bad input or a bad
environment. `airflow` returns the exit code of Airflow's command.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys

import botocore.exceptions
import psycopg2
import redshift_connector

from local import airflow, airflow_settings, lake, report, run, services, up, warehouse
from local.home import Home, Problem, clear_line, say, shown
from local_redshift import service


def down(home: Home) -> None:
    """Stop Airflow and the services, and delete their data. The sample and the logs are kept."""
    ended = up.stop(home)
    answered = services.stop(home)
    if not ended and not answered:
        say("nothing was running")
    else:
        say(
            f"stopped{' Airflow and' if ended else ''} the local services; lake and warehouse are empty again"
        )


def print_environment(home: Home) -> None:
    """Print the .env file for an Airflow that `make` did not start.

    :raises Problem: nothing is running, or the lake is empty.
    """
    running, note = services.require(home), lake.Note.read(home)
    if note is None:
        raise Problem("the lake is empty.\nNext: make run, or make up", 1)
    sys.stdout.write(airflow_settings.dotenv(running, note.days))


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Return the command and its arguments."""
    parser = argparse.ArgumentParser(prog="cli", description="Run the project on this machine.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("run", "up"):
        commands.add_parser(name).add_argument("folder", nargs="?", help="holds log_data/ and song_data/")
    for name in ("down", "report", "listening", "env"):
        commands.add_parser(name)
    asked = commands.add_parser("query")
    asked.add_argument("sql")
    asked.add_argument("user", nargs="?", default="", help="analyst; otherwise the pipeline")
    commands.add_parser("airflow").add_argument("arguments", help="for example: dags list")
    return parser.parse_args(arguments)


def dispatch(home: Home, given: argparse.Namespace) -> int:
    """Run the command and return the exit code."""
    if given.command in ("run", "up", "down"):
        with home.locked():
            if given.command == "run":
                run.load(home, given.folder)
            elif given.command == "up":
                up.start(home, given.folder)
            else:
                down(home)
    elif given.command in ("report", "listening"):
        report.fetch(home, services.require(home), f"{given.command}.html")
    elif given.command == "env":
        print_environment(home)
    elif given.command == "query":
        warehouse.print_csv(services.require(home), given.sql, given.user)
    else:
        try:
            arguments = shlex.split(given.arguments)
        except ValueError as error:
            raise Problem(f"{error} in CMD: {given.arguments}\nNext: close the quotation") from None
        return airflow.command_line(home, arguments)
    return 0


def main(arguments: list[str] | None = None, home: Home | None = None) -> int:
    """Run one command and return the exit code (see the module's docstring)."""
    given = parse(arguments)
    home = home or Home()
    # Requests to the local services must not go through the user's proxy.
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"
    try:
        return dispatch(home, given)
    except Problem as problem:
        clear_line()
        print(problem if given.command == "query" else f"\n{problem}", file=sys.stderr)
        return problem.code
    except service.ServiceError as error:
        print(f"\n{error}\nNext: make down, then run the same command again", file=sys.stderr)
        return 1
    except (
        psycopg2.OperationalError,
        redshift_connector.InterfaceError,
        botocore.exceptions.HTTPClientError,
    ):
        clear_line()
        print(
            f"\nthe local services stopped answering; their log is {shown(home.services / 'local_redshift.log')}.\n"
            "Next: run the same command again; it starts them again with an empty lake and warehouse",
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt:
        clear_line()
        print("\ninterrupted; the same command continues from here", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


if __name__ == "__main__":
    sys.exit(main())
