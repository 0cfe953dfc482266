"""Compares two models on the same posts: the area under the ROC curve (AUC), and the flags.

Sources: DeLong, DeLong and Clarke-Pearson, Biometrics 44 (1988), for the areas; Wilson's interval for the share of
equal flags. Bounds are one-sided, at CONFIDENCE each.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from exported_model import Probabilities
from scipy.stats import rankdata, t

CONFIDENCE = 0.95
FEWEST_A_LABEL = 30
"""The fewest posts per label: with fewer, chance could hide a real difference."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The second model compared with the first."""

    auc_first: float
    auc_second: float
    drop_low: float
    drop_high: float
    """The AUC is lower by more than `drop_low` and by less than `drop_high`, with CONFIDENCE each."""
    agreement: float
    """The share of posts that both flag or both pass."""
    agreement_low: float
    posts: int
    violations: int

    @classmethod
    def of(cls, labels: Sequence[int], first: Probabilities, second: Probabilities, *, threshold: float) -> Difference:
        """Compare two models' probabilities; each label must occur twice; both flag `probability >= threshold`."""
        truth = np.asarray(labels, dtype=bool)
        shares = [_shares(truth, probabilities) for probabilities in (first, second)]
        areas = [float(share[truth].mean()) for share in shares]
        apart = shares[0] - shares[1]
        error = math.sqrt(sum(float(np.var(of, ddof=1)) / len(of) for of in (apart[truth], apart[~truth])))
        half = float(t.ppf(CONFIDENCE, min(truth.sum(), (~truth).sum()) - 1)) * error
        same = (first >= threshold) == (second >= threshold)
        return cls(
            auc_first=areas[0],
            auc_second=areas[1],
            drop_low=areas[0] - areas[1] - half,
            drop_high=areas[0] - areas[1] + half,
            agreement=float(same.mean()),
            agreement_low=_wilson_low(float(same.mean()), len(same)),
            posts=len(truth),
            violations=int(truth.sum()),
        )

    @property
    def drop(self) -> float:
        return self.auc_first - self.auc_second

    def fault(self, *, largest_drop: float, smallest_agreement: float) -> str | None:
        """Return one line that says why the second must not replace the first; None if it may."""
        if not self.agreement >= smallest_agreement:
            allowed = f"allowed is {smallest_agreement:.1%} or more"
            return f"flags agree on {self.agreement:.2%} of {self.posts} posts; {allowed}"
        if self.drop_high <= largest_drop:
            return None
        said = (
            f"the AUC is lower by {self.drop:.4f}, at 95 % by up to {self.drop_high:.4f}, on {self.violations} "
            f"violations; allowed is {largest_drop}"
        )
        return said if self.drop >= largest_drop else f"{said}: {self._violations_needed(largest_drop)} would show it"

    def _violations_needed(self, largest_drop: float) -> int:
        """Return how many violations are needed: an interval's width falls with the root of the number of posts."""
        return math.ceil(self.violations * ((self.drop_high - self.drop) / (largest_drop - self.drop)) ** 2)

    def as_json(self) -> dict[str, object]:
        return {
            "auc_drop": {"value": self.drop, "low": self.drop_low, "high": self.drop_high, "confidence": CONFIDENCE},
            "agreement": {"value": self.agreement, "low": self.agreement_low, "confidence": CONFIDENCE},
            "posts": self.posts,
            "violations": self.violations,
        }


def too_few(labels: Sequence[int]) -> str | None:
    """Return why these posts are too few to measure a difference, and how many are needed; None if they suffice."""
    counts = [sum(label == of for label in labels) for of in (0, 1)]
    if min(counts) >= FEWEST_A_LABEL:
        return None
    return f"{counts[1]} violations and {counts[0]} other posts to validate with; {FEWEST_A_LABEL} of each are needed"


def _shares(truth: np.ndarray, probabilities: Probabilities) -> np.ndarray:
    """Return for each violation the share of other posts below it, for each other post of violations above it."""
    ranks = rankdata(probabilities)
    shares = np.empty(len(truth))
    for side in (truth, ~truth):
        within = rankdata(probabilities[side])
        below = (ranks[side] - within) / (~side).sum()
        shares[side] = below if side is truth else 1 - below
    return shares


def _wilson_low(share: float, count: int) -> float:
    z = NormalDist().inv_cdf(CONFIDENCE)
    spread = z * z / count
    return (share + spread / 2 - z * math.sqrt(share * (1 - share) / count + spread / (4 * count))) / (1 + spread)
