"""Generate log_data: the events of each UTC day."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

from local.sample.songs import seconds, songs
from local.sample.spec import Spec
from local.sample.users import REMAINDER_MS, User, users
from local.sample.words import artist_name, encode_twice, pick, title

EVENTS_PER_DAY = 268
DAY_MS = 86_400_000

# Title, artist name and seconds of a played song.
Play = tuple[str, str | int, float]


# Relative number of a day's sessions that begin in each UTC hour. Most users live in America.
HOURS = (8, 8, 7, 6, 7, 9, 10, 10, 11, 13, 15, 17, 16, 18, 22, 25, 27, 25, 25, 19, 17, 14, 11, 10)
# Relative number of sessions per weekday, Monday first.
WEEKDAYS = (1.1, 1.1, 1.3, 1.2, 1.2, 0.6, 0.5)

METHOD_AND_STATUS = {
    "Error": ("GET", 404),
    "Login": ("PUT", 307),
    "Logout": ("PUT", 307),
    "NextSong": ("PUT", 200),
    "Save Settings": ("PUT", 307),
    "Submit Downgrade": ("PUT", 307),
    "Submit Upgrade": ("PUT", 307),
}


@dataclass(frozen=True)
class Songs:
    """The songs that people play: those with a file in song_data, and others."""

    known: list[Play]
    others: list[Play]

    @staticmethod
    def generate(spec: Spec) -> Songs:
        """Return the songs of a sample."""
        # One play in 20 finds its song: title, artist and duration all match.
        known = [(song.row["title"], song.row["artist_name"], song.row["duration"]) for song in songs(spec)]
        random = spec.random("elsewhere")
        others: list[Play] = [
            (title(random), artist_name(random), seconds(random))
            for _ in range(max(1, round(4000 * spec.scale)))
        ]
        # Near misses: the same title and artist, but a slightly different duration.
        others += [(name, artist, round(length + 0.00013, 5)) for name, artist, length in known[::10]]
        others = [
            (encode_twice(random, name), encode_twice(random, artist), length)
            for name, artist, length in others
        ]
        return Songs(known, others)

    def draw(self, random: Random) -> Play:
        """Return a song to play."""
        return pick(random, self.known if random.random() < 0.05 else self.others)


def events(spec: Spec) -> Iterator[tuple[date, list[dict[str, Any]]]]:
    """Yield each UTC day with its events, sorted by time. Memory holds one day and the sessions over midnight."""
    random = spec.random("events")
    played = Songs.generate(spec)
    people = users(spec)
    # The busiest user listens about ten times as much as the median user.
    weights = list(itertools.accumulate(1 / (rank / spec.scale + 4) for rank in range(len(people))))
    session_id = 0
    over_midnight: list[dict[str, Any]] = []
    for day_number in range(spec.days):
        day = spec.start + timedelta(days=day_number)
        midnight = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000
        starts = session_starts(spec, random, day, midnight)
        found = over_midnight
        for number, start in enumerate(starts):
            user = people[draw_index(weights, random)]
            for _ in range(20):
                if user.busy_until < start:
                    break
                user = people[draw_index(weights, random)]
            else:
                continue
            session_id += 1
            # Every ninth day, one user changes level twice in one session.
            undecided = day_number % 9 == 8 and number == len(starts) // 2 and user.plays
            found += Session(random, user, session_id, start, played).events(undecided)
        found.sort(key=lambda event: event["ts"])
        cut = next((n for n, event in enumerate(found) if event["ts"] >= midnight + DAY_MS), len(found))
        yield day, found[:cut]
        over_midnight = found[cut:]


def session_starts(spec: Spec, random: Random, day: date, midnight: int) -> list[int]:
    """Return the start times of a day's sessions, in ms since 1970."""
    hours = list(itertools.accumulate(HOURS))
    wanted = EVENTS_PER_DAY * spec.scale * WEEKDAYS[day.weekday()] * (0.75 + 0.5 * random.random())
    return sorted(
        midnight + REMAINDER_MS + int((draw_index(hours, random) + random.random()) * 3600) * 1000
        for _ in range(max(1, round(wanted / 8.55)))
    )


def draw_index(running: list[Any], random: Random) -> int:
    """Return a random index, weighted. ``running`` holds the running sums of the weights."""
    return bisect.bisect(running, random.random() * running[-1])


