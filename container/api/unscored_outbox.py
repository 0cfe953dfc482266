"""Hands posts that could not be scored to an SQS queue, and keeps them in memory until the queue has them."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from sqs_client import SQS_FAULTS, sqs_client
from unscored_post import UnscoredPost

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

MOST_CHARACTERS: Final = 2_000_000
"""Characters of posts kept in memory; several times as many bytes."""
SENDERS: Final = 4
LONGEST_PAUSE_SECONDS: Final = 2.0
_log = logging.getLogger("api")


class OutboxFullError(Exception):
    """Neither the queue nor memory takes any more: whoever has the posts must keep them."""


class _Letter:
    def __init__(self, post: UnscoredPost) -> None:
        self.message = post.message()
        self.characters = len(post.text)
        self.sent = threading.Event()


class UnscoredOutbox:
    """Sends posts to the queue in the background, in about their order, and again until each has been taken."""

    def __init__(self, *, queue_url: str, region: str) -> None:
        self._queue_url = queue_url
        self._region = region
        self._changed = threading.Condition()
        self._letters: deque[_Letter] = deque()
        self._characters = 0
        self._closing = threading.Event()
        threading.Thread(target=self._start, daemon=True, name="unscored-outbox").start()

    def put(self, posts: Sequence[UnscoredPost], *, until: float) -> bool:
        """Take `posts`, and tell whether the queue has them by `until`, a time of `time.monotonic()`.

        What it has not yet follows as soon as it takes it. Raises OutboxFullError where there is no more memory for it.
        """
        letters = [_Letter(post) for post in posts]
        characters = sum(letter.characters for letter in letters)
        with self._changed:
            if self._characters + characters > MOST_CHARACTERS:
                raise OutboxFullError
            self._characters += characters
            self._letters.extend(letters)
            self._changed.notify(len(letters))
        return all(letter.sent.wait(max(0.0, until - time.monotonic())) for letter in letters)

    def drain(self, seconds: float) -> None:
        """Return when the queue has everything, or after `seconds`; the log then says how much was lost."""
        self._closing.set()
        with self._changed:
            if not self._changed.wait_for(lambda: self._characters == 0, timeout=seconds):
                _log.error("posts were lost", extra={"fields": {"characters": self._characters}})

    def _start(self) -> None:
        # Here and not where the outbox is made: it waits for credentials.
        while True:
            try:
                client = sqs_client(region=self._region, read_timeout_seconds=2)
            except SQS_FAULTS as fault:
                _log.warning("the queue cannot be used", extra={"fields": {"fault": type(fault).__name__}})
                time.sleep(LONGEST_PAUSE_SECONDS)
            else:
                break
        for number in range(SENDERS):
            threading.Thread(target=self._run, args=(client,), daemon=True, name=f"unscored-outbox-{number}").start()

    def _run(self, client: SQSClient) -> None:
        pause = 0.05
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._letters)
                letter = self._letters.popleft()
            try:
                client.send_message(QueueUrl=self._queue_url, MessageBody=letter.message)
            except SQS_FAULTS as fault:
                with self._changed:
                    self._letters.appendleft(letter)
                _log.warning("the queue took no post", extra={"fields": {"fault": type(fault).__name__}})
                if self._closing.is_set():
                    time.sleep(0.1)
                else:
                    self._closing.wait(random.uniform(pause / 2, pause))
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
                continue
            pause = 0.05
            letter.sent.set()
            with self._changed:
                self._characters -= letter.characters
                self._changed.notify_all()
