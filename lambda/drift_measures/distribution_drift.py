"""How far the posts that a release serves are from those that it was validated on, and how sure that is.

The measure is Kolmogorov's and Smirnov's distance of two distributions over ordered bins: the largest difference of the
shares at or below a bin. Its bounds are Dvoretzky's, Kiefer's and Wolfowitz's inequality with Massart's constant (The
Annals of Probability 18, 1990), P(sup |F_n - F| > e) <= 2 exp(-2 n e²), for each sample. It holds for samples of any
size and distributions of any shape, so that an alarm on a lower bound is false no more often than is stated.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

CONFIDENCE = 0.95
ERROR = 0.001
"""`at_least` is above the true distance with no more than this probability: an alarm that is judged once a day is false
on so many days at most, while the distance is what its maximum allows."""


@dataclass(frozen=True)
class Drift:
    """A distance from 0 to 1, from where to where it is with CONFIDENCE, and what it is at least, but for ERROR."""

    value: float
    low: float
    high: float
    at_least: float
    posts: int
    """How many served posts it is of."""


def drift(
    validated: Mapping[str, Sequence[int]], served: Sequence[int], *, violation_share: float | None = None
) -> Drift | None:
    """Returns the distance of the counts in `served` from those in `validated`, which are by label; None if unknown.

    Args:
        validated: how many validation posts are in each bin, of those that are `fine` and of each `violation`.
        served: how many served posts are in each bin.
        violation_share: of the served posts, where it differs from that of the validation posts: the labels are then
            weighted by it. None for as they are.
    """
    fine, violation = validated["fine"], validated["violation"]
    bins = max(len(fine), len(violation), len(served))
    if violation_share is None:
        weighted = [(1.0, [a + b for a, b in itertools.zip_longest(fine, violation, fillvalue=0)])]
    else:
        weighted = [(1 - violation_share, list(fine)), (violation_share, list(violation))]
    # A label that weighs nothing says nothing either, and need not be there.
    weighted = [(weight, counts) for weight, counts in weighted if weight > 0]
    samples = [(1.0, list(served)), *weighted]
    if any(sum(counts) == 0 for _, counts in samples):
        return None
    of_samples = [(weight, _at_or_below(counts, bins)) for weight, counts in samples]
    value = max(
        abs(of_samples[0][1][place] - sum(weight * below[place] for weight, below in of_samples[1:]))
        for place in range(bins)
    )
    sizes = [(weight, sum(counts)) for weight, counts in samples]
    around = _slack(sizes, 1 - CONFIDENCE)
    return Drift(
        value=value,
        low=max(0.0, value - around),
        high=min(1.0, value + around),
        at_least=max(0.0, value - _slack(sizes, ERROR)),
        posts=sum(served),
    )


def _at_or_below(counts: Sequence[int], bins: int) -> list[float]:
    total = sum(counts)
    below = [part / total for part in itertools.accumulate(counts)]
    return below + [1.0] * (bins - len(below))


def _slack(samples: Sequence[tuple[float, int]], error: float) -> float:
    """By how much the distance may be off: each sample, with its weight, by what its share of `error` leaves it."""
    of_each = math.log(2 * len(samples) / error) / 2
    return sum(weight * math.sqrt(of_each / posts) for weight, posts in samples)