@dataclass
class Session:
    """One visit by one user, who does the next thing at ``now``, in ms since 1970."""

    random: Random
    user: User
    session_id: int
    now: int
    played: Songs
    made: list[dict[str, Any]] = field(default_factory=list)

    def events(self, undecided: bool) -> list[dict[str, Any]]:
        """Return the events of the visit, which may change the user's level."""
        self.arrive()
        for number in range(self.songs_wanted()):
            self.visit("NextSong")
            if undecided and number == 0:
                self.random.random()
                for _ in range(2):
                    self.change_level()
                    self.visit("NextSong")
            else:
                self.do_something_else()
        if self.random.random() < 0.05:
            self.visit("Logout", 1)
            self.visit("Home", self.some_seconds(), logged_in=False)
        if not self.made:
            self.visit("Home", self.some_seconds())
        self.user.busy_until = self.now
        return self.made

    def arrive(self) -> None:
        """Visit the home page. Some users are logged out at first."""
        if self.random.random() < 0.12:
            self.visit("Home", self.some_seconds(), logged_in=False)
            if self.random.random() < 0.15:
                self.visit(pick(self.random, ("About", "Help")), self.some_seconds(), logged_in=False)
            if self.random.random() < 0.7:
                self.visit("Login", logged_in=False)
        if self.random.random() < 0.55:
            self.visit("Home", self.some_seconds())

    def songs_wanted(self) -> int:
        """Return how many songs the user plays: mostly a few, sometimes a hundred."""
        chance = self.random.random()
        if not self.user.plays:
            return 0
        if chance < 0.73:
            return 1 + int(self.random.random() * self.random.random() * 5)
        if chance < 0.9:
            return 4 + int(self.random.random() * 20)
        return 20 + int(self.random.random() * self.random.random() * 80)

    def do_something_else(self) -> None:
        """Possibly visit another page between two songs."""
        chance = self.random.random()
        if chance < 0.025:
            self.visit("Home", self.some_seconds())
        elif chance < 0.037:
            paying = self.user.level == "paid"
            self.visit("Downgrade" if paying else "Upgrade", self.some_seconds())
            if self.random.random() < (0.02 if paying else 0.3):
                self.change_level()
        elif chance < 0.044:
            self.visit("Settings", self.some_seconds())
            if self.random.random() < 0.2:
                self.visit("Save Settings")
        elif chance < 0.05:
            self.visit("Help", self.some_seconds())
        elif chance < 0.053:
            self.visit("About", self.some_seconds())
        elif chance < 0.0545:
            self.visit("Error", 1)
        elif chance < 0.062:
            self.visit("Logout", 1)
            self.visit("Home", self.some_seconds(), logged_in=False)
            self.visit("Login", logged_in=False)
            self.visit("Home", self.some_seconds())

    def change_level(self) -> None:
        """Upgrade or downgrade."""
        self.visit("Submit Downgrade" if self.user.level == "paid" else "Submit Upgrade", 2)
        self.user.level = "free" if self.user.level == "paid" else "paid"
        self.visit("Home", self.some_seconds())

    def some_seconds(self) -> int:
        """Return how long the user stays on a page."""
        return int(self.random.random() * self.random.random() * 120)

    def visit(self, page: str, wait: int = 0, logged_in: bool = True) -> None:
        """Add an event. The next one follows ``wait`` seconds later."""
        song: tuple[Any, Any, Any] = (None, None, None)
        if page == "NextSong":
            song = self.played.draw(self.random)
            # The next event follows when the song ends, or in rare cases at once.
            wait = 0 if self.random.random() < 0.001 else int(song[2])
        method, status = METHOD_AND_STATUS.get(page, ("GET", 200))
        user = self.user
        self.made.append(
            {
                "artist": song[1],
                "auth": "Logged In" if logged_in else "Logged Out",
                "firstName": user.first_name if logged_in else None,
                "gender": user.gender if logged_in else None,
                "itemInSession": len(self.made),
                "lastName": user.last_name if logged_in else None,
                "length": song[2],
                "level": user.level,
                "location": user.location if logged_in else None,
                "method": method,
                "page": page,
                "registration": user.registration if logged_in else None,
                "sessionId": self.session_id,
                "song": song[0],
                "status": status,
                "ts": self.now,
                "userAgent": user.user_agent if logged_in else None,
                "userId": str(user.number) if logged_in else "",
            }
        )
        self.now += wait * 1000
