"""A small evaluator of IAM policies: it finds the statements that match a request, and the policy's decision.

It supports only the elements that include/iam uses and refuses others instead of guessing. See
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html. No library on PyPI evaluates
a whole policy: moto ignores Condition, and pycfmodel evaluates only Condition.
"""

from __future__ import annotations

import copy
import functools
import operator
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.cluster import templates
from tests.cluster.templates import ACCOUNT, REGION

__all__ = ["ACCOUNT", "REGION"]
Statement = dict[str, Any]


@dataclass(frozen=True)
class Request:
    """One request that AWS authorizes: an action on a resource, with the values of condition keys."""

    action: str
    resource: str
    context: frozenset[tuple[str, str]] = field(default=frozenset())

    def with_context(self, key: str, value: str | None) -> Request:
        """Return the same request with another value of a condition key, or without the key."""
        context = {name: old for name, old in self.context if name != key}
        if value is not None:
            context[key] = value
        return Request(self.action, self.resource, frozenset(context.items()))


def load_policy(resource: str, name: str) -> list[Statement]:
    """Return the statements of a resource of include/iam/permissions.yaml, for a test's warehouse."""
    statements: list[Statement] = templates.policy(resource, name=name, EncryptedLake="false")["Statement"]
    for statement in statements:
        unknown = set(statement) - {"Sid", "Effect", "Principal", "Action", "Resource", "Condition"}
        assert not unknown, f"the evaluator does not know {unknown}"
        for key in ("Action", "Resource"):
            statement[key] = as_list(statement[key])
        for keys in statement.get("Condition", {}).values():
            keys.update({key: as_list(value) for key, value in keys.items()})
    return statements


def as_list(value: Any) -> list[Any]:
    """Return a copy of a list, or a new list with any other value."""
    return list(value) if isinstance(value, list) else [value]


def allows(statements: Iterable[Statement], request: Request) -> bool:
    """Return whether the policy allows a request: at least one statement allows it, and none denies it."""
    effects = {statement["Effect"] for statement in statements if matches(statement, request)}
    return effects == {"Allow"}


def matches(statement: Statement, request: Request) -> bool:
    """Return whether a statement applies to a request."""
    return (
        any(_like(request.action, pattern) for pattern in statement["Action"])
        and any(_like(request.resource, pattern) for pattern in statement.get("Resource", [request.resource]))
        and all(
            _holds(name, request, key, values)
            for name, keys in statement.get("Condition", {}).items()
            for key, values in keys.items()
        )
    )


def _like(value: str, pattern: str) -> bool:
    expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(expression, value, re.DOTALL) is not None


_OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": operator.eq,
    "StringLike": _like,
    "ArnEquals": _like,
    "ArnLike": _like,
    "Bool": operator.eq,
}


def _holds(name: str, request: Request, key: str, expected: list[str]) -> bool:
    value = dict(request.context).get(key)
    if value is None:
        return name.endswith("IfExists")
    return any(_OPERATORS[name.removesuffix("IfExists")](value, pattern) for pattern in expected)


# Mutants -------------------------------------------------------------------------------------------------------

Mutation = Callable[[list[Statement]], list[Statement]]


def list_wider(policy: str) -> Iterator[tuple[str, Mutation]]:
    """Yield every mutation that allows more: with Resource "*" instead of names, or without a condition."""
    for i, statement in enumerate(load_policy(policy, "any")):
        sid = f"{policy} {statement['Sid']}"
        if statement["Resource"] != ["*"]:
            yield f"{sid} Resource *", _edit(i, [], lambda found: found.update(Resource=["*"]))
        for test, keys in statement.get("Condition", {}).items():
            for key in keys:
                yield f"{sid} without {test} {key}", _delete(i, ["Condition", test], key)


def list_narrower(policy: str) -> Iterator[tuple[str, Mutation]]:
    """Yield every mutation that allows less: without an action, a resource or a value of a condition."""
    for i, statement in enumerate(load_policy(policy, "any")):
        lists = [[part] for part in ("Action", "Resource")]
        for test, keys in statement.get("Condition", {}).items():
            if not test.endswith("IfExists"):  # It only denies requests that have the key.
                lists += [["Condition", test, key] for key in keys]
        for path in lists:
            for j, value in enumerate(functools.reduce(operator.getitem, path, statement)):
                yield f"{policy} {statement['Sid']} without {path[-1]} {value}", _delete(i, path, j)


def _delete(index: int, path: list[str], key: Any) -> Mutation:
    return _edit(index, path, lambda found: found.pop(key))


def _edit(index: int, path: list[str], change: Callable[[Any], object]) -> Mutation:
    """Return a function that changes the part of a statement at ``path``."""

    def mutate(statements: list[Statement]) -> list[Statement]:
        mutated = copy.deepcopy(statements)
        change(functools.reduce(operator.getitem, path, mutated[index]))
        return mutated

    return mutate
