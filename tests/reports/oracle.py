"""Calculate the expected report tables in plain Python from the rows of songplays and events."""

from __future__ import annotations

import functools
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
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
    def end(self) -> datetime:
        return self.start + timedelta(seconds=int(self.length.quantize(Decimal(1), ROUND_HALF_UP)))

    @property
    def hour_of_week(self) -> tuple[int, int]:
        return self.start.isoweekday() % 7, self.start.hour


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


def tables(events: list[Event]) -> dict[str, Rows]:
    """Return the rows of every report table except `loads`, with the declared columns."""
    plays = [event for event in events if event.page == "NextSong"]
    return _days(plays, events) | _periods(plays, events) | _views(plays)


def _days(plays: list[Event], events: list[Event]) -> dict[str, Rows]:
    def counted(key: Callable[[Event], Any], more: Callable[[list[Event]], tuple[Any, ...]] = _known) -> Rows:
        return [(*of, *more(found)) for of, found in group(plays, key).items()]

    def parts(key: Callable[[Event], tuple[Any, ...]] = lambda _: ()) -> Rows:
        found = group(_parts(events), lambda part: (*key(part[2]), *part[:2], part[2].level, part[2].user))
        return [(*of, len(some)) for of, some in found.items()]

    stretches = []
    for (day, user), found in group(plays, lambda e: (e.day, e.user)).items():
        place = 1
        for level, since, count in _stretches(found):
            stretches.append((day, user, place, level, since, count))
            place += count
    return {
        "agents": [(agent, *families(agent)) for agent in {"", *(e.agent or "" for e in plays)}],
        "song_listeners": counted(lambda e: (e.song, e.artist, e.user, e.level)),
        "song_days": counted(lambda e: (e.day, e.song, e.artist, e.user, e.level, e.location)),
        "session_days": counted(
            lambda e: (e.day, e.start.hour, e.user, e.session, e.level, e.location, e.agent),
            lambda found: (*_known(found), found[0].start, max(e.end for e in found)),
        ),
        "level_days": stretches,
        "session_plays": counted(lambda e: (e.user, e.session, e.level)),
        "part_days": parts(lambda e: (e.day,)),
        "part_listeners": parts(),
    }


