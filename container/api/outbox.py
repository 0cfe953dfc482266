"""Hands posts over in the background, and keeps them in memory until a receiver has accepted them."""

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
"""The most characters of posts kept in memory, which take several times as many bytes."""
WAIT_SECONDS: Final = 0.1
"""An answer waits no longer than this for a receiver to accept its posts: a slow receiver must not delay answers."""
SENDERS: Final = 4
REST_SECONDS: Final = 2.0
"""The pause of a receiver after a fault, while the next receiver takes its posts."""
LONGEST_PAUSE_SECONDS: Final = 2.0
LONGEST_PAUSE_CLOSING_SECONDS: Final = 0.1
HELD_SECONDS: Final = 2.0
"""When the process is about to end, a post that a receiver has held for this long is offered to the last one too."""
_MOST_LISTED: Final = 500
_log = logging.getLogger("api")
Post = TypeVar("Post")


class OutboxFullError(Exception):
    """Neither the receivers nor memory have room: the caller must keep the posts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver(Generic[Post]):
    """A destination of posts.

    name: its name in the log.
    open: returns the function that takes one post. It may wait for credentials, and is retried after `faults`.
    faults: the errors that mean that it did not accept a post, which is then offered again.
    after_seconds: it gets posts that have waited for this time; every post if an earlier receiver fails or the process
        is about to end. The last receiver must accept that another one may store the same post later.
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
    """The state of one receiver; its sending threads wait on `changed`."""

    def __init__(self, receiver: Receiver[Post], lock: threading.RLock, *, is_last: bool) -> None:
        self.receiver = receiver
        self.changed = threading.Condition(lock)
        self.is_last = is_last
        self.rests_until = 0.0


class Outbox(Generic[Post]):
    """Gives posts to receivers in the background, roughly in order, and retries until one of them accepts each post.

    receivers: the preferred one first.
    characters, request_id: return a post's size, to limit the memory, and its request id, to log a lost post.
    lost: is called with the number of lost posts, if there are any.
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
        """Take `posts`; return whether a receiver has already accepted them.

        Waits for that until `until`, a time of `time.monotonic()`, and at most WAIT_SECONDS; not at all if earlier
        posts have already waited that long. The outbox keeps offering the other posts. Raises OutboxFullError if they
        do not fit in memory.
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
        """Offer every post to every receiver from now on, because the process is about to end."""
        self._closing.set()
        self._wake()

    def drain(self, *, until: float) -> None:
        """Return when every post has been accepted, or at `until`; the log then reports the lost posts."""
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
            # Reported here, so that the parent process does not report them again.
            HELD_POSTS.add(-len(lost))

    def _start(self, line: _Line[Post], before: Sequence[_Line[Post]]) -> None:
        receiver = line.receiver
        # Opened here and not in the constructor, because it waits for credentials.
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
                _log.warning(f"the {line.receiver.name} did not accept a post", extra={"fields": fields})
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
        """Return a post that another receiver has held for too long, if this is the last one and the process ends."""
        if not (line.is_last and self._closing.is_set()):
            return None
        others = (letter for letter in self._sending if letter.held_by is not line)
        return next((letter for letter in others if now - letter.held_at >= HELD_SECONDS), None)

    def _wait_seconds(self, line: _Line[Post], seconds: float) -> float | None:
        if line.is_last and self._closing.is_set() and self._sending:
            return min(seconds, HELD_SECONDS / 4) if self._waiting else HELD_SECONDS / 4
        return seconds if self._waiting else None

    def _rest(self, line: _Line[Post]) -> None:
        """Pause a receiver for a while, if another one can take its posts."""
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
