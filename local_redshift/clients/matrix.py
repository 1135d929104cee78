"""`make clients`: run typical first-day work of real tools on a local Redshift. Print each tool, version and result.

Each tool has its own environment (`tools.toml`) and its own local Redshift. The exit code is 1 if a step fails that
does not fail in the table of the README. With --write, the results replace the table of the README.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import environments

import local_redshift

SCRIPTS = environments.HERE / "scripts"
BUCKET = "clients"
BLOCK = "clients"
JDBC = Path("/usr/share/java/postgresql.jar")
SECONDS = 600


@dataclass
class Row:
    """The result of one tool: the steps that work, the others with their errors, or the reason why it was skipped."""

    tool: str
    version: str = ""
    works: list[str] = field(default_factory=list)
    fails: dict[str, str] = field(default_factory=dict)
    skipped: str = ""


def jdbc_driver() -> Path:
    """Return pgjdbc's jar: the installed one, or the one in Debian's package, unpacked below .local.

    :raises OSError, subprocess.CalledProcessError: if Debian's package is needed and cannot be downloaded or unpacked.
    """
    unpacked = environments.HOME / "pgjdbc"
    jar = unpacked / JDBC.relative_to("/")
    if JDBC.exists() or jar.exists():
        return JDBC if JDBC.exists() else jar.resolve()
    unpacked.mkdir(parents=True, exist_ok=True)
    subprocess.run(["apt-get", "download", "-qq", "libpostgresql-jdbc-java"], cwd=unpacked, check=True)
    subprocess.run(["dpkg-deb", "-x", *unpacked.glob("*.deb"), unpacked], check=True)
    return jar.resolve()


def command_of(name: str, tool: dict[str, Any]) -> tuple[list[str], str]:
    """Return the command that runs a tool's script, and the tool's version.

    :raises OSError, subprocess.CalledProcessError: if the tool is not available on this machine.
    """
    script = str(SCRIPTS / tool["script"])
    if script.endswith(".java"):
        jar = jdbc_driver()
        found = re.search(r"\d+(\.\d+)+", jar.name)
        subprocess.run(["java", "--version"], check=True, capture_output=True)
        return ["java", "-cp", str(jar), script], found[0] if found else "of Debian"
    if "program" in tool:
        said = subprocess.run(tool["program"], check=True, capture_output=True, text=True).stdout
        return [sys.executable, script], re.search(r"\d+(\.\d+)+", said)[0]  # type: ignore[index]  # a version
    python = Path(sys.executable)
    if "packages" in tool:
        python = environments.python_of(name, tool["packages"], tool.get("without", ()))
    asked = f"import importlib.metadata as m; print(m.version({name!r}))"
    version = subprocess.run([python, "-c", asked], check=True, capture_output=True, text=True).stdout.strip()
    return [str(python), script], version


def use(name: str, tool: dict[str, Any]) -> Row:
    """Run one tool's script on its own local Redshift."""
    try:
        command, version = command_of(name, tool)
    except (OSError, subprocess.CalledProcessError) as error:
        return Row(name, skipped=f"{tool.get('program', ['its packages'])[0]} cannot be had here ({error})")
    row = Row(name, version)
    with local_redshift.server() as running:
        create_bucket(running)
        said = run_script(command, running)
    for line in said.splitlines():
        if line.startswith("STEP "):
            result = json.loads(line.removeprefix("STEP "))
            if result["error"]:
                row.fails[result["name"]] = " ".join(result["error"].split())
            else:
                row.works.append(result["name"])
    return row


def create_bucket(running: local_redshift.Running) -> None:
    """Create the bucket whose name is passed to the clients."""
    place = {"LocationConstraint": local_redshift.REGION}
    running.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration=place)


def client_environment(running: local_redshift.Running) -> dict[str, str]:
    """Return environment variables with which a client finds the local Redshift, without the user's AWS settings."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "AIRFLOW", "PG"))
    }
    return kept | {
        "REDSHIFT_HOST": running.host,
        "REDSHIFT_PORT": str(running.redshift_port),
        "REDSHIFT_USER": running.user,
        "REDSHIFT_PASSWORD": running.password,
        "REDSHIFT_DATABASE": running.database,
        "REDSHIFT_ROLE": running.role,
        "REDSHIFT_BUCKET": BUCKET,
        "AWS_ENDPOINT_URL": running.aws_endpoint,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": local_redshift.REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "NO_PROXY": "127.0.0.1,localhost",
    }


def run_script(command: list[str], running: local_redshift.Running) -> str:
    """Run the script and return its output, with a failed step if the script does not reach its end."""
    log = environments.HOME / f"{Path(command[-1]).stem}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as errors:
        try:
            done = subprocess.run(
                command,
                env=client_environment(running),
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                timeout=SECONDS,
            )
        except subprocess.TimeoutExpired as late:
            said, error = (late.stdout or b"").decode(), f"still running after {SECONDS} s"
        else:
            if not done.returncode:
                return done.stdout
            last = log.read_text().strip().splitlines()[-1:]
            said, error = done.stdout, "".join(last) or "it failed"
    return f"{said}\nSTEP {json.dumps({'name': 'to the end', 'error': error})}"


def table(rows: list[Row]) -> str:
    """Return the rows as a Markdown table."""
    lines = ["| tool | version | works | does not |", "|---|---|---|---|"]
    for row in rows:
        fails = "; ".join(f"{name} ({error[:100]})" for name, error in row.fails.items())
        cells = (row.tool, row.version, "; ".join(row.works), row.skipped or fails or "-")
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def regressions(rows: list[Row], committed: str) -> list[str]:
    """Return the steps that fail now and do not fail in the committed table."""
    known = {}
    for line in committed.splitlines()[2:]:
        tool, _, _, fails = (cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:5])
        known[tool] = fails
    return [
        f"{row.tool}: {name}"
        for row in rows
        for name in row.fails
        if f"{name} (".replace("|", "\\|") not in known.get(row.tool, "")
    ]


def merge(new: str, committed: str) -> str:
    """Return the new table with the committed rows of the tools that were not run."""
    lines = new.splitlines()
    run = {line.split(" | ")[0] for line in lines}
    return "\n".join(lines + [line for line in committed.splitlines() if line.split(" | ")[0] not in run])


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tools", nargs="*", help="only these tools of tools.toml (default: all)")
    parser.add_argument("--write", action="store_true", help="replace the table in the package's README")
    given = parser.parse_args()
    tools = environments.read_tools()
    if unknown := set(given.tools) - tools.keys():
        parser.error(f"no such tool: {', '.join(unknown)}; there are {', '.join(tools)}")
    rows = []
    for name in given.tools or tools:
        print(f"{name} ...", file=sys.stderr, flush=True)
        rows.append(use(name, tools[name]))
        row = rows[-1]
        steps = len(row.works) + len(row.fails)
        print(f"  {len(row.works)} of {steps} steps work {row.skipped}", file=sys.stderr)
        for step, error in row.fails.items():
            print(f"  {step}: {error}", file=sys.stderr, flush=True)
    committed = environments.read_block(BLOCK)
    print(table(rows))
    if given.write:
        environments.write_block(BLOCK, merge(table(rows), committed))
    worse = regressions(rows, committed)
    if worse:
        print("Worse than the table in the README:", *worse, sep="\n  ", file=sys.stderr)
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
