"""Test that the report tables match the oracle, for the sample month and after any changes, and their declarations."""

from __future__ import annotations

import contextlib
import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowSkipException

from include.reports import publish
from include.sparkify import settings, tables
from include.sparkify.errors import DataError
from include.sparkify.redshift import schema, warehouse
from local.warehouse import print_csv
from tests.pipeline import test_any_order
from tests.reports import oracle
from tests.reports.updating import update
from tests.running import run as run_dag
from tests.world import event

QUERIES = Path(__file__).parents[2] / "docs" / "queries"
SCHEDULES = int(os.environ.get("SPARKIFY_SCHEDULES", "4"))
# The days of the random schedules include neighbors, days that are 27 and 28 days apart, weeks and months without a
# play, and both ends of a year and of an ISO year.
DAYS = [datetime(2018, 11, 1) + timedelta(days=days) for days in (0, 1, 3, 4, 11, 38, 39, 59, 60, 61, 62, 95)]


def rows(name: str) -> list[str]:
    """Return the rows of a report table as sorted text."""
    columns = ", ".join(column.name for column in tables.reports()[name].columns)
    return sorted(map(str, map(tuple, warehouse.query(f"select {columns} from {settings.reports()}.{name}"))))


def assert_right(world: Any, story: str = "") -> None:
    expected = oracle.tables(oracle.events_of(world))
    assert expected.keys() == tables.reports().keys() - {"loads"}
    for name, wanted in expected.items():
        table = tables.reports()[name]
        key = [[column.name for column in table.columns].index(one) for one in table.key.split(", ")]
        assert len({tuple(row[place] for place in key) for row in wanted}) == len(wanted), f"key of {name}"
        assert rows(name) == sorted(map(str, wanted)), f"{name}, {story}"


def test_the_sample_month(month):
    assert_right(month)


class Schedule(test_any_order.Schedule):
    """One random history of files and loads, with occasional report updates. The same seed repeats it."""

    days = days_of_lines = DAYS

    def run(self) -> None:
        for _ in range(self.random.randint(3, 6)):
            for _ in range(self.random.randint(1, 8)):
                self.random.choice([*[self.change_log] * 3, self.change_song, self.delete])()
            mode = self.random.choice(["load", "load", "load", "full_refresh"])
            span = ("2018-10-01", "2019-03-01") if mode == "load" else ()
            # A load may skip because nothing is due, for example if files were only deleted.
            with contextlib.suppress(AirflowSkipException):
                self.world.load(*span, mode=mode, audited=False)
            self.told.append(mode)
            if self.random.random() < 0.7:
                update(remake=self.random.random() < 0.1)
                self.told.append("update")

    def line(self, day: datetime) -> dict[str, Any]:
        r = self.random
        line = super().line(day) | {
            "location": r.choice(
                ["New York-Newark, NY-NJ", "Springfield, ST", "Nowhere", "Ünited, ny", None]
            ),
            "userAgent": r.choice(['"Mozilla/5.0 (iPhone; CPU iPhone OS 7_1_2 like Mac OS X)"', "odd", None]),
        }
        if r.random() < 0.2:
            line |= {"page": r.choice(oracle.PAGES), "song": None, "artist": None, "length": None}
        return line

    def delete(self) -> None:
        """Delete a log file, but not the last one, because without log files there is no interval to load."""
        logs = [key for key in self.lake if key.startswith("log_data/")]
        if len(logs) > 1:
            key = self.random.choice(logs)
            self.world.delete(key)
            del self.lake[key]
            self.told.append(f"delete {key}")


@pytest.mark.slow
@pytest.mark.finding("W9")
def test_any_changes_end_in_the_rows_of_the_oracle(make_world: Any) -> None:
    """Files of four months with gaps arrive late, change and are deleted. Each seed starts with an empty star."""
    world = make_world(absent="warn")
    world.create_tables()
    for seed in range(SCHEDULES):
        schedule = Schedule(world, seed)
        schedule.run()
        update()
        assert_right(world, f"seed {seed}: {'; '.join(schedule.told)}")
        world.empty()


