"""The end of the task: ECS sends SIGTERM, and SIGKILL after the container's stop time-out."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

KILL_MARGIN_SECONDS: Final = 1.0
"""This long before ECS's SIGKILL gunicorn kills its workers itself, so that its log reports it."""
DRAIN_MARGIN_SECONDS: Final = 3.0
"""This long before ECS's SIGKILL a worker stops handing over, so that there is time to log the lost posts."""
LEAST_SECONDS: Final = 0.5


class TaskEnd:
    """Records when the end began, and calls the registered callbacks."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._began_at: float | None = None
        self._callbacks: list[Callable[[], None]] = []

    def on_begin(self, callback: Callable[[], None]) -> None:
        """Register `callback` for the begin of the end. It must not wait for anything."""
        self._callbacks.append(callback)

    def begin(self) -> None:
        """Begin the end; later calls do nothing."""
        with self._lock:
            if self._began_at is not None:
                return
            self._began_at = time.monotonic()
        for callback in self._callbacks:
            callback()

    def drain_until(self, stop_timeout_seconds: float) -> float:
        """Return the time until which posts can be handed over, a time of `time.monotonic()`."""
        began_at = time.monotonic() if self._began_at is None else self._began_at
        return began_at + max(LEAST_SECONDS, stop_timeout_seconds - DRAIN_MARGIN_SECONDS)


TASK_END: Final = TaskEnd()
"""One per process: each of gunicorn's workers creates its application after the fork."""
