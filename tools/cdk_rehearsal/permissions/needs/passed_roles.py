"""`iam:PassRole`: a call that passes a role to a service needs permission to pass it.

https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from cdk_rehearsal.permissions.needs.arns import account_of, role_arn
from cdk_rehearsal.permissions.needs.need import Need
from cdk_rehearsal.permissions.needs.operation_actions import service_prefix
from cdk_rehearsal.permissions.needs.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class PassedRole:
    """Where a call's parameters name a role, and the service that will assume it."""

    path: tuple[str, ...]  # "*" stands for each element of a list
    service: str


def _to(service: str, *paths: str) -> tuple[PassedRole, ...]:
    return tuple(PassedRole(path=tuple(path.split(".")), service=service) for path in paths)


_SAGEMAKER = "sagemaker.amazonaws.com"
_LAMBDA = "lambda.amazonaws.com"
_TASKS = "ecs-tasks.amazonaws.com"
_STATES = "states.amazonaws.com"
_EVENTS = "events.amazonaws.com"

PASSED_ROLES: Mapping[tuple[str, str], tuple[PassedRole, ...]] = MappingProxyType(
    {
        ("application-autoscaling", "RegisterScalableTarget"): _to("application-autoscaling.amazonaws.com", "RoleARN"),
        ("cloudformation", "CreateChangeSet"): _to("cloudformation.amazonaws.com", "RoleARN"),
        ("cloudformation", "CreateStack"): _to("cloudformation.amazonaws.com", "RoleARN"),
        ("cloudformation", "DeleteStack"): _to("cloudformation.amazonaws.com", "RoleARN"),
        ("cloudformation", "UpdateStack"): _to("cloudformation.amazonaws.com", "RoleARN"),
        ("ecs", "CreateService"): _to("ecs.amazonaws.com", "role"),
        ("ecs", "RegisterTaskDefinition"): _to(_TASKS, "taskRoleArn", "executionRoleArn"),
        ("ecs", "RunTask"): _to(_TASKS, "overrides.taskRoleArn", "overrides.executionRoleArn"),
        ("ecs", "StartTask"): _to(_TASKS, "overrides.taskRoleArn", "overrides.executionRoleArn"),
        ("events", "CreateArchive"): _to(_EVENTS, "RoleArn"),
        ("events", "PutRule"): _to(_EVENTS, "RoleArn"),
        ("events", "PutTargets"): _to(_EVENTS, "Targets.*.RoleArn"),
        ("firehose", "CreateDeliveryStream"): _to(
            "firehose.amazonaws.com",
            "S3DestinationConfiguration.RoleARN",
            "ExtendedS3DestinationConfiguration.RoleARN",
            "KinesisStreamSourceConfiguration.RoleARN",
        ),
        ("glue", "CreateCrawler"): _to("glue.amazonaws.com", "Role"),
        ("glue", "CreateJob"): _to("glue.amazonaws.com", "Role"),
        ("lambda", "CreateFunction"): _to(_LAMBDA, "Role"),
        ("lambda", "UpdateFunctionConfiguration"): _to(_LAMBDA, "Role"),
        ("logs", "PutDestination"): _to("logs.amazonaws.com", "roleArn"),
        ("logs", "PutSubscriptionFilter"): _to("logs.amazonaws.com", "roleArn"),
        ("sagemaker", "CreateAutoMLJob"): _to(_SAGEMAKER, "RoleArn"),
        ("sagemaker", "CreateAutoMLJobV2"): _to(_SAGEMAKER, "RoleArn"),
        ("sagemaker", "CreateCompilationJob"): _to(_SAGEMAKER, "RoleArn"),
        ("sagemaker", "CreateDomain"): _to(_SAGEMAKER, "DefaultUserSettings.ExecutionRole"),
        ("sagemaker", "CreateEndpointConfig"): _to(_SAGEMAKER, "ExecutionRoleArn"),
        ("sagemaker", "CreateFeatureGroup"): _to(_SAGEMAKER, "RoleArn"),
        ("sagemaker", "CreateHyperParameterTuningJob"): _to(
            _SAGEMAKER, "TrainingJobDefinition.RoleArn", "TrainingJobDefinitions.*.RoleArn"
        ),
        ("sagemaker", "CreateInferenceRecommendationsJob"): _to(_SAGEMAKER, "RoleArn"),
        ("sagemaker", "CreateLabelingJob"): _to(_SAGEMAKER, "RoleArn"),
        ("sagemaker", "CreateModel"): _to(_SAGEMAKER, "ExecutionRoleArn"),
        ("sagemaker", "CreateMonitoringSchedule"): _to(
            _SAGEMAKER, "MonitoringScheduleConfig.MonitoringJobDefinition.RoleArn"
        ),
        ("sagemaker", "CreateNotebookInstance"): _to(_SAGEMAKER, "RoleArn"),
        ("sagemaker", "CreatePipeline"): _to(_SAGEMAKER, "RoleArn"),
        ("sagemaker", "CreateProcessingJob"): _to(_SAGEMAKER, "RoleArn"),
        ("sagemaker", "CreateTrainingJob"): _to(_SAGEMAKER, "RoleArn"),
        ("scheduler", "CreateSchedule"): _to("scheduler.amazonaws.com", "Target.RoleArn"),
        ("scheduler", "UpdateSchedule"): _to("scheduler.amazonaws.com", "Target.RoleArn"),
        ("ssm", "StartAutomationExecution"): _to("ssm.amazonaws.com", "Parameters.AutomationAssumeRole.*"),
        ("stepfunctions", "CreateStateMachine"): _to(_STATES, "roleArn"),
        ("stepfunctions", "UpdateStateMachine"): _to(_STATES, "roleArn"),
    }
)


