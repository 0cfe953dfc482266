"""Stores posts for reviewers in the background: in the table, or in the queue if the table is slow or unavailable."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aws.clients import AWS_FAULTS, dynamodb_client
from outbox import Outbox, Receiver
from reviews.post import ReviewPost
from reviews.store import ReviewStore
from unscored.outbox import queue_sender
from unscored.post import UnscoredPost

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

HAND_OVER_SECONDS: Final = 1.0
"""A post that has waited for the table this long goes to the queue, if there is one: memory can be lost."""
MEMORY_SECONDS: Final = 600.0
MOST_REMEMBERED: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewLetter:
    """A post for the table, and its form for the queue if the table does not accept it."""

    post: ReviewPost
    otherwise: UnscoredPost


def review_outbox(
    *,
    store: ReviewStore,
    region: str,
    queue_url: str | None,
    stored: Callable[[], None],
    lost: Callable[[int], None],
) -> Outbox[ReviewLetter]:
    """Return an outbox to the table, and to the queue if there is one.

    `stored` is called for each new post in the table, `lost` with the number of posts that neither accepted before the
    process ended.
    """
    receivers = [
        Receiver(
            name="review table",
            open=lambda: _Storing(store=store, region=region, stored=stored).take,
            faults=AWS_FAULTS,
        )
    ]
    if queue_url:
        receivers.append(
            Receiver(
                name="queue",
                open=lambda: _otherwise(queue_sender(queue_url=queue_url, region=region)),
                faults=AWS_FAULTS,
                after_seconds=HAND_OVER_SECONDS,
            )
        )
    return Outbox(
        *receivers,
        characters=lambda letter: len(letter.post.text),
        request_id=lambda letter: letter.otherwise.request_id,
        lost=lost,
    )


def _otherwise(send: Callable[[UnscoredPost], None]) -> Callable[[ReviewLetter], None]:
    return lambda letter: send(letter.otherwise)


class _Storing:
    def __init__(self, *, store: ReviewStore, region: str, stored: Callable[[], None]) -> None:
        self._store = store
        self._stored = stored
        # One attempt with a short time-out, because the outbox retries itself.
        self._client: DynamoDBClient = dynamodb_client(region=region, attempts=1, read_timeout_seconds=1)
        self._lock = threading.Lock()
        # A text that is sent a thousand times per second has one key in the table, which must not be written as often.
        self._remembered: dict[str, float] = {}

    def take(self, letter: ReviewLetter) -> None:
        """Store the post; raise AWS_FAULTS if the table does not accept it."""
        key, now = letter.post.key, time.monotonic()
        with self._lock:
            if self._remembered.get(key, 0.0) > now:
                return
        kept = self._store.keep(letter.post, self._client)
        if kept is None:
            return
        if kept:
            self._stored()
        with self._lock:
            self._remembered.pop(key, None)
            while len(self._remembered) >= MOST_REMEMBERED:
                del self._remembered[next(iter(self._remembered))]
            self._remembered[key] = now + MEMORY_SECONDS
