"""Test that the run report is written for every outcome of a run, is correct, and is safe to open."""

from __future__ import annotations

import re
import types
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import botocore.exceptions
import orjson
import pytest
import sqlalchemy
from airflow.utils.session import create_session

from include.sparkify.errors import DataError, TransientError
from include.sparkify.files import chunks, lake
from include.sparkify.redshift import warehouse
from include.sparkify.redshift.reach import UnreachableError
from include.sparkify.run_plan import plan_of
from include.sparkify.tasks import run as closing
from include.sparkify.tasks import validate
from include.sparkify.watching import run_facts, run_report
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
    """Return the newest report of a world: its facts, its parsed page, and the page's HTML."""
    listed = world.s3.list_objects_v2(Bucket=world.work, Prefix="reports/")["Contents"]
    folder = max(listed, key=lambda item: item["LastModified"])["Key"].rpartition("/")[0]

    def read(name):
        return world.s3.get_object(Bucket=world.work, Key=f"{folder}/{name}")["Body"].read()

    html = read("report.html").decode()
    return orjson.loads(read("report.json")), Page(html), html


def assert_harmless(page: Page, html: str) -> None:
    assert not {tag for tag, _ in page.elements} & ACTIVE
    for tag, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on")], tag
        for name in ("src", "href", "xlink:href", "action"):
            # Only a link from a failure to Airflow's log is allowed.
            target = attributes.get(name)
            assert target is None or (tag == "a" and re.match("https?://localhost", target)), target
    assert "default-src 'none'" in html


def test_a_run_that_published(sparkify, world):
    world.song(song(title=HOSTILE))
    world.log(
        "2018-11-01",
        *(event(D1, user=n, song=HOSTILE, artist="Artist") for n in range(1, 300)),
        event(D1, user=1, level=HOSTILE),
        f'{{"artist": "{HOSTILE}", broken',
    )
    state, tasks = run(sparkify, start="2018-11-01", end="2018-11-02")
    facts, page, html = newest(world)

    assert (state, tasks["close_run"], facts["verdict"]) == ("success", "success", "published")
    assert facts["run"]["interval_start"] == "2018-11-01T00:00:00"
    events = facts["input"]["kinds"][0]
    assert (events["files"], events["lines"], events["accepted"], events["rejected"]) == (1, 301, 299, 2)
    assert [(s["line_number"], s["column"]) for s in facts["rejected"]["samples"]] == [
        (301, ""),
        (300, "level"),
    ]
    changed = {table["table"]: table for table in facts["changed"]}
    assert changed["songplays"] == {
        "table": "songplays",
        "rows": 299,
        "deleted": 0,
        "inserted": 299,
        "updated": 0,
    }
    assert changed["time"]["rows"] == 1
    statuses = {f"{check['table']}.{check['check']}": check["status"] for check in facts["checks"]}
    assert statuses["staging_files.no_line_is_rejected"] == "warn"
    assert statuses["songplays.one_row_per_play"] == "pass"
    assert "not run" not in statuses.values()
    day = facts["days"][-1]
    assert (day["day"], day["own"], day["plays"], day["free"], day["matched"]) == (
        "2018-11-01",
        True,
        299,
        299,
        299,
    )
    assert day["hours"][12] == 299
    phases = {phase["phase"]: phase for phase in facts["phases"]}
    # audit_staging and the build run in parallel.
    ended = list(phases)
    assert ended[-1] == "publish" and ended.index("stage") < ended.index("audit_star")
    starts = [phase["start"] for phase in phases.values()]
    assert starts == (sorted(starts) if AIRFLOW == 2 else [None] * len(starts))
    assert all(phase["seconds"] >= 0 for phase in phases.values())
    assert phases["publish"]["state"] == "success" and phases["stage"]["tasks"] == 3
    assert facts["failures"] == facts["gaps"] == []

    assert_harmless(page, html)
    assert re.search(r"1 Nov 2018\s*299\s*100\.0%", page.words)
    # The page shows a rejected line unchanged and as text.
    assert HOSTILE in page.words and "299 plays published" in page.words
    assert "no_line_is_rejected" in page.words


