"""gunicorn's configuration: a socket for each worker, so that nginx chooses the one that is least busy.

On a socket they share, whichever worker wakes first takes the connection and, since nginx keeps connections, every
request that follows on it, while another has nothing to do.
"""

from __future__ import annotations

from typing import Any

KEPT_CONNECTIONS = 16
"""Connections to each worker that nginx keeps for its next requests."""


def pre_fork(arbiter: Any, worker: Any) -> None:
    """gunicorn calls this before each fork: gives the worker the socket that the fewest others listen on."""
    taken = [socket for other in arbiter.WORKERS.values() for socket in other.sockets]
    worker.sockets = [min(arbiter.LISTENERS, key=taken.count)]
