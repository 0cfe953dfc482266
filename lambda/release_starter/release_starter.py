"""Starts a release after enough new labels since the current release, or when an alarm reports a worse model.

Labels are counted from the reviewers' counters of each day (UTC), with one query per day, whatever the size of the
table. The count may include a decision of an earlier day that was undone: it only decides when to start, and the
release itself counts exactly.

A release that fails, or that the gate refuses, is not tried again until the same number of labels has arrived again:
the execution's name has the number of times that enough labels arrived, and each name is used once.

An alarm needs at least one new label: the same posts would make the same model. Its execution is named after the
alarm's event, so an event that is delivered twice starts one release.
"""

import datetime
import json
import logging
import os
from collections.abc import Iterator
from typing import Any

import boto3
from boto3.dynamodb.types import TypeDeserializer

LOGGER = logging.getLogger(__name__)
LOGGER.setLevel(logging.INFO)

ALARM_EVENT = "CloudWatch Alarm State Change"
LABELS = ("violation", "fine")
PLAIN = TypeDeserializer()


class NoRecordError(Exception):
    """The releases' table lacks a record or a value; the message says which."""


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Returns the number of new labels, the execution that was `started` or null, and the reason."""
    result = _look(boto3.client("dynamodb"), boto3.client("stepfunctions"), event)
    LOGGER.info("%s", json.dumps(result))
    return result


def _look(dynamodb: Any, machines: Any, event: dict[str, Any]) -> dict[str, Any]:
    lock = _entry(dynamodb, "lock")
    if lock is not None and _runs(machines, lock["holder"]):
        return _not_started(None, f"{lock['holder']} changes the endpoint: look again when it has ended")
    current = _entry(dynamodb, "current")
    if current is None:
        return _not_started(None, "nothing serves yet: a person must start the first release")
    since, before = _counted(_record(dynamodb, current["release"]))
    new = sum(_labels(dynamodb, day) for day in _days(since)) - before
    if event.get("detail-type") == ALARM_EVENT:
        if new < 1:
            return _not_started(
                new, "the model got worse, and there are no new labels to train a new one: review posts"
            )
        started_by = f"the alarm {event['detail']['alarmName']}"
        return _started(machines, new, name=f"alarm-{event['id']}", started_by=started_by, reason=started_by)
    wanted = int(os.environ["NEW_LABELS"])
    if new < wanted:
        return _not_started(new, f"a release starts at {wanted}")
    name = f"labels-{since:%Y%m%dT%H%M%S}-{new // wanted}"
    started = _started(machines, new, name=name, started_by=f"{new} new labels", reason=f"at least {wanted}")
    if started["started"] is None:
        started["reason"] += f": the next one starts {wanted} labels later"
    return started


def _started(machines: Any, new: int, *, name: str, started_by: str, reason: str) -> dict[str, Any]:
    try:
        answer = machines.start_execution(
            stateMachineArn=os.environ["RELEASE_WORKFLOW"], name=name, input=json.dumps({"started_by": started_by})
        )
    except machines.exceptions.ExecutionAlreadyExists:
        return _not_started(new, f"{name} was started before")
    return {"new_labels": new, "started": answer["executionArn"], "reason": reason}


def _not_started(new: int | None, reason: str) -> dict[str, Any]:
    return {"new_labels": new, "started": None, "reason": reason}


def _entry(dynamodb: Any, name: str) -> dict[str, Any] | None:
    key = {"endpoint": {"S": os.environ["ENDPOINT_NAME"]}, "entry": {"S": name}}
    answer = dynamodb.get_item(TableName=os.environ["RELEASES_TABLE"], Key=key, ConsistentRead=True)
    return _plain(answer["Item"]) if "Item" in answer else None


def _record(dynamodb: Any, release: str) -> dict[str, Any]:
    pages = dynamodb.get_paginator("query").paginate(
        TableName=os.environ["RELEASES_TABLE"],
        ConsistentRead=True,
        ScanIndexForward=False,
        KeyConditionExpression="endpoint = :endpoint AND begins_with(entry, :prefix)",
        FilterExpression="#release = :release",
        ExpressionAttributeNames={"#release": "release"},
        ExpressionAttributeValues={
            ":endpoint": {"S": os.environ["ENDPOINT_NAME"]},
            ":prefix": {"S": "release#"},
            ":release": {"S": release},
        },
    )
    for page in pages:
        for item in page["Items"]:
            return _plain(item)
    raise NoRecordError(f"release {release} serves, and the table has no record of it")


def _counted(record: dict[str, Any]) -> tuple[datetime.datetime, int]:
    """The time up to which labels are in this release, and the number of labels of that day until then."""
    reviews = record.get("posts", {}).get("reviews")
    if reviews is None:
        # It was trained without reviewers' labels.
        return datetime.datetime.fromisoformat(record["started"]), 0
    return datetime.datetime.fromisoformat(reviews["as_of"]), int(reviews["that_day"])


def _days(since: datetime.datetime) -> Iterator[datetime.date]:
    day, today = since.astimezone(datetime.UTC).date(), datetime.datetime.now(datetime.UTC).date()
    while day <= today:
        yield day
        day += datetime.timedelta(days=1)


def _labels(dynamodb: Any, day: datetime.date) -> int:
    pages = dynamodb.get_paginator("query").paginate(
        TableName=os.environ["REVIEW_TABLE"],
        KeyConditionExpression="post = :day",
        ExpressionAttributeValues={":day": {"S": f"day#{day}"}},
    )
    counters = [_plain(item) for page in pages for item in page["Items"]]
    return sum(int(counter.get(label, 0)) for counter in counters for label in LABELS)


def _runs(machines: Any, execution: str) -> bool:
    try:
        described = machines.describe_execution(executionArn=execution)
    except machines.exceptions.ExecutionDoesNotExist:
        return False
    return described["status"] in ("RUNNING", "PENDING_REDRIVE")


def _plain(item: dict[str, Any]) -> dict[str, Any]:
    return {name: PLAIN.deserialize(value) for name, value in item.items()}
