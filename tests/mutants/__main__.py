"""Change one line of a central file at a time and see that a test fails: `make mutants`.

    python -m tests.mutants [FILE ...]     # all files of TESTS if you name none

A mutant that no test notices must be in survivors.yaml with the reason why it is harmless; otherwise the command
fails. Results are kept in .local/mutants/results.json, so that a later run tries only what is new, and what survived.

Each mutant runs in a fork of one process that has imported the libraries and started the local services, because both
take longer than most tests.
"""

from __future__ import annotations

import difflib
import hashlib
import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import hypothesis
import pytest
import yaml

from tests.mutants import sql_source

ROOT = Path(__file__).parents[2]
HOME = ROOT / ".local" / "mutants"
COSMIC_RAY = "cosmic-ray==8.7.0"
SURVIVORS = Path(__file__).with_name("survivors.yaml")
# An endless loop is noticed too: a test may take so many times what it takes without a change, and these seconds.
LIMIT, GRACE = 5, 20

# The fastest first; without the tests that only repeat on a month what others show on days.
SCHEDULES = ("tests/pipeline/test_stateful.py", "tests/pipeline/test_any_order.py")
LOADS = (
    "tests/pipeline/test_windows.py",
    "tests/faults/test_model.py",
    "tests/pipeline/test_load.py",
    "tests/pipeline/test_findings.py",
)
FILES = (
    "tests/faults/test_values.py",
    "tests/faults/test_lines.py",
    "tests/faults/test_files.py",
    "tests/faults/test_source_bucket.py",
)
RUNS = ("tests/faults/test_gates.py", "tests/faults/test_runs.py")
NOT_NEEDED = "not a_week_at_once and not hours_make_the_day and not time_zone and not thousands_of_plays"
# The central files, and the tests that are to notice.
TESTS: dict[str, tuple[str, ...]] = {
    **{f"include/sql/{folder}/*.sql": (*SCHEDULES, *LOADS) for folder in ("build", "publish")},
    "include/sql/guard/*.sql": (LOADS[-1], *RUNS),
    "include/checks/*.yaml": RUNS[:1],
    "include/sparkify/intervals.py": ("tests/unit", *SCHEDULES, *LOADS),
    "include/sparkify/wait.py": ("tests/unit", LOADS[-1]),
    "include/sparkify/publish.py": (*SCHEDULES, *LOADS, *RUNS),
    "include/sparkify/run.py": (*SCHEDULES, *LOADS, *RUNS),
    "include/sparkify/plan.py": ("tests/unit", *SCHEDULES, *LOADS, *FILES),
    "include/sparkify/contract.py": ("tests/unit", *FILES),
    "include/sparkify/ledger.py": ("tests/unit", *SCHEDULES, *LOADS),
    "include/sparkify/chunks.py": ("tests/unit", *FILES),
    "include/sparkify/source.py": ("tests/unit", *FILES, *LOADS),
    "include/sparkify/validate.py": ("tests/unit", *FILES, *LOADS),
}


class Mutant(NamedTuple):
    path: str
    mutated: str

    def describe(self) -> str:
        """Return the changed lines, without their numbers: the same as long as the code is the same."""
        before = (ROOT / self.path).read_text().splitlines()
        changes = [
            " ".join(line.split())
            for line in difflib.unified_diff(before, self.mutated.splitlines(), n=0, lineterm="")
            if line[:1] in "+-" and line[:3] not in ("+++", "---")
        ]
        return f"{self.path}: {' '.join(changes)}"

    def key(self) -> str:
        return hashlib.sha256(f"{self.path}\n{self.mutated}".encode()).hexdigest()[:16]


def central_files(names: list[str]) -> dict[str, tuple[str, ...]]:
    """Return the tests of each central file, or of the named ones."""
    found = {
        path.relative_to(ROOT).as_posix(): tests
        for pattern, tests in TESTS.items()
        for path in sorted(ROOT.glob(pattern))
    }
    return {path: tests for path, tests in found.items() if not names or path in names}


def all_mutants(paths: list[str]) -> Iterator[Mutant]:
    """Return the mutants of the files, but for those that only change what is logged."""
    python = [path for path in paths if path.endswith(".py")]
    if python:
        uv = next(ROOT.glob(".uv/*/bin/uv"))
        command = [
            str(uv),
            "run",
            "--quiet",
            "--no-project",
            "--python",
            sys.executable,
            "--with",
            COSMIC_RAY,
        ]
        listed = subprocess.run(
            [*command, "python", str(Path(__file__).with_name("python_source.py")), *python],
            cwd=ROOT, check=True, capture_output=True, text=True,
        )  # fmt: skip
        for line in listed.stdout.splitlines():
            mutant = Mutant(**json.loads(line))
            if not any(f"{sign} log." in mutant.describe() for sign in "+-"):
                yield mutant
    for path in paths:
        if path.endswith((".sql", ".yaml")):
            for text in sql_source.mutants((ROOT / path).read_text()):
                yield Mutant(path, text)


def copy_tree() -> Path:
    """Copy what git knows to a folder in which files can be changed."""
    tree = Path(tempfile.mkdtemp(prefix="sparkify-mutants-"))
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True)
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tree / name)
    return tree


