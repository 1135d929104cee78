"""Redshift Serverless, which moto does not have: namespaces, workgroups and usage limits, kept in memory.

Only the calls that provisioning tools need; any other is refused by name.
"""

from __future__ import annotations

import uuid
from typing import Any

from .aws_json import Caller, Fault, Given, Operation
from .roles import Address, Roles


class Serverless:
    """The operations of Redshift Serverless; every workgroup is the front's database."""

    def __init__(self, roles: Roles, address: Address) -> None:
        self._roles, self._address = roles, address
        self._namespaces: dict[str, dict[str, Any]] = {}
        self._workgroups: dict[str, dict[str, Any]] = {}
        self._limits: dict[str, dict[str, Any]] = {}
        self._snapshots: dict[str, dict[str, Any]] = {}
        self._tags: dict[str, list[dict[str, str]]] = {}

    @property
    def operations(self) -> dict[str, Operation]:
        return {
            "CreateNamespace": self._create_namespace,
            "GetNamespace": self._get_namespace,
            "DeleteNamespace": self._delete_namespace,
            "CreateWorkgroup": self._create_workgroup,
            "GetWorkgroup": self._get_workgroup,
            "ListNamespaces": self._list_namespaces,
            "ListWorkgroups": self._list_workgroups,
            "DeleteWorkgroup": self._delete_workgroup,
            "CreateUsageLimit": self._create_usage_limit,
            "UpdateUsageLimit": self._update_usage_limit,
            "ListUsageLimits": self._list_usage_limits,
            "ListTagsForResource": self._list_tags_for_resource,
            "ListSnapshots": self._list_snapshots,
        }

    def has_workgroup(self, name: str) -> bool:
        return name in self._workgroups

    def _arn(self, region: str, kind: str, tags: list[dict[str, str]]) -> str:
        arn = f"arn:aws:redshift-serverless:{region}:123456789012:{kind}/{uuid.uuid4()}"
        self._tags[arn] = tags
        return arn

    @staticmethod
    def _of(things: dict[str, dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
        if name not in things:
            raise Fault("ResourceNotFoundException", f"{kind} {name} does not exist")
        return things[name]

    def _create_namespace(self, caller: Caller, given: Given) -> Given:
        name, tags, password = given["namespaceName"], given.pop("tags", []), given.pop("adminUserPassword")
        if name in self._namespaces:
            raise Fault("ConflictException", f"namespace {name} exists")
        arn = self._arn(caller.region, "namespace", tags)
        self._namespaces[name] = {**given, "status": "AVAILABLE", "namespaceArn": arn}
        self._roles.create_master(given["adminUsername"], password)
        return {"namespace": self._namespaces[name]}

    def _get_namespace(self, caller: Caller, given: Given) -> Given:
        return {"namespace": self._of(self._namespaces, "namespace", given["namespaceName"])}

    def _delete_namespace(self, caller: Caller, given: Given) -> Given:
        name = given["namespaceName"]
        namespace = self._of(self._namespaces, "namespace", name)
        if any(workgroup["namespaceName"] == name for workgroup in self._workgroups.values()):
            raise Fault("ConflictException", f"namespace {name} has a workgroup")
        if snapshot := given.get("finalSnapshotName"):
            self._snapshots[snapshot] = {"snapshotName": snapshot, "status": "AVAILABLE"}
        self._roles.drop(namespace["adminUsername"])
        return {"namespace": self._namespaces.pop(name)}

    def _create_workgroup(self, caller: Caller, given: Given) -> Given:
        name, tags = given["workgroupName"], given.pop("tags", [])
        self._of(self._namespaces, "namespace", given["namespaceName"])
        if name in self._workgroups:
            raise Fault("ConflictException", f"workgroup {name} exists")
        arn = self._arn(caller.region, "workgroup", tags)
        self._workgroups[name] = {**given, "status": "AVAILABLE", "workgroupArn": arn}
        return self._get_workgroup(caller, given)

    def _get_workgroup(self, caller: Caller, given: Given) -> Given:
        workgroup = self._of(self._workgroups, "workgroup", given["workgroupName"])
        endpoint = {"address": self._address.host, "port": self._address.port}
        return {"workgroup": {**workgroup, "endpoint": endpoint}}

    def _list_namespaces(self, caller: Caller, given: Given) -> Given:
        return {"namespaces": list(self._namespaces.values())}

    def _list_workgroups(self, caller: Caller, given: Given) -> Given:
        names = list(self._workgroups)
        return {"workgroups": [self._get_workgroup(caller, {"workgroupName": n})["workgroup"] for n in names]}

    def _delete_workgroup(self, caller: Caller, given: Given) -> Given:
        workgroup = self._of(self._workgroups, "workgroup", given["workgroupName"])
        arn = workgroup["workgroupArn"]
        self._limits = {id: limit for id, limit in self._limits.items() if limit["resourceArn"] != arn}
        return {"workgroup": self._workgroups.pop(given["workgroupName"])}

    def _create_usage_limit(self, caller: Caller, given: Given) -> Given:
        limit = {**given, "usageLimitId": str(uuid.uuid4())}
        self._limits[limit["usageLimitId"]] = limit
        return {"usageLimit": limit}

    def _update_usage_limit(self, caller: Caller, given: Given) -> Given:
        limit = self._of(self._limits, "usage limit", given["usageLimitId"])
        limit.update(given)
        return {"usageLimit": limit}

    def _list_usage_limits(self, caller: Caller, given: Given) -> Given:
        arn = given["resourceArn"]
        return {"usageLimits": [limit for limit in self._limits.values() if limit["resourceArn"] == arn]}

    def _list_tags_for_resource(self, caller: Caller, given: Given) -> Given:
        return {"tags": self._tags[given["resourceArn"]]}

    def _list_snapshots(self, caller: Caller, given: Given) -> Given:
        return {"snapshots": list(self._snapshots.values())}
