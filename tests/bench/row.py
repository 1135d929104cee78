"""One row of the benchmark's table, and the functions that measure time."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """A figure, the wanted value, and the bound beyond which the figure has regressed."""

    measure: str
    figure: float
    wanted: float
    bound: float
    unit: str = "x"
    """``x`` for a ratio, ``s`` for seconds, ``MB``, or an empty string for a count."""
    less_is_better: bool = True
    details: str = ""
    """The measurements behind the figure."""

    @property
    def missed(self) -> bool:
        """Return whether the figure misses the wanted value."""
        return self._beyond(self.wanted)

    @property
    def regressed(self) -> bool:
        """Return whether the figure is beyond its bound."""
        return self._beyond(self.bound)

    def _beyond(self, limit: float) -> bool:
        return self.figure > limit if self.less_is_better else self.figure < limit

    def __str__(self) -> str:
        sign = "<=" if self.less_is_better else ">="
        verdict = "  REGRESSED" if self.regressed else "  missed" if self.missed else ""
        digits = 2 if self.unit == "x" else 0
        cells = [f"{self.figure:.{digits}f} {self.unit}".rstrip()] + [
            f"{sign} {limit:g} {self.unit}".rstrip() for limit in (self.wanted, self.bound)
        ]
        line = f"{self.measure:<78} {cells[0]:>9} {cells[1]:>9} {cells[2]:>9}{verdict}"
        return f"{line}\n    {self.details}" if self.details else line


def seconds(work: Callable[[], object]) -> float:
    """Return the seconds that ``work`` takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def median(work: Callable[[], object], tries: int) -> float:
    """Return the median of the seconds that the tries take."""
    return statistics.median(seconds(work) for _ in range(tries))
