"""How many posts each worker process holds in memory, where the process that started it can read it still.

A worker that is killed (SIGKILL: by the kernel that is short of memory, or by gunicorn when it hangs) says nothing of
what it held. The number lies in memory that both share; nothing else of a post does.
"""

from __future__ import annotations

import mmap
import struct
import threading
from typing import Final

MOST_WORKERS: Final = 64
"""At once: more than gunicorn ever runs here, those that end beside those that begin."""
_NUMBER: Final = struct.Struct("q")


class HeldPosts:
    """A number for each worker. It is made before workers are forked, and each of them writes its own."""

    def __init__(self) -> None:
        self._shared = mmap.mmap(-1, MOST_WORKERS * _NUMBER.size)
        self._lock = threading.Lock()
        self._taken: set[int] = set()
        self._place: int | None = None

    def take_place(self) -> int | None:
        """Return the place of a worker that is about to be forked; None where there is none left."""
        place = next((place for place in range(MOST_WORKERS) if place not in self._taken), None)
        if place is not None:
            self._taken.add(place)
            self._write(place, 0)
        return place

    def use(self, place: int | None) -> None:
        """Count this process's posts at `place`."""
        # The lock may have been held in the moment of the fork.
        self._lock = threading.Lock()
        self._place = place

    def add(self, posts: int) -> None:
        """Count `posts` more, or fewer where it is negative; nothing where this process has no place."""
        if self._place is not None:
            with self._lock:
                self._write(self._place, self._read(self._place) + posts)

    def give_up(self, place: int | None) -> int:
        """Return how many posts a worker held that has ended, and free its place."""
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
