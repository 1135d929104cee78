"""Write a sample to a folder that does not have it yet."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from tqdm import tqdm

from local.sample.events import events
from local.sample.songs import songs
from local.sample.spec import Spec

MARKER = ".sparkify-sample.json"


@dataclass(frozen=True)
class Counts:
    """The numbers of rows in a sample and of its log files. ``users`` counts users with a play."""

    events: int
    plays: int
    users: int
    songs: int
    log_files: int


def write(folder: Path, spec: Spec) -> Counts:
    """Write log_data/ and song_data/ below ``folder``, unless the folder already holds exactly this sample.

    :raises FileExistsError: the folder holds something other than an earlier sample.
    """
    marker = folder / MARKER
    identity = {name: str(value) for name, value in asdict(spec).items()} | {"generator": generator_hash()}
    if marker.exists():
        found = json.loads(marker.read_text())
        if found.get("spec") == identity and "counts" in found:
            return Counts(**found["counts"])
    elif folder.exists() and any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty and holds no earlier sample: name another folder")
    folder.mkdir(parents=True, exist_ok=True)
    # The marker is empty during the write, so that a partial sample is detected and rewritten.
    marker.write_text("{}")
    for name in ("log_data", "song_data"):
        shutil.rmtree(folder / name, ignore_errors=True)
    write_songs(folder, spec)
    event_count = play_count = 0
    listeners: set[str] = set()
    dump = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode
    for day, rows in tqdm(events(spec), "days of events", spec.days, unit="", disable=None, leave=False):
        path = folder / "log_data" / f"{day:%Y/%m/%Y-%m-%d}-events.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(map(dump, rows)), encoding="ascii")
        plays = [row["userId"] for row in rows if row["page"] == "NextSong"]
        event_count += len(rows)
        play_count += len(plays)
        listeners.update(plays)
    counts = Counts(event_count, play_count, len(listeners), spec.song_count, spec.days)
    marker.write_text(json.dumps({"spec": identity, "counts": asdict(counts)}))
    return counts


def write_songs(folder: Path, spec: Spec) -> None:
    """Write song_data/."""
    created = set()
    for song in tqdm(
        songs(spec), "songs", spec.song_count, unit="", unit_scale=True, disable=None, leave=False
    ):
        path = folder / "song_data" / song.key
        if path.parent not in created:
            path.parent.mkdir(parents=True, exist_ok=True)
            created.add(path.parent)
        path.write_text(json.dumps(song.row, indent=2 if song.indented else None), encoding="ascii")


def generator_hash() -> str:
    """Return a hash of this package's source, which also determines the bytes of a sample."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
