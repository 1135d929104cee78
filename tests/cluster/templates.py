"""Read the CloudFormation templates with parameters and pseudo parameters resolved."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

INCLUDE = Path(__file__).parents[2] / "include"
ACCOUNT, REGION = "123456789012", "us-west-2"


class _Loader(yaml.CSafeLoader):
    """YAML with CloudFormation's short forms of functions."""


def _construct(loader: _Loader, name: str, node: Any) -> dict[str, Any]:
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    return {name: node.value}


_Loader.add_multi_constructor("!", _construct)


def read(path: str) -> dict[str, Any]:
    """Return a template below include/ with its functions unresolved."""
    template: dict[str, Any] = yaml.load((INCLUDE / path).read_text(), _Loader)
    return template


def resolve(value: Any, names: dict[str, str]) -> Any:
    """Return a part of a template with its names and conditions resolved."""
    if isinstance(value, list):
        return [found for one in value if (found := resolve(one, names)) is not None]
    if not isinstance(value, dict):
        return value
    match value:
        case {"Ref": name}:
            return names.get(name)
        case {"Sub": text}:
            return re.sub(r"\$\{([^}]+)\}", lambda found: names[found[1]], text)
        case {"GetAtt": attribute}:
            return names[attribute]
        case {"If": [condition, then, otherwise]}:
            return resolve(then if names[condition] == "true" else otherwise, names)
    return {key: resolve(one, names) for key, one in value.items()}


def names(name: str, **more: str) -> dict[str, str]:
    """Return the values of the names in permissions.yaml for a warehouse."""
    role = f"arn:aws:iam::{ACCOUNT}:role/{name}"
    given = read("iam/permissions.yaml")["Parameters"]
    return (
        {key: parameter["Default"] for key, parameter in given.items() if "Default" in parameter}
        | {
            "AWS::Partition": "aws",
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::Region": REGION,
            "AWS::AccountId": ACCOUNT,
            "Name": name,
            "WorkBucket": f"work-{name}",
            "SourceBucket": f"lake-{name}",
            "LakeKey": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1",
            "EncryptedLake": "true",
            "AirflowRole": "airflow",
            "CloudFormationRole.Arn": f"{role}-cloudformation",
            "CopyRole.Arn": f"{role}-copy",
        }
        | more
    )


def policy(resource: str, **given: str) -> dict[str, Any]:
    """Return the policy of one resource of permissions.yaml."""
    properties = read("iam/permissions.yaml")["Resources"][resource]["Properties"]
    document = properties.get("PolicyDocument") or properties["Policies"][0]["PolicyDocument"]
    found: dict[str, Any] = resolve(document, names(**given))
    return found
