"""Describe one statement and how the front handles it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .aliases import AliasReuse
from .types import Type


@dataclass
class Names:
    """The rules by which a session resolves names: its database, and whether quoted names keep their case."""

    database: str = "dev"
    case_sensitive: bool = False


@dataclass(frozen=True)
class Result:
    """A column of a query: its name, and its type by Redshift's rules where PostgreSQL's is less precise."""

    name: str
    type: Type | None


@dataclass(frozen=True)
class Statement:
    """One statement: `kind` is plain (the client gets PostgreSQL's answer), script, copy, unload, truncate, vacuum,
    aliases, query or refused.

    `text` is the SQL to run, or the reason of a refusal. A script also has SQL to run `before` and `after` it in the
    same transaction, unseen by the client. `reuse` is a statement whose aliases must be resolved first.
    `case_sensitive` is the session's new rule for quoted names, if the statement sets it. If a statement creates
    something from a query (the kind is query, and `text` is the query), `finish` completes it once the query's columns
    are known. `unbound` is the statement to run if the query's relations or columns do not exist. `tag` is the command
    tag for the client, if not PostgreSQL's. `outside` is the name of the statement if it cannot run in a transaction
    block.
    """

    kind: str
    text: str
    after: str = ""
    before: str = ""
    case_sensitive: bool | None = None
    reuse: AliasReuse | None = None
    finish: Callable[[Sequence[Result]], Statement] | None = None
    unbound: Statement | None = None
    tag: str = ""
    outside: str = ""
