"""Sends posts that could not be scored, or could not be stored for reviewers, to an SQS queue."""

from __future__ import annotations

from collections.abc import Callable

from aws.clients import AWS_FAULTS, sqs_client
from outbox import Outbox, Receiver
from unscored.post import UnscoredPost


def unscored_outbox(*, queue_url: str, region: str, lost: Callable[[int], None]) -> Outbox[UnscoredPost]:
    """Return an outbox to the queue; `lost` is called with the number of posts not sent before the process ended."""
    return Outbox(
        Receiver(name="queue", open=lambda: queue_sender(queue_url=queue_url, region=region), faults=AWS_FAULTS),
        characters=lambda post: len(post.text),
        request_id=lambda post: post.request_id,
        lost=lost,
    )


def queue_sender(*, queue_url: str, region: str) -> Callable[[UnscoredPost], None]:
    """Return a function that tries once to send a post to the queue and raises AWS_FAULTS. May wait for credentials."""
    client = sqs_client(region=region, read_timeout_seconds=2)

    def send(post: UnscoredPost) -> None:
        client.send_message(QueueUrl=queue_url, MessageBody=post.message())

    return send
