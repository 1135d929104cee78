"""Redshift Serverless, which moto does not have: namespaces, workgroups, usage limits and snapshots, stored in memory.

It supports only the calls that provisioning tools need, and refuses all other calls by name. As on AWS, a change of
state takes time, capacity is limited to certain values, and a workgroup needs three subnets in three Availability
Zones.
"""

from __future__ import annotations

import uuid
from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.ec2.models import ec2_backends

from .aws_json import Caller, Fault, Given
from .moto_clusters import Passing, drop_secret, new_secret
from .roles import Address, Roles

Thing = dict[str, Any]
LEVELS = (1, 25, 50, 75, 100)
"""The levels of a price-performance target, from
https://docs.aws.amazon.com/redshift-serverless/latest/APIReference/API_PerformanceTarget.html.
"""


class Serverless:
    """The operations of Redshift Serverless, as methods. Every workgroup serves the front's database."""

    def __init__(self, roles: Roles, address: Address) -> None:
        self._roles, self._address = roles, address
        self._namespaces: dict[str, Thing] = {}
        self._workgroups: dict[str, Thing] = {}
        self._limits: dict[str, Thing] = {}
        self._snapshots: dict[str, Thing] = {}
        self._tags: dict[str, list[dict[str, str]]] = {}

    def has_workgroup(self, name: str) -> bool:
        return name in self._workgroups

    def _arn(self, region: str, kind: str, tags: list[dict[str, str]]) -> str:
        arn = f"arn:aws:redshift-serverless:{region}:{DEFAULT_ACCOUNT_ID}:{kind}/{uuid.uuid4()}"
        self._tags[arn] = tags
        return arn

    @staticmethod
    def _current(things: dict[str, Thing]) -> dict[str, Thing]:
        """Return the resources in their current states, without those whose deletion is complete."""
        for key, thing in list(things.items()):
            if "passing" in thing:
                thing["status"] = thing["passing"].get()
                if thing["status"] == "DELETED":
                    del things[key]
        return things

    def _of(self, things: dict[str, Thing], kind: str, name: str) -> Thing:
        if name not in self._current(things):
            raise Fault("ResourceNotFoundException", f"{kind} {name} does not exist")
        return things[name]

    @staticmethod
    def _begin(thing: Thing, now: str, then: str) -> Thing:
        """Set a transitional state and the state that follows it."""
        return thing | {"status": now, "passing": Passing(now, then)}

    @staticmethod
    def _shown(thing: Thing, look: bool = False) -> Thing:
        if look and "passing" in thing:
            thing["status"] = thing["passing"].get(look)
        return {key: value for key, value in thing.items() if key != "passing"}

    def create_namespace(self, caller: Caller, given: Given) -> Given:
        name, user, tags = given["namespaceName"], given["adminUsername"], given.pop("tags", [])
        password, managed = given.pop("adminUserPassword", None), given.pop("manageAdminPassword", False)
        if name in self._current(self._namespaces):
            raise Fault("ConflictException", f"namespace {name} exists")
        if managed == bool(password):
            raise Fault("ValidationException", "Give either adminUserPassword or manageAdminPassword")
        namespace = {
            **given,
            "status": "AVAILABLE",
            "namespaceArn": self._arn(caller.region, "namespace", tags),
        }
        if managed:
            namespace["adminPasswordSecretArn"], password = new_secret(caller.region, name, user)
        self._namespaces[name] = namespace
        self._roles.create_master(user, password)
        return {"namespace": self._shown(namespace)}

    def get_namespace(self, caller: Caller, given: Given) -> Given:
        return {
            "namespace": self._shown(self._of(self._namespaces, "namespace", given["namespaceName"]), True)
        }

    def delete_namespace(self, caller: Caller, given: Given) -> Given:
        name = given["namespaceName"]
        namespace = self._of(self._namespaces, "namespace", name)
        if self._workgroup_of(name):
            raise Fault("ConflictException", f"namespace {name} has a workgroup")
        if given.get("finalSnapshotName"):
            self.create_snapshot(caller, {"namespaceName": name, "snapshotName": given["finalSnapshotName"]})
        self._namespaces[name] = self._begin(namespace, "DELETING", "DELETED")
        self._roles.drop(namespace["adminUsername"])
        drop_secret(caller.region, name, namespace["adminUsername"])
        return {"namespace": self._shown(self._namespaces[name])}

    def _workgroup_of(self, namespace: str) -> Thing | None:
        workgroups = self._current(self._workgroups).values()
        return next((one for one in workgroups if one["namespaceName"] == namespace), None)

    def create_workgroup(self, caller: Caller, given: Given) -> Given:
        name, tags = given["workgroupName"], given.pop("tags", [])
        self._of(self._namespaces, "namespace", given["namespaceName"])
        if name in self._current(self._workgroups):
            raise Fault("ConflictException", f"workgroup {name} exists")
        self._check_capacity(given)
        self._check_subnets(caller, given.get("subnetIds"))
        arn = self._arn(caller.region, "workgroup", tags)
        self._workgroups[name] = self._begin({**given, "workgroupArn": arn}, "CREATING", "AVAILABLE")
        return {"workgroup": self._shown(self._workgroups[name])}

    @staticmethod
    def _check_capacity(given: Given) -> None:
        # https://docs.aws.amazon.com/redshift/latest/mgmt/serverless-capacity.html
        base, most = given.get("baseCapacity"), given.get("maxCapacity")
        if base is not None and base != 4 and (base % 8 or not 8 <= base <= 1024):
            raise Fault(
                "ValidationException", f"baseCapacity {base} is neither 4 nor a multiple of 8 up to 1024"
            )
        if most is not None and (most % 8 or not max(8, base or 8) <= most):
            raise Fault(
                "ValidationException", f"maxCapacity {most} must be a multiple of 8 from the base capacity on"
            )
        if _has_target(given) and (level := given["pricePerformanceTarget"].get("level")) not in LEVELS:
            raise Fault("ValidationException", f"pricePerformanceTarget has no level {level}")

    @staticmethod
    def _check_subnets(caller: Caller, subnets: list[str] | None) -> None:
        # https://docs.aws.amazon.com/redshift/latest/mgmt/serverless-usage-considerations.html
        backend: Any = ec2_backends[DEFAULT_ACCOUNT_ID][caller.region]
        if subnets is None:
            # moto's default VPC has one subnet in each of the region's zones.
            subnets = [one.id for one in backend.describe_subnets() if one.default_for_az == "true"]
        zones = {one.availability_zone for one in backend.describe_subnets(subnet_ids=subnets)}
        if len(zones) < 3:
            raise Fault("ValidationException", f"{len(zones)} availability zones: there must be at least 3")

    def get_workgroup(self, caller: Caller, given: Given) -> Given:
        workgroup = self._of(self._workgroups, "workgroup", given["workgroupName"])
        endpoint = {"address": self._address.host, "port": self._address.port}
        return {"workgroup": {**self._shown(workgroup, True), "endpoint": endpoint}}

    def update_workgroup(self, caller: Caller, given: Given) -> Given:
        workgroup = self._of(self._workgroups, "workgroup", given["workgroupName"])
        if workgroup["status"] != "AVAILABLE":
            raise Fault("ConflictException", f"workgroup {given['workgroupName']} is {workgroup['status']}")
        if len(given) > 2:
            text = f"Can't update multiple configurations at the same time for workgroup {given['workgroupName']}."
            raise Fault("ValidationException", text)
        if "baseCapacity" in given and _has_target(workgroup):
            text = "baseCapacity is managed by the price-performance target. Disable the target first."
            raise Fault("ValidationException", text)
        changed = workgroup | given
        if _has_target(changed):
            changed.pop("baseCapacity", None)
        self._check_capacity(changed)
        self._workgroups[given["workgroupName"]] = self._begin(changed, "MODIFYING", "AVAILABLE")
        return {"workgroup": self._shown(self._workgroups[given["workgroupName"]])}

    def list_namespaces(self, caller: Caller, given: Given) -> Given:
        return {"namespaces": [self._shown(one, True) for one in self._current(self._namespaces).values()]}

    def list_workgroups(self, caller: Caller, given: Given) -> Given:
        names = list(self._current(self._workgroups))
        return {"workgroups": [self.get_workgroup(caller, {"workgroupName": n})["workgroup"] for n in names]}

    def delete_workgroup(self, caller: Caller, given: Given) -> Given:
        name = given["workgroupName"]
        workgroup = self._of(self._workgroups, "workgroup", name)
        if workgroup["status"] != "AVAILABLE":
            raise Fault("ConflictException", f"workgroup {name} is {workgroup['status']}")
        arn = workgroup["workgroupArn"]
        self._limits = {id: limit for id, limit in self._limits.items() if limit["resourceArn"] != arn}
        self._workgroups[name] = self._begin(workgroup, "DELETING", "DELETED")
        return {"workgroup": self._shown(self._workgroups[name])}

    def create_usage_limit(self, caller: Caller, given: Given) -> Given:
        workgroups = self._current(self._workgroups).values()
        owner = next((one for one in workgroups if one["workgroupArn"] == given["resourceArn"]), None)
        if owner is None:
            raise Fault("ResourceNotFoundException", f"{given['resourceArn']} does not exist")
        if owner["status"] != "AVAILABLE":
            raise Fault("ConflictException", f"workgroup {owner['workgroupName']} is {owner['status']}")
        limit = {**given, "usageLimitId": str(uuid.uuid4())}
        self._limits[limit["usageLimitId"]] = limit
        return {"usageLimit": limit}

    def update_usage_limit(self, caller: Caller, given: Given) -> Given:
        limit = self._of(self._limits, "usage limit", given["usageLimitId"])
        limit.update(given)
        return {"usageLimit": limit}

    def list_usage_limits(self, caller: Caller, given: Given) -> Given:
        arn = given["resourceArn"]
        return {"usageLimits": [limit for limit in self._limits.values() if limit["resourceArn"] == arn]}

    def list_tags_for_resource(self, caller: Caller, given: Given) -> Given:
        return {"tags": self._tags[given["resourceArn"]]}

    def create_snapshot(self, caller: Caller, given: Given) -> Given:
        name, workgroup = given["snapshotName"], self._workgroup_of(given["namespaceName"])
        self._of(self._namespaces, "namespace", given["namespaceName"])
        if workgroup is None or workgroup["status"] != "AVAILABLE":
            text = "You can't create a snapshot because there isn't a workgroup created for the namespace"
            raise Fault("ValidationException", text)
        if name in self._snapshots:
            raise Fault("ConflictException", f"snapshot {name} exists")
        snapshot = {"snapshotName": name, "namespaceName": given["namespaceName"]}
        self._snapshots[name] = self._begin(snapshot, "CREATING", "AVAILABLE")
        return {"snapshot": self._shown(self._snapshots[name])}

    def delete_snapshot(self, caller: Caller, given: Given) -> Given:
        self._of(self._snapshots, "snapshot", given["snapshotName"])
        return {"snapshot": self._shown(self._snapshots.pop(given["snapshotName"]))}

    def list_snapshots(self, caller: Caller, given: Given) -> Given:
        return {"snapshots": [self._shown(one, True) for one in self._current(self._snapshots).values()]}


def _has_target(workgroup: Thing) -> bool:
    return bool(workgroup.get("pricePerformanceTarget", {}).get("status") == "ENABLED")
