"""`make cloud-demo` from the front door: the commands of docs/aws.md, as printed."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from local.home import PROJECT


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["cluster", "serverless"])
def test_the_commands_of_the_page_leave_nothing(tmp_path: Path, kind: str) -> None:
    # In its own process, because the demo replaces the environment.
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
    counts = re.findall(r"^ +songplays +([\d,]+) rows$", done.stdout, re.M)
    # The star is as it was before the pause; Serverless has none.
    assert len(counts) == (2 if kind == "cluster" else 1)
    assert len(set(counts)) == 1
