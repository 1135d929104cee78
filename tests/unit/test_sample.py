"""Test that the sample has the same bytes everywhere, the requested size, and the quirks that break loaders."""

import hashlib
import itertools
import json
from collections import Counter, defaultdict
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


def read_logs(folder: Path) -> dict[str, list[dict]]:
    """Return the events by the day in the files' names."""
    return {
        path.name[:10]: [json.loads(line) for line in path.read_bytes().split(b"\n")]
        for path in sorted(folder.glob("log_data/*/*/*-events.json"))
    }


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("month")
    write(folder, Spec())
    return folder


@pytest.fixture(scope="module")
def days(month: Path) -> dict[str, list[dict]]:
    return read_logs(month)


@pytest.fixture(scope="module")
def events(days: dict[str, list[dict]]) -> list[dict]:
    return [event for rows in days.values() for event in rows]


@pytest.fixture(scope="module")
def plays(events: list[dict]) -> list[dict]:
    return [event for event in events if event["page"] == "NextSong"]


@pytest.fixture(scope="module")
def songs(month: Path) -> list[dict]:
    return [json.loads(path.read_bytes()) for path in sorted(month.glob("song_data/*/*/*/TR*.json"))]


def test_same_arguments_same_bytes(tmp_path: Path) -> None:
    """The hash is a literal, because it must be the same on Python 3.11 and 3.12 and on every machine."""
    write(tmp_path / "one", Spec(days=3, scale=0.2, seed=7))
    write(tmp_path / "other", Spec(days=3, scale=0.2, seed=8))
    assert fingerprint(tmp_path / "one") != fingerprint(tmp_path / "other")
    assert fingerprint(tmp_path / "one")[:16] == "fa3f34e85770dd3c"


def test_month_is_of_the_real_size(month: Path, days: dict, events: list, plays: list, songs: list) -> None:
    assert list(days) == [f"2018-11-{day:02}" for day in range(1, 31)]
    assert 7_500 < len(events) < 8_700
    assert 0.82 < len(plays) / len(events) < 0.88
    assert len(songs) == 1_000
    assert (month / "log_data/2018/11/2018-11-01-events.json").is_file()


def test_scale_multiplies_events_songs_and_users_and_adds_long_texts(tmp_path: Path) -> None:
    small = write(tmp_path / "small", Spec(days=4, scale=0.5))
    large = write(tmp_path / "large", Spec(days=4, scale=2))
    assert large.songs == 4 * small.songs == 2_000
    assert 2 < large.events / small.events < 6
    assert 2 < large.users / small.users < 6
    # Some texts have more than 256 bytes, the default length of VARCHAR, whatever their number of characters.
    songs = [json.loads(path.read_bytes()) for path in tmp_path.glob("large/song_data/*/*/*/*.json")]
    assert any(len(song["title"].encode()) > 256 for song in songs)
    assert any(len(str(song["artist_name"]).encode()) > 256 for song in songs)
    assert max(len(song["title"].encode()) for song in songs) < 1024


def test_the_number_of_songs_can_be_chosen(tmp_path: Path) -> None:
    """Each song has one file, in folders named by letters as in the full edition of the public data."""
    assert main([str(tmp_path / "more"), "--days", "2", "--scale", "0.1", "--songs", "1300"]) == 0
    write(tmp_path / "few", Spec(days=2, scale=0.1))
    files = list((tmp_path / "more").glob("song_data/A/?/?/TRA*.json"))
    assert len(files) == 1_300
    assert len({path.parent for path in files}) > 500
    few = {path.name: path.read_bytes() for path in (tmp_path / "few").glob("song_data/A/?/?/TRA*.json")}
    assert len(few) == 100
    # The first songs are the same, so a larger number only adds files.
    assert few.items() <= {path.name: path.read_bytes() for path in files}.items()


def test_a_file_holds_its_utc_day_in_order(days: dict[str, list[dict]]) -> None:
    for day, rows in days.items():
        assert {datetime.fromtimestamp(row["ts"] / 1000, UTC).date().isoformat() for row in rows} == {day}
        assert all(one["ts"] <= two["ts"] for one, two in itertools.pairwise(rows))


def test_events_have_one_identity_and_plays_do_meet(events: list[dict], plays: list[dict]) -> None:
    assert len({(event["sessionId"], event["itemInSession"]) for event in events}) == len(events)
    assert len({play["ts"] for play in plays}) < len(plays)


def test_events_without_a_user(events: list[dict]) -> None:
    logged_out = [event for event in events if event["userId"] == ""]
    assert 150 < len(logged_out) < 600
    assert "NextSong" not in {event["page"] for event in logged_out}
    assert {event["auth"] for event in logged_out} == {"Logged Out"}
    for event in logged_out:
        for name in ("firstName", "lastName", "gender", "location", "registration", "userAgent"):
            assert event[name] is None
    identities = defaultdict(set)
    for event in events:
        identities[event["sessionId"]].add(event["userId"])
    assert any(len(users) == 2 for users in identities.values())


