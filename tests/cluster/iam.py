"""A small evaluator of IAM policies: it finds the statements that match a request, and the policy's decision.

It supports only the elements that include/iam uses and refuses others instead of guessing. See
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html. No library on PyPI evaluates
a whole policy: moto ignores Condition, and pycfmodel evaluates only Condition.
"""

from __future__ import annotations

import copy
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
        rest = {item for item in self.context if item[0] != key}
        return Request(
            self.action, self.resource, frozenset(rest | ({(key, value)} if value is not None else set()))
        )


def load_policy(resource: str, name: str) -> list[Statement]:
    """Return the statements of a resource of include/iam/permissions.yaml, for a test's warehouse."""
    statements: list[Statement] = templates.policy(resource, name=name, EncryptedLake="false")["Statement"]
    for statement in statements:
        unknown = set(statement) - {"Sid", "Effect", "Principal", "Action", "Resource", "Condition"}
        assert not unknown, f"the evaluator does not know {unknown}"
        for key in ("Action", "Resource"):
            statement[key] = as_list(statement[key])
        for operator in statement.get("Condition", {}).values():
            for key in operator:
                operator[key] = as_list(operator[key])
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
            _holds(operator, request, key, values)
            for operator, keys in statement.get("Condition", {}).items()
            for key, values in keys.items()
        )
    )


def _like(value: str, pattern: str) -> bool:
    expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(expression, value, re.DOTALL) is not None


def _equals(value: str, expected: str) -> bool:
    return value == expected


_OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": _equals,
    "StringLike": _like,
    "ArnEquals": _like,
    "ArnLike": _like,
    "Bool": _equals,
}


def _holds(operator: str, request: Request, key: str, expected: list[str]) -> bool:
    values = [value for name, value in request.context if name == key]
    if not values:
        return operator.endswith("IfExists")
    compare = _OPERATORS[operator.removesuffix("IfExists")]
    return any(compare(value, pattern) for value in values for pattern in expected)


# Mutants -------------------------------------------------------------------------------------------------------

Mutation = Callable[[list[Statement]], list[Statement]]


def list_wider(policy: str) -> Iterator[tuple[str, Mutation]]:
    """Yield every mutation that allows more: with Resource "*" instead of names, or without a condition."""
    for i, statement in enumerate(load_policy(policy, "any")):
        if statement["Resource"] != ["*"]:
            yield f"{policy} {statement['Sid']} Resource *", _edit(i, lambda s: s.update(Resource=["*"]))
        for operator, keys in statement.get("Condition", {}).items():
            for key in keys:
                label = f"{policy} {statement['Sid']} without {operator} {key}"
                yield label, _edit(i, lambda s, operator=operator, key=key: s["Condition"][operator].pop(key))


def list_narrower(policy: str) -> Iterator[tuple[str, Mutation]]:
    """Yield every mutation that allows less: without an action, a resource or a value of a condition."""
    for i, statement in enumerate(load_policy(policy, "any")):
        sid = f"{policy} {statement['Sid']}"
        for part in ("Action", "Resource"):
            for j, value in enumerate(statement[part]):
                yield f"{sid} without {value}", _edit(i, lambda s, part=part, j=j: s[part].pop(j))
        for operator, keys in statement.get("Condition", {}).items():
            if operator.endswith("IfExists"):
                continue  # It only denies requests that have the key.
            for key, values in keys.items():
                for j, value in enumerate(values):
                    yield (
                        f"{sid} without {key}={value}",
                        _edit(
                            i, lambda s, operator=operator, key=key, j=j: s["Condition"][operator][key].pop(j)
                        ),
                    )


def _edit(index: int, change: Callable[[Statement], object]) -> Mutation:
    def mutate(statements: list[Statement]) -> list[Statement]:
        mutated = copy.deepcopy(statements)
        change(mutated[index])
        return mutated

    return mutate
