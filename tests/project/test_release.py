"""Test that a release is refused if the changelog or a version does not match. `make release` tests the other steps."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.project.files import PROJECT, read

VERSION = tomllib.loads(read("pyproject.toml"))["project"]["version"]


BOTH = "2026-11-30) and ## 9.9.9 (2026-11-30"


def test_one_version_everywhere() -> None:
    assert tomllib.loads(read("local_redshift/pyproject.toml"))["project"]["version"] == VERSION
    for name in ("CHANGELOG.md", "local_redshift/CHANGELOG.md"):
        assert re.search(rf"^## {VERSION} \((unreleased|\d{{4}}-\d\d-\d\d)\)$", read(name), re.M), name


@pytest.mark.parametrize(
    ("heading", "package", "tag", "message"),
    [
        (
            "unreleased",
            "2026-11-30",
            f"v{VERSION}",
            f'CHANGELOG.md has no entry "## {VERSION} (YYYY-MM-DD)". Next: write it',
        ),
        (
            "2026-11-30",
            "unreleased",
            f"v{VERSION}",
            f'local_redshift/CHANGELOG.md has no entry "## {VERSION} (',
        ),
        ("2026-11-30", "2026-11-30", "v9.9.9", 'CHANGELOG.md has no entry "## 9.9.9'),
        (BOTH, BOTH, "v9.9.9", "has another version than 9.9.9. Next: change it"),
    ],
)
def test_a_tag_that_does_not_fit_is_refused(
    tmp_path: Path, heading: str, package: str, tag: str, message: str
) -> None:
    for name in (".ci/release", "pyproject.toml", "local_redshift/pyproject.toml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy2(PROJECT / name, tmp_path / name)
    for name, date in (("CHANGELOG.md", heading), ("local_redshift/CHANGELOG.md", package)):
        text = f"# Changelog\n\n## {VERSION} ({date})\n".replace(" and ", "\n\n")
        (tmp_path / name).write_text(text)
    done = subprocess.run(
        [".ci/release", tag, "dist"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, message in done.stderr) == (1, True), done.stderr
