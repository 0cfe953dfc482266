"""How many posts each worker process holds in memory, in memory that it shares with its parent process.

A worker that gets SIGKILL (from the kernel that is short of memory, or from gunicorn when the worker hangs) cannot log
its loss, so the parent reads the number. Shared memory holds the number only, nothing of a post.
"""

from __future__ import annotations

import mmap
import struct
import threading
from typing import Final

MOST_WORKERS: Final = 64
"""The most workers at once: more than gunicorn ever runs here, ending and starting workers together."""
_NUMBER: Final = struct.Struct("q")


class HeldPosts:
    """A number per worker. Create it before gunicorn forks workers; each of them writes its own number."""

    def __init__(self) -> None:
        self._shared = mmap.mmap(-1, MOST_WORKERS * _NUMBER.size)
        self._lock = threading.Lock()
        self._taken: set[int] = set()
        self._place: int | None = None

    def take_place(self) -> int | None:
        """Return the place of a worker that is about to be forked; None if there is none left."""
        place = next((place for place in range(MOST_WORKERS) if place not in self._taken), None)
        if place is not None:
            self._taken.add(place)
            self._write(place, 0)
        return place

    def use(self, place: int | None) -> None:
        """Count this process's posts at `place`."""
        # A new lock: the old one may have been held at the moment of the fork.
        self._lock = threading.Lock()
        self._place = place

    def add(self, posts: int) -> None:
        """Count `posts` more, or fewer if it is negative; does nothing if this process has no place."""
        if self._place is not None:
            with self._lock:
                self._write(self._place, self._read(self._place) + posts)

    def give_up(self, place: int | None) -> int:
        """Return how many posts an ended worker held, and free its place."""
        if place is None:
            return 0
        held = self._read(place)
        self._taken.discard(place)
        return max(0, held)

    def _read(self, place: int) -> int:
        number: int = _NUMBER.unpack_from(self._shared, place * _NUMBER.size)[0]
        return number

    def _write(self, place: int, number: int) -> None:
        _NUMBER.pack_into(self._shared, place * _NUMBER.size, number)


HELD_POSTS: Final = HeldPosts()
