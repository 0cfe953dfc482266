"""What is served is counted by day, model and bin, and nothing of a post is in the counts."""

import math
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.container.api.conftest import Api, Runtime
from tests.container.api.moments import Clock

DAY = "2026-11-18"
NOON = 1_795_003_200.0


def served(embedded_aws: Any, table: Any) -> dict[tuple[str, str], dict[str, int]]:
    """The counts of each day and model, those of several processes together; of each item's expiry too."""
    found: dict[tuple[str, str], dict[str, int]] = {}
    for item in embedded_aws.client("dynamodb").scan(TableName=table)["Items"]:
        day = item["post"]["S"].removeprefix("served#")
        if day != item["post"]["S"]:
            model, _, slot = item["entry"]["S"].rpartition("#")
            assert 0 <= int(slot) < 16
            counts = found.setdefault((day, model), {})
            for name, value in item.items():
                if "N" in value:
                    counts[name] = int(value["N"]) + (counts.get(name, 0) if ":" in name else 0)
    return found


def test_posts_are_counted_by_the_model_that_scored_them(
    review_store: Callable[..., Any], embedded_aws: Any, review_table: str
) -> None:
    clock = Clock(NOON)
    store = review_store(clock=clock)
    store.served.add("短い", probability=0.5, model="release-1", unseen_percent=0, by_first_stage=True)
    store.served.add("長い" * 500, probability=0.999999, model="release-1", unseen_percent=100, by_first_stage=False)
    store.served.add("短い", probability=0.5, model="release-2", unseen_percent=None, by_first_stage=None)
    store.served.add("nobody says who", probability=0.5, model=None, unseen_percent=None, by_first_stage=None)
    store.write_tally()
    store.write_tally()
    expires = NOON // 86_400 * 86_400 + 35 * 86_400
    of_first = {"score:14": 1, "length:03": 1, "unseen:00": 1, "score:28": 1, "length:29": 1, "unseen:50": 1}
    of_first |= {"stage:01": 1, "stage:00": 1}
    assert served(embedded_aws, review_table) == {
        (DAY, "release-1"): of_first | {"expires": expires},
        (DAY, "release-2"): {"score:14": 1, "length:03": 1, "expires": expires},
    }
    clock.seconds += 86_400
    store.served.add("短い", probability=0.5, model="release-2", unseen_percent=None, by_first_stage=None)
    store.write_tally()
    assert served(embedded_aws, review_table)[("2026-11-19", "release-2")]["expires"] == expires + 86_400


def test_what_is_written_is_bounded_whatever_an_endpoint_calls_its_model(
    review_store: Callable[..., Any], embedded_aws: Any, review_table: str
) -> None:
    clock = Clock(NOON)
    store = review_store(clock=clock)
    for model in ("a#b", "夜", "a" * 64, *(f"release-{number}" for number in range(50))):
        store.served.add("post", probability=0.5, model=model, unseen_percent=None, by_first_stage=None)
    store.write_tally()
    assert {model for _, model in served(embedded_aws, review_table)} == {f"release-{number}" for number in range(8)}
    # A process that outlives many releases goes on counting.
    clock.seconds += 86_400
    store.served.add("post", probability=0.5, model="release-49", unseen_percent=None, by_first_stage=None)
    store.write_tally()
    assert ("2026-11-19", "release-49") in served(embedded_aws, review_table)


def test_the_api_counts_what_it_answers_and_what_the_endpoint_says_of_its_vocabulary(
    start_reviews: Callable[..., Api], shared_runtime: Runtime, embedded_aws: Any, review_table: str
) -> None:
    said = "X-Amzn-SageMaker-Custom-Attributes: model=release-1,unseen=0/12/7,first-stage=1/0/1"
    shared_runtime.answers_body(b'{"predictions": ["0.1", "0.1", "0.9"]}', headers=[said])
    api = start_reviews(shared_runtime.url)
    assert requests.post(f"{api.url}/v1/moderations", json={"texts": ["a", "b", "ccc"]}, timeout=20).status_code == 200
    assert shared_runtime.headers["x-amzn-sagemaker-custom-attributes"].endswith(",with=unseen,with=first-stage")
    # An endpoint that knows of no vocabulary and of no first stage, and one that says nonsense.
    nonsense = ("model=release-1", "model=release-1,unseen=101", "model=release-1,unseen=1/2,first-stage=1/0")
    for attributes in nonsense:
        header = f"X-Amzn-SageMaker-Custom-Attributes: {attributes}"
        shared_runtime.answers_body(b'{"predictions": "0.1"}', headers=[header])
        assert api.moderate("a").status_code == 200
    # Answered by policy: nothing scored it.
    shared_runtime.answers(None)
    assert api.moderate("a").json()["probability"] is None
    api.stop()
    (((_, model), counts),) = served(embedded_aws, review_table).items()
    assert model == "release-1"
    del counts["expires"]
    expected = {"length:00": 5, "length:04": 1, "unseen:00": 1, "unseen:06": 1, "unseen:03": 1, "score:18": 1}
    assert counts == expected | {"score:10": 5, "stage:00": 1, "stage:01": 2}


@pytest.fixture(scope="module")
def bins(api_module: Callable[[str], ModuleType]) -> Any:
    return api_module("post_bins")


@settings(deadline=None)
@given(data=st.data())
def test_every_score_text_and_share_has_a_bin_and_bins_are_in_order(bins: Any, data: Any) -> None:
    lower, higher = sorted(data.draw(st.lists(st.floats(0, 1), min_size=2, max_size=2)))
    assert 0 <= bins.score_bin(lower) <= bins.score_bin(higher) < bins.BINS["score"]
    assert 0 <= bins.length_bin(data.draw(st.text())) < bins.BINS["length"]
    short, longer = sorted(data.draw(st.lists(st.integers(1, 10_000), min_size=2, max_size=2)))
    assert bins.length_bin("a" * short) <= bins.length_bin("a" * longer) < bins.BINS["length"]
    less, more = sorted(data.draw(st.lists(st.integers(0, 100), min_size=2, max_size=2)))
    assert 0 <= bins.unseen_bin(less) <= bins.unseen_bin(more) < bins.BINS["unseen"]


def test_equal_scores_are_in_one_bin_however_they_were_rounded(bins: Any) -> None:
    """A model that answers 0.5 to most posts must not seem to drift by its last digit."""
    for probability in (0.5, 0.25, 0.1, 0.75, 0.9):
        around = {bins.score_bin(probability + difference) for difference in (-1e-9, 0, 1e-9)}
        assert len(around) == 1
    assert bins.score_bin(1 / (1 + math.exp(-0.3))) != bins.score_bin(0.5)
    assert bins.length_bin("a\n\n  b") == bins.length_bin("a b")
