"""A made-up Sparkify: activity logs and song metadata with the real data's shape, proportions and quirks.

    python -m include.local_aws.sample FOLDER [--scale N] [--start 2018-11-01] [--days 30] [--seed 1]

Scale 1 is about 270 events a day, 1,000 songs and 97 users; --scale multiplies all three. The same
arguments give the same bytes on every machine and Python: only ``Random.random()`` decides, by plain
arithmetic (no library call that rounds its own way), and no clock is read. All people, artists, titles and
places are invented.

Quirks kept, because each has broken a loader: two plays at one instant; sessions over midnight; a session
of two identities (logged out, then in); users who change level, some twice in a day; ``userId`` "" with
null names; ``registration`` a float; quotes inside ``userAgent``; all-digit artist names and locations as
JSON numbers; names encoded twice; titles and names of over 256 bytes (from scale 2 on); emoji, accents,
quotes, backslashes; one artist_id under several names, places and coordinates; songs that match each other;
``year`` 0; HTML as a location; song files over several lines; no newline at a file's end.
"""

from __future__ import annotations

import argparse
import bisect
import hashlib
import itertools
import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from tqdm import tqdm

EVENTS_A_DAY = 268
SONGS = 1_000
USERS = 97
MARKER = ".sparkify-sample.json"

DAY_MS = 86_400_000
# The source stamps whole seconds with a constant remainder, so plays do meet at one instant.
REMAINDER_MS = 217

FIRST_NAMES = {
    "F": "Ada Bella Carla Dina Elin Fay Greta Hana Ines Jun Kira Lotte Mara Nia Odile Petra Siri Una".split(),
    "M": "Abel Bruno Cato Dov Emil Finn Gus Hugo Ivo Jens Kai Leif Milo Nils Otto Paul Rafe Sven Ulf".split(),
}
LAST_NAMES = (
    "Abbot Birch Calder Dunne Eastman Falk Grove Hale Ibsen Jansen Keller Lund Marsh Nash Oakes Pryor Quist "
    "Rowe Stone Thorne Unger Vance Weld Yates Zeller O'Dell"
).split()
PLACE_STARTS = (
    "Alder Bright Cedar Dover Elk Fair Glen Haver Iron Lake Maple North Oak Pine Raven Stan".split()
)
PLACE_ENDS = "brook bury dale field ford grove ham mont port ridge ton ville wick worth".split()
STATES = (
    "AL AZ CA CO CT FL GA IA IL IN KY LA MA MD MI MN MO NC NJ NV NY OH OK OR PA SC TN TX UT VA WA WI".split()
)
WORDS = (
    "Amber Anchor Arrow August Blue Broken City Cold Copper Dancing Distant Empty Evening Falling Fire First "
    "Ghost Glass Golden Hollow Home Hour Island January Lantern Last Letter Little Lonely Lost Machine "
    "Moon Morning Mountain Night Ocean Paper Quiet Rain Red River Road Saint Secret Shadow Silver "
    "Snow Song Star Stone Storm Summer Sunday Sweet Tide Train Tuesday Velvet Water Wild Winter Wire"
).split()
ACCENTED = (
    "Björn Café Corazón Été Fiancée Garçon Jäger Mañana Naïve Où Señor Über Ångström 東京 Москва".split()
)
TITLE_TAILS = ("",) * 4 + (
    " (Album Version)",
    " (Live)",
    " [Remastered]",
    " (feat. The Others)",
    ' "Reprise"',
)
BAND_TAILS = "Band Brothers Choir Club Collective Orchestra Quartet Sisters Society Trio".split()
# 007 is no JSON number: it must stay a text all the way.
NUMBER_NAMES: tuple[str | int, ...] = (404, 1977, 88, 5150, "007")

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

# Share of a day's sessions that begin in each hour, UTC: most people are awake in America.
HOURS = (8, 8, 7, 6, 7, 9, 10, 10, 11, 13, 15, 17, 16, 18, 22, 25, 27, 25, 25, 19, 17, 14, 11, 10)
# Sessions of a weekday against the others, Monday first.
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
class Spec:
    """What decides every byte of a sample. ``days`` are whole UTC days from ``start``."""

    start: date = date(2018, 11, 1)
    days: int = 30
    scale: float = 1.0
    seed: int = 1

    def random(self, purpose: str) -> Random:
        """An own source of chance for each purpose: more songs do not change who listens when."""
        # Seeding from bytes: Python's hash() of a text differs from process to process.
        return Random(int.from_bytes(hashlib.sha256(f"{self.seed} {purpose}".encode()).digest()[:8]))


@dataclass(frozen=True)
class Counts:
    """What a sample holds, as numbers of rows (``users`` have a play) and of files."""

    events: int
    plays: int
    users: int
    songs: int
    log_files: int


