"""Change one line of a central file at a time, and check that a test fails: `make mutants`.

    python -m tests.mutants [FILE ...]     # all files of TESTS if you name none

A mutant that no test detects must be in survivors.yaml with the reason why it is harmless. Otherwise, the command
fails. Mutants that a test detects are in .local/mutants/killed.tsv with the test, so that a later run tries only the
mutants of changed files and the survivors. Delete lines of this file to try those mutants again, for example after a
change of the tests.

One worker per core takes the mutants one by one. Each mutant runs in a fork of its worker. The worker has imported the
libraries and started the local services, because both take longer than most tests.
"""

from __future__ import annotations

import contextlib
import csv
import difflib
import hashlib
import importlib
import json
import multiprocessing
import multiprocessing.util
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import hypothesis
import pytest
import yaml

from tests.mutants import sql_source

ROOT = Path(__file__).parents[2]
HOME = ROOT / ".local" / "mutants"
COSMIC_RAY = "cosmic-ray==8.7.0"
SURVIVORS = Path(__file__).with_name("survivors.yaml")
KILLED = HOME / "killed.tsv"
# To detect endless loops, too, a test may take LIMIT times its duration without a change, plus GRACE seconds.
LIMIT, GRACE = 5, 20

SCHEDULES = ("tests/pipeline/test_stateful.py", "tests/pipeline/test_any_order.py")
FINDINGS = "tests/pipeline/test_findings.py"
LOADS = (
    "tests/faults/test_model.py",
    "tests/pipeline/test_file_life.py",
    "tests/pipeline/test_load.py",
    FINDINGS,
)
CONTRACT = ("tests/unit/test_contract.py", "tests/unit/test_plain_events.py", "tests/unit/test_source.py")
LINES = ("tests/faults/test_values.py", "tests/faults/test_lines.py")
FILES = ("tests/faults/test_files.py", "tests/faults/test_source_bucket.py")
GATES = ("tests/faults/test_gates.py", "tests/faults/test_usual.py")
RUNS = ("tests/faults/test_runs.py", "tests/faults/test_runs_at_once.py")
NOT_NEEDED = "not hours_make_the_day and not time_zone"
# The central files and the tests that should detect a mutant. Tests that detect most mutants come first, because the
# tests of a mutant stop at the first failure.
TESTS: dict[str, tuple[str, ...]] = {
    "include/sparkify/intervals.py": ("tests/unit/test_intervals.py", SCHEDULES[0], *LOADS),
    "include/sparkify/files/contract.py": (*CONTRACT, *LINES),
    "include/sparkify/files/chunks.py": ("tests/unit/test_plan.py", FILES[-1]),
    "include/sparkify/files/source.py": (*CONTRACT, *LINES, *FILES, FINDINGS),
    "include/sparkify/tasks/validate.py": (*LINES, *FILES, LOADS[1], FINDINGS),
    "include/sparkify/redshift/ledger.py": (
        "tests/unit/test_plan.py",
        SCHEDULES[0],
        LOADS[2],
        FINDINGS,
        FILES[-1],
    ),
    "include/sql/guard/*.sql": ("tests/faults/test_guard.py",),
    **{f"include/sql/{folder}/*.sql": (*LOADS, *SCHEDULES) for folder in ("build", "publish")},
    "include/sparkify/tasks/plan.py": (
        "tests/unit/test_plan.py",
        "tests/faults/test_waiting.py",
        SCHEDULES[0],
        *LOADS,
        *FILES,
        *LINES,
        *RUNS,
    ),
    "include/sparkify/tasks/run.py": (*FILES, FINDINGS, *RUNS),
    "include/sparkify/tasks/publish.py": (SCHEDULES[0], FINDINGS, *RUNS),
    "include/checks/*.yaml": GATES,
    "include/sparkify/tasks/checks.py": ("tests/unit/test_checks.py", *GATES, RUNS[1]),
    "include/sparkify/redshift/warehouse.py": ("tests/unit/test_warehouse.py", LOADS[2], *RUNS, FINDINGS),
    "include/sparkify/redshift/schema.py": ("tests/pipeline/test_recreate.py",),
    "include/sparkify/files/lake.py": (*FILES, *LOADS[2:], SCHEDULES[0]),
    "include/sparkify/errors.py": ("tests/unit/test_errors.py",),
    "include/sparkify/settings.py": ("tests/unit/test_settings.py", "tests/project/test_docs.py"),
}


