"""One invocation of the endpoint, and the watch that breaks its connection when its time is up."""

from __future__ import annotations

import heapq
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count


class Invocation:
    """How long an invocation may take, and the connection that it uses.

    A socket's time-out bounds the wait for the next byte, so an endpoint that sends a byte now and then could hold a
    caller for ever. The watch therefore breaks the connection at `until`, a time of `time.monotonic()`.
    """

    def __init__(self, *, until: float, watch: InvocationWatch) -> None:
        self._until = until
        self._lock = threading.Lock()
        self._connection: socket.socket | None = None
        self._broken = False
        self.finished = False
        """Set by whoever made the invocation, when nothing has to be broken any more."""
        watch.add(self, until)

    def seconds_left(self) -> float:
        """The seconds until the invocation is given up; TimeoutError where there are none."""
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("the invocation's time is up")
        return left

    @contextmanager
    def holding(self, connection: socket.socket) -> Iterator[None]:
        """Use `connection` until its time is up: whatever is then under way on it ends in TimeoutError."""
        with self._lock:
            if self._broken:
                raise TimeoutError("the invocation's time is up")
            self._connection = connection
        try:
            yield
        except Exception as fault:
            if self._broken:
                raise TimeoutError("the invocation's time is up") from fault
            raise
        finally:
            with self._lock:
                self._connection = None
        if self._broken:
            raise TimeoutError("the invocation's time is up")

    def end(self) -> None:
        """Break the connection under way, if there is one."""
        with self._lock:
            self._broken = True
            if self._connection is not None:
                with suppress(OSError):  # the other side was faster
                    # Not TLS's own way, which changes what the thread that reads is about to use.
                    socket.socket.shutdown(self._connection, socket.SHUT_RDWR)


class InvocationWatch:
    """Ends invocations when their time is up, all in one thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._order = count()
        self._due: list[tuple[float, int, Invocation]] = []
        threading.Thread(target=self._run, daemon=True, name="invocation-watch").start()

    def add(self, invocation: Invocation, until: float) -> None:
        """End `invocation` at `until`."""
        with self._changed:
            heapq.heappush(self._due, (until, next(self._order), invocation))
            # Deadlines mostly come in order, and then the thread sleeps on.
            if self._due[0][2] is invocation:
                self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                # Most are finished long before: one waking clears many of them away.
                while self._due and self._due[0][2].finished:
                    heapq.heappop(self._due)
                if not self._due:
                    self._changed.wait()
                    continue
                left = self._due[0][0] - time.monotonic()
                if left > 0:
                    self._changed.wait(left)
                    continue
                _, _, invocation = heapq.heappop(self._due)
            invocation.end()
