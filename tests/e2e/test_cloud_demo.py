"""Test `make cloud-demo` end to end: it runs the commands in docs/aws.md as printed."""

import json
import re
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from local.cloud_demo import Demo
from local.home import PROJECT, Home, Problem


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["cluster", "serverless"])
def test_the_commands_of_the_page_leave_nothing(tmp_path: Path, kind: str) -> None:
    # The demo runs in its own process, because it replaces the environment.
    code = (
        "import sys; from pathlib import Path; from local.cloud_demo import main; from local.home import Home\n"
        f"sys.exit(main({kind!r}, Home(Path({str(tmp_path)!r}) / 'home')))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert ("the paused cluster refuses connections" in done.stdout) == (kind == "cluster")
    assert "left of it: nothing" in done.stdout
    assert "unpaused: maintenance, sparkify" in done.stdout
    counts = re.findall(r"^ +songplays +([\d,]+) rows$", done.stdout, re.M)
    # The star is the same as before the pause. Serverless cannot be paused.
    assert len(counts) == (2 if kind == "cluster" else 1)
    assert len(set(counts)) == 1


def test_a_dag_that_is_off_does_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow would leave the run of a paused DAG in the queue."""
    ran = []
    monkeypatch.setattr(Demo, "airflow", lambda self, *words: ran.append(words[2]))
    monkeypatch.setattr(Demo, "show_star", lambda self: None)
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    no_services: Any = None
    demo = Demo(no_services, Home(tmp_path), "cluster")
    with pytest.raises(Problem, match="sparkify is created paused.*\nNext: unpause it"):
        demo.run("sparkify", {})

    body = json.dumps({"is_paused": False}).encode()
    url = f"{demo.api.url}/api/v1/dags/sparkify"
    headers = {"Content-Type": "application/json"}
    urllib.request.urlopen(urllib.request.Request(url, body, headers, method="PATCH")).close()
    demo.run("sparkify", {})
    demo.run("resume", {})
    demo.api.server.shutdown()
    assert ran == ["sparkify", "resume"]
