"""First-day work with dbt: a project with every materialization, which is run twice, tested and documented."""

import os
import shutil
import tempfile
from pathlib import Path

from dbt.cli.main import dbtRunner, dbtRunnerResult
from steps import report

HERE = Path(__file__).resolve().parents[1] / "dbt_project"
# The range that microbatch fills on its first run. Without it, microbatch would fill every day since 2018.
RANGE = ("--event-time-start", "2018-11-01", "--event-time-end", "2018-11-04")


def dbt(*arguments: str) -> dbtRunnerResult:
    """Run one dbt command in the current folder."""
    return dbtRunner().invoke(["--quiet", *arguments, "--project-dir", ".", "--profiles-dir", "."])


def errors(done: dbtRunnerResult) -> str:
    """Return the errors of a dbt command, or an empty string if it succeeded."""
    if done.success:
        return ""
    failed = [each for each in getattr(done.result, "results", []) if str(each.status) not in GOOD]
    return "; ".join(f"{each.node.name}: {each.message}" for each in failed) or str(
        done.exception or done.result
    )


GOOD = ("success", "pass")


def command(name: str, *arguments: str) -> None:
    """Report whether a dbt command succeeds as a whole."""
    report(name, errors(dbt(*arguments))[:600] or None)


def nodes(prefix: str, *arguments: str) -> None:
    """Report each node of a dbt command by its name."""
    done = dbt(*arguments)
    if done.exception:
        report(prefix, str(done.exception)[:600])
        return
    for each in done.result.results:
        report(f"{prefix} {each.node.name}", None if str(each.status) in GOOD else str(each.message)[:600])


with tempfile.TemporaryDirectory() as folder:
    project = Path(folder) / "project"
    shutil.copytree(HERE, project)
    os.chdir(project)
    os.environ["DO_NOT_TRACK"] = "1"
    command("debug", "debug")
    command("seed", "seed")
    nodes("first run:", "run", *RANGE)
    nodes("first snapshot:", "snapshot")
    seed = project / "seeds" / "raw_songs.csv"
    seed.write_text(seed.read_text().replace("Beta,2.25,2018-11-02", "Beta,2.75,2018-11-03"))
    command("seed with changed rows", "seed")
    nodes("second run:", "run", *RANGE)
    nodes("second snapshot:", "snapshot")
    nodes("test:", "test")
    command("source freshness", "source", "freshness")
    command("docs generate", "docs", "generate")
    command("full refresh", "run", "--full-refresh", *RANGE)
    command("show", "show", "--inline", "select * from {{ ref('a_table') }}", "--limit", "2")
