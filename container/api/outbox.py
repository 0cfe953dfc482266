"""Hands things over in the background, and keeps them in memory until they have been taken."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from held_posts import HELD_POSTS

MOST_CHARACTERS: Final = 2_000_000
"""Characters of posts kept in memory; several times as many bytes."""
WAIT_SECONDS: Final = 0.1
"""An answer waits no longer than this for its posts to be taken: a receiver that is slow must not slow answers down."""
SENDERS: Final = 4
REST_SECONDS: Final = 2.0
"""For so long a receiver is left alone after a fault, where another one takes its posts meanwhile."""
LONGEST_PAUSE_SECONDS: Final = 2.0
LONGEST_PAUSE_CLOSING_SECONDS: Final = 0.1
HELD_SECONDS: Final = 2.0
"""What a receiver has held for so long, while the process is about to end, the last receiver is offered as well."""
_MOST_LISTED: Final = 500
_log = logging.getLogger("api")
Post = TypeVar("Post")


class OutboxFullError(Exception):
    """Neither the receiver nor memory takes any more: whoever has the posts must keep them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver(Generic[Post]):
    """Something that takes posts.

    name: what it is called in the log.
    open: returns what takes one post; called until it does not raise one of `faults`, as it may wait for credentials.
    faults: what it raises where it does not take the post, which is then offered again.
    after_seconds: it is offered what has been waiting for so long; everything, where the receivers before it are at
        fault or the process is about to end. The last one must not mind a post that another one takes later.
    """

    name: str
    open: Callable[[], Callable[[Post], None]]
    faults: tuple[type[Exception], ...]
    after_seconds: float = 0.0


class _Letter(Generic[Post]):
    def __init__(self, post: Post, characters: int) -> None:
        self.post = post
        self.characters = characters
        self.put_at = self.held_at = time.monotonic()
        self.held_by: object = None
        self.sent = threading.Event()


class _Line(Generic[Post]):
    """The way to one receiver: its senders wait on `changed`."""

    def __init__(self, receiver: Receiver[Post], lock: threading.RLock, *, is_last: bool) -> None:
        self.receiver = receiver
        self.changed = threading.Condition(lock)
        self.is_last = is_last
        self.rests_until = 0.0


