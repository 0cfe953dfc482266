"""Bounds, burden and tallies; estimates themselves are tested with review-threshold."""

from typing import Any

import numpy as np
import pytest
from scipy.special import betainc
from scipy.stats import beta

from cdk_fargate_sagemaker.review_estimates import (
    ReviewedPost,
    ReviewEstimates,
    ReviewTally,
    burden,
    lower_bound,
    upper_bound,
)
from cdk_fargate_sagemaker.review_estimates.exact_bounds import incomplete_beta


def test_counts_become_posts_that_are_alike() -> None:
    tally = ReviewTally.of(
        [
            {"flagged:0.975:1:stored": 10, "flagged:0.975:1:violation": 4, "sample:0.025:33.3333:stored": 2},
            {"flagged:0.975:1:violation": 1, "flagged:0.975:1:unsure": 1, "sample:0.025:33.3333:fine": 2},
            {"pair:violation:fine": 2, "pair:fine:fine": 1, "flagged:0.525:1:fine": -1},
            {"pair:violation:fine": -1},
        ]
    )

    def row(verdict: str | None, count: int, **of: object) -> ReviewedPost:
        chosen: dict[str, Any] = {"probability": 0.975, "flagged": True, "weight": 1.0, "received": 0.0, **of}
        return ReviewedPost(verdict=verdict, count=count, **chosen)

    sample = {"probability": 0.025, "flagged": False, "weight": 33.3333}
    assert sorted(tally.posts, key=str) == sorted(
        [row("violation", 5), row("unsure", 1), row(None, 4), row("fine", 2, **sample)], key=str
    )
    assert tally.pairs == {("violation", "fine"): 1, ("fine", "fine"): 1}


