"""Test that the notifier sends the run, interval, failed check and log URL to a topic, and nothing without a topic."""

from __future__ import annotations

import gzip
import json
import types
from datetime import UTC, datetime

import boto3
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

    def client(name):
        return boto3.client(
            name,
            endpoint_url=local_redshift.aws_endpoint,
            region_name="us-west-2",
            aws_access_key_id="local",
            aws_secret_access_key="local",
        )

    sns, sqs = client("sns"), client("sqs")
    arn = sns.create_topic(Name="failures")["TopicArn"]
    queue = sqs.create_queue(QueueName="failures")["QueueUrl"]
    queue_arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue_arn)

    def received():
        messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        return [json.loads(message["Body"]) for message in messages]

    yield arn, received
    sqs.delete_queue(QueueUrl=queue)
    sns.delete_topic(TopicArn=arn)


def context_of(world, dag):
    context = world.context("2018-11-01", "2018-11-02", run_id="manual__" + "x" * 150)
    kept = {}
    context["dag"] = dag
    context["exception"] = DataError(ERROR)
    context["ti"] = types.SimpleNamespace(
        dag_id="sparkify",
        task_id="audit_star.rows",
        try_number=1,
        log_url="http://localhost:8080/log",
        xcom_push=lambda key, value: kept.update({key: value}),
    )
    return context, kept


@pytest.mark.finding("G4")
def test_the_topic_is_told(make_world, topic, sparkify):
    arn, received = topic
    context, kept = context_of(make_world(failure_topic_arn=arn), sparkify)
    notify.failure(context)

    (message,) = received()
    assert message["Subject"].startswith("Failed: sparkify audit_star.rows manual__x")
    for word in (context["run_id"], "[2018-11-01T00:00:00, 2018-11-02T00:00:00)", "songplays.level_is_known"):
        assert word in message["Message"]
    assert "http://localhost:8080/log" in message["Message"]
    assert "After 10 failed runs in a row, Airflow pauses the DAG" in message["Message"]
    assert "abc" not in message["Message"], "rows of the warehouse stay out of mailboxes"
    assert kept == {notify.FAILURE: ERROR}


def test_without_a_topic_nothing_is_sent(make_world, topic, sparkify):
    _, received = topic
    context, kept = context_of(make_world(), sparkify)
    notify.failure(context)
    assert received() == []
    assert kept == {notify.FAILURE: ERROR}


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


@pytest.fixture
def create(sparkify, airflow_database):
    """Yield a function that creates a run that has not begun, and a session of Airflow's database."""
    from airflow.utils.session import create_session

    dag = as_scheduled(sparkify)
    with create_session() as session:
        yield lambda run_id: create_run(dag, datetime(2018, 11, 2, tzinfo=UTC), session, run_id), session
        session.rollback()


@pytest.mark.skipif(
    AIRFLOW == 2, reason="Airflow 2 gives these callbacks an exception, and access to the database"
)
@pytest.mark.finding("G1")
def test_a_worker_that_died_is_told(make_world, topic, create):
    """No task process is left, so Airflow 3 runs the callback in its DAG processor, where no XCom push returns."""
    arn, received = topic
    make_world(failure_topic_arn=arn)
    create_it, session = create
    run = create_it("dead")
    told = ("plan", "audit_staging")
    requests = []
    for task_id in told:
        instance = run.get_task_instance(task_id, session=session)
        instance.state, instance.try_number = "running", instance.max_tries + 1
        requests.append(dag_processor.of_dead_worker(instance, session))
    session.rollback()

    dag_processor.run_callbacks("sparkify", *requests)
    assert sorted(message["Subject"] for message in received()) == [
        f"Failed: sparkify {task_id} dead" for task_id in sorted(told)
    ]


@pytest.mark.skipif(AIRFLOW == 2, reason="Airflow 2 gives these callbacks a whole context")
@pytest.mark.finding("G9")
def test_a_run_that_is_ended_without_a_task_left_is_told(make_world, topic, create, sparkify):
    arn, received = topic
    make_world(failure_topic_arn=arn)
    create_it, session = create
    request = create_it("late").produce_dag_callback(dag=sparkify, success=False, reason="timed_out")
    session.rollback()

    dag_processor.run_callbacks("sparkify", request)
    (message,) = received()
    assert message["Subject"] == "Ended: sparkify late"
    assert "has reached its time limit" in message["Message"]


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
    ("answer", "kept"),
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
def test_the_error_of_an_operator_gets_a_next_step(world, sparkify, answer, kept):
    context, messages = context_of(world, sparkify)
    context["exception"] = redshift_connector.ProgrammingError(answer)

    notify.failure(context)

    assert kept in messages[notify.FAILURE]
    assert "Ada" not in messages[notify.FAILURE], "the detail of an error may have values of a row"


def test_a_failed_copy_is_told_with_its_reason(world, sparkify):
    context, kept = context_of(world, sparkify)
    world.log("2018-11-01", event(datetime(2018, 11, 1, 10), 1))
    world.create_tables()
    loading = world.context("2018-11-01", "2018-11-02")
    world.validate(loading, world.plan(loading))
    world.open_run(loading)
    (piece,) = (
        found["Key"]
        for found in world.s3.list_objects_v2(Bucket=world.work)["Contents"]
        if "events" in found["Key"] and found["Key"].endswith(".gz")
    )
    world.s3.put_object(Bucket=world.work, Key=piece, Body=gzip.compress(b"{}\n"))
    with pytest.raises(redshift_connector.Error) as failed:
        world.copy(loading)
    context |= {
        "exception": failed.value,
        "task": types.SimpleNamespace(s3_key=f"{prefix_of(piece)}/x.manifest"),
    }

    notify.failure(context)

    assert f"{piece} line 1, column source_key: Missing data for not-null field" in kept[notify.FAILURE]


def prefix_of(piece: str) -> str:
    """Return the prefix of a run. The manifests are directly below it."""
    return "/".join(piece.split("/")[:3])
