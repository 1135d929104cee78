"""Cause errors of a busy cluster on demand: transaction conflicts and lost connections, random but repeatable by seed.

A client that succeeds here with trouble enabled has the retries that Redshift requires.
"""

from __future__ import annotations

import random
import re

from .errors import SqlError

_VERB = re.compile(r"(?:\s|--[^\n]*\n|/\*.*?\*/|\()*(\w+)", re.DOTALL)
_WRITES = {"insert", "update", "delete", "merge", "copy", "truncate"}
_CHANGES_THE_CATALOG = {"create", "drop", "alter", "query"}
_READS = {"select", "with", "unload"}
_CATALOG = re.compile(r"\b(information_schema|pg_catalog|svv_\w+)\b", re.IGNORECASE)

# https://docs.aws.amazon.com/redshift/latest/dg/c_serial_isolation.html
SERIALIZABLE = SqlError("1023", detail="Serializable isolation violation on table in Redshift")
GONE = SqlError("1018", detail="Relation does not exist")
# https://github.com/dbt-labs/dbt-adapters/pull/1873, https://github.com/aws/amazon-redshift-jdbc-driver/issues/147
CONFLICT = SqlError("could not complete because of conflict with concurrent transaction")
# https://github.com/dbt-labs/dbt-redshift/issues/928
NO_OID = SqlError("could not open relation with OID 123456")
NO_RELATION = SqlError("Relation with OID 123456 does not exist.")
# https://github.com/dbt-labs/dbt-core/pull/825
DROPPED = SqlError("table 123456 dropped by concurrent transaction")
# A catalog query fails with this error if another session drops a schema at the same time:
# https://github.com/aws/amazon-redshift-jdbc-driver/issues/153, https://github.com/dbt-labs/dbt-adapters/pull/1718
NO_SCHEMA = SqlError('schema "another" does not exist', "3F000")
# https://github.com/dbt-labs/dbt-core/issues/639
VACUUM_IS_RUNNING = SqlError("VACUUM is running", hint="re-execute after other vacuum finished")


class Lost(ConnectionResetError):
    """The loss of the connection before the statement has run."""


class LostAfterwards(ConnectionResetError):
    """The loss of the connection after the statement has run, but before the client gets an answer."""


class Cluster:
    """The state that the sessions of a server share."""

    def __init__(self, trouble: float = 0.0, seed: int = 0) -> None:
        """:param trouble: the share of statements that fail with such an error."""
        self._trouble, self._random = trouble, random.Random(seed)
        self.vacuuming = False

    def strike(self, sql: str) -> Exception | None:
        """Return the error for a statement, or None. LostAfterwards is only for COMMIT and COPY."""
        if not self._trouble or self._random.random() >= self._trouble:
            return None
        found = _VERB.match(sql)
        verb = found[1].lower() if found else ""
        kinds: list[type[Exception] | SqlError] = []
        if verb in _WRITES:
            kinds = [SERIALIZABLE, CONFLICT, DROPPED, Lost]
        elif verb in _CHANGES_THE_CATALOG:
            kinds = [CONFLICT, NO_OID, Lost]
        elif verb in _READS:
            kinds = [NO_OID, NO_RELATION, GONE, DROPPED, Lost]
            if _CATALOG.search(sql):
                kinds += [NO_SCHEMA]
        elif verb in ("commit", "end"):
            kinds = [SERIALIZABLE, Lost, LostAfterwards]
        if verb == "copy":
            kinds += [LostAfterwards]
        if not kinds:
            return None
        kind = self._random.choice(kinds)
        return kind if isinstance(kind, SqlError) else kind()
