"""gunicorn's threaded worker, with threads that keep their connection.

gunicorn's own worker passes a connection to its main thread after each answer, and the main thread passes the next
request to another thread. Each step wakes a sleeping thread, which takes a considerable part of the response time with
a small model. nginx sends all requests over a few kept connections. So here the thread that answered waits for the
connection's next request itself.
"""

from __future__ import annotations

import select
import socket
import threading
from typing import Any

from gunicorn.workers.gthread import ThreadWorker
from gunicorn_workers import KEPT_CONNECTIONS
from whole_answer import WholeAnswer

_CHECK_MILLISECONDS = 500
"""The time between two checks whether the worker ends."""


class ConnectionWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """Answers all requests of a connection in one thread, as long as there are spare threads."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        # serve.py starts this many extra threads, so that idle connections do not take threads from requests.
        self._may_stay = threading.Semaphore(KEPT_CONNECTIONS)

    def handle(self, conn: Any) -> object:
        """Answer one request, and the next ones on its connection.

        Returns:
            Whether the main thread must wait for the connection's next request, as gunicorn's own worker returns it.
        """
        kept = super().handle(conn)
        while kept is True and self.alive:
            # The parser may already hold bytes of the next request, which the socket does not show.
            if not conn.parser.unreader.buf.getvalue() and not self._comes_while_staying(conn.sock):
                break
            kept = super().handle(conn)
        return kept

    def handle_request(self, req: Any, conn: Any) -> object:
        """Answer a request with the application."""
        answer = WholeAnswer(conn)
        kept = super().handle_request(req, answer)
        answer.flush()
        return kept

    def _comes_while_staying(self, connection: socket.socket) -> bool:
        """Wait for the next request or the connection's end; return False if the main thread must wait for it."""
        if not self._may_stay.acquire(blocking=False):
            return False
        try:
            readable = select.poll()
            readable.register(connection, select.POLLIN)
            for _ in range(self.cfg.keepalive * 1000 // _CHECK_MILLISECONDS):
                if readable.poll(_CHECK_MILLISECONDS):
                    return True
                if not (self.alive and self.is_parent_alive()):
                    break
        finally:
            self._may_stay.release()
        return False
