"""Test the bounds of the checks that compare a run with the weeks before it."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest

from include.sparkify.errors import DataError
from include.sparkify.redshift import warehouse
from include.sparkify.tasks import checks
from tests.faults.spoilers import SPOILERS, copy, plays_and_songplays
from tests.world import event, song

D1 = datetime(2018, 11, 1, 12)
NO_OTHERS = "delete from {s}.songplays where user_id = 7 and trunc(start_time) = date '2018-10-30'"


def history(at: str, number: int, song_id: str = "'SO1'") -> str:
    """Return SQL that adds ``number`` plays at the time ``at`` to the star."""
    return copy(
        "{s}.songplays",
        "user_id = 7",
        number,
        songplay_id=f"md5('{at}' || coalesce({song_id}, '') || n.n)",
        song_id=song_id,
        start_time=f"timestamp '{at}'",
    )


def plays_107(matched: int = 0) -> list[str]:
    """Return SQL for a run with 107 plays, ``matched`` of them with a song."""
    return [
        *plays_and_songplays("user_id = 2", 99, item_in_session="100 + n.n"),
        "update {run}.songplays set song_id = null, artist_id = null",
        *(
            f"update {{run}}.songplays set song_id = 'SO1', artist_id = 'AR1' where item_in_session = {100 + n}"
            for n in range(1, matched + 1)
        ),
    ]


def usual_107(matched: int) -> list[str]:
    """Return SQL for 107 plays before the run, ``matched`` of them with a song."""
    return [
        history("2018-10-20", matched),
        history("2018-10-20", 107 - matched, "null"),
        NO_OTHERS,
    ]


def moved(moment: str, where: str) -> list[str]:
    """Return SQL that moves the run's plays to another moment."""
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
    "matches as before": (
        "match_rate_is_as_usual",
        SPOILERS["songplays", "match_rate_is_as_usual"][0][:-1],
        True,
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


@pytest.mark.finding("D7")
@pytest.mark.parametrize(("name", "spoilers", "passed"), USUAL.values(), ids=USUAL)
def test_the_bounds_of_what_is_usual(sound, name, spoilers, passed):
    sound.spoil(spoilers)

    assert (name not in sound.failing("songplays", "warn")) == passed


# By loads ---------------------------------------------------------------------------------------------


@pytest.fixture
def three_thursdays(fresh):
    """Return a world with ten plays on each of three Thursdays."""
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
    """A comparison needs more than one earlier week."""
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
