"""Test that random schedules end in the same rows when concurrency errors and lost connections occur at random.

``SPARKIFY_TROUBLE=0.02 SPARKIFY_SCHEDULES=500 make soak`` runs more schedules.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.slow
def test_random_schedules_with_the_trouble_of_a_cluster():
    # Run them in another process, whose warehouse is only for these tests.
    files = [str(HERE / "test_any_order.py"), str(HERE / "test_stateful.py")]
    found = subprocess.run(
        [sys.executable, *"-m pytest -q -n 0 -p no:cacheprovider --hypothesis-seed=1".split(), *files],
        env={**os.environ, "SPARKIFY_TROUBLE": "0.02", "SPARKIFY_SCHEDULES": "2"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stdout[-5000:]
    assert "2 passed" in found.stdout
