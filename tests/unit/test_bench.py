"""The benchmark prints what is missed, and fails for what is beyond its bound."""

from __future__ import annotations

import pytest
from airflow.models import DagBag

from tests.bench import scheduler, table
from tests.bench.row import Row

GOOD, MISSED, REGRESSED = 1.1, 1.5, 2.5


@pytest.mark.parametrize(
    ("figure", "code", "verdict"), [(GOOD, 0, ""), (MISSED, 0, "missed"), (REGRESSED, 1, "REGRESSED")]
)
def test_a_figure_against_what_is_wanted_and_its_bound(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    figure: float,
    code: int,
    verdict: str,
) -> None:
    row = Row("one more day at 100 months by 1", figure, wanted=1.2, bound=2)
    monkeypatch.setattr(table, "PARTS", {"one": lambda setting: iter([row])})
    assert table.main([]) == code
    printed = capsys.readouterr().out.splitlines()[1]
    assert printed.startswith("one more day at 100 months by 1")
    assert printed.endswith(f"<= 1.2 x    <= 2 x{verdict and '  ' + verdict}")


def test_more_is_better() -> None:
    assert Row("COPY by psql", 0.5, wanted=0.9, bound=0.4, less_is_better=False).missed
    assert not Row("COPY by psql", 0.5, wanted=0.9, bound=0.4, less_is_better=False).regressed
    assert Row("COPY by psql", 0.3, wanted=0.9, bound=0.4, less_is_better=False).regressed


def test_only_the_parts_that_are_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    measured: list[str] = []
    parts = {name: lambda setting, name=name: measured.append(name) or iter([]) for name in ("one", "two")}
    monkeypatch.setattr(table, "PARTS", parts)
    assert table.main(["two"]) == 0
    assert measured == ["two"]
    with pytest.raises(SystemExit):
        table.main(["three"])
    assert "no such part: three; there are one, two" in capsys.readouterr().err


def test_the_usual_dag_has_eleven_tasks_seven_of_them_in_a_chain() -> None:
    file = scheduler.FILES[scheduler.USUAL]
    assert len(DagBag(file).dags[scheduler.USUAL].tasks) == 11
    assert scheduler.longest_chain(file, scheduler.USUAL) == 7
