import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

import pytest

from tests.container.api.moments import Clock


@pytest.fixture
def verdicts(api_module: Callable[[str], ModuleType]) -> Any:
    return api_module("reviews.entry").Verdict


@pytest.fixture
def conflict(api_module: Callable[[str], ModuleType]) -> Any:
    return api_module("reviews.store").ReviewConflictError


def texts(entries: Any) -> list[str]:
    return [entry.text for entry in entries]


def decide(store: Any, entry: Any, verdict: Any, reviewer: Any = "hana", reason: Any = "") -> Any:
    return store.decide(reviewer=reviewer, post=entry.post, lease=entry.lease, verdict=verdict, reason=reason)


def items(embedded_aws: Any, table: Any) -> Any:
    """All that is in the table, but for the count of the quota."""
    found = embedded_aws.client("dynamodb").scan(TableName=table)["Items"]
    return [item for item in found if not item["post"]["S"].startswith("quota#")]


def test_a_post_is_stored_once_however_it_is_written(
    review_store: Callable[..., Any], review_post: Callable[..., Any], embedded_aws: Any, review_table: str
) -> None:
    store = review_store()
    assert store.keep(review_post("ＦＲＥＥ  money", 0.9))
    assert not store.keep(review_post(" free\nmoney\0", 0.4))
    assert store.keep(review_post("free moneys", 0.8))
    assert sorted(item["text"]["S"] for item in items(embedded_aws, review_table)) == ["free moneys", "ＦＲＥＥ  money"]


def test_a_post_that_was_decided_on_does_not_come_back(
    review_store: Callable[..., Any], review_post: Callable[..., Any], verdicts: Any
) -> None:
    store = review_store()
    store.keep(review_post("a"))
    (taken,) = store.take(reviewer="hana", count=1)
    decide(store, taken, verdicts.FINE)
    assert not store.keep(review_post("a"))
    assert store.take(reviewer="hana", count=1) == []


@pytest.mark.parametrize("shards", [1, 3])
def test_the_most_probable_come_first_from_all_shards(
    review_store: Callable[..., Any], review_post: Callable[..., Any], shards: int
) -> None:
    store = review_store(shards=shards)
    for number in range(20):
        store.keep(review_post(f"post {number}", round((number * 7 % 20) / 20, 2)))
    probabilities = [entry.probability for entry in store.take(reviewer="hana", count=8)]
    assert probabilities == [0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6]
    assert [entry.probability for entry in store.waiting(reviewer="ken", count=2)] == [0.55, 0.5]
    assert store.waiting_count() == 20


def test_a_post_without_probability_is_first(review_store: Callable[..., Any], review_post: Callable[..., Any]) -> None:
    store = review_store()
    store.keep(review_post("scored", 0.99))
    store.keep(review_post("unscored", None, model=None))
    first, second = store.take(reviewer="hana", count=2)
    assert (first.text, first.probability, first.model) == ("unscored", None, None)
    assert second.text == "scored"


def test_a_probability_below_what_dynamodb_has_an_exponent_for_is_stored_as_zero(
    review_store: Callable[..., Any], review_post: Callable[..., Any]
) -> None:
    store = review_store()
    for text, probability in [("least", 1e-300), ("little", 1.5e-120)]:
        assert store.keep(review_post(text, probability))
    waiting = {entry.text: entry.probability for entry in store.waiting(reviewer="hana", count=10)}
    assert waiting == {"least": 0, "little": 1.5e-120}


def test_what_one_reviewer_has_taken_another_does_not_get_until_the_lease_runs_out(
    review_store: Callable[..., Any], review_post: Callable[..., Any]
) -> None:
    clock = Clock()
    store = review_store(clock=clock, lease_seconds=600)
    for number in range(3):
        store.keep(review_post(f"post {number}", 0.9 - number / 10))
    assert texts(store.take(reviewer="hana", count=2)) == ["post 0", "post 1"]
    clock.seconds += 600
    assert texts(store.take(reviewer="ken", count=3)) == ["post 2"]
    clock.seconds += 1
    assert texts(store.take(reviewer="ken", count=3)) == ["post 0", "post 1", "post 2"]


