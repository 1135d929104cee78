"""An oracle for the star: derive its expected rows in plain Python, without sharing anything with the SQL.

It reads the current version of every file as a whole, and knows neither intervals nor runs nor history.
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any


def star(
    logs: dict[str, list[dict[str, Any]]], songs: dict[str, dict[str, Any]]
) -> dict[str, set[tuple[Any, ...]]]:
    """Return the rows of every table.

    :param logs: the accepted lines of every log file by its key.
    :param songs: the song files by their keys.
    """
    plays = [
        (key, number, line)
        for key, content in logs.items()
        for number, line in enumerate(content, start=1)
        if line["page"] == "NextSong"
    ]
    return derive(plays, songs)


def derive(
    plays: list[tuple[str, int, dict[str, Any]]], songs: dict[str, dict[str, Any]]
) -> dict[str, set[tuple[Any, ...]]]:
    """Return the rows of every table.

    :param plays: key, line number and line of every delivery of a play.
    :param songs: the song files by their keys.
    """
    song_files = sorted(songs.items())
    by_song: dict[str, tuple[str, dict[str, Any]]] = {}
    for key, document in song_files:
        by_song.setdefault(document["song_id"], (key, document))
    by_text: dict[tuple[str, str, float], dict[str, Any]] = {}
    for _, document in sorted(by_song.values(), key=lambda item: item[1]["song_id"]):
        by_text.setdefault((document["title"], document["artist_name"], document["duration"]), document)
    by_artist: dict[str, dict[str, Any]] = {}
    for _, document in sorted(
        song_files,
        key=lambda item: (item[1]["artist_latitude"] is None, -item[1]["year"], item[1]["song_id"], item[0]),
    ):
        by_artist.setdefault(document["artist_id"], document)

    events: dict[tuple[int, ...], dict[str, Any]] = {}
    for _, _, line in sorted(plays, key=lambda item: item[:2]):
        natural = (line["ts"], int(line["userId"]), line["sessionId"], line["itemInSession"])
        events.setdefault(natural, line)
    songplays = set()
    for natural, line in events.items():
        match = by_text.get((line["song"], line["artist"], line["length"]), {})
        songplays.add(
            (
                hashlib.md5("|".join(map(str, natural)).encode()).hexdigest(),
                moment(line["ts"]),
                natural[1],
                line["level"],
                match.get("song_id"),
                match.get("artist_id"),
                line["sessionId"],
                line["location"],
                line["userAgent"],
                line["itemInSession"],
                line["song"],
                line["artist"],
                line["length"],
            )
        )
    users: dict[int, tuple[Any, ...]] = {}
    # If a user has several latest plays, the first by key and line determines the row. Sort in descending order, so
    # that it comes last.
    for _, _, line in sorted(
        sorted(plays, key=lambda item: item[:2], reverse=True),
        key=lambda item: (item[2]["ts"], item[2]["sessionId"], item[2]["itemInSession"]),
    ):
        user = int(line["userId"])
        names = (line["firstName"], line["lastName"], line["gender"], line["level"])
        users[user] = (user, *names, moment(line["ts"]))
    time = set()
    for start in {row[1] for row in songplays}:
        iso_year, week, _ = start.isocalendar()
        weekday = start.isoweekday() % 7
        time.add((start, start.hour, start.day, week, start.month, start.year, weekday, iso_year))
    return {
        "songplays": songplays,
        "users": set(users.values()),
        "songs": {
            (d["song_id"], d["title"], d["artist_id"], d["year"], d["duration"], d["artist_name"])
            for _, d in by_song.values()
        },
        "artists": {
            (
                d["artist_id"],
                d["artist_name"],
                d["artist_location"],
                d["artist_latitude"],
                d["artist_longitude"],
            )
            for d in by_artist.values()
        },
        "time": time,
    }


def moment(ts: int) -> datetime:
    """Return the exact naive UTC time for ``ts``, in milliseconds since 1970."""
    return datetime.fromtimestamp(ts // 1000, UTC).replace(tzinfo=None, microsecond=ts % 1000 * 1000)


def read(lake: dict[str, bytes]) -> tuple[dict[str, list[dict[str, Any]]], dict[str, dict[str, Any]]]:
    """Return the logs and songs of a lake of good lines, by key."""
    logs = {
        key: [json.loads(line) for line in body.splitlines()]
        for key, body in lake.items()
        if key.startswith("log_data/")
    }
    return logs, {key: json.loads(body) for key, body in lake.items() if key.startswith("song_data/")}
