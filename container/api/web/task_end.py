"""The end of the task: ECS sends SIGTERM, and SIGKILL when the container's stop time-out has passed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

KILL_MARGIN_SECONDS: Final = 1.0
"""Before ECS's SIGKILL gunicorn ends its workers itself, so that its log says so."""
DRAIN_MARGIN_SECONDS: Final = 3.0
"""Before ECS's SIGKILL a worker stops handing over, so that there is time to say what was lost."""
LEAST_SECONDS: Final = 0.5


class TaskEnd:
    """Knows when the end began, and calls whoever is to know of it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._began_at: float | None = None
        self._callbacks: list[Callable[[], None]] = []

    def on_begin(self, callback: Callable[[], None]) -> None:
        """Call `callback` when the end begins. It must not wait for anything."""
        self._callbacks.append(callback)

    def begin(self) -> None:
        """Begin the end, once."""
        with self._lock:
            if self._began_at is not None:
                return
            self._began_at = time.monotonic()
        for callback in self._callbacks:
            callback()

    def drain_until(self, stop_timeout_seconds: float) -> float:
        """Return until when things can be handed over, as a time of `time.monotonic()`."""
        began_at = time.monotonic() if self._began_at is None else self._began_at
        return began_at + max(LEAST_SECONDS, stop_timeout_seconds - DRAIN_MARGIN_SECONDS)


TASK_END: Final = TaskEnd()
"""Of this process: a worker of gunicorn makes its own app after it has been forked."""
