"""Test concurrent runs: conflicts, rebuilt and reaudited tables, tries of one run, deployments that share a star."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest

from include.sparkify import tables
from include.sparkify.errors import DataError
from include.sparkify.files import chunks
from include.sparkify.redshift import warehouse
from include.sparkify.tasks import checks, publish, run
from tests.world import event, song

D2 = datetime(2018, 11, 2, 12)


def staged(world):
    """Return the context of a run of the second day that is ready to be published."""
    return world.prepare("2018-11-02", "2018-11-03")


def test_two_runs_of_one_interval_at_once_make_no_double(two_days):
    world = two_days
    start = threading.Barrier(2)

    def load(_):
        context = world.context("2018-11-02", "2018-11-03")
        world.stage(context)
        start.wait(30)
        world.build(context)
        world.pass_all(context)
        world.publish(context)
        world.close_run(context)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(load, range(2)))
    assert world.count("songplays") == 4
    assert world.count("loaded_files") == 3
    assert world.count("publish_log") == 3


def test_a_version_that_another_run_has_replaced_is_left_out(two_days):
    """The version that is no longer in the lake loses, not the one with the older LastModified."""
    world = two_days
    slow = staged(world)
    world.log("2018-11-02", event(D2, user=9))
    world.load("2018-11-02", "2018-11-03", audited=False)
    before = world.state()
    published = world.publish(slow)
    assert published["replaced"] == ["log_data/2018/11/2018-11-02-events.json"]
    with pytest.raises(DataError, match="another version.*run the interval again"):
        publish.check_complete(published)
    assert world.state() == before


@pytest.mark.finding("R1")
def test_a_version_that_another_run_has_refused_since_the_plan_stays_refused(two_days):
    world = two_days
    with pytest.raises(DataError, match="is refused"):
        world.log("2018-11-02", "not JSON", name="late")
        world.load("2018-11-02", "2018-11-03", audited=False)
    world.log("2018-11-02", event(D2, user=8), name="late")
    slow = staged(world)
    newer = world.log("2018-11-02", "not JSON either", name="late")
    with pytest.raises(DataError, match="is refused"):
        world.load("2018-11-02", "2018-11-03", audited=False)

    world.publish(slow)

    assert world.count("songplays", "user_id = 8") == 1
    assert world.rows("select source_key from {o}.refused_files") == [(newer,)]
    assert [row[:2] for row in world.rejected()] == [(newer, 1)]


@pytest.mark.parametrize("mode", ["load", "full_refresh"])
@pytest.mark.finding("F6")
def test_what_another_run_publishes_before_the_schema_is_created_is_not_taken_back(two_days, mode):
    """Validation takes long, so the version of the star at open_run may be newer than the one that the plan read."""
    world = two_days
    key = world.log("2018-11-02", event(D2, user=8), name="late")
    slow = world.context("2018-11-02", "2018-11-03")
    world.validate(slow, world.plan(slow))
    if mode == "load":
        world.log("2018-11-02", event(D2, user=9), name="late")
        world.load("2018-11-02", "2018-11-03", audited=False)
    else:
        world.delete(key)
        world.load(mode=mode, audited=False)
    before = world.state()
    world.build_validated(slow)
    assert world.publish(slow)["replaced"] == [key]
    assert world.state() == before


def test_a_file_that_leaves_the_lake_while_its_run_works_is_loaded_as_it_was_read(two_days):
    """Only a full refresh deletes the rows of such a file, regardless of what else is published in the meantime."""
    world = two_days
    slow = staged(world)
    world.log("2018-11-03", event(datetime(2018, 11, 3)))
    world.load("2018-11-03", "2018-11-04", audited=False)
    world.delete("log_data/2018/11/2018-11-02-events.json")

    assert world.publish(slow)["replaced"] == []
    assert world.count("songplays") == 5


@pytest.mark.finding("A7")
def test_of_several_files_those_that_a_full_refresh_dropped_are_left_out(two_days):
    world = two_days
    files = [world.log("2018-11-02", event(D2, item=item), name=f"{item}") for item in range(10, 16)]
    slow = staged(world)
    for file in files[::2]:
        world.delete(file)
    world.load(mode="full_refresh", audited=False)

    assert sorted(world.publish(slow)["replaced"]) == files[::2]
    played = world.rows("select item_in_session from {s}.songplays where item_in_session >= 10 order by 1")
    assert played == [(11,), (13,), (15,)]


# Concurrent runs that change the basis of the other's tables and checks -------------------------------------


@pytest.fixture
def overtaken(two_days):
    """Build a run whose plays match a song, and load another run that renames that song."""
    world = two_days
    world.song(song())
    world.load("2018-11-01", "2018-11-02", audited=False)
    world.log("2018-11-02", event(D2, user=9))
    slow = world.context("2018-11-02", "2018-11-03")
    world.stage(slow)
    world.audit(slow, "audit_staging", tables.STAGING)
    world.build(slow)
    assert world.rows(f"select song_id from {world.run_schema(slow)}.songplays") == [("SO1",)]
    world.song(song(title="Renamed"))
    world.load("2018-11-01", "2018-11-02", audited=False)
    return world, slow


@pytest.mark.finding("F1")
def test_a_song_that_another_run_corrects_after_the_build_fails_no_audit(overtaken):
    """Under the lock, the run rebuilds and reaudits the tables that it compares with the star."""
    world, slow = overtaken

    world.audit_star(slow)
    world.publish(slow)

    assert world.rows("select user_id, song_id from {s}.songplays order by 1") == [
        (1, None),
        (2, None),
        (9, None),
    ]
    kept = world.rows(
        f"select table_name, check_name from {{o}}.quality_results where run_id = '{slow['run_id']}' and passed"
    )
    assert set(kept) == {(check.table, check.name) for check in checks.all_checks()}


def test_a_check_that_compares_with_the_star_stops_a_run_that_no_other_has_overtaken(overtaken):
    world, slow = overtaken
    ((newest,),) = world.rows("select commit_id from {o}.publish_log order by version desc limit 1")
    slow["pushed"]["plan", "plan"]["commit_id"] = newest

    with pytest.raises(DataError, match="songplays.song_exists"):
        world.audit_star(slow)


@pytest.mark.parametrize(
    ("table", "spoiler", "failed"),
    [
        ("time", "delete from {run}.time", "songplays.moment_exists"),
        ("time", "insert into {run}.time select * from {run}.time", "time.start_time.unique_check"),
        ("users", "update {run}.users set level = 'gold'", "users.level_is_known"),
    ],
)
def test_candidates_that_are_rebuilt_and_fail_a_check_change_nothing(
    overtaken, monkeypatch, table, spoiler, failed
):
    world, slow = overtaken
    world.audit_star(slow)
    before = world.state(*tables.PUBLISHED)
    rendered = world.rendered

    def spoiled(folder, names, context=None):
        scripts = rendered(folder, names, context)
        if folder == "build":
            scripts[table] += f"\n{spoiler.format(run=world.run_schema(slow))};"
        return scripts

    monkeypatch.setattr(world, "rendered", spoiled)
    with pytest.raises(
        DataError,
        match=rf"rebuilt under the lock failed: {failed}[^{{]*clear the task `plan`",
    ):
        world.publish(slow)

    assert world.state(*tables.PUBLISHED) == before


def test_a_warning_about_candidates_that_are_rebuilt_is_kept(overtaken):
    world, slow = overtaken
    world.log("2018-11-02", event(D2, user=9, item=1), name="more")
    world.load("2018-11-02", "2018-11-03", audited=False)

    world.audit_star(slow)
    world.log("2018-11-02", event(D2, user=9, item=0), name="again")
    world.load("2018-11-02", "2018-11-03", audited=False)
    world.publish(slow)

    assert "songplays.plays_are_delivered_once" in world.warnings()


# Tries and deployments --------------------------------------------------------------------------------------


@pytest.mark.finding("W7")
def test_two_deployments_whose_runs_have_one_id_share_nothing(two_days):
    world, run_id = two_days, "scheduled__2018-11-02T00:00:00+00:00"
    ours, theirs = (world.context("2018-11-02", "2018-11-03", run_id=run_id) for _ in range(2))
    world.stage(ours)
    world.build(ours)
    world.pass_all(ours)
    # Their run begins with empty tables.
    world.validate(theirs, world.plan(theirs))
    world.open_run(theirs)

    world.publish(ours)
    world.close_run(ours)
    assert world.count("songplays") == world.count("events") == 4

    world.copy(theirs)
    world.build(theirs)
    world.pass_all(theirs)
    assert world.publish(theirs)["replaced"] == []
    world.close_run(theirs)
    assert (world.count("songplays"), world.count("loaded_files"), world.count("run_schemas")) == (4, 3, 0)


@pytest.mark.finding("W7")
def test_checks_that_passed_in_another_try_do_not_count(two_days):
    world = two_days
    context = staged(world)
    passed = dict(context["pushed"])
    world.stage(context)
    world.build(context)
    assert passed["audit_staging", checks.PASSED] == context["pushed"]["audit_staging", checks.PASSED]

    with pytest.raises(DataError, match="not passed in this run"):
        world.publish(context)


@pytest.mark.finding("F4")
def test_results_of_an_earlier_try_with_more_chunks_are_not_read(two_days, monkeypatch):
    """Airflow keeps these results."""
    monkeypatch.setattr(chunks, "CHUNK_FILES", 1)
    world = two_days
    refused = world.log("2018-11-02", "oops", name="refused")
    context = world.context("2018-11-02", "2018-11-03")
    world.validate(context, world.plan(context))
    earlier = list(context["pushed"]["validate", "return_value"])
    assert len(earlier) == 3
    world.delete(refused)
    world.validate(context, world.plan(context))
    context["pushed"]["validate", "return_value"] += earlier

    world.build_validated(context)
    publish.check_complete(world.publish(context))

    assert world.count("songplays") == 4
    assert world.count("loaded_files") == 3


def test_a_run_of_which_a_chunk_is_not_validated_is_not_opened(two_days, monkeypatch):
    monkeypatch.setattr(chunks, "CHUNK_FILES", 1)
    world = two_days
    context = world.context("2018-11-02", "2018-11-03")
    world.validate(context, world.plan(context)[:1])

    with pytest.raises(DataError, match="1 of 2 chunks of the plan are validated.*clear the task `plan`"):
        world.open_run(context)


def age(world, run_id: str, hours: int) -> None:
    """Age the schema of a run by ``hours``."""
    warehouse.transaction(
        lambda cursor: cursor.execute(
            f"update {world.schema}_ops.run_schemas set expires_at = dateadd(hour, -{hours}, expires_at) "
            f"where run_id = '{run_id}'"
        ),
        "age",
    )


@pytest.mark.finding("F3")
@pytest.mark.parametrize("limit", ["24", "72"])
def test_the_schema_of_a_run_is_swept_a_day_after_its_limit_whoever_sweeps(two_days, monkeypatch, limit):
    world = two_days
    dead = world.context("2018-11-02", "2018-11-03", run_id="dead")
    monkeypatch.setenv("SPARKIFY_RUN_HOURS", limit)
    world.stage(dead)
    schema = world.run_schema(dead)
    # Sweep as another deployment, whose runs are shorter.
    monkeypatch.setenv("SPARKIFY_RUN_HOURS", "1")

    age(world, "dead", hours=int(limit) + 23)
    assert run.sweep() == []
    age(world, "dead", hours=2)
    assert run.sweep() == [schema]
    assert world.rows(f"select count(*) from pg_catalog.pg_namespace where nspname = '{schema}'") == [(0,)]
    assert world.count("run_schemas") == 0


def test_a_run_that_opens_sweeps_the_schemas_of_dead_runs(two_days):
    world = two_days
    dead = world.context("2018-11-02", "2018-11-03", run_id="dead")
    world.stage(dead)
    age(world, "dead", hours=49)

    world.load("2018-11-02", "2018-11-03", audited=False)

    assert world.count("run_schemas") == 0


def test_a_task_of_a_run_without_a_plan_says_what_to_clear(two_days):
    """The tasks were cleared one by one, and Airflow has deleted the result of `plan`."""
    world = two_days
    context = staged(world)
    del context["pushed"]["plan", "plan"]

    with pytest.raises(
        DataError, match="the run has no plan, so nothing was published.*clear the task `plan`"
    ):
        publish.publish(context, [], set(), {}, {}, "")
    with pytest.raises(DataError, match="the run has no plan.*clear the task `plan`"):
        world.run_schema(context)
    world.close_run(context)
