"""CloudFormation on this machine: moto's protocol and intrinsic functions, with stacks that behave as on AWS.

moto creates a template's resources immediately from its own models, without rollback and without half of the
properties. This module creates the types of :mod:`local_redshift.stack_types` through the API, as CloudFormation does,
so the stack fails if the API refuses a call. Creation, update and deletion continue after the call has returned. If the
creation of a stack fails, the stack is rolled back.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import yaml
from moto.cloudformation import models, parsing, responses
from moto.cloudformation.exceptions import AlreadyExistsException, ValidationError
from moto.cloudformation.models import CloudFormationBackend, Stack
from moto.cloudformation.parsing import get_model_map
from moto.cloudformation.utils import generate_stack_id

from .stack_types import TYPES, Resource

_KEPT = ("Retain", "RetainExceptOnCreate")


def attach(endpoint: str) -> None:
    """Replace moto's stacks for the lifetime of this process. `endpoint` is the API that creates resources."""
    Resource.endpoint = endpoint
    get_model_map().update(TYPES)
    backend: Any = CloudFormationBackend
    backend.create_stack, backend.update_stack, backend.delete_stack = (
        _create_stack,
        _update_stack,
        _delete_stack,
    )
    backend.list_stack_resources = backend.describe_stack_resources = _list_resources
    # moto's parser supports neither !Condition nor attributes with dots. JSON is also YAML.
    functions: Any = parsing
    functions.clean_json = _resolve
    model: Any = Stack
    model.parse_template = staticmethod(_parse)
    protocol: Any = responses.CloudFormationResponse
    protocol.update_termination_protection = _update_termination_protection
    # Outputs exist only when their resources do, so that describing a stack creates no resource.
    outputs, parameters = model.outputs.fget, model.parameter_list.fget
    model.outputs = property(lambda stack: outputs(stack) if stack.status in _SETTLED else None)
    # Describe a list parameter in its original form, with commas.
    model.parameter_list = property(lambda stack: [_as_text(one) for one in parameters(stack)])


def _as_text(parameter: dict[str, Any]) -> dict[str, Any]:
    value = parameter["ParameterValue"]
    return parameter | {"ParameterValue": ",".join(map(str, value)) if isinstance(value, list) else value}


_SETTLED = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")


def _create_stack(
    self: CloudFormationBackend, name: str, template: str, parameters: dict[str, Any], **named: Any
) -> Stack:
    if any(stack.name == name for stack in self.stacks.values()):
        raise AlreadyExistsException(f"Stack [{name}] already exists")
    stack_id = generate_stack_id(name, self.region_name, self.account_id)
    _check_parameters(template, parameters)
    model: Any = Stack
    stack: Stack = model(
        stack_id=stack_id,
        name=name,
        template=template,
        parameters=parameters,
        account_id=self.account_id,
        region_name=self.region_name,
        cross_stack_resources=self.exports,
        **{key: value for key, value in named.items() if key != "notification_arns"},
    )
    self.stacks[stack_id] = stack
    _in_the_background(stack, "CREATE", lambda: _make(stack), lambda: _remove(stack, everything=True))
    return stack


def _update_stack(
    self: CloudFormationBackend, name: str, template: str, role_arn: str | None, parameters: Any, tags: Any
) -> Stack:
    stack = self.get_stack(name)
    if stack.status not in _SETTLED:
        raise ValidationError(
            message=f"Stack:{stack.stack_id} is in {stack.status} state and can not be updated."
        )
    resolved = {
        entry["ParameterKey"]: stack.parameters[entry["ParameterKey"]]
        if entry.get("UsePreviousValue")
        else entry["ParameterValue"]
        for entry in parameters
    }
    _check_parameters(template, resolved)
    before: tuple[str, dict[str, Any]] = (str(stack.template), stack.parameters)
    changes = _plan(stack, template, resolved)
    if not changes:
        _load(stack, *before)
        raise ValidationError(message="No updates are to be performed.")

    def back() -> None:
        for change in _plan(stack, *before):
            change()

    _in_the_background(stack, "UPDATE", lambda: [change() for change in changes], back)
    return stack


