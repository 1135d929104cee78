"""Gates: every check is seen to pass and to fail, and what fails leaves the published tables as they were."""

from __future__ import annotations

import json
import re
import types
from datetime import datetime, timedelta

import pytest

from include.sparkify import checks, tables, warehouse
from include.sparkify.errors import ConfigurationError, DataError
from tests.world import CHECK_TASKS, event, song

D1 = datetime(2018, 11, 1, 12)
# 1 to 1000
_DIGITS = "(select 0 as d" + "".join(f" union all select {digit}" for digit in range(1, 10)) + ")"
_NUMBERS = (
    f"(select 100 * a.d + 10 * b.d + c.d + 1 as n from {_DIGITS} as a cross join {_DIGITS} as b "
    f"cross join {_DIGITS} as c) as n"
)
# The published table that has the same columns.
_LIKE = {"plays": "events", "staging_songs": "song_files"}


def copy(table: str, where: str, number: int = 1, **changes: str) -> str:
    """SQL that adds copies of a row, with these values (expressions; n.n counts the copies from 1)."""
    name = table.partition(".")[2]
    names = [column.name for column in tables.published(_LIKE.get(name, name)).columns]
    values = ", ".join(changes.get(column, f"one.{column}") for column in names)
    return (
        f"insert into {table} ({', '.join(names)}) select {values} from (select * from {table} where {where} limit 1) "
        f"as one cross join {_NUMBERS} where n.n <= {number}"
    )


def plays_and_songplays(where: str, number: int = 1, **changes: str) -> list[str]:
    """SQL that adds plays, and their songplays."""
    return [
        copy("{run}.plays", where, number, line_number="1000 + n.n", **changes),
        copy("{run}.songplays", where, number, songplay_id="md5('more' || n.n)", **changes),
    ]


