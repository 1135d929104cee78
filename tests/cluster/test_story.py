"""Test the results of the story in tests/cluster/story.py, and that include/iam allows its calls and no others."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

import pytest
from local_redshift.service import Running

from tests.cluster import iam
from tests.cluster.account import REGION
from tests.cluster.calls import REQUEST_TAG, RESOURCE_TAG, list_foreign, list_requests, request
from tests.cluster.iam import ACCOUNT, Mutation, Request, allows, load_policy
from tests.cluster.story import NAME, OTHER_NAME, Record, tell

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def story(cloud: Running, airflow_database: None) -> Record:
    """Run the story once for this module and return its record."""
    return tell(cloud)


def test_from_nothing_to_a_loaded_star_and_back(story: Record) -> None:
    assert {name: states["run"] for name, states in story.states.items()} == dict.fromkeys(
        story.states, "success"
    )
    assert {"cluster", "secret", "work bucket"} <= set(story.kinds)
    assert set(story.states["load"].values()) == {"success"}
    assert story.states["pause if idle"]["pause_cluster"] == "skipped"
    assert story.plays == 1
    assert story.left == ["snapshot"]


def test_the_load_went_through_the_connections_that_provision_wrote(story: Record) -> None:
    assert story.owner == "sparkify_pipeline"
    copies = list_copies(story)
    role = f"arn:aws:iam::{ACCOUNT}:role/{story.account.name}-copy"
    assert copies
    assert all(f"aws_iam_role={role}" in statement for statement in copies)


def test_no_secret_is_in_a_log_a_template_an_xcom_or_a_statement(story: Record) -> None:
    home = Path(os.environ["AIRFLOW_HOME"])
    places = {
        "log": "\n".join(story.log).encode(),
        "statements": "\n".join(story.statements).encode(),
        # The database has rendered templates, XComs, the runs' parameters and everything else that Airflow stores.
        "database": b"".join(path.read_bytes() for path in home.glob("airflow.db*")),
        "log files": b"".join(path.read_bytes() for path in (home / "logs").rglob("*.log")),
    }
    # The search finds strings that must be there.
    assert story.account.name.encode() in places["log"]
    assert story.account.name.encode() in places["database"]
    assert b"sparkify_pipeline" in places["statements"]
    assert len(set(story.secrets)) == 3
    for name, content in places.items():
        for secret in story.secrets:
            assert secret.encode() not in content, f"a secret is in the {name}"


# The policies: own requests allowed, foreign ones denied --------------------------------------------------------

_REDSHIFT = f"arn:aws:redshift:{REGION}:{ACCOUNT}"
# Requests that the policies must allow although the story does not make them, each with its reason.
UNRECORDED = {
    "Deploy": [
        # Teardown resumes a paused cluster for its final snapshot. See test_life.py.
        Request("redshift:ResumeCluster", f"{_REDSHIFT}:cluster:{NAME}"),
    ],
    "Workers": [
        # A large upload that fails is aborted.
        Request("s3:AbortMultipartUpload", f"arn:aws:s3:::work-{NAME}/runs/a/events-0.json.gz"),
        # Maintenance deletes the files of runs older than keep_run_days. See test_maintenance.py.
        Request("s3:DeleteObject", f"arn:aws:s3:::work-{NAME}/runs/a/events-0.json.gz"),
    ],
    "CopyRole": [],
}
# Facts that a policy need not check, each with its reason. A change of any other fact must lead to a denial.
INDIFFERENT = {
    # Provision must see a foreign resource in order to refuse it.
    *((policy, "secretsmanager:DescribeSecret", RESOURCE_TAG) for policy in ("Deploy", "Workers")),
    # Connections may be written by hand.
    ("Workers", "secretsmanager:GetSecretValue", RESOURCE_TAG),
}
# A foreign resource with our tag in the request: tagging must not make it ours.
TAKE_OVERS = [
    request(
        "secretsmanager:TagResource",
        f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:airflow/connections/aws_copy_role-AbCdEf",
        **{REQUEST_TAG: NAME, RESOURCE_TAG: "payroll"},
    ),
]


def list_copies(story: Record) -> list[str]:
    return [statement for statement in story.statements if re.match(r"\s*copy ", statement, re.IGNORECASE)]


def list_own(story: Record, policy: str) -> Iterable[tuple[str, Request]]:
    """Yield the requests that a policy must allow, each with the name of its cluster."""
    for call in story.calls:
        if call.actor == policy:
            for own in list_requests(call.service, call.operation, call.given, call.name):
                yield call.name, own
    for own in UNRECORDED[policy]:
        yield NAME, own
    if policy == "CopyRole":
        # COPY reads a manifest and the files in its folder.
        for bucket, folder in re.findall(r"'s3://([^/]+)/([^']+/)", "\n".join(list_copies(story))):
            for piece in ("events.manifest", "events-0.json.gz"):
                yield NAME, Request("s3:GetObject", f"arn:aws:s3:::{bucket}/{folder}{piece}")
            yield NAME, Request("s3:ListBucket", f"arn:aws:s3:::{bucket}")
            yield NAME, Request("s3:GetBucketLocation", f"arn:aws:s3:::{bucket}")


def find_refused(story: Record, policy: str, mutate: Mutation = list) -> set[Request]:
    """Return the requests of the story that the mutated policy does not allow."""
    statements = {name: mutate(load_policy(policy, name)) for name in (NAME, OTHER_NAME)}
    return {own for name, own in list_own(story, policy) if not allows(statements[name], own)}


def find_too_wide(story: Record, policy: str, mutate: Mutation = list) -> set[tuple[str, Request]]:
    """Return the foreign requests that the mutated policy allows, each with the fact that makes it foreign."""
    statements = {name: mutate(load_policy(policy, name)) for name in (NAME, OTHER_NAME)}
    found = {
        (fact, foreign)
        for name, own in set(list_own(story, policy))
        for fact, foreign in list_foreign(own, name)
        if (policy, own.action, fact) not in INDIFFERENT and allows(statements[name], foreign)
    }
    if policy == "Deploy":
        found |= {("take-over", taken) for taken in TAKE_OVERS if allows(statements[NAME], taken)}
    return found


POLICIES = ("Deploy", "Workers", "CopyRole")
WIDER = {label: (policy, mutation) for policy in POLICIES for label, mutation in iam.list_wider(policy)}
NARROWER = {label: (policy, mutation) for policy in POLICIES for label, mutation in iam.list_narrower(policy)}


@pytest.mark.parametrize("policy", POLICIES)
def test_a_policy_allows_what_the_dags_do(story: Record, policy: str) -> None:
    assert len(set(list_own(story, policy))) > 3
    assert find_refused(story, policy) == set()


@pytest.mark.finding("C1", "C2")
@pytest.mark.parametrize("policy", POLICIES)
def test_a_policy_allows_nothing_foreign(story: Record, policy: str) -> None:
    assert find_too_wide(story, policy) == set()


@pytest.mark.finding("C3")
@pytest.mark.parametrize("mutant", WIDER)
def test_a_wider_policy_is_found(story: Record, mutant: str) -> None:
    policy, mutate = WIDER[mutant]
    assert find_too_wide(story, policy, mutate)


@pytest.mark.parametrize("mutant", NARROWER)
def test_every_part_of_a_policy_is_needed(story: Record, mutant: str) -> None:
    policy, mutate = NARROWER[mutant]
    assert find_refused(story, policy, mutate)