# What a play says of its song: title, artist name, seconds.
Play = tuple[str, str | int, float]


@dataclass(frozen=True)
class Song:
    """One file of song_data: ``key`` below song_data/, its object, and whether that is written over lines."""

    key: str
    row: dict[str, Any]
    indented: bool


@dataclass
class User:
    """Who listens. ``busy_until`` (ms since 1970) keeps a person's sessions apart: level has one history."""

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


def pick(random: Random, options: Any) -> Any:
    """One of a sequence, evenly. ``Random.choice`` changed between Pythons; ``random()`` did not."""
    return options[int(random.random() * len(options))]


def place(random: Random) -> str:
    """A made-up metropolitan area, such as "Elkford-Pinedale, OH-KY"."""
    towns = [pick(random, PLACE_STARTS) + pick(random, PLACE_ENDS) for _ in range(pick(random, (1, 1, 2, 3)))]
    return f"{'-'.join(towns)}, {'-'.join(pick(random, STATES) for _ in range(pick(random, (1, 1, 1, 2))))}"


def title(random: Random, long: bool = False) -> str:
    """A made-up song title; a long one is over 256 bytes of UTF-8 in fewer characters."""
    words = [pick(random, WORDS) for _ in range(pick(random, (1, 2, 2, 3, 4)))]
    chance = random.random()
    if long:
        words = [pick(random, ACCENTED) for _ in range(60)]
    elif chance < 0.06:
        words.append(pick(random, ACCENTED))
    elif chance < 0.065:
        words.append(pick(random, ("🎸", "🌧️", "A\\B", "50% & <More>")))
    elif chance < 0.07:
        words = [str(int(random.random() * 2000))]
    return " ".join(words) + pick(random, TITLE_TAILS)


def artist_name(random: Random, long: bool = False) -> str | int:
    """A made-up artist name; an all-digit one is a number, as at the source."""
    chance = random.random()
    if long:
        return " / ".join(f"{pick(random, ACCENTED)} {pick(random, LAST_NAMES)}" for _ in range(28))
    if chance < 0.008:
        return pick(random, NUMBER_NAMES)
    words = [pick(random, WORDS), pick(random, LAST_NAMES + BAND_TAILS)]
    if chance < 0.06:
        words[0] = pick(random, ACCENTED)
    return ("The " if chance > 0.8 else "") + " ".join(words)


def seconds(random: Random) -> float:
    """A song's length with the source's five decimals."""
    rare = random.random() * random.random() * random.random()
    return round(45 + 190 * (random.random() + random.random()) + 600 * rare * rare, 5)


def songs(spec: Spec) -> Iterator[Song]:
    """The catalogue, one object a song."""
    random = spec.random("songs")
    artists: list[dict[str, Any]] = []
    earlier: dict[str, Any] | None = None
    for number in range(max(1, round(SONGS * spec.scale))):
        # Identifiers are a permutation of the number, so none comes twice.
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
            # The same artist_id under another name, or in another place.
            row["artist_name"] = f"{artist['artist_name']} & {pick(random, LAST_NAMES)}"
            row["artist_location"] = artist_location(random)
        elif chance < 0.09:
            row["artist_latitude"], row["artist_longitude"] = round(60 * random.random(), 5), -0.0001
        elif chance < 0.095 and earlier:
            # A second song that every play of the first one matches too.
            row |= {key: earlier[key] for key in ("title", "duration", "artist_name", "artist_id")}
        if number % 150 == 0:
            earlier = row
        key = f"A/{letters[0]}/{letters[1]}/TRA{letters[:3]}{code}.json"
        yield Song(key, row, indented=random.random() < 0.04)


def artist_location(random: Random) -> str | int:
    """Where an artist is said to be from: mostly nothing, sometimes a page or a number."""
    chance = random.random()
    if chance < 0.4:
        return ""
    if chance < 0.405:
        return 1984
    if chance < 0.41:
        town = pick(random, PLACE_STARTS).lower()
        return f"""<a href="http://{town}.example.com/" onmousedown='go("{town}")'>{town}.example.com</a>"""
    return place(random)


def users(spec: Spec) -> list[User]:
    """Everyone with an account, the busiest first. The last one never plays a song."""
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
                    b=2062,
                    c=pick(random, (94, 103)),
                    v=4,
                ),
                # Those who pay listen more: see the weights in `events`.
                level="paid" if number <= count * 0.2 and random.random() < 0.8 else "free",
                plays=number < count,
            )
        )
    return made


