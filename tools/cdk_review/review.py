"""Compares two cloud assemblies and flags the differences that a reviewer must check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cdk_review.assembly import Stack
from cdk_review.changes import StackChange, compare
from cdk_review.fixed_cost import FixedCost, cost_flags, fixed_cost
from cdk_review.flag import Flag, worst_first
from cdk_review.judges.access import access_flags
from cdk_review.judges.alarms import alarm_flags
from cdk_review.judges.call_arguments import call_argument_flags
from cdk_review.judges.contents import content_flags
from cdk_review.judges.dashboards import dashboard_flags
from cdk_review.judges.network import network_flags
from cdk_review.judges.properties import property_flags
from cdk_review.judges.resources import resource_flags
from cdk_review.judges.scaling import ASSUMED_SKEW, scaling_flags
from cdk_review.judges.state_machines import state_machine_flags
from cdk_review.judges.surroundings import surroundings_flags
from cdk_review.permission_check.check import permission_flags

if TYPE_CHECKING:
    from cdk_review.pictures import Pictures
    from cdk_review.traffic_replay import TrafficReplay

JUDGES = (
    resource_flags,
    property_flags,
    access_flags,
    network_flags,
    alarm_flags,
    state_machine_flags,
    call_argument_flags,
    dashboard_flags,
    content_flags,
    surroundings_flags,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """The effects of a change.

    Args:
        stacks: the differences per stack.
        flags: what a reviewer must check, worst first.
        cost: the fixed cost before and after.
        pictures: pictures of differing dashboards, if drawn.
        replay: the replay of traffic on both sides, if traffic was given.
        left_out: a message per thing that could not be drawn or replayed.
    """

    stacks: tuple[StackChange, ...]
    flags: tuple[Flag, ...]
    cost: FixedCost
    pictures: tuple[Pictures, ...] = ()
    replay: TrafficReplay | None = None
    left_out: tuple[str, ...] = ()


def review(
    base: dict[str, Stack],
    head: dict[str, Stack],
    *,
    skew: float = ASSUMED_SKEW,
) -> Review:
    """Compare two assemblies and flag the differences.

    Args:
        base: the stacks before the change, by path.
        head: the stacks after it.
        skew: the hottest task's CPU divided by the average.

    Raises:
        InputError: Node.js, or the npm package that determines replacements, is missing.
    """
    stacks = tuple(compare(base, head))
    flags = [found for stack in stacks for judge in JUDGES for found in judge(stack)]
    flags += [found for stack in stacks for found in scaling_flags(stack, skew=skew)]
    cost = fixed_cost(stacks)
    flags += cost_flags(cost)
    flags += permission_flags(stacks)
    return Review(stacks=stacks, flags=tuple(worst_first(flags)), cost=cost)
