"""How much hotter the hottest task is than the average, and how high a target may be for it."""

from __future__ import annotations

from collections.abc import Iterable

# Below the target at which the hottest task reaches the threshold: its share moves from minute to minute.
MARGIN = 0.95
_LEAST_MINUTES = 60
# Of the minutes, those that are hotter than this: in a tenth of them the threshold may be passed.
_SHARE = 0.9


def hottest_ratio(minutes: Iterable[tuple[float, float]], *, target: float) -> float | None:
    """The CPU of the hottest task / the average, as nine of ten busy minutes do not pass it.

    Args:
        minutes: the average and the maximum of each, percent.
        target: a minute is busy from half of it on: of idle tasks the ratio says nothing.

    Returns:
        None where fewer than an hour of minutes was busy.
    """
    ratios = sorted(maximum / average for average, maximum in minutes if average >= target / 2)
    if len(ratios) < _LEAST_MINUTES:
        return None
    return max(ratios[int(_SHARE * (len(ratios) - 1))], 1.0)


def highest_target(threshold: float, ratio: float) -> float:
    """The highest target at which normal operation does not pass the threshold of a spike scaling, percent."""
    return MARGIN * threshold / ratio