class Mutant(NamedTuple):
    path: str
    mutated: str
    number: int = 1
    """The number of this mutant among those that change equal lines of the file in the same way."""

    def describe(self) -> str:
        """Return the changed lines without line numbers: this text stays the same while those lines do."""
        before = (ROOT / self.path).read_text().splitlines()
        changes = [
            " ".join(line.split())
            for line in difflib.unified_diff(before, self.mutated.splitlines(), n=0, lineterm="")
            if line[:1] in "+-" and line[:3] not in ("+++", "---")
        ]
        return f"{self.path}: {' '.join(changes)}" + (f" ({self.number})" if self.number > 1 else "")

    def key(self) -> str:
        return hashlib.sha256(f"{self.path}\n{self.mutated}".encode()).hexdigest()[:12]


def central_files(names: list[str]) -> dict[str, tuple[str, ...]]:
    """Return the tests of each central file, or of the named ones."""
    found = {
        path.relative_to(ROOT).as_posix(): tests
        for pattern, tests in TESTS.items()
        for path in sorted(ROOT.glob(pattern))
    }
    return {path: tests for path, tests in found.items() if not names or path in names}


def all_mutants(paths: list[str]) -> Iterator[Mutant]:
    """Yield the mutants of the files, except those of logging calls and of ``frozen``, which only guards objects."""
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
            if not re.search(r"[-+] log\.|frozen=False", mutant.describe()):
                yield mutant
    for path in paths:
        if path.endswith((".sql", ".yaml")):
            for text in sql_source.mutants((ROOT / path).read_text()):
                yield Mutant(path, text)


def number(mutants: Iterable[Mutant]) -> list[Mutant]:
    """Return the mutants with their numbers, so that each description identifies one mutant."""
    seen: Counter[str] = Counter()
    numbered = []
    for mutant in mutants:
        description = mutant.describe()
        seen[description] += 1
        numbered.append(mutant._replace(number=seen[description]))
    return numbered


