"""The metrics that policies follow, by their place in a minute's values."""

from __future__ import annotations

import math
from enum import IntEnum


class Metric(IntEnum):
    """What a minute's values hold, in this order; percent of the tasks' reservation, or requests a minute and task."""

    CPU_AVERAGE = 0
    CPU_MAXIMUM = 1
    REQUESTS_PER_TASK = 2
    # Published every 20 seconds, so it needs neither three minutes nor the pipeline of the minute metrics.
    CPU_AVERAGE_HIGH_RESOLUTION = 3


class Trigger(IntEnum):
    """What a change of the count was decided by: metrics reach their alarms at different speeds."""

    BOUNDS = 0
    MINUTE_METRIC = 1
    HIGH_RESOLUTION_METRIC = 2


MISSING = math.nan


def is_missing(value: float) -> bool:
    """Whether a minute has no datapoint."""
    return value != value
