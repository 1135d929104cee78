"""Test that the sample has the same bytes everywhere, the requested size, and the quirks that break loaders."""

import hashlib
import itertools
import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from local.sample import Spec, write
from local.sample.__main__ import main


def fingerprint(folder: Path) -> str:
    """Return one hash of the names and bytes of all files below log_data/ and song_data/."""
    found = hashlib.sha256()
    for path in sorted(folder.glob("*_data/**/*.json")):
        found.update(f"{path.relative_to(folder)}\n".encode())
        found.update(path.read_bytes())
    return found.hexdigest()


class Sample:
    """The files of a sample."""

    def __init__(self, folder: Path) -> None:
        # A newline at the end of a log file would be an error here.
        self.days = {
            path.name[:10]: [json.loads(line) for line in path.read_bytes().split(b"\n")]
            for path in sorted(folder.glob("log_data/*/*/*-events.json"))
        }
        self.events = [event for rows in self.days.values() for event in rows]
        self.plays = [event for event in self.events if event["page"] == "NextSong"]
        self.song_files = {path.name: path.read_bytes() for path in folder.glob("song_data/*/*/*/TR*.json")}
        self.songs = [json.loads(text) for text in self.song_files.values()]


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    folder = tmp_path_factory.mktemp("month")
    write(folder, Spec())
    return Sample(folder)


def test_same_arguments_same_bytes(tmp_path: Path) -> None:
    """The hash is a literal, because it must be the same on Python 3.11 and 3.12 and on every machine."""
    write(tmp_path / "one", Spec(days=3, scale=0.2, seed=7))
    write(tmp_path / "other", Spec(days=3, scale=0.2, seed=8))
    assert fingerprint(tmp_path / "one") != fingerprint(tmp_path / "other")
    assert fingerprint(tmp_path / "one")[:16] == "fa3f34e85770dd3c"


def test_month_is_of_the_real_size(month: Sample) -> None:
    assert list(month.days) == [f"2018-11-{day:02}" for day in range(1, 31)]
    assert 7_500 < len(month.events) < 8_700
    assert 0.82 < len(month.plays) / len(month.events) < 0.88
    assert len({song["song_id"] for song in month.songs}) == len(month.songs) == 1_000


def test_scale_multiplies_events_songs_and_users_and_adds_long_texts(tmp_path: Path) -> None:
    small = write(tmp_path / "small", Spec(days=4, scale=0.5))
    large = write(tmp_path / "large", Spec(days=4, scale=2))
    assert large.songs == 4 * small.songs == 2_000
    assert 2 < large.events / small.events < 6
    assert 2 < large.users / small.users < 6
    # Some texts have more than 256 bytes, the default length of VARCHAR, regardless of their number of characters.
    songs = Sample(tmp_path / "large").songs
    for name in ("title", "artist_name"):
        assert 256 < max(len(str(song[name]).encode()) for song in songs) < 1024


def test_the_number_of_songs_can_be_chosen(tmp_path: Path) -> None:
    """Each song has one file, in folders named by letters as in the full edition of the public data."""
    assert main([str(tmp_path / "more"), "--days", "2", "--scale", "0.1", "--songs", "1300"]) == 0
    write(tmp_path / "few", Spec(days=2, scale=0.1))
    paths = list((tmp_path / "more").glob("song_data/A/?/?/TRA*.json"))
    assert all(path.parts[-4:-1] == tuple(path.name[2:5]) for path in paths)
    assert len({path.parent for path in paths}) > 500
    few, more = (Sample(tmp_path / name).song_files for name in ("few", "more"))
    assert (len(few), len(more), len(paths)) == (100, 1_300, 1_300)
    # The first songs are the same, so a larger number only adds files.
    assert few.items() <= more.items()


def test_a_file_has_its_utc_day_in_order(month: Sample) -> None:
    for day, rows in month.days.items():
        assert {datetime.fromtimestamp(row["ts"] / 1000, UTC).date().isoformat() for row in rows} == {day}
        assert all(one["ts"] <= two["ts"] for one, two in itertools.pairwise(rows))


def distinct(rows: list[dict], *names: str) -> int:
    """Return the number of different values of these fields."""
    return len({tuple(row[name] for name in names) for row in rows})


