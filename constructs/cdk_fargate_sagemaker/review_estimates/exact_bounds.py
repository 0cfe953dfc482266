"""Bounds of a share that hold with a stated probability, also for a small number of posts."""

from __future__ import annotations

import math
from collections.abc import Callable

_TINY = 1e-300
_STEPS = 60


def upper_bound(share: float, count: float, error: float) -> float:
    """Return the upper bound of a share seen in `count` posts, which may be an effective count; 1 without posts.

    The share is higher with a probability of at most `error`. Clopper and Pearson, The use of confidence or fiducial
    limits illustrated in the case of the binomial, Biometrika 26 (1934).
    """
    if count <= 0 or share >= 1:
        return 1.0
    seen = share * count
    # The highest share at which this few are seen with a probability of `error`.
    return _root(lambda bound: error - (1 - incomplete_beta(seen + 1, count - seen, bound)))


def lower_bound(share: float, count: float, error: float) -> float:
    """Return the lower bound of a share seen in `count` posts; 0 without posts. `error` is as in `upper_bound`."""
    return 1 - upper_bound(1 - share, count, error)


def incomplete_beta(a: float, b: float, x: float) -> float:
    """Return the regularised incomplete beta function, by its continued fraction (DLMF 8.17.22)."""
    if x <= 0:
        return 0.0
    if x > (a + 1) / (a + b + 2):
        return 1 - incomplete_beta(b, a, 1 - x)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x))
    return front * _fraction(a, b, x) / a


def _fraction(a: float, b: float, x: float) -> float:
    """Return 1 / (1 + d1 / (1 + d2 / (1 + …))) by Lentz's method."""
    value, c, d = 1.0, 1.0, 0.0
    for step in range(1, 10_000):
        m = step // 2
        if step % 2:
            term = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            term = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d = 1 / ((1 + term * d) or _TINY)
        c = (1 + term / c) or _TINY
        value *= c * d
        if abs(c * d - 1) < 1e-12:
            break
    return 1 / value


def _root(rises: Callable[[float], float]) -> float:
    """Return the zero, between 0 and 1, of a function that rises from below 0 to above 0."""
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if rises(middle) < 0:
            low = middle
        else:
            high = middle
    return high