def events(spec: Spec) -> Iterator[tuple[date, list[dict[str, Any]]]]:
    """Each UTC day with its events in order of time. Memory holds one day and what runs over midnight."""
    random = spec.random("events")
    # Played from the catalogue: every twentieth play finds its song (title, artist and duration all exact).
    catalogue: list[Play] = [(s.row["title"], s.row["artist_name"], s.row["duration"]) for s in songs(spec)]
    elsewhere = spec.random("elsewhere")
    others: list[Play] = [
        (title(elsewhere), artist_name(elsewhere), seconds(elsewhere))
        for _ in range(max(1, round(4000 * spec.scale)))
    ]
    # Near misses: same title and artist, another recording.
    others += [(name, artist, round(length + 0.00013, 5)) for name, artist, length in catalogue[::10]]
    others = [
        (encoded_twice(elsewhere, name), encoded_twice(elsewhere, artist), length)
        for name, artist, length in others
    ]
    people = users(spec)
    # The busiest listens about ten times as much as the median.
    weights = list(itertools.accumulate(1 / (rank / spec.scale + 4) for rank in range(len(people))))
    hours = list(itertools.accumulate(HOURS))
    session_id = 0
    over_midnight: list[dict[str, Any]] = []
    for day_number in range(spec.days):
        day = spec.start + timedelta(days=day_number)
        midnight = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000
        wanted = EVENTS_A_DAY * spec.scale * WEEKDAYS[day.weekday()] * (0.75 + 0.5 * random.random())
        starts = sorted(
            midnight + REMAINDER_MS + int((first(hours, random) + random.random()) * 3600) * 1000
            for _ in range(max(1, round(wanted / 8.55)))
        )
        found = over_midnight
        for number, start in enumerate(starts):
            user = people[first(weights, random)]
            for _ in range(20):
                if user.busy_until < start:
                    break
                user = people[first(weights, random)]
            else:
                continue
            session_id += 1
            # Someone who leaves and comes back within the day, every ninth day.
            undecided = day_number % 9 == 8 and number == len(starts) // 2 and user.plays
            found += session(random, user, session_id, start, undecided, catalogue, others)
        found.sort(key=lambda event: event["ts"])
        cut = next((n for n, event in enumerate(found) if event["ts"] >= midnight + DAY_MS), len(found))
        yield day, found[:cut]
        over_midnight = found[cut:]


def first(running: list[Any], random: Random) -> int:
    """Index drawn by weight; ``running`` are the weights' running sums."""

    return bisect.bisect(running, random.random() * running[-1])


def encoded_twice(random: Random, value: Any) -> Any:
    """Most accented names in the source's logs are UTF-8 that was taken for Latin-1 and encoded again."""
    if isinstance(value, int) or value.isascii() or random.random() < 0.3:
        return value
    return value.encode().decode("latin-1")


def session(
    random: Random,
    user: User,
    session_id: int,
    start: int,
    undecided: bool,
    catalogue: list[Play],
    others: list[Play],
) -> list[dict[str, Any]]:
    """One visit, from ``start`` (ms since 1970). Changes the user's level where the visit does."""
    made: list[dict[str, Any]] = []
    now = start

    def visit(page: str, wait: int, logged_in: bool = True) -> None:
        nonlocal now
        song: tuple[Any, Any, Any] = (None, None, None)
        if page == "NextSong":
            song = pick(random, catalogue if random.random() < 0.05 else others)
            # The next event comes when the song is over, now and then at once.
            wait = 0 if random.random() < 0.001 else int(song[2])
        method, status = METHOD_AND_STATUS.get(page, ("GET", 200))
        made.append(
            {
                "artist": song[1],
                "auth": "Logged In" if logged_in else "Logged Out",
                "firstName": user.first_name if logged_in else None,
                "gender": user.gender if logged_in else None,
                "itemInSession": len(made),
                "lastName": user.last_name if logged_in else None,
                "length": song[2],
                "level": user.level,
                "location": user.location if logged_in else None,
                "method": method,
                "page": page,
                "registration": user.registration if logged_in else None,
                "sessionId": session_id,
                "song": song[0],
                "status": status,
                "ts": now,
                "userAgent": user.user_agent if logged_in else None,
                "userId": str(user.number) if logged_in else "",
            }
        )
        now += wait * 1000

    def some_seconds() -> int:
        return int(random.random() * random.random() * 120)

    def change_level() -> None:
        visit("Submit Downgrade" if user.level == "paid" else "Submit Upgrade", 2)
        user.level = "free" if user.level == "paid" else "paid"
        visit("Home", some_seconds())

    if random.random() < 0.12:
        visit("Home", some_seconds(), logged_in=False)
        if random.random() < 0.15:
            visit(pick(random, ("About", "Help")), some_seconds(), logged_in=False)
        if random.random() < 0.7:
            visit("Login", 0, logged_in=False)
    if random.random() < 0.55:
        visit("Home", some_seconds())
    chance = random.random()
    if not user.plays:
        songs_wanted = 0
    elif chance < 0.73:
        songs_wanted = 1 + int(random.random() * random.random() * 5)
    elif chance < 0.9:
        songs_wanted = 4 + int(random.random() * 20)
    else:
        songs_wanted = 20 + int(random.random() * random.random() * 80)
    for number in range(songs_wanted):
        visit("NextSong", 0)
        chance = random.random()
        if undecided and number == 0:
            for _ in range(2):
                change_level()
                visit("NextSong", 0)
        elif chance < 0.025:
            visit("Home", some_seconds())
        elif chance < 0.037:
            paying = user.level == "paid"
            visit("Downgrade" if paying else "Upgrade", some_seconds())
            if random.random() < (0.02 if paying else 0.3):
                change_level()
        elif chance < 0.044:
            visit("Settings", some_seconds())
            if random.random() < 0.2:
                visit("Save Settings", 0)
        elif chance < 0.05:
            visit("Help", some_seconds())
        elif chance < 0.053:
            visit("About", some_seconds())
        elif chance < 0.0545:
            visit("Error", 1)
        elif chance < 0.062:
            visit("Logout", 1)
            visit("Home", some_seconds(), logged_in=False)
            visit("Login", 0, logged_in=False)
            visit("Home", some_seconds())
    if random.random() < 0.05:
        visit("Logout", 1)
        visit("Home", some_seconds(), logged_in=False)
    if not made:
        visit("Home", some_seconds())
    user.busy_until = now
    return made


