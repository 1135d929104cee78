"""Test the examples in docs/deliveries.md, a delivery by eventsim's rules, unusual names, and responses not from S3."""

from __future__ import annotations

import bz2
import gzip
import http.server
import json
import os
import re
import threading
from datetime import datetime

import boto3
import botocore.config
import pytest
from airflow.providers.common.compat.sdk import AirflowSkipException

from include.sparkify.errors import DataError, TransientError
from include.sparkify.files import lake
from include.sparkify.intervals import ALL_TIME
from include.sparkify.tables import SOURCES
from tests.pipeline import eventsim, model
from tests.project.files import PROJECT
from tests.world import event, log_key, song

D1 = datetime(2018, 11, 1, 12)
MONTH = ("2018-11-01", "2018-12-01")
EXAMPLES = re.findall(
    r"^### (.+?)\n.*?^`(\w+_data/\S+)`\n\n```json\n(.+?)```\n\n(Loaded|Refused|Not read): (.+?)$",
    (PROJECT / "docs/deliveries.md").read_text(),
    re.M | re.S,
)
PACK = {".gz": gzip.compress, ".bz2": bz2.compress}


def test_every_example_of_the_page_is_found():
    assert len(EXAMPLES) == (PROJECT / "docs/deliveries.md").read_text().count("\n### ") > 15


@pytest.mark.parametrize(
    ("key", "body", "answer", "detail"),
    [example[1:] for example in EXAMPLES],
    ids=[f"{title}, {key[:4]}" for title, key, *_ in EXAMPLES],
)
def test_an_example_of_the_page_is_answered_as_the_page_says(fresh, key, body, answer, detail):
    world = fresh(absent="warn" if key.startswith("song") else "skip")
    content = body.encode()
    world.put(key, PACK.get(key[key.rindex(".") :], lambda text: text)(content))

    if answer == "Not read":
        with pytest.raises(AirflowSkipException, match=re.escape(f"{key}: {detail}")):
            world.load(*MONTH, audited=False)
    elif answer == "Refused":
        with pytest.raises(DataError, match=f"{re.escape(key)}: .*{re.escape(detail)}"):
            world.load(*MONTH, audited=False)
        assert world.count("loaded_files") == 0
    else:
        world.load(*MONTH, audited=False)
        loaded = {name: int(count) for count, name in re.findall(r"(\d+) (event|play|song)", detail)}
        tables = {"event": "events", "play": "songplays", "song": "songs"}
        assert loaded == {name: world.count(tables[name]) for name in loaded} and loaded


@pytest.mark.parametrize("count", [int(os.environ.get("SPARKIFY_EVENTSIM_LINES", "5000"))])
def test_a_delivery_by_the_rules_of_eventsim_becomes_the_oracles_star(fresh, count):
    """The delivery has missing keys, `tag`, numeric user IDs, and sessions that cross midnight."""
    world = fresh()
    songs = [song(f"SO{n}", f"Title {n}", f"Artist {n}", 150 + n / 8, artist_id=f"AR{n}") for n in range(50)]
    # The public song data is small, so most plays match no song.
    unknown = [song(f"SX{n}", f"Other {n}", f"Artist {n}", 200 + n / 8) for n in range(150)]
    files = eventsim.deliver(count, 7, datetime(2018, 11, 1), [*songs, *unknown])
    files |= {f"song_data/{number}.json": json.dumps(one).encode() for number, one in enumerate(songs)}
    for key, body in files.items():
        world.put(key, body)

    world.load(*MONTH)

    logs, documents = model.read(files)
    lines = [line for content in logs.values() for line in content]
    days = {}
    for key, content in logs.items():
        for line in content:
            days.setdefault(line["sessionId"], set()).add(key)
    assert any(len(keys) > 1 for keys in days.values())
    assert {"tag", "userId", "song"} - lines[0].keys() or len({frozenset(line) for line in lines}) > 2
    assert world.count("events") == count
    assert world.star() == model.star(logs, documents)
    assert "staging_files.no_field_is_unknown" in world.warnings()


@pytest.mark.finding("M3")
def test_values_of_a_rejected_line_stay_in_the_warehouse(fresh, caplog):
    world = fresh()
    world.log("2018-11-01", event(D1, userId="12125550123"), event(D1, itemInSession=12125550123))

    with pytest.raises(DataError, match="line 1, user_id: is out of range") as failed:
        world.load(*MONTH, audited=False)

    assert "2125550123" not in str(failed.value) + caplog.text
    assert world.count("rejected_lines", "raw_line like '%%12125550123%%'") == 2