def _delete_stack(self: CloudFormationBackend, name_or_stack_id: str) -> None:
    for stack in list(self.stacks.values()):
        if name_or_stack_id in (stack.name, stack.stack_id):
            if stack.enable_termination_protection:
                raise ValidationError(
                    message=f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled"
                )

            def delete(stack: Stack = stack) -> None:
                _remove(stack)
                self.deleted_stacks[stack.stack_id] = self.stacks.pop(stack.stack_id)

            _in_the_background(stack, "DELETE", delete)


def _update_termination_protection(self: Any) -> Any:
    stack = self.cloudformation_backend.get_stack(self._get_param("StackName"))
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-protect-stacks.html
    if stack.status == "DELETE_IN_PROGRESS":
        raise ValidationError(message=f"Stack [{stack.name}] is in {stack.status} state")
    stack.enable_termination_protection = self._get_bool_param("EnableTerminationProtection")
    return responses.ActionResult({"StackId": stack.stack_id})


def _list_resources(
    self: CloudFormationBackend, name: str, logical_id: str | None = None
) -> tuple[Stack, list[Any]]:
    stack = self.get_stack(name)
    return stack, [found for key, found in _resources(stack) if logical_id in (None, key)]


def _in_the_background(
    stack: Stack, verb: str, work: Callable[[], object], roll_back: Callable[[], None] | None = None
) -> None:
    """Do the work of a call after the call has returned, and roll back as AWS does if the work fails."""

    def run() -> None:
        try:
            work()
            _set(stack, f"{verb}_COMPLETE")
        except Exception as error:
            _report(stack, f"{verb}_FAILED", str(error))
            if roll_back is None:
                _set(stack, f"{verb}_FAILED", str(error))
                return
            prefix = "ROLLBACK" if verb == "CREATE" else f"{verb}_ROLLBACK"
            _set(stack, f"{prefix}_IN_PROGRESS", str(error))
            try:
                roll_back()
                _set(stack, f"{prefix}_COMPLETE")
            except Exception as again:
                _set(stack, f"{prefix}_FAILED", str(again))

    _set(stack, f"{verb}_IN_PROGRESS", "User Initiated")
    threading.Thread(target=run, daemon=True).start()


def _set(stack: Stack, status: str, reason: str | None = None) -> None:
    stack.status = status
    stack._add_stack_event(status, resource_status_reason=reason)


def _report(stack: Stack, status: str, reason: str) -> None:
    """Add an event for the failed resource, whose name is the part of the error before the colon."""
    logical_id, _, text = reason.partition(": ")
    kind = stack.resource_map._resource_json_map.get(logical_id, {}).get("Type", "AWS::CloudFormation::Stack")
    stack.events.append(models.Event(stack.stack_id, stack.name, logical_id, "", kind, status, text, ""))


def _resources(stack: Stack) -> Iterator[tuple[str, Any]]:
    """Yield the resources that exist, oldest first. A lookup in moto's own map would create the others."""
    made = stack.resource_map._parsed_resources
    for key in list(made):
        if key in stack.resource_map._resource_json_map and made[key] is not None:
            yield key, made[key]


def _make(stack: Stack) -> None:
    resources: Any = stack.resource_map
    for key in resources.resources:
        _step(key, partial(resources.__getitem__, key))


def _step(logical_id: str, action: Callable[[], object]) -> None:
    """Name the resource in an action's error, unless the error already names a resource that it depends on."""
    try:
        action()
    except Exception as error:
        named = getattr(error, "named", False)
        failure = RuntimeError(str(error) if named else f"{logical_id}: {error}")
        failure.named = True  # type: ignore[attr-defined]
        raise failure from error


def _remove(stack: Stack, everything: bool = False) -> None:
    """Delete the resources, newest first, except those that the template keeps."""
    for key, resource in reversed(list(_resources(stack))):
        policy = stack.resource_map._resource_json_map[key].get("DeletionPolicy", "Delete")
        kept = policy == "Retain" or (policy == "RetainExceptOnCreate" and not everything)
        if not kept:
            _step(key, partial(_delete, stack, resource))
        stack.resource_map._parsed_resources.pop(key)


