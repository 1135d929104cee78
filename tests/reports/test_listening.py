"""Test that the listening page has the numbers of SQL and of the oracle, and that a browser shows it correctly."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
import time
from collections import defaultdict
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from include.reports import listening, metrics
from local import sample, screenshots
from tests.reports import oracle
from tests.reports.test_metricflow import SHOWN
from tests.reports.test_tables import assert_right
from tests.reports.updating import update
from tests.world import event, song

SAMPLE = sample.Spec(scale=0.3, songs=200)
AXE = "axe-core@4.14.1"
LEVELS = ("all", "free", "paid")
HOSTILE = [
    "</script><script>document.title = 'taken over'</script>",
    "<img src=x onerror=\"document.title = 'taken over'\">",
    "'\"&lt;!--",
    '=HYPERLINK("http://evil.example")',
    "\u202emoc.elpmaxe\u202c \u05e9\u05dc\u05d5\u05dd",
    "{{ 7 * 7 }}{% raw %}",
    "x" * 1024,
    "é" * 512,
]
CHARTS = ["activity", "hours", "growth", "retention", "level-changes", "pages", "places", "devices", "known"]
LISTS = ["top-songs", "top-artists", "loads"]


def facts_of() -> dict[str, Any]:
    """Return the page's data as the browser reads it."""
    return json.loads(listening.render(listening.read()).split('id="data">')[1].split("</script>")[0])


# Numbers --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def facts(loaded_month: Any) -> dict[str, Any]:
    return facts_of()


def test_every_range_and_level_is_what_the_oracle_counts(month, facts):
    assert [one["id"] for one in facts["ranges"][:4]] == ["all", "last-7", "last-28", "2018-11"]
    assert len(facts["ranges"]) == 4 + 5
    # The last day with a play is Friday, November 30.
    assert [one["label"] for one in facts["ranges"][3:6]] == [
        "November 2018",
        "Week 48 of 2018, from 26 Nov, so far",
        "Week 47 of 2018, from 19 Nov",
    ]
    assert_page(month, facts)


@pytest.mark.usefixtures("loaded_month")
def test_of_a_long_history_the_page_shows_the_last_weeks_and_days(month, monkeypatch):
    """The test lowers the page's limits, so that a month is a long history."""
    monkeypatch.setattr(listening, "WEEKS", 3)
    monkeypatch.setattr(listening, "WEEKS_OF_YEAR", 2)
    monkeypatch.setattr(listening, "WEEKS_OF_ITEM", 2)
    monkeypatch.setattr(listening, "DAYS", 9)
    facts = facts_of()
    assert len(facts["ranges"]) == 4 + 3
    assert len(facts["days"]) == 9
    assert facts["changes"]
    assert_page(month, facts)


def test_a_level_changes_between_the_weeks_that_the_page_shows_and_those_before(make_world, monkeypatch):
    world = make_world()
    for day, level in (("2018-11-02", "free"), ("2018-11-12", "paid")):
        world.log(day, event(datetime.fromisoformat(f"{day}T12:00"), level=level))
    world.load("2018-11-01", "2018-11-13")
    update()
    assert facts_of()["changes"] == [["2018-11-12", 1, 0]]
    monkeypatch.setattr(listening, "WEEKS_OF_YEAR", 1)
    assert facts_of()["changes"] == [["2018-11-12", 1, 0]]


