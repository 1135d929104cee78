"""Test the privileges of users, and the IAM roles that they may use.

The tests run on the stand-in or on a real cluster (see warehouse.py).
"""

from __future__ import annotations

import uuid

import psycopg2
import pytest
import redshift_connector
from warehouse import DSN, Client, Warehouse, stand_in


def test_least_privilege_user(warehouse: Warehouse, client: Client) -> None:
    user, group = f"u_{uuid.uuid4().hex[:8]}", f"g_{uuid.uuid4().hex[:8]}"
    client(f"create user {user} password 'Local-pw-1234' connection limit 5")
    client(f"create group {group} with user {user}")
    client("create table {s}.a (id int)")
    client("create table {s}.secret (id int)")
    client(f"grant usage, create on schema {{s}} to {user}")
    client(f"grant select, insert on {{s}}.a to group {group}")
    source = warehouse.put("u.json", {"id": 1})
    other = Client(warehouse.redshift(user=user, password="Local-pw-1234"), client.schema, warehouse)
    other.copy("a", source)
    assert other("select count(*) from {s}.a") == [(1,)]
    other.fails("select * from {s}.secret", "permission denied")
    other.copy_fails("secret", source, "json 'auto'", "permission denied")
    other("create table {s}.mine (id int primary key) sortkey (id)")
    assert client("select count(*) from {s}.mine") == [(0,)]  # The master user can read every table.
    other.connection.close()
    # https://docs.aws.amazon.com/redshift/latest/dg/r_CREATE_USER.html
    client(f"alter user {user} password 'sha256|Local-pw-5678'")
    warehouse.redshift(user=user, password="Local-pw-5678").close()
    for connect in (warehouse.redshift, warehouse.psycopg):
        with pytest.raises(
            (redshift_connector.Error, psycopg2.Error), match="password authentication failed"
        ):
            connect(user=user, password="Local-pw-1234")
    client.fails(f"create user {user}2 password 'weak'", "password must")
    client("drop table {s}.mine")
    client(f"revoke all on schema {{s}} from {user}")
    client(f"drop group {group}") if DSN else client(f"revoke all on {{s}}.a from group {group}")
    client(f"drop user {user}")
    with pytest.raises((redshift_connector.Error, psycopg2.Error)):
        warehouse.psycopg(user=user, password="Local-pw-5678")


@stand_in
def test_assumerole(warehouse: Warehouse, client: Client) -> None:
    """This test runs only on the stand-in, because it changes who may run COPY on the whole cluster."""
    user = f"u_{uuid.uuid4().hex[:8]}"
    client(f"create user {user} password 'Local-pw-1234'")
    client("create table {s}.t (id int)")
    client(f"grant usage on schema {{s}} to {user}")
    client(f"grant select, insert on {{s}}.t to {user}")
    source = warehouse.put("assumerole.json", {"id": 1})
    other = Client(warehouse.redshift(user=user, password="Local-pw-1234"), client.schema, warehouse)
    other.copy("t", source)
    other.fails("revoke assumerole on all from public for all", "superuser")
    try:
        for _ in range(2):
            client("revoke assumerole on all from public for all")
        other.copy_fails("t", source, "json 'auto'", user, "ASSUMEROLE", warehouse.role, "COPY")
        unload = f"unload ('select 1') to '{source.removesuffix('assumerole.json')}{user}/' iam_role '{warehouse.role}'"
        other.fails(unload, user, "ASSUMEROLE", "UNLOAD")
        client.copy("t", source)
        for _ in range(2):
            client(f"grant assumerole on '{warehouse.role}' to {user} for copy, unload")
        other.copy("t", source)
        other(unload)
        client(f"revoke assumerole on '{warehouse.role}' from {user} for copy")
        other.copy_fails("t", source, "json 'auto'", "ASSUMEROLE")
    finally:
        client("grant assumerole on all to public for all")
    assert client("select count(*) from {s}.t") == [(3,)]
    other.connection.close()


def test_a_session_begins_with_the_settings_of_its_user(sql: Client) -> None:
    user, password = f"u_{uuid.uuid4().hex[:8]}", "Local-pw-1234"
    sql(f"create user {user} password '{password}'")
    sql(f"alter user {user} set enable_case_sensitive_identifier to true")
    sql(f"alter user {user} set query_group to 'a'")
    for value, name in ((True, "Ab"), (False, "ab")):
        for connect in (sql.warehouse.redshift, sql.warehouse.psycopg):
            connection = connect(user=user, password=password)
            cursor = connection.cursor()
            cursor.execute('select 1 as "Ab"')
            assert cursor.description[0][0] == name
            cursor.execute("show query_group")
            assert cursor.fetchone()[0] == "a"
            connection.close()
        if value:
            sql(f"alter user {user} reset enable_case_sensitive_identifier")
    sql(f"drop user {user}")