def test_a_run_whose_files_were_all_refused(sparkify, world):
    world.log("2018-11-01", event(D1), "no json", HOSTILE)
    state, tasks = run(sparkify, start="2018-11-01", end="2018-11-02")
    facts, page, html = newest(world)

    assert (state, tasks["open_run"], tasks["close_run"]) == ("failed", "failed", "success")
    assert facts["verdict"] == "failed"
    assert [failure["task"] for failure in facts["failures"]] == ["open_run"]
    assert "2 of 3 lines were rejected" in facts["failures"][0]["message"]
    assert len(facts["rejected"]["samples"]) == 2
    (refused,) = facts["refused_files"]
    assert (refused["lines"], refused["rejected"]) == (3, 2)
    assert "Refused files" in page.words
    assert {check["status"] for check in facts["checks"]} == {"not run"}
    assert facts["days"][-1]["plays"] == 0
    assert_harmless(page, html)
    assert "Nothing was published" in page.words and "2 of 3 lines were rejected" in page.words
    assert HOSTILE in page.words


@pytest.mark.finding("M6")
def test_a_run_with_a_misspelled_parameter_fails_and_names_it(sparkify, world):
    """Airflow merges the conf of a triggered run into its params."""
    world.log("2018-11-01", event(D1))
    given = {"start": "2018-11-01", "end": "2018-11-02", "openlineage": {"parentRunId": "1"}}
    state, tasks = run(sparkify, **given, Mode="reload", **{"from": "2018-11-01"})

    assert (state, tasks["plan"], tasks["publish"]) == ("failed", "failed", "upstream_failed")
    (failure,) = newest(world)[0]["failures"]
    assert (
        "unknown parameters: Mode, from. Known parameters: confirm_deletes, end, mode, start. "
        in failure["message"]
    )
    assert run(sparkify, **given)[0] == "success"


def test_a_run_that_left_a_file_out(sparkify, world):
    """The report is written in parallel with check_complete, which fails because of the refused file."""
    world.log("2018-11-01", event(D1))
    world.log("2018-11-01", "no json", HOSTILE, name="broken")
    state, tasks = run(sparkify, start="2018-11-01", end="2018-11-02")
    facts, page, html = newest(world)

    assert (state, tasks["check_complete"], tasks["close_run"]) == ("failed", "failed", "success")
    assert facts["verdict"] == "published"
    (failure,) = facts["failures"]
    assert failure["task"] == "check_complete"
    assert "all other files are loaded, but 1 file is refused" in failure["message"]
    assert "broken" in failure["message"] and "check_complete" in page.words
    assert_harmless(page, html)


@pytest.mark.finding("G2")
@pytest.mark.parametrize("broken", [["1"], ["0", "1"], ["0"]], ids=" and ".join)
def test_a_run_in_which_a_mapped_task_failed(sparkify, world, monkeypatch, broken):
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
    state, tasks = run(sparkify, start="2018-11-01", end="2018-11-02")

    assert (state, tasks["publish"], tasks["close_run"]) == ("failed", "upstream_failed", "success")
    facts, page, _ = newest(world)
    assert facts["verdict"] == "failed"
    assert {failure["task"]: failure["message"] for failure in facts["failures"]} == {
        f"validate [{number}]": f"chunk {number} cannot be read" for number in broken
    }
    assert f"chunk {broken[0]} cannot be read" in page.words


@pytest.mark.finding("G10")
def test_a_run_that_has_a_task_of_an_earlier_version(sparkify, world, monkeypatch):
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
    state, tasks = run(sparkify, start="2018-11-01", end="2018-11-02")

    assert (state, tasks["of_before"], tasks["close_run"]) == ("success", "removed", "success")
    assert newest(world)[0]["verdict"] == "published"


def test_a_run_whose_audit_failed(sparkify, world, monkeypatch):
    world.log("2018-11-01", event(D1), event(D1, user=2, session=2))
    spoiled = sparkify.get_task("build.songplays")
    monkeypatch.setattr(spoiled, "post_execute", spoil)
    state, tasks = run(sparkify, start="2018-11-01", end="2018-11-02")
    facts, page, _ = newest(world)

    assert (state, tasks["publish"], tasks["close_run"]) == ("failed", "upstream_failed", "success")
    assert facts["verdict"] == "failed"
    assert "songplays.every_play_is_there" in facts["failures"][0]["message"]
    (broken,) = (check for check in facts["checks"] if check["status"] == "fail")
    assert (broken["check"], broken["actual"]) == ("every_play_is_there", "1 failing row")
    assert '"user_id":2' in broken["sample"]
    assert (
        next(phase for phase in facts["phases"] if phase["phase"] == "publish")["state"] == "upstream_failed"
    )
    assert "every_play_is_there" in page.words


