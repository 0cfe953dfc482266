"""How many posts a day the review table takes, from all processes of a service together.

The count is an item of the table: partition key `quota#2026-11-23`, a day of UTC, sort key `stored`. A process takes
places from it by an atomic update, a block at a time, and gives each post that it stores one of them: a count for each
post would be a hot key.
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
"""What a process that ends may leave unused."""
ASKED_AGAIN_SECONDS: Final = 60.0
"""After the quota was found used up: a person may have given the day a new one."""
WAIT_SECONDS: Final = 0.5
"""A thread waits no longer than this for the block that another one asks for: the table may be slow to answer that."""
_BLOCKS: Final = 10_000
_KEPT_SECONDS: Final = 35 * 86_400


class ReviewQuota:
    """Gives places of the day, from any number of threads and services at once, and never more than `daily`."""

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
        """Take a place for a post; return its day, None where that has none left. Raises AWS_FAULTS."""
        with self._lock:
            now = self._clock()
            day = datetime.fromtimestamp(now, UTC).date().isoformat()
            if day != self._day:
                self._day, self._places, self._rests_until = day, 0, 0.0
            # One thread asks for a block and the others find it; where that takes long, each asks for one of its own.
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
                # Where another thread has begun the next day meanwhile, the answer says nothing of that.
                if took and day == self._day:
                    self._places += self._block - 1
                elif took is False and day == self._day:
                    self._rests_until = now + ASKED_AGAIN_SECONDS
        return day if took else None

    def give_back(self, day: str) -> None:
        """Free the place, taken on `day`, of a post that was not stored."""
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
