"""Test that the benchmark marks a figure that misses its wanted value, and fails for a figure beyond its bound."""

from __future__ import annotations

import pytest

from tests.bench import table
from tests.bench.row import Row

LESS, MORE = {"wanted": 1.2, "bound": 2}, {"wanted": 0.9, "bound": 0.4, "less_is_better": False}


@pytest.mark.parametrize(
    ("figure", "limits", "code", "verdict"),
    [
        (1.1, LESS, 0, "<= 1.2 x    <= 2 x"),
        (1.5, LESS, 0, "<= 1.2 x    <= 2 x  missed"),
        (2.5, LESS, 1, "<= 1.2 x    <= 2 x  REGRESSED"),
        (0.5, MORE, 0, ">= 0.9 x  >= 0.4 x  missed"),
        (0.3, MORE, 1, ">= 0.9 x  >= 0.4 x  REGRESSED"),
    ],
)
def test_a_figure_against_what_is_wanted_and_its_bound(monkeypatch, capsys, figure, limits, code, verdict):
    row = Row("one more day at 100 months by 1", figure, **limits)
    monkeypatch.setattr(table, "PARTS", {"one": lambda setting: iter([row])})
    assert table.main([]) == code
    printed = capsys.readouterr().out.splitlines()[1]
    assert printed.startswith("one more day at 100 months by 1")
    assert printed.endswith(verdict)


def test_only_the_parts_that_are_named(monkeypatch, capsys):
    measured: list[str] = []
    parts = {name: lambda setting, name=name: measured.append(name) or iter([]) for name in ("one", "two")}
    monkeypatch.setattr(table, "PARTS", parts)
    assert table.main(["two"]) == 0
    assert measured == ["two"]
    with pytest.raises(SystemExit):
        table.main(["three"])
    assert "no such part: three; there are one, two" in capsys.readouterr().err
