"""Test the table `places` in a copy of the project to which the recipe for a dimension (CONTRIBUTING.md) adds it."""

from __future__ import annotations

from datetime import datetime

import pytest

from include.sparkify.errors import DataError
from include.sparkify.redshift import warehouse
from tests.world import event

DAY, NEXT = datetime(2018, 11, 1, 12), datetime(2018, 11, 2, 12)


def places(world) -> list[tuple]:
    return world.rows("select location, city, states, first_play, last_play from {s}.places order by 1")


def test_places_follow_the_plays_that_come_change_and_go(world):
    world.log("2018-11-01", event(DAY, location="Paris, TX"), event(DAY, item=1, location="Springfield, ST"))
    world.log("2018-11-02", event(NEXT, location="Paris, TX"))

    world.load("2018-11-01", "2018-11-03")
    assert places(world) == [
        ("Paris, TX", "Paris", "TX", DAY, NEXT),
        ("Springfield, ST", "Springfield", "ST", DAY, DAY),
    ]

    world.log("2018-11-01", event(DAY, location="Oslo, NO"))
    world.load("2018-11-01", "2018-11-02")
    assert places(world) == [("Oslo, NO", "Oslo", "NO", DAY, DAY), ("Paris, TX", "Paris", "TX", NEXT, NEXT)]


def test_a_place_that_would_be_published_twice_stops_the_run(world):
    world.log("2018-11-01", event(DAY))
    world.create_tables()
    context = world.prepare("2018-11-01", "2018-11-02")
    run = world.run_schema(context)
    warehouse.transaction(
        lambda cursor: cursor.execute(f"insert into {run}.places select * from {run}.places"), "spoil"
    )

    with pytest.raises(DataError, match="places: Springfield, ST"):
        world.publish(context)
