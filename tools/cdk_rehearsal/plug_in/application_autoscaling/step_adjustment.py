"""What a step scaling policy makes of a metric's value."""

from __future__ import annotations

import math
from typing import Any


def stepped_capacity(configuration: dict[str, Any], *, current: int, value: float, threshold: float) -> int:
    """The capacity that the step of `value` asks for; `current` where no step holds it.

    Bounds are relative to the alarm's threshold: above it a step holds its lower bound, below it its upper one.
    """
    difference = value - threshold
    for step in configuration["StepAdjustments"]:
        lower = float(step.get("MetricIntervalLowerBound", -math.inf))
        upper = float(step.get("MetricIntervalUpperBound", math.inf))
        if lower <= difference < upper or (difference == upper and upper <= 0):
            return _adjusted(configuration, int(step["ScalingAdjustment"]), current)
    return current


def _adjusted(configuration: dict[str, Any], adjustment: int, current: int) -> int:
    kind = configuration.get("AdjustmentType", "ChangeInCapacity")
    if kind == "ExactCapacity":
        return adjustment
    if kind == "ChangeInCapacity":
        return current + adjustment
    change = current * adjustment / 100
    # Percentages are rounded towards zero, but never to nothing.
    whole = int(math.copysign(max(1, math.floor(abs(change))), change)) if change else 0
    magnitude = int(configuration.get("MinAdjustmentMagnitude", 0))
    if whole and abs(whole) < magnitude:
        whole = int(math.copysign(magnitude, whole))
    return current + whole
