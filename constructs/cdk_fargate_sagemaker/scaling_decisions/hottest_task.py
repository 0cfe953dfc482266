"""The ratio of the hottest task's CPU to the average, and the highest target that it allows."""

from __future__ import annotations

from collections.abc import Iterable

# A margin below the target at which the hottest task reaches the threshold, because the ratio varies per minute.
MARGIN = 0.95
_LEAST_MINUTES = 60
# The quantile of the minutes' ratios: the other tenth may pass the threshold.
_SHARE = 0.9


def hottest_ratio(minutes: Iterable[tuple[float, float]], *, target: float) -> float | None:
    """The hottest task's CPU / the average: the 90th percentile over busy minutes.

    Args:
        minutes: average and maximum CPU per minute, percent.
        target: the tracked target, percent. A minute is busy from half of it; the ratio of idle tasks means nothing.

    Returns:
        None if fewer than 60 minutes were busy.
    """
    ratios = sorted(maximum / average for average, maximum in minutes if average >= target / 2)
    if len(ratios) < _LEAST_MINUTES:
        return None
    return max(ratios[int(_SHARE * (len(ratios) - 1))], 1.0)


def highest_target(threshold: float, ratio: float) -> float:
    """The highest target at which normal operation does not reach a spike scaling's threshold, percent."""
    return MARGIN * threshold / ratio
