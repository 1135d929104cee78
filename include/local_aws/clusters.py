"""Redshift's control plane on this machine: a cluster that moto "creates" is the front's database.

moto keeps the books (names, tags, states) but there is nothing behind its made-up addresses. Here a cluster gets the
front's address, its master user becomes a role of PostgreSQL, a paused cluster lets nobody in, and deleting it drops
what its users own. All clusters share the one database of the front. Serverless, which moto does not have, is kept to
the calls that this project makes; any other is refused.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2 import sql

from . import postgres

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


class Database:
    """The roles of a cluster: its master user, and the users that this one created."""

    def __init__(self, home: Path, port: int) -> None:
        self._home, self.port = home, port
        # The name by which the caller of this thread knows this machine: 127.0.0.1, or local-aws in a container.
        self.host = threading.local()

    @contextlib.contextmanager
    def _cursor(self) -> Iterator[Any]:
        connection = psycopg2.connect(
            host=(self._home / "postgres.scratch").read_text(),
            user=postgres.MASTER_USER,
            password=postgres.MASTER_PASSWORD,
            dbname=postgres.DATABASE,
        )
        try:
            with connection, connection.cursor() as cursor:
                yield cursor
        finally:
            connection.close()

    def create(self, master: str, password: str) -> None:
        """The master user, owner of the database; known already, it gets the password."""
        with self._cursor() as cursor:
            cursor.execute("select count(*) from pg_roles where rolname = %s", (master,))
            verb = sql.SQL("alter" if cursor.fetchone()[0] else "create")
            role = sql.Identifier(master)
            options = sql.SQL("{} role {} login createrole createdb password {}")
            cursor.execute(options.format(verb, role, sql.Literal(password)))
            owner = sql.SQL("alter database {} owner to {}")
            cursor.execute(owner.format(sql.Identifier(postgres.DATABASE), role))

    def let_in(self, master: str, allowed: bool) -> None:
        """Whether anybody may log in; those who are in are thrown out if not."""
        with self._cursor() as cursor:
            roles = self._roles(cursor, master)
            for role in roles:
                cursor.execute(sql.SQL("set role {}").format(sql.Identifier(role.creator)))
                option = sql.SQL("login" if allowed else "nologin")
                cursor.execute(sql.SQL("alter role {} {}").format(sql.Identifier(role.name), option))
                cursor.execute("reset role")
            if not allowed:
                self._throw_out(cursor, roles)

    def drop(self, master: str) -> None:
        """The users, and all that they own."""
        with self._cursor() as cursor:
            roles = self._roles(cursor, master)
            self._throw_out(cursor, roles)
            for role in reversed(roles):
                name = sql.Identifier(role.name)
                if role.name == master:
                    database, owner = sql.Identifier(postgres.DATABASE), sql.Identifier(postgres.MASTER_USER)
                    cursor.execute(sql.SQL("alter database {} owner to {}").format(database, owner))
                    cursor.execute("grant create on schema public to public")
                cursor.execute(sql.SQL("set role {}").format(sql.Identifier(role.creator)))
                cursor.execute(sql.SQL("drop owned by {} cascade").format(name))
                cursor.execute(sql.SQL("drop role {}").format(name))
                cursor.execute("reset role")

    def _roles(self, cursor: Any, master: str) -> list[_Role]:
        """The master user, then those that it created."""
        cursor.execute(
            "select rolname from pg_roles where rolname <> %s and pg_has_role(%s, oid, 'member') "
            "and not starts_with(rolname, 'pg_') order by 1",
            (master, master),
        )
        created = [_Role(name, master) for (name,) in cursor.fetchall()]
        return [_Role(master, postgres.MASTER_USER), *created]

    def _throw_out(self, cursor: Any, roles: list[_Role]) -> None:
        cursor.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where usename = any(%s)",
            ([role.name for role in roles],),
        )


class _Role:
    def __init__(self, name: str, creator: str) -> None:
        self.name, self.creator = name, creator


def attached(application: Application, home: Path, redshift_port: int) -> Application:
    """moto's application, with the front behind its clusters and a Serverless beside it.

    :param home: folder of the services' state.
    :param redshift_port: port of the front on loopback.
    """
    database = Database(home, redshift_port)
    _put_behind_moto(database)
    return Serverless(application, database)


def _put_behind_moto(database: Database) -> None:
    from moto.redshift.models import Cluster, RedshiftBackend

    def endpoint(self: Cluster) -> dict[str, Any]:
        return {"Address": database.host.name, "Port": database.port}

    Cluster.endpoint = property(endpoint)  # type: ignore[assignment,method-assign]
    create, delete = RedshiftBackend.create_cluster, RedshiftBackend.delete_cluster
    pause, resume = RedshiftBackend.pause_cluster, RedshiftBackend.resume_cluster

    def create_cluster(self: RedshiftBackend, **given: Any) -> Cluster:
        cluster = create(self, **given)
        database.create(cluster.master_username, cluster.master_user_password)
        return cluster

    def delete_cluster(self: RedshiftBackend, **given: Any) -> Cluster:
        cluster = delete(self, **given)
        database.drop(cluster.master_username)
        return cluster

    def pause_cluster(self: RedshiftBackend, cluster_id: str) -> Cluster:
        cluster = pause(self, cluster_id)
        database.let_in(cluster.master_username, False)
        return cluster

    def resume_cluster(self: RedshiftBackend, cluster_id: str) -> Cluster:
        cluster = resume(self, cluster_id)
        database.let_in(cluster.master_username, True)
        return cluster

    RedshiftBackend.create_cluster = create_cluster  # type: ignore[method-assign]
    RedshiftBackend.delete_cluster = delete_cluster  # type: ignore[method-assign]
    RedshiftBackend.pause_cluster = pause_cluster  # type: ignore[method-assign]
    RedshiftBackend.resume_cluster = resume_cluster  # type: ignore[method-assign]


class _Fault(Exception):
    """An error in AWS's form: code and message."""