def warm_up(tree: Path) -> Any:
    """Import the libraries and start the services once; return the services, to be closed."""
    os.chdir(tree)
    sys.path[:] = [str(tree), *(path for path in sys.path if path not in ("", str(ROOT)))]
    os.environ |= {
        "AIRFLOW_HOME": str(tree / ".airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(tree / "plugins"),
    }
    from local import airflow_settings
    from local_redshift import service

    server = service.server(airflow_settings.service_options())
    running = server.__enter__()
    # conftest.py gets these instead of starting its own.
    service.server = lambda options: _Lent(running)  # type: ignore[assignment]
    for name in (
        "airflow.providers.amazon.aws.transfers.s3_to_redshift",
        "airflow.providers.common.sql.operators.sql",
        "boto3", "hypothesis", "msgspec", "pydantic", "pytest", "redshift_connector",
    ):  # fmt: skip
        importlib.import_module(name)
    for name in [
        name for name in sys.modules if name.split(".")[0] in ("include", "local", "sparkify_plugin")
    ]:
        del sys.modules[name]
    for name in [name for name in sys.modules if name.startswith("tests")]:
        del sys.modules[name]
    return server


class _Lent:
    """Services that outlive those who use them."""

    def __init__(self, running: Any) -> None:
        self._running = running

    def __enter__(self) -> Any:
        return self._running

    def __exit__(self, *_: object) -> None:
        pass


class Watch:
    """A pytest plugin: note how long each test takes without a change, and end the process if one takes far longer."""

    def __init__(self, unchanged: bool) -> None:
        self._unchanged = unchanged
        self._kept = HOME / "seconds.json"
        self._seconds: dict[str, float] = json.loads(self._kept.read_text()) if self._kept.exists() else {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        begun = time.monotonic()
        if not self._unchanged:
            signal.alarm(int(GRACE + LIMIT * self._seconds.get(item.nodeid, 0)))
        result = yield
        signal.alarm(0)
        self._seconds[item.nodeid] = time.monotonic() - begun
        return result

    def pytest_sessionfinish(self) -> None:
        if self._unchanged:
            self._kept.write_text(json.dumps(self._seconds))


def run_tests(tests: tuple[str, ...], log: Path, unchanged: bool = False) -> str:
    """Run the tests in a fork; return the first that failed, or nothing."""
    child = os.fork()
    if not child:
        os.setsid()
        with log.open("wb") as output:
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
        # Two mutants within one second may have the same size: stale byte code would be taken for theirs. Only the run
        # without a change leaves byte code, for all that follow.
        sys.dont_write_bytecode = not unchanged
        os.environ["SPARKIFY_SCHEDULES"] = os.environ.get("SPARKIFY_SCHEDULES", "8")
        # That a schedule fails is enough; a shorter one is not looked for.
        hypothesis.settings.register_profile("mutants", phases=[hypothesis.Phase.generate])
        hypothesis.settings.load_profile("mutants")
        options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--no-header", "-k", NOT_NEEDED]
        # By pid: no flush of what the parent had buffered.
        os._exit(int(pytest.main([*options, *tests], plugins=[Watch(unchanged)])))
    _, status = os.waitpid(child, 0)
    if os.waitstatus_to_exitcode(status) == -signal.SIGALRM:
        return "a test does not end"
    if status == 0:
        return ""
    failed = [
        line for line in log.read_text(errors="replace").splitlines() if line.startswith(("FAILED", "ERROR"))
    ]
    return failed[0].split(" - ")[0] if failed else f"exit status {os.waitstatus_to_exitcode(status)}"


def main(names: list[str]) -> int:
    HOME.mkdir(parents=True, exist_ok=True)
    kept = HOME / "results.json"
    results: dict[str, str] = json.loads(kept.read_text()) if kept.exists() else {}
    reasons = {known["mutant"]: known["reason"] for known in yaml.safe_load(SURVIVORS.read_text())}
    files = central_files(names)
    mutants = list(all_mutants(list(files)))
    todo = [
        mutant for mutant in mutants if not results.get(mutant.key()) and mutant.describe() not in reasons
    ]
    started, tree = time.monotonic(), copy_tree()
    server = warm_up(tree)
    try:
        for tests in sorted({files[mutant.path] for mutant in todo}):
            if failed := run_tests(tests, HOME / "unchanged.log", unchanged=True):
                print(
                    f"the tests fail without any change: {failed}; see {HOME / 'unchanged.log'}",
                    file=sys.stderr,
                )
                return 2
        for number, mutant in enumerate(todo, start=1):
            (tree / mutant.path).write_text(mutant.mutated)
            begun = time.monotonic()
            results[mutant.key()] = run_tests(files[mutant.path], HOME / "mutant.log")
            shutil.copy2(ROOT / mutant.path, tree / mutant.path)
            kept.write_text(json.dumps(results))
            verdict = results[mutant.key()] or "SURVIVED"
            print(
                f"{number}/{len(todo)} {time.monotonic() - begun:.0f} s {mutant.describe()}: {verdict}",
                flush=True,
            )
    finally:
        server.__exit__(None, None, None)
        os.chdir(ROOT)
        shutil.rmtree(tree, ignore_errors=True)
    survivors = [mutant.describe() for mutant in mutants if not results[mutant.key()]]
    unexplained = [survivor for survivor in survivors if survivor not in reasons]
    counts = Counter(mutant.path for mutant in mutants)
    print(*(f"{count:5} {path}" for path, count in counts.items()), sep="\n")
    print(
        f"{len(mutants)} mutants: {len(mutants) - len(survivors)} killed, {len(survivors) - len(unexplained)} survived "
        f"with a reason, {len(unexplained)} without; {time.monotonic() - started:.0f} s"
    )
    print(*unexplained, sep="\n")
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
