"""Precision, recall and load at a threshold, and the agreement of two reviewers, each with its confidence interval.

The posts come in two strata: the flagged ones, which are all stored, and a sample of the others, each of which stands
for `weight` of them. Reviewers see the most probable posts first, so the reviewed posts are not a random sample of the
stored ones. Each stratum is therefore divided into bands of probability, and the judged posts of a band represent all
of it.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from .agreement import cohens_kappa
from .exact_bounds import lower_bound, upper_bound
from .reviewed_post import ReviewedPost

BAND = 0.05
# Two-sided. Recall combines two intervals, of the violations found and of those missed: each is wide enough for both to
# hold together with 95 %.
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

    With few posts, it never says that something that was not found does not exist. Wilson, Probable inference, the law
    of succession, and statistical inference, Journal of the American Statistical Association 22 (1927).
    """
    if count <= 0:
        return 0.0, 1.0
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    # A rounding error must not move the share out of its own interval.
    return max(0.0, min(middle - half, share)), min(1.0, max(middle + half, share))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stratum:
    """Posts on one side of a threshold: their number, and the number of violations among the judged ones."""

    posts: float
    judged_weight: float
    violations_weight: float
    effective: float
    judged: int

    @property
    def share(self) -> float | None:
        return self.violations_weight / self.judged_weight if self.judged else None

    def violations(self, z: float) -> tuple[float, float, float] | None:
        """The estimated number of violations and its two bounds; None if there are posts but none was judged."""
        if self.posts <= 0:
            return 0.0, 0.0, 0.0
        if self.share is None:
            return None
        low, high = wilson_interval(self.share, self.effective, z)
        return self.posts * self.share, self.posts * low, self.posts * high


class _Cumulated:
    """Cumulative sums over posts by rising probability: a threshold takes one look-up, whatever the number of posts."""

    def __init__(self, posts: Sequence[ReviewedPost], stands_for: Mapping[tuple[bool, int], float]) -> None:
        self._probabilities = [post.probability for post in posts]
        rows = []
        for post in posts:
            judged = post.count if post.is_violation is not None else 0
            weight = post.weight * stands_for[_band(post)] if judged else 0.0
            violations = judged if post.is_violation else 0
            rows.append(
                (post.count * post.weight, judged * weight, violations * weight, judged * weight**2, float(judged))
            )
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
        # These are differences of sums: by a rounding error, the part must not exceed the whole.
        violations_weight=max(0.0, min(total, violations)),
        # Kish, Survey Sampling (1965): unequal weights reduce the effective number of posts.
        effective=total * total / squares if judged else 0.0,
        judged=round(judged),
    )


