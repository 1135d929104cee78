"""The folder to load: log_data/ and song_data/ as in the public data set, or the generated sample month."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from local import sample
from local.home import Home, Problem, say, shown

SHAPE = "Next: name a folder that holds log_data/ and song_data/, as the sample does (make sample; ls .local/sample)"


@dataclass(frozen=True)
class Dataset:
    """The files to load, by S3 key, and the interval [start, end) in UTC days that the log files cover."""

    folder: Path
    files: dict[str, Path]
    start: date
    end: date

    @property
    def last_day(self) -> date:
        """Return the last day with a log file."""
        return self.end - timedelta(days=1)

    @property
    def identity(self) -> dict[str, str]:
        """Return the properties that distinguish datasets. A regenerated sample is a different dataset."""
        marker = self.folder / sample.MARKER
        return {"folder": str(self.folder), "sample": marker.read_text() if marker.exists() else ""}


def read_folder(folder: Path) -> Dataset:
    """Return the files named .json, compressed or not, below log_data/, song_data/ and any other folder ``*_data``.

    :raises Problem: there is nothing to load, no log file is named after its day, or a name cannot be an S3 key.
    """
    if not folder.is_dir():
        reason = "is not a folder" if folder.exists() else "does not exist"
        raise Problem(f"{folder} {reason}.\n{SHAPE}")
    if not any(folder.iterdir()):
        raise Problem(f"{folder} is empty.\n{SHAPE}")
    files: dict[str, Path] = {}
    more = [path.name for path in sorted(folder.glob("*_data")) if path.name not in ("log_data", "song_data")]
    for name in ("log_data", "song_data", *more):
        if not (folder / name).is_dir():
            raise Problem(f"{folder} has no {name}/.\n{SHAPE}")
        found = [
            path for path in sorted((folder / name).rglob("*")) if re.search(r"\.json(\.\w+)?$", path.name)
        ]
        if not found:
            raise Problem(f"{folder / name} holds no .json file.\n{SHAPE}")
        files |= {path.relative_to(folder).as_posix(): path for path in found if path.is_file()}
    for key in files:
        if re.search(r"[\x00-\x1f\x7f]", key):
            raise Problem(
                f"the file {key!r} in {folder} has a control character in its name, which S3 would not keep.\n"
                "Next: rename the file, then run the same command again"
            )
    days = set()
    for key in files:
        stamp = re.match(r"log_data/(?:.*/)?(\d{4}-\d\d-\d\d)", key)
        with contextlib.suppress(ValueError):
            days.add(date.fromisoformat(stamp[1] if stamp else ""))
    if not days:
        raise Problem(
            f"no log file in {folder} is named after its day.\n"
            "Next: name them like log_data/2018/11/2018-11-01-events.json"
        )
    return Dataset(folder, files, min(days), max(days) + timedelta(days=1))


def choose_folder(home: Home, text: str | None) -> Dataset:
    """Return the dataset of the folder ``text``, or else of the sample month, which is generated if it is missing."""
    if text:
        return read_folder(Path(text).expanduser().resolve())
    counts = sample.write(home.sample, sample.Spec())
    say(f"sample month of {counts.events:,} events and {counts.songs:,} songs in {shown(home.sample)}")
    return read_folder(home.sample)
