"""Selects a share of all requests, evenly spread."""

from __future__ import annotations

import threading


class Share:
    """`take` returns True for the given share, 0 to 1, of its calls: for 0.1 at every tenth call."""

    def __init__(self, part: float) -> None:
        self._part = part
        self._due = 0.0
        self._lock = threading.Lock()

    def take(self) -> bool:
        with self._lock:
            self._due += self._part
            # Sums of tenths are not exact in binary floating point.
            if self._due < 1 - 1e-9:
                return False
            self._due -= 1
            return True
