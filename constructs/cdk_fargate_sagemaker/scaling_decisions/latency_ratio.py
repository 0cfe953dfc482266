"""Latency since a change against that of the same hours before it."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeAlias

HourlyLatency: TypeAlias = tuple[float, float]
"""Of one hour: the latencies of its requests, added up, and how many there were."""

_HOUR = timedelta(hours=1)

# A day has hours of every kind; fewer would compare an evening's rush with nothing like it.
LEAST_HOURS = 24


def whole_hours(since: datetime, until: datetime) -> tuple[datetime, datetime]:
    """From the first whole hour since to the end of the last one."""
    floor = since.replace(minute=0, second=0, microsecond=0)
    return floor if floor == since else floor + _HOUR, until.replace(minute=0, second=0, microsecond=0)


def latency_ratio(
    hour_of: Callable[[datetime], HourlyLatency | None], *, changed_at: datetime, now: datetime, back: timedelta
) -> float | None:
    """Mean latency of the whole hours since a change, against the same hours before it.

    The same hour is the latest one that lies a multiple of `back` earlier and was over before the change: hours of a
    service that is idle part of the day add up to enough, in more days. Only hours with requests are compared.

    Args:
        hour_of: the latency of the hour that begins then; None where nothing is known of it.
        changed_at: when the target changed.
        now: until when.
        back: whole days.

    Returns:
        None where fewer than 24 hours can be compared.
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
