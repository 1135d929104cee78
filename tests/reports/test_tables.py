"""The report tables, on the sample month: they agree with the star, are as declared, and answer the query pack."""

from __future__ import annotations

import csv
import io
from collections import Counter, defaultdict
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from include.sparkify import schema, tables, warehouse
from local.warehouse import as_text
from tests.running import run as run_dag

QUERIES = Path(__file__).parents[2] / "docs" / "queries"


@pytest.fixture(scope="module")
def plays(month) -> list[dict[str, Any]]:
    """Every row of songplays."""
    columns = (
        "start_time user_id session_id item_in_session level song_id song artist length location user_agent"
    )
    rows = month.rows(
        f"select {', '.join(columns.split())} from {{s}}.songplays order by start_time, session_id, item_in_session"
    )
    return [dict(zip(columns.split(), row, strict=True)) for row in rows]


def table(month, name: str) -> list[dict[str, Any]]:
    columns = [column.name for column in tables.reports()[name].columns]
    return [
        dict(zip(columns, row, strict=True))
        for row in month.rows(f"select {', '.join(columns)} from reports.{name}")
    ]


def test_daily(month, plays):
    days = defaultdict(list)
    for play in plays:
        days[play["start_time"].date()].append(play)
    assert {
        row["day"]: (row["plays"], row["listeners"], row["sessions"], row["paid_plays"], row["matched_plays"])
        for row in table(month, "daily")
    } == {
        day: (
            len(of_day),
            len({play["user_id"] for play in of_day}),
            len({(play["user_id"], play["session_id"]) for play in of_day}),
            sum(play["level"] == "paid" for play in of_day),
            sum(play["song_id"] is not None for play in of_day),
        )
        for day, of_day in days.items()
    }
    for row in table(month, "daily"):
        assert row["free_plays"] + row["paid_plays"] == row["plays"]
        assert row["match_rate"] == round(Decimal(row["matched_plays"]) / row["plays"], 4)
        assert row["hours"] == pytest.approx(
            sum(play["length"] for play in days[row["day"]]) / 3600, abs=Decimal("0.006")
        )


@pytest.mark.parametrize(("name", "names"), [("top_songs", ("song", "artist")), ("top_artists", ("artist",))])
def test_top_lists(month, plays, name, names):
    played = Counter(tuple(play[name] for name in names) for play in plays)
    listeners = defaultdict(set)
    for play in plays:
        listeners[tuple(play[name] for name in names)].add(play["user_id"])
    expected = sorted(played, key=lambda key: (-played[key], -len(listeners[key]), key))[:1000]
    rows = sorted(table(month, name), key=lambda row: row["rank"])

    assert [row["rank"] for row in rows] == list(range(1, len(rows) + 1))
    found = [tuple(row[name] for name in names) for row in rows]
    # The order of names is the warehouse's; what they are ranked by is plays and listeners.
    assert [(played[key], len(listeners[key])) for key in found] == [
        (played[key], len(listeners[key])) for key in expected
    ]
    assert [(row["plays"], row["listeners"]) for row in rows] == [
        (played[key], len(listeners[key])) for key in found
    ]
    assert len(set(found)) == 1000


def test_locations(month, plays):
    expected = Counter((play["location"], play["level"]) for play in plays)
    assert {(row["location"], row["level"]): row["plays"] for row in table(month, "locations")} == expected


def test_weekday_hours(month, plays):
    expected = Counter((play["start_time"].isoweekday() % 7, play["start_time"].hour) for play in plays)
    assert {(row["weekday"], row["hour"]): row["plays"] for row in table(month, "weekday_hours")} == expected


def test_user_days_and_sessions(month, plays):
    by_day = Counter((play["user_id"], play["start_time"].date()) for play in plays)
    assert {(row["user_id"], row["day"]): row["plays"] for row in table(month, "user_days")} == by_day
    sessions = defaultdict(list)
    for play in plays:
        sessions[play["user_id"], play["session_id"]].append(play)
    rows = {(row["user_id"], row["session_id"]): row for row in table(month, "sessions")}
    assert rows.keys() == sessions.keys()
    for key, members in sessions.items():
        last = max(play["start_time"] + timedelta(seconds=round(play["length"])) for play in members)
        assert rows[key]["plays"] == len(members)
        assert rows[key]["started_at"] == members[0]["start_time"]
        assert abs(rows[key]["ended_at"] - last) <= timedelta(seconds=1)
        minutes = (rows[key]["ended_at"] - rows[key]["started_at"]).total_seconds() / 60
        assert float(rows[key]["minutes"]) == pytest.approx(minutes, abs=0.02)


def test_active_users(month, plays):
    users = defaultdict(set)
    for play in plays:
        users[play["start_time"].date()].add(play["user_id"])

    def active(day: date, days: int) -> int:
        return len(set().union(*(users.get(day - timedelta(days=back), set()) for back in range(days))))

    for row in table(month, "active_users"):
        day = row["day"]
        assert (row["daily"], row["weekly"], row["monthly"]) == tuple(
            active(day, days) for days in (1, 7, 28)
        )
        assert row["stickiness"] == round(Decimal(row["daily"]) / row["monthly"], 4)
    assert len(table(month, "active_users")) == len(users) == 30


