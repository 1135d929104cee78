"""Manage a cluster's users in PostgreSQL: the master user, the users that it created, and temporary logins."""

from __future__ import annotations

import contextlib
import datetime
import secrets
import threading
from collections.abc import Iterator
from typing import Any

import psycopg2
from psycopg2 import sql

from .service import Running


class Address:
    """The address of the front as the caller of the current thread knows it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._local = threading.local()

    @property
    def host(self) -> str:
        """Return the name that the caller uses for this machine: 127.0.0.1, or its service in a compose file."""
        return str(self._local.host)

    @host.setter
    def host(self, name: str) -> None:
        self._local.host = name


class Roles:
    """Changes of users by calls of the AWS API, for which no database user has the privileges."""

    def __init__(self, running: Running, superuser: str) -> None:
        """:param superuser: the conninfo of PostgreSQL's superuser."""
        self._running, self._superuser = running, superuser
        self._passwords: dict[str, str] = {}
        self._masters: set[str] = set()
        self._lock = threading.Lock()  # only one session at a time can change a role in PostgreSQL

    @contextlib.contextmanager
    def _cursor(self) -> Iterator[Any]:
        with self._lock:
            connection = psycopg2.connect(self._superuser)
            try:
                with connection, connection.cursor() as cursor:
                    yield cursor
            finally:
                connection.close()

    def create_master(self, master: str, password: str) -> None:
        """Create the master user and make it the owner of the database. An existing user gets the new password."""
        with self._cursor() as cursor:
            role = sql.Identifier(master)
            exists = _exists(cursor, master)
            options = sql.SQL("{} role {} login createrole createdb password {}")
            verb = sql.SQL("alter" if exists else "create")
            cursor.execute(options.format(verb, role, sql.Literal(password)))
            if not exists:
                self._put_under(cursor, master, self._running.user)
            self._own_database(cursor, master)
            self._masters.add(master)

    def _own_database(self, cursor: Any, owner: str) -> None:
        statement = sql.SQL("alter database {} owner to {}")
        cursor.execute(statement.format(sql.Identifier(self._running.database), sql.Identifier(owner)))

    @staticmethod
    def _put_under(cursor: Any, role: str, superior: str) -> None:
        """Grant `superior` the rights over `role` that PostgreSQL gives the creator of a role."""
        grant = sql.SQL("grant {} to {} with admin true, inherit true, set true")
        cursor.execute(grant.format(sql.Identifier(role), sql.Identifier(superior)))

    def allow_login(self, master: str, allowed: bool) -> None:
        """Allow or forbid logins of the cluster's users. If logins are forbidden, the sessions of the users end."""
        with self._cursor() as cursor:
            roles = self._created_by(cursor, master)
            for role in roles:
                option = sql.SQL("login" if allowed else "nologin")
                cursor.execute(sql.SQL("alter role {} {}").format(sql.Identifier(role), option))
            if not allowed:
                self._end_sessions(cursor, roles)

    def drop(self, master: str) -> None:
        """Drop the cluster's users and their objects. Keep the user of the services themselves, but not its objects."""
        with self._cursor() as cursor:
            roles = self._created_by(cursor, master)
            self._end_sessions(cursor, roles)
            for role in roles:
                name = sql.Identifier(role)
                if role == master:
                    self._own_database(cursor, self._running.user)
                cursor.execute(sql.SQL("drop owned by {} cascade").format(name))
                if role == self._running.user:
                    password = sql.Literal(self._running.password)
                    cursor.execute(sql.SQL("alter role {} login password {}").format(name, password))
                else:
                    cursor.execute(sql.SQL("drop role {}").format(name))
            cursor.execute("grant create on schema public to public")
            self._masters.discard(master)

    def _created_by(self, cursor: Any, master: str) -> list[str]:
        """Return the cluster's temporary logins, then the users that the master user created, then the master user."""
        cursor.execute(
            "select distinct r.rolname from pg_auth_members as m join pg_roles as r on r.oid = m.roleid"
            " where m.member = (select oid from pg_roles where rolname = %s)"
            " and r.rolname !~ '^pg_' and r.rolname <> all(%s) order by 1",
            (master, [master, self._running.user, *self._masters]),
        )
        users = [name for (name,) in cursor.fetchall()] + [master]
        cursor.execute(
            "select rolname from pg_roles where rolname = any(%s) order by 1",
            ([prefix + user for user in users for prefix in ("IAM:", "IAMA:")],),
        )
        return [name for (name,) in cursor.fetchall()] + users

    @staticmethod
    def _end_sessions(cursor: Any, roles: list[str]) -> None:
        cursor.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where usename = any(%s)", (roles,)
        )

    def create_user(self, user: str) -> None:
        """Create a user without a password, if it does not exist."""
        with self._cursor() as cursor:
            if not _exists(cursor, user):
                cursor.execute(sql.SQL("create role {} login").format(sql.Identifier(user)))
                self._put_under(cursor, user, self._running.user)

    def create_login(self, user: str, name: str, seconds: int) -> str:
        """Create or extend a login that acts as `user`, and return its password.

        Calls with the same name return the same password, so that no call invalidates the password of another. If the
        user does not exist, the password is useless, as on AWS.
        """
        password = self._passwords.setdefault(name, secrets.token_urlsafe(24))
        until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds)
        with self._cursor() as cursor:
            if _exists(cursor, user):
                login, role = sql.Identifier(name), sql.Identifier(user)
                verb = sql.SQL("alter" if _exists(cursor, name) else "create")
                statement = sql.SQL("{} role {} login password {} valid until {}")
                cursor.execute(
                    statement.format(verb, login, sql.Literal(password), sql.Literal(until.isoformat()))
                )
                cursor.execute(sql.SQL("grant {} to {} with inherit true, set true").format(role, login))
                cursor.execute(sql.SQL("alter role {} set role = {}").format(login, sql.Literal(user)))
        return password


def _exists(cursor: Any, role: str) -> bool:
    cursor.execute("select exists (select from pg_roles where rolname = %s)", (role,))
    return bool(cursor.fetchone()[0])
