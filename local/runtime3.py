"""`make runtime3`: move the project to Astro Runtime 3, which has Airflow 3, without the Astro SDK.

It edits in place the files that must differ. `git diff` shows the changes. Each change names the text that it replaces,
and the command stops if a file does not have that text. To undo the changes, use `git checkout`.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from local.home import PROJECT

# A Runtime tag names the minor version of Airflow and a build. Building the image fails if its patch version differs
# from that in the lock. In that case, use another tag or run `make lock`.
TAG = "3.3-8-python-3.12-base"
REGISTRY = "astrocrpublic.azurecr.io/runtime"

# (pattern, replacement) per file.
CHANGES: dict[str, list[tuple[str, str]]] = {
    "Dockerfile": [
        # The header comment explains the override for the SDK, which this image does not need.
        (
            r"\A(#.*\n)+FROM .*\n",
            f"# Runtime 3 has Airflow 3: see docs/decisions/astro-sdk.md.\nFROM {REGISTRY}:{TAG}\n",
        ),
        (r"(?<=[ \"])requirements\.lock", "requirements-airflow3.lock"),
        (r"(?<=ARG AIRFLOW_VERSION=).*", "{airflow}"),
        (r"CORE(?=__DAG_FILE_PROCESSOR_TIMEOUT)", "DAG_PROCESSOR"),
        (r" Only the SDK's bound is known\.", ""),
        (r"\\\|\^astro-sdk-python \.\* flask-session", ""),
        (r"(#.*\n)+ENV AIRFLOW__ASTRO_SDK__ASSUME_SCHEMA_EXISTS=.*\n", ""),
    ],
    # Only the SDK needs pyarrow.
    "requirements.txt": [(r"#.*\nastro-sdk-python==.*\n", ""), (r"#.*\npyarrow==.*\n", "")],
    # In Airflow 3, a separate process, the DAG processor, reads the DAG files, and the scheduler runs the tasks.
    "docker-compose.override.yml": [
        (r"(?<=\n  scheduler:)\n(?:    .*\n)+", " &airflow\\g<0>\n  dag-processor: *airflow\n"),
    ],
    # Every make target, and therefore CI, then uses Airflow 3.
    "Makefile": [(r"(?=ifeq \(\$\(AIRFLOW\),3\))", "AIRFLOW ?= 3\n")],
}


def convert(project: Path) -> list[str]:
    """Change the files of a project and return their names.

    :raises ValueError: a text to replace is missing. In that case, no file is changed.
    """
    lock = (project / "requirements-airflow3.lock").read_text()
    version = re.findall(r"^apache-airflow==(\S+)", lock, re.M)[0]
    changed = {}
    for name, changes in CHANGES.items():
        text = (project / name).read_text()
        for pattern, replacement in changes:
            text, count = re.subn(pattern, replacement.replace("{airflow}", version), text)
            if not count:
                raise ValueError(f"{name} has no {pattern!r}: is the project on Runtime 3 already?")
        changed[name] = text
    for name, text in changed.items():
        (project / name).write_text(text)
    return list(changed)


if __name__ == "__main__":
    try:
        print("changed:", ", ".join(convert(PROJECT)))
    except ValueError as error:
        sys.exit(str(error))
