"""What a load makes of its input, on small cases."""

from datetime import datetime

import pytest
from airflow.exceptions import AirflowSkipException

from tests.world import event, song

D1 = datetime(2018, 11, 1, 12)
D2 = datetime(2018, 11, 2, 12)


def test_a_day_becomes_a_star(world):
    world.song(song("SO1", "Song", "Artist", 200.5))
    world.log(
        "2018-11-01",
        event(D1, user=7, item=1),
        event(D1, user=8, session=2, song="Other"),
        event(D1, user=None, page="Home", artist=None, song=None, length=None),
    )
    world.load("2018-11-01", "2018-11-02")

    assert world.rows(
        "select start_time, user_id, level, song_id, artist_id, session_id, item_in_session, song, length "
        "from {s}.songplays order by user_id"
    ) == [
        (D1, 7, "free", "SO1", "AR1", 1, 1, "Song", pytest.approx(200.5)),
        (D1, 8, "free", None, None, 2, 0, "Other", pytest.approx(200.5)),
    ]
    assert world.rows("select * from {s}.time") == [(D1, 12, 1, 44, 11, 2018, 4)]
    assert world.rows("select user_id, first_name, updated_at from {s}.users order by 1") == [
        (7, "First7", D1),
        (8, "First8", D1),
    ]
    assert world.count("events") == 3


def test_nothing_new_is_skipped_and_changes_nothing(world):
    world.log("2018-11-01", event(D1))
    world.load("2018-11-01", "2018-11-02")
    before = world.state()
    with pytest.raises(AirflowSkipException, match="nothing is new"):
        world.load("2018-11-01", "2018-11-02")
    world.load("2018-11-01", "2018-11-02", mode="reload")
    assert world.state() == before
