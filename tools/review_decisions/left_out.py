"""Reviewers whose decisions are excluded from training: entries of the reviewers' table that are never changed.

The partition key is `left-out`, the sort key the time. The latest entry of a reviewer counts. A release reads them from
the export of the table (`lambda/training_data_extractor/reviewer_decisions.py`).
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PARTITION: Final = "left-out"
COUNTED_DAYS: Final = 90
LONGEST_WHY: Final = 500
_SUBJECT: Final = re.compile(r"[\x21-\x7e]{1,128}")
_VERDICTS: Final = ("violation", "fine", "unsure")

Action = Literal["leave-out", "take-back"]


class RefusedError(Exception):
    """The request is not possible; the message is one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Who (`by`) did what (`action`) to whose decisions (`reviewer`), when (`at`, ISO 8601) and why."""

    at: str
    action: str
    reviewer: str
    by: str
    why: str


class LeftOut:
    """The entries of one table."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def entries(self) -> Iterator[Entry]:
        """All entries, oldest first."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="post = :left_out",
            ExpressionAttributeValues={":left_out": {"S": PARTITION}},
            ConsistentRead=True,
        )
        for page in pages:
            for item in page["Items"]:
                text = {name: value.get("S", "") for name, value in item.items()}
                yield Entry(
                    at=text.get("entry", "").partition("#")[0],
                    action=text.get("action", ""),
                    reviewer=text.get("reviewer", ""),
                    by=text.get("by", ""),
                    why=text.get("why", ""),
                )

    def change(self, action: Action, reviewer: str, *, by: str, why: str) -> Entry:
        """Adds an entry; raises RefusedError if it would change nothing or has no reason."""
        if not _SUBJECT.fullmatch(reviewer):
            raise RefusedError(
                "the reviewer is no subject: 1 to 128 letters, digits and signs, as the log names reviewers"
            )
        why = " ".join(why.split())
        if not why or len(why) > LONGEST_WHY:
            raise RefusedError(f"--why is empty or too long: say in 1 to {LONGEST_WHY} characters why")
        latest = {entry.reviewer: entry for entry in self.entries()}.get(reviewer)
        left_out = latest is not None and latest.action == "leave-out"
        if latest is not None and left_out and action == "leave-out":
            raise RefusedError(f"{reviewer} is left out already, since {latest.at} by {latest.by}: {latest.why}")
        if not left_out and action == "take-back":
            raise RefusedError(f"{reviewer} is not left out: there is nothing to revert")
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        self._client.put_item(
            TableName=self._table,
            Item={
                "post": {"S": PARTITION},
                "entry": {"S": f"{now}#{secrets.token_hex(4)}"},
                "action": {"S": action},
                "reviewer": {"S": reviewer},
                "by": {"S": by},
                "why": {"S": why},
            },
            ConditionExpression="attribute_not_exists(post)",
        )
        return Entry(at=now, action=action, reviewer=reviewer, by=by, why=why)

    def decisions(self, reviewer: str, today: date) -> int:
        """The number of a reviewer's valid decisions in the last COUNTED_DAYS days."""
        keys = [
            {
                "post": {"S": f"day#{(today - timedelta(days=days)).isoformat()}"},
                "entry": {"S": f"reviewer#{reviewer}"},
            }
            for days in range(COUNTED_DAYS)
        ]
        items: list[dict[str, Any]] = []
        asked: Mapping[str, Any] = {self._table: {"Keys": keys}}
        while asked:
            answer = self._client.batch_get_item(RequestItems=asked)
            items += answer["Responses"].get(self._table, [])
            asked = answer.get("UnprocessedKeys", {})
        return sum(int(item.get(verdict, {}).get("N", "0")) for item in items for verdict in _VERDICTS)
