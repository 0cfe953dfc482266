"""The role of a VPC's flow log."""

from __future__ import annotations

from cdk_rehearsal.permissions.needs.acting.acting_needs import ActingNeeds
from cdk_rehearsal.permissions.needs.acting.actor import ActingNeed, Actor
from cdk_rehearsal.permissions.needs.arns import arn
from cdk_rehearsal.permissions.needs.world import World


def flow_log_role_needs(role: str, log_group: str, *, world: World) -> tuple[ActingNeed, ...]:
    """For an existing log group; to create one, a flow log also needs logs:CreateLogGroup and DescribeLogGroups.

    Args:
        role: DeliverLogsPermissionArn.
        log_group: its name.
        world: look-ups in the account's state.
    """
    acting = ActingNeeds(actor=Actor(service="vpc-flow-logs.amazonaws.com", role=role), world=world)
    group = arn(world, "logs", f"log-group:{log_group}")
    return (
        *acting.logs("flow_logs", log_group, "eni-all", makes_group=False),
        acting.need("flow_logs", "logs:DescribeLogStreams", f"{group}:log-stream:"),
    )
