"""Test the commands in docs/first-hour.md, as printed, in a copy of the project."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from local.home import AIRFLOW
from tests.e2e.test_cli import free_ports
from tests.project.files import copy_project, read


@pytest.mark.slow
@pytest.mark.skipif(AIRFLOW != 2, reason="another Airflow has another folder below .local")
def test_the_commands_of_the_first_hour(tmp_path: Path) -> None:
    copy_project(tmp_path)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    environment |= free_ports()
    # The copy uses the environment of this test and does not create another one.
    environment["MAKEFLAGS"] = f"READY= PY={sys.executable}"
    commands = "".join(re.findall(r"^```sh\n(.*?)^```", read("docs/first-hour.md"), re.M | re.S))
    try:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", commands],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        subprocess.run(["make", "down"], cwd=tmp_path, env=environment, capture_output=True, check=False)

    told = done.stdout + done.stderr
    assert done.returncode == 0, told[-5000:]
    for words in (
        "the run failed, as it should",
        '2018-11-15-events.json,"no line has userAgent',
        "level,count\npaid,",
        "analysts do not read names",
        "stopped the local services",
    ):
        assert words in told, told[-5000:]
    # The versions are the first load, the load of the corrected file, and the reload of the days.
    assert re.search(r"\n1,load,.*\n2,load,.*\n3,reload,.*\n", told), told[-5000:]