class Outbox(Generic[Post]):
    """Gives posts to receivers in the background, in about their order, and again until each has been taken by one.

    receivers: the one that is to have them first.
    characters, request_id: of a post, for what is kept in memory and for what is said of a lost one.
    lost: is called with how many posts were lost, where any were.
    """

    def __init__(
        self,
        *receivers: Receiver[Post],
        characters: Callable[[Post], int],
        request_id: Callable[[Post], str],
        lost: Callable[[int], None],
    ) -> None:
        self._characters_of = characters
        self._request_id_of = request_id
        self._lost = lost
        self._lock = threading.RLock()
        self._emptied = threading.Condition(self._lock)
        self._waiting: deque[_Letter[Post]] = deque()
        self._sending: set[_Letter[Post]] = set()
        self._characters = 0
        self._closing = threading.Event()
        self._lines = [_Line(receiver, self._lock, is_last=receiver is receivers[-1]) for receiver in receivers]
        for place, line in enumerate(self._lines):
            name = f"outbox to the {line.receiver.name}"
            threading.Thread(target=self._start, args=(line, self._lines[:place]), daemon=True, name=name).start()

    def put(self, posts: Sequence[Post], *, until: float) -> bool:
        """Take `posts`; return whether a receiver has them already.

        Waits for that until `until`, a time of `time.monotonic()`, and at most WAIT_SECONDS; not at all where others
        have been waiting for so long. What no receiver has yet follows as soon as one takes it. Raises OutboxFullError
        where there is no more memory for it.
        """
        letters = [_Letter(post, self._characters_of(post)) for post in posts]
        characters = sum(letter.characters for letter in letters)
        now = time.monotonic()
        with self._lock:
            if self._characters + characters > MOST_CHARACTERS:
                raise OutboxFullError
            if self._waiting and now - self._waiting[0].put_at >= WAIT_SECONDS:
                until = now
            self._characters += characters
            self._waiting.extend(letters)
            HELD_POSTS.add(len(letters))
            for line in self._lines:
                line.changed.notify(len(letters))
        until = min(until, now + WAIT_SECONDS)
        return all(letter.sent.wait(max(0.0, until - time.monotonic())) for letter in letters)

    def close(self) -> None:
        """Offer everything to every receiver from now on: the process is about to end."""
        self._closing.set()
        self._wake()

    def drain(self, *, until: float) -> None:
        """Return when everything has been taken, or at `until`; the log then says what was lost."""
        self.close()
        with self._lock:
            self._emptied.wait_for(lambda: not self._characters, timeout=max(0.0, until - time.monotonic()))
            lost = sorted((*self._waiting, *self._sending), key=lambda letter: letter.put_at)
        for start in range(0, len(lost), _MOST_LISTED):
            some = lost[start : start + _MOST_LISTED]
            request_ids = list(dict.fromkeys(self._request_id_of(letter.post) for letter in some))
            _log.error("posts were lost", extra={"fields": {"posts": len(some), "request_ids": request_ids}})
        if lost:
            self._lost(len(lost))
            # Said here: nobody else need say it.
            HELD_POSTS.add(-len(lost))

    def _start(self, line: _Line[Post], before: Sequence[_Line[Post]]) -> None:
        receiver = line.receiver
        # Here and not where the outbox is made: it waits for credentials.
        while True:
            try:
                take = receiver.open()
            except receiver.faults as fault:
                _log.warning(f"the {receiver.name} cannot be used", extra={"fields": {"fault": type(fault).__name__}})
                self._rest(line)
                self._pause(LONGEST_PAUSE_SECONDS)
            else:
                break
        for number in range(SENDERS):
            name = f"outbox to the {receiver.name}, {number}"
            threading.Thread(target=self._run, args=(line, before, take), daemon=True, name=name).start()

    def _run(self, line: _Line[Post], before: Sequence[_Line[Post]], take: Callable[[Post], None]) -> None:
        pause = 0.05
        while True:
            letter = self._next(line, before)
            try:
                take(letter.post)
            except line.receiver.faults as fault:
                fields = {"fault": type(fault).__name__}
                _log.warning(f"the {line.receiver.name} took no post", extra={"fields": fields})
                with self._lock:
                    if letter.held_by is line and not letter.sent.is_set():
                        self._sending.discard(letter)
                        self._waiting.appendleft(letter)
                    self._rest(line)
                self._pause(random.uniform(pause / 2, pause))  # nosec B311  # a pause
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
                continue
            pause = 0.05
            with self._lock:
                if not letter.sent.is_set():
                    letter.sent.set()
                    self._sending.discard(letter)
                    self._characters -= letter.characters
                    HELD_POSTS.add(-1)
                if not self._characters:
                    self._emptied.notify_all()

    def _next(self, line: _Line[Post], before: Sequence[_Line[Post]]) -> _Letter[Post]:
        with self._lock:
            while True:
                now = time.monotonic()
                free_at = line.rests_until
                if self._waiting and not (self._closing.is_set() or any(other.rests_until > now for other in before)):
                    free_at = max(free_at, self._waiting[0].put_at + line.receiver.after_seconds)
                letter = self._waiting.popleft() if self._waiting and free_at <= now else self._held(line, now)
                if letter is not None:
                    letter.held_by, letter.held_at = line, now
                    self._sending.add(letter)
                    return letter
                line.changed.wait(self._wait_seconds(line, free_at - now))

    def _held(self, line: _Line[Post], now: float) -> _Letter[Post] | None:
        """Return what another receiver holds for too long, where this is the last one and the process ends."""
        if not (line.is_last and self._closing.is_set()):
            return None
        others = (letter for letter in self._sending if letter.held_by is not line)
        return next((letter for letter in others if now - letter.held_at >= HELD_SECONDS), None)

    def _wait_seconds(self, line: _Line[Post], seconds: float) -> float | None:
        if line.is_last and self._closing.is_set() and self._sending:
            return min(seconds, HELD_SECONDS / 4) if self._waiting else HELD_SECONDS / 4
        return seconds if self._waiting else None

    def _rest(self, line: _Line[Post]) -> None:
        """Leave it alone for a while, where another receiver is there for what it does not take."""
        if not line.is_last:
            line.rests_until = time.monotonic() + REST_SECONDS
        self._wake()

    def _wake(self) -> None:
        with self._lock:
            for line in self._lines:
                line.changed.notify_all()

    def _pause(self, seconds: float) -> None:
        if self._closing.is_set():
            time.sleep(min(seconds, LONGEST_PAUSE_CLOSING_SECONDS))
        else:
            self._closing.wait(seconds)
