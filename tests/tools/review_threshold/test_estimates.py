import random
import statistics
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import binomtest

from review_threshold.proposal import NoThresholdError, for_load, for_precision
from review_threshold.review_estimates import (
    VERDICTS,
    Estimate,
    ReviewedPost,
    ReviewEstimates,
    cohens_kappa,
    wilson_interval,
)


def post(probability: float, verdict: str | None = "violation", *, weight: float = 1, **options: Any) -> ReviewedPost:
    chosen = {"flagged": weight == 1, "received": 0.0, **options}
    return ReviewedPost(probability=probability, verdict=verdict, weight=weight, **chosen)


def known(estimate: Estimate | None) -> Estimate:
    assert estimate is not None
    return estimate


verdicts = st.sampled_from([*VERDICTS, None])
probabilities = st.floats(0, 1)
posts = st.lists(
    st.one_of(
        st.builds(post, probabilities, verdicts, received=st.floats(0, 30)),
        st.builds(post, probabilities, verdicts, weight=st.sampled_from([20.0, 100.0]), received=st.floats(0, 30)),
    ),
    min_size=1,
    max_size=60,
)


@given(posts=posts, thresholds=st.tuples(probabilities, probabilities).map(sorted))
def test_shares_are_shares_and_a_higher_threshold_loads_less(posts: Any, thresholds: Any) -> None:
    estimates = ReviewEstimates(posts)
    low, high = thresholds
    for threshold in thresholds:
        for estimate in (estimates.precision(threshold), estimates.recall(threshold)):
            if estimate is not None:
                assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1
    assert estimates.load(high) <= estimates.load(low)


# Of posts about which reviewers are not sure, as many count as violations as among those beside them that were judged:
# these are others at each threshold. Without such posts the order holds.
@given(posts=posts, thresholds=st.tuples(probabilities, probabilities).map(sorted))
def test_a_higher_threshold_finds_no_more_of_what_was_judged(posts: Any, thresholds: Any) -> None:
    judged = [each for each in posts if each.verdict in ("violation", "fine")]
    assume(judged)
    estimates = ReviewEstimates(judged)
    low, high = thresholds
    lower, higher = estimates.recall(low), estimates.recall(high)
    if lower is not None and higher is not None:
        assert higher.value <= lower.value + 1e-9


@given(posts=posts)
def test_everything_flagged_finds_everything(posts: Any) -> None:
    recall = ReviewEstimates(posts).recall(0)
    assert recall is None or recall.value == 1


@given(share=st.floats(0, 1), count=st.integers(1, 100_000))
def test_an_interval_holds_its_share_and_shrinks_with_the_count(share: Any, count: Any) -> None:
    low, high = wilson_interval(share, count)
    assert 0 <= low <= share <= high <= 1
    more_low, more_high = wilson_interval(share, count * 4)
    assert more_high - more_low <= high - low + 1e-12


@pytest.mark.parametrize(("found", "count"), [(0, 1), (1, 1), (3, 10), (9, 10), (500, 2000)])
def test_an_interval_is_wilsons(found: int, count: int) -> None:
    expected = binomtest(found, count).proportion_ci(method="wilson")
    assert wilson_interval(found / count, count) == pytest.approx((expected.low, expected.high), rel=1e-6, abs=1e-12)
    assert wilson_interval(0.5, 0) == (0, 1)


def test_what_was_not_found_in_a_few_may_still_be_there() -> None:
    _, high = wilson_interval(0.0, 10)
    assert 0.2 < high < 0.35


def test_a_sampled_post_counts_for_all_it_stands_for() -> None:
    flagged = [post(0.9, "violation")] * 80 + [post(0.9, "fine")] * 20
    sample = [post(0.1, "violation", weight=100.0)] + [post(0.1, "fine", weight=100.0)] * 99
    estimates = ReviewEstimates([*flagged, *sample])
    assert known(estimates.precision(0.5)).value == pytest.approx(0.8)
    # 80 are found, and one of a hundred stands for 100 that are not.
    assert known(estimates.recall(0.5)).value == pytest.approx(80 / 180)
    # Where nothing is left out, nothing can be missed.
    everything = known(estimates.recall(0))
    assert (everything.low, everything.value, everything.high) == (1, 1, 1)
    assert estimates.load(0.5) == 100
    assert estimates.load(0.05) == pytest.approx(10_100)


def test_unsure_ones_and_those_not_judged_yet_say_nothing_of_their_own() -> None:
    judged = [post(0.91, "violation")] * 30 + [post(0.91, "fine")] * 30
    estimates = ReviewEstimates([*judged, *[post(0.91, None)] * 500, *[post(0.91, "unsure")] * 40])
    assert known(estimates.precision(0.5)).value == pytest.approx(0.5)
    assert known(estimates.precision(0.5)).judged == 60


def test_the_judged_stand_for_the_rest_of_their_band_alone() -> None:
    # Reviewers saw the most probable first: 100 of 100 there, 10 of 1,000 below.
    top = [post(0.97, "violation")] * 100
    below = [post(0.62, "violation")] * 2 + [post(0.62, "fine")] * 8 + [post(0.62, None)] * 990
    assert known(ReviewEstimates([*top, *below]).precision(0.5)).value == pytest.approx((100 + 200) / 1100)


