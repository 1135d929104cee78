"""Test that docs/findings.md and the marker `finding` name the same findings."""

from __future__ import annotations

import re

from tests.project.files import PROJECT

# D8 is unchanged, and the table gives the reason. The tests of local_redshift cover C5 and C7.
ELSEWHERE = {"D8", "C5", "C7"}


def test_every_finding_is_held_by_a_test() -> None:
    listed = set(re.findall(r"^\| ([A-Z]\d+) \|", (PROJECT / "docs/findings.md").read_text(), re.M))
    marked = set()
    for path in (PROJECT / "tests").rglob("test_*.py"):
        for names in re.findall(r"mark\.finding\(([^)]*)\)", path.read_text()):
            marked |= set(re.findall(r"[A-Z]\d+", names))
    assert listed - ELSEWHERE == marked