@pytest.mark.parametrize("name", ["flagged:0.5:1:bad", "other:0.5:1:fine", "pair:fine:bad", "flagged"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is no name of a count: `flagged:0"):
        ReviewTally.of([{name: 1}])


def test_a_days_work_is_spread_over_reviewers_and_names_nobody() -> None:
    days = [
        {"violation": 10, "fine": 10, "severe": 5, "milliseconds": 40_000, "timed": 20, "latest": 1_795_000_000_000},
        {"violation": 30, "unsure": 10, "severe": 30, "milliseconds": 240_000, "timed": 40},
        # Too few to be a share or a mean; one whose only decision was taken back, and had been counted before.
        {"violation": 1, "severe": 1, "milliseconds": 299_000, "timed": 1},
        {"violation": 0, "undone": 1, "severe": -1},
    ]
    assert burden(days) == {
        "Reviewers": 3,
        "ReviewerDecisionsMedian": 20,
        "ReviewerDecisionsP90": 40,
        "ReviewerDecisionsMost": 40,
        "DecisionSecondsMedian": 2,
        "DecisionSecondsP90": 6,
        "DecisionSecondsMost": 6,
        "SeverePercentMedian": 25,
        "SeverePercentP90": 75,
        "SeverePercentMost": 75,
    }
    assert burden([]) == {"Reviewers": 0}


@pytest.mark.parametrize("count", [1, 7.5, 100, 40_000])
@pytest.mark.parametrize("share", [0, 0.01, 0.3, 0.97, 1])
@pytest.mark.parametrize("error", [0.0005, 0.05])
def test_bounds_are_clopper_and_pearsons(share: float, count: float, error: float) -> None:
    seen = share * count
    upper = beta.ppf(1 - error, seen + 1, count - seen) if share < 1 else 1
    lower = beta.ppf(error, seen, count - seen + 1) if share > 0 else 0
    assert upper_bound(share, count, error) == pytest.approx(upper, rel=1e-9)
    assert lower_bound(share, count, error) == pytest.approx(lower, rel=1e-6, abs=1e-12)
    assert (lower_bound(0.5, 0, error), upper_bound(0.5, 0, error)) == (0, 1)


@pytest.mark.parametrize(("a", "b"), [(0.5, 0.5), (1, 9), (40, 3.5), (2000, 30_000)])
@pytest.mark.parametrize("x", [0, 1e-9, 0.06, 0.5, 0.97, 1])
def test_the_incomplete_beta_function_is_scipys(a: float, b: float, x: float) -> None:
    assert incomplete_beta(a, b, x) == pytest.approx(betainc(a, b, x), rel=1e-9, abs=1e-15)


FLAGGED, SAMPLE = (0.525, 0.675, 0.825, 0.975), (0.025, 0.175, 0.325, 0.475)
MEASURED = {"precision": ReviewEstimates.flag_precision_at_most, "recall": ReviewEstimates.flag_recall_at_most}


def a_week(random: np.random.Generator, *, precision: float, missed_share: float) -> ReviewEstimates:
    """A week of 400 flagged posts, the most probable of which were judged, and of 1,000 of a sample of 1 in 10.

    In each stratum the share of violations rises with the probability, around what is given.
    """
    counts: dict[str, int] = {}
    for stratum, weight, bands, posts, share in (
        ("flagged", "1", FLAGGED, 100, precision),
        ("sample", "10", SAMPLE, 250, missed_share),
    ):
        for place, band in enumerate(bands):
            stored = int(random.poisson(posts))
            # Half of the least probable wait still; each band has judged posts.
            judged = stored if place >= 2 else stored // 2
            violations = int(random.binomial(judged, share * (0.7 + 0.2 * place)))
            cell = f"{stratum}:{band}:{weight}"
            counts |= {f"{cell}:stored": stored, f"{cell}:violation": violations, f"{cell}:fine": judged - violations}
    return ReviewEstimates(ReviewTally.of([counts]).posts)


def true_value(of: str, *, precision: float, missed_share: float) -> float:
    found, missed = 400 * precision, 10_000 * missed_share
    return precision if of == "precision" else found / (found + missed)


@pytest.mark.parametrize("of", MEASURED)
@pytest.mark.parametrize(("error", "weeks", "most"), [(0.05, 500, 40), (0.001, 1000, 5)])
def test_a_model_exactly_at_the_minimum_alarms_no_more_often_than_stated(
    of: Any, error: float, weeks: int, most: int
) -> None:
    """`most` is what so many looks exceed by chance with a probability below 0.1 % if the rate is the stated one."""
    model = {"precision": 0.7, "missed_share": 0.01}
    minimum = true_value(of, **model)
    random = np.random.default_rng(20_261_127)
    bounds = [MEASURED[of](a_week(random, **model), error) for _ in range(weeks)]
    false = sum(bound < minimum for bound in bounds if bound is not None)
    assert false <= most


@pytest.mark.parametrize(
    ("of", "worse"),
    [("precision", {"precision": 0.55, "missed_share": 0.01}), ("recall", {"precision": 0.7, "missed_share": 0.05})],
)
def test_a_model_that_got_worse_is_found(of: str, worse: dict[str, Any]) -> None:
    minimum = true_value(of, precision=0.7, missed_share=0.01)
    random = np.random.default_rng(20_261_128)
    bounds = [MEASURED[of](a_week(random, **worse), 0.001) for _ in range(50)]
    assert sum(bound < minimum for bound in bounds if bound is not None) >= 40


def test_the_bound_of_recall_joins_those_of_what_is_found_and_of_what_is_missed() -> None:
    flagged = {"flagged:0.975:1:stored": 20, "flagged:0.975:1:violation": 15, "flagged:0.975:1:fine": 5}
    sample = {"sample:0.025:10:stored": 30, "sample:0.025:10:violation": 3, "sample:0.025:10:fine": 27}
    found, missed = 20 * beta.ppf(1 - 0.01 / 2, 16, 5), 300 * beta.ppf(0.01 / 2, 3, 28)
    bound = ReviewEstimates(ReviewTally.of([flagged, sample]).posts).flag_recall_at_most(0.01)
    assert bound == pytest.approx(found / (found + missed), rel=1e-6)


def test_bounds_say_nothing_where_nothing_was_judged() -> None:
    def estimates(counts: dict[str, int]) -> ReviewEstimates:
        return ReviewEstimates(ReviewTally.of([counts]).posts)

    waiting = estimates({"flagged:0.975:1:stored": 9})
    assert (waiting.flag_precision_at_most(0.001), waiting.flag_recall_at_most(0.001)) == (None, None)
    no_sample = estimates({"flagged:0.975:1:stored": 9, "flagged:0.975:1:fine": 9})
    assert no_sample.flag_precision_at_most(0.001) == pytest.approx(1 - 0.001 ** (1 / 9))
    assert no_sample.flag_recall_at_most(0.001) is None
