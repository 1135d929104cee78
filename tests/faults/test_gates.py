"""Gates: every check is seen to pass and to fail, and what fails leaves the published tables as they were."""

from __future__ import annotations

import json
import re
import types
from datetime import datetime, timedelta

import pytest

from include.sparkify import checks, tables, warehouse
from include.sparkify.errors import ConfigurationError, DataError
from include.sparkify.settings import run_schema
from tests.world import event, song

D1 = datetime(2018, 11, 1, 12)
TABLES = (*tables.STAGING, *tables.CANDIDATES)

# How a sound run is spoiled so that this check of `rows`, and no other of its table, fails. {run} is the run's
# schema, {s} the published one; `copy of` a table's row means INSERT INTO it SELECT from it, with changes.
SPOILERS = {
    ("staging_files", "lines_reconcile"): ["update {run}.staging_files set lines = 9 where kind = 'events'"],
    ("staging_files", "files_have_lines"): [
        "update {run}.staging_files set lines = 0, accepted = 0 where kind = 'events'"
    ],
    ("staging_files", "no_line_is_rejected"): [
        "update {run}.staging_files set lines = lines + 1, rejected = 1 where kind = 'events'"
    ],
    ("staging_files", "no_value_is_cut"): [
        "update {run}.staging_files set cut_values = 1 where kind = 'events'"
    ],
    ("staging_files", "no_field_is_unknown"): [
        "update {run}.staging_files set unknown_fields = 'device' where kind = 'events'"
    ],
    ("staging_events", "all_is_staged"): ["delete from {run}.staging_events where page = 'Home'"],
    ("staging_events", "one_row_per_line"): [
        "update {run}.staging_events set line_number = 1 where line_number = 2"
    ],
    ("staging_events", "start_time_is_ts"): [
        "update {run}.staging_events set ts = ts + 1000 where line_number = 1"
    ],
    ("staging_events", "level_is_known"): [
        "update {run}.staging_events set level = 'gold' where line_number = 1"
    ],
    ("staging_events", "plays_have_required_fields"): [
        "update {run}.staging_events set user_id = null where line_number = 1"
    ],
    ("staging_events", "events_are_of_their_files_day"): [
        "update {run}.staging_events set file_date = date '2018-11-02' where line_number = 1"
    ],
    ("staging_songs", "all_is_staged"): ["delete from {run}.staging_songs where song_id = 'SO2'"],
    ("staging_songs", "songs_have_one_file"): [
        "update {run}.staging_songs set song_id = 'SO1' where song_id = 'SO2'"
    ],
    ("new_events", "one_row_per_line"): [
        "update {run}.new_events set line_number = 1 where line_number = 2",
        "update {run}.staging_events set line_number = 1 where line_number = 2",
    ],
    ("new_events", "every_line_is_staged"): ["delete from {run}.new_events where line_number = 2"],
    ("songplays", "every_play_is_there"): ["delete from {run}.songplays where user_id = 2"],
    ("songplays", "one_row_per_play"): [
        "copy of {run}.songplays where user_id = 2: songplay_id = md5('copy')",
    ],
    ("songplays", "no_unexpected_rows"): [
        "copy of {run}.songplays where user_id = 2: songplay_id = md5('copy'), session_id = 99"
    ],
    ("songplays", "level_is_known"): ["update {run}.songplays set level = 'gold' where user_id = 2"],
    ("songplays", "user_exists"): ["delete from {run}.users where user_id = 2"],
    ("songplays", "song_exists"): ["update {run}.songplays set song_id = 'SO9' where song_id = 'SO1'"],
    ("songplays", "session_item_is_unique"): [
        f"update {{run}}.{table} set session_id = 1, item_in_session = 0 where user_id = 2"
        for table in ("plays", "songplays")
    ],
    ("songplays", "plays_are_delivered_once"): ["copy of {run}.plays where user_id = 2: line_number = 99"],
    ("songplays", "volume_is_as_usual"): [
        f"copy of {{s}}.songplays where user_id = 7: songplay_id = md5('{week}' || n.n), "
        f"start_time = dateadd(day, -{week * 7}, timestamp '2018-11-01 12:00'); for n up to 20"
        for week in (1, 2)
    ],
    ("songplays", "match_rate_is_as_usual"): [
        "copy of {s}.songplays where user_id = 7: songplay_id = md5('before' || n.n), song_id = 'SO1', "
        "start_time = timestamp '2018-10-31 12:00'; for n up to 1000",
        "copy of {run}.plays where user_id = 2: line_number = 100 + n.n, item_in_session = 100 + n.n; for n up to 100",
        "copy of {run}.songplays where user_id = 2: songplay_id = md5('now' || n.n), item_in_session = 100 + n.n; "
        "for n up to 100",
        "update {run}.songplays set song_id = null, artist_id = null",
    ],
    ("songplays", "no_gap_at_interval_end"): [
        "update {run}.windows set window_end = dateadd(day, 2, window_end)"
    ],
    ("users", "level_is_known"): ["update {run}.users set level = 'gold' where user_id = 2"],
    ("users", "latest_play_wins"): ["delete from {run}.users where user_id = 2"],
    ("users", "names_are_given"): ["update {run}.users set last_name = '' where user_id = 2"],
    ("songs", "every_song_is_there"): ["delete from {run}.songs where song_id = 'SO2'"],
    ("songs", "artist_exists"): ["update {run}.songs set artist_id = 'AR9' where song_id = 'SO2'"],
    ("songs", "year_is_sane"): ["update {run}.songs set year = 1859 where song_id = 'SO2'"],
    ("artists", "every_artist_is_there"): ["delete from {run}.artists where artist_id = 'AR2'"],
    ("artists", "coordinates_come_in_pairs"): [
        "update {run}.artists set latitude = null where artist_id = 'AR1'"
    ],
    ("time", "every_moment_is_there"): ["delete from {run}.time where hour = 13"],
    ("time", "no_unexpected_rows"): [
        "copy of {run}.time where hour = 13: start_time = timestamp '2018-11-01 15:00', hour = 15"
    ],
}
# Other rows that the same check must find.
MORE_SPOILERS = [
    *(
        (
            "staging_events",
            "plays_have_required_fields",
            f"update {{run}}.staging_events set {column} = null where line_number = 1",
        )
        for column in ("song", "artist", "length")
    ),
    *(
        ("users", "names_are_given", f"update {{run}}.users set {column} = {value} where user_id = 2")
        for column in ("first_name", "last_name")
        for value in ("''", "null")
    ),
    (
        "artists",
        "coordinates_come_in_pairs",
        "update {run}.artists set longitude = null where artist_id = 'AR1'",
    ),
    (
        "staging_events",
        "all_is_staged",
        "delete from {run}.staging_events where source_key like '%more%'",
    ),
    (
        "users",
        "latest_play_wins",
        "update {run}.users set updated_at = timestamp '2018-11-01' where user_id = 3",
    ),
    *(
        ("songplays", "song_exists", f"update {{run}}.songplays set {change} where song_id = '{song_id}'")
        for song_id in ("SO1", "SO6")  # of the run, and of an earlier one
        for change in ("song_id = 'SO2'", "artist_id = 'AR2'", "song = 'X'", "artist = 'X'", "length = 1")
    ),
    ("songplays", "song_exists", "update {run}.songs set title = 'New' where song_id = 'SO1'"),
    ("songplays", "every_play_is_there", "delete from {run}.songplays where user_id = 8"),
    (
        "songplays",
        "every_play_is_there",
        "delete from {run}.songplays where user_id = 1 and item_in_session = 1",
    ),
    (
        "songplays",
        "every_play_is_there",
        "copy of {run}.plays where user_id = 2: user_id = 3, line_number = 99",
    ),
    (
        "songplays",
        "no_unexpected_rows",
        "copy of {run}.songplays where user_id = 2: songplay_id = md5('copy'), user_id = 3",
    ),
    ("songs", "year_is_sane", "update {run}.songs set year = 1 where song_id = 'SO2'"),
    (
        "new_events",
        "every_line_is_staged",
        "delete from {run}.new_events where start_time = timestamp '2018-11-01'",
    ),
]
# The checks as they were decided: one that is lost, or made milder or stricter, is a mistake.
COLUMNS_THAT_FAIL = {
    "staging_files": "source_key.null_check source_key.unique_check",
    "staging_events": "source_key.null_check line_number.null_check file_date.null_check start_time.null_check "
    "ts.null_check page.null_check session_id.null_check item_in_session.null_check",
    "staging_songs": "source_key.null_check source_key.unique_check song_id.null_check title.null_check "
    "artist_id.null_check artist_name.null_check duration.null_check",
    "new_events": "source_key.null_check line_number.null_check start_time.null_check",
    "songplays": "songplay_id.null_check songplay_id.unique_check start_time.null_check user_id.null_check "
    "level.null_check session_id.null_check",
    "users": "user_id.null_check user_id.unique_check level.null_check updated_at.null_check",
    "songs": "song_id.null_check song_id.unique_check title.null_check artist_id.null_check duration.null_check "
    "duration.min",
    "artists": "artist_id.null_check artist_id.unique_check name.null_check latitude.min latitude.max longitude.min "
    "longitude.max",
    "time": "start_time.null_check start_time.unique_check hour.null_check hour.min hour.max weekday.null_check "
    "weekday.min weekday.max",
}
ROWS_THAT_WARN = {
    "staging_files": "files_have_lines no_line_is_rejected no_value_is_cut no_field_is_unknown",
    "staging_events": "events_are_of_their_files_day",
    "staging_songs": "songs_have_one_file",
    "songplays": "session_item_is_unique plays_are_delivered_once volume_is_as_usual match_rate_is_as_usual "
    "no_gap_at_interval_end",
    "users": "names_are_given",
    "songs": "year_is_sane",
    "artists": "coordinates_come_in_pairs",
}


