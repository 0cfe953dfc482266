"""The rehearsal's reviewers, before the real service: the one with a browser and the one without."""

import shutil
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
import requests

from cdk_rehearsal.step_failure import StepError
from moderation_rehearsal.local_sign_in import LocalSignIn
from moderation_rehearsal.reviewers import review_by_api, review_by_page
from tests.container.api.conftest import Api, Runtime

CHROMIUM = shutil.which("chromium")
with_browser = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not on PATH: apt-get install chromium")


@pytest.fixture
def sign_in() -> Iterator[Any]:
    sign_in = LocalSignIn()
    yield sign_in
    sign_in.stop()


@pytest.mark.parametrize("way", [pytest.param("page", marks=with_browser), "calls"])
def test_every_post_that_waits_is_decided_on_once_as_it_is_labelled(
    start_reviews: Callable[..., Api],
    shared_runtime: Runtime,
    review_store: Callable[..., Any],
    review_post: Callable[..., Any],
    api_module: Callable[[str], ModuleType],
    sign_in: Any,
    way: Any,
) -> None:
    store = review_store()
    labels = {f"投稿 {number}\n<b>": number % 2 for number in range(13)}
    for number, text in enumerate(labels):
        store.keep(review_post(text, 0.9 - number / 100))
    api = start_reviews(shared_runtime.url, **sign_in.environment)
    counted: list[int] = []
    if way == "page":
        assert CHROMIUM is not None
        made = review_by_page(api.port, sign_in, CHROMIUM, labels.__getitem__, counted.append, reviewer="hana", most=99)
    else:
        made = review_by_api(api.port, sign_in, labels.__getitem__, counted.append, reviewer="hana", most=99)
    assert made == len(labels)
    assert counted == list(range(1, 14))
    for text, label in labels.items():
        (decision,) = store.history(api_module("reviews.post").post_key(text))
        assert (decision["verdict"], decision["reviewer"]) == ("violation" if label else "fine", "hana")


def test_fails_where_the_service_believes_another_balancer(
    start_reviews: Callable[..., Api], shared_runtime: Runtime, sign_in: Any
) -> None:
    api = start_reviews(shared_runtime.url)
    with pytest.raises(StepError, match=r"the review API answered 401: .*not from this service's load balancer"):
        review_by_api(api.port, sign_in, lambda text: 0, lambda done: None, reviewer="hana", most=99)
    header = {sign_in.header_name: sign_in.header("hana")}
    assert requests.get(f"{api.url}/review", headers=header, timeout=20).status_code == 401
