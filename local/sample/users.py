"""Generate the users."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from local.sample.spec import Spec
from local.sample.words import FIRST_NAMES, LAST_NAMES, pick, place

USERS = 97
# Timestamps in the source have whole seconds and a constant remainder, so two plays can have the same instant.
REMAINDER_MS = 217

BROWSERS = (
    '"Mozilla/5.0 ({os}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{a}.0.2062.{c} Safari/537.36"',
    '"Mozilla/5.0 ({os}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{a}.0.2062.{c} Safari/537.36"',
    '"Mozilla/5.0 ({os}) AppleWebKit/537.{c} (KHTML, like Gecko) Version/7.0.4 Safari/537.{c}"',
    "Mozilla/5.0 ({os}; rv:{a}.0) Gecko/20100101 Firefox/{a}.0",
)
SYSTEMS = (
    "Windows NT 6.1; WOW64",
    "Windows NT 6.3; WOW64",
    "Macintosh; Intel Mac OS X 10_9_4",
    "Macintosh; Intel Mac OS X 10_10",
    "X11; Linux x86_64",
    "iPhone; CPU iPhone OS 7_1_2 like Mac OS X",
)


@dataclass
class User:
    """A person. ``busy_until`` (ms since 1970) prevents overlapping sessions, so that the level has one history."""

    number: int
    first_name: str
    last_name: str
    gender: str
    location: str
    registration: float
    user_agent: str
    level: str
    plays: bool
    busy_until: int = 0


def users(spec: Spec) -> list[User]:
    """Return all users, the busiest first. The last one never plays a song."""
    random = spec.random("users")
    begin = datetime(spec.start.year, spec.start.month, spec.start.day, tzinfo=UTC).timestamp() * 1000
    count = max(2, round(USERS * spec.scale))
    made = []
    for number in range(1, count + 1):
        gender = pick(random, "FFM")
        made.append(
            User(
                number=number,
                first_name=pick(random, FIRST_NAMES[gender]),
                last_name=pick(random, LAST_NAMES),
                gender=gender,
                location=place(random),
                registration=float(int(begin) - int(random.random() * 90 * 86_400) * 1000 + REMAINDER_MS),
                user_agent=pick(random, BROWSERS).format(
                    os=pick(random, SYSTEMS),
                    a=pick(random, (30, 31, 36, 37)),
                    c=pick(random, (94, 103)),
                ),
                # Paying users listen more: see the weights in events.py.
                level="paid" if number <= count * 0.2 and random.random() < 0.8 else "free",
                plays=number < count,
            )
        )
    return made
