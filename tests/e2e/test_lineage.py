"""Test the lineage that a collector receives: the events of two runs, with a file as transport."""

from __future__ import annotations

import importlib
import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local import cli, sample
from local.home import Home
from tests.e2e.test_cli import set_free_ports


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[list[Any], list[Any], list[str]]]:
    """Yield the events of a run of two days, those of a run of a third day, and the names of people in the files."""
    folder, home = tmp_path_factory.mktemp("data"), Home(tmp_path_factory.mktemp("local"))
    sample.write(folder, sample.Spec(days=3, scale=0.1))
    later = folder / "log_data/2018/11/2018-11-03-events.json"
    lines = [line for path in folder.glob("log_data/**/*.json") for line in path.read_text().splitlines()]
    people = {json.loads(line)[name] for line in lines for name in ("firstName", "lastName")} - {None, ""}
    later.rename(folder / "later")
    found = []
    with pytest.MonkeyPatch.context() as patch:
        set_free_ports(patch)
        for number in range(2):
            log, config = home.path / f"events{number}", home.path / f"openlineage{number}.yml"
            config.write_text(f"transport: {{type: file, log_file_path: {log}, append: true}}")
            patch.setenv("OPENLINEAGE_CONFIG", str(config))
            assert cli.main(["run", str(folder)], home) == 0
            found.append([json.loads(line) for line in log.read_text().splitlines()])
            if number == 0:
                (folder / "later").rename(later)
        yield found[0], found[1], sorted(people)
        assert cli.main(["down"], home) == 0


def datasets(events: list[Any]) -> set[tuple[str, str]]:
    return {(item["namespace"], item["name"]) for event in events for item in io(event)}


def io(event: Any) -> list[Any]:
    return event.get("inputs", []) + event.get("outputs", [])


def origins(events: list[Any]) -> dict[tuple[str, str], set[tuple[str, str]]]:
    """Return, for each (dataset, column), its input datasets and columns."""
    found: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for event in events:
        for item in event.get("outputs", []):
            for column, of in item["facets"].get("columnLineage", {}).get("fields", {}).items():
                found.setdefault((item["name"], column), set()).update(
                    (field["name"], field["field"]) for field in of["inputFields"]
                )
    return found


def all_origins(events: list[Any], column: tuple[str, str]) -> set[tuple[str, str]]:
    known, found, waiting = origins(events), set(), [column]
    while waiting:
        for one in known.get(waiting.pop(), set()) - found:
            found.add(one)
            waiting.append(one)
    return found


@pytest.mark.slow
def test_the_path_from_the_log_file_to_a_column_of_a_report(runs) -> None:
    found = all_origins(runs[0], ("dev.reports.daily", "listeners"))
    path = [
        ("dev.sparkify.songplays", "user_id"),
        ("dev.sparkify_run.songplays", "user_id"),
        ("dev.sparkify_run.staging_events", "user_id"),
        ("runs/staging_events", "user_id"),
        ("log_data", "userId"),
    ]
    assert not set(path) - found
    titles = all_origins(runs[0], ("dev.sparkify.songs", "title"))
    assert {("dev.sparkify_run.staging_songs", "title"), ("song_data", "title")} <= titles


@pytest.mark.slow
def test_every_run_has_the_same_datasets(runs) -> None:
    first, second, _ = runs
    assert datasets(first) == datasets(second)
    assert len({namespace for namespace, _ in datasets(first) if namespace.startswith("redshift:")}) == 1
    assert not [name for _, name in datasets(first) if re.search(r"_run_|\d{4}|tmp|temp", name)]


@pytest.mark.slow
def test_every_task_begins_and_ends_once(runs) -> None:
    for events in runs[:2]:
        jobs: dict[tuple[str, str], list[str]] = {}
        for event in events:
            jobs.setdefault((event["job"]["name"], event["run"]["runId"]), []).append(event["eventType"])
        # `airflow dags test` emits an event for the end of a run, but not for its start.
        odd = {job for job, kinds in jobs.items() if "." in job[0] and sorted(kinds) != ["COMPLETE", "START"]}
        assert not odd
        names = {name for name, _ in jobs}
        assert {"sparkify", "sparkify.validate", "sparkify.publish", "reports.publish"} <= names
        assert not [name for name in names if ".query." in name]


@pytest.mark.slow
def test_checks_have_their_severity(runs) -> None:
    found = {
        (item["name"], one["assertion"]): one
        for event in runs[0]
        for item in event["inputs"]
        for one in item.get("inputFacets", {}).get("dataQualityAssertions", {}).get("assertions", [])
    }
    assert {one["severity"] for one in found.values()} == {"error", "warn"}
    assert all(one["success"] for one in found.values() if one["severity"] == "error")
    assert ("dev.sparkify_run.songplays", "one_row_per_play") in found
    from include.sparkify.tasks import checks

    assert len(found) == len(checks.all_checks())


@pytest.mark.slow
def test_nothing_secret_no_sql_and_no_persons_name(runs) -> None:
    first, second, people = runs
    assert len(people) > 3
    text = "\n".join(json.dumps(event) for event in first + second)
    words = set(re.findall(r"[\w.@-]+", text))
    # A first name that is also a common word would be found in a description.
    assert not {name for name in people if name in words and not name.islower()}
    for secret in ("sparkify-local", "arn:aws:iam", "insert into", "create table", "def "):
        assert secret not in text
    assert not [event for event in first + second if {"sql", "sourceCode"} & set(event["job"]["facets"])]


@pytest.mark.slow
def test_events_keep_the_schemas_of_openlineage(runs) -> None:
    known = classes()
    for event in runs[0] + runs[1]:
        facets = [*event["run"]["facets"].values(), *event["job"]["facets"].values()]
        facets += [facet for item in io(event) for facet in item.get("facets", {}).values()]
        facets += [facet for item in io(event) for facet in item.get("inputFacets", {}).values()]
        for facet in facets:
            if "openlineage.io/spec/facets" in facet["_schemaURL"]:
                kind = known[facet["_schemaURL"].rpartition("/")[2]]
                kind(**{name: value for name, value in facet.items() if not name.startswith("_")})


def classes() -> dict[str, Any]:
    """Return the facet classes of OpenLineage's client. They come from the schemas and accept no other fields."""
    folder = Path(inspect.getfile(importlib.import_module("openlineage.client.generated"))).parent
    modules = [
        importlib.import_module(f"openlineage.client.generated.{path.stem}") for path in folder.glob("*.py")
    ]
    return {name: kind for module in modules for name, kind in inspect.getmembers(module, inspect.isclass)}