def test_a_reviewer_who_comes_back_finds_what_was_taken(
    review_store: Callable[..., Any], review_post: Callable[..., Any], verdicts: Any, conflict: Any
) -> None:
    store = review_store()
    store.keep(review_post("post"))
    (before,) = store.take(reviewer="hana", count=1)
    (after,) = review_store().take(reviewer="hana", count=1)
    assert after.lease != before.lease
    with pytest.raises(conflict, match="your lease has expired: take the post again"):
        decide(store, before, verdicts.FINE)
    assert decide(store, after, verdicts.FINE).verdict == "fine"


@pytest.mark.parametrize(("name", "label"), [("violation", 1), ("fine", 0), ("unsure", None)])
def test_a_decision_is_a_label_or_none(
    review_store: Callable[..., Any],
    review_post: Callable[..., Any],
    verdicts: Any,
    embedded_aws: Any,
    review_table: str,
    name: str,
    label: int | None,
) -> None:
    store = review_store()
    store.keep(review_post("post"))
    (taken,) = store.take(reviewer="hana", count=1)
    decide(store, taken, verdicts(name), reason="why")
    (post,) = [item for item in items(embedded_aws, review_table) if item["entry"]["S"] == "post"]
    assert post.get("label") == (None if label is None else {"N": str(label)})
    assert not {"queue", "lease", "lease_until", "leased_by", "expires"} & set(post)
    (decision,) = store.history(taken.post)
    assert (decision["verdict"], decision["reason"], decision["reviewer"]) == (name, "why", "hana")
    assert store.waiting_count() == 0


def test_asked_twice_a_decision_is_made_once(
    review_store: Callable[..., Any], review_post: Callable[..., Any], verdicts: Any, conflict: Any
) -> None:
    store = review_store()
    store.keep(review_post("post"))
    (taken,) = store.take(reviewer="hana", count=1)
    first = decide(store, taken, verdicts.VIOLATION)
    assert decide(store, taken, verdicts.VIOLATION) == first
    with pytest.raises(conflict, match="you have decided on it already: violation; undo that first"):
        decide(store, taken, verdicts.FINE)
    assert len(store.history(taken.post)) == 1
    day = store.day(reviewer="hana", date=first.decided[:10])
    assert day.everybody == {"violation": 1, "fine": 0, "unsure": 0, "undone": 0}


def test_a_lease_that_another_reviewer_took_over_decides_nothing(
    review_store: Callable[..., Any], review_post: Callable[..., Any], verdicts: Any, conflict: Any
) -> None:
    clock = Clock()
    store = review_store(clock=clock)
    store.keep(review_post("post"))
    (late,) = store.take(reviewer="hana", count=1)
    clock.seconds += 601
    (taken,) = store.take(reviewer="ken", count=1)
    with pytest.raises(conflict, match="another reviewer has the post now: your lease has expired"):
        decide(store, late, verdicts.FINE)
    decide(store, taken, verdicts.VIOLATION, reviewer="ken")
    with pytest.raises(conflict, match="there is already a decision on the post"):
        decide(store, late, verdicts.FINE)
    assert [entry["reviewer"] for entry in store.history(taken.post)] == ["ken"]


def test_a_lease_that_ran_out_still_decides_while_nobody_else_took_it(
    review_store: Callable[..., Any], review_post: Callable[..., Any], verdicts: Any
) -> None:
    clock = Clock()
    store = review_store(clock=clock)
    store.keep(review_post("post"))
    (taken,) = store.take(reviewer="hana", count=1)
    clock.seconds += 100_000
    assert decide(store, taken, verdicts.FINE).verdict == "fine"


