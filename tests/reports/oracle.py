"""Calculate the expected report tables in plain Python from the rows of songplays and events."""

from __future__ import annotations

import functools
import itertools
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, NamedTuple

from include.reports import agents

PAGES = ("Upgrade", "Submit Upgrade", "Downgrade", "Submit Downgrade", "Cancel")
LAST = {"last_7": 7, "last_28": 28}
Rows = list[tuple[Any, ...]]
# The same few User-Agent headers occur many times.
families = functools.cache(agents.families)


class Event(NamedTuple):
    """A play or a visit to one of PAGES."""

    page: str
    start: datetime
    user: int
    level: str
    session: int
    item: int
    location: str | None = None
    agent: str | None = None
    song: str = ""
    artist: str = ""
    length: Decimal = Decimal(0)
    matched: bool = False

    @property
    def day(self) -> date:
        return self.start.date()

    @property
    def week(self) -> date:
        return self.day - timedelta(days=self.day.weekday())

    @property
    def weekday(self) -> int:
        return self.start.isoweekday() % 7


class Counts:
    """Counts of some events."""

    def __init__(self, events: list[Event]) -> None:
        self.plays = len(events)
        self.free = sum(e.level == "free" for e in events)
        self.paid = sum(e.level == "paid" for e in events)
        self.known = sum(e.matched for e in events)
        self.rate = _round(Decimal(self.known) / self.plays, 4)
        self.days = len({e.day for e in events})
        self.users = len({e.user for e in events})
        self.sessions = len({(e.user, e.session) for e in events})
        self.songs = len({e.song for e in events})
        self.seconds = sum((e.length for e in events), Decimal(0))
        self.hours = _round(self.seconds / 3600, 2)


def events_of(world: Any) -> list[Event]:
    """Return the plays in a world's songplays and the visits to PAGES in its events, in chronological order."""
    plays = world.rows(
        "select 'NextSong', start_time, user_id, level, session_id, item_in_session, location, user_agent, song, "
        "artist, length, song_id is not null from {s}.songplays"
    )
    pages = world.rows(
        "select page, start_time, user_id, level, session_id, item_in_session from {s}.events "
        f"where page in {PAGES} and user_id is not null order by source_key, line_number"
    )
    # Several files may have the same event with different levels. The first delivery counts, as for plays.
    opened = {(*row[:3], *row[4:]): row for row in reversed(pages)}
    return sorted(
        (Event(*row) for row in [*plays, *opened.values()]), key=lambda e: (e.start, e.session, e.item)
    )


def group(events: Iterable[Any], key: Callable[[Any], Any]) -> dict[Any, list[Any]]:
    groups = defaultdict(list)
    for event in events:
        groups[key(event)].append(event)
    return groups


def counted(events: Iterable[Event], key: Callable[[Event], Any]) -> Iterator[tuple[Any, Counts]]:
    """Yield each key with the counts of its events."""
    for of, found in group(events, key).items():
        yield of, Counts(found)


def tables(events: list[Event]) -> dict[str, Rows]:
    """Return the rows of every report table except `loads`, with the declared columns."""
    plays = [event for event in events if event.page == "NextSong"]
    return _days(plays, events) | _periods(plays, events) | _views(plays)


def _days(plays: list[Event], events: list[Event]) -> dict[str, Rows]:
    def sums(key: Callable[[Event], Any]) -> Rows:
        return [(*of, c.plays, c.known, c.seconds) for of, c in counted(plays, key)]

    stretches = []
    for (day, user), found in group(plays, lambda e: (e.day, e.user)).items():
        place = 1
        for level, since, count in _stretches(found):
            stretches.append((day, user, place, level, since, count))
            place += count
    sessions = group(plays, lambda e: (e.day, e.start.hour, e.user, e.session, e.level, e.location, e.agent))
    parts = _parts(events).items()
    return {
        "agents": [(agent, *families(agent)) for agent in {"", *(e.agent or "" for e in plays)}],
        "song_listeners": sums(lambda e: (e.song, e.artist, e.user, e.level)),
        "song_days": sums(lambda e: (e.day, e.song, e.artist, e.user, e.level, e.location)),
        "session_days": [
            (*of, len(found), c.known, c.seconds, *_span(found))
            for of, found in sessions.items()
            for c in [Counts(found)]
        ],
        "level_days": stretches,
        "session_plays": sums(lambda e: (e.user, e.session, e.level)),
        "part_days": [
            (day, *part, level, user, c.plays)
            for part, found in parts
            for (day, level, user), c in counted(found, lambda e: (e.day, e.level, e.user))
        ],
        "part_listeners": [
            (*part, *of, c.plays)
            for part, found in parts
            for of, c in counted(found, lambda e: (e.level, e.user))
        ],
    }


