"""Check where a query runs: some features exist only on the leader node or only on the compute nodes.

A query that reads a user's table runs on the compute nodes. A query that reads no table or only the catalog runs on the
leader node. https://docs.aws.amazon.com/redshift/latest/dg/c_sql-functions-leader-node.html
"""

from __future__ import annotations

import re

from ...errors import Refused
from ..refusals import redshift_lacks
from .tables import Function

_SYSTEM = re.compile(r"(?:stl|stv|svl|svv|svcs|sys)_")
# https://docs.aws.amazon.com/redshift/latest/dg/c_join_PG.html: these views use functions of the leader node.
_LEADER_VIEWS = {"pg_stats", "pg_tables", "pg_views", "pg_indexes", "pg_rules", "pg_table_def"}


# The catalog of PostgreSQL 8.0 (https://www.postgresql.org/docs/8.0/catalogs.html, .../monitoring-stats.html) and
# Redshift's additions. The tests of Redshift's driver read them and omit newer tables:
# https://github.com/aws/amazon-redshift-python-driver/blob/master/test/integration/datatype/test_system_table_queries.py
_PG = frozenset(
    """
    aggregate am amop amproc attrdef attribute cast class constraint conversion database default_acl depend description
    group index inherits language largeobject listener namespace opclass operator proc rewrite shadow shdepend statistic
    tablespace trigger type indexes locks rules settings stats tables user views stat_activity stat_bgwriter
    stat_database stat_all_tables stat_sys_tables stat_user_tables stat_all_indexes stat_sys_indexes stat_user_indexes
    collation opfamily roles auth_members
    attribute_info class_info database_info external_schema library proc_info statistic_indicator table_def user_info
    """.split()
)


class Places:
    """Records the relations and features that a statement uses, and checks that one node type has all of them."""

    def __init__(self) -> None:
        self.queries: set[str] = set()  # names of the queries of WITH
        self.writes = False  # whether the statement writes rows of a table
        self.relations: list[tuple[str, str]] = []  # schemas and names
        # Features that only the leader node or only the compute nodes have, or only a query of the catalog.
        self.leader: list[str] = []
        self.compute: list[str] = []
        self.catalog: list[str] = []
        self.apart: list[str] = []  # errors that apply if the statement runs on the compute nodes

    def function(self, function: Function) -> None:
        """Record a function call."""
        if function.place == "compute":
            self.compute.append(function.name.upper())
        elif function.place:
            (self.leader if function.place == "leader" else self.catalog).append(
                f"function {function.name}()"
            )

    def check(self) -> bool:
        """Return whether the statement reads only the catalog. Raise Refused for a feature that its node type lacks."""
        kinds = {self._kind(schema, name) for schema, name in self.relations}
        kinds |= {"user"} if self.writes else set()
        if self.catalog and ("user" in kinds or not kinds & {"catalog", "system"}):
            raise redshift_lacks(self.catalog[0])
        if "user" not in kinds:
            if self.compute and "system" not in kinds:
                raise Refused(
                    "One or more of the used functions must be applied on at least one user created tables. Examples"
                    f" of user table only functions are LISTAGG, MEDIAN, PERCENTILE_CONT, etc: {self.compute[0]}"
                )
            return "catalog" in kinds
        leader = self.leader + [
            f"relation {name}"
            for schema, name in self.relations
            if name in _LEADER_VIEWS and schema in ("", "pg_catalog") or schema == "information_schema"
        ]
        if leader:
            raise Refused(
                f"Specified types or functions (one per INFO message) not supported on Redshift tables: {leader[0]}"
                " is on the leader node only (for the time, use GETDATE())"
            )
        if self.apart:
            raise Refused(self.apart[0])
        return False

    def _kind(self, schema: str, name: str) -> str:
        if not schema and name in self.queries:
            return "query"
        if schema == "information_schema":
            return "catalog"
        if schema in ("", "pg_catalog"):
            if _SYSTEM.match(name):
                return "system"
            if name.startswith("pg_") and name[3:] not in _PG:
                raise Refused(
                    f'relation "{name}" does not exist: the catalog is that of PostgreSQL 8.0 and Redshift\'s own'
                )
            if schema or name.startswith("pg_"):
                return "catalog"
        return "user"