def test_undoing_gives_the_post_back_and_leaves_a_trace(
    review_store: Callable[..., Any], review_post: Callable[..., Any], verdicts: Any, conflict: Any
) -> None:
    store = review_store()
    store.keep(review_post("post"))
    (taken,) = store.take(reviewer="hana", count=1)
    decided = decide(store, taken, verdicts.VIOLATION, reason="slip of the finger")
    with pytest.raises(conflict, match="your decision 1 on the post is not its latest"):
        store.undo(reviewer="ken", post=taken.post, decision=1)
    undone = store.undo(reviewer="hana", post=taken.post, decision=1)
    assert (undone.verdict, undone.leased_by, undone.waiting, undone.decisions) == (None, "hana", True, 2)
    assert store.undo(reviewer="hana", post=taken.post, decision=1) == undone
    assert store.take(reviewer="ken", count=1) == []
    decide(store, undone, verdicts.FINE)
    assert [(entry["entry"], entry["verdict"]) for entry in store.history(taken.post)] == [
        ("decision#000001", "violation"),
        ("decision#000002", "undone"),
        ("decision#000003", "fine"),
    ]
    day = store.day(reviewer="ken", date=decided.decided[:10])
    assert day.everybody == {"violation": 0, "fine": 1, "unsure": 0, "undone": 1}
    assert set(day.mine.values()) == {0}


def test_a_second_opinion_is_another_reviewers(
    review_store: Callable[..., Any],
    review_post: Callable[..., Any],
    verdicts: Any,
    embedded_aws: Any,
    review_table: str,
) -> None:
    store = review_store()
    store.keep(review_post("post", second=True))
    (taken,) = store.take(reviewer="hana", count=1)
    decide(store, taken, verdicts.VIOLATION)
    assert store.take(reviewer="hana", count=1) == []
    assert store.waiting(reviewer="hana", count=1) == []
    assert store.waiting_count() == 0
    (again,) = store.take(reviewer="ken", count=1)
    decide(store, again, verdicts.FINE, reviewer="ken")
    assert store.waiting_count() == 0
    (post,) = [item for item in items(embedded_aws, review_table) if item["entry"]["S"] == "post"]
    assert (post["first_verdict"], post["verdict"], post["label"]) == ({"S": "violation"}, {"S": "fine"}, {"N": "0"})
    undone = store.undo(reviewer="ken", post=taken.post, decision=2)
    assert (undone.verdict, undone.decided_by, undone.leased_by) == ("violation", "hana", "ken")
    assert (undone.waiting, store.waiting_count()) == (True, 0)
    (post,) = [item for item in items(embedded_aws, review_table) if item["entry"]["S"] == "post"]
    # A label that stands again is as new as one that was given.
    assert (post["label"], post["decided"]["S"] >= taken.received) == ({"N": "1"}, True)


def test_a_first_opinion_is_not_undone_under_the_second_reviewers_hands(
    review_store: Callable[..., Any], review_post: Callable[..., Any], verdicts: Any, conflict: Any
) -> None:
    clock = Clock()
    store = review_store(clock=clock)
    store.keep(review_post("post", second=True))
    (taken,) = store.take(reviewer="hana", count=1)
    decide(store, taken, verdicts.VIOLATION)
    store.take(reviewer="ken", count=1)
    with pytest.raises(conflict, match="another reviewer is judging the post now: wait a little"):
        store.undo(reviewer="hana", post=taken.post, decision=1)
    clock.seconds += 601
    assert store.undo(reviewer="hana", post=taken.post, decision=1).leased_by == "hana"
    assert store.waiting_count() == 1


