"""Test that the notifier sends the run, interval, failed check and log URL to a topic, and nothing without a topic."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime

import pytest
import redshift_connector

from include.sparkify.errors import DataError
from include.sparkify.tasks import checks, notify
from local.home import AIRFLOW
from tests import dag_processor
from tests.running import DAGS, as_scheduled, create_run, dag_of
from tests.world import event

ERROR = (
    "the star is unchanged; failed: songplays.level_is_known (fail): level is free or paid; 1 failing row:\n"
    '{"songplay_id":"abc","level":"gold"}'
)


@pytest.fixture
def topic(local_redshift):
    """Yield the ARN of a topic, and a function that returns the messages in a queue that is subscribed to it."""
    sns, sqs = local_redshift.client("sns"), local_redshift.client("sqs")
    arn = sns.create_topic(Name="failures")["TopicArn"]
    queue = sqs.create_queue(QueueName="failures")["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
    sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=attributes["QueueArn"])

    def received():
        messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        return [json.loads(message["Body"]) for message in messages]

    yield arn, received
    sqs.delete_queue(QueueUrl=queue)
    sns.delete_topic(TopicArn=arn)


def context_of(world, dag, run_id=""):
    context = world.context("2018-11-01", "2018-11-02", run_id=run_id)
    context |= {"dag": dag, "exception": DataError(ERROR)}
    vars(context["ti"]).update(
        dag_id="sparkify", task_id="audit_star.rows", try_number=1, log_url="http://localhost:8080/log"
    )
    return context


def kept(context):
    return context["pushed"].get(("", notify.FAILURE))


@pytest.mark.finding("G4")
def test_the_topic_is_told(make_world, topic, sparkify):
    arn, received = topic
    context = context_of(make_world(failure_topic_arn=arn), sparkify, "manual__" + "x" * 150)
    notify.failure(context)

    (message,) = received()
    assert message["Subject"].startswith("Failed: sparkify audit_star.rows manual__x")
    for words in (
        context["run_id"],
        "[2018-11-01T00:00:00, 2018-11-02T00:00:00)",
        "songplays.level_is_known",
        "http://localhost:8080/log",
        "After 10 failed runs in a row, Airflow pauses the DAG",
    ):
        assert words in message["Message"]
    assert "abc" not in message["Message"], "rows of the warehouse stay out of mailboxes"
    assert kept(context) == ERROR


def test_without_a_topic_nothing_is_sent(make_world, topic, sparkify):
    _, received = topic
    context = context_of(make_world(), sparkify)
    notify.failure(context)
    assert received() == []
    assert kept(context) == ERROR


@pytest.mark.finding("F5", "G9")
@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("timed_out", ["has reached its time limit"]),
        ("all_tasks_deadlocked", ["cannot continue (all_tasks_deadlocked)"]),
        ("task_failure", []),
    ],
)
def test_a_run_that_ends_without_a_failed_task_is_told(make_world, topic, reason, said):
    arn, received = topic
    make_world(failure_topic_arn=arn)
    for dag in map(dag_of, sorted(path.stem for path in DAGS.glob("*.py"))):
        found = dag.on_failure_callback
        (callback,) = found if isinstance(found, list) else [found]
        callback({"reason": reason, "dag": dag, "run_id": "manual__1"})
        messages = received()
        assert [message["Subject"] for message in messages] == [f"Ended: {dag.dag_id} manual__1"] * len(said)
        assert all(words in message["Message"] for words in said for message in messages)


@pytest.mark.skipif(
    AIRFLOW == 2,
    reason="Airflow 2 gives these callbacks a whole context, an exception, and access to the database",
)
@pytest.mark.finding("G1", "G9")
def test_of_workers_that_died_and_a_run_that_ended_without_a_task_left_it_is_told(
    make_world, topic, sparkify
):
    """The task process has ended, so Airflow 3 runs the callbacks in its DAG processor, where an XCom push hangs."""
    from airflow.utils.session import create_session

    arn, received = topic
    make_world(failure_topic_arn=arn)
    with create_session() as session:
        run = create_run(as_scheduled(sparkify), datetime(2018, 11, 2, tzinfo=UTC), session, "late")
        requests = [run.produce_dag_callback(dag=sparkify, success=False, reason="timed_out")]
        for task_id in ("plan", "audit_staging"):
            instance = run.get_task_instance(task_id, session=session)
            instance.state, instance.try_number = "running", instance.max_tries + 1
            requests.append(dag_processor.of_dead_worker(instance, session))
        session.rollback()

    dag_processor.run_callbacks("sparkify", *requests)
    told = {message["Subject"]: message["Message"] for message in received()}
    assert told.keys() == {
        "Ended: sparkify late",
        "Failed: sparkify plan late",
        "Failed: sparkify audit_staging late",
    }
    assert "has reached its time limit" in told["Ended: sparkify late"]


def test_every_task_has_it(sparkify, reports):
    for dag in (sparkify, reports):
        for task in dag.tasks:
            # Airflow 3 puts the callback into a list.
            found = task.on_failure_callback
            (callback,) = found if isinstance(found, list) else [found]
            # A check task's callback records its results first.
            function = getattr(callback, "func", callback)
            assert function in (notify.failure, checks.record_failed), task.task_id


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            {"S": "ERROR", "C": "22012", "M": "division by zero", "D": "Ada Lovelace"},
            "could not run audit_star.rows: division by zero (SQLSTATE 22012). Next: find the statement in the log",
        ),
        (
            {"S": "ERROR", "C": "3F000", "M": 'schema "sparkify_run_1_0123456789ab" does not exist'},
            "the run has ended, and its schema was dropped. Next: clear the task `plan`",
        ),
        (
            {"S": "ERROR", "C": "57014", "M": "Query cancelled on user's request"},
            "or resize the cluster.\nLocks at this moment: ",
        ),
    ],
    ids=["statement", "ended run", "canceled"],
)
def test_the_error_of_an_operator_gets_a_next_step(world, sparkify, answer, said):
    context = context_of(world, sparkify)
    context["exception"] = redshift_connector.ProgrammingError(answer)

    notify.failure(context)

    assert said in kept(context)
    assert "Ada" not in kept(context), "the detail of an error may have values of a row"


def test_a_failed_copy_is_told_with_its_reason(world, sparkify):
    context = context_of(world, sparkify)
    world.log("2018-11-01", event(datetime(2018, 11, 1, 10), 1))
    world.create_tables()
    world.validate(context, world.plan(context))
    world.open_run(context)
    (piece,) = (
        found["Key"]
        for found in world.s3.list_objects_v2(Bucket=world.work)["Contents"]
        if "events" in found["Key"] and found["Key"].endswith(".gz")
    )
    world.s3.put_object(Bucket=world.work, Key=piece, Body=gzip.compress(b"{}\n"))
    with pytest.raises(redshift_connector.Error) as failed:
        world.copy(context)
    context["exception"] = failed.value
    # The manifests are directly below the prefix of the run.
    context["task"].s3_key = "/".join([*piece.split("/")[:3], "x.manifest"])

    notify.failure(context)

    assert f"{piece} line 1, column source_key: Missing data for not-null field" in kept(context)
