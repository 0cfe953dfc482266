"""Measures once a day how far the posts that the current release serves are from its validation posts.

It reads counts, never a post: the counts of the release's validation posts from its record, and the counts that the
service keeps for each model and day. A release is compared only with its own validation posts and the posts that it
served itself, so a new model starts without history. The figures are metrics with the dimension `endpoint`, in percent.
No data point is published until there is enough data.
"""

import datetime
import functools
import json
import logging
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import boto3
from boto3.dynamodb.types import TypeDeserializer
from distribution_drift import Drift, drift

LOGGER = logging.getLogger(__name__)
LOGGER.setLevel(logging.INFO)

MEASURED = {
    "score": "ScoreDrift",
    "length": "LengthDrift",
    "unseen": "VocabularyDrift",
    "stage": "FirstStageDrift",
}
ENOUGH_POSTS = 1000
MOST_DAYS = 7
"""Maximum number of days. Whole days are added, the latest first, until there are ENOUGH_POSTS. The number of days
depends only on the number of posts, not on their content, so the bounds stay valid.
"""


def handler(event: dict[str, Any], context: Any) -> dict[str, float]:
    """Publishes the metrics of the whole days before today, and returns them by name."""
    now = datetime.datetime.now(datetime.UTC)
    record = current_release(os.environ["RELEASES_TABLE"], os.environ["ENDPOINT_NAME"])
    if record is None:
        LOGGER.info("no release of %s serves, or it has no record", os.environ["ENDPOINT_NAME"])
        return {}
    if not record.get("validation"):
        LOGGER.info("release %s has no counts of its validation posts: nothing to compare with", record["release"])
        return {}
    days = [now.date() - datetime.timedelta(days=ago) for ago in range(1, MOST_DAYS + 1)]
    counts = served(os.environ["TABLE_NAME"], record["model"], days)
    share = os.environ.get("VIOLATION_PERCENT")
    found = drifts(record["validation"], counts, None if share is None else float(share) / 100)
    measures = {name: value for kind, of_kind in found.items() for name, value in in_percent(kind, of_kind).items()}
    put(measures, at=now, endpoint=os.environ["ENDPOINT_NAME"])
    posts = {kind: of_kind.posts for kind, of_kind in found.items()}
    LOGGER.info(json.dumps({"release": record["release"], "posts": posts, **measures}))
    return measures


def current_release(table: str, endpoint: str) -> dict[str, Any] | None:
    """The record of the release that serves; None if there is none."""
    dynamodb, of_endpoint = client("dynamodb"), {":endpoint": {"S": endpoint}}
    key = {"endpoint": {"S": endpoint}, "entry": {"S": "current"}}
    pointer = dynamodb.get_item(TableName=table, Key=key).get("Item")
    if pointer is None:
        return None
    pages = dynamodb.get_paginator("query").paginate(
        TableName=table,
        KeyConditionExpression="endpoint = :endpoint AND begins_with(entry, :prefix)",
        ExpressionAttributeValues={**of_endpoint, ":prefix": {"S": "release#"}},
        ProjectionExpression="#release, #model, validation",
        ExpressionAttributeNames={"#release": "release", "#model": "model"},
        # The latest first.
        ScanIndexForward=False,
    )
    for page in pages:
        for item in page["Items"]:
            if item["release"] == pointer["release"] and "model" in item:
                return {name: _DESERIALIZER.deserialize(value) for name, value in item.items()}
    return None


def served(table: str, model: str, days: Iterable[datetime.date]) -> Iterator[dict[str, Counter[int]]]:
    """Number of posts that a model served on each of the days, by kind and bin."""
    for day in days:
        counts: dict[str, Counter[int]] = {kind: Counter() for kind in MEASURED}
        pages = (
            client("dynamodb")
            .get_paginator("query")
            .paginate(
                TableName=table,
                KeyConditionExpression="post = :day AND begins_with(entry, :model)",
                ExpressionAttributeValues={":day": {"S": f"served#{day}"}, ":model": {"S": f"{model}#"}},
            )
        )
        for page in pages:
            for item in page["Items"]:
                for name, value in item.items():
                    kind, colon, place = name.partition(":")
                    if colon and kind in counts:
                        counts[kind][int(place)] += int(value["N"])
        yield counts


def drifts(
    validated: Mapping[str, Any], days: Iterable[dict[str, Counter[int]]], violation_share: float | None
) -> dict[str, Drift]:
    """The drift of each kind with enough data, from the latest of `days` that together have ENOUGH_POSTS."""
    sums: dict[str, Counter[int]] = {kind: Counter() for kind in MEASURED}
    for counts in days:
        for kind, of_kind in sums.items():
            if of_kind.total() < ENOUGH_POSTS:
                of_kind.update(counts[kind])
        if all(sums[kind].total() >= ENOUGH_POSTS for kind in sums if kind in validated):
            break
    found = {}
    for kind, of_kind in sums.items():
        if kind in validated and of_kind:
            bins = {label: [int(count) for count in listed] for label, listed in validated[kind].items()}
            listed = [of_kind[place] for place in range(max(of_kind) + 1)]
            if (of_both := drift(bins, listed, violation_share=violation_share)) is not None:
                found[kind] = of_both
    return found


def in_percent(kind: str, found: Drift) -> dict[str, float]:
    """A drift as four metrics."""
    name = MEASURED[kind]
    values = {"": found.value, "Low": found.low, "High": found.high, "AtLeast": found.at_least}
    return {f"{name}{suffix}": 100 * value for suffix, value in values.items()}


def put(measures: Mapping[str, float], *, at: datetime.datetime, endpoint: str) -> None:
    """Publishes data points, if there are any."""
    if not measures:
        return
    client("cloudwatch").put_metric_data(
        Namespace=os.environ["METRIC_NAMESPACE"],
        MetricData=[
            {
                "MetricName": name,
                "Dimensions": [{"Name": "endpoint", "Value": endpoint}],
                "Timestamp": at,
                "Value": value,
                "Unit": "Percent",
            }
            for name, value in measures.items()
        ],
    )


@functools.cache
def client(service: Any) -> Any:
    """One client per service and execution environment: making one takes longer than a call."""
    return boto3.client(service)


_DESERIALIZER = TypeDeserializer()