def test_posts_that_wait_for_somebody_else_cost_a_reviewer_one_query(
    review_store: Callable[..., Any],
    review_post: Callable[..., Any],
    verdicts: Any,
    api_module: Callable[[str], ModuleType],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(api_module("reviews.queue"), "MOST_TAKEN", 1)
    store = review_store()
    for number in range(9):
        store.keep(review_post(f"post {number}", 0.9, second=True))
    for _ in range(9):
        (taken,) = store.take(reviewer="hana", count=1)
        decide(store, taken, verdicts.FINE)
    store.keep(review_post("less probable", 0.5))
    queries = []
    store._client.meta.events.register("before-call.dynamodb.Query", lambda **_: queries.append(1))
    assert texts(store.take(reviewer="hana", count=5)) == ["less probable"]
    assert len(queries) == 2
    assert len(store.take(reviewer="ken", count=4)) == 4


def counted(embedded_aws: Any, table: Any) -> dict[str, int]:
    """The counts of all days, those of nothing left out."""
    sums: Counter[str] = Counter()
    for item in items(embedded_aws, table):
        if item["post"]["S"].startswith("received#"):
            sums.update({name: int(value["N"]) for name, value in item.items() if "N" in value})
    return {name: count for name, count in sums.items() if count}


def test_what_stands_is_counted_by_stratum_and_band(
    review_store: Callable[..., Any],
    review_post: Callable[..., Any],
    verdicts: Any,
    embedded_aws: Any,
    review_table: str,
) -> None:
    store = review_store()
    store.keep(review_post("flagged", 1.0, second=True))
    store.keep(review_post("sample", 0.04, flagged=False, weight=100 / 3, priority=0.9))
    store.keep(review_post("unscored", None, model=None))
    assert counted(embedded_aws, review_table) == {}
    store.write_tally()
    stored = {"flagged:0.975:1:stored": 1, "sample:0.025:33.3333333:stored": 1}
    assert counted(embedded_aws, review_table) == stored
    said = {"flagged": verdicts.VIOLATION, "sample": verdicts.UNSURE, "unscored": verdicts.FINE}
    for entry in store.take(reviewer="hana", count=3):
        decide(store, entry, said[entry.text])
    once = stored | {"flagged:0.975:1:violation": 1, "sample:0.025:33.3333333:unsure": 1}
    assert counted(embedded_aws, review_table) == once
    (again,) = store.take(reviewer="ken", count=3)
    decide(store, again, verdicts.FINE, reviewer="ken")
    twice = once | {"flagged:0.975:1:fine": 1, "pair:violation:fine": 1}
    del twice["flagged:0.975:1:violation"]
    assert counted(embedded_aws, review_table) == twice
    undone = store.undo(reviewer="ken", post=again.post, decision=2)
    assert counted(embedded_aws, review_table) == once
    decide(store, undone, verdicts.VIOLATION, reviewer="ken")
    assert counted(embedded_aws, review_table) == once | {"pair:violation:violation": 1}


def work_of(embedded_aws: Any, table: Any, day: Any, reviewer: Any = "hana") -> Any:
    key = {"post": {"S": f"day#{day}"}, "entry": {"S": f"reviewer#{reviewer}"}}
    item = embedded_aws.client("dynamodb").get_item(TableName=table, Key=key)["Item"]
    return {name: int(value["N"]) for name, value in item.items() if name not in ("post", "entry", "latest")}


def test_time_and_exposure_are_counted_by_reviewer_and_day(
    review_store: Callable[..., Any],
    review_post: Callable[..., Any],
    verdicts: Any,
    embedded_aws: Any,
    review_table: str,
) -> None:
    clock = Clock()
    store = review_store(clock=clock, lease_seconds=600)
    for number, probability in enumerate([None, 0.95, 0.9, 0.89, 0.4]):
        store.keep(review_post(f"post {number}", probability, model=None if probability is None else "moderation-7"))
    unscored, *_ = store.take(reviewer="hana", count=5)
    day = datetime.fromtimestamp(clock.seconds, UTC).date()

    # From when the posts were given, then from the decision before, whatever becomes of the leases meanwhile.
    clock.seconds += 20
    decide(store, unscored, verdicts.VIOLATION)
    clock.seconds += 4
    first, *_ = store.take(reviewer="hana", count=4)
    clock.seconds += 3.5
    decide(store, first, verdicts.FINE)
    expected = {"violation": 1, "fine": 1, "severe": 1, "milliseconds": 27_500, "timed": 2}
    assert work_of(embedded_aws, review_table, day) == expected

    # A break is nobody's time, neither before a decision nor while a post is on the screen.
    clock.seconds += 300.5
    second, mild, _ = store.take(reviewer="hana", count=3)
    clock.seconds += 2
    decided = decide(store, second, verdicts.VIOLATION)
    clock.seconds += 301
    decide(store, mild, verdicts.VIOLATION)
    expected = {"violation": 3, "fine": 1, "severe": 2, "milliseconds": 29_500, "timed": 3}
    assert work_of(embedded_aws, review_table, day) == expected

    # One that is taken back and decided again took its time twice, and is one severe post.
    again = store.undo(reviewer="hana", post=second.post, decision=decided.decisions)
    assert work_of(embedded_aws, review_table, day)["severe"] == 1
    clock.seconds += 5
    decide(store, again, verdicts.VIOLATION)
    expected |= {"undone": 1, "milliseconds": 34_500, "timed": 4}
    assert work_of(embedded_aws, review_table, day) == expected


def test_counts_whose_answer_was_lost_are_written_again_and_count_once(
    review_store: Callable[..., Any],
    review_post: Callable[..., Any],
    api_module: Callable[[str], ModuleType],
    embedded_aws: Any,
    review_table: str,
) -> None:
    client = api_module("aws.clients").dynamodb_client(region="us-east-1", attempts=1, read_timeout_seconds=5)
    tally = api_module("reviews.tally").StoredTally(review_table)
    tally.add(review_post("first"))

    def lose(**_: object) -> None:
        raise ConnectionResetError

    # DynamoDB has taken them; the process does not hear of it.
    client.meta.events.register("after-call.dynamodb.TransactWriteItems", lose)
    with pytest.raises(ConnectionResetError):
        tally.write(client)
    client.meta.events.unregister("after-call.dynamodb.TransactWriteItems", lose)
    tally.add(review_post("second"))
    tally.write(client)
    tally.write(client)
    assert counted(embedded_aws, review_table) == {"flagged:0.925:1:stored": 2}


def test_what_nobody_decided_on_expires_and_what_is_decided_on_stays(
    review_store: Callable[..., Any],
    review_post: Callable[..., Any],
    verdicts: Any,
    embedded_aws: Any,
    review_table: str,
) -> None:
    clock = Clock()
    store = review_store(clock=clock, ttl_days=30)
    store.keep(review_post("post"))
    (post,) = items(embedded_aws, review_table)
    assert int(post["expires"]["N"]) == clock.seconds + 30 * 86_400
    (taken,) = store.take(reviewer="hana", count=1)
    decide(store, taken, verdicts.FINE)
    kept = [item for item in items(embedded_aws, review_table) if not item["post"]["S"].startswith("pace#")]
    assert not any("expires" in item for item in kept)
    store.undo(reviewer="hana", post=taken.post, decision=1)
    assert any("expires" in item for item in items(embedded_aws, review_table))


def test_a_post_that_is_not_there_is_said_to_be_unknown(
    review_store: Callable[..., Any], api_module: Callable[[str], ModuleType], verdicts: Any
) -> None:
    with pytest.raises(api_module("reviews.store").UnknownPostError):
        review_store().decide(reviewer="hana", post="0" * 64, lease="a", verdict=verdicts.FINE, reason="")


def test_two_reviewers_at_once_never_get_the_same_post(
    review_store: Callable[..., Any], review_post: Callable[..., Any], verdicts: Any, conflict: Any
) -> None:
    posts, reviewers = 240, ("hana", "ken", "mei")
    filling = review_store()
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda number: filling.keep(review_post(f"post {number}", 0.5)), range(posts)))
    begin = threading.Barrier(2 * len(reviewers))
    held: dict[str, str] = {}
    faults: list[str] = []
    lock = threading.Lock()

    def review(reviewer: str) -> Counter[str]:
        # Each reviewer has two browsers open: they may take each other's leases, and then one of them is told so.
        done: Counter[str] = Counter()
        store = review_store()
        begin.wait()
        while taken := store.take(reviewer=reviewer, count=5):
            for entry in taken:
                with lock:
                    other = held.setdefault(entry.post, reviewer)
                if other != reviewer:
                    faults.append(f"{entry.text}: {other} and {reviewer}")
                try:
                    decide(store, entry, verdicts.FINE, reviewer=reviewer)
                except conflict:
                    done["refused"] += 1
                else:
                    done["decided"] += 1
        return done

    with ThreadPoolExecutor(2 * len(reviewers)) as pool:
        outcomes = list(pool.map(review, reviewers * 2))
    assert faults == []
    assert sum(outcome["decided"] for outcome in outcomes) == posts
    assert len(held) == posts
    checking = review_store()
    assert all(len(checking.history(post)) == 1 for post in held)
    assert checking.waiting_count() == 0
