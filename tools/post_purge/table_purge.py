"""Deletes the posts of a time from the reviewers' table, and keeps there that it was done."""

from __future__ import annotations

import secrets
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from botocore.exceptions import ClientError

from post_purge.time_range import TimeRange

AUDIT: Final = "purges"
"""The partition of what was purged, by whom and when: no text."""
INDEX: Final = "oldest"
_MOST_SHARDS: Final = 64
_AT_ONCE: Final = 8
_BANDS: Final = 20
_NOBODY_HOLDS_IT: Final = "(attribute_not_exists(lease_until) OR lease_until < :now)"
# One that was decided on and taken back has a history: it is left to those who work on it.
_NEVER_DECIDED: Final = "decisions = :none AND attribute_not_exists(verdict)"


@dataclass(slots=True)
class Purged:
    """posts: of the time and status that were asked for. purged: of these, deleted. left: a reviewer works on them."""

    posts: int = 0
    purged: int = 0
    left: int = 0


class TablePurge:
    """Finds and deletes posts by when they were received.

    Those that nobody ever decided on are found by the index of what waits. Decided ones are looked for in the whole
    table, and go with their history.

    Args:
        dynamodb: boto3's client.
        table: its name.
        wanted: when the posts were received.
        decided: whether decided ones go too.
    """

    def __init__(self, dynamodb: Any, table: str, wanted: TimeRange, *, decided: bool) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._wanted = wanted
        self._decided = decided
        self._lock = threading.Lock()
        self._counts: dict[str, Counter[str]] = defaultdict(Counter)

    def count(self) -> Purged:
        """Return how many posts there are, and change nothing."""
        return Purged(posts=sum(1 for _ in self._posts()))

    def run(self) -> Purged:
        """Delete them, and take them out of the counts from which precision and recall are estimated."""
        done = Purged()
        try:
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                for deleted in pool.map(self._delete, self._posts()):
                    done.posts += 1
                    done.purged += deleted
                    done.left += not deleted
        finally:
            self._write_counts()
        return done

    def reopen_quota(self) -> None:
        """Give the day of UTC that it is now its whole quota of posts again."""
        key = {"post": {"S": f"quota#{datetime.now(UTC).date()}"}, "entry": {"S": "stored"}}
        self._dynamodb.delete_item(TableName=self._table, Key=key)

    def _posts(self) -> Iterator[str]:
        return self._all_posts() if self._decided else self._waiting_posts()

    def _waiting_posts(self) -> Iterator[str]:
        values = {":first": {"S": self._wanted.first}, ":last": {"S": self._wanted.last}}
        # A table that has fewer parts has nothing under the other names.
        for shard in range(_MOST_SHARDS):
            pages = self._dynamodb.get_paginator("query").paginate(
                TableName=self._table,
                IndexName=INDEX,
                KeyConditionExpression="queue = :queue AND received BETWEEN :first AND :last",
                ExpressionAttributeValues={":queue": {"S": f"waiting#{shard}"}, **values},
            )
            for page in pages:
                yield from (item["post"]["S"] for item in page["Items"])

    def _all_posts(self) -> Iterator[str]:
        pages = self._dynamodb.get_paginator("scan").paginate(
            TableName=self._table,
            FilterExpression="entry = :post AND received BETWEEN :first AND :last",
            ProjectionExpression="post",
            ExpressionAttributeValues={
                ":post": {"S": "post"},
                ":first": {"S": self._wanted.first},
                ":last": {"S": self._wanted.last},
            },
            ConsistentRead=True,
        )
        for page in pages:
            yield from (item["post"]["S"] for item in page["Items"])

    def _delete(self, post: str) -> bool:
        condition = f"attribute_exists(post) AND {_NOBODY_HOLDS_IT}"
        values: dict[str, Any] = {":now": {"N": str(int(time.time()))}}
        if not self._decided:
            condition = f"{condition} AND {_NEVER_DECIDED}"
            values[":none"] = {"N": "0"}
        try:
            answer = self._dynamodb.delete_item(
                TableName=self._table,
                Key={"post": {"S": post}, "entry": {"S": "post"}},
                ConditionExpression=condition,
                ExpressionAttributeValues=values,
                ReturnValues="ALL_OLD",
            )
        except ClientError as fault:
            if fault.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            return False
        if self._decided:
            self._delete_history(post)
        self._take_out(answer["Attributes"])
        return True

    def _delete_history(self, post: str) -> None:
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="post = :post",
            ExpressionAttributeValues={":post": {"S": post}},
            ConsistentRead=True,
        )
        for page in pages:
            for item in page["Items"]:
                self._dynamodb.delete_item(TableName=self._table, Key={"post": item["post"], "entry": item["entry"]})

    def _take_out(self, item: dict[str, Any]) -> None:
        """Note what the ML API had counted: a post that was stored without a probability it had not."""
        if "probability" not in item:
            return
        band = min(int(float(item["probability"]["N"]) * _BANDS), _BANDS - 1)
        stratum = "flagged" if item["flagged"]["BOOL"] else "sample"
        cell = f"{stratum}:{(band + 0.5) / _BANDS:.3f}:{float(item['weight']['N']):.9g}"
        with self._lock:
            counts = self._counts[item["received"]["S"][:10]]
            counts[f"{cell}:stored"] -= 1
            if "verdict" in item:
                counts[f"{cell}:{item['verdict']['S']}"] -= 1

    def _write_counts(self) -> None:
        for day, counts in self._counts.items():
            names = [(f"#c{place}", f":c{place}", *count) for place, count in enumerate(sorted(counts.items()))]
            self._dynamodb.update_item(
                TableName=self._table,
                Key={"post": {"S": f"received#{day}"}, "entry": {"S": "purged"}},
                UpdateExpression="ADD " + ", ".join(f"{name} {value}" for name, value, _, _ in names),
                ExpressionAttributeNames={name: cell for name, _, cell, _ in names},
                ExpressionAttributeValues={value: {"N": str(count)} for _, value, _, count in names},
            )


class PurgeAudit:
    """An item of the reviewers' table that says what was purged; written before the first deletion and after the last.

    Args:
        dynamodb: boto3's client.
        table: its name.
        by: who does it, as AWS calls them.
        wanted: when the posts were received.
        decided: whether decided ones go too.
    """

    def __init__(self, dynamodb: Any, table: str, *, by: str, wanted: TimeRange, decided: bool) -> None:
        self._dynamodb = dynamodb
        self._table = table
        began = datetime.now(UTC).isoformat(timespec="seconds")
        self._item: dict[str, Any] = {
            "post": {"S": AUDIT},
            "entry": {"S": f"{began}#{secrets.token_hex(4)}"},
            "by": {"S": by},
            "since": {"S": wanted.first},
            "until": {"S": wanted.last},
            "decided": {"BOOL": decided},
        }
        self._put({"outcome": {"S": "begun"}})

    def end(self, purged: Purged) -> None:
        """Write down how it ended."""
        numbers = {"posts": purged.posts, "purged": purged.purged, "left": purged.left}
        self._put({"outcome": {"S": "complete"}, **{name: {"N": str(value)} for name, value in numbers.items()}})

    def _put(self, more: dict[str, Any]) -> None:
        self._dynamodb.put_item(TableName=self._table, Item=self._item | more)
