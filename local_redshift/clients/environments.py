"""Set up one environment per client below .local/clients, with the versions in `tools.toml`."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parents[1]
HOME = PROJECT / ".local" / "clients"
README = HERE.parent / "README.md"


def read_tools() -> dict[str, Any]:
    """Return the tables of tools.toml."""
    return tomllib.loads((HERE / "tools.toml").read_text())


def python_of(name: str, packages: Sequence[str], without: Sequence[str] = ()) -> Path:
    """Set up the environment ``name`` with ``packages``, without those in ``without``, if needed. Return its Python.

    :raises subprocess.CalledProcessError: if a package cannot be installed.
    """
    folder = HOME / name
    python = folder / "bin" / "python"
    wanted = hashlib.sha256("\n".join((*packages, "", *without)).encode()).hexdigest()
    mark = folder / ".packages"
    if mark.exists() and mark.read_text() == wanted:
        return python
    print(f"Setting up {name}", file=sys.stderr)
    uv = shutil.which("uv") or next(iter(sorted(PROJECT.glob(".uv/*/bin/uv"))), "uv")
    subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, folder], check=True)
    overrides = folder / "overrides.txt"
    overrides.write_text("".join(f"{package}; sys_platform == 'never'\n" for package in without))
    install = (uv, "pip", "install", "--quiet", "--python", python, "--overrides", overrides)
    subprocess.run([*install, *packages], check=True)
    mark.write_text(wanted)
    return python


def write_block(name: str, text: str) -> None:
    """Replace the generated block ``name`` of the package's README, or add it at the end."""
    start, end = f"<!-- {name}: generated -->", f"<!-- {name}: end -->"
    block = f"{start}\n{text.strip()}\n{end}"
    page = README.read_text()
    found = re.compile(re.escape(start) + ".*?" + re.escape(end), re.S)
    README.write_text(
        found.sub(lambda _: block, page) if found.search(page) else f"{page.rstrip()}\n\n{block}\n"
    )


def read_block(name: str) -> str:
    """Return the generated block ``name`` of the package's README, or an empty string if there is none."""
    found = re.search(f"<!-- {name}: generated -->\n(.*?)\n<!-- {name}: end -->", README.read_text(), re.S)
    return found[1] if found else ""
