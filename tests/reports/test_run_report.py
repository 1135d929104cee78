"""Test that the run report is written for every outcome of a run, is correct, and is safe to open."""

from __future__ import annotations

import re
import types
from datetime import datetime, timedelta
from html.parser import HTMLParser

import botocore.exceptions
import orjson
import pytest
import sqlalchemy
from airflow.utils.session import create_session
from selenium.webdriver.common.by import By

from include.sparkify.errors import DataError, TransientError
from include.sparkify.files import chunks, lake
from include.sparkify.redshift import warehouse
from include.sparkify.redshift.reach import UnreachableError
from include.sparkify.run_plan import plan_of
from include.sparkify.tasks import run as closing
from include.sparkify.tasks import validate
from include.sparkify.watching import run_facts, run_report
from local import screenshots
from local.home import AIRFLOW
from tests.running import run
from tests.world import event, song

D1 = datetime(2018, 11, 1, 12)
HOSTILE = "<script>alert('x')</script><img src=http://evil.example/ onerror=alert(1)>"
# Elements that could run or fetch something.
ACTIVE = {"script", "img", "iframe", "link", "object", "embed", "form", "video", "audio", "source", "base"}


class Page(HTMLParser):
    """The elements of a page and its visible text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.html = text
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words += data

    def tags(self, *names):
        return [attributes for tag, attributes in self.elements if tag in names]


def newest(world):
    """Return the newest report of a world, which must be harmless: its facts and its page."""
    listed = world.s3.list_objects_v2(Bucket=world.work, Prefix="reports/")["Contents"]
    folder = max(listed, key=lambda item: item["LastModified"])["Key"].rpartition("/")[0]

    def read(name):
        return world.s3.get_object(Bucket=world.work, Key=f"{folder}/{name}")["Body"].read()

    page = Page(read("report.html").decode())
    assert not {tag for tag, _ in page.elements} & ACTIVE
    for tag, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on")], tag
        for name in ("src", "href", "xlink:href", "action"):
            # Only a link from a failure to Airflow's log is allowed.
            target = attributes.get(name)
            assert target is None or (tag == "a" and re.match("https?://localhost", target)), target
    assert "default-src 'none'" in page.html
    return orjson.loads(read("report.json")), page


@pytest.fixture
def run_day(sparkify, world):
    """Return a function that runs the DAG for November 1, and returns the outcome and the report.

    The outcome has the state of the run, the verdict of the report, and the states of the named tasks.
    """

    def run_day(*tasks, **params):
        state, states = run(sparkify, **{"start": "2018-11-01", "end": "2018-11-02"} | params)
        facts, page = newest(world)
        return (state, facts["verdict"], *(states[task] for task in tasks)), facts, page

    return run_day


def test_a_run_that_published(run_day, world):
    world.song(song(title=HOSTILE))
    world.log(
        "2018-11-01",
        *(event(D1, user=n, song=HOSTILE, artist="Artist") for n in range(1, 300)),
        event(D1, user=1, level=HOSTILE),
        f'{{"artist": "{HOSTILE}", broken',
    )
    outcome, facts, page = run_day("close_run")

    assert outcome == ("success", "published", "success")
    assert facts["run"]["interval_start"] == "2018-11-01T00:00:00"
    events = facts["input"]["kinds"][0]
    assert (events["files"], events["lines"], events["accepted"], events["rejected"]) == (1, 301, 299, 2)
    samples = [(sample["line_number"], sample["column"]) for sample in facts["rejected"]["samples"]]
    assert samples == [(301, ""), (300, "level")]
    changed = {tuple(table.values()) for table in facts["changed"]}
    assert {("songplays", 299, 0, 299, 0), ("time", 1, 0, 1, 0)} <= changed
    statuses = {f"{check['table']}.{check['check']}": check["status"] for check in facts["checks"]}
    assert statuses["staging_files.no_line_is_rejected"] == "warn"
    assert statuses["songplays.one_row_per_play"] == "pass"
    assert "not run" not in statuses.values()
    day = facts["days"][-1]
    assert (day["day"], day["own"]) == ("2018-11-01", True)
    assert day["plays"] == day["free"] == day["matched"] == day["hours"][12] == 299
    phases = {phase["phase"]: phase for phase in facts["phases"]}
    # audit_staging and the build run in parallel.
    ended = list(phases)
    assert ended[-1] == "publish" and ended.index("stage") < ended.index("audit_star")
    starts = [phase["start"] for phase in phases.values()]
    assert starts == (sorted(starts) if AIRFLOW == 2 else [None] * len(starts))
    assert all(phase["seconds"] >= 0 for phase in phases.values())
    assert phases["publish"]["state"] == "success" and phases["stage"]["tasks"] == 3
    assert facts["failures"] == facts["gaps"] == []

    assert re.search(r"1 Nov 2018\s*299\s*100\.0%", page.words)
    # The page shows a rejected line unchanged and as text.
    assert HOSTILE in page.words and "299 plays published" in page.words
    assert "no_line_is_rejected" in page.words


def test_a_run_whose_files_were_all_refused(run_day, world):
    world.log("2018-11-01", event(D1), "no json", HOSTILE)
    outcome, facts, page = run_day("open_run", "close_run")

    assert outcome == ("failed", "failed", "failed", "success")
    assert [failure["task"] for failure in facts["failures"]] == ["open_run"]
    assert "2 of 3 lines were rejected" in facts["failures"][0]["message"]
    assert len(facts["rejected"]["samples"]) == 2
    (refused,) = facts["refused_files"]
    assert (refused["lines"], refused["rejected"]) == (3, 2)
    assert "Refused files" in page.words
    assert {check["status"] for check in facts["checks"]} == {"not run"}
    assert facts["days"][-1]["plays"] == 0
    assert "Nothing was published" in page.words and "2 of 3 lines were rejected" in page.words
    assert HOSTILE in page.words


@pytest.mark.finding("M6")
def test_a_run_with_a_misspelled_parameter_fails_and_names_it(run_day, world):
    """Airflow merges the conf of a triggered run into its params."""
    world.log("2018-11-01", event(D1))
    given = {"openlineage": {"parentRunId": "1"}}
    outcome, facts, _ = run_day("plan", "publish", **given, Mode="reload", **{"from": "2018-11-01"})

    assert outcome == ("failed", "failed", "failed", "upstream_failed")
    (failure,) = facts["failures"]
    known = "unknown parameters: Mode, from. Known parameters: confirm_deletes, end, mode, start. "
    assert known in failure["message"]
    assert run_day(**given)[0] == ("success", "published")


def test_a_run_that_left_a_file_out(run_day, world):
    """The report is written in parallel with check_complete, which fails because of the refused file."""
    world.log("2018-11-01", event(D1))
    world.log("2018-11-01", "no json", HOSTILE, name="broken")
    outcome, facts, page = run_day("check_complete", "close_run")

    assert outcome == ("failed", "published", "failed", "success")
    (failure,) = facts["failures"]
    assert failure["task"] == "check_complete"
    assert "all other files are loaded, but 1 file is refused" in failure["message"]
    assert "broken" in failure["message"] and "check_complete" in page.words


@pytest.mark.finding("G2", "R2")
@pytest.mark.parametrize("broken", [["1"], ["0", "1"], ["0"]], ids=" and ".join)
def test_a_run_in_which_a_mapped_task_failed(run_day, world, monkeypatch, broken):
    validate_chunk = validate.validate_chunk

    def fail(run_id, chunk):
        number = chunk.removesuffix(".json")[-1]
        if number in broken:
            raise DataError(f"chunk {number} cannot be read")
        return validate_chunk(run_id, chunk)

    monkeypatch.setattr(validate, "validate_chunk", fail)
    monkeypatch.setattr(chunks, "CHUNK_FILES", 1)
    world.log("2018-11-01", event(D1))
    world.log("2018-11-01", event(D1, user=2), name="more")
    outcome, facts, page = run_day("publish", "close_run")

    assert outcome == ("failed", "failed", "upstream_failed", "success")
    assert {failure["task"]: failure["message"] for failure in facts["failures"]} == {
        f"validate [{number}]": f"chunk {number} cannot be read" for number in broken
    }
    assert f"chunk {broken[0]} cannot be read" in page.words


@pytest.mark.finding("G10")
def test_a_run_that_has_a_task_of_an_earlier_version(run_day, sparkify, world, monkeypatch):
    def deploy(context, result=None):
        where = "where task_id = 'create_tables' and run_id = :id"
        with create_session() as session:
            for statement in (
                f"delete from rendered_task_instance_fields {where}",
                f"update task_instance set task_id = 'of_before' {where}",
            ):
                session.execute(sqlalchemy.text(statement), {"id": context["run_id"]})

    monkeypatch.setattr(sparkify.get_task("build.songplays"), "post_execute", deploy)
    world.log("2018-11-01", event(D1))
    outcome, _, _ = run_day("of_before", "close_run")

    assert outcome == ("success", "published", "removed", "success")


def test_a_run_whose_audit_failed(run_day, sparkify, world, monkeypatch):
    def spoil(context, result=None):
        of_user = f"from {plan_of(context)['run_schema']}.songplays where user_id = 2"
        warehouse.transaction(lambda cursor: cursor.execute(f"delete {of_user}"), "spoil")

    world.log("2018-11-01", event(D1), event(D1, user=2, session=2))
    monkeypatch.setattr(sparkify.get_task("build.songplays"), "post_execute", spoil)
    outcome, facts, page = run_day("publish", "close_run")

    assert outcome == ("failed", "failed", "upstream_failed", "success")
    assert "songplays.every_play_is_there" in facts["failures"][0]["message"]
    (broken,) = (check for check in facts["checks"] if check["status"] == "fail")
    assert (broken["check"], broken["actual"]) == ("every_play_is_there", "1 failing row")
    assert '"user_id":2' in broken["sample"]
    assert ("publish", "upstream_failed") in {(phase["phase"], phase["state"]) for phase in facts["phases"]}
    assert "every_play_is_there" in page.words


def test_a_run_with_nothing_new(run_day, world):
    world.log("2018-11-01", event(D1))
    world.create_tables()
    world.load("2018-11-01", "2018-11-02", audited=False)
    outcome, facts, page = run_day("publish", "close_run")

    assert outcome == ("success", "nothing_new", "skipped", "success")
    assert facts["input"] is None
    assert facts["days"][-1]["plays"] == 1
    assert "the current version of every file is loaded" in page.words


@pytest.mark.finding("R3")
def test_a_run_whose_log_file_never_came_says_so(run_day, world):
    world.song(song())
    outcome, facts, page = run_day("publish", start="2018-11-05", end="2018-11-06")

    assert outcome == ("success", "nothing_new", "skipped")
    assert facts["skipped"].startswith("no file of events for 1 day(s)") and facts["skipped"] in page.words
    assert "current version of every file" not in page.words and "2018-11-05" in facts["skipped"]


def context_of(world, **states):
    """Return the context of the task `close_run` in a run whose tasks have these states."""
    context = world.context("2018-11-01", "2018-11-02")
    context["pushed"] |= {(name, "failure"): HOSTILE for name in states}
    return world.closing(context, **states)


@pytest.mark.parametrize(("kind", "asked"), [(TransientError, 5), (UnreachableError, 1)])
def test_it_is_written_while_the_warehouse_is_away(world, monkeypatch, kind, asked):
    """The report does not query an unreachable warehouse again for each part, because each query would wait."""
    calls = []

    def away(*_):
        calls.append(1)
        raise kind("could not query the warehouse: no route")

    context = context_of(world, create_tables="failed", plan="upstream_failed", publish="upstream_failed")
    monkeypatch.setattr(warehouse, "query", away)
    assert run_report.write(context).startswith(f"s3://{world.work}/reports/")
    facts, page = newest(world)
    assert facts["verdict"] == "failed"
    parts = {gap.split(":")[0] for gap in facts["gaps"]}
    assert parts == {"rejected lines", "changes", "refused files", "checks", "the star"}
    assert "no route" in page.words and HOSTILE in page.words
    assert len(calls) == asked


def test_a_run_without_a_manifest_lacks_no_permission(world, monkeypatch):
    """A GET of a missing key returns 403 if the role may list only some prefixes."""

    def get_object(**given):
        raise botocore.exceptions.ClientError({"Error": {"Code": "AccessDenied"}}, "GetObject")

    s3 = types.SimpleNamespace(get_object=get_object, get_paginator=world.s3.get_paginator)
    monkeypatch.setattr(lake, "client", lambda: s3)
    facts = run_facts.gather(context_of(world, create_tables="failed"))
    assert facts["input"] is None
    assert not [gap for gap in facts["gaps"] if gap.startswith("input")]


def test_a_long_interval_shows_its_latest_days(world):
    world.log("2018-11-01", event(D1), event(D1, user=2))
    world.create_tables()
    world.load("2018-11-01", "2018-11-02", audited=False)
    context = context_of(world, plan="success", publish="success")
    context["params"] |= {"start": "2018-10-01", "end": "2026-10-01"}
    days = run_facts.gather(context)["days"]
    assert days[-1]["day"] == "2018-11-01" and days[-1]["plays"] == 2
    assert len(days) <= run_facts.DAYS_SHOWN + 7 * run_facts.WEEKS_BEFORE


def test_the_usual_volume_is_the_mean_of_the_same_weekday(world):
    for day, plays in {"2018-11-01": 10, "2018-11-08": 20, "2018-11-14": 99, "2018-11-15": 60}.items():
        moment = datetime.fromisoformat(day)
        world.log(day, *(event(moment, user=user) for user in range(1, plays + 1)))
    world.create_tables()
    world.load("2018-11-01", "2018-11-16", audited=False)
    context = context_of(world, plan="success", publish="success")
    context["params"] |= {"start": "2018-11-15", "end": "2018-11-16"}
    facts = run_facts.gather(context)
    assert [(day["day"], day["plays"], day["usual"]) for day in facts["days"] if day["own"]] == [
        ("2018-11-15", 60, 15.0)
    ]
    assert facts["days"][0]["day"] == "2018-11-01", "days before the first play are left out"
    page = Page(run_report.render(facts))
    assert re.search(r"15 Nov 2018\s*60\s*15\s*0\.0%", page.words)
    bars = [attributes["style"] for attributes in page.tags("i") if attributes.get("class") == "band"]
    assert bars == ["left: 7.58%; width: 22.73%"], "half to double of 15, of 99 plays"


@pytest.mark.parametrize(("module", "function"), [(closing, "close_run"), (run_report, "write")])
def test_a_run_that_cannot_be_closed_or_reported_is_as_it_was(sparkify, world, monkeypatch, module, function):
    def fail(*_):
        raise TransientError("no route")

    monkeypatch.setattr(module, function, fail)
    monkeypatch.setattr(sparkify.get_task("close_run"), "retry_delay", timedelta(0))
    world.log("2018-11-01", event(D1))
    state, tasks = run(sparkify, start="2018-11-01", end="2018-11-02")
    assert (state, tasks["publish"], tasks["close_run"]) == ("success", "success", "failed")
    assert module is run_report or newest(world)[0]["verdict"] == "published"


def test_a_person_sees_days_and_rejected_lines(chrome, run_day, world, tmp_path):
    hostile = "<script>document.title = 'taken over'</script>"
    world.log("2018-11-01", *(event(D1, user=user) for user in range(1, 300)), hostile)
    _, _, page = run_day()
    path = tmp_path / "report.html"
    path.write_text(page.html)

    chrome.get(path.as_uri())
    assert chrome.title.startswith("Published: manual__")
    bar = chrome.find_element(By.CSS_SELECTOR, ".days .bar")
    assert bar.size["width"] > 200
    free, paid = (bar.find_element(By.CLASS_NAME, level).size["width"] for level in ("free", "paid"))
    assert free + paid == pytest.approx(bar.size["width"], abs=1)
    hours = chrome.find_elements(By.CSS_SELECTOR, ".days .hours i")
    assert [hours.index(hour) for hour in hours if float(hour.value_of_css_property("opacity"))] == [12]
    refused = chrome.find_element(By.CSS_SELECTOR, "table.rejects")
    assert refused.is_displayed()
    assert hostile in refused.text and "2018-11-01-events.json" in refused.text
    # The page loaded no resources, and the browser's log is empty.
    assert chrome.execute_script("return performance.getEntriesByType('resource').length") == 0
    assert chrome.get_log("browser") == []
    screenshots.picture_of_report(chrome, path, tmp_path / "report.png")
    assert (tmp_path / "report.png").stat().st_size > 50_000
