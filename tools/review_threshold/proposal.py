"""Proposes a threshold for a wanted precision or reviewing load."""

from __future__ import annotations

from dataclasses import dataclass

from review_threshold.review_estimates import Estimate, ReviewEstimates

FEWEST_JUDGED = 20
"""The minimum number of posts for an estimate of precision."""


class NoThresholdError(Exception):
    """No threshold reaches the goal. The message has the closest one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A threshold and its expected results. per_day: posts to review per day."""

    threshold: float
    per_day: float
    precision: Estimate | None
    recall: Estimate | None


def for_precision(estimates: ReviewEstimates, wanted: float) -> Proposal:
    """Propose the lowest threshold with an estimated precision of at least `wanted`: it has the highest recall."""
    best: tuple[float, float] | None = None
    for threshold in estimates.thresholds():
        precision = estimates.precision(threshold)
        if precision is None or precision.judged < FEWEST_JUDGED:
            continue
        if precision.value >= wanted:
            return proposal(estimates, threshold)
        best = max(best or (0.0, 0.0), (precision.value, threshold))
    if best is None:
        raise NoThresholdError(f"fewer than {FEWEST_JUDGED} posts were judged above any threshold: review more first")
    raise NoThresholdError(f"no threshold has a precision of {wanted:.2f}: {best[1]:.3f} has the most, {best[0]:.2f}")


def for_load(estimates: ReviewEstimates, per_day: float) -> Proposal:
    """Propose the lowest threshold that flags at most `per_day` posts per day."""
    for threshold in estimates.thresholds():
        if estimates.load(threshold) <= per_day:
            return proposal(estimates, threshold)
    highest = estimates.thresholds()[-1]
    raise NoThresholdError(
        f"no threshold flags as few as {per_day:g} posts a day: {highest:.3f} flags {estimates.load(highest):.1f}"
    )


def proposal(estimates: ReviewEstimates, threshold: float) -> Proposal:
    """Return the expected results of a threshold."""
    return Proposal(
        threshold=threshold,
        per_day=estimates.load(threshold),
        precision=estimates.precision(threshold),
        recall=estimates.recall(threshold),
    )
