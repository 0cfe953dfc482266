"""gunicorn's threaded worker, with threads only for requests that have arrived completely.

gunicorn keeps a thread busy while a request arrives, so a few slow senders, one per thread, could block the service.
Here the worker's event loop reads all connections, as nginx does in front of an application: a slow sender takes a few
bytes of memory and no thread, and its connection is closed after a time limit.
"""

from __future__ import annotations

import errno
import json
import logging
import math
import os
import re
import socket
import struct
import threading
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from selectors import EVENT_READ
from types import FrameType
from typing import Any, Final

from gunicorn.http import get_parser
from gunicorn.http.errors import LimitRequestHeaders, LimitRequestLine, ParseException
from gunicorn.workers.gthread import TConn, ThreadWorker
from whole_answer import WholeAnswer

from api_settings import ApiSettings
from web.moderation_request import LARGEST_BODY_BYTES
from web.request_intake import MalformedRequestError, RequestIntake
from web.task_end import TASK_END

MIN_READING_SECONDS: Final = 1.0
"""The least time for reading, however short the deadline: TCP retransmits a lost packet only after some 0.1 s."""
WRITING_SECONDS: Final = 5
"""The time limit for a client to receive its answer."""
LINGERING_SECONDS: Final = 2.0
"""How long to read on before closing: closing with unread bytes resets the connection and loses the answer."""
MOST_LINGERING_BYTES: Final = 64 << 20
MOST_LINGERING: Final = 64
MOST_BUFFERED_BYTES: Final = 64 << 20
"""The most bytes of incomplete requests in one worker."""
HEALTH_THREADS: Final = 1
SECONDS_TO_ASK_AFTER: Final = 0.1
"""After this time in the queue, a request is skipped if its client has closed the connection."""
_READ_AT_ONCE: Final = 65_536
_EXPECTATION: Final = re.compile(rb"\r\nexpect:[^\r\n]*\r\n", re.IGNORECASE)
_HEALTH: Final = (b"GET /health ", b"GET /health?")
_REASONS: Final = {
    400: "Bad Request",
    408: "Request Timeout",
    414: "URI Too Long",
    431: "Request Header Fields Too Large",
}
_log = logging.getLogger("api")
_current = threading.local()


def seconds_reading() -> float:
    """Return the seconds from the first byte to the last of this thread's request."""
    return float(getattr(_current, "seconds_reading", 0.0))


def seconds_in_queue() -> float:
    """Return the seconds that this thread's request waited for a thread after its last byte."""
    return float(getattr(_current, "seconds_in_queue", 0.0))


class _Connection(TConn):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's data of a connection, and the request that is arriving over it."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.initialized = True
        self.whole_at = 0.0
        self.buffered = 0
        self.lingering = False
        self.lingered = 0
        self.closed = False
        self.next_intake(b"")

    def next_intake(self, left_over: bytes) -> None:
        self.intake = RequestIntake(largest_body=LARGEST_BODY_BYTES)
        self.left_over = left_over
        self.continued = False
        self.began = 0.0  # 0 until the request's first byte arrives


