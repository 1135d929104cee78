"""Run the DAG `sparkify` and the usual DAG for single days in a real scheduler, and compare their cost.

Both DAGs are in the Airflow of `make up` (LocalExecutor), which has its own home. Only one run is active at a time.
Wall time is from the start of a run's first task to the end of its last, according to Airflow's database. CPU time is
that of all processes of Airflow and of the stand-in. Logins, statements and commits are counted between Airflow and the
warehouse.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import io
import itertools
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import psutil
from airflow.models import DagBag

from local import airflow, cli, sample, services, up
from local.home import Home
from local.run import newest_run
from local_redshift import service
from tests.bench.row import Row
from tests.bench.setting import Setting
from tests.bench.usual import one_line_songs
from tests.bench.whole_run import free_port
from tests.bench.wire import Counts, Wire
from tests.e2e import rest
from tests.own_environment import ROOT

OURS, REPORTS, USUAL = "sparkify", "reports", "usual"
FILES = {OURS: ROOT / "dags" / f"{OURS}.py", USUAL: Path(__file__).parent / "usual_pipeline" / "dag.py"}
# The small edition of the public data has 71 songs.
MONTH = sample.Spec(songs=71)
TRIES = 3
LIMIT = 600
"""Seconds within which a run must end."""
SETTLE = 2
"""Seconds to wait until the processes of a run's last task have ended."""
SETTINGS = {
    # The schedule ends before the sample's first day, so only triggered runs are executed.
    "SPARKIFY_LAST_DAY": "2018-10-31",
    # Airflow parses DAG files periodically, which is not a cost of a run.
    "AIRFLOW__SCHEDULER__MIN_FILE_PROCESS_INTERVAL": "3600",
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3600",
}


@dataclass(frozen=True)
class Cost:
    """The cost of a run and of the run that it triggered."""

    wall: float
    """Seconds."""
    airflow: float
    """Seconds of CPU time of Airflow's processes."""
    stand_in: float
    """Seconds of CPU time of the stand-in's processes. These include the server of Airflow's database."""
    tasks: int
    counts: Counts

    @property
    def cpu(self) -> float:
        """Return the seconds of CPU time of all processes."""
        return self.airflow + self.stand_in


def measure(setting: Setting) -> Iterator[Row]:
    """Yield the rows of this part."""
    costs: dict[str, list[Cost]] = {"usual": [], "ours": [], "again": [], "with reports": []}
    days = iter(range(1, MONTH.days))
    with scheduler(setting) as running:
        running.switch(REPORTS, is_paused=True)
        # The first run of each DAG is not counted, because it creates tables and loads the songs.
        for day in itertools.islice(days, 1 + TRIES):
            costs["usual"].append(running.run(USUAL, day))
            costs["ours"].append(running.run(OURS, day))
        costs["again"] = [running.run(OURS, day) for _ in range(TRIES)]
        running.switch(REPORTS, is_paused=False)
        for day in itertools.islice(days, 1 + TRIES):
            costs["with reports"].append(running.run(OURS, day, REPORTS))
    yield from rows({name: middle(found[-TRIES:]) for name, found in costs.items()})


