"""What the role of a state machine needs besides the calls of its tasks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cdk_rehearsal.permissions.needs.acting.acting_needs import ActingNeeds
from cdk_rehearsal.permissions.needs.acting.actor import ActingNeed, Actor
from cdk_rehearsal.permissions.needs.world import World

_LOG_DELIVERY = (
    "logs:CreateLogDelivery",
    "logs:GetLogDelivery",
    "logs:UpdateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:DescribeResourcePolicies",
    "logs:DescribeLogGroups",
)


def state_machine_role_needs(machine: Mapping[str, Any], *, world: World) -> tuple[ActingNeed, ...]:
    """
    Args:
        machine: the output of DescribeStateMachine, or the parameters of CreateStateMachine.
        world: look-ups in the account's state.
    """
    actor = Actor(
        service="states.amazonaws.com", role=machine.get("roleArn", ""), source=machine.get("stateMachineArn", "")
    )
    acting = ActingNeeds(actor=actor, world=world)
    found: list[ActingNeed] = []
    if (machine.get("loggingConfiguration") or {}).get("destinations"):
        found += [acting.need("state_machine_logs", action) for action in _LOG_DELIVERY]
    if (machine.get("tracingConfiguration") or {}).get("enabled"):
        found += acting.traces("state_machine_tracing", samples=True)
    return tuple(found)
