"""Confidence intervals of an area under the ROC curve, and of the difference of two areas on the same posts.

DeLong, DeLong and Clarke-Pearson, Biometrics 44 (1988): the variance follows from each post's share of the area. Each
bound is one-sided, at CONFIDENCE.
"""

import math
import statistics
from dataclasses import dataclass

CONFIDENCE = 0.95
_Z = statistics.NormalDist().inv_cdf(CONFIDENCE)


@dataclass(frozen=True, slots=True)
class Shares:
    """For each violation, the share of other posts that score lower; for each other post, the share of violations
    above.

    The mean of each list is the area.
    """

    violations: list[float]
    others: list[float]

    @property
    def area(self) -> float:
        return math.fsum(self.violations) / len(self.violations)


@dataclass(frozen=True, slots=True)
class Interval:
    """`value` is above `low`, and below `high`, each with CONFIDENCE."""

    value: float
    low: float
    high: float

    def as_json(self) -> dict[str, float]:
        return {"value": self.value, "low": self.low, "high": self.high}


def shares(labels: list[int], scores: list[float]) -> Shares:
    """The shares of each post. Both labels have to occur; equal scores count half."""
    ranked = sorted(range(len(scores)), key=scores.__getitem__)
    positives = sum(labels)
    negatives = len(labels) - positives
    own = [0.0] * len(labels)
    below = [0, 0]  # other posts and violations that score lower
    start = 0
    while start < len(ranked):
        end = start
        equal = [0, 0]
        while end < len(ranked) and scores[ranked[end]] == scores[ranked[start]]:
            equal[labels[ranked[end]]] += 1
            end += 1
        of_violation = (below[0] + equal[0] / 2) / negatives
        of_other = (positives - below[1] - equal[1] / 2) / positives
        for place in ranked[start:end]:
            own[place] = of_violation if labels[place] else of_other
        below = [below[0] + equal[0], below[1] + equal[1]]
        start = end
    return Shares(
        [share for share, label in zip(own, labels, strict=True) if label],
        [share for share, label in zip(own, labels, strict=True) if not label],
    )


def area_interval(of: Shares) -> Interval:
    """Wilson's interval for the number of cases that gives the area's variance: it stays between 0 and 1.

    If all shares are 1, the variance is 0 for any number of posts: then each violation is a case.
    """
    area = of.area
    fewest = min(len(of.violations), len(of.others))
    variance = _variance(of.violations, of.others)
    if math.isinf(variance):
        return Interval(area, 0.0, 1.0)
    cases = area * (1 - area) / variance if variance > 0 else float(fewest)
    quantile = _quantile(fewest - 1)
    spread = quantile * quantile / cases
    middle = (area + spread / 2) / (1 + spread)
    half = quantile * math.sqrt(area * (1 - area) / cases + spread / (4 * cases)) / (1 + spread)
    return Interval(area, max(0.0, middle - half), min(1.0, middle + half))


def drop_interval(current: Shares, new: Shares) -> Interval:
    """How much lower the new area is than the current one; both with the same posts in the same order."""
    drop = current.area - new.area
    error = math.sqrt(
        _variance(
            [one - other for one, other in zip(current.violations, new.violations, strict=True)],
            [one - other for one, other in zip(current.others, new.others, strict=True)],
        )
    )
    if math.isinf(error):
        return Interval(drop, -1.0, 1.0)
    half = _quantile(min(len(new.violations), len(new.others)) - 1) * error
    return Interval(drop, drop - half, drop + half)


def _variance(violations: list[float], others: list[float]) -> float:
    """Variance of the area, from the shares; infinite with one post, which says nothing about the variance."""
    if min(len(violations), len(others)) < 2:
        return math.inf
    return statistics.variance(violations) / len(violations) + statistics.variance(others) / len(others)


def _quantile(freedom: int) -> float:
    """Student's t at CONFIDENCE, to three terms in 1 / freedom: with some tens of violations the normal quantile is too
    low.
    """
    z, v = _Z, max(1, freedom)
    return (
        z
        + (z**3 + z) / (4 * v)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * v**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * v**3)
    )