@pytest.mark.finding("R8")
def test_a_page_that_two_files_give_another_level_is_opened_once(fresh):
    world = fresh()
    at = datetime(2018, 11, 1, 12)
    opened = event(at, page="Upgrade", song=None, artist=None, length=None)
    for name, level in (("b", "paid"), ("a", "free")):
        world.log("2018-11-01", event(at, item=1), opened | {"level": level}, name=name)
    world.load("2018-11-01", "2018-11-02", audited=False)
    update(remake=True)
    assert_right(world)
    found = warehouse.query(f"select level, counted from {settings.reports()}.part_days where kind = 'page'")
    assert found == [("free", 1)]


@pytest.mark.finding("W8")
def test_two_stars_in_one_database_keep_their_own(make_world):
    one, other = make_world(), make_world()
    for world, user in ((one, 1), (other, 2)):
        make_world.enter(world)
        world.log("2018-11-01", event(datetime(2018, 11, 1, 12), user=user))
        world.load("2018-11-01", "2018-11-02")
        update()
    for world, user in ((one, 1), (other, 2)):
        make_world.enter(world)
        assert warehouse.query(f"select user_id from {settings.reports()}.user_days") == [(user,)]


BREAKS = [
    ("every_play_is_in_each_aggregate", "update {r}.song_days set plays = plays + 1"),
    ("every_play_is_in_each_aggregate", "update {s}.due_events set page = null"),
    ("every_client_is_known", "delete from {r}.agents"),
    ("each_period_is_the_sum_of_its_days", "update {r}.period_totals set plays = plays + 1"),
    ("all_time_is_the_sum_of_the_months", "update {r}.song_listeners set plays = plays + 1"),
    ("one_row_per_key", "insert into {r}.period_tops select * from {r}.period_tops"),
    ("parts_add_up", "update {r}.period_parts set counted = counted + 1"),
    ("levels_add_up", "update {r}.period_totals set paid_plays = paid_plays + 1 where level = 'all'"),
    ("totals_are_possible", "update {r}.period_totals set listeners = plays + 1"),
]


def outdated(fresh):
    """Return a world whose reports do not contain the newest version of its only day, and the rows of the reports."""
    world = fresh()
    world.log("2018-11-01", event(datetime(2018, 11, 1, 12)))
    world.load("2018-11-01", "2018-11-02", audited=False)
    update(remake=True)
    before = {table: rows(table) for table in tables.reports()}
    world.log("2018-11-01", event(datetime(2018, 11, 1, 13)))
    world.load("2018-11-01", "2018-11-02", audited=False)
    return world, before


@pytest.mark.parametrize(("name", "spoiling"), BREAKS)
def test_a_failed_check_leaves_the_tables_as_they_were(fresh, name, spoiling):
    world, before = outdated(fresh)

    def spoil(rendered: dict[str, str]) -> None:
        rendered["loads"] += f";\n{spoiling.format(r=settings.reports(), s=settings.reports_state())};\n"

    with pytest.raises(DataError, match=name):
        update(spoil=spoil)
    assert {table: rows(table) for table in tables.reports()} == before
    update()
    assert_right(world)


@pytest.mark.finding("R4")
def test_a_file_whose_earlier_version_is_loaded_is_not_counted_as_refused(fresh):
    world = fresh()
    world.log("2018-11-01", event(datetime(2018, 11, 1, 12)))
    world.load("2018-11-01", "2018-11-02", audited=False)
    world.log("2018-11-01", "broken")
    for name in ("a", "b"):
        world.log("2018-11-02", "broken", name=name)
    with pytest.raises(DataError, match="3 files are refused"):
        world.load("2018-11-01", "2018-11-03", audited=False)
    update(remake=True)
    assert world.count("refused_files") == 3
    found = warehouse.query(f"select kind, files, refused_files from {settings.reports()}.loads")
    assert found == [("events", 1, 2)]


