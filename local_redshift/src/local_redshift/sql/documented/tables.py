"""Read the tables of documented functions, operators and types. Each line has the URL of its page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_HERE = Path(__file__).parent
_ANY = 1_000_000  # any number of arguments


@dataclass(frozen=True)
class Function:
    """One function: the number of its arguments, and where it may be called.

    `place` is empty (anywhere), leader (not together with a user's table), compute (only together with one) or catalog
    (only in a query that reads only the catalog). `here` says whether the stand-in has the function.
    """

    name: str
    least: int
    most: int
    place: str
    here: bool
    page: str

    def takes(self, arguments: int) -> bool:
        """Return whether the function takes this number of arguments."""
        return self.least <= arguments <= self.most


@dataclass(frozen=True)
class Type:
    """One type, with the parser's name for it. `place` and `here` are as for a function."""

    name: str
    place: str
    here: bool
    page: str


def _lines(name: str) -> Iterator[list[str]]:
    lines = (_HERE / name).read_text().splitlines()
    rows = [line.split("\t") for line in lines if line and not line.startswith("# ")]
    yield from rows[1:]


def _functions() -> dict[str, Function]:
    return {
        name: Function(name, int(least), _ANY if most == "*" else int(most), place, here == "yes", page)
        for name, least, most, place, here, page in _lines("functions.tsv")
    }


FUNCTIONS = _functions()
OPERATORS = {line[0]: line[1] for line in _lines("operators.tsv")}
TYPES = {name: Type(name, place, here == "yes", page) for name, place, here, page in _lines("types.tsv")}
