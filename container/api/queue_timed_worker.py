"""gunicorn's threaded worker, which also tells each request how long it waited for a thread."""

from __future__ import annotations

import threading
import time
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

_current = threading.local()


def seconds_in_queue() -> float:
    """The seconds that the request of this thread waited for it."""
    return float(getattr(_current, "seconds_in_queue", 0.0))


class QueueTimedWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """Requests wait inside the worker when all its threads are busy: their callers wait all that time too."""

    def enqueue_req(self, conn: Any) -> None:
        """Hand a connection with a request to the threads."""
        conn.queued_at = time.monotonic()
        super().enqueue_req(conn)

    def handle(self, conn: Any) -> object:
        """Answer one request, in a thread."""
        _current.seconds_in_queue = time.monotonic() - conn.queued_at
        return super().handle(conn)