def begin_worker() -> None:
    """Give this worker its own tree and services, import the libraries, and compile the tests to bytecode."""
    tree = Path(tempfile.mkdtemp(prefix="sparkify-mutants-"))
    multiprocessing.util.Finalize(None, shutil.rmtree, (tree, True), exitpriority=1)
    copy_tree(tree)
    os.chdir(tree)
    sys.path[:] = [str(tree), *(path for path in sys.path if path not in ("", str(ROOT)))]
    os.environ |= {
        "AIRFLOW_HOME": str(tree / ".airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(tree / "plugins"),
        "SPARKIFY_SCHEDULES": os.environ.get("SPARKIFY_SCHEDULES", "8"),
    }
    from local import airflow_settings
    from local_redshift import service

    server = service.server(airflow_settings.service_options())
    running = server.__enter__()
    multiprocessing.util.Finalize(None, server.__exit__, (None, None, None), exitpriority=2)
    # conftest.py uses these services instead of starting its own.
    service.server = lambda options: contextlib.nullcontext(running)  # type: ignore[assignment]
    for name in (
        "airflow.providers.amazon.aws.transfers.s3_to_redshift",
        "airflow.providers.common.sql.operators.sql",
        "anyio.pytest_plugin", "boto3", "hypothesis", "matplotlib.figure", "msgspec", "obstore", "pydantic", "pytest",
        "redshift_connector",
    ):  # fmt: skip
        importlib.import_module(name)
    # These modules were imported from the first tree. A fork imports those of its own tree.
    for name in list(sys.modules):
        if name.split(".")[0] in ("include", "local", "sparkify_plugin", "tests"):
            del sys.modules[name]
    tests = tuple(dict.fromkeys(test for tests in TESTS.values() for test in tests))
    run_tests(tests, "collected", "--collect-only")


def copy_tree(tree: Path) -> None:
    """Copy the files that git tracks to a folder in which they can be changed."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True)
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tree / name)


class Watch:
    """A pytest plugin that records test durations of unchanged code, or ends a process whose test takes far longer."""

    def __init__(self, unchanged: bool) -> None:
        self._unchanged = unchanged
        self._seconds: dict[str, float] = {}
        if not unchanged:
            for kept in HOME.glob("*.seconds.json"):
                self._seconds |= json.loads(kept.read_text())

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        begun = time.monotonic()
        if not self._unchanged:
            signal.alarm(int(GRACE + LIMIT * self._seconds.get(item.nodeid, 0)))
        result = yield
        signal.alarm(0)
        self._seconds[item.nodeid] = time.monotonic() - begun
        return result

    def keep(self, name: str) -> None:
        (HOME / f"{name}.seconds.json").write_text(json.dumps(self._seconds))


def run_tests(tests: tuple[str, ...], name: str, *options: str, unchanged: bool = False) -> str:
    """Run the tests in a fork, and return the first test that failed, or an empty string.

    :param name: the name of the log below .local/mutants, and of the file with the durations of an unchanged run.
    """
    log = HOME / f"{name}.log"
    child = os.fork()
    if not child:
        os.setsid()
        with log.open("wb") as output:
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
        # Two mutants within one second may have the same size, so Python would use the stale bytecode of the first.
        sys.dont_write_bytecode = "--collect-only" not in options
        # One failing schedule is enough: Hypothesis need not look for a shorter one.
        phases = [hypothesis.Phase.explicit, hypothesis.Phase.generate]
        hypothesis.settings.register_profile("mutants", phases=phases)
        hypothesis.settings.load_profile("mutants")
        # These plugins collect garbage at the end of each mutant, or need a folder.
        off = [
            option
            for name in ("cacheprovider", "unraisableexception", "xdist")
            for option in ("-p", f"no:{name}")
        ]
        given = ["-x", "-q", *off, "--no-header", "-k", NOT_NEEDED]
        watch = Watch(unchanged)
        status = int(pytest.main([*given, *options, *tests], plugins=[watch]))
        if unchanged:
            watch.keep(name)
        # sys.exit would write the parent's buffered output again.
        os._exit(status)
    _, ended = os.waitpid(child, 0)
    status = os.waitstatus_to_exitcode(ended)
    if status == -signal.SIGALRM:
        return "a test does not end"
    if status == 0:
        return ""
    lines = log.read_text(errors="replace").splitlines()
    # Match the path, too, because lines that tests log may also begin with FAILED or ERROR.
    failed = [line for line in lines if line.startswith(("FAILED tests/", "ERROR tests/"))]
    return failed[0].split(" - ")[0] if failed else f"exit status {status}"


def try_unchanged(test: str) -> str:
    """Run a test file or folder without a change, and return the first test that failed, or an empty string."""
    return run_tests((test,), test.replace("/", "."), unchanged=True)


def try_mutant(mutant: Mutant) -> tuple[Mutant, str, float]:
    """Return the mutant, the test that detects it (or an empty string), and the duration of the tests in seconds."""
    begun = time.monotonic()
    changed = Path(mutant.path)
    changed.write_text(mutant.mutated)
    try:
        tests = next(tests for pattern, tests in TESTS.items() if changed.match(pattern))
        found = run_tests(tests, f"mutant-{os.getpid()}")
    finally:
        shutil.copy2(ROOT / mutant.path, changed)
    return mutant, found, time.monotonic() - begun


def read_killed() -> dict[str, tuple[str, str]]:
    """Return the file of each killed mutant and the test that detected it, by the key of the mutant."""
    rows = csv.reader(KILLED.read_text().splitlines(), delimiter="\t") if KILLED.exists() else ()
    return {key: (path, test) for path, test, keys in rows for key in keys.split()}


def write_killed(killed: dict[str, tuple[str, str]], mutants: list[Mutant]) -> None:
    """Write one line per file and test. Omit mutants that the files in ``mutants`` no longer produce."""
    made, tried = {mutant.key() for mutant in mutants}, {mutant.path for mutant in mutants}
    groups: dict[tuple[str, str], list[str]] = {}
    for key, group in killed.items():
        if key in made or group[0] not in tried:
            groups.setdefault(group, []).append(key)
    with KILLED.open("w", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerows((*group, " ".join(sorted(keys))) for group, keys in sorted(groups.items()))


def try_all(todo: list[Mutant], killed: dict[str, tuple[str, str]], mutants: list[Mutant]) -> bool:
    """Try the mutants. As soon as a test detects a mutant, add the mutant to ``killed`` and to its file.

    :returns: whether the tests pass without a change. If they do not, no mutant is tried.
    """
    files = central_files([])
    tests = dict.fromkeys(test for mutant in todo for test in files[mutant.path])
    with multiprocessing.get_context("fork").Pool(os.cpu_count(), begin_worker) as pool:
        failed = [test for test in pool.map(try_unchanged, tests, chunksize=1) if test]
        tried = pool.imap_unordered(try_mutant, [] if failed else todo)
        for count, (mutant, found, seconds) in enumerate(tried, start=1):
            if found:
                killed[mutant.key()] = mutant.path, found
                write_killed(killed, mutants)
            print(
                f"{count}/{len(todo)} {seconds:.0f} s {mutant.describe()}: {found or 'SURVIVED'}", flush=True
            )
        # Leaving the pool would terminate its workers before they delete their trees, so wait until they have ended.
        pool.close()
        pool.join()
    for test in failed:
        print(f"the tests fail without any change: {test}; see the logs in {HOME}", file=sys.stderr)
    return not failed


def main(names: list[str]) -> int:
    HOME.mkdir(parents=True, exist_ok=True)
    killed = read_killed()
    harmless = {mutant for known in yaml.safe_load(SURVIVORS.read_text()) for mutant in known["mutants"]}
    if unknown := set(names) - central_files([]).keys():
        print(
            f"no central file: {', '.join(unknown)}; TESTS in {Path(__file__).name} lists them",
            file=sys.stderr,
        )
        return 2
    mutants = number(all_mutants(list(central_files(names))))
    todo = [mutant for mutant in mutants if mutant.key() not in killed and mutant.describe() not in harmless]
    started = time.monotonic()
    if todo and not try_all(todo, killed, mutants):
        return 2
    survivors = [mutant.describe() for mutant in mutants if mutant.key() not in killed]
    unexplained = [survivor for survivor in survivors if survivor not in harmless]
    counts = Counter(mutant.path for mutant in mutants)
    # A survivor whose line has changed may no longer be harmless.
    outdated = sorted(
        known for known in harmless if known.split(": ")[0] in counts and known not in survivors
    )
    print(*(f"{count:5} {path}" for path, count in counts.items()), sep="\n")
    print(
        f"{len(mutants)} mutants: {len(mutants) - len(survivors)} killed, {len(survivors) - len(unexplained)} survived "
        f"with a reason, {len(unexplained)} without; {time.monotonic() - started:.0f} s"
    )
    for line in (*unexplained, *(f"outdated in {SURVIVORS.name}: {known}" for known in outdated)):
        print(line)
    return 1 if unexplained or outdated else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
