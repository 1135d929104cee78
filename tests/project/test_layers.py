"""Test that each package of include/sparkify, a layer, imports only from itself and the layers above it."""

from __future__ import annotations

import ast

import pytest

from tests.project.files import PROJECT

PACKAGE = PROJECT / "include/sparkify"
# The order is that of the docstring of include/sparkify. The first layer has the modules of the package itself.
LAYERS = ("", "files", "redshift", "tasks", "watching")


def test_every_folder_is_a_layer() -> None:
    assert {path.parent.name for path in PACKAGE.glob("*/__init__.py")} == set(LAYERS[1:])


@pytest.mark.parametrize("layer", LAYERS)
def test_imports_go_up(layer: str) -> None:
    allowed = LAYERS[: LAYERS.index(layer) + 1]
    for path in sorted((PACKAGE / layer).glob("*.py")):
        for module in imported(path.read_text()):
            assert layer_of(module) in allowed, f"{path.relative_to(PROJECT)} imports {module}"


def imported(text: str) -> set[str]:
    """Return the modules of include/sparkify that a module imports, at its top level or in a function."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("include.sparkify"):
            found |= {f"{node.module}.{name.name}" for name in node.names}
        elif isinstance(node, ast.Import):
            found |= {name.name for name in node.names if name.name.startswith("include.sparkify")}
    return found


def layer_of(module: str) -> str:
    """Return the layer of a module or of a name in a module: include.sparkify.files.lake.client is in files."""
    layer = module.split(".")[2]
    return layer if layer in LAYERS else ""