def rows(costs: dict[str, Cost]) -> Iterator[Row]:
    """Yield the table's rows."""
    usual, ours, again, reports = (costs[name] for name in ("usual", "ours", "again", "with reports"))
    yield Row(
        "a day's run by that of the usual DAG, `reports` off: wall",
        ours.wall / usual.wall,
        2,
        4,
        details=f"{ours.wall:.1f} s by {usual.wall:.1f} s",
    )
    yield Row(
        "a day's run by that of the usual DAG, `reports` off: CPU seconds",
        ours.cpu / usual.cpu,
        2.5,
        5,
        details=f"{ours.cpu:.1f} by {usual.cpu:.1f}; {ours.stand_in:.1f} by {usual.stand_in:.1f} in the stand-in",
    )
    yield Row(
        "a day's run with its `reports` by that of the usual DAG: wall",
        reports.wall / usual.wall,
        3,
        6,
        details=f"{reports.wall:.1f} s by {usual.wall:.1f} s; CPU seconds {reports.cpu:.1f} by {usual.cpu:.1f}",
    )
    yield Row(
        "a run with nothing new by that of the usual DAG: wall",
        again.wall / usual.wall,
        1,
        2,
        details=f"{again.wall:.1f} s by {usual.wall:.1f} s; CPU seconds {again.cpu:.1f} by {usual.cpu:.1f}",
    )
    chains = {name: longest_chain(file, name) for name, file in FILES.items()}
    yield Row(
        "a day's run: longest chain of tasks",
        chains[OURS],
        11,
        13,
        unit="",
        details=f"the usual DAG's {chains[USUAL]}",
    )
    counted: dict[str, tuple[Callable[[Cost], int], int, int]] = {
        "task instances": (lambda cost: cost.tasks, 26, 30),
        "logins to the warehouse": (lambda cost: cost.counts.logins, 30, 36),
        "statements, without BEGIN, COMMIT and SET": (lambda cost: cost.counts.statements, 120, 150),
        "commits of transactions that wrote": (lambda cost: cost.counts.commits, 12, 15),
    }
    for name, (count, wanted, bound) in counted.items():
        yield Row(
            f"a day's run: {name}",
            count(ours),
            wanted,
            bound,
            unit="",
            details=f"the usual DAG's {count(usual)}; with `reports` {count(reports)}; nothing new {count(again)}",
        )


def middle(costs: list[Cost]) -> Cost:
    """Return the median of each figure."""
    return Cost(
        *(
            statistics.median_low(getattr(cost, one.name) for cost in costs)
            for one in dataclasses.fields(Cost)
        )
    )


def longest_chain(file: Path, dag_id: str) -> int:
    """Return the number of tasks in the longest chain of a DAG."""
    tasks = DagBag(file).dags[dag_id].task_dict

    @functools.cache
    def length(name: str) -> int:
        return 1 + max(map(length, tasks[name].downstream_task_ids), default=0)

    return max(map(length, tasks))


@contextlib.contextmanager
def scheduler(setting: Setting, more: Mapping[str, str] | None = None) -> Iterator[Airflow]:
    """Run `make up` with both DAGs and a counting proxy between Airflow and the warehouse, and `make down` at the end.

    :param more: Airflow settings in addition to :data:`SETTINGS`.
    :raises RuntimeError: if it does not start. The message has the output of `make up`.
    """
    folder = one_line_songs(setting, MONTH)
    own = Path(tempfile.mkdtemp(dir=setting.home))
    home, dags = Home(own / "home"), own / "dags"
    dags.mkdir()
    (dags / "project").symlink_to(ROOT / "dags")
    (dags / "usual.py").symlink_to(FILES[USUAL])
    ports = {
        name: free_port() for name in ("SPARKIFY_AWS_PORT", "SPARKIFY_REDSHIFT_PORT", "SPARKIFY_UI_PORT")
    }
    plain = airflow.environment

    with Wire.open(int(ports["SPARKIFY_REDSHIFT_PORT"])) as wire:

        def environment(home: Home, running: service.Running) -> dict[str, str]:
            found = plain(home, dataclasses.replace(running, redshift_port=wire.port))
            return found | SETTINGS | {"AIRFLOW__CORE__DAGS_FOLDER": str(dags)} | (more or {})

        with mock.patch.dict(os.environ, ports), mock.patch.object(airflow, "environment", environment):
            try:
                command(home, "up", str(folder))
                yield Airflow(home, wire)
            finally:
                command(home, "down")


def command(home: Home, *arguments: str) -> None:
    """Run a command of `make` in its own home.

    :raises RuntimeError: if the command fails.
    """
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(out):
        code = cli.main([*arguments], home)
    if code:
        raise RuntimeError(f"make {' '.join(arguments)} failed:\n{out.getvalue()[-3000:]}")