# How a sound run is spoiled so that this check of `rows`, and no other of its table and severity, fails. {run} is the
# run's schema, {s} that of the star. Several lists: rows of several kinds that the same check must find.
SPOILERS: dict[tuple[str, str], list[list[str]]] = {
    ("staging_files", "one_row_per_file"): [
        ["insert into {run}.staging_files select * from {run}.staging_files where source_key like '%more%'"]
    ],
    ("staging_files", "lines_reconcile"): [
        ["update {run}.staging_files set lines = 9 where kind = 'events'"]
    ],
    ("staging_files", "little_is_taken_away"): [
        ["update {run}.staging_files set vanished = true, lines = 0, accepted = 0 where kind = 'songs'"]
    ],
    ("staging_files", "files_have_lines"): [
        [
            "update {run}.staging_files set lines = 0, accepted = 0 where kind = 'events'",
            "delete from {run}.staging_events",
        ]
    ],
    ("staging_files", "no_line_is_rejected"): [
        ["update {run}.staging_files set lines = lines + 1, rejected = 1 where kind = 'events'"]
    ],
    ("staging_files", "no_value_is_cut"): [
        ["update {run}.staging_files set cut_values = 1 where kind = 'events'"]
    ],
    ("staging_files", "no_field_is_unknown"): [
        ["update {run}.staging_files set unknown_fields = 'device' where kind = 'events'"]
    ],
    ("staging_events", "all_is_staged"): [
        [f"delete from {{run}}.staging_events where {rows}"]
        for rows in ("page = 'Home'", "source_key like '%more%'")
    ],
    ("staging_events", "one_row_per_line"): [
        ["update {run}.staging_events set line_number = 1 where line_number = 2"]
    ],
    ("staging_events", "start_time_is_ts"): [
        ["update {run}.staging_events set ts = ts + 1000 where line_number = 1"]
    ],
    ("staging_events", "level_is_known"): [
        ["update {run}.staging_events set level = 'gold' where line_number = 1"]
    ],
    ("staging_events", "plays_have_required_fields"): [
        [f"update {{run}}.staging_events set {column} = null where line_number = 1"]
        for column in ("user_id", "song", "artist", "length")
    ],
    ("staging_events", "events_are_of_their_files_day"): [
        ["update {run}.staging_events set file_date = date '2018-11-02' where line_number = 1"]
    ],
    ("staging_songs", "one_row_per_file"): [
        [
            copy("{run}.staging_songs", "song_id = 'SO2'", song_id="'SO9'"),
            "update {run}.staging_files set accepted = 2 where source_key like '%SO2.json'",
        ]
    ],
    ("staging_songs", "all_is_staged"): [["delete from {run}.staging_songs where song_id = 'SO2'"]],
    ("staging_songs", "songs_have_one_file"): [
        ["update {run}.staging_songs set song_id = 'SO1' where song_id = 'SO2'"]
    ],
    ("songplays", "every_play_is_there"): [
        ["delete from {run}.songplays where user_id = 2", "delete from {run}.time where hour = 13"],
        ["delete from {run}.songplays where user_id = 8"],
        ["delete from {run}.songplays where user_id = 1 and item_in_session = 1"],
        [copy("{run}.plays", "user_id = 2", user_id="3", line_number="99")],
    ],
    ("songplays", "one_row_per_play"): [[copy("{run}.songplays", "user_id = 2", songplay_id="md5('copy')")]],
    ("songplays", "one_row_per_songplay_id"): [
        [copy(f"{{run}}.{table}", "user_id = 2", session_id="99") for table in ("plays", "songplays")]
    ],
    ("songplays", "no_unexpected_rows"): [
        [copy("{run}.songplays", "user_id = 2", songplay_id="md5('copy')", **{column: "3"})]
        for column in ("session_id", "user_id", "item_in_session")
    ],
    ("songplays", "level_is_known"): [["update {run}.songplays set level = 'gold' where user_id = 2"]],
    ("songplays", "user_exists"): [["delete from {run}.users where user_id = 2"]],
    ("songplays", "moment_exists"): [["delete from {run}.time where hour = 13"]],
    ("songplays", "moments_have_plays"): [
        [copy("{run}.time", "hour = 13", start_time="timestamp '2018-11-01 15:00'", hour="15")]
    ],
    ("songplays", "song_exists"): [
        ["update {run}.songplays set song_id = 'SO9' where song_id = 'SO1'"],
        ["update {run}.songs set title = 'New' where song_id = 'SO1'"],
        *(
            [f"update {{run}}.songplays set {change} where song_id = '{song_id}'"]
            for song_id in ("SO1", "SO6")  # of the run, and of an earlier one
            for change in ("song_id = 'SO2'", "artist_id = 'AR2'", "song = 'X'", "artist = 'X'", "length = 1")
        ),
    ],
    ("songplays", "session_item_is_unique"): [
        [
            f"update {{run}}.{table} set session_id = 1, item_in_session = 0 where user_id = 2"
            for table in ("plays", "songplays")
        ]
    ],
    ("songplays", "plays_are_delivered_once"): [[copy("{run}.plays", "user_id = 2", line_number="99")]],
    ("songplays", "volume_is_as_usual"): [
        [
            copy(
                "{s}.songplays",
                "user_id = 7",
                20,
                songplay_id=f"md5('{week}' || n.n)",
                start_time=f"dateadd(day, -{week * 7}, timestamp '2018-11-01 12:00')",
            )
            for week in (1, 2)
        ]
    ],
    ("songplays", "match_rate_is_as_usual"): [
        [
            copy(
                "{s}.songplays",
                "user_id = 7",
                1000,
                songplay_id="md5('before' || n.n)",
                song_id="'SO1'",
                start_time="timestamp '2018-10-31 12:00'",
            ),
            *plays_and_songplays("user_id = 2", 100, item_in_session="100 + n.n"),
            "update {run}.songplays set song_id = null, artist_id = null",
        ]
    ],
    ("songplays", "days_have_plays"): [
        ["update {run}.staging_files set file_date = date '2018-11-05' where kind = 'events'"]
    ],
    ("users", "one_row_per_user"): [["insert into {run}.users select * from {run}.users where user_id = 2"]],
    ("users", "level_is_known"): [["update {run}.users set level = 'gold' where user_id = 2"]],
    ("users", "latest_play_wins"): [
        ["delete from {run}.users where user_id = 2"],
        ["update {run}.users set updated_at = timestamp '2018-11-01' where user_id = 3"],
    ],
    ("users", "names_are_given"): [
        [f"update {{run}}.users set {column} = {value} where user_id = 2"]
        for column in ("first_name", "last_name")
        for value in ("''", "null")
    ],
    ("songs", "one_row_per_song"): [
        ["insert into {run}.songs select * from {run}.songs where song_id = 'SO2'"]
    ],
    ("songs", "duration_is_not_negative"): [["update {run}.songs set duration = -1 where song_id = 'SO2'"]],
    ("songs", "every_artist_is_there"): [
        [
            "delete from {run}.artists where artist_id = 'AR2'",
            "update {run}.songs set artist_id = 'AR1' where song_id = 'SO2'",
        ]
    ],
    ("songs", "every_song_is_there"): [["delete from {run}.songs where song_id = 'SO2'"]],
    ("songs", "artist_exists"): [["update {run}.songs set artist_id = 'AR9' where song_id = 'SO2'"]],
    ("songs", "year_is_sane"): [
        [f"update {{run}}.songs set year = {year} where song_id = 'SO2'"] for year in (1859, 1)
    ],
    ("artists", "coordinates_come_in_pairs"): [
        [f"update {{run}}.artists set {column} = null where artist_id = 'AR1'"]
        for column in ("latitude", "longitude")
    ],
}
# The checks as they were decided: one that is lost, or made milder or stricter, is a mistake.
COLUMNS_THAT_FAIL = {
    "artists": "artist_id.unique_check latitude.min latitude.max longitude.min longitude.max",
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


def column_spoiler(check: checks.Check) -> list[str]:
    """How one value of a column is spoiled so that its check fails."""
    column, kind = check.name.split(".")
    bound = checks.declaration(check.table)["columns"][column][kind]
    table = f"{{run}}.{check.table}"
    one = f"where {column} = (select min({column}) from {table})"
    if kind == "unique_check":
        return [f"insert into {table} select * from {table} {one}"]
    return [
        f"update {table} set {column} = {bound['geq_to'] - 1 if kind == 'min' else bound['leq_to'] + 1} {one}"
    ]


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
        world.build(self.context)
        self.audit()
        self.passed = dict(self.context["pushed"])
        self.published = world.state()
        self.run, self.keep = world.run_schema(self.context), f"{world.schema}_keep"
        self._keep()

    def audit(self) -> None:
        """Do what the check tasks do, until one fails."""
        self.world.audit(self.context, "audit_staging", tables.STAGING)
        self.world.audit_star(self.context)

    def audit_table(self, table: str) -> None:
        """Do what the check tasks of a table do."""
        task, names = f"audit_star.{table}", [table]
        if table in tables.STAGING:
            task, names = "audit_staging", tables.STAGING
        self.world.audit(self.context, task, names)

    def failing(self, table: str, severity: str) -> dict[str, checks.Result]:
        """The failing checks of a table by name, as `publish` runs them on candidates that it derives again."""
        some = [check for check in checks.all_checks([table]) if check.severity == severity]
        results = warehouse.transaction(lambda cursor: checks.run_checks(cursor, self.context, some), "check")
        assert len(results) == len(some)
        return {result.check.name: result for result in results if result.failing}

    def warnings(self) -> list[checks.Result]:
        """The results of the checks that do not stop a run."""
        return warehouse.transaction(lambda cursor: checks.warnings(cursor, self.context), "warn")

    def recorded(self) -> dict[tuple[str, str], types.SimpleNamespace]:
        """The results in quality_results by (table, check)."""
        rows = self.world.rows(
            "select table_name, check_name, severity, actual, passed, sample from {o}.quality_results "
            f"where run_id = '{self.context['run_id']}'"
        )
        names = ("severity", "actual", "passed", "sample")
        return {(t, c): types.SimpleNamespace(**dict(zip(names, rest, strict=True))) for t, c, *rest in rows}

    def _keep(self) -> None:
        """Copies to restore from; and candidates without NOT NULL, which would be in the way of spoiling them."""
        found = self.world.rows(
            "select table_schema, table_name from information_schema.tables "
            f"where table_schema in ('{self.run}', '{{s}}')"
        )

        def keep(cursor) -> None:
            cursor.execute(f"create schema {self.keep}")
            for schema, table in found:
                kept = f"{self.keep}.{table}_{'run' if schema == self.run else 'star'}"
                cursor.execute(f"create table {kept} as select * from {schema}.{table}")
                if schema == self.run:
                    cursor.execute(f"drop table {schema}.{table}")
                    cursor.execute(f"create table {schema}.{table} as select * from {kept}")

        warehouse.transaction(keep, "keep copies")

    def spoil(self, spoilers: list[str]) -> set[str]:
        """Change the rows; the tables changed."""
        statements = [sql.replace("{run}", self.run).replace("{s}", self.world.schema) for sql in spoilers]

        def work(cursor) -> None:
            cursor.execute(f"delete from {self.world.schema}_ops.quality_results")
            for sql in statements:
                cursor.execute(sql)
                assert cursor.rowcount > 0, sql

        warehouse.transaction(work, "spoil")
        return {re.match(r"(?:update|delete from|insert into) (\S+)", sql)[1] for sql in statements}

    def restore(self, tables: set[str]) -> None:
        def work(cursor) -> None:
            for name in tables:
                schema, table = name.split(".")
                kept = f"{self.keep}.{table}_{'run' if schema == self.run else 'star'}"
                cursor.execute(f"delete from {name}")
                cursor.execute(f"insert into {name} select * from {kept}")

        warehouse.transaction(work, "restore")
        self.context["pushed"].clear()
        self.context["pushed"].update(self.passed)


@pytest.fixture(scope="module")
def built(new_world):
    return Sound(new_world())


@pytest.fixture
def sound(built, enter, monkeypatch):
    """The sound run; changes that a test makes by `spoil` are undone afterwards."""
    enter(built.world, delete_threshold=0.1)
    touched: set[str] = set()
    spoil = built.spoil
    monkeypatch.setattr(built, "spoil", lambda spoilers: touched.update(spoil(spoilers)))
    yield built
    built.restore(touched)


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

    # As `publish` runs it under the lock ...
    failing = sound.failing(check.table, check.severity)
    assert list(failing) == [check.name]
    sample = failing[check.name].sample
    assert sample and all(json.loads(line) for line in sample.splitlines())
    # ... and as its task, or `publish`, runs it before.
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
    assert result.actual == f"{failing[check.name].failing} failing rows"


NO_OTHERS = "delete from {s}.songplays where user_id = 7 and trunc(start_time) = date '2018-10-30'"


def history(at: str, number: int, song_id: str = "'SO1'") -> str:
    """So many plays at a moment, published before the run."""
    return copy(
        "{s}.songplays",
        "user_id = 7",
        number,
        songplay_id=f"md5('{at}' || coalesce({song_id}, '') || n.n)",
        song_id=song_id,
        start_time=f"timestamp '{at}'",
    )


def plays_107(matched: int = 0) -> list[str]:
    """A run with 107 plays of which so many have a song."""
    return [
        *plays_and_songplays("user_id = 2", 99, item_in_session="100 + n.n"),
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
    **{
        f"plays of the file's day: {moment}": ("days_have_plays", moved(moment, "user_id > 0"), passed)
        for moment, passed in {
            "2018-10-31 23:59:59.999": False,
            "2018-11-01": True,
            "2018-11-01 23:59:59.999": True,
            "2018-11-02": False,
        }.items()
    },
}


@pytest.mark.parametrize(("name", "spoilers", "passed"), USUAL.values(), ids=USUAL)
def test_the_bounds_of_what_is_usual(sound, name, spoilers, passed):
    sound.spoil(spoilers)

    assert (name not in sound.failing("songplays", "warn")) == passed


def test_lines_at_the_bounds_of_their_day_pass_every_check(fresh):
    world, midnight = fresh(), datetime(2018, 11, 1)
    moments = [midnight, midnight + timedelta(days=1, milliseconds=-1)]
    world.log("2018-11-01", *(event(moment, item=item) for item, moment in enumerate(moments)))

    world.load("2018-11-01")

    assert world.items() == [0, 1]
    assert world.warnings() == {}


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
    """The stock operators would pass it: over no row every check of a column holds."""
    sound.spoil([f"delete from {{run}}.{table}"])

    with pytest.raises(DataError, match="failing rows"):
        sound.audit()

    assert sound.world.state() == sound.published


def test_the_match_rate_passes_while_plays_find_their_song_as_before(sound):
    *same_rate, _ = SPOILERS["songplays", "match_rate_is_as_usual"][0]
    sound.spoil(same_rate)

    assert "match_rate_is_as_usual" not in sound.failing("songplays", "warn")


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