def periods(events: Iterable[Event], plays: list[Event]) -> dict[tuple[str, date, str], list[Event]]:
    """Return the events by period, start and level."""
    found = defaultdict(list)
    days = {e.day for e in plays}
    first, last = min(days, default=None), max(days, default=None)
    for event in events:
        of = [("month", event.day.replace(day=1)), ("week", event.week)]
        if first and last:
            of.append(("all", first))
            for name, length in LAST.items():
                back = (last - event.day).days // length
                if back in (0, 1):
                    of.append((name, last - timedelta(days=length * (back + 1) - 1)))
        for name, start in of:
            for level in ("all", event.level):
                found[name, start, level].append(event)
    return found


def _periods(plays: list[Event], events: list[Event]) -> dict[str, Rows]:
    totals, tops = [], []
    for of, found in periods(plays, plays).items():
        c = Counts(found)
        totals.append((*of, c.days, c.plays, c.users, c.sessions, c.hours, c.paid, c.known))
        for kind in ("song", "artist"):
            for rank, names, c in _ranked(found, kind, 1000 if (of[0], of[2]) == ("all", "all") else 100):
                tops.append((*of, kind, rank, *names, c.plays, c.users, c.songs, c.paid, c.known))
    parts = [
        (*of, *part, len(some), Counts(some).users)
        for of, found in periods(events, plays).items()
        for part, some in _parts(found).items()
    ]
    return {"period_totals": totals, "period_tops": tops, "period_parts": parts}


def _views(plays: list[Event]) -> dict[str, Rows]:
    weeks = {user: sorted({e.week for e in found}) for user, found in group(plays, lambda e: e.user).items()}
    last = max((week for of_user in weeks.values() for week in of_user), default=date.min)
    users = {day: {e.user for e in found} for day, found in group(plays, lambda e: e.day).items()}
    weekdays = group({e.day for e in plays}, lambda day: day.isoweekday() % 7)
    return {
        "daily": [
            (day, c.plays, c.users, c.sessions, c.free, c.paid, c.hours, c.known, c.rate)
            for day, c in counted(plays, lambda e: e.day)
        ],
        "user_days": [
            (*of, c.plays, c.sessions, _round(c.seconds / 60, 2), c.paid)
            for of, c in counted(plays, lambda e: (e.user, e.day))
        ],
        "active_users": [_active(day, users) for day in users],
        "sessions": [
            (*of, *_span(found), len(found), _minutes(*_span(found)), max(e.level for e in found))
            for of, found in group(plays, lambda e: (e.user, e.session)).items()
        ],
        "level_history": _level_history(plays),
        "user_weeks": [
            (user, week, of[0], before, after, last)
            for user, of in weeks.items()
            for before, week, after in zip([None, *of[:-1]], of, [*of[1:], None], strict=True)
        ],
        "retention": _retention(weeks, last),
        "growth": _growth(weeks, last),
        "top_songs": [
            (rank, *names, c.plays, c.users, c.paid, c.known, c.rate)
            for rank, names, c in _ranked(plays, "song", 1000)
        ],
        "top_artists": [
            (rank, artist, c.plays, c.users, c.songs, c.paid, c.known, c.rate)
            for rank, (_, artist), c in _ranked(plays, "artist", 1000)
        ],
        "locations": [
            (*of, c.plays, c.users, c.sessions, c.known)
            for of, c in counted(plays, lambda e: (e.location, e.level))
        ],
        "weekday_hours": [
            (
                day,
                hour,
                c.plays,
                c.users,
                len(weekdays[day]),
                _round(Decimal(c.plays) / len(weekdays[day]), 2),
            )
            for (day, hour), c in counted(plays, lambda e: (e.weekday, e.start.hour))
        ],
        "devices": [(*of, c.plays, c.users) for of, c in counted(plays, lambda e: families(e.agent or ""))],
    }


