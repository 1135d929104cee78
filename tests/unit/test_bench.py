"""Test that the benchmark marks a figure that misses its wanted value, and fails for a figure beyond its bound."""

from __future__ import annotations

import pytest
from airflow.models import DagBag

from tests.bench import scheduler, table
from tests.bench.row import Row
from tests.bench.wire import Counts

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


def test_the_middle_of_several_runs_and_the_rows_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler, "longest_chain", lambda file, dag_id: 11)
    runs = [
        scheduler.Cost(wall=n, airflow=n, stand_in=n, tasks=20, counts=Counts(10 * n, 100, 12))
        for n in (3, 1, 2)
    ]
    middle = scheduler.middle(runs)
    assert middle == runs[2]
    usual = scheduler.Cost(wall=1, airflow=1, stand_in=0, tasks=11, counts=Counts(9, 22, 8))
    rows = list(scheduler.rows({"usual": usual, "ours": middle, "again": usual, "with reports": runs[0]}))
    assert [row.figure for row in rows] == [2, 4, 3, 1, 11, 20, 20, 100, 12]
    assert {row.measure for row in rows if row.missed} == {rows[1].measure}
    assert str(rows[-1]).splitlines()[0].endswith(" 12     <= 12     <= 15")
