"""The command against the embedded AWS, on posts that the ML API's own store wrote."""

import sys
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from cdk_rehearsal.embedded_aws import EmbeddedAws
from post_purge.cli import main

DAY = ["--since", "2026-11-23", "--until", "2026-11-24"]


@pytest.fixture
def items(embedded_aws: EmbeddedAws, review_table: Any) -> Callable[[], list[dict[str, Any]]]:
    def read() -> list[dict[str, Any]]:
        return list(embedded_aws.client("dynamodb").scan(TableName=review_table, ConsistentRead=True)["Items"])

    return read


@pytest.fixture
def texts(items: Callable[[], list[dict[str, Any]]]) -> Callable[[], list[str]]:
    def read() -> list[str]:
        return sorted(item["text"]["S"] for item in items() if "text" in item)

    return read


@pytest.fixture
def counted(items: Callable[[], list[dict[str, Any]]]) -> Callable[[], dict[str, int]]:
    """What the counts for estimates sum up to."""

    def read() -> dict[str, int]:
        sums: Counter[str] = Counter()
        for item in items():
            if item["post"]["S"].startswith("received#"):
                sums.update({name: int(value["N"]) for name, value in item.items() if "N" in value})
        return {name: count for name, count in sums.items() if count}

    return read


@pytest.fixture
def purge(review_table: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """What the command prints, or the one line with which it stops: `purge("--since", …)`."""

    def run(*options: str, table: str = review_table) -> str:
        monkeypatch.setattr(sys, "argv", ["purge-posts", "--table", table, *options])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr().out
        return printed if ended.value.code == 0 else str(ended.value.code)

    return run


@pytest.fixture
def store(review_store: Any, review_post: Any) -> Any:
    """Posts of two days in two parts of the queue; some are taken, decided on, or taken back."""
    store = review_store(shards=2)
    for number in range(12):
        store.keep(review_post(f"flood {number}", 0.6, received=f"2026-11-23T{number:02}:00:00.000+00:00"))
    store.keep(review_post("sample", 0.2, flagged=False, weight=100.0, received="2026-11-23T23:59:59.999+00:00"))
    store.keep(review_post("unscored", None, model=None, received="2026-11-23T00:00:00.000+00:00"))
    store.keep(review_post("next day", 0.6, received="2026-11-24T00:00:00.000+00:00"))
    store.write_tally()
    return store


def test_without_purge_it_counts_and_changes_nothing(
    store: Any, purge: Callable[..., str], items: Callable[[], list[dict[str, Any]]]
) -> None:
    before = items()
    assert purge(*DAY) == (
        "found   14 posts that nobody decided on, received from 2026-11-23T00:00:00.000+00:00 to "
        "2026-11-23T23:59:59.999+00:00\nnothing was changed: give --purge to delete them\n"
    )
    assert purge("--since", "2026-11-23T09:00+09:00", "--until", "2026-11-23T03:00Z").startswith("found   4 posts")
    assert items() == before


def test_the_posts_of_a_time_are_deleted_counts_follow_and_it_is_written_down(
    store: Any,
    purge: Callable[..., str],
    texts: Callable[[], list[str]],
    counted: Callable[[], dict[str, int]],
    items: Callable[[], list[dict[str, Any]]],
) -> None:
    assert counted() == {"flagged:0.625:1:stored": 13, "sample:0.225:100:stored": 1}
    assert "purged  14\nleft    0" in purge(*DAY, "--purge")
    assert texts() == ["next day"]
    assert counted() == {"flagged:0.625:1:stored": 1}
    (audit,) = (item for item in items() if item["post"]["S"] == "purges")
    assert audit["outcome"]["S"] == "complete"
    assert (audit["posts"]["N"], audit["purged"]["N"], audit["left"]["N"]) == ("14", "14", "0")
    assert audit["since"]["S"] == "2026-11-23T00:00:00.000+00:00"
    assert ":123456789012:" in audit["by"]["S"] or audit["by"]["S"].startswith("arn:aws:")
    assert "purged  0" in purge(*DAY, "--purge")


def test_what_a_reviewer_holds_decided_on_or_took_back_is_left(
    store: Any,
    purge: Callable[..., str],
    texts: Callable[[], list[str]],
    items: Callable[[], list[dict[str, Any]]],
    api_module: Any,
) -> None:
    fine = api_module("reviews.entry").Verdict.FINE
    taken = {entry.text: entry for entry in store.take(reviewer="hana", count=15)}

    def decide(text: str) -> None:
        store.decide(reviewer="hana", post=taken[text].post, lease=taken[text].lease, verdict=fine, reason="")

    decide("flood 1")
    decide("flood 2")
    again = store.undo(reviewer="hana", post=taken["flood 2"].post, decision=1)
    printed = purge(*DAY, "--purge")
    # All are held: by the lease of a moment ago.
    assert "purged  0\nleft    13" in printed
    store._client.update_item(
        TableName=store._table,
        Key={"post": {"S": taken["flood 3"].post}, "entry": {"S": "post"}},
        UpdateExpression="SET lease_until = :past",
        ExpressionAttributeValues={":past": {"N": "1"}},
    )
    store._client.update_item(
        TableName=store._table,
        Key={"post": {"S": again.post}, "entry": {"S": "post"}},
        UpdateExpression="REMOVE lease_until",
    )
    assert "purged  1\nleft    12" in purge(*DAY, "--purge")
    assert "flood 3" not in texts()
    assert {"flood 1", "flood 2", "flood 4"} <= set(texts())


def test_decided_posts_go_with_their_history_only_when_that_is_said(
    store: Any,
    purge: Callable[..., str],
    texts: Callable[[], list[str]],
    items: Callable[[], list[dict[str, Any]]],
    counted: Callable[[], dict[str, int]],
    api_module: Any,
) -> None:
    violation = api_module("reviews.entry").Verdict.VIOLATION
    (taken,) = [entry for entry in store.take(reviewer="hana", count=15) if entry.text == "flood 5"]
    store.decide(reviewer="hana", post=taken.post, lease=taken.lease, verdict=violation, reason="spam")
    at_five = ["--since", "2026-11-23T05:00Z", "--until", "2026-11-23T05:00:00.001Z"]
    assert "found   0 posts" in purge(*at_five, "--purge")
    assert "found   1 posts, received" in purge(*at_five, "--decided", "--purge")
    assert [item for item in items() if item["post"]["S"] == taken.post] == []
    assert counted() == {"flagged:0.625:1:stored": 12, "sample:0.225:100:stored": 1}


def test_todays_quota_is_opened_again_when_that_is_said(
    review_store: Any, review_post: Any, purge: Callable[..., str]
) -> None:
    store = review_store(daily_quota=1, clock=lambda: datetime.now(UTC).timestamp())
    assert store.keep(review_post("flood"))
    assert "purged  1" in purge(*DAY, "--purge", "--reopen-quota")
    other = review_store(daily_quota=1, clock=lambda: datetime.now(UTC).timestamp())
    assert other.keep(review_post("honest"))


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (
            ["--since", "yesterday", "--until", "2026-11-24"],
            "--since is 'yesterday': give a time as 2026-11-23T09:00Z, or a day as 2026-11-23",
        ),
        (
            ["--since", "0001-01-01T00:00+09:00", "--until", "2026-11-24"],
            "--since is '0001-01-01T00:00+09:00': give a time as 2026-11-23T09:00Z, or a day as 2026-11-23",
        ),
        (
            ["--since", "2026-11-24", "--until", "2026-11-24"],
            "--until is '2026-11-24': give a time after --since, '2026-11-24'",
        ),
        ([*DAY, "--reopen-quota"], "--reopen-quota needs --purge: without it nothing is changed"),
    ],
)
def test_fails_when_it_cannot_be_meant(
    review_store: Any, purge: Callable[..., str], options: list[str], line: str
) -> None:
    assert purge(*options) == line


def test_fails_in_one_line_when_there_is_no_such_table(review_store: Any, purge: Callable[..., str]) -> None:
    printed = purge(*DAY, table="no-such-table")
    assert printed.startswith("AWS refused it: ResourceNotFoundException: ")
    assert "\n" not in printed
