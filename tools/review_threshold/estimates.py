"""Precision, recall and load at a threshold, and how far two reviewers agree, each with how sure it is.

The posts come in two strata: the flagged ones, which are all stored, and a sample of the others, each of which stands
for `weight` of them. Reviewers see the most probable first, so that what is reviewed is no fair picture of what is
stored. Each stratum is therefore cut into bands of probability, and the judged posts of a band stand for all of it.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from review_threshold.reviewed_posts import VERDICTS, ReviewedPost

BAND = 0.05
# Two-sided. Recall joins two intervals, of what is found and of what is missed: each is taken so wide that both hold at
# once with 95 %.
_Z_95 = 1.959964
_Z_975 = 2.241403


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A share from 0 to 1, and its interval of 95 %. `judged` posts went into it."""

    value: float
    low: float
    high: float
    judged: int


def wilson_interval(share: float, count: float, z: float = _Z_95) -> tuple[float, float]:
    """Wilson's score interval of a share among `count`, which may be an effective count; (0, 1) for none.

    It never says that what was not found in a few does not exist.
    """
    if count <= 0:
        return 0.0, 1.0
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    # A rounding error must not put the share outside of its own interval.
    return max(0.0, min(middle - half, share)), min(1.0, max(middle + half, share))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stratum:
    """Posts on one side of a threshold: how many there are, and how many of those that were judged are violations."""

    posts: float
    judged_weight: float
    violations_weight: float
    effective: float
    judged: int

    @property
    def share(self) -> float | None:
        return self.violations_weight / self.judged_weight if self.judged else None

    def violations(self, z: float) -> tuple[float, float, float] | None:
        """How many violations there are, at least and at most; None where no post of it was judged."""
        if self.posts <= 0:
            return 0.0, 0.0, 0.0
        if self.share is None:
            return None
        low, high = wilson_interval(self.share, self.effective, z)
        return self.posts * self.share, self.posts * low, self.posts * high


class _Cumulated:
    """Sums over the least probable posts of a kind: a threshold costs a look-up however many posts there are."""

    def __init__(self, posts: Sequence[ReviewedPost], stands_for: Mapping[tuple[bool, int], float]) -> None:
        self._probabilities = [post.probability for post in posts]
        rows = []
        for post in posts:
            judged = post.is_violation is not None
            weight = post.weight * stands_for[_band(post)] if judged else 0.0
            rows.append((post.weight, weight, weight if post.is_violation else 0.0, weight * weight, float(judged)))
        columns = list(zip(*rows, strict=True)) or [()] * 5
        self._sums = [[0.0, *accumulate(column)] for column in columns]

    def above(self, threshold: float) -> _Stratum:
        place = bisect_left(self._probabilities, threshold)
        return _stratum([column[-1] - column[place] for column in self._sums])

    def below(self, threshold: float) -> _Stratum:
        place = bisect_left(self._probabilities, threshold)
        return _stratum([column[place] for column in self._sums])


def _stratum(sums: Sequence[float]) -> _Stratum:
    posts, total, violations, squares, judged = sums
    return _Stratum(
        posts=posts,
        judged_weight=total,
        # Differences of sums: the part must not be more than the whole by a rounding error.
        violations_weight=max(0.0, min(total, violations)),
        # Kish: unequal weights count for fewer posts.
        effective=total * total / squares if judged else 0.0,
        judged=round(judged),
    )


class ReviewEstimates:
    """What can be said of a model by what reviewers decided on its posts."""

    def __init__(self, posts: Sequence[ReviewedPost]) -> None:
        if not posts:
            raise ValueError("there are no posts: give at least one")
        self._posts = sorted(posts, key=lambda post: post.probability)
        stored: dict[tuple[bool, int], float] = defaultdict(float)
        judged: dict[tuple[bool, int], float] = defaultdict(float)
        for post in posts:
            stored[_band(post)] += post.weight
            if post.is_violation is not None:
                judged[_band(post)] += post.weight
        stands_for = {band: stored[band] / weight for band, weight in judged.items()}
        self._all = _Cumulated(self._posts, stands_for)
        self._strata = [
            _Cumulated([post for post in self._posts if post.flagged is flagged], stands_for)
            for flagged in (True, False)
        ]
        times = [post.received for post in posts]
        self.days = max(1.0, max(times) - min(times))
        """Over so many days the posts came, at least 1."""
        self.has_sample = any(not post.flagged for post in posts)

    def thresholds(self) -> list[float]:
        """The thresholds that tell the posts apart: their probabilities, rising."""
        return sorted({post.probability for post in self._posts})

    def load(self, threshold: float) -> float:
        """How many posts a day would be flagged."""
        return self._all.above(threshold).posts / self.days

    def precision(self, threshold: float) -> Estimate | None:
        """Of the posts that would be flagged, the share of violations; None where none of them was judged."""
        above = self._all.above(threshold)
        if above.share is None:
            return None
        low, high = wilson_interval(above.share, above.effective)
        return Estimate(value=above.share, low=low, high=high, judged=above.judged)

    def recall(self, threshold: float) -> Estimate | None:
        """Of all violations, the share that would be flagged.

        None without a sample of what is not flagged, where a part of the posts was not judged at all, or where no
        violation was found.
        """
        found = [stratum.above(threshold) for stratum in self._strata]
        missed = [stratum.below(threshold) for stratum in self._strata]
        counts = [one.violations(_Z_975) for one in (*found, *missed)]
        if not self.has_sample or any(count is None for count in counts):
            return None
        sums = [
            [math.fsum(count[part] for count in group if count is not None) for part in range(3)]
            for group in (counts[:2], counts[2:])
        ]
        (found_value, found_low, found_high), (missed_value, missed_low, missed_high) = sums
        if found_value + missed_value == 0:
            return None
        value = found_value / (found_value + missed_value)
        low = found_low / (found_low + missed_high) if found_low + missed_high else 0.0
        high = found_high / (found_high + missed_low) if found_high + missed_low else 1.0
        judged = sum(one.judged for one in (*found, *missed))
        return Estimate(value=value, low=min(low, value), high=max(high, value), judged=judged)

    def agreement(self) -> tuple[float | None, int]:
        """Cohen's kappa of the posts that two reviewers judged, and how many they are."""
        pairs = [
            (post.first_verdict, post.verdict)
            for post in self._posts
            if post.first_verdict is not None and post.verdict is not None
        ]
        return cohens_kappa(pairs), len(pairs)


def cohens_kappa(pairs: Sequence[tuple[str, str]]) -> float | None:
    """Agreement beyond chance, 1 at most; None for no pairs, or where chance alone would agree on all of them."""
    if not pairs:
        return None
    count = len(pairs)
    agreed = sum(one == other for one, other in pairs) / count
    firsts, seconds = Counter(one for one, _ in pairs), Counter(other for _, other in pairs)
    by_chance = sum(firsts[verdict] * seconds[verdict] for verdict in VERDICTS) / (count * count)
    if by_chance == 1:
        return None
    return (agreed - by_chance) / (1 - by_chance)


def _band(post: ReviewedPost) -> tuple[bool, int]:
    return post.flagged, min(int(post.probability / BAND), int(1 / BAND) - 1)