def _level_history(plays: list[Event]) -> Rows:
    rows: Rows = []
    for user, found in group(plays, lambda e: e.user).items():
        stretches = _stretches(found)
        ends = [*(since for _, since, _ in stretches[1:]), None]
        for number, ((level, since, count), until) in enumerate(zip(stretches, ends, strict=True), 1):
            change = "start" if number == 1 else {"paid": "upgrade", "free": "downgrade"}[level]
            rows.append((user, number, level, since, count, change, until))
    return rows


def _active(day: date, users: dict[date, set[int]]) -> tuple[Any, ...]:
    daily, weekly, monthly = (
        len(set().union(*(users.get(day - timedelta(days=n), ()) for n in range(back))))
        for back in (1, 7, 28)
    )
    return day, daily, weekly, monthly, _round(Decimal(daily) / monthly, 4), (day - min(users)).days + 1


def _retention(weeks: dict[int, list[date]], last: date) -> Rows:
    rows: Rows = []
    for first, cohort in group(weeks, lambda user: weeks[user][0]).items():
        for since in range((last - first).days // 7 + 1):
            came = sum(first + timedelta(weeks=since) in weeks[user] for user in cohort)
            rows.append((first, since, len(cohort), came, came / len(cohort)))
    return rows


def _growth(weeks: dict[int, list[date]], last: date) -> Rows:
    rows = []
    every = {week for of in weeks.values() for week in of}
    for week in every | {w + timedelta(weeks=1) for w in every if w != last}:
        before = week - timedelta(weeks=1)
        now = [of for of in weeks.values() if week in of]
        new = sum(of[0] == week for of in now)
        back = sum(before in of for of in now)
        dormant = sum(before in of and week not in of for of in weeks.values())
        if now or dormant:
            rows.append((week, len(now), new, back, len(now) - new - back, dormant))
    return rows


def _stretches(plays: list[Event]) -> list[tuple[str, datetime, int]]:
    """Return the level, first start and number of plays of each stretch of plays on one level."""
    stretches = [list(found) for _, found in itertools.groupby(plays, lambda e: e.level)]
    return [(found[0].level, found[0].start, len(found)) for found in stretches]


def _ranked(plays: list[Event], kind: str, most: int) -> list[tuple[int, tuple[str, str], Counts]]:
    """Return the most played songs or artists: rank, title (empty for an artist) and artist, and counts."""
    found = list(counted(plays, lambda e: (e.song if kind == "song" else "", e.artist)))
    found.sort(key=lambda one: (-one[1].plays, -one[1].users, *(name.encode() for name in one[0])))
    return [(rank, *one) for rank, one in enumerate(found[:most], start=1)]


def _parts(events: list[Event]) -> dict[tuple[str, str], list[Event]]:
    """Return the plays and page visits by kind and name of each part in which they count."""
    found = defaultdict(list)
    for e in events:
        if e.page != "NextSong":
            found["page", e.page].append(e)
            continue
        device, system, _ = families(e.agent or "")
        found["hour", f"{e.weekday}/{e.start.hour}"].append(e)
        found["state", _state(e.location)].append(e)
        found["device", system if device == "Other" else device].append(e)
    return found


def _span(plays: list[Event]) -> tuple[datetime, datetime]:
    """Return the start of the first play and the end of the last."""
    seconds = [int(e.length.quantize(Decimal(1), ROUND_HALF_UP)) for e in plays]
    return plays[0].start, max(e.start + timedelta(seconds=s) for e, s in zip(plays, seconds, strict=True))


def _minutes(start: datetime, end: datetime) -> Decimal:
    # DATEDIFF counts the boundaries between seconds.
    seconds = (end.replace(microsecond=0) - start.replace(microsecond=0)).total_seconds()
    return _round(Decimal(seconds) / 60, 2)


def _round(value: Decimal, places: int) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)


def _state(location: str | None) -> str:
    found = re.match(r"([A-Z]{2})(-|$)", ((location or "").split(", ") + [""])[1])
    return found[1] if found else "Other"
