"""Sends the head of an answer together with the first bytes of its body.

The same file is in the images of the API and of inference. gunicorn sends head and body one after the other: each costs
a system call and wakes the reader of the answer.
"""

from __future__ import annotations

from typing import Any


class WholeAnswer:
    """A connection of gunicorn for one answer; it stands for its socket too."""

    def __init__(self, conn: Any) -> None:
        self.sock = self
        self.client = conn.client
        self.server = conn.server
        self._socket = conn.sock
        self._head: bytes | None = None
        self._head_came = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)

    def sendall(self, data: bytes) -> None:
        """Send `data`; the first call has the head, which is kept for the second."""
        if self._head_came:
            head, self._head = self._head or b"", None
            self._socket.sendall(head + data)
        else:
            self._head, self._head_came = data, True

    def flush(self) -> None:
        """Send a head that no body followed."""
        if self._head is not None:
            self._socket.sendall(self._head)
            self._head = None
