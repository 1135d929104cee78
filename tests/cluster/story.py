"""Provision a warehouse, load the star and tear it down, once, and record the AWS calls, statements and logs.

The pipeline's connections come from Secrets Manager through Airflow's own backend, as on Astro. The load uses the
connections that provision wrote.
"""

from __future__ import annotations

import json
import logging
import types
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import airflow.configuration
import botocore.client
import obstore
import pytest
import redshift_connector
from local_redshift.service import Running

from include.cluster import connections, database, schedule, serverless, stack, teardown
from include.sparkify.errors import ConfigurationError
from local.home import AIRFLOW
from tests.cluster.account import REGION, Account
from tests.world import event, lines, song

KEY = {"key": "AKIAPLANTEDPLANTED00", "secret": "planted/secret+access/key"}
NAME, OTHER_NAME = "wh-story", "wh-other"


@dataclass(frozen=True)
class Call:
    """One call of the AWS API."""

    actor: str
    """The policy that must allow the call, ``Deploy`` or ``Workers``, or ``test`` for the test's own calls."""
    name: str
    """The cluster that the call is for."""
    service: str
    operation: str
    given: Mapping[str, Any]


@dataclass
class Record:
    """The calls, statements and logs of the story, and the final states of its runs."""

    account: Account
    actor: str = "test"
    name: str = NAME
    calls: list[Call] = field(default_factory=list)
    statements: list[str] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)
    states: dict[str, dict[str, str]] = field(default_factory=dict)
    kinds: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    plays: int = 0
    owner: str = ""


def tell(cloud: Running) -> Record:
    """Run the story on a local AWS and return its record."""
    record = Record(Account(cloud, NAME))
    handler = logging.Handler(logging.INFO)
    handler.emit = lambda entry: record.log.append(handler.format(entry))  # type: ignore[method-assign]  # a short class
    logging.getLogger().addHandler(handler)
    try:
        with pytest.MonkeyPatch.context() as patch:
            _record_calls(patch, record)
            _record_statements(patch, record)
            _use_the_secrets_backend(patch, record.account)
            _fill_the_lake(record.account)
            record.account.create_permissions()
            _provision_load_and_tear_down(record)
            _take_the_other_branches(cloud, patch, record)
    finally:
        logging.getLogger().removeHandler(handler)
    return record


def _use_the_secrets_backend(patch: pytest.MonkeyPatch, account: Account) -> None:
    account.enter(patch, KEY["key"], KEY["secret"])
    for name in ("AIRFLOW_CONN_REDSHIFT_DEFAULT", "AIRFLOW_CONN_AWS_COPY_ROLE"):
        patch.delenv(name)
    patch.setenv(
        "AIRFLOW__SECRETS__BACKEND",
        "airflow.providers.amazon.aws.secrets.secrets_manager.SecretsManagerBackend",
    )
    backend = {
        "connections_prefix": "airflow/connections",
        "connections_lookup_pattern": "^(redshift_default|aws_copy_role)$",
        "variables_prefix": None,
        "config_prefix": None,
        "region_name": REGION,
        "endpoint_url": account.cloud.aws_endpoint,
        "aws_access_key_id": KEY["key"],
        "aws_secret_access_key": KEY["secret"],
    }
    patch.setenv("AIRFLOW__SECRETS__BACKEND_KWARGS", json.dumps(backend))
    # A worker does the same when it starts. Without the list, every lookup would recreate the backends.
    patch.setattr(
        airflow.configuration, "secrets_backend_list", airflow.configuration.initialize_secrets_backends()
    )
    if AIRFLOW > 2:
        # On Airflow 3, tasks keep their own list from their first lookup.
        patch.setattr("airflow.sdk.configuration._secrets_backend_cache", {})


def _fill_the_lake(account: Account) -> None:
    s3, lake = account.client("s3"), f"lake-{account.name}"
    s3.create_bucket(Bucket=lake, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket=lake, Key="song_data/A/A/A/TR1.json", Body=json.dumps(song()).encode())
    noon = event(datetime(2018, 11, 1, 12))
    s3.put_object(Bucket=lake, Key="log_data/2018/11/2018-11-01-events.json", Body=lines(noon))


