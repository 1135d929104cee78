"""Test that every check can pass and fail, and that a failed audit leaves the published tables unchanged."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta

import pytest

from include.sparkify import tables
from include.sparkify.errors import DataError
from include.sparkify.tasks import checks
from tests.faults.spoilers import SPOILERS, column_spoiler
from tests.world import CHECK_TASKS, event

D1 = datetime(2018, 11, 1, 12)
# The intended checks. It is a mistake if one is missing or has another severity.
COLUMNS_THAT_FAIL = {
    "time": "start_time.unique_check hour.min hour.max weekday.min weekday.max",
}
ROWS_THAT_WARN = {
    "staging_files": "files_have_lines no_line_is_rejected no_value_is_cut no_field_is_unknown",
    "staging_events": "events_are_of_their_files_day",
    "staging_songs": "songs_have_one_file",
    "songplays": "session_item_is_unique plays_are_delivered_once volume_is_as_usual match_rate_is_as_usual "
    "days_have_plays",
    "users": "names_are_given",
    "songs": "year_is_sane",
    "artists": "coordinates_come_in_pairs",
}
COLUMN_CHECKS = [check for table in checks.CHECKED for check in checks.column_checks(table)]
ROW_CHECKS = {
    (check.table, check.name): check for table in checks.CHECKED for check in checks.row_checks(table)
}


def test_a_sound_run_passes_every_check(sound):
    sound.audit()

    kept = checks.passed_checks(sound.context, CHECK_TASKS)
    assert kept == {(check.table, check.name) for check in checks.required()}
    assert not any(
        sound.failing(table, severity) for table in checks.CHECKED for severity in ("fail", "warn")
    )
    assert not any(result.failing for result in sound.warnings())


def test_every_check_of_rows_has_a_spoiler():
    assert set(SPOILERS) == set(ROW_CHECKS)


@pytest.mark.parametrize("table", checks.CHECKED)
def test_the_checks_are_those_that_were_decided(table):
    fail = {check.name for check in checks.column_checks(table) if check.severity == "fail"}
    warn = {check.name for check in checks.row_checks(table) if check.severity == "warn"}

    assert fail == set(COLUMNS_THAT_FAIL.get(table, "").split())
    assert warn == set(ROWS_THAT_WARN.get(table, "").split())


@pytest.mark.parametrize(
    ("check", "spoilers"),
    [(check, column_spoiler(check)) for check in COLUMN_CHECKS]
    + [(ROW_CHECKS[name], spoilers) for name, lists in SPOILERS.items() for spoilers in lists],
    ids=lambda value: f"{value.table}.{value.name}" if isinstance(value, checks.Check) else "",
)
def test_a_check_fails_where_it_should_and_says_which_rows(sound, check, spoilers):
    sound.spoil(spoilers)

    # `publish` runs the check like this under the lock.
    failing = sound.failing(check.table, check.severity)
    assert list(failing) == [check.name]
    sample = failing[check.name].sample
    assert sample and all(json.loads(line) for line in sample.splitlines())
    # Its task, or `publish`, runs it like this before.
    if check.severity == "warn":
        sound.audit_table(check.table)
        assert failing[check.name] in sound.warnings()
        return
    with pytest.raises(
        DataError,
        match=rf"(?s)the star is unchanged.*{check.table}\.{re.escape(check.name)} \(fail\)",
    ):
        sound.audit_table(check.table)
    recorded = sound.recorded()
    assert {
        name for (table, name), result in recorded.items() if table == check.table and not result.passed
    } == {check.name}
    result = recorded[check.table, check.name]
    assert (result.severity, result.sample) == ("fail", sample)
    count = failing[check.name].failing
    assert result.actual == f"{count} failing row{'' if count == 1 else 's'}"


@pytest.mark.parametrize("table", checks.CHECKED)
def test_a_failed_audit_leaves_the_published_tables_as_they_were_and_publish_refuses(sound, table):
    check = next(check for check in checks.all_checks([table]) if check.severity == "fail")
    spoiled = SPOILERS.get((table, check.name))
    sound.spoil(spoiled[0] if spoiled else column_spoiler(check))

    with pytest.raises(DataError, match="the star is unchanged"):
        sound.audit()
    with pytest.raises(
        DataError, match=r"(?s)not passed in this run.*nothing was published.*clear the task `plan`"
    ):
        sound.world.publish(sound.context)

    assert sound.world.state() == sound.published


@pytest.mark.parametrize("table", tables.STAR)
def test_an_empty_candidate_fails(sound, table):
    """The stock operators would pass it, because every check of a column holds for a table without rows."""
    sound.spoil([f"delete from {{run}}.{table}"])

    with pytest.raises(DataError, match="failing row"):
        sound.audit()

    assert sound.world.state() == sound.published


def test_lines_at_the_bounds_of_their_day_pass_every_check(fresh):
    world, midnight = fresh(), datetime(2018, 11, 1)
    moments = [midnight, midnight + timedelta(days=1, milliseconds=-1)]
    world.log("2018-11-01", *(event(moment, item=item) for item, moment in enumerate(moments)))

    world.load("2018-11-01")

    assert world.items() == [0, 1]
    assert world.warnings() == {}


def test_a_file_that_left_the_lake_is_not_taken_for_an_empty_one(fresh):
    """A day loses one of its files, and another day its only file."""
    world = fresh()
    kept = world.log("2018-11-01", event(D1))
    gone = [
        world.log("2018-11-01", event(D1, item=1), name="gone"),
        world.log("2018-11-02", event(D1 + timedelta(days=1), item=2)),
    ]
    world.load("2018-11-01", "2018-11-03", audited=False)
    for key in gone:
        world.delete(key)

    world.load(mode="full_refresh")

    assert world.items() == [0]
    assert set(world.ledger()) == {kept}
    assert world.count("events") == 1
    assert world.warnings() == {}
