"""Measure a whole `make run` of the full edition's lake with Airflow and the reports, and a second without new data.

The figures are wall time in seconds, without the first setup of the environment.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.bench.row import Row, seconds
from tests.bench.setting import Setting
from tests.bench.usual import FULL_EDITION, one_line_songs
from tests.own_environment import ROOT

COMMAND = """
import sys
from pathlib import Path
from local.cli import main
from local.home import Home
sys.exit(main(sys.argv[2:], Home(Path(sys.argv[1]))))
"""


def measure(setting: Setting) -> Iterator[Row]:
    """Yield the rows of this part."""
    folder, home = one_line_songs(setting, FULL_EDITION), setting.home / "make-run"
    ports = {name: free_port() for name in ("SPARKIFY_AWS_PORT", "SPARKIFY_REDSHIFT_PORT")}
    try:
        first = seconds(lambda: command(home, ports, "run", str(folder)))
        yield Row("whole `make run` of that lake, first", first, 45, 300, unit="s")
        again = seconds(lambda: command(home, ports, "run", str(folder)))
        yield Row("whole `make run` of that lake, again", again, 12, 90, unit="s")
    finally:
        command(home, ports, "down")


def command(home: Path, ports: dict[str, str], *arguments: str) -> None:
    """Run a command of `make` in its own home.

    :raises RuntimeError: if the command fails. The message has the end of its output.
    """
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", COMMAND, str(home), *arguments],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")} | ports,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"make {' '.join(arguments)} failed:\n{(done.stdout + done.stderr)[-3000:]}")


def free_port() -> str:
    """Return an unused port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])
