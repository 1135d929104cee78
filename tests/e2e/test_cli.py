"""Test the commands behind make end to end, in their own home and on their own ports."""

import contextlib
import csv
import io
import json
import os
import re
import shutil
import signal
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import psutil
import pytest
import redshift_connector

from include.sparkify import tables
from local import airflow, cli, run, sample, services, up
from local.dataset import read_folder
from local.home import Home
from local_redshift import service
from tests.e2e import rest


def free_ports() -> dict[str, str]:
    """Return the environment variables of the ports of a local world, with free ports."""
    names = ("SPARKIFY_AWS_PORT", "SPARKIFY_REDSHIFT_PORT", "SPARKIFY_UI_PORT")
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in names]
        return {name: str(probe.getsockname()[1]) for name, probe in zip(names, probes, strict=True)}


def set_free_ports(patch: pytest.MonkeyPatch) -> None:
    for name, port in free_ports().items():
        patch.setenv(name, port)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """Yield this module's own local world on its own ports, and stop everything at the end."""
    home = Home(tmp_path_factory.mktemp("local"))
    with pytest.MonkeyPatch.context() as patch:
        set_free_ports(patch)
        yield home
        assert cli.main(["down"], home) == 0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with three days of the sample at a tenth of its size. The fourth day arrives later."""
    folder = tmp_path_factory.mktemp("data")
    sample.write(folder, sample.Spec(days=4, scale=0.1))
    later_file(folder).rename(folder / "later")
    return folder


def later_file(folder: Path) -> Path:
    """Return the log file of the fourth day."""
    return folder / "log_data/2018/11/2018-11-04-events.json"


@pytest.fixture
def loaded(home: Home, folder: Path) -> Home:
    """Load the folder into the local world unless something is loaded, and return the world."""
    if service.status(home.services) is None:
        assert cli.main(["run", str(folder)], home) == 0
    return home


def query(home: Home, capsys: pytest.CaptureFixture[str], sql: str) -> list[list[str]]:
    """Return the output of `make query` as rows. The first is the header."""
    capsys.readouterr()
    assert cli.main(["query", sql], home) == 0
    told = capsys.readouterr()
    assert told.err == ""
    return list(csv.reader(io.StringIO(told.out)))


def rows(home: Home, capsys: pytest.CaptureFixture[str]) -> dict[str, list[list[str]]]:
    """Return every row of the star."""
    return {
        table: sorted(query(home, capsys, f"select * from sparkify.{table}")[1:]) for table in tables.STAR
    }


def test_query_before_anything_runs(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["query", "select 1"], home) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert "make run" in told.err


@pytest.mark.slow
def test_run_loads_a_folder_and_again_changes_nothing(
    home: Home, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    events = [
        json.loads(line)
        for path in folder.glob("log_data/**/*.json")
        for line in path.read_text().splitlines()
    ]
    plays = [event for event in events if event["page"] == "NextSong"]
    assert cli.main(["run", str(folder)], home) == 0
    told = capsys.readouterr().out
    assert "publish" in told
    assert f"songplays            {len(plays):>12,}" in told
    assert "checks:" in told

    loaded = rows(home, capsys)
    assert len(loaded["songplays"]) == len(plays)
    assert len(loaded["users"]) == len({play["userId"] for play in plays})
    assert len(loaded["time"]) == len({play["ts"] for play in plays})
    assert len(loaded["songs"]) == 100

    assert cli.main(["run", str(folder)], home) == 0
    assert "nothing is new" in capsys.readouterr().out
    assert rows(home, capsys) == loaded


@pytest.mark.slow
def test_query_prints_only_csv(loaded: Home, capsys: pytest.CaptureFixture[str]) -> None:
    sql = """select 1 as one, null as nothing, true as yes, 'a "b", c' as text, 1.50::decimal(5,2) as price"""
    assert query(loaded, capsys, sql) == [
        ["one", "nothing", "yes", "text", "price"],
        ["1", "", "true", 'a "b", c', "1.50"],
    ]
    assert query(loaded, capsys, "select user_id from sparkify.users where false") == [["user_id"]]
    assert cli.main(["query", "select nope"], loaded) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert 'column "nope" does not exist' in told.err


@pytest.mark.finding("B1")
@pytest.mark.slow
def test_a_file_that_arrives_later_is_loaded_too(
    loaded: Home, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = rows(loaded, capsys)
    (folder / "later").rename(later_file(folder))
    with contextlib.ExitStack() as readers:
        # Finding B1: analysts left a transaction open on every table.
        for table in tables.PUBLISHED:
            if table != "publish_lock":  # A reader of it makes a run wait: tests/pipeline/test_findings.py.
                schema = "sparkify" if table in (*tables.STAR, *tables.HISTORY) else "sparkify_ops"
                login = services.require(loaded).login
                reader = readers.enter_context(redshift_connector.connect(**login, ssl=False))
                reader.cursor().execute(f"select count(*) from {schema}.{table}")
        assert cli.main(["run", str(folder)], loaded) == 0
    assert "1 of them new or changed" in capsys.readouterr().out
    assert len(rows(loaded, capsys)["songplays"]) > len(before["songplays"])
    later_file(folder).rename(folder / "later")
    assert cli.main(["run", str(folder)], loaded) == 0
    assert "are no longer in" in capsys.readouterr().out
    assert rows(loaded, capsys) == before


@pytest.mark.slow
def test_a_failed_run_says_what_where_and_what_next(
    loaded: Home, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here = shutil.copytree(folder, tmp_path / "broken")
    path = min(here.glob("log_data/**/*.json"))
    path.write_text("\n".join(line[:40] for line in path.read_text().splitlines()))
    assert cli.main(["run", str(here)], loaded) == 1
    out, told = capsys.readouterr()
    assert f"the lake holds the data of {folder}, not of {here}: starting again with an empty lake" in out
    assert "task check_complete failed" in told
    assert path.name in told
    assert "The other files are published" in told
    assert "Next:" in told
    assert str(loaded.run_log) in told
    days = query(loaded, capsys, "select distinct trunc(start_time) from sparkify.songplays order by 1")
    assert path.name[:10] not in {day for (day,) in days}
    # The report tables have the published days.
    assert query(loaded, capsys, "select day from reports.daily order by 1")[1:] == days[1:]


@pytest.mark.slow
@pytest.mark.finding("G12")
def test_reports_that_failed_run_again_although_nothing_is_new(
    loaded: Home, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = min(folder.glob("log_data/**/*.json"))
    good = path.read_text()
    lines = good.splitlines()
    lines.remove(next(line for line in lines if '"NextSong"' in line))
    assert cli.main(["run", str(folder)], loaded) == 0
    query(loaded, capsys, "drop table reports_state.due_events")
    query(loaded, capsys, "create view reports_state.due_events as select 1 as plays")
    try:
        path.write_text("\n".join(lines))
        assert cli.main(["run", str(folder)], loaded) == 1
        told = capsys.readouterr().err
        assert "task due_events failed" in told
        assert "The star is published, and the report tables are unchanged" in told
        query(loaded, capsys, "drop view reports_state.due_events")
        assert cli.main(["run", str(folder)], loaded) == 0
        assert "nothing is new in the lake: the star is unchanged" in capsys.readouterr().out
        plays = query(loaded, capsys, "select count(*) as plays from sparkify.songplays")
        assert query(loaded, capsys, "select sum(plays) as plays from reports.daily") == plays
    finally:
        path.write_text(good)


@pytest.mark.finding("D1")
@pytest.mark.slow
def test_services_that_die_during_a_run(
    home: Home, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        run, "show_running", lambda states: os.kill(services.require(home).pid, signal.SIGKILL)
    )
    assert cli.main(["run", str(folder)], home) == 1
    told = capsys.readouterr().err
    assert "stopped answering" in told
    assert "Next: run the same command again" in told
    assert "Traceback" not in told
    assert service.status(home.services) is None


@pytest.mark.slow
def test_up_and_down(home: Home, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["up", str(folder)], home) == 0
    told = capsys.readouterr().out
    assert "password" in told
    with urllib.request.urlopen(f"{airflow.url()}/{up.HEALTH}") as answer:
        health = json.load(answer)
    assert {part: state["status"] for part, state in health.items() if part != "dag_processor"} == {
        "metadatabase": "healthy",
        "scheduler": "healthy",
        "triggerer": "healthy",
    }
    password = re.search(r"password (\S+)", told)
    assert password
    assert rest.call(rest.login(password[1]), "GET", "/dags/sparkify")["is_paused"]
    with pytest.raises(urllib.error.HTTPError) as refused:
        rest.call(rest.login("wrong"), "GET", "/dags/sparkify")
    assert refused.value.code in (401, 403)

    # Airflow's command line uses this world, and `make env` prints its environment for another Airflow.
    assert cli.main(["airflow", "dags details sparkify --output plain"], home) == 0
    assert cli.main(["airflow", "dags details nope"], home) != 0
    assert cli.main(["env"], home) == 0
    assert f"SPARKIFY_LAST_DAY={read_folder(folder).last_day}\n" in capsys.readouterr().out

    running = services.require(home)
    with airflow.database(running) as cursor:
        cursor.execute("select is_paused from dag where dag_id = 'sparkify'")
        assert cursor.fetchall() == [(True,)]

    processes = [psutil.Process(running.pid), *up.processes(home)]
    family = [*processes, *(child for process in processes for child in process.children(recursive=True))]
    addresses = set()
    for process in family:
        # A child process of the scheduler may end during the inspection.
        with contextlib.suppress(psutil.NoSuchProcess):
            connections = process.net_connections("tcp")
            addresses |= {each.laddr.ip for each in connections if each.status == psutil.CONN_LISTEN}
    assert addresses == {"127.0.0.1"}

    # The scheduler uses the database, where two simultaneous runs would conflict.
    assert cli.main(["run", str(folder)], home) == 2
    assert "make down" in capsys.readouterr().err

    assert cli.main(["down"], home) == 0
    _, alive = psutil.wait_procs(family, timeout=30)
    assert not alive
    assert cli.main(["down"], home) == 0
    assert "nothing was running" in capsys.readouterr().out


def test_a_port_in_use(
    home: Home, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cli.main(["down"], home)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = str(other.getsockname()[1])
        monkeypatch.setenv("SPARKIFY_REDSHIFT_PORT", taken)
        assert cli.main(["run", str(folder)], home) == 2
        told = capsys.readouterr().err
        assert f"port {taken} is in use" in told
        assert "SPARKIFY_REDSHIFT_PORT=" in told
    monkeypatch.setenv("SPARKIFY_REDSHIFT_PORT", "http")
    assert cli.main(["run", str(folder)], home) == 2
    assert "SPARKIFY_REDSHIFT_PORT=http is not a port number" in capsys.readouterr().err


@pytest.mark.finding("D2")
@pytest.mark.parametrize(
    ("files", "says"),
    [
        (None, "does not exist"),
        ({}, "is empty"),
        ({"other/file.json": "{}"}, "has no log_data/"),
        ({"log_data/2018-11-01-events.json": "{}"}, "has no song_data/"),
        ({"log_data/2018-11-01-events.json": "{}", "song_data/readme.txt": ""}, "holds no .json file"),
        ({"log_data/events.json": "{}", "song_data/A/B/C/TRABC.json": "{}"}, "named after its day"),
        (
            {"log_data/2018-11-01-\nevents.json": "{}", "song_data/TRABC.json": "{}"},
            r"2018-11-01-\nevents.json' in",
        ),
        ({"log_data/2018-13-01-events.json": "{}", "song_data/TRABC.json": "{}"}, "named after its day"),
    ],
)
def test_a_folder_that_cannot_be_loaded(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str], files: dict[str, str] | None, says: str
) -> None:
    folder = tmp_path / "data"
    if files is not None:
        folder.mkdir()
    for name, text in (files or {}).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    assert cli.main(["run", str(folder)], home) == 2
    told = capsys.readouterr()
    assert says in told.err
    assert str(folder) in told.err


def test_a_folder_is_read_whole_and_its_days_from_its_names(tmp_path: Path) -> None:
    for name in (
        *("log_data/2018/11/2018-11-30-events.json", "log_data/2018/11/2018-11-02-events.json.gz"),
        *("log_data/.DS_Store", "song_data/A/B/C/TRABC.json"),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{}")
    data = read_folder(tmp_path)
    assert set(data.files) == {
        "log_data/2018/11/2018-11-30-events.json",
        "log_data/2018/11/2018-11-02-events.json.gz",
        "song_data/A/B/C/TRABC.json",
    }
    assert (data.start, data.end) == (date(2018, 11, 2), date(2018, 12, 1))
