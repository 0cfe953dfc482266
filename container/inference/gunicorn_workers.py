"""gunicorn's configuration: a socket per worker, so that nginx chooses the least busy worker.

If the workers shared a socket, the worker that wakes first would take a connection and, because nginx keeps
connections, all its later requests, while another worker is idle.
"""

from __future__ import annotations

from typing import Any

KEPT_CONNECTIONS = 16
"""The connections per worker that nginx keeps open for later requests."""


def pre_fork(arbiter: Any, worker: Any) -> None:
    """Give a worker the socket on which the fewest workers listen; gunicorn calls this before each fork."""
    taken = [socket for other in arbiter.WORKERS.values() for socket in other.sockets]
    worker.sockets = [min(arbiter.LISTENERS, key=taken.count)]
