"""Erases posts from the messages of a queue."""

from __future__ import annotations

import json
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from post_erasure.place_report import PlaceReport
from post_erasure.wanted_posts import WantedPosts

HIDDEN_SECONDS: Final = 300
"""How long received messages stay invisible to other consumers, unless this command ends earlier."""
_AT_ONCE: Final = 10


def erase_from_queue(sqs: Any, url: str, wanted: WantedPosts, *, erase: bool) -> PlaceReport:
    """Receive every message once, delete those with a wanted post, and return the others to the queue."""
    report = PlaceReport(place=f"queue ({url.rpartition('/')[2]})")
    kept: dict[str, str] = {}
    try:
        messages = None
        while messages != []:
            # With long polling, SQS queries all of its servers:
            # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-short-and-long-polling.html
            answer = sqs.receive_message(
                QueueUrl=url, MaxNumberOfMessages=_AT_ONCE, VisibilityTimeout=HIDDEN_SECONDS, WaitTimeSeconds=1
            )
            messages = [message for message in answer.get("Messages", []) if message["MessageId"] not in kept]
            for message in messages:
                report.searched += 1
                kept[message["MessageId"]] = message["ReceiptHandle"]
                if not _holds(message["Body"], wanted):
                    continue
                report.found += 1
                if erase:
                    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                    report.erased += 1
                    del kept[message["MessageId"]]
        _say_what_others_have(sqs, url, report, own=len(kept))
    except (ClientError, BotoCoreError) as fault:
        code = fault.response["Error"]["Code"] if isinstance(fault, ClientError) else type(fault).__name__
        report.failed.append(f"{url}: {code}")
    finally:
        _give_back(sqs, url, list(kept.values()), report)
    return report


def _holds(body: str, wanted: WantedPosts) -> bool:
    try:
        return wanted.is_in(json.loads(body))
    except (ValueError, RecursionError):
        return wanted.has(body)


def _say_what_others_have(sqs: Any, url: str, report: PlaceReport, *, own: int) -> None:
    hidden, delayed = "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"
    counts = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[hidden, delayed])["Attributes"]
    others = int(counts[hidden]) + int(counts[delayed]) - own
    if others > 0:
        report.remains.append(f"{url}: about {others} messages that others have now: run this again in 15 minutes")


def _give_back(sqs: Any, url: str, handles: list[str], report: PlaceReport) -> None:
    for start in range(0, len(handles), _AT_ONCE):
        entries = [
            {"Id": str(number), "ReceiptHandle": handle, "VisibilityTimeout": 0}
            for number, handle in enumerate(handles[start : start + _AT_ONCE])
        ]
        try:
            sqs.change_message_visibility_batch(QueueUrl=url, Entries=entries)
        except (ClientError, BotoCoreError):
            report.remains.append(f"{url}: what was looked at is visible again in {HIDDEN_SECONDS} seconds alone")
            return
