"""One statement, and how the front handles it."""

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
    """A column of a query: its name, and its type by Redshift's rules where PostgreSQL's says less."""

    name: str
    type: Type | None


@dataclass(frozen=True)
class Statement:
    """One statement: `kind` is plain (PostgreSQL's answer goes through), script, copy, unload, truncate, vacuum,
    aliases, query or refused.

    `text` is what to run, or the reason of a refusal. A script has more to run in the same transaction, unseen by
    the client. `reuse` is a statement whose aliases have to be settled first. `case_sensitive` is the session's new
    way to read quoted names, if the statement sets it. A statement that makes something of a query (kind query, in
    `text`) is finished once the query's columns are known. `unbound` says what to run if the query's relations or
    columns do not exist. `tag` is what the client is told when it is done, if not PostgreSQL's word.
    `outside` is the name of a statement that may not be in a transaction block.
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
