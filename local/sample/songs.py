"""Generate song_data: one JSON object per song."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

from local.sample.spec import Spec
from local.sample.words import LAST_NAMES, PLACE_STARTS, artist_name, pick, place, title


@dataclass(frozen=True)
class Song:
    """A file of song_data: its ``key`` below song_data/, its JSON object, and whether that spans several lines."""

    key: str
    row: dict[str, Any]
    indented: bool


def songs(spec: Spec) -> Iterator[Song]:
    """Yield the songs of a sample."""
    random = spec.random("songs")
    artists: list[dict[str, Any]] = []
    earlier: dict[str, Any] | None = None
    for number in range(spec.song_count):
        # Codes are a permutation of the numbers, so none occurs twice.
        code = f"{number * 2654435761 % 2**32:08X}"
        letters = "".join(chr(65 + int(random.random() * 26)) for _ in range(5))
        if not artists or random.random() < 0.7:
            located = random.random() < 0.4
            artists.append(
                {
                    "artist_id": f"AR{letters}{len(artists) * 2246822519 % 2**32:08X}",
                    "artist_latitude": round(60 * random.random(), 5) if located else None,
                    "artist_longitude": round(180 * (random.random() - 0.5), 5) if located else None,
                    "artist_location": artist_location(random),
                    "artist_name": artist_name(random, long=number % 1700 == 1699),
                }
            )
            artist = artists[-1]
        else:
            artist = pick(random, artists)
        row = {
            "num_songs": 1,
            **artist,
            "song_id": f"SO{letters}{code}",
            "title": title(random, long=number % 1300 == 1299),
            "duration": seconds(random),
            "year": 0 if random.random() < 0.6 else 1955 + int(random.random() * 56),
        }
        chance = random.random()
        if chance < 0.06:
            # The same artist_id with another name and another place.
            row["artist_name"] = f"{artist['artist_name']} & {pick(random, LAST_NAMES)}"
            row["artist_location"] = artist_location(random)
        elif chance < 0.09:
            row["artist_latitude"], row["artist_longitude"] = round(60 * random.random(), 5), -0.0001
        elif chance < 0.095 and earlier:
            # A second song that matches every play of the first one.
            row |= {key: earlier[key] for key in ("title", "duration", "artist_name", "artist_id")}
        if number % 150 == 0:
            earlier = row
        key = f"A/{letters[0]}/{letters[1]}/TRA{letters[:3]}{code}.json"
        yield Song(key, row, indented=random.random() < 0.04)


def artist_location(random: Random) -> str | int:
    """Return an artist's location: mostly empty, sometimes HTML or a number."""
    chance = random.random()
    if chance < 0.4:
        return ""
    if chance < 0.405:
        return 1984
    if chance < 0.41:
        town = pick(random, PLACE_STARTS).lower()
        return f"""<a href="http://{town}.example.com/" onmousedown='go("{town}")'>{town}.example.com</a>"""
    return place(random)


def seconds(random: Random) -> float:
    """Return a song's length in seconds, with five decimals as in the source."""
    rare = random.random() * random.random() * random.random()
    return round(45 + 190 * (random.random() + random.random()) + 600 * rare * rare, 5)