def test_pages_methods_and_types(events: list[dict]) -> None:
    assert {event["page"] for event in events} >= {
        *("Home", "NextSong", "Login", "Logout", "Settings", "Save Settings", "Help", "About", "Error"),
        *("Upgrade", "Submit Upgrade", "Downgrade", "Submit Downgrade"),
    }
    assert {event["status"] for event in events} == {200, 307, 404}
    for event in events:
        assert isinstance(event["userId"], str)
        assert event["registration"] is None or isinstance(event["registration"], float)
    agents = {event["userAgent"] for event in events if event["userAgent"]}
    assert {agent[0] for agent in agents} == {'"', "M"}


def test_sessions_over_midnight(days: dict[str, list[dict]]) -> None:
    dates = defaultdict(set)
    for day, rows in days.items():
        for row in rows:
            dates[row["sessionId"]].add(day)
    assert sum(len(found) > 1 for found in dates.values()) > 5


def test_level_changes_and_twice_in_a_day(plays: list[dict]) -> None:
    levels = defaultdict(list)
    for play in plays:
        levels[play["userId"]].append((play["ts"] // 86_400_000, play["level"]))
    assert {level for found in levels.values() for _, level in found} == {"free", "paid"}
    changes = {
        user: Counter(two[0] for one, two in itertools.pairwise(found) if one[1] != two[1])
        for user, found in levels.items()
    }
    assert sum(bool(found) for found in changes.values()) >= 8
    assert any(times >= 2 for found in changes.values() for times in found.values())


def test_one_user_never_plays(events: list[dict], plays: list[dict]) -> None:
    """The users of all events and the users of plays must differ."""
    assert {play["userId"] for play in plays} < {event["userId"] for event in events if event["userId"]}


def test_a_twentieth_of_the_plays_matches_a_song(plays: list[dict], songs: list[dict]) -> None:
    known = Counter((song["title"], song["artist_name"], song["duration"]) for song in songs)
    found = [play for play in plays if (play["song"], play["artist"], play["length"]) in known]
    assert 0.03 < len(found) / len(plays) < 0.07
    assert any(known[play["song"], play["artist"], play["length"]] > 1 for play in found)
    near = {(song["title"], song["artist_name"]) for song in songs}
    assert any((play["song"], play["artist"]) in near for play in plays if play not in found)


def test_texts_that_are_hard_to_carry(plays: list[dict], songs: list[dict]) -> None:
    assert {type(play["artist"]) for play in plays} == {str, int}
    assert {type(song["artist_name"]) for song in songs} == {str, int}
    assert {type(song["artist_location"]) for song in songs} == {str, int}
    assert "007" in {play["artist"] for play in plays} | {song["artist_name"] for song in songs}
    texts = [play["song"] for play in plays]
    assert any("\N{GUITAR}" in song["title"] for song in songs)
    assert any('"' in text for text in texts)
    assert any("\\" in text for text in texts)
    twice = [text for text in texts if not text.isascii() and max(text) <= "\xff"]
    assert any(text.encode("latin-1").decode("utf-8", "ignore") != text for text in twice)


def test_songs(month: Path, songs: list[dict]) -> None:
    assert len({song["song_id"] for song in songs}) == len(songs)
    assert 0.4 < sum(song["year"] == 0 for song in songs) / len(songs) < 0.8
    assert any(song["artist_latitude"] is None for song in songs)
    assert any(isinstance(song["artist_latitude"], float) for song in songs)
    assert any("<a href=" in str(song["artist_location"]) for song in songs)
    by_artist = defaultdict(list)
    for song in songs:
        by_artist[song["artist_id"]].append(song)
    for name in ("artist_name", "artist_location", "artist_latitude"):
        assert any(len({song[name] for song in group}) > 1 for group in by_artist.values())
    files = [path.read_bytes() for path in month.glob("song_data/*/*/*/*.json")]
    assert 0 < sum(b"\n" in text for text in files) < 100
    for path in month.glob("song_data/*/*/*/*.json"):
        assert path.relative_to(month / "song_data").parts[:3] == tuple(path.name[2:5])


def test_no_file_ends_in_a_newline(month: Path) -> None:
    for path in month.glob("*_data/**/*.json"):
        assert path.read_bytes()[-1:] == b"}"


def test_a_second_run_changes_nothing_and_other_arguments_start_over(tmp_path: Path) -> None:
    folder = tmp_path / "sample"
    first = write(folder, Spec(days=2, scale=0.1))
    kept = next(folder.glob("log_data/**/*.json")).stat().st_mtime_ns
    assert write(folder, Spec(days=2, scale=0.1)) == first
    assert next(folder.glob("log_data/**/*.json")).stat().st_mtime_ns == kept
    assert write(folder, Spec(start=date(2020, 2, 28), days=3, scale=0.1)).log_files == 3
    assert list(read_logs(folder)) == ["2020-02-28", "2020-02-29", "2020-03-01"]


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
