"""One statement, and how the front handles it."""

from __future__ import annotations

from dataclasses import dataclass

from .aliases import AliasReuse


@dataclass
class Names:
    """How a session reads names: its database, and whether a quoted name keeps its capitals."""

    database: str = "dev"
    case_sensitive: bool = False


@dataclass(frozen=True)
class Statement:
    """One statement: `kind` is plain (PostgreSQL's answer goes through), script, copy, unload, truncate, aliases or
    refused.

    `text` is what to run, or the reason of a refusal. A script has more to run in the same transaction, unseen by
    the client. `reuse` is a statement whose aliases have to be settled first. `case_sensitive` is the session's new
    way to read quoted names, if the statement sets it.
    """

    kind: str
    text: str
    after: str = ""
    before: str = ""
    case_sensitive: bool | None = None
    reuse: AliasReuse | None = None
