"""The calls that templates declare: a state machine's tasks, and the calls of AWS services in roles.

The calls of programs are not in templates, so they are not checked.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cdk_rehearsal.permissions.needs import Need, task_needs
from cdk_rehearsal.permissions.needs.acting import (
    ActingNeed,
    alarm_action_needs,
    ecs_execution_role_needs,
    ecs_task_role_needs,
    event_source_mapping_needs,
    flow_log_role_needs,
    lambda_role_needs,
    rule_target_needs,
    schedule_target_needs,
    state_machine_role_needs,
    topic_delivery_needs,
)
from cdk_review.permission_check.known_names import UNKNOWN, NamedStack, Names, listed
from cdk_review.permission_check.template_world import TemplateWorld
from cdk_review.reference_text import as_list


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredCall:
    """A call that AWS will make.

    Args:
        logical_id: the logical id of the declaring resource.
        what: the caller, in words.
        role: the ARN of the caller's role; "" for a service principal.
        service: the service that assumes the role or calls as service principal.
        need: the needed permission.
        stated: whether the template states the call; otherwise it follows from a setting.
    """

    logical_id: str
    what: str
    role: str
    service: str
    need: Need
    stated: bool


def calls_of(names: Names, stack: NamedStack) -> Iterator[DeclaredCall]:
    """The calls that a stack declares; unreadable declarations are skipped."""
    world = TemplateWorld(names, stack)
    for logical_id, resource in stack.resources.items():
        properties = names.plain(stack, resource.get("Properties") or {})
        if not isinstance(properties, dict):
            continue
        kind = str(resource.get("Type"))
        try:
            if kind == "AWS::StepFunctions::StateMachine":
                definition = _definition(names, stack, resource["Properties"])
                yield from _of_machine(logical_id, properties, definition, world)
            for acting in _acting(kind, logical_id, properties, world):
                yield DeclaredCall(
                    logical_id=logical_id,
                    what=f"{kind.removeprefix('AWS::').replace('::', ' ')} {logical_id}",
                    role=acting.actor.role,
                    service=acting.actor.service,
                    need=acting.need,
                    stated=kind in _STATED,
                )
        except (AttributeError, IndexError, KeyError, TypeError, ValueError):
            # A property that AWS would refuse; other checks report it.
            continue


_STATED = {"AWS::Events::Rule", "AWS::Lambda::EventSourceMapping", "AWS::Scheduler::Schedule"}


def _acting(kind: str, logical_id: str, properties: dict[str, Any], world: TemplateWorld) -> tuple[ActingNeed, ...]:
    match kind:
        case "AWS::StepFunctions::StateMachine":
            logging = properties.get("LoggingConfiguration") or {}
            tracing = properties.get("TracingConfiguration") or {}
            described = {
                "roleArn": properties.get("RoleArn", ""),
                "loggingConfiguration": {"destinations": logging.get("Destinations")},
                "tracingConfiguration": {"enabled": _is_true(tracing.get("Enabled"))},
            }
            return state_machine_role_needs(described, world=world)
        case "AWS::Lambda::Function":
            name = world.arn_by_id(logical_id).rpartition(":")[2]
            return lambda_role_needs(properties | {"FunctionName": name}, world=world)
        case "AWS::Lambda::EventSourceMapping":
            return event_source_mapping_needs(properties, world=world)
        case "AWS::ECS::TaskDefinition" if properties.get("ExecutionRoleArn"):
            return ecs_execution_role_needs(_as_the_api_names(properties), world=world)
        case "AWS::ECS::Service" if _is_true(properties.get("EnableExecuteCommand")):
            definition = world.described("ecs:task-definition", properties.get("TaskDefinition", "")) or {}
            return ecs_task_role_needs(definition, world=world, execute_command=True)
        case "AWS::Events::Rule":
            rule = world.arn_by_id(logical_id)
            targets = listed(properties.get("Targets"))
            return tuple(need for target in targets for need in rule_target_needs(rule, target, world=world))
        case "AWS::Scheduler::Schedule":
            return schedule_target_needs(properties, world=world)
        case "AWS::SNS::Subscription":
            return topic_delivery_needs(properties, world=world)
        case "AWS::CloudWatch::Alarm" | "AWS::CloudWatch::CompositeAlarm":
            return alarm_action_needs(properties | {"AlarmName": logical_id}, world=world)
        case "AWS::EC2::FlowLog" if properties.get("DeliverLogsPermissionArn") and properties.get("LogGroupName"):
            return flow_log_role_needs(properties["DeliverLogsPermissionArn"], properties["LogGroupName"], world=world)
    return ()


def _definition(names: Names, stack: NamedStack, properties: Mapping[str, Any]) -> Any:
    substitutions = properties.get("DefinitionSubstitutions") or {}
    if properties.get("Definition") is not None:
        text = json.dumps(names.plain(stack, properties["Definition"]))
    else:
        text = names.text(stack, properties.get("DefinitionString"))
    for name, value in substitutions.items():
        text = text.replace(f"${{{name}}}", json.dumps(names.text(stack, value))[1:-1])
    return json.loads(text)


def _of_machine(
    logical_id: str, properties: Mapping[str, Any], definition: Any, world: TemplateWorld
) -> Iterator[DeclaredCall]:
    role = str(properties.get("RoleArn", ""))
    for state, resource, parameters in _tasks(definition, world.arn_by_id(logical_id)):
        try:
            asked = task_needs(resource, parameters, world=world)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError):
            continue
        for need in asked:
            yield DeclaredCall(
                logical_id=logical_id,
                what=f"the state {state} of {logical_id}",
                role=role,
                service="states.amazonaws.com",
                need=need,
                stated=True,
            )


def _tasks(definition: Any, machine: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Name, resource and parameters of each task at any depth, and the calls of distributed Maps."""
    states = definition.get("States") if isinstance(definition, dict) else None
    for name, state in states.items() if isinstance(states, dict) else ():
        if not isinstance(state, dict):
            continue
        if state.get("Type") == "Task" and isinstance(state.get("Resource"), str):
            yield name, state["Resource"], _arguments(state)
        for key in ("ItemReader", "ResultWriter"):
            part = state.get(key)
            if isinstance(part, dict) and isinstance(part.get("Resource"), str):
                yield name, part["Resource"], {"Key": UNKNOWN} | _arguments(part)
        processor = state.get("ItemProcessor", state.get("Iterator"))
        for below in (processor, *as_list(state.get("Branches"))):
            yield from _tasks(below, machine)
        configured = processor.get("ProcessorConfig") if isinstance(processor, dict) else None
        if isinstance(configured, dict) and configured.get("Mode") == "DISTRIBUTED":
            yield name, "arn:aws:states:::states:startExecution", {"StateMachineArn": machine}


def _arguments(state: dict[str, Any]) -> dict[str, Any]:
    given = state.get("Arguments", state.get("Parameters"))
    found = _looked_up(given) if isinstance(given, dict) else {}
    return found if isinstance(found, dict) else {}


def _looked_up(value: Any) -> Any:
    """Arguments, with `UNKNOWN` for values from an execution's data: `Name.$`, and JSONata in `{% … %}`."""
    if isinstance(value, dict):
        return {
            name.removesuffix(".$"): UNKNOWN if name.endswith(".$") else _looked_up(item)
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [_looked_up(item) for item in value]
    return UNKNOWN if isinstance(value, str) and value.lstrip().startswith("{%") else value


def _as_the_api_names(value: Any) -> Any:
    """A task definition in the form of ECS's API; names in `Options` belong to the log driver."""
    if isinstance(value, list):
        return [_as_the_api_names(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name[:1].lower() + name[1:]: item if name in ("Options", "DockerLabels") else _as_the_api_names(item)
        for name, item in value.items()
    }


def _is_true(value: Any) -> bool:
    return str(value).lower() == "true"