@pytest.mark.finding("R6")
def test_a_deploy_between_plan_and_publish_mixes_no_definitions(fresh, monkeypatch):
    world, before = outdated(fresh)

    def deploy(rendered: dict[str, str]) -> None:
        monkeypatch.setattr(publish, "_code", lambda: "another".ljust(32))

    with pytest.raises(DataError, match="has changed since.*Next: clear the task `plan`"):
        update(spoil=deploy)
    assert {table: rows(table) for table in tables.reports()} == before
    update()
    assert_right(world)


def test_the_tables_are_as_declared(month):
    found = warehouse.transaction(
        lambda cursor: schema.find_columns(cursor, ("reports", "reports")), "read the columns of the reports"
    )
    assert found == {
        ("reports", name): [(column.name, column.type) for column in declaration.columns]
        for name, declaration in tables.reports().items()
    }
    assert tables.reports().keys() == set(publish.TABLES)


def test_the_rows_of_a_user_are_on_one_slice(month):
    found = month.rows(
        "select \"table\" from svv_table_info where \"schema\" = 'reports' and diststyle = 'KEY(user_id)'"
    )
    assert {name for (name,) in found} == {*publish.DAYS, *publish.SUMS}


def test_the_warehouse_holds_every_meaning(month):
    found = month.rows(
        "select n.nspname || '.' || c.relname, a.attname, d.description from pg_catalog.pg_description as d "
        "inner join pg_catalog.pg_class as c on d.objoid = c.oid "
        "inner join pg_catalog.pg_namespace as n on c.relnamespace = n.oid "
        "left join pg_catalog.pg_attribute as a on a.attrelid = c.oid and a.attnum = d.objsubid and d.objsubid > 0 "
        "where n.nspname in ('sparkify', 'sparkify_ops', 'reports')"
    )
    declared = {f"reports.{name}": table for name, table in tables.reports().items()}
    declared |= {f"{schema.schema_of(name)}.{name}": tables.published(name) for name in tables.PUBLISHED}
    assert set(map(tuple, found)) == {(name, None, table.grain) for name, table in declared.items()} | {
        (name, column.name, column.meaning) for name, table in declared.items() for column in table.columns
    }


@pytest.mark.parametrize("path", sorted(QUERIES.glob("*.sql")), ids=lambda path: path.stem)
def test_the_query_pack_has_its_answers(month, local_redshift, path, capsys):
    print_csv(local_redshift, path.read_text())
    answer = capsys.readouterr().out
    assert answer == path.with_suffix(".csv").read_text()
    assert answer.count("\n") > 1, "a question without an answer says nothing"
    assert f"[{path.name}]({path.name})" in (QUERIES / "README.md").read_text()


def test_nothing_new_is_skipped(month, reports):
    state, tasks = run_dag(reports, remake=False)
    assert (state, set(tasks.values())) == ("success", {"skipped"})


def test_a_remake_recreates_only_what_is_not_as_declared(month, reports):
    """Readers can continue in the tables that are not recreated. See tests/model/test_readers.py."""

    def numbers() -> dict[str, int]:
        return dict(
            month.rows(
                "select relname, oid::bigint from pg_class where relnamespace = 'reports'::regnamespace"
            )
        )

    def change(cursor: Any) -> None:
        cursor.execute("alter table reports.song_days add column surplus int")
        cursor.execute("create table reports.copy as select * from reports.growth")
        cursor.execute("drop view reports.growth")
        cursor.execute("alter table reports.copy rename to growth")

    before, kept = {name: rows(name) for name in tables.reports()}, numbers()
    warehouse.transaction(change, "change the report tables")
    state, tasks = run_dag(reports, remake=True)
    assert (state, set(tasks.values())) == ("success", {"success"})
    assert {name: rows(name) for name in tables.reports()} == before
    changed = {name for name, number in numbers().items() if kept.get(name) != number}
    assert {"song_days", "growth"} <= changed <= {"song_days", *publish.VIEWS}


def test_an_unpublished_star_is_skipped(reports, world):
    world.create_tables()
    state, tasks = run_dag(reports)
    assert state == "success"
    assert set(tasks.values()) == {"skipped"}
