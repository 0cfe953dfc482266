"""What a client that floods the service with distinct flagged texts makes it write: a quota of posts a day."""

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError, ReadTimeoutError

from tests.container.api.conftest import Api, Runtime
from tests.container.api.moments import Clock

DAY = 86_400
MIDNIGHT = 20_780 * DAY


@pytest.fixture
def clock() -> Clock:
    return Clock(MIDNIGHT + 3600.0)


@pytest.fixture
def quota_item(embedded_aws: Any, review_table: str) -> Any:
    def read(day: str) -> dict[str, Any]:
        key = {"post": {"S": f"quota#{day}"}, "entry": {"S": "stored"}}
        found = embedded_aws.client("dynamodb").get_item(TableName=review_table, Key=key, ConsistentRead=True)
        item: dict[str, Any] = found["Item"]
        return item

    return read


def test_stores_of_many_processes_share_the_quota_of_a_day(
    review_store: Callable[..., Any],
    review_post: Callable[..., Any],
    stored_texts: Callable[[], list[str]],
    clock: Clock,
) -> None:
    refused: list[None] = []
    stores = [review_store(daily_quota=25, clock=clock, over_quota=lambda: refused.append(None)) for _ in range(4)]
    with ThreadPoolExecutor(8) as pool:
        kept = list(pool.map(lambda number: stores[number % 4].keep(review_post(f"post {number}")), range(40)))
    assert kept.count(True) == len(stored_texts()) == 25
    assert kept.count(None) == len(refused) == 15


def test_the_next_day_of_utc_has_a_quota_of_its_own(
    review_store: Callable[..., Any],
    review_post: Callable[..., Any],
    stored_texts: Callable[[], list[str]],
    quota_item: Any,
    clock: Clock,
) -> None:
    store = review_store(daily_quota=2, clock=clock)
    assert [store.keep(review_post(text)) for text in "abc"] == [True, True, None]
    clock.seconds = MIDNIGHT + DAY - 0.5
    assert store.keep(review_post("d")) is None
    clock.seconds = MIDNIGHT + DAY
    assert [store.keep(review_post(text)) for text in "cde"] == [True, True, None]
    assert sorted(stored_texts()) == ["a", "b", "c", "d"]
    days = [time.strftime("%Y-%m-%d", time.gmtime(MIDNIGHT + number * DAY)) for number in range(2)]
    assert [quota_item(day)["places"]["N"] for day in days] == ["2", "2"]
    # DynamoDB takes the counts away too.
    assert int(quota_item(days[0])["expires"]["N"]) > MIDNIGHT + 30 * DAY


def test_a_post_that_is_there_already_and_one_that_the_table_refused_cost_no_place(
    review_store: Callable[..., Any],
    review_post: Callable[..., Any],
    api_module: Callable[[str], ModuleType],
    monkeypatch: pytest.MonkeyPatch,
    clock: Clock,
) -> None:
    store = review_store(daily_quota=2, clock=clock)
    assert [store.keep(review_post(text)) for text in "aaa"] == [True, False, False]
    client = api_module("aws.clients").dynamodb_client(region="us-east-1", attempts=1, read_timeout_seconds=5)
    throttled = ClientError({"Error": {"Code": "ThrottlingException"}}, "PutItem")
    with monkeypatch.context() as patch:
        patch.setattr(client, "put_item", lambda **_: (_ for _ in ()).throw(throttled))
        for _ in range(5):
            with pytest.raises(ClientError):
                store.keep(review_post("b"), client)
    assert [store.keep(review_post(text)) for text in "bc"] == [True, None]


def test_a_post_whose_answer_was_lost_has_its_place(
    review_store: Callable[..., Any],
    review_post: Callable[..., Any],
    api_module: Callable[[str], ModuleType],
    monkeypatch: pytest.MonkeyPatch,
    clock: Clock,
) -> None:
    store = review_store(daily_quota=2, clock=clock)
    client = api_module("aws.clients").dynamodb_client(region="us-east-1", attempts=1, read_timeout_seconds=5)
    lost = ReadTimeoutError(endpoint_url="http://localhost")
    with monkeypatch.context() as patch:
        patch.setattr(client, "put_item", lambda **_: (_ for _ in ()).throw(lost))
        with pytest.raises(ReadTimeoutError):
            store.keep(review_post("a"), client)
    assert [store.keep(review_post(text)) for text in "bc"] == [True, None]


