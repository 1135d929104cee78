"""Apply each recipe of CONTRIBUTING.md that has an example to a copy of the project, and test it there.

``tests/recipes`` has a patch and the tests of each recipe. If a patch no longer applies, make its changes by hand in a
clone, and replace the patch with the output of ``git diff -U1``.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.project.files import PROJECT, copy_project, read

RECIPES = PROJECT / "tests" / "recipes"
EVERYWHERE = ["tests/project/test_docs.py", "tests/dags/test_integrity.py", "tests/faults/test_guard.py"]
# Files with tests of the project that a new dimension or source must pass. WORDS selects the tests by name.
NEAREST = {
    "places": [*EVERYWHERE, "tests/faults/test_gates.py", "tests/pipeline/test_any_order.py"],
    "ads": [*EVERYWHERE, "tests/cluster/test_policies.py"],
}
WORDS = "import_together or up_to_date or documented or every_published or any_order or policies"


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=test", "-c", "user.email=test", *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a committed copy of the project."""
    copy_project(tmp_path)
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "before")
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("name", NEAREST)
def test_a_recipe_is_loaded_audited_documented_and_guarded(project: Path, name: str) -> None:
    git(project, "apply", "-C1", str(RECIPES / f"{name}.patch"))
    environment = os.environ | {"PYTHONPATH": str(project), "SPARKIFY_SCHEDULES": "2"}
    for ours in [key for key in environment if key.startswith("AIRFLOW")]:
        del environment[ours]
    python = [sys.executable, "-W", "ignore", "-m"]
    subprocess.run([*python, "docs.generate"], cwd=project, env=environment, check=True, capture_output=True)
    done = subprocess.run(
        [*python, "pytest", "-q", "-k", f"{name} or {WORDS}", f"tests/recipes/{name}.py", *NEAREST[name]],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:]
    git(project, "add", "-A")
    changed = git(project, "diff", "--cached", "--name-only").split()
    assert len(changed) <= 8
    recipe = read("CONTRIBUTING.md").partition(f"tests/recipes/{name}.patch")[2].partition("\n### ")[0]
    assert [path for path in changed if path.replace(name, "NAME") not in recipe] == []
