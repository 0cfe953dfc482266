"""A part of all requests, evenly spread."""

from __future__ import annotations

import threading


class Share:
    """`take` is true for the part, 0 to 1, of the times it is asked: for a part of 0.1 at every tenth."""

    def __init__(self, part: float) -> None:
        self._part = part
        self._due = 0.0
        self._lock = threading.Lock()

    def take(self) -> bool:
        with self._lock:
            self._due += self._part
            # Tenths do not add up to one in binary.
            if self._due < 1 - 1e-9:
                return False
            self._due -= 1
            return True
