"""Stores posts for reviewers in the background: in the table, or, while that takes none, on the queue for later."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dynamodb_client import DYNAMODB_FAULTS, dynamodb_client
from outbox import Outbox
from review_post import ReviewPost
from review_store import ReviewStore
from unscored_outbox import queue_sender
from unscored_post import UnscoredPost

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

REST_SECONDS: Final = 2.0
"""For so long the table is left alone after a fault, where there is a queue to take its posts."""
MEMORY_SECONDS: Final = 600.0
MOST_REMEMBERED: Final = 10_000
_log = logging.getLogger("api")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewLetter:
    """A post for the table, and the same as the queue has it while the table takes none."""

    post: ReviewPost
    otherwise: UnscoredPost


def review_outbox(
    *, store: ReviewStore, region: str, queue_url: str | None, stored: Callable[[], None]
) -> Outbox[ReviewLetter]:
    """Return an outbox to the table, and to the queue where there is one; `stored` is called for each new post."""
    return Outbox(
        receiver="review table",
        open=lambda: _Storing(store=store, region=region, queue_url=queue_url, stored=stored).take,
        characters=lambda letter: len(letter.post.text),
        faults=DYNAMODB_FAULTS,
    )


class _Storing:
    def __init__(self, *, store: ReviewStore, region: str, queue_url: str | None, stored: Callable[[], None]) -> None:
        self._store = store
        self._stored = stored
        # Tries once and gives up soon: the outbox tries again itself.
        self._client: DynamoDBClient = dynamodb_client(region=region, attempts=1, read_timeout_seconds=1)
        self._send: Callable[[UnscoredPost], None] | None = None
        if queue_url:
            self._send = queue_sender(queue_url=queue_url, region=region)
        self._lock = threading.Lock()
        self._rests_until = 0.0
        # A text that is sent a thousand times a second is one key of the table: it must not be written as often.
        self._remembered: dict[str, float] = {}

    def take(self, letter: ReviewLetter) -> None:
        """Store the post, or send it to the queue; raise DYNAMODB_FAULTS where neither takes it."""
        if self._send is None:
            self._keep(letter.post)
            return
        if time.monotonic() >= self._rests_until:
            try:
                self._keep(letter.post)
            except DYNAMODB_FAULTS as fault:
                _log.warning("the review table took no post", extra={"fields": {"fault": type(fault).__name__}})
                with self._lock:
                    self._rests_until = time.monotonic() + REST_SECONDS
            else:
                return
        self._send(letter.otherwise)

    def _keep(self, post: ReviewPost) -> None:
        key, now = post.key, time.monotonic()
        with self._lock:
            if self._remembered.get(key, 0.0) > now:
                return
        kept = self._store.keep(post, self._client)
        if kept is None:
            return
        if kept:
            self._stored()
        with self._lock:
            self._remembered.pop(key, None)
            while len(self._remembered) >= MOST_REMEMBERED:
                del self._remembered[next(iter(self._remembered))]
            self._remembered[key] = now + MEMORY_SECONDS
