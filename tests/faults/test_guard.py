"""Test the guard of `publish`: among the rows that the run may have changed, no two share a key."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from include.sparkify import tables
from include.sparkify.errors import DataError
from include.sparkify.redshift import warehouse
from tests.world import event, song

MIDNIGHT = datetime(2018, 11, 1)
LOG, SONG = "log_data/2018/11/2018-11-01-events.json", "song_data/A/A/A/TRSO1.json"
# Cases that duplicate the row of the first play of the day, which every table contains: the keys in the message, and
# the SQL.
TWICE = {
    "songplays": (
        "songplays: [0-9a-f]{32}",
        ["insert into {run}.songplays select * from {run}.songplays where user_id = 1"],
    ),
    "events": (
        f"events: {LOG} 1",
        [
            "delete from {run}.staging_events where user_id = 2",
            "insert into {run}.staging_events select * from {run}.staging_events where user_id = 1",
        ],
    ),
    "time": (
        "time: 2018-11-01 00:00:00",
        ["insert into {run}.time select * from {run}.time where hour = 0"],
    ),
    "users": ("users: 1", ["insert into {run}.users select * from {run}.users where user_id = 1"]),
    "songs": ("songs: SO1", ["insert into {run}.songs select * from {run}.songs where song_id = 'SO1'"]),
    "artists": (
        "artists: AR1",
        ["insert into {run}.artists select * from {run}.artists where artist_id = 'AR1'"],
    ),
    # The number of staged rows stays the same, so that no other check fails.
    "song_files": (
        f"song_files: {SONG}",
        [
            "delete from {run}.staging_songs where song_id = 'SO2'",
            "insert into {run}.staging_songs select * from {run}.staging_songs where song_id = 'SO1'",
        ],
    ),
    "loaded_files of a log file": (
        f"events: {LOG} 1; events: {LOG} 2; loaded_files: {LOG}",
        [
            "delete from {run}.staging_files where source_key like '%%SO2.json'",
            f"insert into {{run}}.staging_files select * from {{run}}.staging_files where source_key = '{LOG}'",
        ],
    ),
    "loaded_files of a song file": (
        f"song_files: {SONG}; loaded_files: {SONG}",
        [
            "delete from {run}.staging_files where source_key like '%%SO2.json'",
            f"insert into {{run}}.staging_files select * from {{run}}.staging_files where source_key = '{SONG}'",
        ],
    ),
}


@pytest.fixture
def ready(fresh):
    """Return a run of a day with two songs that is ready to be published, in a star that has rows of other runs."""
    world = fresh()
    for number in (8, 9):
        world.song(song(f"SO{number}", f"T{number}", artist_id=f"AR{number}"))
    for days, user in ((-1, 8), (1, 9)):
        day = MIDNIGHT + timedelta(days=days)
        world.log(f"{day:%Y-%m-%d}", event(day, user))
    world.load("2018-10-31", "2018-11-03", audited=False)
    for number in (1, 2):
        world.song(song(f"SO{number}", f"T{number}", artist_id=f"AR{number}"))
    world.log("2018-11-01", event(MIDNIGHT, 1), event(MIDNIGHT + timedelta(hours=1), 2))
    return world, world.prepare("2018-11-01", "2018-11-02")


def change(world, context, statements: list[str]) -> None:
    def work(cursor) -> None:
        for statement in statements:
            names = {"run": world.run_schema(context), "s": world.schema, "o": f"{world.schema}_ops"}
            cursor.execute(statement.format(**names).replace("%%", "%"))
            assert cursor.rowcount == 1, statement

    warehouse.transaction(work, "change")


@pytest.mark.parametrize(("named", "statements"), TWICE.values(), ids=TWICE)
def test_a_key_that_would_be_published_twice_stops_the_run_and_is_named(ready, named, statements):
    world, context = ready
    before = world.state()
    change(world, context, statements)

    with pytest.raises(DataError, match=rf"nothing was changed\. {named}\. Next: clear the task `plan`"):
        world.publish(context)

    assert world.state() == before


def test_every_published_table_with_a_key_of_its_own_is_guarded():
    """Without a guard, duplicate rows of a new table would not be detected."""
    guarded = {table.name: table.key for table in tables.guarded()}

    # The key of changed_days begins with the version, which is new in every run.
    assert set(tables.PUBLISH) - set(guarded) == {"changed_days"}
    for name, key in guarded.items():
        assert ", ".join(key) == tables.published(name).key


def test_the_guard_groups_by_expressions():
    """Redshift may drop a GROUP BY on declared keys, and gives `CHAR || CHAR` another length than VARCHAR."""
    for table in tables.guarded():
        assert table.text.count("::varchar") == len(table.key)
        assert " || '" in table.text


def test_keys_of_the_days_and_files_of_other_runs_are_not_asked_for(ready):
    """The guard's cost depends on the new data only, and a run that it stops can correct the rows that it finds."""
    world, context = ready
    for user in (8, 9):
        change(
            world,
            context,
            [
                f"insert into {{s}}.songplays select * from {{s}}.songplays where user_id = {user}",
                f"insert into {{s}}.events select * from {{s}}.events where user_id = {user}",
                f"insert into {{s}}.users select * from {{s}}.users where user_id = {user}",
                f"insert into {{s}}.time select * from {{s}}.time where day = {31 if user == 8 else 2}",
                f"insert into {{s}}.songs select * from {{s}}.songs where song_id = 'SO{user}'",
                f"insert into {{s}}.artists select * from {{s}}.artists where artist_id = 'AR{user}'",
                f"insert into {{s}}.song_files select * from {{s}}.song_files where song_id = 'SO{user}'",
                "insert into {o}.loaded_files select * from {o}.loaded_files "
                f"where source_key like '%SO{user}.json'",
            ],
        )

    world.publish(context)

    assert world.count("songplays", "user_id in (1, 2)") == 2
