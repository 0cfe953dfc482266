"""The metrics that policies use, by their index in a minute's values."""

from __future__ import annotations

import math
from enum import IntEnum


class Metric(IntEnum):
    """A minute's values, in this order: percent of the tasks' reservation, or requests per minute and task."""

    CPU_AVERAGE = 0
    CPU_MAXIMUM = 1
    REQUESTS_PER_TASK = 2
    # It is published every 20 seconds, so its alarm needs less than the three minutes and the delay of minute metrics.
    CPU_AVERAGE_HIGH_RESOLUTION = 3


class Trigger(IntEnum):
    """The cause of a change of the count: metrics reach their alarms at different speeds."""

    BOUNDS = 0
    MINUTE_METRIC = 1
    HIGH_RESOLUTION_METRIC = 2


MISSING = math.nan


def is_missing(value: float) -> bool:
    """Whether a minute has no datapoint."""
    return value != value
