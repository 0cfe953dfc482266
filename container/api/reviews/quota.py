"""Limits the posts that the review table accepts per day, from all processes of a service together.

The count is an item of the table: partition key `quota#2026-11-23`, a day of UTC, sort key `stored`. A process reserves
places with an atomic update, a block at a time, and uses one place per post that it stores: an update per post would
make a hot key.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from aws.attribute_values import attribute_values
from reviews.table import error_code

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

LARGEST_BLOCK: Final = 100
"""The most places that a process may leave unused when it ends."""
ASKED_AGAIN_SECONDS: Final = 60.0
"""The pause after the quota was used up, until the process asks again: an operator may have raised the quota."""
WAIT_SECONDS: Final = 0.5
"""A thread waits no longer than this for the block that another thread has asked for, as the table may be slow."""
_BLOCKS: Final = 10_000
_KEPT_SECONDS: Final = 35 * 86_400


class ReviewQuota:
    """Gives out at most `daily` places per day, to any number of threads and processes at once."""

    def __init__(self, *, table: str, daily: int, clock: Callable[[], float]) -> None:
        self._table = table
        self._daily = daily
        self._clock = clock
        self._block = min(LARGEST_BLOCK, max(1, daily // _BLOCKS))
        self._lock = threading.Lock()
        self._answered = threading.Condition(self._lock)
        self._asking = 0
        self._day = ""
        self._places = 0
        self._rests_until = 0.0

    def take(self, client: DynamoDBClient) -> str | None:
        """Take a place for a post; return its day, None if the day has no places left. Raises AWS_FAULTS."""
        with self._lock:
            now = self._clock()
            day = datetime.fromtimestamp(now, UTC).date().isoformat()
            if day != self._day:
                self._day, self._places, self._rests_until = day, 0, 0.0
            # One thread asks for a block and the others use it; if that takes too long, each asks for its own block.
            self._answered.wait_for(
                lambda: self._places or not self._asking or now < self._rests_until, timeout=WAIT_SECONDS
            )
            if self._places:
                self._places -= 1
                return self._day
            if now < self._rests_until:
                return None
            self._asking += 1
        took = None
        try:
            took = self._took_block(day, client)
        finally:
            with self._lock:
                self._asking -= 1
                self._answered.notify_all()
                # If another thread has meanwhile begun the next day, the answer does not apply to it.
                if took and day == self._day:
                    self._places += self._block - 1
                elif took is False and day == self._day:
                    self._rests_until = now + ASKED_AGAIN_SECONDS
        return day if took else None

    def give_back(self, day: str) -> None:
        """Return the place of a post that was not stored; `day` is the day that `take` returned."""
        with self._lock:
            if day == self._day:
                self._places += 1

    def _took_block(self, day: str, client: DynamoDBClient) -> bool:
        values = {
            ":block": self._block,
            ":most": self._daily - self._block,
            ":expires": int(self._clock()) + _KEPT_SECONDS,
        }
        try:
            client.update_item(
                TableName=self._table,
                Key=attribute_values({"post": f"quota#{day}", "entry": "stored"}),
                UpdateExpression="ADD #places :block SET #expires = :expires",
                ConditionExpression="attribute_not_exists(#places) OR #places <= :most",
                ExpressionAttributeNames={"#places": "places", "#expires": "expires"},
                ExpressionAttributeValues=attribute_values(values),
            )
        except ClientError as fault:
            if error_code(fault) != "ConditionalCheckFailedException":
                raise
            return False
        return True