def level_changes(month: Sample) -> Counter:
    """Return the number of changes by user and day."""
    by_user = sorted(month.plays, key=lambda play: play["userId"])
    return Counter(
        (one["userId"], two["ts"] // 86_400_000)
        for one, two in itertools.pairwise(by_user)
        if one["userId"] == two["userId"] and one["level"] != two["level"]
    )


def matches(month: Sample) -> list[int]:
    """Return the number of songs that each play matches."""
    known = Counter((song["title"], song["artist_name"], song["duration"]) for song in month.songs)
    return [known[play["song"], play["artist"], play["length"]] for play in month.plays]


# The quirks that the docstring of local/sample lists, and the key of an event.
QUIRKS: dict[str, Callable[[Sample], bool]] = {
    "a natural key": lambda m: distinct(m.events, "sessionId", "itemInSession") == len(m.events),
    "events without a user": lambda m: (
        {
            (event["auth"], event["firstName"], event["registration"])
            for event in m.events
            if not event["userId"]
        }
        == {("Logged Out", None, None)}
    ),
    "two plays at one instant": lambda m: distinct(m.plays, "ts") < len(m.plays),
    "sessions over midnight": lambda m: any(
        {row["sessionId"] for row in one} & {row["sessionId"] for row in two}
        for one, two in itertools.pairwise(m.days.values())
    ),
    "two identities": lambda m: distinct(m.events, "sessionId", "userId") > distinct(m.events, "sessionId"),
    "level changes": lambda m: len(level_changes(m)) >= 8,
    "twice on one day": lambda m: max(level_changes(m).values()) > 1,
    "a user who never plays": lambda m: distinct(m.plays, "userId") < distinct(m.events, "userId") - 1,
    "registration as a float": lambda m: {type(play["registration"]) for play in m.plays} == {float},
    "quotes in userAgent": lambda m: {play["userAgent"][0] for play in m.plays} == {'"', "M"},
    "artists as numbers": lambda m: {type(play["artist"]) for play in m.plays} == {str, int},
    "names as numbers": lambda m: {type(song["artist_name"]) for song in m.songs} == {str, int},
    "locations as numbers": lambda m: {type(song["artist_location"]) for song in m.songs} == {str, int},
    "digits as text": lambda m: "007" in {play["artist"] for play in m.plays},
    "names encoded twice": lambda m: any(
        play["song"].encode("latin-1").decode("utf-8", "ignore") != play["song"]
        for play in m.plays
        if not play["song"].isascii() and max(play["song"]) <= "\xff"
    ),
    "emoji": lambda m: any("\N{GUITAR}" in song["title"] for song in m.songs),
    "quotes": lambda m: any('"' in play["song"] for play in m.plays),
    "backslashes": lambda m: any("\\" in play["song"] for play in m.plays),
    "an artist with several values": lambda m: all(
        distinct(m.songs, "artist_id", name) > distinct(m.songs, "artist_id")
        for name in ("artist_name", "artist_location", "artist_latitude")
    ),
    "one play in 20 matches": lambda m: 0.03 < sum(map(bool, matches(m))) / len(m.plays) < 0.07,
    "songs that match each other": lambda m: max(matches(m)) > 1,
    "year 0": lambda m: 0.4 < sum(song["year"] == 0 for song in m.songs) / len(m.songs) < 0.8,
    "HTML as a location": lambda m: any("<a href=" in str(song["artist_location"]) for song in m.songs),
    "files of several lines": lambda m: 0 < sum(b"\n" in text for text in m.song_files.values()) < 100,
    "no newline at the end": lambda m: {text[-1:] for text in m.song_files.values()} == {b"}"},
}


@pytest.mark.parametrize("quirk", QUIRKS)
def test_the_month_has_each_quirk(month: Sample, quirk: str) -> None:
    assert QUIRKS[quirk](month)


def test_a_second_run_changes_nothing_and_other_arguments_start_over(tmp_path: Path) -> None:
    folder = tmp_path / "sample"
    first = write(folder, Spec(days=2, scale=0.1))
    kept = next(folder.glob("log_data/**/*.json")).stat().st_mtime_ns
    assert write(folder, Spec(days=2, scale=0.1)) == first
    assert next(folder.glob("log_data/**/*.json")).stat().st_mtime_ns == kept
    assert write(folder, Spec(start=date(2020, 2, 28), days=3, scale=0.1)).log_files == 3
    assert list(Sample(folder).days) == ["2020-02-28", "2020-02-29", "2020-03-01"]


def test_someone_elses_folder_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    assert main([str(tmp_path), "--scale", "0.1"]) == 2
    assert "not empty" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize(
    ("option", "value"),
    [("--scale", value) for value in ("0", "-1", "nan", "1e9")]
    + [("--songs", value) for value in ("0", "-1", "1.5", "1e9")],
)
def test_a_number_that_makes_no_sense(tmp_path: Path, option: str, value: str) -> None:
    with pytest.raises(SystemExit):
        main([str(tmp_path), option, value])
