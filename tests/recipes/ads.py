"""Test the feed `ads` in a copy of the project to which the recipe for a source (CONTRIBUTING.md) adds it."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from include.sparkify.errors import DataError
from include.sparkify.redshift import warehouse
from include.sparkify.tasks import checks
from tests.world import event

DAY = datetime(2018, 11, 1, 12)
KEY = "ad_data/2018/11/2018-11-01-ads.json"


def ad(number: int, **more: object) -> str:
    ts = int(DAY.replace(tzinfo=UTC).timestamp() * 1000)
    return json.dumps({"adId": f"AD{number}", "userId": "7", "ts": ts, "price": 0.25} | more)


def deliver(world, *lines: str) -> None:
    world.put(KEY, "\n".join(lines).encode())


def ads(world) -> list[tuple]:
    return world.rows(
        "select ad_id, user_id, start_time, price::varchar, line_number from {s}.ads order by 1"
    )


def test_ads_are_loaded_with_the_day_and_replaced_with_their_file(world):
    world.log("2018-11-01", event(DAY))
    deliver(world, ad(1), ad(2, price=None))
    world.load("2018-11-01", "2018-11-02")
    assert ads(world) == [("AD1", 7, DAY, "0.25000", 1), ("AD2", 7, DAY, None, 2)]

    deliver(world, ad(3))
    world.load("2018-11-01", "2018-11-02")
    assert ads(world) == [("AD3", 7, DAY, "0.25000", 1)]
    assert world.rows("select kind, first_event from {o}.loaded_files where source_key = '" + KEY + "'") == [
        ("ads", DAY)
    ]
    assert world.count("songplays") == 1

    world.delete(KEY)
    world.load(mode="full_refresh")
    assert ads(world) == []


def test_a_deployed_warehouse_gets_the_table_with_the_next_run(world):
    world.log("2018-11-01", event(DAY))
    world.load("2018-11-01", "2018-11-02")
    warehouse.transaction(lambda cursor: cursor.execute(f"drop table {world.schema}.ads"), "go back")
    deliver(world, ad(1))

    world.load("2018-11-01", "2018-11-02")

    assert ads(world) == [("AD1", 7, DAY, "0.25000", 1)]


@pytest.mark.parametrize(
    ("spoiler", "message"),
    [
        ("delete from {run}.staging_ads", "staging_files.all_is_staged"),
        ("update {run}.staging_ads set line_number = 1", f"ads: {KEY} 1"),
    ],
    ids=["audited", "guarded"],
)
def test_lost_lines_fail_the_audit_and_doubled_keys_the_guard(world, spoiler, message):
    world.log("2018-11-01", event(DAY))
    deliver(world, ad(1), ad(2))
    world.create_tables()
    context = world.context("2018-11-01", "2018-11-02")
    world.stage(context)
    statement = spoiler.format(run=world.run_schema(context))
    warehouse.transaction(lambda cursor: cursor.execute(statement), "spoil")

    with pytest.raises(DataError, match=message):
        world.audit(context, "audit_staging", checks.STAGING)
        world.build(context)
        world.audit_star(context)
        world.publish(context)