def column_spoiler(table: str, name: str) -> list[str]:
    """How one value of a column is spoiled so that its check fails."""
    column, kind = name.split(".")
    bound = checks.declaration(table)["columns"][column][kind]
    one = f"where {column} = (select min({column}) from {{run}}.{table})"
    if kind == "unique_check":
        return [f"copy of {{run}}.{table} {one}: {column} = {column}"]
    value = {"null_check": "null", "min": bound.get("geq_to", 0) - 1, "max": bound.get("leq_to", 0) + 1}[kind]
    return [f"update {{run}}.{table} set {column} = {value} {one}"]


class Sound:
    """A run that is built and audited, over a star with history; spoiled and restored as often as one likes."""

    def __init__(self, world) -> None:
        self.world = world
        world.song(song("SO1", "Song", "Artist", artist_id="AR1", artist_latitude=1.5, artist_longitude=2.5))
        world.song(song("SO4", "Fourth", "Artist", artist_id="AR4"), "song_data/A/1.json")
        world.song(song("SO6", "Sixth", "Artist", artist_id="AR6"))
        world.log("2018-10-30", event(D1 - timedelta(days=2), user=7, session=7))
        world.log("2018-11-03", event(D1 + timedelta(days=2), user=8, session=8))
        world.load("2018-10-30", "2018-11-04", audited=False)
        # A second file of a song, which keeps its artist; a play that comes after a newer one of its user.
        world.song(song("SO4", "Fourth", "Artist", artist_id="AR5"), "song_data/A/2.json")
        world.song(song("SO1", "Song", "Artist", artist_id="AR1", artist_latitude=3.5, artist_longitude=2.5))
        world.song(song("SO2", "Other", "Artist", artist_id="AR2", year=1860))
        world.song(song("SO3", "Third", "Artist", artist_id="AR3", year=0))
        world.log(
            "2018-11-01",
            event(D1, user=1, item=0),
            event(D1, user=1, item=1, song="Unknown"),
            event(D1 + timedelta(hours=1), user=2, session=2, level="paid"),
            event(D1, user=None, session=3, page="Home", artist=None, song=None, length=None),
            event(D1 + timedelta(hours=2), user=3, session=4),
            event(D1 - timedelta(hours=12), user=3, session=5),
            event(D1, user=8, session=6),
            event(D1, user=1, item=3, song="Sixth"),
        )
        world.log("2018-11-01", event(D1, user=1, item=2), name="more")
        self.context = world.context("2018-11-01", "2018-11-02")
        world.stage(self.context)
        self.audit(tables.STAGING)
        world.build(self.context)
        self.audit(tables.CANDIDATES)
        self.results = self.checked()
        self.published = world.state()
        self.run, self.keep = run_schema(self.context["run_id"]), f"{world.schema}_keep"
        self.columns = self._columns()
        self._keep()

    def audit(self, tables) -> list[str]:
        return self.world.audit(self.context, tables)

    def checked(self) -> dict[tuple[str, str], types.SimpleNamespace]:
        """Results by (table, check)."""
        rows = self.world.rows(
            "select table_name, check_name, severity, description, actual, passed, sample from {o}.quality_results "
            f"where run_id = '{self.context['run_id']}'"
        )
        names = ("severity", "description", "actual", "passed", "sample")
        return {(t, c): types.SimpleNamespace(**dict(zip(names, rest, strict=True))) for t, c, *rest in rows}

    def _columns(self) -> dict[tuple[str, str], list[str]]:
        columns: dict[tuple[str, str], list[str]] = {}
        for schema, table, column in self.world.rows(
            "select table_schema, table_name, column_name from information_schema.columns "
            f"where table_schema in ('{self.run}', '{{s}}') order by 1, 2, ordinal_position"
        ):
            columns.setdefault((schema, table), []).append(column)
        return columns

    def _keep(self) -> None:
        """Copies to restore from; and candidates without NOT NULL, which would be in the way of spoiling them."""

        def keep(cursor) -> None:
            cursor.execute(f"create schema {self.keep}")
            for schema, table in self.columns:
                kept = f"{self.keep}.{table}_{'run' if schema == self.run else 'star'}"
                cursor.execute(f"create table {kept} as select * from {schema}.{table}")
                if schema == self.run:
                    cursor.execute(f"drop table {schema}.{table}")
                    cursor.execute(f"create table {schema}.{table} as select * from {kept}")

        warehouse.transaction(keep, "keep copies")

    def statement(self, spoiler: str) -> tuple[str, str]:
        """The table that a spoiler changes, and its SQL."""
        spoiler = spoiler.replace("{run}", self.run).replace("{s}", self.world.schema)
        copy = re.fullmatch(r"copy of (\S+) (where .*?): (.*?)(?:; for n up to (\d+))?", spoiler)
        if copy is None:
            return re.match(r"(?:update|delete from) (\S+)", spoiler)[1], spoiler
        table, where, changes, number = copy.groups()
        changed = dict(change.split(" = ", 1) for change in re.split(r", (?=\w+ = )", changes))
        columns = self.columns[tuple(table.split("."))]
        source = f"(select * from {table} {where} limit 1) as one"
        if number:
            digits = "(select 0 as d" + "".join(f" union all select {d}" for d in range(1, 10)) + ")"
            source += (
                f" cross join (select 100 * a.d + 10 * b.d + c.d + 1 as n from {digits} as a "
                f"cross join {digits} as b cross join {digits} as c) as n where n.n <= {number}"
            )
        values = ", ".join(changed.get(column, f"one.{column}") for column in columns)
        return table, f"insert into {table} ({', '.join(columns)}) select {values} from {source}"

    def spoil(self, spoilers: list[str]) -> set[str]:
        """Change the rows; the tables changed."""
        statements = [self.statement(spoiler) for spoiler in spoilers]

        def work(cursor) -> None:
            cursor.execute(f"delete from {self.world.schema}_ops.quality_results")
            for _, sql in statements:
                cursor.execute(sql)
                assert cursor.rowcount > 0, sql

        warehouse.transaction(work, "spoil")
        return {table for table, _ in statements}

    def restore(self, tables: set[str]) -> None:
        def work(cursor) -> None:
            for name in tables:
                schema, table = name.split(".")
                kept = f"{self.keep}.{table}_{'run' if schema == self.run else 'star'}"
                cursor.execute(f"delete from {name}")
                cursor.execute(f"insert into {name} select * from {kept}")

        warehouse.transaction(work, "restore")