class ReadingWorker(ThreadWorker):  # type: ignore[misc]
    """Reads requests in its event loop, and answers them in threads. `/health` has a thread of its own."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        settings = ApiSettings.from_environment()
        self._reading_seconds = max(MIN_READING_SECONDS, settings.deadline_ms / 1000)
        self._stop_timeout_seconds = settings.stop_timeout_seconds
        self._buffered = 0
        self._refusing = False
        self._lingering: deque[_Connection] = deque()
        self._health_pool: ThreadPoolExecutor | None = None

    def init_process(self) -> None:
        """Start the worker, in its own process."""
        self._health_pool = ThreadPoolExecutor(max_workers=HEALTH_THREADS)
        # Requests in flight get at most half of the time that gunicorn gives a worker to end. The rest is for handing
        # over the posts in memory.
        in_flight = 2 * self._reading_seconds + WRITING_SECONDS
        self.cfg.set("graceful_timeout", math.ceil(min(in_flight, self._stop_timeout_seconds / 2)))
        super().init_process()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end: hand over the posts in memory while the worker still answers requests in flight."""
        if self.alive:
            # Not called here: the signal may have interrupted code that holds a lock.
            self.method_queue.defer(TASK_END.begin)
        super().handle_exit(sig, frame)

    def set_accept_enabled(self, enabled: bool) -> None:
        """Start or stop accepting; when the worker ends, accept the waiting connections and close the socket.

        gunicorn leaves the socket open until it has answered everything. Clients that connect meanwhile would wait,
        and be reset when the last worker closes it. A closed socket refuses them at once.
        """
        super().set_accept_enabled(enabled)
        if self.alive or enabled or self._refusing:
            return
        self._refusing = True
        for listener in self.sockets:
            while self._accepts(listener):
                pass
            listener.close()

    def accept(self, listener: socket.socket) -> None:
        """Accept a connection; if there are too many, close the one that has been idle or slow for the longest time."""
        self._accepts(listener)

    def _accepts(self, listener: socket.socket) -> bool:
        """Accept a connection; return whether there was one."""
        try:
            accepted, address = listener.accept()
        except OSError as fault:
            if fault.errno in (errno.EMFILE, errno.ENFILE):
                self._make_room()
            return False  # otherwise the client has left, or the other worker was faster
        # A thread writes the answer; a client that does not read it must not block the thread.
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", WRITING_SECONDS, 0))
        self.nr_conns += 1
        if self.nr_conns >= self.worker_connections:
            self._make_room()
        self._wait_for_request(_Connection(self.cfg, accepted, address, listener.getsockname()))
        return True

    def handle(self, conn: Any) -> object:
        """Answer one request, in a thread."""
        now = time.monotonic()
        _current.seconds_reading = conn.whole_at - conn.began
        _current.seconds_in_queue = now - conn.whole_at
        if _current.seconds_in_queue > SECONDS_TO_ASK_AFTER and _has_left(conn.sock):
            return False
        kept = super().handle(conn)
        return bool(kept) and not conn.intake.cut_off

    def handle_request(self, req: Any, conn: Any) -> object:
        """Answer a request with the application."""
        answer = WholeAnswer(conn)
        kept = super().handle_request(req, answer)
        answer.flush()
        return kept

    def finish_request(self, conn: Any, fs: Future[object]) -> None:
        """Wait for the connection's next request, or close it."""
        self._buffered -= conn.buffered
        conn.buffered = 0
        if fs.cancelled() or fs.exception() is not None or not fs.result():
            self._linger(conn)
            return
        conn.next_intake(conn.left_over)
        if not conn.left_over:
            self._wait_for_request(conn)
            return
        # The client has sent its next request before it received the answer.
        conn.sock.setblocking(False)
        left_over, conn.left_over = conn.left_over, b""
        self._begin(conn)
        self.poller.register(conn.sock, EVENT_READ, partial(self._on_readable, conn))
        self._take(conn, left_over)

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """Wait for events, but not beyond the next connection's time limit."""
        now = time.monotonic()
        for waiting in (self.keepalived_conns, self.pending_conns, self._lingering):
            if waiting:
                timeout = min(timeout, max(0.0, waiting[0].timeout - now))
        super().wait_for_and_dispatch_events(timeout)

    def murder_keepalived(self, force: bool = False) -> None:
        """Close connections that have been idle too long; with `force`, all."""
        now = time.monotonic()
        while self.keepalived_conns and (force or self.keepalived_conns[0].timeout <= now):
            self._close(self._forget(self.keepalived_conns[0]))
        while self._lingering and (force or self._lingering[0].timeout <= now):
            self._close(self._forget(self._lingering[0]))

    def murder_pending(self) -> None:
        """Refuse requests that did not arrive completely in time."""
        now = time.monotonic()
        while self.pending_conns and self.pending_conns[0].timeout <= now:
            self._give_up(self.pending_conns[0])

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: Exception) -> None:
        """Answer a request that gunicorn's parser refuses with a client error, because it is not a service error."""
        if not isinstance(exc, ParseException):
            super().handle_error(req, client, addr, exc)
            return
        if isinstance(exc, LimitRequestLine):
            status, message = 414, "the path is too long"
        elif isinstance(exc, LimitRequestHeaders):
            status, message = 431, "the headers are too many or too large"
        else:
            status, message = 400, "the request is not valid HTTP"
        _refuse(client, status, message, seconds_reading())

    def _wait_for_request(self, conn: _Connection) -> None:
        conn.sock.setblocking(False)
        conn.set_timeout()
        if not self.alive:
            conn.timeout = min(conn.timeout, time.monotonic() + LINGERING_SECONDS)
        self.keepalived_conns.append(conn)
        self.poller.register(conn.sock, EVENT_READ, partial(self._on_readable, conn))

    def _begin(self, conn: _Connection) -> None:
        conn.began = time.monotonic()
        conn.timeout = conn.began + self._reading_seconds
        self.pending_conns.append(conn)

    def _on_readable(self, conn: _Connection, _: socket.socket) -> None:
        try:
            data = conn.sock.recv(_READ_AT_ONCE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._close(self._forget(conn))
        elif conn.lingering:
            conn.lingered += len(data)
            if conn.lingered > MOST_LINGERING_BYTES:
                self._close(self._forget(conn))
        else:
            if not conn.began:
                # The poller already watches the connection with this callback.
                with suppress(ValueError):
                    self.keepalived_conns.remove(conn)
                self._begin(conn)
            self._take(conn, data)

    def _take(self, conn: _Connection, data: bytes) -> None:
        conn.buffered += len(data)
        self._buffered += len(data)
        try:
            whole = conn.intake.feed(data)
        except MalformedRequestError as fault:
            _refuse(conn.sock, fault.status, str(fault), time.monotonic() - conn.began)
            self._linger(self._forget(conn))
            return
        if whole:
            self._dispatch(self._forget(conn))
            return
        if conn.intake.wants_continue and not conn.continued:
            conn.continued = True
            with suppress(OSError):
                conn.sock.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        while self._buffered > MOST_BUFFERED_BYTES and self.pending_conns:
            self._give_up(self.pending_conns[0])

    def _dispatch(self, conn: _Connection) -> None:
        conn.whole_at = time.monotonic()
        request = bytes(conn.intake.received[: conn.intake.end])
        if conn.continued:
            # gunicorn would send `100 Continue` a second time.
            request = _EXPECTATION.sub(b"\r\n", request, count=1)
        conn.left_over = bytes(conn.intake.received[conn.intake.end :])
        # The parser gets exactly these bytes, so it never waits for the client, however it interprets them.
        conn.parser = get_parser(self.cfg, [request], conn.client)
        # Requests that wait for the endpoint may occupy every other thread.
        pool = self._health_pool if request.startswith(_HEALTH) else self.tpool
        assert pool is not None
        answered = pool.submit(self.handle, conn)
        answered.add_done_callback(lambda done: self.method_queue.defer(self.finish_request, conn, done))

    def _give_up(self, conn: _Connection) -> None:
        _refuse(
            conn.sock,
            408,
            f"the request did not arrive in time: send it within {self._reading_seconds:g} seconds",
            time.monotonic() - conn.began,
        )
        self._linger(self._forget(conn))

    def _make_room(self) -> None:
        for waiting in (self._lingering, self.keepalived_conns):
            if waiting:
                self._close(self._forget(waiting[0]))
                return
        if self.pending_conns:
            self._give_up(self.pending_conns[0])

    def _forget(self, conn: _Connection) -> _Connection:
        """Remove a connection from all lists and from the poller."""
        for waiting in (self.keepalived_conns, self.pending_conns, self._lingering):
            with suppress(ValueError):
                waiting.remove(conn)
        with suppress(OSError, KeyError, ValueError):
            self.poller.unregister(conn.sock)
        return conn

    def _linger(self, conn: _Connection) -> None:
        """Close a connection once its client has read the answer. gunicorn would block its event loop for that."""
        self._release(conn)
        try:
            conn.sock.setblocking(False)
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._close(conn)
            return
        while len(self._lingering) >= MOST_LINGERING:
            self._close(self._forget(self._lingering[0]))
        conn.lingering = True
        conn.timeout = time.monotonic() + LINGERING_SECONDS
        self._lingering.append(conn)
        self.poller.register(conn.sock, EVENT_READ, partial(self._on_readable, conn))

    def _close(self, conn: _Connection) -> None:
        if conn.closed:  # by another event of the same round
            return
        conn.closed = True
        self._release(conn)
        self.nr_conns -= 1
        conn.close()

    def _release(self, conn: _Connection) -> None:
        self._buffered -= conn.buffered
        conn.buffered = 0


def _has_left(client: socket.socket) -> bool:
    try:
        return client.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def _refuse(client: socket.socket, status: int, message: str, seconds: float) -> None:
    """Write an answer without waiting for the client to read it."""
    request_id = os.urandom(16).hex()
    fields = {"request_id": request_id, "method": None, "path": None, "status": status, "ms": round(seconds * 1000, 1)}
    _log.info("request", extra={"fields": fields})
    body = json.dumps({"error": message}) + "\n"
    head = (
        f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        f"X-Request-Id: {request_id}\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n"
    )
    with suppress(OSError):
        client.send((head + body).encode(), socket.MSG_DONTWAIT)
