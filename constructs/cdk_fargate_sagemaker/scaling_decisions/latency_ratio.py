"""Latency since a change, compared with that of the same hours before it."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeAlias

HourlyLatency: TypeAlias = tuple[float, float]
"""The sum of an hour's request latencies, and the number of requests."""

_HOUR = timedelta(hours=1)

# A day contains busy and quiet hours; fewer hours would not be representative.
LEAST_HOURS = 24


def whole_hours(since: datetime, until: datetime) -> tuple[datetime, datetime]:
    """The beginning of the first whole hour after `since`, and the end of the last one before `until`."""
    floor = since.replace(minute=0, second=0, microsecond=0)
    return floor if floor == since else floor + _HOUR, until.replace(minute=0, second=0, microsecond=0)


def latency_ratio(
    hour_of: Callable[[datetime], HourlyLatency | None], *, changed_at: datetime, now: datetime, back: timedelta
) -> float | None:
    """Mean latency of the whole hours since a change / that of the same hours before it.

    The same hour is the latest one that is a multiple of `back` earlier and ended before the change. So a service that
    is idle for part of the day gets enough hours after more days. Only hours with requests are compared.

    Args:
        hour_of: returns the latency of the hour that begins at a time; None if it has no data.
        changed_at: the time at which the target changed.
        now: the end of the comparison.
        back: how far back the compared hours are, in whole days.

    Returns:
        None if fewer than 24 hours can be compared.
    """
    hour, end = whole_hours(changed_at, now)
    recent, earlier = [], []
    while hour < end:
        after, before = hour_of(hour), hour_of(hour - back * math.ceil((hour + _HOUR - changed_at) / back))
        if after and before and after[1] and before[1]:
            recent.append(after)
            earlier.append(before)
        hour += _HOUR
    return _mean(recent) / _mean(earlier) if len(recent) >= LEAST_HOURS and _mean(earlier) else None


def _mean(hours: list[HourlyLatency]) -> float:
    return sum(latency for latency, _ in hours) / sum(count for _, count in hours)