def write(folder: Path, spec: Spec) -> Counts:
    """Write log_data/ and song_data/ below ``folder`` and say what is in them; done already, only say it.

    :raises FileExistsError: the folder holds something else than an earlier sample.
    """
    marker = folder / MARKER
    # The generator itself is part of what decides the bytes.
    identity = {
        **{name: str(value) for name, value in asdict(spec).items()},
        "generator": hashlib.sha256(Path(__file__).read_bytes()).hexdigest(),
    }
    if marker.exists():
        found = json.loads(marker.read_text())
        if found.get("spec") == identity and "counts" in found:
            return Counts(**found["counts"])
    elif folder.exists() and any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty and holds no earlier sample: name another folder")
    folder.mkdir(parents=True, exist_ok=True)
    # Kept while writing: half a sample is known as one and begun anew.
    marker.write_text("{}")
    for name in ("log_data", "song_data"):
        shutil.rmtree(folder / name, ignore_errors=True)

    dump = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode
    song_count = 0
    made_folders = set()
    total = max(1, round(SONGS * spec.scale))
    for song in tqdm(songs(spec), "songs", total, unit="", unit_scale=True, disable=None, leave=False):
        path = folder / "song_data" / song.key
        if path.parent not in made_folders:
            path.parent.mkdir(parents=True, exist_ok=True)
            made_folders.add(path.parent)
        path.write_text(json.dumps(song.row, indent=2 if song.indented else None), encoding="ascii")
        song_count += 1
    event_count = play_count = file_count = 0
    listeners = set()
    for day, rows in tqdm(events(spec), "days of events", spec.days, unit="", disable=None, leave=False):
        path = folder / "log_data" / f"{day:%Y/%m/%Y-%m-%d}-events.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(map(dump, rows)), encoding="ascii")
        event_count += len(rows)
        file_count += 1
        plays = [row["userId"] for row in rows if row["page"] == "NextSong"]
        play_count += len(plays)
        listeners.update(plays)
    counts = Counts(event_count, play_count, len(listeners), song_count, file_count)
    marker.write_text(json.dumps({"spec": identity, "counts": asdict(counts)}))
    return counts


def positive(kind: type) -> Any:
    """An argument of that type in (0, 10000]."""

    def read(text: str) -> Any:
        value = kind(text)
        if not 0 < value <= 10_000:
            raise argparse.ArgumentTypeError("must be above 0 and at most 10,000")
        return value

    return read


def main(arguments: list[str] | None = None) -> int:
    """The command line; 2 for a folder that cannot be used."""
    default = Spec()
    parser = argparse.ArgumentParser(prog="sample", description="Made-up Sparkify logs and songs.")
    parser.add_argument(
        "folder", type=Path, help="gets log_data/ and song_data/; new, empty or an earlier sample's"
    )
    parser.add_argument(
        "--scale", type=positive(float), default=default.scale, help="1: a month of 8,000 events"
    )
    parser.add_argument(
        "--start", type=date.fromisoformat, default=default.start, help="first day, YYYY-MM-DD"
    )
    parser.add_argument("--days", type=positive(int), default=default.days)
    parser.add_argument("--seed", type=int, default=default.seed)
    given = parser.parse_args(arguments)
    try:
        counts = write(given.folder, Spec(given.start, given.days, given.scale, given.seed))
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
