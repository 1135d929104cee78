"""`make run`, `make query`, `make up` and `make down` from the front door, in a home and on ports of their own."""

import contextlib
import csv
import io
import json
import shutil
import socket
import urllib.request
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import psutil
import pytest

from include.local_aws import drive, sample, service

STAR = {"songplays", "users", "songs", "artists", "time"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The driver with its state in a folder of this module; everything is stopped at the end."""
    home = tmp_path_factory.mktemp("local")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("HOME", "SERVICES", "AIRFLOW_HOME", "LAKE_NOTE", "AIRFLOW_NOTE", "RUN_LOG"):
            patch.setattr(drive, name, home / getattr(drive, name).relative_to(drive.PROJECT / ".local"))
        for name in ("SPARKIFY_AWS_PORT", "SPARKIFY_REDSHIFT_PORT", "SPARKIFY_UI_PORT"):
            patch.setenv(name, str(free_port()))
        yield home
        assert drive.main(["down"]) == 0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three days of a tenth of the sample."""
    folder = tmp_path_factory.mktemp("data")
    sample.write(folder, sample.Spec(days=3, scale=0.1))
    return folder


def query(capsys: pytest.CaptureFixture[str], sql: str) -> list[list[str]]:
    """What `make query` prints, as rows; the header is the first."""
    capsys.readouterr()
    assert drive.main(["query", sql]) == 0
    told = capsys.readouterr()
    assert told.err == ""
    return list(csv.reader(io.StringIO(told.out)))


def rows(capsys: pytest.CaptureFixture[str]) -> dict[str, list[list[str]]]:
    """Every row of the star."""
    return {table: sorted(query(capsys, f"select * from sparkify.{table}")[1:]) for table in STAR}


def test_query_before_anything_runs(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert drive.main(["query", "select 1"]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert "make run" in told.err


@pytest.mark.slow
def test_run_loads_a_folder_and_again_changes_nothing(
    home: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    events = [
        json.loads(line)
        for path in folder.glob("log_data/**/*.json")
        for line in path.read_text().splitlines()
    ]
    plays = [event for event in events if event["page"] == "NextSong"]
    assert drive.main(["run", str(folder)]) == 0
    told = capsys.readouterr().out
    assert "publish" in told
    assert f"songplays            {len(plays):>12,}" in told
    assert "checks:" in told

    loaded = rows(capsys)
    assert len(loaded["songplays"]) == len(plays)
    assert len(loaded["users"]) == len({play["userId"] for play in plays})
    assert len(loaded["time"]) == len({play["ts"] for play in plays})
    assert len(loaded["songs"]) == 100

    assert drive.main(["run", str(folder)]) == 0
    assert "nothing is new" in capsys.readouterr().out
    assert rows(capsys) == loaded


@pytest.mark.slow
def test_query_prints_csv_alone(home: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert drive.main(["run", str(folder)]) == 0
    sql = """select 1 as one, null as nothing, true as yes, 'a "b", c' as text, 1.50::decimal(5,2) as price"""
    assert query(capsys, sql) == [
        ["one", "nothing", "yes", "text", "price"],
        ["1", "", "true", 'a "b", c', "1.50"],
    ]
    assert query(capsys, "select user_id from sparkify.users where false") == [["user_id"]]
    assert drive.main(["query", "select nope"]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert 'column "nope" does not exist' in told.err


@pytest.mark.slow
def test_a_file_that_arrives_later_is_loaded_too(
    home: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here = tmp_path / "arriving"
    shutil.copytree(folder, here)
    last = max(here.glob("log_data/**/*.json"))
    later = last.read_bytes()
    last.unlink()
    assert drive.main(["run", str(here)]) == 0
    assert "beginning with an empty lake" in capsys.readouterr().out, "another folder is another life"
    before = rows(capsys)
    last.write_bytes(later)
    assert drive.main(["run", str(here)]) == 0
    assert "1 of them new or changed" in capsys.readouterr().out
    assert len(rows(capsys)["songplays"]) > len(before["songplays"])
    last.unlink()
    assert drive.main(["run", str(here)]) == 0
    assert "have gone" in capsys.readouterr().out
    assert rows(capsys) == before


@pytest.mark.slow
def test_a_failed_run_says_what_where_and_what_next(
    home: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here = tmp_path / "broken"
    shutil.copytree(folder, here)
    path = min(here.glob("log_data/**/*.json"))
    path.write_text("\n".join(line[:40] for line in path.read_text().splitlines()))
    assert drive.main(["run", str(here)]) == 1
    told = capsys.readouterr().err
    assert "task plan failed" in told
    assert path.name in told
    assert "Next:" in told
    assert str(drive.RUN_LOG) in told
    assert query(capsys, "select count(*) from sparkify.songplays") == [["count"], ["0"]]


@pytest.mark.slow
def test_up_and_down(home: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert drive.main(["up", str(folder)]) == 0
    told = capsys.readouterr().out
    assert "password" in told
    url = f"http://127.0.0.1:{drive.ui_port()}"
    with urllib.request.urlopen(f"{url}/health") as answer:
        health = json.load(answer)
    assert {part: state["status"] for part, state in health.items() if part != "dag_processor"} == {
        "metadatabase": "healthy",
        "scheduler": "healthy",
        "triggerer": "healthy",
    }
    running = service.status(drive.SERVICES)
    assert running
    with drive.ask_airflow(running) as cursor:
        cursor.execute("select is_paused from dag where dag_id = 'sparkify'")
        assert cursor.fetchall() == [(True,)]

    processes = [psutil.Process(running.pid), *drive.airflow_processes()]
    family = [*processes, *(child for process in processes for child in process.children(recursive=True))]
    addresses = set()
    for process in family:
        # A scheduler's child may end while it is looked at.
        with contextlib.suppress(psutil.NoSuchProcess):
            connections = process.net_connections("tcp")
            addresses |= {each.laddr.ip for each in connections if each.status == psutil.CONN_LISTEN}
    assert addresses == {"127.0.0.1"}

    # Two runs at once on one database would meet; the scheduler has it.
    assert drive.main(["run", str(folder)]) == 2
    assert "make down" in capsys.readouterr().err

    assert drive.main(["down"]) == 0
    _, alive = psutil.wait_procs(family, timeout=30)
    assert not alive
    assert drive.main(["down"]) == 0
    assert "nothing was running" in capsys.readouterr().out


def test_a_port_in_use(
    home: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    drive.main(["down"])
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = str(other.getsockname()[1])
        monkeypatch.setenv("SPARKIFY_REDSHIFT_PORT", taken)
        assert drive.main(["run", str(folder)]) == 2
        told = capsys.readouterr().err
        assert f"port {taken} is in use" in told
        assert "SPARKIFY_REDSHIFT_PORT=" in told
    monkeypatch.setenv("SPARKIFY_REDSHIFT_PORT", "http")
    assert drive.main(["run", str(folder)]) == 2
    assert "SPARKIFY_REDSHIFT_PORT=http is no port number" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("files", "says"),
    [
        (None, "no such folder"),
        ({}, "is empty"),
        ({"other/file.json": "{}"}, "has no log_data/"),
        ({"log_data/2018-11-01-events.json": "{}"}, "has no song_data/"),
        ({"log_data/2018-11-01-events.json": "{}", "song_data/readme.txt": ""}, "holds no .json file"),
        ({"log_data/events.json": "{}", "song_data/A/B/C/TRABC.json": "{}"}, "named by its day"),
        ({"log_data/2018-13-01-events.json": "{}", "song_data/TRABC.json": "{}"}, "named by its day"),
    ],
)
def test_a_folder_that_cannot_be_loaded(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], files: dict[str, str] | None, says: str
) -> None:
    folder = tmp_path / "data"
    if files is not None:
        folder.mkdir()
    for name, text in (files or {}).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    assert drive.main(["run", str(folder)]) == 2
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
    data = drive.read_folder(tmp_path)
    assert set(data.files) == {
        "log_data/2018/11/2018-11-30-events.json",
        "log_data/2018/11/2018-11-02-events.json.gz",
        "song_data/A/B/C/TRABC.json",
    }
    assert (data.start, data.end) == (date(2018, 11, 2), date(2018, 12, 1))
