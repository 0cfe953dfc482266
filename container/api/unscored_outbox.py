"""Hands posts that could not be scored, or not be stored for reviewers, to an SQS queue."""

from __future__ import annotations

from collections.abc import Callable

from outbox import Outbox
from sqs_client import SQS_FAULTS, sqs_client
from unscored_post import UnscoredPost


def unscored_outbox(*, queue_url: str, region: str) -> Outbox[UnscoredPost]:
    """Return an outbox to the queue."""
    return Outbox(
        receiver="queue",
        open=lambda: queue_sender(queue_url=queue_url, region=region),
        characters=lambda post: len(post.text),
        faults=SQS_FAULTS,
    )


def queue_sender(*, queue_url: str, region: str) -> Callable[[UnscoredPost], None]:
    """Return what sends a post to the queue, once; it raises SQS_FAULTS. It may wait for credentials."""
    client = sqs_client(region=region, read_timeout_seconds=2)

    def send(post: UnscoredPost) -> None:
        client.send_message(QueueUrl=queue_url, MessageBody=post.message())

    return send