def spoil(context, result=None):
    warehouse.transaction(
        lambda cursor: cursor.execute(
            f"delete from {plan_of(context)['run_schema']}.songplays where user_id = 2"
        ),
        "spoil",
    )


def test_a_run_with_nothing_new(sparkify, world):
    world.log("2018-11-01", event(D1))
    world.create_tables()
    world.load("2018-11-01", "2018-11-02", audited=False)
    state, tasks = run(sparkify, start="2018-11-01", end="2018-11-02")
    facts, page, _ = newest(world)

    assert (state, tasks["publish"], tasks["close_run"]) == ("success", "skipped", "success")
    assert (facts["verdict"], facts["input"]) == ("nothing_new", None)
    assert facts["days"][-1]["plays"] == 1
    assert "the current version of every file is loaded" in page.words


@pytest.mark.finding("R3")
def test_a_run_whose_log_file_never_came_says_so(sparkify, world):
    world.song(song())
    state, tasks = run(sparkify, start="2018-11-05", end="2018-11-06")
    facts, page, _ = newest(world)

    assert (state, tasks["publish"], facts["verdict"]) == ("success", "skipped", "nothing_new")
    assert facts["skipped"].startswith("no file of events for 1 day(s)") and facts["skipped"] in page.words
    assert "current version of every file" not in page.words and "2018-11-05" in facts["skipped"]


def test_a_report_that_cannot_be_written_leaves_the_run_as_it_is(sparkify, world, monkeypatch):
    def fail(context):
        raise DataError("no pen")

    monkeypatch.setattr(run_report, "write", fail)
    world.log("2018-11-01", event(D1))
    state, tasks = run(sparkify, start="2018-11-01", end="2018-11-02")
    assert (state, tasks["publish"], tasks["close_run"]) == ("success", "success", "failed")


def context_of(world, **states):
    """Return the context of the task `close_run` in a run whose tasks have these states."""
    context = world.context("2018-11-01", "2018-11-02")
    began = datetime(2026, 1, 1, tzinfo=UTC)
    tasks = [
        types.SimpleNamespace(
            task_id=name,
            map_index=-1,
            state=state,
            start_date=began,
            end_date=began,
            try_number=1,
            log_url="http://localhost/log",
        )
        for name, state in states.items()
    ]
    context["dag_run"] = types.SimpleNamespace(start_date=began, get_task_instances=lambda: tasks)
    context["ti"] = types.SimpleNamespace(
        task_id="close_run",
        dag_id="sparkify",
        xcom_pull=lambda task_ids, key="return_value", map_indexes=-1: HOSTILE if key == "failure" else None,
    )
    return context


@pytest.mark.finding("R2")
def test_a_run_has_failed_if_one_of_several_tasks_of_validate_has(world):
    context = context_of(world, plan="success", validate="failed", open_run="upstream_failed")
    tasks = context["dag_run"].get_task_instances()
    tasks.append(types.SimpleNamespace(**vars(tasks[1]) | {"state": "success"}))
    world.create_tables()
    facts = run_facts.gather(context)
    assert (facts["verdict"], len(facts["failures"])) == ("failed", 1)


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
    facts, page, html = newest(world)
    assert facts["verdict"] == "failed"
    assert {gap.split(":")[0] for gap in facts["gaps"]} == {
        "rejected lines",
        "changes",
        "refused files",
        "checks",
        "the star",
    }
    assert_harmless(page, html)
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


def test_a_run_that_cannot_be_closed_has_its_report(sparkify, world, monkeypatch):
    def away(*_):
        raise TransientError("could not drop schema: no route")

    monkeypatch.setattr(closing, "close_run", away)
    monkeypatch.setattr(sparkify.get_task("close_run"), "retry_delay", timedelta(0))
    world.log("2018-11-01", event(D1))
    state, tasks = run(sparkify, start="2018-11-01", end="2018-11-02")
    assert (state, tasks["publish"], tasks["close_run"]) == ("success", "success", "failed")
    assert newest(world)[0]["verdict"] == "published"