def assert_page(world: Any, facts: dict[str, Any]) -> None:
    """Assert that every number on the page equals the oracle's."""
    events = oracle.events_of(world)
    plays = [e for e in events if e.page == "NextSong"]
    expected = oracle.tables(events)
    tops: dict[str, dict[tuple[str, str, str], tuple[Any, ...]]] = defaultdict(dict)
    for period, start, level, kind, rank, title, artist, count, listeners, _, _, known in expected[
        "period_tops"
    ]:
        tops[f"{period}/{start}/{level}"][kind, title, artist] = (rank, count, listeners, known)
    parts: dict[tuple[str, str], list[list[Any]]] = defaultdict(list)
    for period, start, level, kind, *row in expected["period_parts"]:
        parts[f"{period}/{start}/{level}", kind].append(row)
    for one in facts["ranges"]:
        start, end = date.fromisoformat(one["start"]), date.fromisoformat(one["end"])
        for level in LEVELS:
            key = f"{one['key']}/{level}"
            found = [e for e in plays if start <= e.day <= end and level in ("all", e.level)]
            if not found:
                assert key not in facts["totals"]
                continue
            c = oracle.Counts(found)
            totals = [c.plays, c.users, c.sessions, float(c.hours), c.paid, c.known, c.days]
            assert facts["totals"][key] == totals, key
            before = tops.get(f"{one['before']}/{level}", {})
            for kind in ("song", "artist"):
                shown = [[*facts["items"][row[0]][:3], *row[1:]] for row in facts["lists"][key][kind]]
                wanted = [
                    [
                        kind,
                        *(listening._text(text) for text in item[1:]),
                        *counts[1:],
                        before.get(item, [None])[0],
                    ]
                    for item, counts in tops[key].items()
                    if item[0] == kind
                ]
                assert shown == wanted[: len(shown)] and len(shown) == min(facts["length"], len(wanted)), key
            for kind in ("hour", "state", "device", "page"):
                shown = facts["parts"][key].get(kind, [])
                assert sorted(shown) == sorted(
                    [listening._text(name), *row] for name, *row in parts[key, kind]
                )
    last = max(e.day for e in plays)
    assert facts["days"] == [
        [
            day.isoformat(),
            *(sum(e.level == level for e in found) for level in ("free", "paid")),
            len({e.user for e in found}),
            *(len({e.user for e in found if e.level == level}) for level in ("free", "paid")),
        ]
        for day, found in sorted(oracle.group(plays, lambda e: e.day).items())
        if day > last - timedelta(days=listening.DAYS)
    ]
    newest = max(e.week for e in plays)
    first = newest - timedelta(weeks=listening.WEEKS_OF_YEAR - 1)
    growth = [[str(week), *counts] for week, _, *counts in sorted(expected["growth"]) if week >= first]
    assert facts["growth"] == growth
    recent = newest - timedelta(weeks=listening.WEEKS - 1)
    cohorts = [[str(row[0]), *row[1:4]] for row in sorted(expected["retention"]) if row[0] >= recent]
    assert facts["retention"] == cohorts
    changes: dict[date, list[int]] = defaultdict(lambda: [0, 0])
    for _, _, _, since, _, change, _ in expected["level_history"]:
        if change != "start":
            week = since.date() - timedelta(days=since.weekday())
            changes[week][change == "downgrade"] += 1
    assert facts["changes"] == [
        [str(week), *counts] for week, counts in sorted(changes.items()) if week >= first
    ]
    assert_opened(plays, facts)