def passed_roles(
    service: str, operation: str, parameters: Mapping[str, Any], world: World
) -> Iterator[tuple[PassedRole, str]]:
    """The need for each role that a call passes."""
    rows = PASSED_ROLES.get((service, operation))
    if rows is None:
        yield from _roles_nobody_listed(service, operation, parameters)
        return
    for passed in rows:
        for role in _at(parameters, passed.path):
            yield passed, role_arn(world, role)
    if (service, operation) in (("ecs", "RunTask"), ("ecs", "StartTask")):
        # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/security_iam_id-based-policy-examples.html
        definition = world.described("ecs:task-definition", parameters.get("taskDefinition", "")) or {}
        for name in ("taskRoleArn", "executionRoleArn"):
            if definition.get(name) and name not in parameters.get("overrides", {}):
                yield PassedRole(path=(name,), service=_TASKS), role_arn(world, definition[name])


_HANDS_ON = ("Create", "Modify", "Put", "Register", "Run", "Set", "Start", "Update")
_ROLE = re.compile(r"arn:aws[\w-]*:iam::\d{12}:role/.+")


def _roles_nobody_listed(
    service: str, operation: str, parameters: Mapping[str, Any]
) -> Iterator[tuple[PassedRole, str]]:
    """Fallback for calls that the table lacks: a role's ARN in a parameter that is named like a role, in a call that
    creates or changes a resource, counts as passed to the called service. IAM's own calls pass no role, nor does a
    grant on a key.
    """
    if service in ("iam", "sts", "kms") or not operation.startswith(_HANDS_ON):
        return
    for path, value in _strings(parameters):
        if "role" in path[-1].lower() and _ROLE.fullmatch(value):
            yield PassedRole(path=path, service=f"{service_prefix(service)}.amazonaws.com"), value


def _strings(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(value, str):
        if path:
            yield path, value
    elif isinstance(value, Mapping):
        for name, each in value.items():
            yield from _strings(each, (*path, str(name)))
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _strings(each, path)


def pass_role_needs(service: str, operation: str, parameters: Mapping[str, Any], world: World) -> Iterator[Need]:
    for passed, role in passed_roles(service, operation, parameters, world):
        yield Need(
            action="iam:PassRole",
            resource=role,
            resource_account=account_of(role, world),
            context=MappingProxyType({"iam:PassedToService": passed.service}),
            because=f"{'.'.join(passed.path)} hands the role to {passed.service}",
        )


def _at(value: Any, path: tuple[str, ...]) -> Iterator[str]:
    if not path:
        if isinstance(value, str) and value:
            yield value
    elif path[0] == "*":
        for each in value if isinstance(value, list | tuple) else ():
            yield from _at(each, path[1:])
    elif isinstance(value, Mapping) and path[0] in value:
        yield from _at(value[path[0]], path[1:])
