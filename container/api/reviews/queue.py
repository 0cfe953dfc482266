"""Reads the posts that wait for a reviewer, through the table's index."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from aws.attribute_values import attribute_values
from reviews.table import FREE_OR_MINE, INDEX, NOT_MINE_BEFORE, attribute_names, second_queue, waiting_queue

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MOST_TAKEN: Final = 50
"""The most posts that a reviewer takes at once."""
MOST_COUNTED: Final = 1000


class ReviewQueue:
    """The queue of a table, divided into shards."""

    def __init__(self, table: str, *, shards: int) -> None:
        self._table = table
        self._shards = shards

    def free(self, client: DynamoDBClient, *, reviewer: str, now: float) -> Iterator[str]:
        """Return the keys of posts, the highest priority first, without those that other reviewers hold.

        One query per shard. The posts that other reviewers hold are at the head and few, so that the filter skips them
        within the first page. One page is read of the posts that wait for a second opinion: if this reviewer has
        judged all of these, other reviewers have to take them first.
        """
        shards = range(self._shards)
        rows = _merged(
            [self._rows(client, waiting_queue(shard), reviewer, now) for shard in shards]
            + [self._rows(client, second_queue(shard), reviewer, now, one_page=True) for shard in shards]
        )
        for row in rows:
            yield row["post"]["S"]

    def count(self, client: DynamoDBClient) -> int:
        """Return how many posts have no verdict, at most MOST_COUNTED, which limits the cost of counting."""
        counted = 0
        for shard in range(self._shards):
            counted += client.query(
                TableName=self._table,
                IndexName=INDEX,
                KeyConditionExpression="queue = :queue",
                ExpressionAttributeValues=attribute_values({":queue": waiting_queue(shard)}),
                Select="COUNT",
                Limit=MOST_COUNTED,
            )["Count"]
        return min(counted, MOST_COUNTED)

    def _rows(
        self, client: DynamoDBClient, queue: str, reviewer: str, now: float, *, one_page: bool = False
    ) -> Iterator[dict[str, Any]]:
        condition = f"{FREE_OR_MINE} AND {NOT_MINE_BEFORE}"
        request: dict[str, Any] = {
            "TableName": self._table,
            "IndexName": INDEX,
            "KeyConditionExpression": "#queue = :queue",
            "FilterExpression": condition,
            "ExpressionAttributeNames": attribute_names("#queue", condition),
            "ExpressionAttributeValues": attribute_values({":queue": queue, ":now": int(now), ":me": reviewer}),
            "ScanIndexForward": False,
            "Limit": 4 * MOST_TAKEN,
        }
        while True:
            answer = client.query(**request)
            yield from answer["Items"]
            if "LastEvaluatedKey" not in answer or one_page:
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def _merged(shards: list[Iterator[dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    heads = [(rows, row) for rows in shards if (row := next(rows, None)) is not None]
    while heads:
        place = max(range(len(heads)), key=lambda number: float(heads[number][1]["priority"]["N"]))
        rows, row = heads[place]
        yield row
        following = next(rows, None)
        if following is None:
            del heads[place]
        else:
            heads[place] = (rows, following)
