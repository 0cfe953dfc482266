"""The capacity that a step scaling policy sets for a metric's value."""

from __future__ import annotations

import math
from typing import Any


def stepped_capacity(configuration: dict[str, Any], *, current: int, value: float, threshold: float) -> int:
    """The capacity that the step for `value` sets; `current` where no step contains the value.

    Bounds are relative to the alarm's threshold. A step above the threshold includes its lower bound, a step below its
    upper bound. The threshold itself belongs to the step above, if there is one.
    """
    difference = value - threshold
    below: dict[str, Any] | None = None
    for step in configuration["StepAdjustments"]:
        lower = float(step.get("MetricIntervalLowerBound", -math.inf))
        upper = float(step.get("MetricIntervalUpperBound", math.inf))
        if upper > 0 and lower <= difference < upper:
            return _adjusted(configuration, int(step["ScalingAdjustment"]), current)
        if upper <= 0 and lower < difference <= upper:
            below = step
    return current if below is None else _adjusted(configuration, int(below["ScalingAdjustment"]), current)


def _adjusted(configuration: dict[str, Any], adjustment: int, current: int) -> int:
    kind = configuration.get("AdjustmentType", "ChangeInCapacity")
    if kind == "ExactCapacity":
        return adjustment
    if kind == "ChangeInCapacity":
        return current + adjustment
    change = current * adjustment / 100
    # Percentages are rounded towards zero, but to at least one task.
    whole = int(math.copysign(max(1, math.floor(abs(change))), change)) if change else 0
    magnitude = int(configuration.get("MinAdjustmentMagnitude", 0))
    if whole and abs(whole) < magnitude:
        whole = int(math.copysign(magnitude, whole))
    return current + whole
