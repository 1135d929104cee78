"""`make suites`: run the test suites of other projects on a local Redshift, and classify each failure.

The suites come from the projects' source distributions on the package index, or from their repositories. No part of
them is in this repository.
With --write, the results replace the tables of the README.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import environments
import psycopg2
from matrix import client_environment, create_bucket

import local_redshift

HOME = environments.PROJECT / ".local" / "suites"
BLOCK = "suites"


@dataclass(frozen=True)
class Result:
    """The outcome of one test (passed, skipped or failed), and the class and the first error of a failure."""

    name: str
    outcome: str
    kind: str = ""
    error: str = ""


def unpack(name: str, suite: dict[str, Any]) -> Path:
    """Fetch a suite (its source distribution or its repository), add our files, and return the folder.

    :raises subprocess.CalledProcessError: if the suite cannot be fetched.
    """
    folder = HOME / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if "repository" in suite:
        root = folder / "repository"
        subprocess.run(["git", "clone", "--quiet", "--no-checkout", suite["repository"], root], check=True)
        subprocess.run(["git", "checkout", "--quiet", suite["commit"]], cwd=root, check=True)
    else:
        download = ("python3", "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", name)
        subprocess.run([*download, "--dest", folder, suite["source"]], check=True)
        with tarfile.open(next(folder.glob("*.tar.gz"))) as archive:
            archive.extractall(folder, filter="data")
        root = next(path for path in folder.iterdir() if path.is_dir())
    # Keep only the tests, because the package itself comes from the environment.
    for other in root.iterdir():
        if other.name != Path(suite["tests"]).parts[0]:
            shutil.rmtree(other) if other.is_dir() else other.unlink()
    if (ours := environments.HERE / "suites" / name).exists():
        shutil.copytree(ours, root, dirs_exist_ok=True)
    return root


def run(name: str, suite: dict[str, Any]) -> Path:
    """Run a suite on its own local Redshift, and return the path of its report."""
    root = unpack(name, suite)
    python = environments.python_of(f"suite-{name}", suite["packages"], suite.get("without", ()))
    report = HOME / f"{name}.xml"
    # The suite's folder is inside this project, whose settings must not apply.
    apart = ("-c", os.devnull, "--rootdir", root, "-p", "no:cacheprovider")
    pytest = ("-m", "pytest", "-q", *apart, "-o", "junit_logging=all")
    # A suite may hard-code Redshift's port.
    with local_redshift.server(local_redshift.Options(redshift_port=suite.get("port", 0))) as running:
        prepare(running, suite.get("setup", []))
        environment = client_environment(running)
        for variable, value in suite.get("environment", {}).items():
            environment[variable] = value.format(**environment)
        for file, text in suite.get("files", {}).items():
            (root / file).write_text(text.format(**environment))
        subprocess.run(
            [
                *("nice", "-n", "10", python, *pytest, "--timeout", "300", f"--junitxml={report}"),
                *(("-k", suite["select"]) if "select" in suite else ()),
                suite["tests"],
            ],
            cwd=root,
            env=environment | {"PYTHONPATH": str(root / suite["tests"])},
            stdout=sys.stderr,
        )
    return report


def prepare(running: local_redshift.Running, statements: list[str]) -> None:
    """Create the bucket, and run the statements that a suite needs before its tests."""
    create_bucket(running)
    connection = psycopg2.connect(**running.login)
    connection.autocommit = True
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    connection.close()


def first_error(text: str) -> str:
    """Return the line of a test's report with the database's error, or with the test's error if there is none."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    for pattern in (
        r"(fixture '\w+' not found)",
        r"'M': '([^']+)'",
        r"(?:ProgrammingError|InternalError|FeatureNotSupported|SyntaxError|Undefined\w+)\) *([^\n]+)",
        r"Database Error[^\n]*\n\s*([^\n]+)",
        r"(?:Compilation|Runtime) Error[^\n]*\n\s*([^\n]+)",
        r"E\s+(\w*(?:Error|Exception)[^\n]*)",
        r"E\s+(assert [^\n]*)",
    ):
        if found := re.search(pattern, plain):
            return found[1].strip()
    return plain.strip().splitlines()[0] if plain.strip() else "no message"


def read_results(report: Path, classes: list[dict[str, Any]]) -> list[Result]:
    """Return the tests of a JUnit report."""
    found = []
    for case in ET.parse(report).iter("testcase"):
        name = f"{case.get('classname', '')}.{case.get('name', '')}"
        bad = [each for each in case if each.tag in ("failure", "error")]
        if not bad:
            skipped = case.find("skipped") is not None
            found.append(Result(name, "skipped" if skipped else "passed"))
            continue
        logged = [case.findtext(tag) or "" for tag in ("system-out", "system-err")]
        error = first_error(
            "\n".join(
                [*(each.get("message") or "" for each in bad), *(each.text or "" for each in bad), *logged]
            )
        )
        kind = next(
            (
                each["name"]
                for each in classes
                if any(re.search(p, f"{name} {error}") for p in each["patterns"])
            ),
            "wrong result",
        )
        found.append(Result(name, "failed", kind, error))
    return found


def table(source: str, results: list[Result]) -> str:
    """Return the counts of a suite, and its failures by class, in Markdown."""
    outcomes = Counter(each.outcome for each in results)
    cloud, types = (sum(each.kind == kind for each in results) for kind in ("needs cloud", "needs a type"))
    local = outcomes["passed"] + outcomes["failed"] - cloud - types
    share = 100 * outcomes["passed"] / local if local else 0
    lines = [
        f"**{source}**: {outcomes['passed']} passed, {outcomes['failed']} failed ({cloud} of them need the cloud,"
        f" {types} a type that is not covered), {outcomes['skipped']} skipped by the suite itself;"
        f" {share:.0f} % of the others pass.",
        "",
    ]
    kinds = Counter(each.kind for each in results if each.outcome == "failed")
    if kinds:
        lines += ["| tests | class | most frequent error |", "|---|---|---|"]
        for kind, count in kinds.most_common():
            errors = Counter(each.error[:110] for each in results if each.kind == kind)
            ((error, _),) = errors.most_common(1)
            lines.append(f"| {count} | {kind} | {error.replace('|', chr(92) + '|')} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("suites", nargs="*", help="only these suites of suites.toml (default: all)")
    parser.add_argument("--write", action="store_true", help="replace the figures in the package's README")
    given = parser.parse_args()
    settings = tomllib.loads((environments.HERE / "suites.toml").read_text())
    classes = settings.pop("class")
    if unknown := set(given.suites) - settings.keys():
        parser.error(f"no such suite: {', '.join(unknown)}; there are {', '.join(settings)}")
    tables = {}
    for name in given.suites or settings:
        report = run(name, settings[name])
        source = settings[name].get("source") or f"{name}, commit {settings[name]['commit'][:7]}"
        tables[name] = table(source, read_results(report, classes))
    print("\n\n".join(tables.values()))
    if given.write:
        committed = environments.read_block(BLOCK).split("\n\n**")
        kept = ["**" + each.removeprefix("**") for each in committed]
        others = [each for each in kept if not each.startswith(tuple(f"**{name}" for name in tables))]
        environments.write_block(BLOCK, "\n\n".join([*others, *tables.values()]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
