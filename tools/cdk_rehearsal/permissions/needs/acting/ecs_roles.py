"""The two roles of an ECS task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cdk_rehearsal.permissions.needs.acting.acting_needs import ActingNeeds
from cdk_rehearsal.permissions.needs.acting.actor import ActingNeed, Actor
from cdk_rehearsal.permissions.needs.arns import arn, parameter_arn, secret_arn
from cdk_rehearsal.permissions.needs.world import World

_SERVICE = "ecs-tasks.amazonaws.com"
_CHANNELS = (
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
)


def ecs_execution_role_needs(task_definition: Mapping[str, Any], *, world: World) -> tuple[ActingNeed, ...]:
    """
    Args:
        task_definition: the output of DescribeTaskDefinition, or the parameters of RegisterTaskDefinition.
        world: look-ups in the account's state.
    """
    role = task_definition.get("executionRoleArn", "")
    acting = ActingNeeds(actor=ecs_task_actor(role, world=world), world=world)
    found: list[ActingNeed] = []
    for container in task_definition.get("containerDefinitions") or ():
        found += acting.image("ecs_image", container.get("image", ""))
        logs = container.get("logConfiguration") or {}
        options = logs.get("options") or {}
        if logs.get("logDriver") == "awslogs" and "awslogs-group" in options:
            stream = f"{options.get('awslogs-stream-prefix', '')}/{container.get('name', '')}/task".lstrip("/")
            makes_group = options.get("awslogs-create-group") == "true"
            found += acting.logs("ecs_logs", options["awslogs-group"], stream, makes_group=makes_group)
        for secret in (*(container.get("secrets") or ()), *(logs.get("secretOptions") or ())):
            found += _secret(acting, secret["valueFrom"])
    return tuple(dict.fromkeys(found))


def ecs_task_role_needs(
    task_definition: Mapping[str, Any], *, world: World, execute_command: bool
) -> tuple[ActingNeed, ...]:
    """
    Args:
        task_definition: the output of DescribeTaskDefinition.
        world: look-ups in the account's state.
        execute_command: whether ECS Exec is enabled for the service or task.
    """
    acting = ActingNeeds(actor=ecs_task_actor(task_definition.get("taskRoleArn", ""), world=world), world=world)
    return tuple(acting.need("ecs_exec", action) for action in _CHANNELS) if execute_command else ()


def ecs_task_actor(role: str, *, world: World) -> Actor:
    """The actor for a task of any cluster:
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html
    """
    return Actor(service=_SERVICE, role=role, source=arn(world, "ecs", "task/cluster/task"))


def _secret(acting: ActingNeeds, value_from: str) -> list[ActingNeed]:
    rule = "ecs_secrets"
    if ":secretsmanager:" in value_from:
        # A JSON key, a version stage and a version id may follow a secret's ARN.
        secret = secret_arn(acting.world, ":".join(value_from.split(":")[:7]))
        found = [acting.need(rule, "secretsmanager:GetSecretValue", secret)]
        if key := acting.world.key_of(secret):
            found += acting.key(rule, key, "Decrypt", via="secretsmanager", encrypting={"SecretARN": secret})
        return found
    parameter = parameter_arn(acting.world, value_from)
    found = [acting.need(rule, "ssm:GetParameters", parameter)]
    if key := acting.world.key_of(parameter):
        found += acting.key(rule, key, "Decrypt", via="ssm", encrypting={"PARAMETER_ARN": parameter})
    return found
