"""Generate a delivery by the documented rules of eventsim, the program that generated Sparkify's data.

A user moves from page to page by the probabilities in a table. The time between pages is random, but after a song it is
the song's length. Sessions are at least half an hour apart, and may cross midnight. Keys without a value are omitted: a
line has user details only while the user is logged in, and a song only if it is a play. Every line with user details
has ``tag``. User IDs are numbers (https://github.com/Interana/eventsim, README.md).
"""

from __future__ import annotations

import heapq
import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

# By page: method, status, auth, and the possible next pages with their weights. None ends the session.
LOGGED_IN, LOGGED_OUT = "Logged In", "Logged Out"
PAGES: dict[str, tuple[str, int, str, list[tuple[str | None, float]]]] = {
    "Home": ("GET", 200, LOGGED_OUT, [("Login", 8), (None, 2)]),
    "Login": ("PUT", 307, LOGGED_OUT, [("NextSong", 10)]),
    "NextSong": ("PUT", 200, LOGGED_IN, [("NextSong", 85), ("Thumbs Up", 5), ("Upgrade", 2), ("Logout", 3), (None, 5)]),
    "Thumbs Up": ("PUT", 307, LOGGED_IN, [("NextSong", 10)]),
    "Upgrade": ("PUT", 307, LOGGED_IN, [("NextSong", 10)]),
    "Logout": ("PUT", 307, LOGGED_IN, [("Home", 5), (None, 5)]),
}  # fmt: skip
SESSION_GAP = 30 * 60


def lines(count: int, seed: int, start: datetime, songs: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the first ``count`` lines of a delivery, ordered by time.

    :param start: naive UTC.
    :param songs: song documents to choose from.
    """
    chance = random.Random(seed)
    began = int(start.replace(tzinfo=UTC).timestamp())
    users = max(count // 200, 2)
    queue: list[tuple[int, int]] = [
        (began + int(chance.expovariate(1 / 40_000)), user) for user in range(users)
    ]
    heapq.heapify(queue)
    sessions = iter(range(1, 10**9))
    state: dict[int, dict[str, Any]] = {}
    for _ in range(count):
        now, user = heapq.heappop(queue)
        here = state.setdefault(user, {"level": "free", "page": None})
        if here["page"] is None:
            first = chance.choice(["Home", "NextSong"])
            here.update(page=first, session=next(sessions), item=0)
        method, status, auth, ways = PAGES[here["page"]]
        if here["page"] == "Upgrade":
            here["level"] = "paid"
        line: dict[str, Any] = {
            "ts": now * 1000, "sessionId": here["session"], "page": here["page"], "auth": auth, "method": method,
            "status": status, "level": here["level"], "itemInSession": here["item"],
        }  # fmt: skip
        gap = 1 if 300 <= status <= 399 else 1 + int(chance.expovariate(1 / 60))
        if auth == LOGGED_IN:
            line |= {
                "userId": user + 1, "firstName": f"First{user % 97}", "lastName": f"Last{user % 101}",
                "gender": "FM"[user % 2], "registration": (began - 86_400 * (user % 300 + 1)) * 1000,
                "location": f"City {user % 50}, ST", "userAgent": f'"Mozilla/5.0 ({user % 20})"', "tag": "control",
            }  # fmt: skip
        if here["page"] == "NextSong":
            song = chance.choice(songs)
            line |= {"artist": song["artist_name"], "song": song["title"], "length": song["duration"]}
            gap = int(song["duration"])
        yield line
        pages, weights = zip(*ways, strict=True)
        here["page"], here["item"] = chance.choices(pages, weights)[0], here["item"] + 1
        if here["page"] is None:
            gap += SESSION_GAP + int(chance.expovariate(1 / 40_000))
        heapq.heappush(queue, (now + gap, user))


def deliver(count: int, seed: int, start: datetime, songs: list[dict[str, Any]]) -> dict[str, bytes]:
    """Return the log files of a delivery by key, split at midnight."""
    days: dict[str, list[dict[str, Any]]] = {}
    for line in lines(count, seed, start, songs):
        day = datetime.fromtimestamp(line["ts"] / 1000, UTC).strftime("%Y/%m/%Y-%m-%d")
        days.setdefault(f"log_data/{day}-events.json", []).append(line)
    return {
        key: b"".join(json.dumps(line, separators=(",", ":")).encode() + b"\n" for line in found)
        for key, found in days.items()
    }