def _delete(stack: Stack, resource: Any) -> None:
    if isinstance(resource, Resource):
        resource.remove()
    else:
        # Only moto supports this type.
        stack.resource_map._delete_resource(resource, {"Type": resource.cf_resource_type})


def _load(stack: Stack, template: str, parameters: dict[str, Any]) -> None:
    made = dict(_resources(stack))
    stack.template, stack.parameters = template, parameters
    stack._parse_template()
    stack.resource_map = stack._create_resource_map()
    stack.resource_map._parsed_resources.update(made)
    stack.output_map = stack._create_output_map()


def _plan(stack: Stack, template: str, parameters: dict[str, Any]) -> list[Callable[[], object]]:
    """Load a new template or parameters, and return the actions: creations, changes, then deletions."""
    made = dict(_resources(stack))
    _load(stack, template, parameters)
    map_: Any = stack.resource_map
    unwanted = dict(made)
    changes: list[Callable[[], object]] = []
    for key, entry in map_._resource_json_map.items():
        condition = entry.get("Condition")
        if condition and not map_.lazy_condition_map[condition]:
            continue
        unwanted.pop(key, None)
        if key not in made:
            changes.append(partial(_step, key, partial(map_.__getitem__, key)))
        elif isinstance(made[key], Resource):
            wanted = parsing.clean_json(entry.get("Properties", {}), map_)
            if wanted != made[key].properties:
                changes.append(partial(_step, key, partial(made[key].change, wanted)))

    def drop(key: str, resource: Any) -> None:
        policy = map_._resource_json_map.get(key, {}).get("DeletionPolicy", "Delete")
        if policy not in _KEPT:
            _step(key, partial(_delete, stack, resource))
        map_._parsed_resources.pop(key)

    return [*changes, *(partial(drop, key, thing) for key, thing in unwanted.items())]


def _check_parameters(template: str, given: dict[str, Any]) -> None:
    """Refuse parameters that the template does not allow."""
    slots = Stack.parse_template(template).get("Parameters", {})
    for name in given:
        if name not in slots:
            raise ValidationError(message=f"Parameters: [{name}] do not exist in the template")
    for name, slot in slots.items():
        value = given.get(name, slot.get("Default"))
        if value is None:
            raise ValidationError(message=f"Parameters: [{name}] must have values")
        allowed = [str(one) for one in slot.get("AllowedValues", [])]
        if (
            (allowed and str(value) not in allowed)
            or ("AllowedPattern" in slot and not re.search(slot["AllowedPattern"], str(value)))
            or ("MaxLength" in slot and len(str(value)) > slot["MaxLength"])
            or (slot["Type"] == "Number" and not _is_between(value, slot))
        ):
            raise ValidationError(message=f"Parameter {name} failed to satisfy constraint: {value}")


def _is_between(value: Any, slot: dict[str, Any]) -> bool:
    number = float(value)
    return float(slot.get("MinValue", number)) <= number <= float(slot.get("MaxValue", number))


_clean_json = parsing.clean_json


def _resolve(value: Any, resources: Any) -> Any:
    """Resolve the functions in a part of a template. AWS::NoValue also removes an element of a list."""
    found = _clean_json(value, resources)
    return [one for one in found if one is not None] if isinstance(value, list) else found


class _Loader(yaml.CSafeLoader):
    """A YAML loader that supports CloudFormation's short forms of functions."""


def _construct(loader: _Loader, suffix: str, node: Any) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    elif isinstance(node, yaml.MappingNode):
        value = loader.construct_mapping(node, deep=True)
    else:
        # The name of a resource's attribute may contain dots.
        value = node.value.split(".", 1) if suffix == "GetAtt" else node.value
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _construct)


def _parse(template: str) -> dict[str, Any]:
    parsed: dict[str, Any] = yaml.load(template, _Loader)
    return parsed