class Serverless:
    """Namespaces, workgroups and usage limits, in memory as moto's books are."""

    def __init__(self, application: Application, database: Database) -> None:
        self._application, self._database = application, database
        self._namespaces: dict[str, dict[str, Any]] = {}
        self._workgroups: dict[str, dict[str, Any]] = {}
        self._limits: dict[str, dict[str, Any]] = {}
        self._snapshots: dict[str, dict[str, Any]] = {}
        self._tags: dict[str, list[dict[str, str]]] = {}

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        self._database.host.name = environ.get("HTTP_HOST", "127.0.0.1").rsplit(":", 1)[0]
        service, _, operation = environ.get("HTTP_X_AMZ_TARGET", "").partition(".")
        if service != "RedshiftServerless":
            return self._application(environ, start_response)
        given = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])) or b"{}")
        scope = re.search(r"Credential=[^/]+/\d+/([^/]+)/", environ["HTTP_AUTHORIZATION"])
        name = "_" + re.sub(r"(?<!^)(?=[A-Z])", "_", operation).lower()
        try:
            handler = getattr(self, name, None)
            if handler is None:
                raise _Fault("UnknownOperationException", f"the local stand-in does not cover {operation}")
            status, answer = "200 OK", handler(scope[1] if scope else "", given)
        except _Fault as fault:
            code, message = fault.args
            status, answer = "400 Bad Request", {"__type": code, "message": message}
        body = json.dumps(answer).encode()
        headers = [("Content-Type", "application/x-amz-json-1.1"), ("Content-Length", str(len(body)))]
        start_response(status, headers)
        return [body]

    def _arn(self, region: str, kind: str, tags: list[dict[str, str]]) -> str:
        arn = f"arn:aws:redshift-serverless:{region}:123456789012:{kind}/{uuid.uuid4()}"
        self._tags[arn] = tags
        return arn

    @staticmethod
    def _of(things: dict[str, dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
        if name not in things:
            raise _Fault("ResourceNotFoundException", f"{kind} {name} does not exist")
        return things[name]

    def _create_namespace(self, region: str, given: dict[str, Any]) -> dict[str, Any]:
        name, tags, password = given["namespaceName"], given.pop("tags", []), given.pop("adminUserPassword")
        if name in self._namespaces:
            raise _Fault("ConflictException", f"namespace {name} exists")
        arn = self._arn(region, "namespace", tags)
        self._namespaces[name] = {**given, "status": "AVAILABLE", "namespaceArn": arn}
        self._database.create(given["adminUsername"], password)
        return {"namespace": self._namespaces[name]}

    def _get_namespace(self, region: str, given: dict[str, Any]) -> dict[str, Any]:
        return {"namespace": self._of(self._namespaces, "namespace", given["namespaceName"])}

    def _delete_namespace(self, region: str, given: dict[str, Any]) -> dict[str, Any]:
        name = given["namespaceName"]
        namespace = self._of(self._namespaces, "namespace", name)
        if any(workgroup["namespaceName"] == name for workgroup in self._workgroups.values()):
            raise _Fault("ConflictException", f"namespace {name} has a workgroup")
        if snapshot := given.get("finalSnapshotName"):
            self._snapshots[snapshot] = {"snapshotName": snapshot, "status": "AVAILABLE"}
        self._database.drop(namespace["adminUsername"])
        return {"namespace": self._namespaces.pop(name)}

    def _create_workgroup(self, region: str, given: dict[str, Any]) -> dict[str, Any]:
        name, tags = given["workgroupName"], given.pop("tags", [])
        self._of(self._namespaces, "namespace", given["namespaceName"])
        if name in self._workgroups:
            raise _Fault("ConflictException", f"workgroup {name} exists")
        arn = self._arn(region, "workgroup", tags)
        self._workgroups[name] = {**given, "status": "AVAILABLE", "workgroupArn": arn}
        return self._get_workgroup(region, given)

    def _get_workgroup(self, region: str, given: dict[str, Any]) -> dict[str, Any]:
        workgroup = self._of(self._workgroups, "workgroup", given["workgroupName"])
        endpoint = {"address": self._database.host.name, "port": self._database.port}
        return {"workgroup": {**workgroup, "endpoint": endpoint}}

    def _delete_workgroup(self, region: str, given: dict[str, Any]) -> dict[str, Any]:
        workgroup = self._of(self._workgroups, "workgroup", given["workgroupName"])
        arn = workgroup["workgroupArn"]
        self._limits = {id: limit for id, limit in self._limits.items() if limit["resourceArn"] != arn}
        return {"workgroup": self._workgroups.pop(given["workgroupName"])}

    def _create_usage_limit(self, region: str, given: dict[str, Any]) -> dict[str, Any]:
        limit = {**given, "usageLimitId": str(uuid.uuid4())}
        self._limits[limit["usageLimitId"]] = limit
        return {"usageLimit": limit}

    def _update_usage_limit(self, region: str, given: dict[str, Any]) -> dict[str, Any]:
        limit = self._of(self._limits, "usage limit", given["usageLimitId"])
        limit.update(given)
        return {"usageLimit": limit}

    def _list_usage_limits(self, region: str, given: dict[str, Any]) -> dict[str, Any]:
        arn = given["resourceArn"]
        return {"usageLimits": [limit for limit in self._limits.values() if limit["resourceArn"] == arn]}

    def _list_tags_for_resource(self, region: str, given: dict[str, Any]) -> dict[str, Any]:
        return {"tags": self._tags[given["resourceArn"]]}

    def _list_snapshots(self, region: str, given: dict[str, Any]) -> dict[str, Any]:
        return {"snapshots": list(self._snapshots.values())}
