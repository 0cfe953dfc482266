"""The distance between the posts that a release serves and its validation posts, with confidence bounds.

The measure is the Kolmogorov-Smirnov distance of two distributions over ordered bins: the largest difference of the
shares at or below a bin. Its bounds use the Dvoretzky-Kiefer-Wolfowitz inequality with Massart's constant (The Annals
of Probability 18, 1990), P(sup |F_n - F| > e) <= 2 exp(-2 n e²), for each sample. It holds for any sample size and any
distribution, so an alarm on the lower bound is a false alarm no more often than stated.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

CONFIDENCE = 0.95
ERROR = 0.001
"""The probability that `at_least` is above the true distance. An alarm that is evaluated once a day is a false alarm on
at most this share of days while the true distance is within its maximum.
"""


@dataclass(frozen=True)
class Drift:
    """A distance from 0 to 1, its interval at CONFIDENCE, and a lower bound that is wrong with probability ERROR."""

    value: float
    low: float
    high: float
    at_least: float
    posts: int
    """Number of served posts."""


def drift(
    validated: Mapping[str, Sequence[int]], served: Sequence[int], *, violation_share: float | None = None
) -> Drift | None:
    """Returns the distance between the counts in `served` and those in `validated`, which are by label; None if
    unknown.

    Args:
        validated: number of validation posts in each bin, for the labels `fine` and `violation`.
        served: number of served posts in each bin.
        violation_share: share of violations among the served posts, by which the labels are weighted. None: the share
            among the validation posts.
    """
    fine, violation = validated["fine"], validated["violation"]
    bins = max(len(fine), len(violation), len(served))
    if violation_share is None:
        weighted = [(1.0, [a + b for a, b in itertools.zip_longest(fine, violation, fillvalue=0)])]
    else:
        weighted = [(1 - violation_share, list(fine)), (violation_share, list(violation))]
    # A label with weight 0 has no effect, and may be missing.
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
    """Maximum error of the distance: each weighted sample gets a share of `error`, which bounds its own error."""
    of_each = math.log(2 * len(samples) / error) / 2
    return sum(weight * math.sqrt(of_each / posts) for weight, posts in samples)