def test_no_recall_without_a_sample_or_with_nothing_judged() -> None:
    assert ReviewEstimates([post(0.9)]).recall(0.5) is None
    assert ReviewEstimates([post(0.9), post(0.1, None, weight=100.0)]).recall(0.5) is None
    assert ReviewEstimates([post(0.9, None)]).precision(0.5) is None


def test_a_sample_reviewed_in_part_gives_intervals_that_hold_the_truth() -> None:
    """A population whose violations are known, reviewed 100 times: by what is sampled and by who has time."""
    chance = random.Random(7)
    people = [(probability := chance.random() ** 3, chance.random() < probability * 0.9) for _ in range(20_000)]
    truth = sum(bad for probability, bad in people if probability >= 0.6) / sum(bad for _, bad in people)
    held, values = 0, []
    for _ in range(100):
        stored = []
        for probability, bad in people:
            flagged = probability >= 0.6
            if flagged or chance.random() < 0.05:
                reviewed = chance.random() < (0.9 if flagged else 0.6)
                verdict = ("violation" if bad else "fine") if reviewed else None
                stored.append(post(probability, verdict, weight=1.0 if flagged else 20.0))
        recall = known(ReviewEstimates(stored).recall(0.6))
        held += recall.low <= truth <= recall.high
        values.append(recall.value)
    assert held >= 95
    assert statistics.mean(values) == pytest.approx(truth, abs=0.01)


def test_kappa_is_agreement_beyond_chance() -> None:
    assert cohens_kappa({("violation", "violation"): 1, ("fine", "fine"): 1}) == 1
    assert cohens_kappa({("violation", "fine"): 1, ("fine", "violation"): 1}) == -1
    # Cohen 1960's way by hand: 35 of 50 agree, chance 0.5.
    pairs = {("violation", "violation"): 20, ("violation", "fine"): 5}
    pairs |= {("fine", "violation"): 10, ("fine", "fine"): 15}
    assert cohens_kappa(pairs) == pytest.approx(0.4)
    assert cohens_kappa({}) is None
    assert cohens_kappa({("fine", "fine"): 9}) is None


@given(pairs=st.dictionaries(st.tuples(st.sampled_from(VERDICTS), st.sampled_from(VERDICTS)), st.integers(1, 50)))
def test_kappa_does_not_care_who_was_first(pairs: Any) -> None:
    kappa = cohens_kappa(pairs)
    other_way = cohens_kappa({(second, first): count for (first, second), count in pairs.items()})
    assert kappa == (other_way if other_way is None else pytest.approx(other_way))
    assert kappa is None or -1 <= kappa <= 1


@given(posts=posts)
def test_posts_that_are_alike_count_as_often_as_they_are(posts: Any) -> None:
    alike = Counter(posts)
    once = ReviewEstimates([replace(post, count=count) for post, count in alike.items()])
    apart = ReviewEstimates(posts)
    for of in (lambda one: one.precision(0.3), lambda one: one.recall(0.3), ReviewEstimates.flag_recall):
        together, singly = of(once), of(apart)
        assert (together is None) == (singly is None)
        if together is not None and singly is not None:
            assert together.judged == singly.judged
            assert (together.value, together.low, together.high) == pytest.approx(
                (singly.value, singly.low, singly.high), abs=1e-9
            )
    assert once.load(0.3) == pytest.approx(apart.load(0.3))


def test_what_was_flagged_counts_whichever_threshold_it_was() -> None:
    flagged = [post(0.55, "violation")] * 30 + [post(0.9, "fine")] * 10
    # Of a time when the threshold was higher.
    sample = [post(0.6, "violation", weight=10.0)] * 3 + [post(0.2, "fine", weight=10.0)] * 97
    estimates = ReviewEstimates([*flagged, *sample])
    assert known(estimates.flag_precision()).value == pytest.approx(30 / 40)
    assert known(estimates.flag_recall()).value == pytest.approx(30 / 60)
    assert ReviewEstimates(flagged).flag_recall() is None


@given(posts=posts, wanted=st.floats(0, 1))
def test_a_proposal_does_what_was_wanted_and_none_lower_does(posts: Any, wanted: Any) -> None:
    estimates = ReviewEstimates(posts)
    try:
        proposed = for_load(estimates, 50 * wanted)
    except NoThresholdError:
        assert all(estimates.load(threshold) > 50 * wanted for threshold in estimates.thresholds())
    else:
        assert proposed.per_day <= 50 * wanted
        lower = [threshold for threshold in estimates.thresholds() if threshold < proposed.threshold]
        assert all(estimates.load(threshold) > 50 * wanted for threshold in lower)


def test_a_threshold_for_a_precision() -> None:
    stored = [post(0.9, "violation")] * 30 + [post(0.7, "violation")] * 15 + [post(0.7, "fine")] * 15
    stored += [post(0.5, "fine")] * 30
    assert for_precision(ReviewEstimates(stored), 0.75).threshold == 0.7
    assert for_precision(ReviewEstimates(stored), 0.76).threshold == 0.9
    mixed = [post(0.7, "violation")] * 15 + [post(0.7, "fine")] * 5
    with pytest.raises(NoThresholdError, match=r"no threshold has a precision of 0\.90: 0\.700 has the most, 0\.75"):
        for_precision(ReviewEstimates(mixed), 0.9)
    with pytest.raises(NoThresholdError, match="fewer than 20 posts were judged"):
        for_precision(ReviewEstimates(stored[:19]), 0.5)
