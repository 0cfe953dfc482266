"""Replaces AWS's predictive scaling, whose formula is not published, by this library's forecast in a replay."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from fargate_capacity.declared.predictive_policy import PredictivePolicy
from fargate_capacity.plan.floor_backtest import Floor
from fargate_capacity.replay.service_model import ServiceModel
from fargate_capacity.scaling_decisions import ScheduledAction

_SLOT_S = 900
_UNKNOWN = (
    "AWS publishes no formula: its weekly patterns, its forecast by the hour that is renewed every 6 hours, and what "
    "it does after an hour unlike the forecast are not known here"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StandIn:
    """A forecast floor that replaces a policy.

    Args:
        policy: the declared policy.
        floor: the floor. None: no floor is similar.
        why_not: the reason if `floor` is None.
    """

    policy: PredictivePolicy
    floor: Floor | None
    why_not: str = ""

    @property
    def name(self) -> str:
        """The name of the replay with it."""
        return f"{self.policy.name} {'' if self.policy.scales else 'if it scaled '}(approximated)"

    def lines(self) -> list[str]:
        """What is not known about the policy, and what is replayed instead."""
        said = f"{self.policy.name}: {self.policy.described()}"
        if self.floor is None:
            return [f"{said}: not replayed: {self.why_not}"]
        found = [f"{said}: approximated by {self.floor.of_ours()}; {_UNKNOWN}"]
        if self.policy.may_raise_maximum:
            found.append(f"{self.policy.name}: it may raise the maximum, which stays in a replay")
        return found


def stand_ins(
    policies: Sequence[PredictivePolicy],
    model: ServiceModel,
    scheduled: Sequence[ScheduledAction],
    *,
    has_floor: bool = False,
) -> list[StandIn]:
    """One for each policy, in order; `has_floor` is whether a declared floor is replayed."""
    if has_floor:
        why_not = "the declared floor is, and of two a replay has one"
        return [StandIn(policy=policy, floor=None, why_not=why_not) for policy in policies]
    return [_stand_in(policy, model, scheduled) for policy in policies]


def acting(found: Sequence[StandIn]) -> Floor | None:
    """The floor that replaces the policies that scale: the one with the most tasks if there are several."""
    floors = [each.floor for each in found if each.policy.scales and each.floor is not None]
    return min(floors, key=lambda floor: floor.utilization, default=None)


def _stand_in(policy: PredictivePolicy, model: ServiceModel, scheduled: Sequence[ScheduledAction]) -> StandIn:
    if scheduled:
        return StandIn(policy=policy, floor=None, why_not="scheduled actions set the bounds, where a floor would")
    if policy.metric == "ECSServiceCPUUtilization":
        utilization = policy.target
    elif policy.metric == "ALBRequestCount":
        # Assumed to be requests per minute, as documented for ALBRequestCountPerTarget in target tracking.
        utilization = policy.target * 100 * model.cpu_seconds / 60 / model.vcpus + model.idle_percent
    else:
        return StandIn(policy=policy, floor=None, why_not=f"a replay has no {policy.metric or 'metric of it'}")
    if not 0 < utilization <= 100:
        return StandIn(policy=policy, floor=None, why_not=f"its target comes to {utilization:.0f} % CPU of a task")
    floor = Floor(
        utilization=utilization,
        lead_minutes=math.ceil(policy.buffer_s / _SLOT_S) * _SLOT_S // 60,
        approximates=f"AWS's predictive scaling {policy.name}",
    )
    return StandIn(policy=policy, floor=floor)
