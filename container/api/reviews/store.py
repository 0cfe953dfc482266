"""Stores posts for reviewers, and their decisions."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from aws.attribute_values import attribute_values, python_values
from aws.clients import dynamodb_client
from reviews.changes import Change, Lease, decision_change, iso_time, undo_change
from reviews.entry import ReviewEntry, Verdict
from reviews.pace import ReviewPace
from reviews.post import ReviewPost
from reviews.queue import ReviewQueue
from reviews.quota import ReviewQuota
from reviews.served_tally import ServedTally
from reviews.table import (
    FREE_OR_MINE,
    NOT_MINE_BEFORE,
    POST_ENTRY,
    attribute_names,
    day_key,
    error_code,
    item_key,
    shard_of,
    waiting_queue,
)
from reviews.tally import StoredTally

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

LATE_MARK_SECONDS: Final = 28 * 86_400
"""The longest time that a post can stay in the queue and its dead-letter queue, 14 days in each."""
_ATTEMPTS: Final = 5
_COUNTED_VERDICTS: Final = (*(verdict.value for verdict in Verdict), "undone")


class ReviewConflictError(Exception):
    """The post's current state does not allow the change. The message is one line for the reviewer."""


class UnknownPostError(Exception):
    """There is no such post."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DayStatistics:
    """The number of decisions per verdict on a day, by all reviewers and by one; undone decisions do not count."""

    everybody: dict[str, int]
    mine: dict[str, int]


class ReviewStore:
    """Reads and writes the table, from any number of threads and processes at once.

    Raises AWS_FAULTS if the table does not answer, ReviewConflictError if another reviewer was faster, and
    TooFastError if a reviewer exceeds `decisions_a_minute`.
    """

    def __init__(
        self,
        *,
        table: str,
        region: str,
        shards: int,
        lease_seconds: int,
        ttl_days: int | None,
        daily_quota: int,
        decisions_a_minute: int,
        over_quota: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._table = table
        self._region = region
        self._shards = shards
        self._lease_seconds = lease_seconds
        self._ttl_days = ttl_days
        self._clock = clock
        self._queue = ReviewQueue(table, shards=shards)
        self._quota = ReviewQuota(table=table, daily=daily_quota, clock=clock)
        self._over_quota = over_quota
        self._pace = ReviewPace(table, most=decisions_a_minute)
        self._tally = StoredTally(table)
        self.served = ServedTally(table, clock=clock)
        self._lock = threading.Lock()
        self._made: DynamoDBClient | None = None

    @property
    def _client(self) -> DynamoDBClient:
        # Not created in the constructor, because it waits for credentials.
        with self._lock:
            self._made = self._made or dynamodb_client(region=self._region, attempts=3, read_timeout_seconds=3)
            return self._made

    def keep(self, post: ReviewPost, client: DynamoDBClient | None = None) -> bool | None:
        """Store a post that waits for a reviewer; False if the table already had it, in whatever state.

        None if the day's quota is used up: the post is not stored, and `over_quota` has been called.
        """
        client = client or self._client
        place = self._quota.take(client)
        if place is None:
            self._over_quota()
            return None
        key = post.key
        item: dict[str, object] = {
            "post": key,
            "entry": POST_ENTRY,
            "text": post.text,
            "received": post.received,
            "flagged": post.flagged,
            "weight": post.weight,
            "priority": post.priority,
            "queue": waiting_queue(shard_of(key, self._shards)),
            "decisions": 0,
            "second": post.second,
            "expires": self._expiry(),
            "probability": post.probability,
            "model": post.model,
        }
        # Without the attribute, an item is not in the index, and DynamoDB's time to live ignores it.
        known = {name: value for name, value in item.items() if value is not None}
        try:
            client.put_item(
                TableName=self._table,
                Item=attribute_values(known),
                ConditionExpression="attribute_not_exists(post)",
            )
        except ClientError as fault:
            # DynamoDB has answered, so the post is not stored. Without an answer it may be stored: the place counts.
            self._quota.give_back(place)
            if error_code(fault) != "ConditionalCheckFailedException":
                raise
            return False
        self._tally.add(post)
        return True

    def mark_late(self, request_id: str, received: str, place: int) -> bool:
        """Mark a post as decided late; False if it was already marked."""
        try:
            self._client.put_item(
                TableName=self._table,
                Item=attribute_values(
                    {
                        "post": f"late#{request_id}",
                        "entry": f"{received}#{place}",
                        "expires": int(self._clock()) + LATE_MARK_SECONDS,
                    }
                ),
                ConditionExpression="attribute_not_exists(post)",
            )
        except ClientError as fault:
            if error_code(fault) != "ConditionalCheckFailedException":
                raise
            return False
        return True

    def write_tally(self) -> None:
        """Write the counts of stored and served posts since the last time; raise AWS_FAULTS."""
        self._tally.write(self._client)
        self.served.write(self._client)

    def waiting(self, *, reviewer: str, count: int) -> list[ReviewEntry]:
        """Return up to `count` posts that `reviewer` could take, the most probable first."""
        keys = list(islice(self._free(reviewer), count))
        return [entry for entry in self._entries(keys) if entry.waiting]

    def take(self, *, reviewer: str, count: int) -> list[ReviewEntry]:
        """Lease up to `count` posts to `reviewer`, the most probable first.

        No other reviewer gets them during the lease. They include posts that `reviewer` already holds, with a new
        lease.
        """
        taken: list[ReviewEntry] = []
        for key in self._free(reviewer):
            entry = self._lease(key, reviewer)
            if entry is not None:
                taken.append(entry)
            if len(taken) == count:
                break
        return taken

    def decide(self, *, reviewer: str, post: str, lease: str, verdict: Verdict, reason: str) -> ReviewEntry:
        """Record the verdict of `reviewer`, who holds `lease`, on `post`. A repeated call returns the same answer."""
        entry = self.entry(post)
        for _ in range(_ATTEMPTS):
            if entry.decided_lease == lease and entry.decided_by == reviewer:
                if entry.verdict == verdict:
                    return entry
                raise ReviewConflictError(f"you have decided on it already: {entry.verdict}; undo that first")
            if entry.lease != lease or entry.leased_by != reviewer:
                raise ReviewConflictError(_whose(entry, reviewer))
            entry = self._decide(entry, reviewer=reviewer, verdict=verdict, reason=reason)
        raise ReviewConflictError("other requests are changing the post at the same time: try again")

    def undo(self, *, reviewer: str, post: str, decision: int) -> ReviewEntry:
        """Undo the decision with this number by `reviewer`, and lease the post to that reviewer again.

        The decision stays in the history; the undoing is a new entry. A repeated call returns the same answer.
        """
        entry = self.entry(post)
        for _ in range(_ATTEMPTS):
            if entry.decisions == decision + 1 and entry.leased_by == reviewer and entry.decided_by != reviewer:
                return entry
            if entry.decisions != decision or entry.decided_by != reviewer:
                raise ReviewConflictError(f"your decision {decision} on the post is not its latest")
            if entry.leased_until is not None and entry.leased_until >= self._clock():
                raise ReviewConflictError("another reviewer is judging the post now: wait a little")
            entry = self._undo(entry, reviewer)
        raise ReviewConflictError("other requests are changing the post at the same time: try again")

    def entry(self, post: str) -> ReviewEntry:
        """Return a post's current state; raise UnknownPostError if there is none."""
        found = self._client.get_item(TableName=self._table, Key=item_key(post), ConsistentRead=True).get("Item")
        if found is None:
            raise UnknownPostError
        return ReviewEntry.from_item(found)

    def history(self, post: str) -> list[dict[str, Any]]:
        """Return all decisions on a post, the oldest first."""
        answer = self._client.query(
            TableName=self._table,
            KeyConditionExpression="post = :post AND begins_with(entry, :decision)",
            ExpressionAttributeValues=attribute_values({":post": post, ":decision": "decision#"}),
            ConsistentRead=True,
        )
        return [python_values(item) for item in answer["Items"]]

    def day(self, *, reviewer: str, date: str) -> DayStatistics:
        """Return the statistics of a day of UTC, `2026-11-23`."""
        everybody, mine = dict.fromkeys(_COUNTED_VERDICTS, 0), dict.fromkeys(_COUNTED_VERDICTS, 0)
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="post = :day",
            ExpressionAttributeValues=attribute_values({":day": f"day#{date}"}),
        )
        for page in pages:
            for item in page["Items"]:
                values = python_values(item)
                for name in _COUNTED_VERDICTS:
                    number = int(values.get(name, 0))
                    everybody[name] += number
                    if values["entry"] == f"reviewer#{reviewer}":
                        mine[name] += number
        return DayStatistics(everybody=everybody, mine=mine)

    def waiting_count(self) -> int:
        """Return how many posts have no verdict, at most MOST_COUNTED."""
        return self._queue.count(self._client)

    def _free(self, reviewer: str) -> Iterator[str]:
        return self._queue.free(self._client, reviewer=reviewer, now=self._clock())

    def _expiry(self) -> int | None:
        return None if self._ttl_days is None else int(self._clock()) + self._ttl_days * 86_400

    def _entries(self, keys: list[str]) -> list[ReviewEntry]:
        found: dict[str, ReviewEntry] = {}
        asked: Any = {self._table: {"Keys": [item_key(key) for key in keys]}} if keys else {}
        while asked:
            answer = self._client.batch_get_item(RequestItems=asked)
            for item in answer.get("Responses", {}).get(self._table, []):
                entry = ReviewEntry.from_item(item)
                found[entry.post] = entry
            asked = answer.get("UnprocessedKeys")
        return [found[key] for key in keys if key in found]

    def _lease(self, post: str, reviewer: str) -> ReviewEntry | None:
        lease = self._new_lease()
        update = "SET #lease = :lease, #lease_until = :until, #leased_by = :me"
        condition = f"attribute_exists(#queue) AND {FREE_OR_MINE} AND {NOT_MINE_BEFORE}"
        try:
            answer = self._client.update_item(
                TableName=self._table,
                Key=item_key(post),
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeNames=attribute_names(update, condition),
                ExpressionAttributeValues=attribute_values(
                    {":now": int(self._clock()), ":me": reviewer, ":lease": lease.token, ":until": lease.until}
                ),
                ReturnValues="ALL_NEW",
            )
        except ClientError as fault:
            # The index is slightly behind the table: another reviewer holds the post, or has decided on it.
            if error_code(fault) != "ConditionalCheckFailedException":
                raise
            return None
        return ReviewEntry.from_item(answer["Attributes"])

    def _new_lease(self) -> Lease:
        return Lease(token=secrets.token_hex(8), until=int(self._clock()) + self._lease_seconds)

    def _decide(self, entry: ReviewEntry, *, reviewer: str, verdict: Verdict, reason: str) -> ReviewEntry:
        """Try to record a decision. Return the post's state afterwards, with the decision or without."""
        now = self._clock()
        item = self._client.get_item(TableName=self._table, Key=item_key(entry.post), ConsistentRead=True)
        change = decision_change(
            entry,
            python_values(item.get("Item", {})),
            reviewer=reviewer,
            verdict=verdict,
            reason=reason,
            now=now,
            shard=shard_of(entry.post, self._shards),
            decided_before=self._decided_before(reviewer, iso_time(now)[:10]),
            lease_seconds=self._lease_seconds,
        )
        return self._make(change, entry)

    def _decided_before(self, reviewer: str, date: str) -> float | None:
        """Return when the reviewer made the latest decision of a day, in seconds since 1970; None without one."""
        answer = self._client.get_item(
            TableName=self._table,
            Key=day_key(reviewer, date),
            ProjectionExpression="latest",
            ConsistentRead=True,
        )
        latest = answer.get("Item", {}).get("latest")
        return None if latest is None else int(latest["N"]) / 1000

    def _undo(self, entry: ReviewEntry, reviewer: str) -> ReviewEntry:
        change = undo_change(
            entry,
            reviewer=reviewer,
            now=self._clock(),
            shard=shard_of(entry.post, self._shards),
            lease=self._new_lease(),
            expires=self._expiry(),
        )
        return self._make(change, entry)

    def _make(self, change: Change, entry: ReviewEntry) -> ReviewEntry:
        """Make a change if no other request was faster. Return the post's state afterwards."""
        now = self._clock()
        try:
            self._client.transact_write_items(
                TransactItems=[*change.transaction(self._table, entry), self._pace.counting(change.reviewer, now)]
            )
        except ClientError as fault:
            if _failed_at_last_alone(fault):
                raise self._pace.too_fast(now) from fault
            # The post's state shows who changed it: another request, or this one, whose first answer was lost.
            if error_code(fault) != "TransactionCanceledException" or not _was_changed(fault):
                raise
        return self.entry(entry.post)


def _was_changed(fault: ClientError) -> bool:
    reasons = {reason.get("Code") for reason in fault.response.get("CancellationReasons", [])}
    return bool(reasons & {"ConditionalCheckFailed", "TransactionConflict"})


def _failed_at_last_alone(fault: ClientError) -> bool:
    """Return whether only the last part of a transaction has failed."""
    *others, last = [reason.get("Code") for reason in fault.response.get("CancellationReasons", [])] or [None]
    return last == "ConditionalCheckFailed" and set(others) <= {"None", None}


def _whose(entry: ReviewEntry, reviewer: str) -> str:
    if not entry.waiting:
        return "there is already a decision on the post"
    if entry.leased_by not in (None, reviewer):
        return "another reviewer has the post now: your lease has expired"
    return "your lease has expired: take the post again"
