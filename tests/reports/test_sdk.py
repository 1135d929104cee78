"""The Astro SDK stands in one file; all else imports and runs without it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).parents[2]
SDK_FILE = ROOT / "dags" / "reports.py"

READ = """
import json, sys
from airflow.models import DagBag
bag = DagBag(sys.argv[1], include_examples=False, read_dags_from_db=False)
print(json.dumps([sorted(bag.dags), bag.import_errors]))
"""


def test_one_file_imports_it() -> None:
    files = [path for folder in ("dags", "include") for path in (ROOT / folder).rglob("*.py")]
    users = [path for path in files if re.search(r"^\s*(?:from|import) astro\b", path.read_text(), re.M)]
    assert users == [SDK_FILE]


def test_the_others_import_without_it(tmp_path: Path, airflow_database: None) -> None:
    """In an environment that holds everything but the SDK: its files and its entry in Airflow's list of providers."""
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if not path.name.startswith(("astro", "__editable__")):
            (tmp_path / path.name).symlink_to(path)
    # -S: no site-packages but the one made here.
    done = subprocess.run(
        [sys.executable, "-S", "-W", "ignore", "-c", READ, str(ROOT / "dags")],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    dags, errors = json.loads(done.stdout.splitlines()[-1])
    assert [Path(name) for name in errors] == [SDK_FILE], errors
    assert "No module named 'astro'" in errors[str(SDK_FILE)]
    assert "sparkify" in dags and "reports" not in dags
