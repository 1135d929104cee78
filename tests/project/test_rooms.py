"""The rooms of include/sparkify are stages of the flow: a room imports only from itself and those above it."""

from __future__ import annotations

import ast

import pytest

from tests.project.files import PROJECT

HOUSE = PROJECT / "include/sparkify"
# In the order of the docstring of include/sparkify. The first is the modules of the package itself.
ROOMS = ("", "files", "redshift", "tasks", "watching")


def test_every_room_has_its_place_and_its_sentence() -> None:
    found = {path.parent.name for path in HOUSE.glob("*/__init__.py")}
    assert found == set(ROOMS[1:])
    told = ast.get_docstring(ast.parse((HOUSE / "__init__.py").read_text())) or ""
    places = [told.index(f"`{room}`") for room in ROOMS[1:]]
    assert places == sorted(places)
    for room in ROOMS[1:]:
        assert ast.get_docstring(ast.parse((HOUSE / room / "__init__.py").read_text())), room


@pytest.mark.parametrize("room", ROOMS)
def test_imports_go_up(room: str) -> None:
    allowed = ROOMS[: ROOMS.index(room) + 1]
    for path in sorted((HOUSE / room).glob("*.py")):
        for module in imported(path.read_text()):
            assert room_of(module) in allowed, f"{path.relative_to(PROJECT)} imports {module}"


def imported(text: str) -> set[str]:
    """Return the modules of include/sparkify that a module imports, at its top or in a function."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("include.sparkify"):
            found |= {f"{node.module}.{name.name}" for name in node.names}
        elif isinstance(node, ast.Import):
            found |= {name.name for name in node.names if name.name.startswith("include.sparkify")}
    return found


def room_of(module: str) -> str:
    """Return the room of a module, or of a name in one: include.sparkify.files.lake.client is in files."""
    room = module.split(".")[2]
    return room if room in ROOMS else ""
