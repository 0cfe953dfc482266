"""Deletes the posts of a time range from the reviewers' table, and records the purge there."""

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
"""The partition of purge records: what, by whom, when; no text."""
INDEX: Final = "oldest"
_MOST_SHARDS: Final = 64
_AT_ONCE: Final = 8
_BANDS: Final = 20
_NOBODY_HOLDS_IT: Final = "(attribute_not_exists(lease_until) OR lease_until < :now)"
# A post whose decision was withdrawn has a history: it is left to the reviewers.
_NEVER_DECIDED: Final = "decisions = :none AND attribute_not_exists(verdict)"


@dataclass(slots=True)
class Purged:
    """posts: number of posts with this time and status. purged: deleted ones. left: those that a reviewer holds."""

    posts: int = 0
    purged: int = 0
    left: int = 0


class TablePurge:
    """Finds and deletes posts by the time they were received.

    Undecided posts are found by the index of waiting posts. Decided ones are searched in the whole table and deleted
    with their history.

    Args:
        dynamodb: boto3's client.
        table: the table's name.
        wanted: the time range in which the posts were received.
        decided: whether decided ones are deleted too.
    """

    def __init__(self, dynamodb: Any, table: str, wanted: TimeRange, *, decided: bool) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._wanted = wanted
        self._decided = decided
        self._lock = threading.Lock()
        self._counts: dict[str, Counter[str]] = defaultdict(Counter)

    def count(self) -> Purged:
        """Return the number of posts; change nothing."""
        return Purged(posts=sum(1 for _ in self._posts()))

    def run(self) -> Purged:
        """Delete the posts, and subtract them from the counts from which precision and recall are estimated."""
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
        """Reset the quota of posts of the current UTC day."""
        key = {"post": {"S": f"quota#{datetime.now(UTC).date()}"}, "entry": {"S": "stored"}}
        self._dynamodb.delete_item(TableName=self._table, Key=key)

    def _posts(self) -> Iterator[str]:
        return self._all_posts() if self._decided else self._waiting_posts()

    def _waiting_posts(self) -> Iterator[str]:
        values = {":first": {"S": self._wanted.first}, ":last": {"S": self._wanted.last}}
        # A table with fewer parts has no items under the other names.
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
        """Note what the ML API had counted: it did not count posts stored without a probability."""
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
    """An item of the reviewers' table that records what was purged; written before the first deletion and after the
    last.

    Args:
        dynamodb: boto3's client.
        table: the table's name.
        by: the caller's ARN.
        wanted: the time range in which the posts were received.
        decided: whether decided ones are deleted too.
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
        """Record the result."""
        numbers = {"posts": purged.posts, "purged": purged.purged, "left": purged.left}
        self._put({"outcome": {"S": "complete"}, **{name: {"N": str(value)} for name, value in numbers.items()}})

    def _put(self, more: dict[str, Any]) -> None:
        self._dynamodb.put_item(TableName=self._table, Item=self._item | more)
