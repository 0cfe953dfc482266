from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest


@pytest.mark.parametrize(
    "like",
    [
        "Free money",
        "ＦＲＥＥ MONEY",
        "free\u200b money",
        "\ufefff\u00adr\u2060ee\u034f money\ufe0f",
        "free\u3164 money",
        "free \u202emoney",
    ],
)
def test_posts_that_look_alike_are_one(api_module: Callable[[str], ModuleType], like: str) -> None:
    key = api_module("reviews.post").post_key
    assert key(like) == key("free money")


def test_a_run_of_marks_beyond_what_is_kept_makes_no_new_post(api_module: Callable[[str], ModuleType]) -> None:
    key = api_module("reviews.post").post_key
    assert len({key("a" + "\u0300" * count) for count in range(30, 500)}) == 1
    assert key("か") != key("が")


def test_a_character_that_is_not_seen_stores_nothing_new(
    api_module: Callable[[str], ModuleType], review_store: Callable[..., Any], review_post: Callable[..., Any]
) -> None:
    store = review_store()
    assert [store.keep(review_post("spam" + "\u200b" * count)) for count in range(20)] == [True] + [False] * 19
