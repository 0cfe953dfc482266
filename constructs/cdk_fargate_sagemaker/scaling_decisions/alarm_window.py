"""The state of an alarm, from its latest datapoints: one bit per datapoint, the newest in the lowest bit.

The functions use only arithmetic on numbers, so that a compiler for numeric Python can compile them unchanged.
"""

from __future__ import annotations

from enum import IntEnum

# A window's bits fit a signed 64-bit integer.
MOST_PERIODS = 60


class Comparison(IntEnum):
    """How a datapoint breaches the threshold."""

    GREATER = 0
    GREATER_OR_EQUAL = 1
    LESS = 2
    LESS_OR_EQUAL = 3


class MissingData(IntEnum):
    """How the alarm treats a period without a datapoint.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
    """

    MISSING = 0
    NOT_BREACHING = 1
    BREACHING = 2


_GREATER = int(Comparison.GREATER)
_GREATER_OR_EQUAL = int(Comparison.GREATER_OR_EQUAL)
_LESS = int(Comparison.LESS)
_NOT_BREACHING = int(MissingData.NOT_BREACHING)
_BREACHING = int(MissingData.BREACHING)


def breaches(value: float, threshold: float, comparison: int) -> bool:
    """Whether a datapoint breaches the threshold."""
    if comparison == _GREATER:
        return value > threshold
    if comparison == _GREATER_OR_EQUAL:
        return value >= threshold
    if comparison == _LESS:
        return value < threshold
    return value <= threshold


def observed(
    window: int,
    absent: int,
    value: float,
    threshold: float,
    comparison: int,
    periods: int,
    missing_data: int,
) -> tuple[int, int]:
    """The window and the number of absent periods in a row, after one more period.

    A missing datapoint does not change the window, because CloudWatch then evaluates older datapoints. After as many
    absent periods as the alarm evaluates, the window is empty (modelled: the documented range is "somewhat" longer).
    """
    mask = (1 << periods) - 1
    if value != value:
        absent += 1
        if missing_data == _NOT_BREACHING:
            return (window << 1) & mask, absent
        if missing_data == _BREACHING:
            return ((window << 1) | 1) & mask, absent
        if absent >= periods:
            return 0, absent
        return window, absent
    if breaches(value, threshold, comparison):
        return ((window << 1) | 1) & mask, 0
    return (window << 1) & mask, 0


def is_in_alarm(window: int, periods: int, datapoints: int) -> bool:
    """Whether at least `datapoints` of the last `periods` breached."""
    if datapoints == periods:
        return window == (1 << periods) - 1
    breaching = 0
    while window:
        breaching += window & 1
        window >>= 1
    return breaching >= datapoints