class Airflow:
    """The Airflow of this part. It measures the CPU time of Airflow's processes and of the stand-in."""

    def __init__(self, home: Home, wire: Wire) -> None:
        self._home, self._wire, self._running = home, wire, services.require(home)
        self._login = rest.login((home.airflow / "password").read_text())
        self._wait(
            lambda: self._rows("select 1 from dag where dag_id = any(%s)", [OURS, REPORTS, USUAL])[2:],
            "Airflow does not know the DAGs",
        )

    def switch(self, dag_id: str, is_paused: bool) -> None:
        """Pause or unpause a DAG."""
        rest.call(self._login, "PATCH", f"/dags/{dag_id}", {"is_paused": is_paused})

    def run(self, dag_id: str, day: int, follower: str = "") -> Cost:
        """Run a DAG for a day of November, wait for it and for the run of the DAG that it triggers. Return the cost.

        :raises RuntimeError: if a run fails or takes too long.
        """
        started, counts = self._spent(), dataclasses.replace(self._wire.counts)
        last, *_ = newest_run(self._running, follower)
        self.switch(dag_id, is_paused=False)
        run_id = f"bench-{time.time_ns()}"
        conf = {"start": f"2018-11-{day:02}", "end": f"2018-11-{day + 1:02}"}
        body = {"dag_run_id": run_id, "conf": conf} | rest.NO_LOGICAL_DATE
        rest.call(self._login, "POST", f"/dags/{dag_id}/dagRuns", body)
        self._end(dag_id, run_id)
        runs = [run_id]
        if follower:
            self._wait(lambda: newest_run(self._running, follower)[0] > last, f"{follower} does not start")
            runs.append(newest_run(self._running, follower)[1])
            self._end(follower, runs[1])
        time.sleep(SETTLE)
        ((tasks, wall),) = self._rows(
            "select count(*), extract(epoch from max(end_date) - min(start_date))::float from task_instance "
            "where run_id = any(%s) and state <> 'removed'",
            runs,
        )
        spent = [now - then for now, then in zip(self._spent(), started, strict=True)]
        return Cost(wall, *spent, tasks, self._wire.counts - counts)

    def _end(self, dag_id: str, run_id: str) -> None:
        """Wait for the end of a run.

        :raises RuntimeError: if the run fails.
        """
        query = "select state from dag_run where dag_id = %s and run_id = %s"
        self._wait(
            lambda: self._rows(query, dag_id, run_id)[0][0] in ("success", "failed"), f"{dag_id} does not end"
        )
        if self._rows(query, dag_id, run_id) != [("success",)]:
            failed = self._rows(
                "select task_id from task_instance where dag_id = %s and run_id = %s and state = 'failed'",
                dag_id,
                run_id,
            )
            raise RuntimeError(f"{dag_id} failed: {failed}; see {self._home.airflow}/logs")

    def _wait(self, is_done: Callable[[], object], problem: str) -> None:
        deadline = time.monotonic() + LIMIT
        while not is_done():
            if time.monotonic() > deadline:
                raise RuntimeError(f"{problem} within {LIMIT} s")
            time.sleep(1)

    def _rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Run a query on Airflow's database and return its rows."""
        with airflow.database(self._running) as cursor:
            cursor.execute(query, values)
            return list(cursor.fetchall())

    def _spent(self) -> tuple[float, float]:
        """Return the CPU seconds of Airflow's processes and of the stand-in's, including children that have ended."""
        return sum(map(cpu_of, up.processes(self._home))), cpu_of(psutil.Process(self._running.pid))


def cpu_of(process: psutil.Process) -> float:
    """Return the CPU seconds of a process and its children, including those that have ended."""
    spent = 0.0
    for one in (process, *process.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = one.cpu_times()
            spent += times.user + times.system + times.children_user + times.children_system
    return spent
