"""Test that each unusual delivery has the result in the table of docs/deliveries.md."""

from __future__ import annotations

import bz2
import gzip
import json
import re
from datetime import datetime
from typing import Any

import botocore.exceptions
import pytest

from include.sparkify.errors import ConfigurationError, DataError, TransientError
from include.sparkify.files import lake
from tests.project.files import PROJECT
from tests.world import event, lines, log_key, song

PAGE = re.findall(
    r"^\| (.+?) \| (Loaded|Rejected|Refused|Not read|Passed over)(?:: (.+?))? \|$",
    (PROJECT / "docs/deliveries.md").read_text(),
    re.M,
)
NOON = datetime(2018, 11, 1, 12)
PLAY = event(NOON)
LINE = lines(PLAY)
TITLED = json.dumps(event(NOON, song="Élan"), ensure_ascii=False)
NULLS = dict.fromkeys(PLAY)
ANY_CASE = {name.upper(): value for name, value in PLAY.items()}
SONG = json.dumps(song("SO1"))

# By title: the content of the file, after its name if the name is odd.
LOGS: dict[str, bytes | tuple[str, bytes]] = {
    "A byte order mark of UTF-8": b"\xef\xbb\xbf" + LINE,
    "A byte order mark within a file": LINE + b"\n\xef\xbb\xbf" + LINE + b"\n" + LINE,
    "Lines that end with CR LF": LINE + b"\r\n" + LINE + b"\r\n",
    "Lines that end with CR": LINE + b"\r" + LINE,
    "UTF-16": TITLED.encode("utf-16"),
    "ISO 8859-1": TITLED.encode("latin-1"),
    "A NUL character in a text": lines(event(NOON, song="a\0b")),
    "Half of a surrogate pair": LINE.replace(b'"Song"', rb'"\ud83d"'),
    "Any other character, escaped or not": lines(event(NOON, song="\U0001f3b5 \u2028 \x1b \x7f", artist="美空ひばり")),
    "An object in a field without a column": lines(PLAY | {"device": {"os": {"name": "x"}}}),
    "An object in a field with a column": lines(PLAY | {"artist": {"name": "x"}}),
    "A key twice: the last one counts": LINE.replace(b'{"artist"', b'{"artist": 7, "artist"'),
    "Numbers as text": lines(
        PLAY | {name: str(PLAY[name]) for name in ("ts", "length", "itemInSession", "sessionId", "status", "userId")}
    ),
    "Texts as numbers": lines(PLAY | {"song": 1979, "artist": 311, "userId": 7}),
    "A text as a number whose digits a float does not keep, such as 1.10": LINE.replace(b'"Song"', b"1.10"),
    "`ts` in seconds": lines(PLAY | {"ts": PLAY["ts"] // 1000}),
    "`ts` in microseconds": lines(PLAY | {"ts": PLAY["ts"] * 1000}),
    "`ts` in ISO 8601": lines(PLAY | {"ts": "2018-11-01T12:00:00Z"}),
    "`ts` as 1541073600000.0": lines(PLAY | {"ts": float(PLAY["ts"])}),
    "`ts` with a fraction": lines(PLAY | {"ts": PLAY["ts"] + 0.5}),
    "Keys in another case": lines(ANY_CASE),
    "All values null": lines(NULLS),
    "An empty object": b"{}",
    "Blank lines between other lines": b"\n\r\n " + LINE + b"\n\n\n" + LINE + b"\n\t\n",
    "Only blanks": b" \r\n\t\n",
    "An empty file": b"",
    "A comma after each object": LINE + b",\n" + LINE + b",\n",
    "An array over several lines": json.dumps([PLAY, PLAY], indent=1).encode(),
    "A list in an object": lines({"Records": [PLAY, PLAY]}),
    "NaN": lines(PLAY | {"length": float("nan")}),
    "Single quotes, as Python prints an object": str(PLAY).encode(),
    "CSV": b"artist,song,ts\nArtist,Song,1541073600000\n",
    "An error page in HTML": b"<html><body>503 Slow Down</body></html>",
    "A truncated last line": LINE + b"\n" + LINE + b"\n" + LINE[:100],
    "A text of 3 MB: it is truncated": lines(event(NOON, userAgent="x" * 3_000_000)),
    "A line of 5 MB": lines(event(NOON, userAgent="x" * 5_000_000)),
    "Two gzip files in one": ("2018-11-01-two.json.gz", gzip.compress(LINE + b"\n") + gzip.compress(LINE)),
    "gzip, named `.json`": gzip.compress(LINE),
    "bzip2, named `.json.gz`": ("2018-11-01-bzip2.json.gz", bz2.compress(LINE)),
    "JSON, named `.json.gz`": ("2018-11-01-plain.json.gz", LINE),
    "A truncated gzip file": ("2018-11-01-cut.json.gz", gzip.compress(LINE)[:-9]),
    "Two bzip2 files in one": ("2018-11-01-two.json.bz2", bz2.compress(LINE + b"\n") + bz2.compress(LINE)),
    "A truncated bzip2 file": ("2018-11-01-cut.json.bz2", bz2.compress(LINE)[:-9]),
    "Two bzip2 files in one, the second corrupt": (
        "2018-11-01-bad.json.bz2", bz2.compress(LINE + b"\n") + bz2.compress(LINE).replace(b"1AY&SY", b"1AX&SY"),
    ),
    "Lines after the end of a bzip2 file": ("2018-11-01-more.json.bz2", bz2.compress(LINE + b"\n") + LINE),
    "A song in the folder of log files": SONG.encode(),
    "A folder marker": ("", b""),
    "A file of a day in its own folder, `2018/11/01/`": ("01/2018-11-01-events.json", LINE),
    "A hidden file, `.2018-11-01-events.json`": (".2018-11-01-events.json", LINE),
    "`_SUCCESS`": ("_SUCCESS", b""),
    "A part file of Spark, `2018/11/part-00000-….json`": ("part-00000-0a1b-c000.json", LINE),
    "A Hive partition, `date=2018-11-01/…`": ("../../date=2018-11-01/part-0.json", LINE),
    "A file with Data Firehose's default name": ("01/13/plays-1-2018-11-01-13-05-06-0a1b", LINE),
    "Data Firehose, prefix `log_data/!{timestamp:yyyy}/!{timestamp:MM}/!{timestamp:yyyy-MM-dd}-`, extension `.json`": (
        "2018-11-01-plays-1-2018-11-01-13-05-06-0a1b.json", LINE + b"\n" + LINE + b"\n",
    ),
    "`.JSON`": ("2018-11-01-events.JSON", LINE),
    "`.json.GZ`": ("2018-11-01-events.json.GZ", gzip.compress(LINE)),
    "Another day in the name than in the folder": ("2018-12-01-events.json", LINE),
    "A day that does not exist, `2018-11-31`": ("2018-11-31-events.json", LINE),
}  # fmt: skip
SONGS: dict[str, bytes | tuple[str, bytes]] = {
    "A song with a byte order mark and CR LF": b"\xef\xbb\xbf"
    + json.dumps(song("SO1"), indent=1).replace("\n", "\r\n").encode(),
    "A song whose numbers are text": json.dumps(song("SO1", year="2000", duration="200.5")).encode(),
    "A song in an array": f"[{SONG}]".encode(),
    "A song with NaN": json.dumps(song("SO1", artist_latitude=float("nan"))).encode(),
    "A song without a key, `{}`": b"{}",
    "An event in the folder of songs": LINE,
    "`.DS_Store` in the folder of songs": (".DS_Store", b"\0\0\0\1Bud1"),
    "A song in a folder without a name, `A//…`": ("/TR1.json", SONG.encode()),
    "A song named `.json`": (".json", SONG.encode()),
    "A song whose name ends with a slash": ("TR1.json/", SONG.encode()),
}  # fmt: skip


def key_of(title: str) -> str:
    content = {**LOGS, **SONGS}[title]
    number = [*LOGS, *SONGS].index(title)
    if title in SONGS:
        return f"song_data/A/{content[0] if isinstance(content, tuple) else f'{number}.json'}"
    name = content[0] if isinstance(content, tuple) else f"2018-11-01-{number}.json"
    return f"log_data/2018/11/{name}".replace("2018/11/../../", "")


class Answers:
    """The results of one load of all unusual deliveries."""

    def __init__(self, world: Any) -> None:
        for title, content in {**LOGS, **SONGS}.items():
            world.s3.put_object(
                Bucket=world.lake,
                Key=key_of(title),
                Body=content[1] if isinstance(content, tuple) else content,
            )
        context = world.context("2018-11-01", "2018-12-01")
        with pytest.raises(DataError, match="all other files are loaded, but [0-9]+ files? (is|are) refused"):
            world.load(context=context, audited=False)
        self.not_read = context["pushed"]["plan", "plan"]["unrecognized"]
        self.ledger = world.ledger()
        self.refused = dict(world.rows("select source_key, reason from {o}.refused_files"))
        self.rejected = {key: reason for key, _, _, reason in world.rejected()}
        self.rows = dict(
            world.rows(
                "select source_key, count(*) from {s}.events group by source_key union all "
                "select source_key, count(*) from {s}.song_files group by source_key"
            )
        )


@pytest.fixture(scope="module")
def answers(module_world: Any) -> Answers:
    from include.sparkify.settings import settings

    with pytest.MonkeyPatch.context() as patch:
        # Many of the songs are bad, so the default threshold would stop the run.
        patch.setenv("AIRFLOW_VAR_SPARKIFY", module_world.settings(reject_threshold=0.7))
        settings.cache_clear()
        found = Answers(module_world)
    settings.cache_clear()
    return found


def test_the_table_of_the_page_has_every_delivery_of_this_file():
    assert [title for title, *_ in PAGE] == [*LOGS, *SONGS]


@pytest.mark.finding("R10")
@pytest.mark.parametrize(("title", "answer", "detail"), PAGE, ids=[title for title, *_ in PAGE])
def test_an_odd_delivery_is_answered_as_the_page_says(answers, title, answer, detail):
    key, content = key_of(title), {**LOGS, **SONGS}[title]
    if answer in ("Loaded", "Rejected"):
        assert key in answers.ledger
        count = re.match(r"(\d+) (?:event|song)", detail)
        assert count and answers.rows.get(key, 0) == int(count[1])
        if answer == "Rejected":
            assert answers.rejected[key] == detail.partition("; ")[2]
    elif answer == "Refused":
        assert detail in answers.refused[key]
        assert key not in answers.ledger
    elif answer == "Not read":
        reported = next(name for name in answers.not_read if key.startswith(name))
        assert lake.explain_name(reported) == detail
    else:
        assert content == ("", b"") and key not in {*answers.ledger, *answers.refused, *answers.not_read}


def archive(world: Any, key: str, body: bytes) -> None:
    world.s3.put_object(Bucket=world.lake, Key=key, Body=body, StorageClass="GLACIER")


def test_a_file_that_s3_does_not_hand_out_costs_only_itself_until_it_does(fresh):
    world = fresh(reject_threshold=0.5)
    world.log("2018-11-01", event(NOON))
    archived = {log_key("2018-11-02"): LINE, "song_data/A/TR1.json": SONG.encode()}
    for key, body in archived.items():
        archive(world, key, body)
    world.song(song("SO2"))
    world.song(song("SO3"))

    for _ in range(2):
        with pytest.raises(DataError) as failed:
            world.load("2018-11-01", "2018-11-03", audited=False)
        for key in archived:
            assert re.search(f"{key}: could not read s3://.* archived .*restore it in S3", str(failed.value))
        assert "The next run tries to read it again." in str(failed.value)
        assert not archived.keys() & world.ledger().keys() and len(world.ledger()) == 3

    for key, body in archived.items():
        world.put(key, body)
    world.load("2018-11-01", "2018-11-03", audited=False)
    assert archived.keys() < world.ledger().keys() and world.count("refused_files") == 0


def test_an_archived_version_takes_nothing_away(fresh):
    world = fresh()
    key = world.log("2018-11-01", event(NOON))
    world.log("2018-11-02", event(NOON, item=1))
    world.load("2018-11-01", "2018-11-03", audited=False)
    archive(world, key, lines(event(NOON, item=2)))

    with pytest.raises(DataError, match="all other files are loaded, but 1 file is refused"):
        world.load(mode="full_refresh", audited=False)

    assert world.items() == [0, 1]


@pytest.mark.finding("R12")
@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("AccessDenied", DataError),
        ("KMS.DisabledException", DataError),
        ("SignatureDoesNotMatch", ConfigurationError),
        ("SlowDown", TransientError),
        # It was deleted, and put again before it was listed.
        ("NoSuchKey", TransientError),
    ],
)
def test_what_s3_says_of_one_file_is_a_refusal_and_of_all_of_them_an_error(fresh, monkeypatch, code, error):
    world = fresh()
    key = world.log("2018-11-01", event(NOON))
    get = lake._get

    def refuse(s3, bucket, name):
        if name != key:
            return get(s3, bucket, name)
        raise botocore.exceptions.ClientError({"Error": {"Code": code, "Message": "no"}}, "GetObject")

    monkeypatch.setattr(lake, "_get", refuse)
    with pytest.raises(error, match=f"could not read s3://{world.lake}/{key}: .*{code}"):
        world.load("2018-11-01", "2018-11-02", audited=False)
    assert world.count("refused_files") == (error is DataError)
