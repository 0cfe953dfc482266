"""Target tracking: two alarms around a target, and a capacity proportional to metric / target."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum

from .alarm_window import MOST_PERIODS
from .metrics import Metric

# Documented: CPU above the target for three consecutive minutes scales out, below 90 % of it for fifteen scales in.
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-autoscaling-targettracking.html
HIGH_PERIODS = 3
LOW_PERIODS = 15
SCALE_IN_FRACTION = 0.9

# With datapoints every 20 seconds, three are one minute. The number for the low alarm is not documented; the model uses
# those of fifteen minutes.
HIGH_RESOLUTION_HIGH_PERIODS = 1

# Documented default of both cooldowns for ECS.
# https://docs.aws.amazon.com/autoscaling/application/APIReference/API_TargetTrackingScalingPolicyConfiguration.html
DEFAULT_COOLDOWN_S = 300


class CountReading(IntEnum):
    """The task count that a datapoint is multiplied by. AWS documents the running tasks, but not at which time."""

    # The tasks that ran in the datapoint's own minute: a constant load then gives a constant count.
    ITS_OWN_MINUTE = 0
    # The tasks that run when the alarm acts, whatever the age of its datapoint.
    WHEN_IT_ACTS = 1


# A quotient within rounding of a whole number is that number: 10 tasks at 60 % with a target of 60 % stay 10.
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetTracking:
    """A target tracking policy.

    Args:
        target: the target value in the metric's unit; percent for CPU.
        metric: the tracked metric.
        scale_out_cooldown_s: seconds after a scale-out in which its tasks count toward a further one.
        scale_in_cooldown_s: seconds without a scale-in after a scale-in.
        disable_scale_in: whether the policy only adds tasks. It then also does not block a scale-in by others.
        high_periods: consecutive minutes above the target before it adds tasks.
        low_periods: consecutive low minutes before it removes tasks.
        scale_in_fraction: the fraction of the target below which a minute is low.

    Raises:
        ValueError: a value that AWS would refuse.
    """

    target: float
    metric: Metric = Metric.CPU_AVERAGE
    scale_out_cooldown_s: int = DEFAULT_COOLDOWN_S
    scale_in_cooldown_s: int = DEFAULT_COOLDOWN_S
    disable_scale_in: bool = False
    high_periods: int = HIGH_PERIODS
    low_periods: int = LOW_PERIODS
    scale_in_fraction: float = SCALE_IN_FRACTION

    def __post_init__(self) -> None:
        if not 0 < self.target < math.inf:
            raise ValueError(f"target: got {self.target}, allowed: above 0")
        for name in ("scale_out_cooldown_s", "scale_in_cooldown_s"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name}: got {getattr(self, name)}, allowed: 0 or more seconds")
        for name in ("high_periods", "low_periods"):
            if not 1 <= getattr(self, name) <= MOST_PERIODS:
                raise ValueError(f"{name}: got {getattr(self, name)}, allowed: 1 to {MOST_PERIODS} minutes")
        if not 0 < self.scale_in_fraction <= 1:
            raise ValueError(f"scale_in_fraction: got {self.scale_in_fraction}, allowed: above 0, at most 1")


def tracked_capacity(running: float, value: float, target: float) -> int:
    """The number of tasks at which the metric would be at its target.

    Documented: it is proportional to metric / target and the running tasks, and rounded up rather than down. The exact
    formula is not published; this one is a model, and `CountReading` selects the running tasks.
    https://docs.aws.amazon.com/autoscaling/application/userguide/target-tracking-scaling-policy-overview.html
    """
    return math.ceil(running * value / target - _ROUNDING)
