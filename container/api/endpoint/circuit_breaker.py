"""Stops requests to an endpoint that does not answer, until a single request shows that it answers again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from enum import StrEnum


class BreakerState(StrEnum):
    """closed: every request goes through. open: none does. half_open: one request tests the endpoint."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class CircuitBreaker:
    """Opens after `failures` in a row, and lets one request through when `open_seconds` have passed.

    Every request that `admit` lets through ends in exactly one call of `succeeded`, `failed` or `inconclusive`.
    """

    def __init__(self, *, failures: int, open_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._most_failures = failures
        self._open_seconds = open_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._state = BreakerState.CLOSED
        self._failures = 0
        self._opened_at = 0.0

    @property
    def state(self) -> BreakerState:
        """The current state."""
        return self._state

    def would_admit(self) -> bool:
        """Whether `admit` would let a request through now."""
        with self._lock:
            return self._admits()

    def admit(self) -> bool:
        """Return whether a request may be sent now; the caller then reports its outcome."""
        with self._lock:
            if not self._admits():
                return False
            if self._state is BreakerState.OPEN:
                self._state = BreakerState.HALF_OPEN
            return True

    def succeeded(self) -> None:
        """Record that the endpoint answered."""
        with self._lock:
            self._state = BreakerState.CLOSED
            self._failures = 0

    def failed(self) -> None:
        """Record that the endpoint did not answer, or gave an unusable answer."""
        with self._lock:
            self._failures += 1
            if self._state is BreakerState.HALF_OPEN or (
                self._state is BreakerState.CLOSED and self._failures >= self._most_failures
            ):
                self._state = BreakerState.OPEN
                self._opened_at = self._clock()

    def inconclusive(self) -> None:
        """Record that the outcome shows nothing about the endpoint; if the request was a test, the next one tests."""
        with self._lock:
            if self._state is BreakerState.HALF_OPEN:
                self._state = BreakerState.OPEN

    def _admits(self) -> bool:
        return self._state is BreakerState.CLOSED or (
            self._state is BreakerState.OPEN and self._clock() - self._opened_at >= self._open_seconds
        )
