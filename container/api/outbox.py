"""Hands things over in the background, and keeps them in memory until they have been taken."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

MOST_CHARACTERS: Final = 2_000_000
"""Characters of posts kept in memory; several times as many bytes."""
SENDERS: Final = 4
LONGEST_PAUSE_SECONDS: Final = 2.0
_log = logging.getLogger("api")
Post = TypeVar("Post")


class OutboxFullError(Exception):
    """Neither the receiver nor memory takes any more: whoever has the posts must keep them."""


class _Letter(Generic[Post]):
    def __init__(self, post: Post, characters: int) -> None:
        self.post = post
        self.characters = characters
        self.sent = threading.Event()


class Outbox(Generic[Post]):
    """Gives posts to a receiver in the background, in about their order, and again until each has been taken.

    receiver: what it is called in the log.
    open: returns what takes one post; called until it does not raise one of `faults`, as it may wait for credentials.
    """

    def __init__(
        self,
        *,
        receiver: str,
        open: Callable[[], Callable[[Post], None]],
        characters: Callable[[Post], int],
        faults: tuple[type[Exception], ...],
    ) -> None:
        self._receiver = receiver
        self._open = open
        self._characters_of = characters
        self._faults = faults
        self._changed = threading.Condition()
        self._letters: deque[_Letter[Post]] = deque()
        self._characters = 0
        self._closing = threading.Event()
        threading.Thread(target=self._start, daemon=True, name=f"outbox to the {receiver}").start()

    def put(self, posts: Sequence[Post], *, until: float) -> bool:
        """Take `posts`, and tell whether the receiver has them by `until`, a time of `time.monotonic()`.

        What it has not yet follows as soon as it takes it. Raises OutboxFullError where there is no more memory for it.
        """
        letters = [_Letter(post, self._characters_of(post)) for post in posts]
        characters = sum(letter.characters for letter in letters)
        with self._changed:
            if self._characters + characters > MOST_CHARACTERS:
                raise OutboxFullError
            self._characters += characters
            self._letters.extend(letters)
            self._changed.notify(len(letters))
        return all(letter.sent.wait(max(0.0, until - time.monotonic())) for letter in letters)

    def drain(self, seconds: float) -> None:
        """Return when the receiver has everything, or after `seconds`; the log then says how much was lost."""
        self._closing.set()
        with self._changed:
            if not self._changed.wait_for(lambda: self._characters == 0, timeout=seconds):
                _log.error("posts were lost", extra={"fields": {"characters": self._characters}})

    def _start(self) -> None:
        # Here and not where the outbox is made: it waits for credentials.
        while True:
            try:
                take = self._open()
            except self._faults as fault:
                _log.warning(f"the {self._receiver} cannot be used", extra={"fields": {"fault": type(fault).__name__}})
                time.sleep(LONGEST_PAUSE_SECONDS)
            else:
                break
        for number in range(SENDERS):
            name = f"outbox to the {self._receiver}, {number}"
            threading.Thread(target=self._run, args=(take,), daemon=True, name=name).start()

    def _run(self, take: Callable[[Post], None]) -> None:
        pause = 0.05
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._letters)
                letter = self._letters.popleft()
            try:
                take(letter.post)
            except self._faults as fault:
                with self._changed:
                    self._letters.appendleft(letter)
                _log.warning(f"the {self._receiver} took no post", extra={"fields": {"fault": type(fault).__name__}})
                if self._closing.is_set():
                    time.sleep(0.1)
                else:
                    self._closing.wait(random.uniform(pause / 2, pause))  # nosec B311  # a pause
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
                continue
            pause = 0.05
            letter.sent.set()
            with self._changed:
                self._characters -= letter.characters
                self._changed.notify_all()
