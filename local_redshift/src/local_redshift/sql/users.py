"""Translate CREATE USER, ALTER USER, GRANT and REVOKE, with Redshift's options and password rules."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..errors import Refused
from .refusals import not_covered, redshift_lacks
from .settings import setting
from .statement import Statement
from .tokens import Tokens, literal, text_of, visible


def create_or_alter_user(tokens: Tokens, words: Sequence[str]) -> Statement | None:
    """Translate CREATE USER or ALTER USER, and apply Redshift's password rules, which PostgreSQL does not have."""
    if words[3:4] in (["set"], ["reset"]):
        at = next(i for i, token in enumerate(tokens) if token.low == words[3])
        own = setting(tokens[at:], words[3:])
        return Statement("plain", text_of(tokens[:at]) + own.text) if own else None
    for word, reason in (
        ("createuser", "CREATEUSER (a superuser)"),
        ("nocreateuser", "NOCREATEUSER"),
        ("syslog", "SYSLOG ACCESS"),
        ("session", "SESSION TIMEOUT"),
        ("externalid", "EXTERNALID"),
    ):
        if word in words:
            raise not_covered(reason)
    for word in ("superuser", "replication", "bypassrls", "login", "createrole", "encrypted"):
        if word in words:
            raise redshift_lacks(f"user option {word.upper()}")
    for pair in (("in", "role"), ("with", "role"), ("with", "admin")):
        if pair in zip(words, words[1:], strict=False):
            raise redshift_lacks(f"user option {' '.join(pair).upper()}")
    seen = visible(tokens)
    if words[-3:] == ["connection", "limit", "unlimited"]:
        return Statement("plain", re.sub(r"(?i)unlimited\s*$", "-1", text_of(tokens)))
    for i, token in enumerate(seen[:-1]):
        if token.low == "password":
            if seen[i + 1].low == "disable":
                return Statement(
                    "plain", re.sub(r"(?i)\bpassword\s+disable\b", "password null", text_of(tokens))
                )
            return _password(tokens, seen[i + 1].text[1:-1])
    return None


def _password(tokens: Tokens, password: str) -> Statement | None:
    """Check a password by Redshift's rules. The password in 'sha256|password' is stored like any other password."""
    kind, _, rest = password.partition("|")
    if kind == "sha256":
        if "|" in rest:
            raise not_covered("PASSWORD 'sha256|digest|salt' (write the password)")
        _check_password(rest)
        return Statement("plain", text_of(tokens).replace(f"'{password}'", f"'{rest}'"))
    _check_password(password)
    return None


def _check_password(password: str) -> None:
    if re.fullmatch(r"md5[0-9a-f]{32}", password):
        return
    if not 8 <= len(password) <= 64:
        raise Refused("password must be between 8 and 64 characters")
    for pattern, what in (
        ("[a-z]", "a lowercase letter"),
        ("[A-Z]", "an uppercase letter"),
        ("[0-9]", "a number"),
    ):
        if not re.search(pattern, password):
            raise Refused(f"password must contain {what}")


def _assumerole(tokens: Tokens, words: Sequence[str]) -> Statement:
    """Translate GRANT ASSUMEROLE ON arn, ... | DEFAULT | ALL TO user | GROUP name | PUBLIC, ... FOR ALL | COPY, ..."""
    seen = visible(tokens)
    granted, separator = words[0] == "grant", "to" if words[0] == "grant" else "from"
    if "on" not in words or separator not in words or "for" not in words:
        raise Refused(
            f"syntax error: {words[0].upper()} ASSUMEROLE ON role {separator.upper()} user FOR command"
        )
    on, to, for_ = words.index("on"), words.index(separator), words.index("for")
    if "default" in words[on:to]:
        raise not_covered("ASSUMEROLE ON DEFAULT (name the role)")
    lists = []
    for start, end in ((on, to), (to, for_), (for_, len(seen))):
        values = [
            token
            for token in seen[start + 1 : end]
            if token.text != "," and token.low not in ("group", "role")
        ]
        lists.append(
            [token.text[1:-1] if token.kind in ("string", "name") else token.low for token in values]
        )
    arrays = ", ".join(f"array[{', '.join(literal(value) for value in values)}]" for values in lists)
    change = f"select pg_catalog.local_change_assumerole({str(granted).lower()}, {arrays})"
    return Statement("script", change, tag=words[0].upper())


def check_grant(tokens: Tokens, words: Sequence[str]) -> Statement | None:
    if words[1:2] == ["assumerole"]:
        return _assumerole(tokens, words)
    for word, before in zip(words[1:], words, strict=False):
        if word in ("trigger", "connect", "rule") and before in (words[0], ",", "for"):
            raise redshift_lacks(f"privilege {word.upper()}")
    return None
