"""Latency of some hours against that of others."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

HourlyLatency: TypeAlias = tuple[float, float]
"""Of one hour: the latencies of its requests, added up, and how many there were."""


def latency_ratio(recent: Iterable[HourlyLatency], earlier: Iterable[HourlyLatency]) -> float | None:
    """Mean latency of a request in the recent hours against the earlier ones; None where one side had no requests."""
    now, before = _mean(recent), _mean(earlier)
    return None if now is None or not before else now / before


def _mean(hours: Iterable[HourlyLatency]) -> float | None:
    listed = list(hours)
    requests = sum(count for _, count in listed)
    return sum(latency for latency, _ in listed) / requests if requests else None
