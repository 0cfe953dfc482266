"""Leaving a reviewer out, on a table of the embedded AWS, and what the next release makes of it."""

import sqlite3
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from reviewer_decisions import Decision, ReviewerDecisions

from review_decisions.cli import main

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def table(embedded_aws: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in embedded_aws.environment.items():
        monkeypatch.setenv(name, value)
    name = f"reviews-{uuid.uuid4().hex[:12]}"
    embedded_aws.client("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "post", "KeyType": "HASH"}, {"AttributeName": "entry", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": "post", "AttributeType": "S"},
            {"AttributeName": "entry", "AttributeType": "S"},
        ],
    )
    return name


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Exit status, output and errors of the command."""

    def command(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["review-decisions", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        if isinstance(ended.value.code, str):
            return 1, printed.out, ended.value.code
        return ended.value.code or 0, printed.out, printed.err

    return command


def counts(table: str, items: list[dict[str, Any]]) -> list[str]:
    """Whose of two decisions count in the next release, by the export of the table."""
    posts = sqlite3.connect(":memory:", isolation_level=None)
    decisions = ReviewerDecisions(posts)
    for number, reviewer in enumerate(("hana", "mallory")):
        by = Decision(reviewer=reviewer, first_reviewer=None, first_label=None)
        decisions.add(bytes([number]), b"", b"", "text", 1, 0.0, by)
    for item in items:
        if item["post"] == {"S": "left-out"}:
            decisions.leave_out_or_take_back(item)
    decisions.leave_out()
    return [reviewer for (reviewer,) in posts.execute("SELECT reviewer FROM decision ORDER BY key")]


def test_a_reviewer_is_left_out_and_taken_back_and_nothing_is_forgotten(
    run: Run, table: str, embedded_aws: Any
) -> None:
    dynamodb = embedded_aws.client("dynamodb")
    today = {"post": {"S": f"day#{datetime.now(UTC).date()}"}, "entry": {"S": "reviewer#mallory"}}
    dynamodb.put_item(TableName=table, Item={**today, "violation": {"N": "400"}, "unsure": {"N": "3"}})

    def items() -> list[dict[str, Any]]:
        return list(dynamodb.scan(TableName=table, ConsistentRead=True)["Items"])

    assert counts(table, items()) == ["hana", "mallory"]
    status, out, _ = run("leave-out", "mallory", "--table", table, "--why", "flipped  the labels\nof 400 posts")
    assert status == 0
    assert "leave-out  mallory  by arn:aws:" in out
    assert out.endswith(
        ": flipped the labels of 400 posts\n403 decisions of the last 90 days; the next release heeds it\n"
    )
    assert counts(table, items()) == ["hana"]

    status, _, error = run("leave-out", "mallory", "--table", table, "--why", "again")
    assert status == 1
    assert error.startswith("mallory is left out already, since 20")
    assert error.endswith(": flipped the labels of 400 posts")

    assert run("take-back", "mallory", "--table", table, "--why", "it was a test")[0] == 0
    assert counts(table, items()) == ["hana", "mallory"]
    status, out, _ = run("list", "--table", table)
    first, second = out.splitlines()
    assert ("leave-out  mallory" in first, "take-back  mallory" in second) == (True, True)
    assert second.endswith(": it was a test")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["take-back", "hana", "--why", "a"], "hana is not left out: there is nothing to revert"),
        (["leave-out", "two words", "--why", "a"], "the reviewer is no subject: 1 to 128 letters, digits and signs"),
        (["leave-out", "hana", "--why", " "], "--why is empty or too long: say in 1 to 500 characters why"),
        (["leave-out", "hana", "--why", "a" * 501], "--why is empty or too long: say in 1 to 500 characters why"),
    ],
)
def test_fails_when_there_is_nothing_to_do_or_to_say(run: Run, table: str, arguments: list[str], message: str) -> None:
    status, _, error = run(*arguments, "--table", table)
    assert status == 1
    assert error.startswith(message)
    assert "\n" not in error
    assert run("list", "--table", table)[1] == ""


def test_a_name_that_has_decided_nothing_is_noted(run: Run, table: str) -> None:
    status, _, error = run("leave-out", "malory", "--table", table, "--why", "wrong labels")
    assert (status, error) == (0, "note: malory has made no decision in the last 90 days; is the name right?\n")


def test_fails_in_one_line_when_there_is_no_table(run: Run, table: str) -> None:
    status, _, error = run("list", "--table", f"{table}-gone")
    assert status == 1
    assert "ResourceNotFoundException" in error
    assert "\n" not in error