def _provision_load_and_tear_down(record: Record) -> None:
    account, states = record.account, record.states
    record.actor = "Deploy"
    states["provision"] = account.provision()
    record.kinds = account.kinds()
    record.secrets = [
        KEY["secret"],
        account.secret(f"redshift!{account.name}-awsuser")["password"],
        account.secret(connections.REDSHIFT_CONNECTION)["password"],
    ]
    record.actor = "Workers"
    states["load"] = account.run("sparkify", start="2018-11-01", end="2018-11-02")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schedule, "is_scheduled", lambda context: True)
        patch.setattr(schedule, "is_due", lambda variable, context: True)
        states["pause if idle"] = account.run("pause", name=account.name)
    states["pause"] = account.run("pause", name=account.name)
    states["resume"] = account.run("resume", name=account.name)
    states["maintenance"] = account.run("maintenance")
    record.actor = "test"
    with account.connect() as link:
        cursor = link.cursor()
        cursor.execute(f"select count(*) from {account.schema}.songplays where song_id is not null")
        (record.plays,) = cursor.fetchone()
        cursor.execute(
            "select tableowner from pg_tables where schemaname = %s and tablename = 'songplays'",
            (account.schema,),
        )
        (record.owner,) = cursor.fetchone()
    record.actor = "Deploy"
    states["teardown"] = account.teardown(final_snapshot=True)
    record.left = account.kinds()


def _take_the_other_branches(cloud: Running, patch: pytest.MonkeyPatch, record: Record) -> None:
    """Run the steps that the story leaves out: Serverless, subnets, a refused stack, a manually deleted secret."""
    other = Account(cloud, OTHER_NAME)
    other.enter(patch, KEY["key"], KEY["secret"])
    record.actor, record.name = "test", OTHER_NAME
    other.create_permissions()
    # Other tests leave VPCs in the shared stand-in.
    found = other.client("ec2").describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])
    subnets = [one["SubnetId"] for one in found["Subnets"]]
    record.actor = "Deploy"
    params = other.params("provision", subnet_ids=subnets, serverless=True)
    stack.deploy_stack(params)
    record.actor = "test"
    other.stack()
    record.actor = "Deploy"
    database.write_connections(params)
    for limit in (params, params | {"usage_limit": 5}):
        serverless.limit_usage(limit)
    stack.deploy_stack(params | {"base_capacity": 16})
    record.actor = "test"
    other.stack()
    other.client("secretsmanager").delete_secret(SecretId=connections.COPY_CONNECTION)
    record.actor = "Deploy"
    connections.write_secret(other.cluster, connections.COPY_CONNECTION, {})
    context = {
        "params": other.params("teardown", final_snapshot=True),
        "dag_run": types.SimpleNamespace(start_date=datetime(2026, 1, 1)),
    }
    assert {"workgroup", "namespace"} <= set(other.kinds())
    while not teardown.has_snapshot(context):
        pass
    with pytest.raises(ConfigurationError):
        stack.check_request(params | {"name": _roll_back(record, other)})
    record.actor = "test"
    other.remove()
    record.actor = "Deploy"


def _roll_back(record: Record, other: Account) -> str:
    """Make AWS refuse an update of the stack, read the reason, delete the stack, and return its name."""
    params = other.params("provision", serverless=True)
    wanted = stack.check_request(params)
    for one in wanted["Parameters"]:
        if one["ParameterKey"] == "BaseCapacity":
            one["ParameterValue"] = "9"
    stack.update(other.cluster, wanted)
    record.actor = "test"
    other.stack()
    record.actor = "Deploy"
    with pytest.raises(ConfigurationError):
        stack.is_settled(params)
    stack.delete_stack(other.cluster)
    return other.name


def _record_calls(patch: pytest.MonkeyPatch, record: Record) -> None:
    call = botocore.client.BaseClient._make_api_call

    def recorded(self: Any, operation: str, given: Mapping[str, Any]) -> Any:
        service = self.meta.service_model.service_name
        record.calls.append(Call(record.actor, record.name, service, operation, dict(given)))
        return call(self, operation, given)

    patch.setattr(botocore.client.BaseClient, "_make_api_call", recorded)
    # The pipeline reads the song files with obstore instead of boto3.
    get, list_objects = obstore.get, obstore.list

    def recorded_get(store: Any, key: str) -> Any:
        given = {"Bucket": store.config["bucket"], "Key": key}
        record.calls.append(Call(record.actor, record.name, "s3", "GetObject", given))
        return get(store, key)

    def recorded_list(store: Any, prefix: str, **options: Any) -> Any:
        given = {"Bucket": store.config["bucket"], "Prefix": prefix}
        record.calls.append(Call(record.actor, record.name, "s3", "ListObjectsV2", given))
        return list_objects(store, prefix, **options)

    patch.setattr(obstore, "get", recorded_get)
    patch.setattr(obstore, "list", recorded_list)


def _record_statements(patch: pytest.MonkeyPatch, record: Record) -> None:
    execute = redshift_connector.Cursor.execute

    def recorded(self: Any, operation: str, args: Any = None, *more: Any, **named: Any) -> Any:
        record.statements.append(operation)
        return execute(self, operation, args, *more, **named)

    patch.setattr(redshift_connector.Cursor, "execute", recorded)
