"""Limits a reviewer's decisions per minute. The table counts them, so the limit holds for all tasks together.

Items of the review table: partition key `pace#` and the reviewer, sort key the minute. A decision adds to its minute in
the transaction that records it; DynamoDB removes the item an hour later.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from aws.attribute_values import attribute_values

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

_KEPT_SECONDS: Final = 3600


class TooFastError(Exception):
    """The reviewer has reached the limit of decisions for this minute. The message is one line for the reviewer."""

    def __init__(self, most: int, seconds: int) -> None:
        super().__init__(f"you have made {most} decisions in this minute, which is the limit: wait {seconds} seconds")
        self.seconds = seconds


class ReviewPace:
    """Allows `most` decisions per minute, including those that were undone."""

    def __init__(self, table: str, *, most: int) -> None:
        self._table = table
        self._most = most

    def counting(self, reviewer: str, now: float) -> TransactWriteItemTypeDef:
        """Return the part of a transaction that counts one decision, and fails if it exceeds the limit."""
        minute = datetime.fromtimestamp(now, UTC).isoformat(timespec="minutes")
        return {
            "Update": {
                "TableName": self._table,
                "Key": attribute_values({"post": f"pace#{reviewer}", "entry": minute}),
                "UpdateExpression": "ADD #made :one SET #expires = :expires",
                "ConditionExpression": "attribute_not_exists(#made) OR #made < :most",
                "ExpressionAttributeNames": {"#made": "made", "#expires": "expires"},
                "ExpressionAttributeValues": attribute_values(
                    {":one": 1, ":most": self._most, ":expires": int(now) + _KEPT_SECONDS}
                ),
            }
        }

    def too_fast(self, now: float) -> TooFastError:
        """Return the error to raise if only that part has failed."""
        return TooFastError(self._most, 60 - int(now) % 60)