@pytest.fixture(scope="module")
def built(new_world):
    return Sound(new_world())


@pytest.fixture
def sound(built, enter):
    """The sound run; changes that a test makes through it are undone afterwards."""
    enter(built.world)
    touched: set[str] = set()

    def spoil(spoilers: list[str]) -> None:
        touched.update(built.spoil(spoilers))

    yield types.SimpleNamespace(
        spoil=spoil,
        audit=built.audit,
        checked=built.checked,
        results=built.results,
        published=built.published,
        world=built.world,
        context=built.context,
    )
    built.restore(touched)


COLUMN_CHECKS = [(table, check.name) for table in TABLES for check in checks.column_checks(table)]
ROW_CHECKS = [(table, check.name) for table in TABLES for check in checks.row_checks(table)]
SEVERITY = {
    (table, check.name): check.severity
    for table in TABLES
    for check in checks.column_checks(table) + checks.row_checks(table)
}


def test_a_sound_run_passes_every_check(sound):
    assert sound.audit(TABLES) == []
    assert {check for check, result in sound.results.items() if not result.passed} == set()
    assert set(sound.results) == set(SEVERITY)


def test_every_check_of_rows_has_a_spoiler():
    assert set(SPOILERS) == set(ROW_CHECKS)


@pytest.mark.parametrize("table", TABLES)
def test_the_checks_are_those_that_were_decided(table):
    fail = {check.name for check in checks.column_checks(table) if check.severity == "fail"}
    warn = {check.name for check in checks.row_checks(table) if check.severity == "warn"}

    assert fail == set(COLUMNS_THAT_FAIL[table].split())
    assert warn == set(ROWS_THAT_WARN.get(table, "").split())