def assert_opened(plays: list[oracle.Event], facts: dict[str, Any]) -> None:
    """Assert that the weeks and places of every song and artist that can be opened equal the oracle's."""
    monday = date.fromisoformat(facts["firstWeek"])
    recent = [e for e in plays if e.day >= monday]
    of: dict[tuple[str, str, str], list[oracle.Event]] = oracle.group(
        recent, lambda e: ("song", listening._text(e.song), listening._text(e.artist))
    ) | oracle.group(recent, lambda e: ("artist", "", listening._text(e.artist)))
    for *item, weeks, places, _ in facts["items"]:
        found = of.get(tuple(item), [])
        by_week = oracle.group(found, lambda e: (e.week - monday).days // 7)
        assert weeks == [
            [week, *(sum(e.level == level for e in some) for level in ("free", "paid"))]
            for week, some in sorted(by_week.items())
        ], item
        by_place = oracle.group(found, lambda e: e.location or "unknown")
        most = sorted((-len(some), place) for place, some in by_place.items())
        assert places == [[listening._text(place), -count] for count, place in most[:5]], item


@pytest.mark.slow
def test_late_changed_and_vanished_files_of_a_lake(make_world, tmp_path):
    """`make test TESTS=... DATA=folder` uses the files in that folder's log_data/ and song_data/."""
    folder = Path(os.environ.get("SPARKIFY_DATA") or tmp_path)
    if folder == tmp_path:
        sample.write(folder, sample.Spec(days=40, songs=71, scale=0.2))
    world = make_world(absent="warn")
    world.create_tables()
    files = {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.glob("*_data/**/*.json")
    }
    logs = sorted(key for key in files if key.startswith("log_data/"))
    first, last = (date.fromisoformat(Path(key).name[:10]) for key in (logs[0], logs[-1]))
    late, changed, vanished = logs[3::5], logs[1::7], logs[2::11]
    songs = sorted(files.keys() - set(logs))
    steps = [
        (set(files) - set(late) - set(songs[::2]), set(changed), []),
        (set(late) | set(changed) | set(songs[::2]), set(), vanished),
        (set(vanished), set(), []),
    ]
    for written, halved, deleted in steps:
        for key in sorted(written):
            lines = files[key].splitlines()
            world.put(key, b"\n".join(lines[::2] if key in halved else lines))
        for key in deleted:
            world.delete(key)
        world.load(str(first), str(last + timedelta(days=1)), audited=False)
        update()
        assert_right(world)
        facts = facts_of()
        assert_page(world, facts)
        plays, *_ = facts["totals"][facts["ranges"][0]["key"] + "/all"]
        print(f"{plays:,} plays in {len(facts['ranges'])} ranges: tables and page are those of the oracle")


def test_every_metric_is_what_its_definition_says_in_sql(month, facts):
    """For each range and level, the page has the number that the SQL in docs/metrics.md returns."""
    assert SHOWN.keys() == metrics.metrics().keys()
    columns = ", ".join(metrics.sql(name) for name in SHOWN)
    for one in facts["ranges"]:
        for level in LEVELS:
            (row,) = month.rows(
                f"select {columns} from {{s}}.songplays where start_time >= '{one['start']}' "
                f"and start_time < '{one['end']}'::date + 1 and ('{level}' = 'all' or level = '{level}')"
            )
            totals = facts["totals"][f"{one['key']}/{level}"]
            for (name, count), value in zip(SHOWN.items(), row, strict=True):
                assert count(totals) == pytest.approx(float(value), abs=0.006), (one["id"], level, name)


def test_the_scripts_are_those_of_the_registry():
    described = (listening.FOLDER / "vendor" / "README.md").read_text()
    for path in (path for path in listening.SCRIPTS if path.parent.name == "vendor"):
        assert f"`{path.name}`" in described and hashlib.sha256(path.read_bytes()).hexdigest() in described


def test_an_empty_star_has_a_page_that_says_so(world):
    world.create_tables()
    world.song(song())
    world.log("2018-11-01", event(datetime(2018, 11, 1), page="Home", song=None, artist=None, length=None))
    world.load("2018-11-01", "2018-11-02", audited=False)
    update()
    page = listening.render(listening.read())
    assert "The star has no plays yet" in page and "<script" not in page


# In a browser ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def page(new_world: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the page of a star with hostile names of songs, artists, places and clients."""
    world = new_world()
    first = datetime(2018, 10, 1, 12)
    for day in (*range(0, 60, 3), 60):
        at = first + timedelta(days=day)
        lines = [
            event(
                at + timedelta(minutes=n),
                user=1 + (n + day) % 7,
                session=day,
                item=n,
                song=text,
                artist=text,
                userAgent=text,
                location=text,
                level=("free", "paid")[(n + day // 9) % 2],
            )
            for n, text in enumerate(HOSTILE)
        ]
        lines.append(event(at, item=99, page="Upgrade", song=None, artist=None, length=None))
        world.log(f"{at:%Y-%m-%d}", *lines)
    world.load("2018-10-01", "2018-12-01", audited=False)
    update()
    address = listening.write()
    assert address.startswith(f"s3://{world.work}/reports/")
    body = world.s3.get_object(Bucket=world.work, Key=listening.key())["Body"].read()
    assert len(body) < 3_000_000
    path = tmp_path_factory.mktemp("listening") / "listening.html"
    path.write_bytes(body)
    return path


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the script of axe-core from the npm registry."""
    if not shutil.which("npm"):
        pytest.skip("no npm on the PATH, which fetches axe-core")
    folder = tmp_path_factory.mktemp("axe")
    command = f"npm install --silent --no-audit --no-fund --ignore-scripts --prefix {folder} {AXE}"
    done = subprocess.run(command.split(), capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"npm cannot fetch {AXE}: {done.stderr[-300:]}")
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text()


def assert_quiet(chrome: Any) -> None:
    """Assert that the page loaded nothing, the log is empty, and no text in the data became an element or script."""
    assert chrome.execute_script("return performance.getEntriesByType('resource').length") == 0
    assert chrome.get_log("browser") == []
    assert chrome.title == "What people listen to"
    assert chrome.find_elements(By.CSS_SELECTOR, "img, iframe, link, object, embed") == []
    assert len(chrome.find_elements(By.TAG_NAME, "script")) == 1 + len(listening.SCRIPTS)


@pytest.mark.parametrize(
    ("width", "scheme"), [(1280, "light"), (1280, "dark"), (375, "light"), (375, "dark")]
)
def test_every_chart_is_there_and_accessible(chrome, page, axe, width, scheme, tmp_path):
    screenshots.open_listening(chrome, page, width, scheme)
    for name in CHARTS:
        chart = chrome.find_element(By.CSS_SELECTOR, f"#{name} figure svg")
        assert chart.is_displayed() and chart.size["width"] > 200, name
        assert chart.find_elements(By.CSS_SELECTOR, "rect, path"), name
        assert chrome.find_elements(By.CSS_SELECTOR, f"#{name} table tbody tr"), name
        assert chrome.find_element(By.CSS_SELECTOR, f"#{name} .definition").text
    for name in LISTS:
        assert chrome.find_element(By.CSS_SELECTOR, f"#{name} table tbody tr").is_displayed()
    # No element is wider than the window.
    assert chrome.execute_script("return document.documentElement.scrollWidth") <= width
    screenshots.picture_of_listening(chrome, tmp_path / "page.png")
    assert (tmp_path / "page.png").stat().st_size > 50_000
    assert_quiet(chrome)
    chrome.set_script_timeout(120)
    found = chrome.execute_async_script(
        f"const done = arguments[arguments.length - 1]; {axe}; axe.run().then((found) => "
        "done(found.violations.map((one) => [one.id, one.nodes.map((node) => node.html.slice(0, 200))])))"
    )
    assert found == []


def test_range_level_and_song_are_in_the_address_and_the_keyboard_is_enough(chrome, page, tmp_path):
    folder = {"behavior": "allow", "downloadPath": str(tmp_path)}
    chrome.execute_cdp_cmd("Browser.setDownloadBehavior", folder)
    screenshots.open_listening(chrome, page)

    def plays() -> str:
        return chrome.find_element(By.CSS_SELECTOR, "#tile-plays .value").text

    def press(*keys: str) -> None:
        chrome.switch_to.active_element.send_keys(*keys)

    assert plays() == str(21 * len(HOSTILE))
    # Tab moves to the range and then to the level. The arrow keys choose a value.
    chrome.find_element(By.TAG_NAME, "body").send_keys(Keys.TAB)
    assert chrome.switch_to.active_element.get_attribute("id") == "range"
    press(Keys.ARROW_DOWN)
    chrome.find_element(By.TAG_NAME, "body").send_keys(Keys.TAB)
    Select(chrome.find_element(By.ID, "range")).select_by_value("last-7")
    assert "range=last-7" in chrome.current_url
    radio = chrome.find_element(By.CSS_SELECTOR, "#level input[value=all]")
    chrome.execute_script("arguments[0].focus()", radio)
    press(Keys.ARROW_RIGHT)
    assert "level=free" in chrome.current_url
    assert 0 < int(plays()) < 21 * len(HOSTILE)
    shown = plays()
    # The URL determines the view, and Back returns to the previous view.
    screenshots.open_listening(chrome, page, hash_="#range=last-7&level=free")
    assert plays() == shown
    screenshots.open_listening(chrome, page, hash_="#range=nonsense&level=<b>&item=9999")
    assert plays() == str(21 * len(HOSTILE))
    title = chrome.find_element(By.CSS_SELECTOR, "#top-songs td button")
    chrome.execute_script("arguments[0].focus()", title)
    press(Keys.ENTER)
    opened = chrome.find_element(By.ID, "item-name")
    assert opened == chrome.switch_to.active_element
    assert chrome.find_element(By.CSS_SELECTOR, "#item figure svg").is_displayed()
    assert chrome.find_elements(By.CSS_SELECTOR, "#item-places tbody tr")
    chrome.back()
    assert not chrome.find_elements(By.ID, "item-name")
    # The keyboard also opens the table behind a chart and saves the CSV file.
    summary = chrome.find_element(By.CSS_SELECTOR, "#places details summary")
    chrome.execute_script("arguments[0].focus()", summary)
    press(Keys.ENTER)
    assert chrome.find_element(By.CSS_SELECTOR, "#places table").is_displayed()
    save = chrome.find_element(By.CSS_SELECTOR, "#top-songs button.csv")
    chrome.execute_script("arguments[0].focus()", save)
    press(Keys.ENTER)
    for _ in range(100):
        if files := [file for file in tmp_path.glob("*.csv") if file.stat().st_size]:
            break
        time.sleep(0.1)
    assert [file.name for file in files] == ["top-songs-all-all.csv"]
    text = files[0].read_text("utf-8-sig")
    assert text.startswith("Rank,Song,Artist,Plays,Listeners,Known song\n")
    # Without the apostrophe, a spreadsheet would interpret the text as a formula.
    assert '"\'=HYPERLINK(""http://evil.example"")"' in text
    assert_quiet(chrome)


def test_a_gap_in_a_long_history(chrome, make_world, tmp_path):
    """The page shows that a range is empty or truncated, and a URL opens the same song on the next page."""
    world = make_world(reject_threshold=0.5)
    page = tmp_path / "listening.html"

    def publish(day: str, *lines: Any) -> dict[str, Any]:
        world.log(day, *lines)
        world.load("2019-01-01", "2020-03-03", audited=False)
        update()
        facts = facts_of()
        page.write_text(listening.render(facts))
        return facts

    world.create_tables()
    # The page shows only the beginning of these titles, which is the same.
    earlier, later = ("L" * 200 + end for end in "ab")
    for day in ("2019-01-01", "2019-03-04", "2020-02-04"):
        world.log(day, event(datetime.fromisoformat(day), song=later, location=""))
    first = publish("2020-03-02", event(datetime(2020, 3, 2), song=later, location=""), "{}")
    assert_page(world, first)

    def text(css: str, hash_: str) -> str:
        screenshots.open_listening(chrome, page, hash_=hash_)
        return chrome.find_element(By.CSS_SELECTOR, css).text

    assert text("#until", "").endswith("; events: 1 line rejected, 0 files refused")
    assert "only the last 400 days" in text("#activity", "#range=all")
    assert "400 days" not in text("#activity", "#range=2020-02")
    assert "-100% from 1" in text("#tile-plays", "#range=2020-W07")
    assert "no plays in the previous range" not in text("#tile-paid_share", "#range=2020-W07")
    assert "No data." in text("#activity", "#range=all&level=paid")
    assert "No data." in text("#level-changes", "#range=all")
    # A year has no tick per day, although only three of its days have plays.
    assert len(text("#activity figure svg", "#range=all").split("\n")) < 30
    screenshots.open_listening(chrome, page)
    chrome.find_element(By.CSS_SELECTOR, "#top-songs td button").click()
    shared = "#" + chrome.current_url.split("#")[1]
    publish("2020-02-05", event(datetime(2020, 2, 5), song=earlier))
    assert "unknown" in text("#item-places", shared)
    assert_quiet(chrome)


def test_it_can_be_printed(chrome, page):
    screenshots.open_listening(chrome, page, scheme="dark")
    printed = base64.b64decode(chrome.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})["data"])
    assert printed.startswith(b"%PDF") and len(printed) > 20_000
    assert_quiet(chrome)