def test_level_history(month, plays):
    expected = []
    for user in sorted({play["user_id"] for play in plays}):
        level = None
        for play in plays:
            if play["user_id"] != user:
                continue
            if play["level"] != level:
                change = {None: "start", "free": "upgrade", "paid": "downgrade"}[level]
                expected.append([user, play["level"], play["start_time"], change, 0])
                level = play["level"]
            expected[-1][-1] += 1
    rows = sorted(table(month, "level_history"), key=lambda row: (row["user_id"], row["since"]))
    assert [[row[n] for n in ("user_id", "level", "since", "change", "plays")] for row in rows] == expected
    for row, following in zip(rows, [*rows[1:], None], strict=True):
        same = following is not None and following["user_id"] == row["user_id"]
        assert row["until"] == (following["since"] if same else None)


def test_retention(month, plays):
    weeks = defaultdict(set)
    for play in plays:
        day = play["start_time"].date()
        weeks[play["user_id"]].add(day - timedelta(days=day.weekday()))
    first = {user: min(of_user) for user, of_user in weeks.items()}
    rows = table(month, "retention")
    for row in rows:
        cohort = [user for user in weeks if first[user] == row["first_week"]]
        then = row["first_week"] + timedelta(weeks=row["weeks_since"])
        assert row["cohort"] == len(cohort)
        assert row["listeners"] == sum(then in weeks[user] for user in cohort)
        assert row["rate"] == pytest.approx(row["listeners"] / row["cohort"])
    last = max(week for of_user in weeks.values() for week in of_user)
    assert len(rows) == sum((last - week).days // 7 + 1 for week in set(first.values()))


def test_devices(month, plays):
    rows = table(month, "devices")
    assert sum(row["plays"] for row in rows) == len(plays)
    phones = {play["user_id"] for play in plays if "iPhone" in play["user_agent"]}
    of_phones = [row for row in rows if row["device"] == "iPhone"]
    assert sum(row["plays"] for row in of_phones) == sum("iPhone" in play["user_agent"] for play in plays)
    # In the sample each user keeps one client: the families' listeners add up.
    assert sum(row["listeners"] for row in of_phones) == len(phones)
    assert {row["browser"] for row in rows} >= {"Chrome", "Firefox", "Safari"}
    agents = Counter((play["user_id"], play["user_agent"]) for play in plays)
    found = {(row["user_id"], row["user_agent"]): row["plays"] for row in table(month, "user_agents")}
    assert found == agents


def test_the_tables_are_as_declared(month):
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for name, column, *kind in month.rows(
        "select table_name, column_name, data_type, character_maximum_length, numeric_precision, numeric_scale "
        "from information_schema.columns where table_schema = 'reports' order by table_name, ordinal_position"
    ):
        found[name].append((column, schema._type(*kind)))
    assert found == {
        name: [(column.name, column.type) for column in declaration.columns]
        for name, declaration in tables.reports().items()
    }


def comments(month, schema: str) -> dict[tuple[str, str], str]:
    """COMMENT ON in the warehouse, by table and column; the table's own under an empty column."""
    rows = month.rows(
        "select c.relname, coalesce(a.attname, ''), d.description from pg_catalog.pg_description as d "
        "inner join pg_catalog.pg_class as c on d.objoid = c.oid "
        "inner join pg_catalog.pg_namespace as n on c.relnamespace = n.oid "
        "left join pg_catalog.pg_attribute as a on a.attrelid = c.oid and a.attnum = d.objsubid and d.objsubid > 0 "
        f"where n.nspname = '{schema}'"
    )
    return {(table, column): text for table, column, text in rows}


def test_the_warehouse_holds_every_meaning(month):
    for name in tables.PUBLISHED:
        declaration = tables.published(name)
        found = comments(month, "sparkify_ops" if name in tables.OPS else "sparkify")
        assert (name, "") in found
        for column in declaration.columns:
            assert found[name, column.name] == column.meaning
    found = comments(month, "reports")
    for name, declaration in tables.reports().items():
        assert found[name, ""] == declaration.grain
        for column in declaration.columns:
            assert found[name, column.name] == column.meaning


@pytest.mark.parametrize("path", sorted(QUERIES.glob("*.sql")), ids=lambda path: path.stem)
def test_the_query_pack_has_its_answers(month, path):
    def ask(cursor):
        cursor.execute(path.read_text())
        return [column[0] for column in cursor.description], [tuple(row) for row in cursor.fetchall()]

    names, rows = warehouse.transaction(ask, f"ask {path.stem}")
    answer = io.StringIO()
    writer = csv.writer(answer, lineterminator="\n")
    writer.writerows([names, *([as_text(value) for value in row] for row in rows)])
    assert answer.getvalue() == path.with_suffix(".csv").read_text()
    assert rows, "a question without an answer says nothing"
    assert f"[{path.name}]({path.name})" in (QUERIES / "README.md").read_text()


def test_a_remake_makes_the_same_tables(month, reports):
    before = {name: sorted(map(repr, table(month, name))) for name in tables.reports()}
    state, tasks = run_dag(reports, remake=True)
    assert state == "success"
    assert set(tasks.values()) == {"success"}
    assert {name: sorted(map(repr, table(month, name))) for name in tables.reports()} == before


def test_nothing_new_is_skipped(month, reports):
    state, tasks = run_dag(reports, remake=False)
    assert state == "success"
    assert set(tasks.values()) == {"skipped"}


def test_an_unpublished_star_is_skipped(reports, world):
    world.create_tables()
    state, tasks = run_dag(reports)
    assert state == "success"
    assert set(tasks.values()) == {"skipped"}