def periods(events: Iterable[Event], plays: list[Event]) -> dict[tuple[str, date, str], list[Event]]:
    """Return the events by period, start and level."""
    found = defaultdict(list)
    if not plays:
        first = last = None
    else:
        first, last = min(e.day for e in plays), max(e.day for e in plays)
    for event in events:
        day = event.day
        of = [("month", day.replace(day=1)), ("week", event.week)]
        if first and last:
            of.append(("all", first))
            for name, days in LAST.items():
                back = (last - day).days
                if 0 <= back < 2 * days:
                    of.append((name, last - timedelta(days=days * (1 + back // days) - 1)))
        for name, start in of:
            for level in ("all", event.level):
                found[name, start, level].append(event)
    return found


def _periods(plays: list[Event], events: list[Event]) -> dict[str, Rows]:
    totals, tops, parts = [], [], []
    for of, found in periods(plays, plays).items():
        totals.append(
            (
                *of,
                len({e.day for e in found}),
                len(found),
                _users(found),
                _sessions(found),
                _round(_length(found) / 3600, 2),
                *_paid_known(found),
            )
        )
        for kind, key in (("song", lambda e: (e.song, e.artist)), ("artist", lambda e: ("", e.artist))):
            tops += [
                (*of, kind, *row)
                for row in _ranked(found, key, 1000 if (of[0], of[2]) == ("all", "all") else 100)
            ]
    for of, found in periods(events, plays).items():
        for part, some in group(_parts(found), lambda part: part[:2]).items():
            parts.append((*of, *part, len(some), _users([event for *_, event in some])))
    return {"period_totals": totals, "period_tops": tops, "period_parts": parts}


def _views(plays: list[Event]) -> dict[str, Rows]:
    days = group(plays, lambda e: e.day)
    users = group(plays, lambda e: e.user)
    weeks = {user: sorted({e.week for e in found}) for user, found in users.items()}
    last = max((week for of_user in weeks.values() for week in of_user), default=None)
    history: Rows = []
    for user, found in users.items():
        runs = _stretches(found)
        for number, (run, following) in enumerate(zip(runs, [*runs[1:], None], strict=True), 1):
            change = "start" if run is runs[0] else {"paid": "upgrade", "free": "downgrade"}[run[0]]
            history.append((user, number, *run, change, following and following[1]))
    hours = group(plays, lambda e: e.hour_of_week)
    weekdays = group({e.day for e in plays}, lambda day: day.isoweekday() % 7)
    return {
        "daily": [
            (
                day,
                len(found),
                _users(found),
                _sessions(found),
                sum(e.level == "free" for e in found),
                _paid_known(found)[0],
                _round(_length(found) / 3600, 2),
                _paid_known(found)[1],
                _rate(found),
            )
            for day, found in days.items()
        ],
        "user_days": [
            (user, day, len(found), _sessions(found), _round(_length(found) / 60, 2), _paid_known(found)[0])
            for (user, day), found in group(plays, lambda e: (e.user, e.day)).items()
        ],
        "active_users": [_active(day, days) for day in days],
        "sessions": [
            (
                *of,
                found[0].start,
                max(e.end for e in found),
                len(found),
                _minutes(found[0].start, max(e.end for e in found)),
                max(e.level for e in found),
            )
            for of, found in group(plays, lambda e: (e.user, e.session)).items()
        ],
        "level_history": history,
        "user_weeks": [
            (user, week, of[0], of[i - 1] if i else None, of[i + 1] if i + 1 < len(of) else None, last)
            for user, of in weeks.items()
            for i, week in enumerate(of)
        ],
        "retention": _retention(weeks, last),
        "growth": _growth(weeks, last),
        "top_songs": [
            (rank, song, artist, *more, _round(Decimal(more[-1]) / more[0], 4))
            for rank, song, artist, *some in _ranked(plays, lambda e: (e.song, e.artist), 1000)
            for more in [[*some[:2], *some[3:]]]
        ],
        "top_artists": [
            (rank, artist, *more, _round(Decimal(more[-1]) / more[0], 4))
            for rank, _, artist, *more in _ranked(plays, lambda e: ("", e.artist), 1000)
        ],
        "locations": [
            (*of, len(found), _users(found), _sessions(found), _paid_known(found)[1])
            for of, found in group(plays, lambda e: (e.location, e.level)).items()
        ],
        "weekday_hours": [
            (
                *of,
                len(found),
                _users(found),
                len(weekdays[of[0]]),
                _round(Decimal(len(found)) / len(weekdays[of[0]]), 2),
            )
            for of, found in hours.items()
        ],
        "devices": [
            (*of, len(found), _users(found))
            for of, found in group(plays, lambda e: families(e.agent or "")).items()
        ],
    }


def _active(day: date, days: dict[date, list[Event]]) -> tuple[Any, ...]:
    def users(back: int) -> int:
        return len({e.user for n in range(back) for e in days.get(day - timedelta(days=n), [])})

    return (
        day,
        users(1),
        users(7),
        users(28),
        _round(Decimal(users(1)) / users(28), 4),
        (day - min(days)).days + 1,
    )


def _retention(weeks: dict[int, list[date]], last: date | None) -> Rows:
    rows: Rows = []
    for first, cohort in group(weeks, lambda user: weeks[user][0]).items():
        assert last is not None
        for since in range((last - first).days // 7 + 1):
            came = sum(first + timedelta(weeks=since) in weeks[user] for user in cohort)
            rows.append((first, since, len(cohort), came, came / len(cohort)))
    return rows


def _growth(weeks: dict[int, list[date]], last: date | None) -> Rows:
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
    found: list[tuple[str, datetime, int]] = []
    for play in plays:
        if found and found[-1][0] == play.level:
            found[-1] = (*found[-1][:2], found[-1][2] + 1)
        else:
            found.append((play.level, play.start, 1))
    return found


def _ranked(plays: list[Event], key: Callable[[Event], tuple[str, str]], most: int) -> Rows:
    counted = [
        (*of, len(found), _users(found), len({e.song for e in found}), *_paid_known(found))
        for of, found in group(plays, key).items()
    ]
    counted.sort(key=lambda row: (-row[2], -row[3], row[0].encode(), row[1].encode()))
    return [(rank, *row) for rank, row in enumerate(counted[:most], start=1)]


def _parts(events: list[Event]) -> list[tuple[str, str, Event]]:
    """Return (kind, name, event) for each part in which a play or page visit counts."""
    found = [("page", e.page, e) for e in events if e.page in PAGES]
    for e in (e for e in events if e.page == "NextSong"):
        found.append(("hour", "{}/{}".format(*e.hour_of_week), e))
        found.append(("state", _state(e.location), e))
        found.append(("device", _device(*families(e.agent or "")[:2]), e))
    return found


def _known(found: list[Event]) -> tuple[Any, ...]:
    return len(found), _paid_known(found)[1], _length(found)


def _paid_known(found: list[Event]) -> tuple[int, int]:
    return sum(e.level == "paid" for e in found), sum(e.matched for e in found)


def _users(found: list[Event]) -> int:
    return len({e.user for e in found})


def _sessions(found: list[Event]) -> int:
    return len({(e.user, e.session) for e in found})


def _length(found: list[Event]) -> Decimal:
    return sum((e.length for e in found), Decimal(0))


def _rate(found: list[Event]) -> Decimal:
    return _round(Decimal(_paid_known(found)[1]) / len(found), 4)


def _minutes(start: datetime, end: datetime) -> Decimal:
    # DATEDIFF counts the boundaries between seconds.
    seconds = (end.replace(microsecond=0) - start.replace(microsecond=0)).total_seconds()
    return _round(Decimal(seconds) / 60, 2)


def _round(value: Decimal, places: int) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)


def _device(device: str, os: str) -> str:
    return os if device == "Other" else device


def _state(location: str | None) -> str:
    found = re.match(r"([A-Z]{2})(-|$)", ((location or "").split(", ") + [""])[1])
    return found[1] if found else "Other"
