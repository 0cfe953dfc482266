"""Step scaling: an alarm, and a change of capacity per band of the metric's distance from the threshold."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from enum import IntEnum

from .alarm_window import MOST_PERIODS, Comparison, MissingData
from .metrics import Metric

# Documented default of a step policy's cooldown for ECS.
# https://docs.aws.amazon.com/autoscaling/application/APIReference/API_StepScalingPolicyConfiguration.html
DEFAULT_COOLDOWN_S = 300


class Adjustment(IntEnum):
    """The meaning of a band's number."""

    CHANGE_IN_CAPACITY = 0
    PERCENT_CHANGE_IN_CAPACITY = 1
    EXACT_CAPACITY = 2


_CHANGE = int(Adjustment.CHANGE_IN_CAPACITY)
_EXACT = int(Adjustment.EXACT_CAPACITY)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepBand:
    """One step: bounds relative to the alarm's threshold, in the metric's unit, and the adjustment within them."""

    change: int
    lower: float = -math.inf
    upper: float = math.inf

    def __post_init__(self) -> None:
        if not self.lower < self.upper:
            raise ValueError(f"band: got {self.lower} to {self.upper}, allowed: a lower bound below the upper")


@dataclass(frozen=True, slots=True, kw_only=True)
class StepScaling:
    """A step policy and the alarm that triggers it.

    Args:
        threshold: the alarm's threshold, in the metric's unit.
        bands: the steps, which do not overlap; a value outside all of them changes nothing.
        comparison: how the alarm breaches.
        periods: how many periods the alarm evaluates.
        datapoints: how many of these have to breach. Default: all.
        period_minutes: the length of one period in minutes; averages are averaged over it, of maxima the highest is
            used.
        cooldown_s: seconds after a scale-out in which its tasks count toward a further one.
        minimum_magnitude: the minimum number of tasks that a percentage changes.
        missing_data: how the alarm treats a period without a datapoint, which never triggers the policy itself.

    Raises:
        ValueError: overlapping bands, or a value that AWS would refuse.
    """

    threshold: float
    bands: tuple[StepBand, ...]
    metric: Metric = Metric.CPU_MAXIMUM
    comparison: Comparison = Comparison.GREATER_OR_EQUAL
    adjustment: Adjustment = Adjustment.CHANGE_IN_CAPACITY
    periods: int = 1
    datapoints: int | None = None
    period_minutes: int = 1
    cooldown_s: int = DEFAULT_COOLDOWN_S
    minimum_magnitude: int = 0
    missing_data: MissingData = MissingData.MISSING

    def __post_init__(self) -> None:
        if not self.bands:
            raise ValueError("bands: got none, allowed: at least one")
        ordered = sorted(self.bands, key=lambda band: band.lower)
        for one, following in itertools.pairwise(ordered):
            if following.lower < one.upper:
                raise ValueError(
                    f"bands: got {one.lower} to {one.upper} and {following.lower} to {following.upper}, "
                    "which overlap; allowed: bands side by side"
                )
        if not 1 <= self.periods <= MOST_PERIODS:
            raise ValueError(f"periods: got {self.periods}, allowed: 1 to {MOST_PERIODS}")
        if self.datapoints is not None and not 1 <= self.datapoints <= self.periods:
            raise ValueError(f"datapoints: got {self.datapoints}, allowed: 1 to the periods ({self.periods})")
        if self.period_minutes < 1:
            raise ValueError(f"period_minutes: got {self.period_minutes}, allowed: 1 or more")
        if self.cooldown_s < 0:
            raise ValueError(f"cooldown_s: got {self.cooldown_s}, allowed: 0 or more seconds")
        if self.minimum_magnitude < 0:
            raise ValueError(f"minimum_magnitude: got {self.minimum_magnitude}, allowed: 0 or more")


def is_in_band(beyond: float, lower: float, upper: float) -> bool:
    """Whether a band contains a value at the distance `beyond` from the threshold.

    Documented: above the threshold a band includes its lower bound and excludes its upper one, below it the reverse.
    https://docs.aws.amazon.com/autoscaling/application/APIReference/API_StepAdjustment.html
    """
    if beyond < 0:
        return lower < beyond <= upper
    return lower <= beyond < upper or beyond == upper == 0


def change_of_capacity(adjustment: int, number: int, capacity: int, minimum_magnitude: int) -> int:
    """The number of tasks that a band adds to `capacity`; negative if it removes tasks.

    Documented: a percentage is rounded towards zero, but between 0 and 1 it is one task.
    """
    if adjustment == _CHANGE:
        return number
    if adjustment == _EXACT:
        return number - capacity
    if number == 0 or capacity == 0:
        return 0
    magnitude = abs(number) * capacity // 100
    magnitude = max(magnitude, 1, minimum_magnitude)
    return magnitude if number > 0 else -magnitude
