"""`make cloud-demo` from the front door: provision, load, pause, resume, teardown."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from local.home import PROJECT


@pytest.mark.slow
def test_a_warehouse_lives_and_leaves_nothing(tmp_path: Path) -> None:
    # In its own process, because the demo replaces the environment.
    code = (
        "import sys; from pathlib import Path; from local.cloud_demo import main; from local.home import Home\n"
        f"sys.exit(main(Home(Path({str(tmp_path)!r}) / 'home')))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the paused cluster refuses connections" in done.stdout
    assert "left of it: nothing" in done.stdout
    counts = re.findall(r"^ +songplays +([\d,]+) rows$", done.stdout, re.M)
    assert len(counts) == 2
    assert counts[0] == counts[1], "the star is as it was before the pause"
