"""The command line of the sample: see the package's docstring."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from local.sample import Spec, write


def positive(kind: type, most: int = 10_000) -> Any:
    """Return a parser of argument values of type ``kind`` that are above 0 and at most ``most``."""

    def read(text: str) -> Any:
        value = kind(text)
        if not 0 < value <= most:
            raise argparse.ArgumentTypeError(f"must be above 0 and at most {most:,}")
        return value

    return read


def main(arguments: list[str] | None = None) -> int:
    """Write the sample and return the exit code, which is 2 if the folder cannot be used."""
    default = Spec()
    parser = argparse.ArgumentParser(prog="sample", description="Invented Sparkify logs and songs.")
    parser.add_argument(
        "folder", type=Path, help="gets log_data/ and song_data/; new, empty or an earlier sample's"
    )
    parser.add_argument(
        "--scale", type=positive(float), default=default.scale, help="1: a month of 8,000 events"
    )
    parser.add_argument("--days", type=positive(int), default=default.days)
    parser.add_argument(
        "--songs", type=positive(int, 10_000_000), help="one file each; 1,000 times the scale if not given"
    )
    given = parser.parse_args(arguments)
    try:
        counts = write(given.folder, Spec(days=given.days, scale=given.scale, songs=given.songs))
    except OSError as error:
        print(f"sample: {error}", file=sys.stderr)
        return 2
    print(
        f"{given.folder}: {counts.events:,} events ({counts.plays:,} plays of {counts.users:,} users) "
        f"in {counts.log_files:,} files, {counts.songs:,} songs"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
