"""A run that passes every check, for tests to spoil."""

from __future__ import annotations

import re
import types
from datetime import datetime, timedelta

from include.sparkify import tables
from include.sparkify.redshift import warehouse
from include.sparkify.tasks import checks
from tests.world import event, song

D1 = datetime(2018, 11, 1, 12)


class Sound:
    """A built and audited run over a star with history. It can be spoiled and restored any number of times."""

    def __init__(self, world) -> None:
        self.world = world
        world.song(song("SO1", "Song", "Artist", artist_id="AR1", artist_latitude=1.5, artist_longitude=2.5))
        world.song(song("SO4", "Fourth", "Artist", artist_id="AR4"), "song_data/A/1.json")
        world.song(song("SO6", "Sixth", "Artist", artist_id="AR6"))
        world.log("2018-10-30", event(D1 - timedelta(days=2), user=7, session=7))
        world.log("2018-11-03", event(D1 + timedelta(days=2), user=8, session=8))
        world.load("2018-10-30", "2018-11-04", audited=False)
        # Add a second file of a song, which keeps its artist, and a play that is older than its user's latest one.
        world.song(song("SO4", "Fourth", "Artist", artist_id="AR5"), "song_data/A/2.json")
        world.song(song("SO1", "Song", "Artist", artist_id="AR1", artist_latitude=3.5, artist_longitude=2.5))
        world.song(song("SO2", "Other", "Artist", artist_id="AR2", year=1860))
        world.song(song("SO3", "Third", "Artist", artist_id="AR3", year=0))
        world.log(
            "2018-11-01",
            event(D1, user=1, item=0),
            event(D1, user=1, item=1, song="Unknown"),
            event(D1 + timedelta(hours=1), user=2, session=2, level="paid"),
            event(D1, user=None, session=3, page="Home", artist=None, song=None, length=None),
            event(D1 + timedelta(hours=2), user=3, session=4),
            event(D1 - timedelta(hours=12), user=3, session=5),
            event(D1, user=8, session=6),
            event(D1, user=1, item=3, song="Sixth"),
        )
        world.log("2018-11-01", event(D1, user=1, item=2), name="more")
        self.context = world.context("2018-11-01", "2018-11-02")
        world.stage(self.context)
        world.build(self.context)
        self.audit()
        self.passed = dict(self.context["pushed"])
        self.published = world.state()
        self.run, self.keep = world.run_schema(self.context), f"{world.schema}_keep"
        self._keep()

    def audit(self) -> None:
        """Run the checks as the check tasks do, until one fails."""
        self.world.audit(self.context, "audit_staging", tables.STAGING)
        self.world.audit_star(self.context)

    def audit_table(self, table: str) -> None:
        """Run the checks of a table as its check task does."""
        task, names = "rows", [table]
        if table in tables.STAGING:
            task, names = "audit_staging", tables.STAGING
        self.world.audit(self.context, task, names)

    def failing(self, table: str, severity: str) -> dict[str, checks.Result]:
        """Return a table's failing checks by name. Run them as `publish` does on candidates that it rebuilds."""
        some = [check for check in checks.all_checks([table]) if check.severity == severity]
        results = warehouse.transaction(lambda cursor: checks.run_checks(cursor, self.context, some), "check")
        assert len(results) == len(some)
        return {result.check.name: result for result in results if result.failing}

    def warnings(self) -> list[checks.Result]:
        """Return the results of the checks that do not stop a run."""
        return warehouse.transaction(lambda cursor: checks.warnings(cursor, self.context), "warn")

    def recorded(self) -> dict[tuple[str, str], types.SimpleNamespace]:
        """Return the results in quality_results by (table, check)."""
        rows = self.world.rows(
            "select table_name, check_name, severity, actual, passed, sample from {o}.quality_results "
            f"where run_id = '{self.context['run_id']}'"
        )
        names = ("severity", "actual", "passed", "sample")
        return {(t, c): types.SimpleNamespace(**dict(zip(names, rest, strict=True))) for t, c, *rest in rows}

    def _keep(self) -> None:
        """Create copies to restore from, and candidates without NOT NULL, which would prevent spoiling them."""
        found = self.world.rows(
            "select table_schema, table_name from information_schema.tables "
            f"where table_schema in ('{self.run}', '{{s}}')"
        )

        def keep(cursor) -> None:
            cursor.execute(f"create schema {self.keep}")
            for schema, table in found:
                kept = f"{self.keep}.{table}_{'run' if schema == self.run else 'star'}"
                cursor.execute(f"create table {kept} as select * from {schema}.{table}")
                if schema == self.run:
                    cursor.execute(f"drop table {schema}.{table}")
                    cursor.execute(f"create table {schema}.{table} as select * from {kept}")

        warehouse.transaction(keep, "keep copies")

    def spoil(self, spoilers: list[str]) -> set[str]:
        """Change the rows, and return the names of the changed tables."""
        statements = [sql.replace("{run}", self.run).replace("{s}", self.world.schema) for sql in spoilers]

        def work(cursor) -> None:
            cursor.execute(f"delete from {self.world.schema}_ops.quality_results")
            for sql in statements:
                cursor.execute(sql)
                assert cursor.rowcount > 0, sql

        warehouse.transaction(work, "spoil")
        return {re.match(r"(?:update|delete from|insert into) (\S+)", sql)[1] for sql in statements}

    def restore(self, tables: set[str]) -> None:
        def work(cursor) -> None:
            for name in tables:
                schema, table = name.split(".")
                kept = f"{self.keep}.{table}_{'run' if schema == self.run else 'star'}"
                cursor.execute(f"delete from {name}")
                cursor.execute(f"insert into {name} select * from {kept}")

        warehouse.transaction(work, "restore")
        self.context["pushed"].clear()
        self.context["pushed"].update(self.passed)