# No name has a newline, because the local S3 does not serve such a key.
HOSTILE = [
    "a .json", " .json", "  a.json", "a\t.json", "a\u2029.json", "a\r.json", "a\x0b.json", "\x01.json", "\x1b[31m.json",
    "\x7f.json", "\x85.json", "\u2028.json", "\u202egpj.json", "\u200b.json", "\ufeff.json", "\u0301.json",
    "%2F.json", "%00.json", "%s.json", "%(x)s.json", "%25.json", "100%.json", "+.json", "a+b.json", "a%2Bb.json",
    "{{ 1/0 }}.json", "{% raw %}.json", "{0}.json", "${HOME}.json", "$(id).json", "`id`.json", "<b>.json",
    "<script>alert(1)</script>.json", "&amp;.json", "&.json", "]]>.json", "'.json", '".json', "';--.json", "\\.json",
    "\\n.json", "*.json", "?.json", "#.json", "..json", "...json", "a.json ", "a.json/", "a.JSON", "a.json.",
]  # fmt: skip


@pytest.mark.finding("M4")
def test_files_of_hostile_names_are_loaded_or_reported(fresh):
    """Names have markup, templates, percent signs, control and bidirectional characters, blanks, or a final slash."""
    world = fresh()
    assert len(HOSTILE) == len(set(HOSTILE)) == 50
    keys = []
    for number, name in enumerate(HOSTILE):
        keys += [
            world.put(log_key("2018-11-01", name), json.dumps(event(D1, item=number)).encode()),
            world.put(f"song_data/{name}", json.dumps(song(f"SO{number}")).encode()),
        ]
    context = world.context(*MONTH)

    world.load(context=context, audited=False)

    reported = set(context["pushed"]["plan", "plan"]["unrecognized"])
    assert set(world.ledger()) | reported == set(keys)
    assert len(world.ledger()) > 80
    assert {key for (key,) in world.rows("select source_key from {s}.events")} <= set(keys)
    with pytest.raises(AirflowSkipException, match="nothing is new"):
        world.load(*MONTH)


@pytest.mark.finding("M4")
def test_a_song_file_whose_name_ends_with_a_slash_is_not_taken_for_another_one(fresh):
    world = fresh()
    world.log("2018-11-01", event(D1))
    world.put("song_data/a.json/", json.dumps(song("SO1")).encode())

    with pytest.raises(DataError, match="song_data/a.json: its name ends with a slash"):
        world.load(*MONTH, audited=False)

    # The second key sorts between the other two.
    for name in ("a.json", "a.json-2.json"):
        world.song(song("SO2"), f"song_data/{name}")
    context = world.context(*MONTH)
    world.load(context=context, audited=False)
    assert context["pushed"]["plan", "plan"]["unrecognized"] == ["song_data/a.json/"]
    assert {"song_data/a.json", "song_data/a.json-2.json"} < set(world.ledger())


PAGE = """<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>lake</Name><Prefix>{prefix}</Prefix>
<KeyCount>1</KeyCount><MaxKeys>1</MaxKeys><IsTruncated>true</IsTruncated>{token}<Contents><Key>{prefix}{key}</Key>
<LastModified>2018-11-02T00:00:00.000Z</LastModified><ETag>"e"</ETag><Size>1</Size></Contents></ListBucketResult>"""
TOKEN = "<NextContinuationToken>t</NextContinuationToken>"
PROXY = "<html><head><title>Sign in</title></head><body>Sign in</body></html>"


@pytest.fixture
def behind_a_proxy(fresh, monkeypatch):
    """Yield a function that starts an S3 and returns its client. The S3 sends ``first``, then only ``others``."""
    fresh()
    servers = []

    def start(first: str, others: str):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                is_first = "continuation-token" not in self.path and "start-after" not in self.path
                body = (first if is_first else others).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{server.server_port}",
            region_name="us-west-2",
            aws_access_key_id="local",
            aws_secret_access_key="local",
            config=botocore.config.Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}),
        )

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.finding("M5")
@pytest.mark.parametrize("others", [PROXY, "<html><br>not XML"], ids=["XML", "not XML"])
@pytest.mark.parametrize("begins", ["truncated", "proxy", "without a token"])
def test_a_listing_with_an_answer_that_is_not_s3s_is_transient(behind_a_proxy, begins, others):
    """The pipeline never mistakes it for an empty lake or for the end of the list."""

    def first(prefix: str, key: str) -> str:
        token = TOKEN if begins == "truncated" else ""
        return others if begins == "proxy" else PAGE.format(prefix=prefix, key=key, token=token)

    logs = behind_a_proxy(first("log_data/", "2018/11/2018-11-01-events.json"), others)
    songs = behind_a_proxy(first("song_data/", "a.json"), others)

    with pytest.raises(TransientError, match="s3://lake/log_data/"):
        lake.list_daily(logs, "lake", "log_data/", SOURCES[0].path, ALL_TIME)
    with pytest.raises(TransientError, match="s3://lake/song_data/"):
        list(lake.ManyObjects(songs, "lake").list_objects("song_data/"))


@pytest.mark.finding("M5")
def test_an_object_that_is_not_s3s_answer_is_transient(behind_a_proxy):
    s3 = behind_a_proxy(PROXY, PROXY)
    item = lake.LakeObject("log_data/a.json", "e", 1, D1)

    with (
        pytest.raises(TransientError, match="the response is not from S3"),
        lake.open_object(s3, "lake", item, lake.ManyObjects(s3, "lake")),
    ):
        pass