def test_a_used_up_quota_is_asked_again_after_a_while_and_not_for_each_post(
    review_store: Callable[..., Any],
    review_post: Callable[..., Any],
    api_module: Callable[[str], ModuleType],
    embedded_aws: Any,
    review_table: str,
    clock: Clock,
) -> None:
    store = review_store(daily_quota=1, clock=clock)
    client = api_module("aws.clients").dynamodb_client(region="us-east-1", attempts=1, read_timeout_seconds=5)
    calls: list[str] = []
    client.meta.events.register("before-call.dynamodb.*", lambda model, **_: calls.append(model.name))
    assert store.keep(review_post("a"), client)
    calls.clear()
    assert [store.keep(review_post(f"b {number}"), client) for number in range(20)] == [None] * 20
    assert calls == ["UpdateItem"]
    day = time.strftime("%Y-%m-%d", time.gmtime(clock.seconds))
    key = {"post": {"S": f"quota#{day}"}, "entry": {"S": "stored"}}
    embedded_aws.client("dynamodb").delete_item(TableName=review_table, Key=key)
    assert store.keep(review_post("c"), client) is None
    clock.seconds += api_module("reviews.quota").ASKED_AGAIN_SECONDS
    assert store.keep(review_post("c"), client)


def test_a_block_is_taken_at_once_and_never_more_than_there_is(
    review_store: Callable[..., Any],
    review_post: Callable[..., Any],
    api_module: Callable[[str], ModuleType],
    quota_item: Any,
    clock: Clock,
) -> None:
    day = time.strftime("%Y-%m-%d", time.gmtime(clock.seconds))
    store = review_store(daily_quota=100_000, clock=clock)
    client = api_module("aws.clients").dynamodb_client(region="us-east-1", attempts=1, read_timeout_seconds=5)
    calls: list[str] = []
    client.meta.events.register("before-call.dynamodb.*", lambda model, **_: calls.append(model.name))
    for number in range(20):
        assert store.keep(review_post(f"post {number}"), client)
    assert calls.count("UpdateItem") == 2
    assert quota_item(day)["places"]["N"] == "20"


def test_one_whose_block_never_comes_holds_nobody_up(
    review_store: Callable[..., Any],
    review_post: Callable[..., Any],
    api_module: Callable[[str], ModuleType],
    monkeypatch: pytest.MonkeyPatch,
    clock: Clock,
) -> None:
    store = review_store(daily_quota=20, clock=clock)
    client = api_module("aws.clients").dynamodb_client
    hanging = client(region="us-east-1", attempts=1, read_timeout_seconds=5)
    healthy = client(region="us-east-1", attempts=1, read_timeout_seconds=5)
    asked, goes_on = threading.Event(), threading.Event()

    def hang(**_: Any) -> None:
        asked.set()
        goes_on.wait()

    monkeypatch.setattr(hanging, "update_item", hang)
    waiting = threading.Thread(target=store.keep, args=(review_post("a"), hanging))
    waiting.start()
    assert asked.wait(20)
    assert [store.keep(review_post(text), healthy) for text in "bc"] == [True, True]
    goes_on.set()
    waiting.join()


def test_a_refusal_that_comes_after_midnight_is_of_the_day_before(
    review_store: Callable[..., Any],
    review_post: Callable[..., Any],
    api_module: Callable[[str], ModuleType],
    monkeypatch: pytest.MonkeyPatch,
    clock: Clock,
) -> None:
    clock.seconds = MIDNIGHT + DAY - 0.5
    store = review_store(daily_quota=2, clock=clock)
    client = api_module("aws.clients").dynamodb_client(region="us-east-1", attempts=1, read_timeout_seconds=5)
    assert [store.keep(review_post(text)) for text in "ab"] == [True, True]
    take = client.update_item

    def take_late(**request: Any) -> Any:
        clock.seconds = MIDNIGHT + DAY
        assert store.keep(review_post("c"))
        return take(**request)

    monkeypatch.setattr(client, "update_item", take_late)
    assert store.keep(review_post("d"), client) is None
    assert store.keep(review_post("d"))


def test_beyond_the_quota_the_answer_is_the_same_and_a_metric_counts(
    start_reviews: Callable[..., Api], runtime: Runtime, stored_texts: Callable[[], list[str]]
) -> None:
    api = start_reviews(runtime.url, REVIEW_DAILY_QUOTA="3", SERVICE_NAME="reviewed", DEADLINE_MS="20000")

    def counted(name: str) -> int:
        lines = [json.loads(line) for line in api.log_text().splitlines(keepends=True) if line.endswith("\n")]
        return sum(line[name] for line in lines if name in line and line["service"] == "reviewed")

    def wait_for(over_quota: int) -> None:
        # An answer does not wait for the table.
        give_up = time.monotonic() + 30
        while (counted("ReviewStored"), counted("ReviewOverQuota")) != (3, over_quota):
            assert time.monotonic() < give_up, api.log_text()
            time.sleep(0.05)

    texts = [f"post {number}" for number in range(8)]
    runtime.answers(["0.93"] * 8)
    answer = requests.post(f"{api.url}/v1/moderations", json={"texts": texts}, timeout=60)
    assert [moderation["flag"] for moderation in answer.json()["moderations"]] == [1] * 8
    wait_for(5)
    runtime.answers("0.93")
    # Not stored, and so not remembered as stored either.
    for number in range(2):
        assert api.moderate("one more").json()["flag"] == 1
        wait_for(6 + number)
    assert len(stored_texts()) == 3
    assert "Traceback" not in api.log_text_at_rest()
