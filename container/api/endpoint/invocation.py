"""One invocation of the endpoint, and the thread that breaks its connection when its time is up."""

from __future__ import annotations

import heapq
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count


class Invocation:
    """The time that an invocation may take, and the connection that it uses.

    A socket's time-out limits only the wait for the next byte. An endpoint that sends a byte now and then could
    therefore hold a caller indefinitely. So `InvocationWatch` breaks the connection at `until`, a time of
    `time.monotonic()`.
    """

    def __init__(self, *, until: float, watch: InvocationWatch) -> None:
        self._until = until
        self._lock = threading.Lock()
        self._connection: socket.socket | None = None
        self._broken = False
        self.finished = False
        """The caller sets it when the invocation is over, so that the connection is not broken any more."""
        watch.add(self, until)

    def seconds_left(self) -> float:
        """Return the seconds until the invocation ends; raise TimeoutError if none are left."""
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("the invocation's time is up")
        return left

    @contextmanager
    def holding(self, connection: socket.socket) -> Iterator[None]:
        """Use `connection` until the time is up; an operation that is running on it then ends with TimeoutError."""
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
        """Break the connection that is in use, if there is one."""
        with self._lock:
            self._broken = True
            if self._connection is not None:
                with suppress(OSError):  # the server closed it first
                    # TLS's own shutdown would change state that the reading thread is about to use.
                    socket.socket.shutdown(self._connection, socket.SHUT_RDWR)


class InvocationWatch:
    """Ends invocations when their time is up; one thread watches all of them."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._order = count()
        self._due: list[tuple[float, int, Invocation]] = []
        threading.Thread(target=self._run, daemon=True, name="invocation-watch").start()

    def add(self, invocation: Invocation, until: float) -> None:
        """End `invocation` at `until`."""
        with self._changed:
            heapq.heappush(self._due, (until, next(self._order), invocation))
            # Deadlines mostly arrive in order; only an earlier one has to wake the thread.
            if self._due[0][2] is invocation:
                self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                # Most invocations have finished by now, so one wake-up removes many of them.
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
