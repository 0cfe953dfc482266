"""Nobody chooses by a post's text whether, where and by how many reviewers it is seen."""

from collections.abc import Callable, Iterator
from itertools import count, islice
from statistics import correlation, fmean
from types import ModuleType
from typing import Any

import pytest

RECEIVED = "2026-11-26T09:00:00.000+00:00"
PURPOSES = ("sample", "place", "second")
SECRETS = [f"the secret of deployment number {number:04}" for number in range(200)]


@pytest.fixture
def rule(api_module: Callable[[str], ModuleType]) -> Callable[..., Any]:
    """What a deployment stores: `rule(secret)`, or as the draws were when a text's hash alone made them."""
    review_post, review_draws = api_module("reviews.post"), api_module("reviews.draws")

    def make(secret: str | None, **options: float) -> Any:
        draws = HashAlone() if secret is None else review_draws.ReviewDraws(secret)
        chosen = {"threshold": 0.5, "sample_percent": 5.0, "second_percent": 5.0, **options}
        return review_post.ReviewRule(draws=draws, **chosen)

    return make


class HashAlone:
    """The draws that a writer can make at home, and made what is sent by them."""

    def number(self, key: str, purpose: str) -> float:
        at = 16 * (1 + PURPOSES.index(purpose))
        return int(key[at : at + 16], 16) / (1 << 64)


def stored(rule: Any, texts: Any, *, flagged: bool = False, probability: float = 0.1) -> Iterator[Any]:
    for text in texts:
        post = rule.chosen(text, flagged=flagged, probability=probability, model="m", received=RECEIVED)
        if post is not None:
            yield post


def test_no_chosen_post_stands_before_those_that_are_flagged(rule: Callable[..., Any]) -> None:
    # 64 harmless posts, each of the sample and before every post of a probability up to 0.97, if the hash alone drew.
    before_all = (post for post in stored(rule(None), (f"good morning {n}" for n in count())) if post.priority > 0.97)
    chosen = [post.text for post in islice(before_all, 64)]
    assert len(list(stored(rule(None), chosen))) == 64
    for secret in SECRETS[:20]:
        seen = list(stored(rule(secret), chosen))
        # As many as of any 64 posts: 5 %, 3.2 on average.
        assert len(seen) <= 14
        assert sum(post.priority > 0.97 for post in seen) <= 4
    assert 1 < fmean(len(list(stored(rule(secret), chosen))) for secret in SECRETS) < 6


def test_twenty_chosen_violations_do_not_move_recall(rule: Callable[..., Any]) -> None:
    found, honest = 80, {"sample_percent": 1.0}
    chosen = [post.text for post in islice(stored(rule(None, **honest), (f"spam {n}" for n in count())), 20)]

    def recall(secret: str | None) -> float:
        missed: float = sum(post.weight for post in stored(rule(secret, **honest), chosen))
        return found / (found + missed)

    # They are 20 of 100 violations: recall is 0.80 with them, and the hash alone made them 2,000.
    assert recall(None) < 0.05
    weights = [sum(post.weight for post in stored(rule(secret, **honest), chosen)) for secret in SECRETS]
    assert 10 < fmean(weights) < 40
    assert sorted(recall(secret) for secret in SECRETS)[20] > 0.3


def test_chosen_posts_do_not_avoid_a_second_reviewer(rule: Callable[..., Any]) -> None:
    alone = (post for post in stored(rule(None, second_percent=50), (f"buy {n}" for n in count()), flagged=True))
    chosen = [post.text for post in islice((post for post in alone if not post.second), 200)]
    for secret in SECRETS[:20]:
        assert 60 < sum(post.second for post in stored(rule(secret, second_percent=50), chosen, flagged=True)) < 140


def test_draws_are_even_independent_and_the_same_in_every_task(api_module: Callable[[str], ModuleType]) -> None:
    draws, key = api_module("reviews.draws").ReviewDraws, api_module("reviews.post").post_key
    keys = [key(f"post {number}") for number in range(3000)]
    ours, again, others = draws(SECRETS[0]), draws(SECRETS[0]), draws(SECRETS[1])
    drawn = {purpose: [ours.number(one, purpose) for one in keys] for purpose in PURPOSES}
    for purpose in PURPOSES:
        assert drawn[purpose] == [again.number(one, purpose) for one in keys]
        assert abs(fmean(drawn[purpose]) - 0.5) < 0.03
        assert abs(fmean(number < 0.05 for number in drawn[purpose]) - 0.05) < 0.02
        assert abs(correlation(drawn[purpose], [others.number(one, purpose) for one in keys])) < 0.06
    assert abs(correlation(drawn["sample"], drawn["place"])) < 0.06
    assert abs(correlation(drawn["sample"], drawn["second"])) < 0.06


def test_the_secret_is_not_shown(api_module: Callable[[str], ModuleType]) -> None:
    settings = api_module("api_settings").ApiSettings(
        endpoint_name="e", region="us-east-1", review_table="posts", review_draw_secret=SECRETS[0]
    )
    assert SECRETS[0] not in repr(settings)
