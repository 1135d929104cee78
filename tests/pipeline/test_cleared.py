"""Tasks cleared in a run that has ended: the run starts over, or a message says what to clear."""

from __future__ import annotations

from datetime import datetime

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from include.sparkify.files import chunks
from tests import running
from tests.world import event, song

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        AIRFLOW_V_3_0_PLUS, reason="no loop of Airflow 3 runs a cleared run without a scheduler"
    ),
]


@pytest.fixture
def dag(airflow_database):
    return running.dag_of("sparkify")


@pytest.mark.parametrize("left", [1, 2, 4])
@pytest.mark.finding("F4")
def test_a_run_that_is_cleared_may_have_fewer_or_more_chunks(dag, world, monkeypatch, left):
    """Airflow 2 never starts a task after a mapped one that has fewer instances than in the earlier try."""
    monkeypatch.setattr(chunks, "CHUNK_FILES", 1)
    world.log("2018-11-01", event(datetime(2018, 11, 1, 12)))
    files = [world.song(song(f"SO{number}")) for number in range(2)]
    copy = dag.get_task("stage.staging_songs")
    with monkeypatch.context() as patch:
        patch.setattr(copy, "pre_execute", _fail)
        state, tasks = running.run(dag, start="2018-11-01", end="2018-11-02")
    assert (state, tasks["open_run"], tasks["stage.staging_songs"]) == ("failed", "success", "failed")
    for number in range(left - 1, 2):
        world.delete(files[number])
    for number in range(2, left - 1):
        world.song(song(f"SO{number}"))

    state, tasks = running.clear(dag, "plan")

    assert (state, tasks["publish"]) == ("success", "success")
    assert world.rows("select song_id from {s}.songs order by 1") == [(f"SO{n}",) for n in range(left - 1)]


def _fail(context):
    raise AirflowFailException("COPY failed")


@pytest.mark.parametrize(
    "task",
    [
        "stage.staging_files",
        "build.songs",
        "audit_star.rows",
        "audit_star.time_columns",
        "audit_staging",
        "publish",
    ],
)
@pytest.mark.finding("M2")
def test_a_task_that_is_cleared_on_its_own_says_what_to_clear(dag, world, task):
    world.log("2018-11-01", event(datetime(2018, 11, 1, 12)))
    assert running.run(dag, start="2018-11-01", end="2018-11-02")[0] == "success"
    before = world.state()

    _, tasks = running.clear(dag, task, downstream=False)

    assert tasks[task] == "failed"
    assert "clear the task `plan` with everything downstream" in running.failure(dag, task)
    assert world.state() == before