@pytest.mark.parametrize(
    ("table", "name", "spoilers"),
    [(table, name, column_spoiler(table, name)) for table, name in COLUMN_CHECKS]
    + [(table, name, spoilers) for (table, name), spoilers in SPOILERS.items()]
    + [(table, name, [spoiler]) for table, name, spoiler in MORE_SPOILERS],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_check_fails_where_it_should_and_says_which_rows(sound, table, name, spoilers):
    sound.spoil(spoilers)

    if SEVERITY[table, name] == "fail":
        with pytest.raises(
            DataError, match=rf"(?s)the star is unchanged.*{table}\.{re.escape(name)} \(fail\)"
        ):
            sound.audit([table])
    else:
        assert sound.audit([table]) == [f"{table}.{name}"]

    results = sound.checked()
    failed = {check for (_, check), result in results.items() if not result.passed}
    assert failed == {name}
    result = results[table, name]
    assert result.severity == SEVERITY[table, name]
    assert re.fullmatch(r"[1-9]\d* failing rows", result.actual)
    assert all(json.loads(line) for line in result.sample.splitlines()) and result.sample


NO_OTHERS = "delete from {s}.songplays where user_id = 7 and trunc(start_time) = date '2018-10-30'"


def history(at: str, number: int, song_id: str = "'SO1'") -> str:
    """So many plays at a moment, published before the run."""
    return (
        f"copy of {{s}}.songplays where user_id = 7: songplay_id = md5('{at}' || coalesce({song_id}, '') || n.n), "
        f"song_id = {song_id}, start_time = timestamp '{at}'; for n up to {number}"
    )


def plays_107(matched: int = 0) -> list[str]:
    """A run with 107 plays of which so many have a song."""
    more = "item_in_session = 100 + n.n; for n up to 99"
    return [
        f"copy of {{run}}.plays where user_id = 2: line_number = 100 + n.n, {more}",
        f"copy of {{run}}.songplays where user_id = 2: songplay_id = md5('now' || n.n), {more}",
        "update {run}.songplays set song_id = null, artist_id = null",
        *(
            f"update {{run}}.songplays set song_id = 'SO1', artist_id = 'AR1' where item_in_session = {100 + n}"
            for n in range(1, matched + 1)
        ),
    ]


def usual_107(matched: int) -> list[str]:
    """As many plays before the run, of which so many have a song."""
    return [
        history("2018-10-20", matched),
        history("2018-10-20", 107 - matched, "null"),
        NO_OTHERS,
    ]


def moved(moment: str, where: str) -> list[str]:
    """The run's plays at another moment."""
    return [
        f"update {{run}}.{table} set start_time = timestamp '{moment}' where {where}"
        for table in ("plays", "songplays")
    ]


USUAL = {
    "four weeks back to the moment": (
        "volume_is_as_usual",
        [history("2018-10-04", 20), history("2018-10-11", 20)],
        False,
    ),
    "one week is not enough": ("volume_is_as_usual", [history("2018-10-04", 20)], True),
    "matches four weeks back to the moment": (
        "match_rate_is_as_usual",
        [history("2018-10-04", 100), NO_OTHERS, *plays_107()],
        False,
    ),
    "earlier matches do not count": (
        "match_rate_is_as_usual",
        [history("2018-10-03 23:59:59", 100), NO_OTHERS, *plays_107()],
        True,
    ),
    "matches of the run's own day do not count": (
        "match_rate_is_as_usual",
        [history("2018-11-01", 100), NO_OTHERS, *plays_107()],
        True,
    ),
    "ten matches expected, four found": (
        "match_rate_is_as_usual",
        [*usual_107(10), *plays_107(4)],
        False,
    ),
    "ten matches expected, five found": ("match_rate_is_as_usual", [*usual_107(10), *plays_107(5)], True),
    "twenty-one matches expected, ten found": (
        "match_rate_is_as_usual",
        [*usual_107(21), *plays_107(10)],
        False,
    ),
    "nine and a half matches expected, none found": (
        "match_rate_is_as_usual",
        [history("2018-10-20", 19), history("2018-10-20", 195, "null"), NO_OTHERS, *plays_107()],
        True,
    ),
    "nine matches expected, none found": ("match_rate_is_as_usual", [*usual_107(9), *plays_107()], True),
    "a play at the end is not within": (
        "no_gap_at_interval_end",
        [
            "update {run}.windows set window_end = timestamp '2018-11-03'",
            *moved("2018-11-03", "user_id = 2"),
        ],
        False,
    ),
    "the last play a day before the end": (
        "no_gap_at_interval_end",
        moved("2018-11-01", "user_id > 0"),
        True,
    ),
    "the first play long before the end": (
        "no_gap_at_interval_end",
        moved("2018-10-31", "user_id = 2"),
        True,
    ),
    "no play at all": (
        "no_gap_at_interval_end",
        ["update {run}.windows set window_end = timestamp '2018-10-01'"],
        False,
    ),
}


@pytest.mark.parametrize(("name", "spoilers", "passed"), USUAL.values(), ids=USUAL)
def test_the_bounds_of_what_is_usual(sound, name, spoilers, passed):
    sound.spoil(spoilers)

    sound.audit(["songplays"])

    assert sound.checked()["songplays", name].passed == passed


def test_the_last_play_before_a_gap_is_named(sound):
    sound.spoil(SPOILERS["songplays", "no_gap_at_interval_end"])

    sound.audit(["songplays"])

    (line,) = sound.checked()["songplays", "no_gap_at_interval_end"].sample.splitlines()
    assert json.loads(line) == {"window_end": "2018-11-04T00:00:00", "last_play": "2018-11-01T14:00:00"}


def test_lines_at_the_bounds_of_an_hour_pass_every_check(fresh):
    world, noon = fresh(), D1
    moments = [noon - timedelta(milliseconds=1), noon, noon + timedelta(hours=1)]
    world.log("2018-11-01", *(event(moment, item=item) for item, moment in enumerate(moments)))

    world.load("2018-11-01T12:00:00", "2018-11-01T13:00:00")

    assert world.items() == [1]
    assert world.warnings() == {}


@pytest.mark.parametrize("table", TABLES)
def test_a_failed_audit_leaves_the_published_tables_as_they_were_and_publish_refuses(sound, table):
    check = next(check for check in checks.row_checks(table) if check.severity == "fail")
    sound.spoil(SPOILERS[table, check.name])

    with pytest.raises(DataError, match="the star is unchanged"):
        sound.audit(TABLES)
    with pytest.raises(DataError, match=r"(?s)nothing was published.*clear the task `plan`"):
        sound.world.publish(sound.context)

    assert sound.world.state() == sound.published


@pytest.mark.parametrize("table", tables.STAR)
def test_an_empty_candidate_fails(sound, table):
    """The stock operators would pass it: over no row every check of a column holds."""
    sound.spoil([f"delete from {{run}}.{table}"])

    with pytest.raises(DataError, match="failing rows"):
        sound.audit([table])

    assert sound.world.state() == sound.published


def test_the_match_rate_passes_while_plays_find_their_song_as_before(sound):
    *same_rate, _ = SPOILERS["songplays", "match_rate_is_as_usual"]
    sound.spoil(same_rate)

    sound.audit(["songplays"])

    assert all(result.passed for result in sound.checked().values())


def test_a_file_that_left_the_lake_is_not_taken_for_an_empty_one(fresh):
    world = fresh()
    world.log("2018-11-01", event(D1))
    gone = world.log("2018-11-01", event(D1, item=1), name="gone")
    world.load("2018-11-01", audited=False)
    world.delete(gone)

    world.load(mode="full_refresh")

    assert world.items() == [0]
    assert world.warnings() == {}


# Volume and match rate ------------------------------------------------------------------------------------


@pytest.fixture
def three_thursdays(fresh):
    """A world with ten plays on each of three Thursdays."""
    world = fresh()
    for week in range(3):
        plays(world, week, 10)
    world.load("2018-11-01", "2018-11-16", audited=False)
    return world


def plays(world, week: int, number: int) -> None:
    day = D1 + timedelta(weeks=week)
    world.log(f"{day:%Y-%m-%d}", *(event(day, item=item, session=week) for item in range(number)))


def test_a_volume_far_off_the_usual_is_warned_about_and_published(three_thursdays):
    world = three_thursdays

    for number, odd in ((4, True), (5, False), (20, False), (21, True)):
        plays(world, 3, number)
        world.load("2018-11-22")
        assert world.count("songplays") == 30 + number
        warned = world.warnings().get("songplays.volume_is_as_usual")
        assert (json.loads(warned)["plays"] if warned else None) == (number if odd else None)
        warehouse.transaction(
            lambda cursor: cursor.execute(f"delete from {world.schema}_ops.quality_results"), "forget"
        )


def test_a_volume_far_off_the_usual_stops_the_run_where_the_policy_says_fail(three_thursdays, monkeypatch):
    world = three_thursdays
    plays(world, 3, 1)
    monkeypatch.setitem(checks.declaration("songplays")["rows"]["volume_is_as_usual"], "severity", "fail")

    with pytest.raises(DataError, match=r"songplays\.volume_is_as_usual \(fail\)"):
        world.load("2018-11-22")

    assert world.count("songplays") == 30


def days_warned_about(world) -> list[str]:
    warned = world.warnings().get("songplays.volume_is_as_usual", "")
    return sorted(json.loads(line)["day"][:10] for line in warned.splitlines())


def test_each_of_several_days_is_compared_with_the_weeks_before_it_published_or_not(fresh):
    world = fresh()
    for week in (0, 1, 5):
        plays(world, week, 10)
    world.load("2018-11-01", "2018-12-31", audited=False)
    for week, number in ((4, 3), (6, 30)):
        plays(world, week, number)

    world.load("2018-11-01", "2018-12-31")

    assert days_warned_about(world) == ["2018-11-29", "2018-12-13"]


def test_a_day_that_is_loaded_again_counts_once_as_the_week_before(fresh):
    """One week is not enough to compare with."""
    world = fresh()
    plays(world, 0, 10)
    plays(world, 1, 30)
    for mode in ("load", "reload"):
        world.load("2018-11-01", "2018-11-30", mode=mode)
        assert days_warned_about(world) == []


def test_the_match_rate_is_compared_with_the_weeks_before_the_first_day(fresh):
    world = fresh()
    world.song(song())

    def deliver(day: datetime, number: int, **names) -> None:
        world.log(f"{day:%Y-%m-%d}", *(event(day, item=item, **names) for item in range(number)))

    fifth, sixth = D1 + timedelta(days=4), D1 + timedelta(days=5)
    deliver(D1, 20)
    deliver(fifth, 100, song="Unknown")
    world.load("2018-11-01", "2018-11-07", audited=False)
    deliver(fifth, 20, song="Unknown")
    deliver(sixth, 20, song="Unknown")

    world.load("2018-11-01", "2018-11-07")

    (line,) = world.warnings()["songplays.match_rate_is_as_usual"].splitlines()
    assert json.loads(line) == {"matched": 0, "plays": 40, "usual_matched": 20, "usual_plays": 20}


# The warehouse's tables -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def loaded(new_world):
    world = new_world()
    world.log("2018-11-01", event(D1))
    world.load("2018-11-01")
    return world


@pytest.fixture
def altered(loaded, enter):
    """Return a separate world with a loaded day, whose tables are altered and restored."""
    return enter(loaded)


@pytest.mark.parametrize(
    ("change", "back", "message"),
    [
        (
            "alter table {s}.users rename column gender to sex",
            "alter table {s}.users rename column sex to gender",
            r"users differs in gender varchar\(16\), sex varchar\(16\)",
        ),
        (
            "alter table {s}.songplays alter column location type varchar(2000)",
            "alter table {s}.songplays alter column location type varchar(1024)",
            r"songplays differs in location varchar\(1024\), location varchar\(2000\)",
        ),
    ],
    ids=["missing", "of another type"],
)
def test_a_column_missing_or_changed_is_found_before_anything_is_deleted(altered, change, back, message):
    def execute(sql: str) -> None:
        warehouse.transaction(lambda cursor: cursor.execute(sql.replace("{s}", altered.schema)), sql)

    altered.log("2018-11-01", event(D1, item=1))
    before = altered.rows("select * from {s}.songplays")
    execute(change)
    try:
        with pytest.raises(ConfigurationError, match=f"{message}.*Nothing was changed"):
            altered.load("2018-11-01")
        assert altered.rows("select * from {s}.songplays") == before
    finally:
        execute(back)
    altered.create_tables()


def test_a_missing_table_is_not_made_empty_while_its_rows_count_as_loaded(altered):
    warehouse.transaction(lambda cursor: cursor.execute(f"drop table {altered.schema}.artists"), "drop")

    with pytest.raises(ConfigurationError, match="artists.*mode=full_refresh"):
        altered.create_tables()

    altered.create_tables(rebuild=True)
    assert altered.count("artists") == 0
    assert altered.count("songplays") == 1