class ReviewEstimates:
    """Estimates of a model's quality from reviewers' decisions on its posts."""

    def __init__(self, posts: Sequence[ReviewedPost]) -> None:
        if not posts:
            raise ValueError("there are no posts: give at least one")
        self._posts = sorted(posts, key=lambda post: post.probability)
        stored: dict[tuple[bool, int], float] = defaultdict(float)
        judged: dict[tuple[bool, int], float] = defaultdict(float)
        for post in posts:
            stored[_band(post)] += post.count * post.weight
            if post.is_violation is not None:
                judged[_band(post)] += post.count * post.weight
        stands_for = {band: stored[band] / weight for band, weight in judged.items()}
        self._all = _Cumulated(self._posts, stands_for)
        self._strata = [
            _Cumulated([post for post in self._posts if post.flagged is flagged], stands_for)
            for flagged in (True, False)
        ]
        times = [post.received for post in posts]
        self.days = max(1.0, max(times) - min(times))
        """The number of days between the first and the last post, at least 1."""
        self.has_sample = any(not post.flagged for post in posts)

    def thresholds(self) -> list[float]:
        """The thresholds that separate the posts: their probabilities, rising."""
        return sorted({post.probability for post in self._posts})

    def load(self, threshold: float) -> float:
        """The number of posts per day that would be flagged."""
        return self._all.above(threshold).posts / self.days

    def precision(self, threshold: float) -> Estimate | None:
        """The share of violations among the posts that would be flagged; None if none of them was judged."""
        return _precision(self._all.above(threshold))

    def recall(self, threshold: float) -> Estimate | None:
        """The share of all violations that would be flagged.

        None without a sample of the posts that were not flagged, if no violation was found, or if a stratum has posts
        above or below the threshold and none of them was judged.
        """
        return self._recall(
            [stratum.above(threshold) for stratum in self._strata],
            [stratum.below(threshold) for stratum in self._strata],
        )

    def flag_precision(self) -> Estimate | None:
        """The share of violations among the posts that were flagged, whatever the threshold was."""
        return _precision(self._strata[0].above(0))

    def flag_recall(self) -> Estimate | None:
        """The share of all violations that was flagged, whatever the threshold was; None as in `recall`."""
        flagged, sample = self._strata
        return self._recall([flagged.above(0)], [sample.above(0)])

    def _recall(self, found: Sequence[_Stratum], missed: Sequence[_Stratum]) -> Estimate | None:
        sums = [_violations(strata) for strata in (found, missed)]
        if not self.has_sample or sums[0] is None or sums[1] is None:
            return None
        (found_value, found_low, found_high), (missed_value, missed_low, missed_high) = sums[0], sums[1]
        if found_value + missed_value == 0:
            return None
        value = found_value / (found_value + missed_value)
        low = found_low / (found_low + missed_high) if found_low + missed_high else 0.0
        high = found_high / (found_high + missed_low) if found_high + missed_low else 1.0
        judged = sum(one.judged for one in (*found, *missed))
        return Estimate(value=value, low=min(low, value), high=max(high, value), judged=judged)

    def flag_precision_at_most(self, error: float) -> float | None:
        """An upper bound of the precision of the flag: it is higher with a probability of at most `error`.

        None if no flagged post was judged. The bound is exact for a binomial share, of Kish's effective
        number of posts: Korn and Graubard, Confidence intervals for proportions with small expected number of positive
        counts estimated from survey data, Survey Methodology 24 (1998).
        """
        flagged = self._strata[0].above(0)
        return None if flagged.share is None else upper_bound(flagged.share, flagged.effective, error)

    def flag_recall_at_most(self, error: float) -> float | None:
        """An upper bound of the recall of the flag, in the same sense; None as in `recall`.

        Half of `error` is the probability that the flagged posts have more violations than their bound, half that the
        other posts have fewer (Bonferroni).
        """
        estimate = self.flag_recall()
        if estimate is None:
            return None
        flagged, sample = (stratum.above(0) for stratum in self._strata)
        found = flagged.posts * upper_bound(flagged.share or 0.0, flagged.effective, error / 2)
        missed = sample.posts * lower_bound(sample.share or 0.0, sample.effective, error / 2)
        # If there is no violation to find, none is missed.
        return found / (found + missed) if found + missed else 1.0

    def agreement(self) -> tuple[float | None, int]:
        """Cohen's kappa of the posts that two reviewers judged, and their number."""
        pairs: Counter[tuple[str, str]] = Counter()
        for post in self._posts:
            if post.first_verdict is not None and post.verdict is not None:
                pairs[post.first_verdict, post.verdict] += post.count
        return cohens_kappa(pairs), pairs.total()


def _precision(above: _Stratum) -> Estimate | None:
    if above.share is None:
        return None
    low, high = wilson_interval(above.share, above.effective)
    return Estimate(value=above.share, low=low, high=high, judged=above.judged)


def _violations(strata: Sequence[_Stratum]) -> tuple[float, float, float] | None:
    """The estimated number of violations in all strata and its two bounds; None if one stratum has posts but none was
    judged.
    """
    value = low = high = 0.0
    for stratum in strata:
        counts = stratum.violations(_Z_975)
        if counts is None:
            return None
        value, low, high = value + counts[0], low + counts[1], high + counts[2]
    return value, low, high


def _band(post: ReviewedPost) -> tuple[bool, int]:
    return post.flagged, min(int(post.probability / BAND), int(1 / BAND) - 1)
