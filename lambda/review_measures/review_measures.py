"""Measures the review table: the queue, its age, a day's decisions, and what they say about the model.

It reads counts, never a post: one query for each day of the window and each part of the queue's index. The figures are
metrics with the dimension `table`. No data point is published until there is data.
"""

import datetime
import functools
import json
import logging
import os
from collections.abc import Iterator
from typing import Any

import boto3
from review_estimates import VERDICTS, Estimate, ReviewEstimates, ReviewTally, burden, cohens_kappa

LOGGER = logging.getLogger(__name__)
LOGGER.setLevel(logging.INFO)

INDEX = "oldest"
MOST_COUNTED = 100_000
"""Maximum number of posts to count. Counting them reads about 13 MB; the cost must not grow with an unattended queue.
"""


ERROR = 0.001
"""Share of false alarms: on days on which the model is exactly as good as the alarm's minimum."""

LOOKED_AT_DAYS = 7


def handler(event: dict[str, Any], context: Any) -> dict[str, float]:
    """Publishes the current metrics and returns them by name; once a day, with `look`, also the bounds."""
    table = ReviewTable(os.environ["TABLE_NAME"], shards=int(os.environ["SHARDS"]))
    now = datetime.datetime.now(datetime.UTC)
    today = now.date()
    if "look" in event:
        # Whole days: evaluating every five minutes would raise 288 times as many false alarms.
        days = [today - datetime.timedelta(days=ago) for ago in range(1, LOOKED_AT_DAYS + 1)]
        bounds = bounded(ReviewTally.of(count for day in days for count in table.counts(day)))
        put(bounds, at=now, table=table.name)
        LOGGER.info(json.dumps(bounds))
        return bounds
    yesterday = today - datetime.timedelta(days=1)
    window = [today - datetime.timedelta(days=ago) for ago in range(int(os.environ["WINDOW_DAYS"]))]
    measures = {
        **table.queue(now),
        **worked(table.work(today)),
        **estimated(ReviewTally.of(count for day in window for count in table.counts(day))),
    }
    put(measures, at=now, table=table.name)
    # Decisions after yesterday's last run count too: the day's metric is its highest value.
    last_minute = datetime.datetime.combine(yesterday, datetime.time(23, 59), datetime.UTC)
    put(worked(table.work(yesterday)), at=last_minute, table=table.name)
    LOGGER.info(json.dumps(measures))
    return measures


class ReviewTable:
    """The figures of the table that need no post."""

    def __init__(self, name: str, *, shards: int) -> None:
        self.name = name
        self._shards = shards

    def queue(self, now: datetime.datetime) -> dict[str, float]:
        """Number of posts without a decision, at most MOST_COUNTED, and the age of the oldest in seconds."""
        oldest: list[str] = []
        waiting = 0
        for shard in range(self._shards):
            request = {
                "IndexName": INDEX,
                "KeyConditionExpression": "queue = :queue",
                "ExpressionAttributeValues": {":queue": {"S": f"waiting#{shard}"}},
            }
            first = client("dynamodb").query(TableName=self.name, Limit=1, **request)["Items"]
            oldest += [item["received"]["S"] for item in first]
            for page in self._pages(Select="COUNT", **request):
                waiting += page["Count"]
                if waiting >= MOST_COUNTED:
                    break
        seconds = (now - datetime.datetime.fromisoformat(min(oldest))).total_seconds() if oldest else 0.0
        return {"Waiting": float(min(waiting, MOST_COUNTED)), "OldestAge": max(0.0, seconds)}

    def work(self, day: datetime.date) -> list[dict[str, int]]:
        """A day's counts of each reviewer, without names."""
        return [
            {name: int(value["N"]) for name, value in item.items() if "N" in value}
            for item in self._items(f"day#{day}")
        ]

    def counts(self, day: datetime.date) -> Iterator[dict[str, int]]:
        """The counts of the posts that were received on a day, one item at a time."""
        for item in self._items(f"received#{day}"):
            yield {name: int(value["N"]) for name, value in item.items() if name not in ("post", "entry")}

    def _items(self, key: str) -> Iterator[dict[str, Any]]:
        for page in self._pages(KeyConditionExpression="post = :key", ExpressionAttributeValues={":key": {"S": key}}):
            yield from page["Items"]

    def _pages(self, **request: Any) -> Iterator[dict[str, Any]]:
        yield from client("dynamodb").get_paginator("query").paginate(TableName=self.name, **request)


def worked(work: list[dict[str, int]]) -> dict[str, float]:
    """Number of a day's decisions, without undone ones, and their distribution."""
    decisions = sum(counts.get(verdict, 0) for counts in work for verdict in VERDICTS)
    return {"Decisions": float(decisions), **burden(work)}


def estimated(tally: ReviewTally) -> dict[str, float]:
    """Precision and recall of the flags, in percent with 95 % intervals, and Cohen's kappa, if there is enough data."""
    measures: dict[str, float] = {}
    if tally.posts:
        estimates = ReviewEstimates(tally.posts)
        for name, estimate in (("Precision", estimates.flag_precision()), ("Recall", estimates.flag_recall())):
            measures |= in_percent(name, estimate)
    kappa = cohens_kappa(tally.pairs)
    return measures if kappa is None else {**measures, "Agreement": kappa}


def bounded(tally: ReviewTally) -> dict[str, float]:
    """Upper bounds of the flags' precision and recall, in percent, if there is enough data."""
    if not tally.posts:
        return {}
    estimates = ReviewEstimates(tally.posts)
    bounds = {
        "PrecisionAtMost": estimates.flag_precision_at_most(ERROR),
        "RecallAtMost": estimates.flag_recall_at_most(ERROR),
    }
    return {name: 100 * bound for name, bound in bounds.items() if bound is not None}


def in_percent(name: str, estimate: Estimate | None) -> dict[str, float]:
    """An estimate as three metrics."""
    if estimate is None:
        return {}
    return {name: 100 * estimate.value, f"{name}Low": 100 * estimate.low, f"{name}High": 100 * estimate.high}


def put(measures: dict[str, float], *, at: datetime.datetime, table: str) -> None:
    """Publishes data points, if there are any; a metric's unit follows from its name."""
    if not measures:
        return
    client("cloudwatch").put_metric_data(
        Namespace=os.environ["METRIC_NAMESPACE"],
        MetricData=[
            {
                "MetricName": name,
                "Dimensions": [{"Name": "table", "Value": table}],
                "Timestamp": at,
                "Value": value,
                "Unit": unit(name),
            }
            for name, value in measures.items()
        ],
    )


def unit(name: str) -> str:
    """CloudWatch's unit of a metric."""
    if name.startswith(("Precision", "Recall", "SeverePercent")):
        return "Percent"
    if name.startswith("DecisionSeconds"):
        return "Seconds"
    return {"OldestAge": "Seconds", "Agreement": "None"}.get(name, "Count")


@functools.cache
def client(service: Any) -> Any:
    """One client per service and execution environment: making one takes longer than a call."""
    return boto3.client(service)
